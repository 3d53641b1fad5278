"""A network namespace that lasts as long as whoever made it, and not a moment longer.

It has no name: a child process holds it and ends when its standard input closes, which the kernel does when the test
process dies, however it dies. Interfaces and their far ends vanish with the namespace.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from .browser import die_with_parent

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_NETLINK_NETFILTER: Final = 12
_CONNTRACK_DELETE: Final = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_REQUEST_ACK: Final = 1 | 4

_SETUP: Final = (
    "for f in all default; do for k in accept_redirects send_redirects rp_filter; do "
    "echo 0 > /proc/sys/net/ipv4/conf/$f/$k; done; done; "
    "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; "  # addresses are usable at once
    "ip link set lo up && echo ready && exec cat > /dev/null"
)


def why_not() -> str:
    """Why namespaces cannot be made here, in words; empty if they can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in ("unshare", "nsenter", "ip", "nft") if shutil.which(program) is None]
    return f"{' and '.join(missing)} missing" if missing else ""


_WITH_FILES: Final = 'mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf'
_RUN_WITH_FILES: Final = ["unshare", "--mount", "sh", "-c", f'{_WITH_FILES} && shift && exec "$@"', "sh"]


class Namespace:
    """One machine of the laboratory, as far as its network goes.

    `etc` is a folder with the files `hosts` and `resolv.conf` that programs in here see in `/etc`.
    """

    def __init__(self, name: str, etc: Path) -> None:
        self.name = name
        self._etc = etc
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", _SETUP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise OSError(f"no network namespace: {self._holder.stderr.read().decode(errors='replace')}")
        self.path = f"/proc/{self._holder.pid}/ns/net"
        self._enter = ["nsenter", f"--net={self.path}", "--"]
        self.pid = self._holder.pid

    def close(self) -> None:
        """Ends the holder. The kernel removes the namespace once the last process in it has ended."""
        self._holder.kill()
        self._holder.communicate()

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs `arguments` in here."""
        return [*self._enter, *_RUN_WITH_FILES, str(self._etc), *arguments]

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Runs a tool to its end. Returns: what it printed. Errors: `OSError`."""
        done = subprocess.run([*self._enter, *arguments], input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{self.name}: {' '.join(arguments)}: {done.stderr.strip()}\n{stdin}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Executes lines of the `ip` command, in order."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def rules(self, text: str) -> None:
        """Replaces all packet filter and NAT rules."""
        self.run("nft", "-f", "-", stdin=f"flush ruleset\n{text}")

    def forward(self) -> None:
        """Makes this machine a router."""
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")

    def start(self, arguments: Sequence[str], log: BinaryIO, *, folder: Path) -> subprocess.Popen[bytes]:
        """A program that runs in here and ends with this process at the latest."""
        return subprocess.Popen(
            self.command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONUNBUFFERED": "1"},
            preexec_fn=die_with_parent(),
        )

    def inside(self, work: Callable[[], T]) -> T:
        """Calls `work` on a thread that is in here. Sockets it makes stay in here, whoever uses them afterwards."""

        def enter() -> T:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns to {self.name}")
            finally:
                os.close(descriptor)
            return work()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(enter).result()

    def listen(self) -> socket.socket:
        """A TCP socket of this process that listens on 127.0.0.1 in here."""
        return self.inside(lambda: socket.create_server(("127.0.0.1", 0)))

    def forget_connections(self) -> None:
        """Empties the table of tracked connections: every NAT mapping ends, as when a router starts anew."""
        header = struct.pack("=IHHII", 20, _CONNTRACK_DELETE, _REQUEST_ACK, 1, 0)

        def flush() -> None:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
                netlink.send(header + struct.pack("=BBH", socket.AF_INET, 0, 0))
                (code,) = struct.unpack_from("=i", netlink.recv(4096), 16)
                if code:
                    raise OSError(-code, f"conntrack of {self.name}")

        self.inside(flush)


def cable(left: Namespace, left_end: str, right: Namespace, right_end: str) -> None:
    """Joins two namespaces by a pair of interfaces, both up."""
    left.ip(
        f"link add {left_end} type veth peer name {right_end} netns {right.pid}",
        f"link set {left_end} up",
    )
    right.ip(f"link set {right_end} up")
