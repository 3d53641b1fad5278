"""On which network are we? `tests/run.py` runs the interop tests inside a namespace of their own."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import ifaddr


def inside() -> bool:
    """True in the network namespace that tests/run.py makes: lo, a veth pair, no way out."""
    return os.environ.get("WEBRTC_STACK_NETNS") == "1"


def has_non_loopback_address() -> bool:
    """True if there is an IPv4 address besides 127.0.0.0/8 that stays on this machine.

    Outside the namespace the answer is no: candidates would then name addresses of a network that others share.
    """
    if not inside():
        return False
    addresses = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return any(not ipaddress.ip_address(address).is_loopback for address in addresses)


@contextmanager
def route_to_nowhere() -> Iterator[None]:
    """Within the block our namespace has a default route; its gateway does not exist, so nothing leaves."""
    assert inside(), "only on a network of our own"
    subprocess.run(["ip", "route", "add", "default", "via", "10.77.0.2"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "delete", "default"], check=True)
