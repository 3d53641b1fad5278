"""A network of a benchmark's own: a namespace with a veth pair, as some stacks use no loopback addresses."""

from __future__ import annotations

import os
import shutil
import sys

_PAIR = (
    "ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.77.0.1/24 dev v0"
    ' && ip link set v0 up && ip link set v1 up && exec "$@"'
)
_OWN_MOUNTS = "mkdir -p /run/netns && mount -t tmpfs none /run/netns; "


def can_make_namespaces() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and bool(shutil.which("ip") and shutil.which("unshare"))


def move_into_namespace(*, mounts: bool = False) -> None:
    """Starts this program again inside a namespace, as root; without rights it stays on the machine's own network.

    `mounts`: named namespaces that the program makes end with it too.
    """
    if not can_make_namespaces() or "BENCH_NAMESPACE" in os.environ:
        return
    os.environ["BENCH_NAMESPACE"] = "1"
    options = ["--net", "--mount"] if mounts else ["--net"]
    script = (_OWN_MOUNTS if mounts else "") + _PAIR
    os.execvp("unshare", ["unshare", *options, "sh", "-c", script, "sh", sys.executable, *sys.argv])
