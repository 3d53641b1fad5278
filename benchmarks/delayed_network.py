"""Two network namespaces with a wire of a given delay between them, for stacks that know real sockets only.

Needs root on Linux, `ip`, and /dev/net/tun. What one namespace sends to the other is read from a TUN device, kept for
the delay, and written to the other one's: a few thousand packets a second are no burden, and connecting needs less.
IPv4 alone, so that every stack has one pair of addresses to try.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


@contextmanager
def delayed_network(one_way: float) -> Iterator[tuple[list[str], list[str]]]:
    """Gives the command prefixes that run a program at either end; 10.79.0.1 and 10.79.0.2 are their addresses.

    Errors: `OSError`, `CalledProcessError` where this cannot be had.
    """
    names = [f"wsb{os.getpid()}{end}" for end in "ab"]
    descriptors: list[int] = []
    ended = threading.Event()
    carrier = threading.Thread(target=lambda: _carry(descriptors, one_way, ended), daemon=True)
    try:
        for number, name in enumerate(names, 1):
            _run("ip", "netns", "add", name)
            for group in ("all", "default"):
                switch = f"echo 1 > /proc/sys/net/ipv6/conf/{group}/disable_ipv6"
                _run("ip", "netns", "exec", name, "sh", "-c", switch)
            descriptors.append(_tun(name))
            _run("ip", "link", "set", name, "netns", name)
            for words in (
                ("addr", "add", f"10.79.0.{number}/24", "dev", name),
                ("link", "set", name, "up"),
                ("link", "set", "lo", "up"),
            ):
                _run("ip", "-n", name, *words)
        carrier.start()
        yield ["ip", "netns", "exec", names[0]], ["ip", "netns", "exec", names[1]]
    finally:
        ended.set()
        if carrier.is_alive():
            carrier.join()
        for descriptor in descriptors:
            os.close(descriptor)
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _carry(descriptors: list[int], one_way: float, ended: threading.Event) -> None:
    """The wire, both ways."""
    flying: deque[tuple[float, int, bytes]] = deque()
    other = dict(zip(descriptors, reversed(descriptors), strict=True))
    while not ended.is_set():
        now = time.monotonic()
        while flying and flying[0][0] <= now:
            _, target, packet = flying.popleft()
            try:
                os.write(target, packet)
            except BlockingIOError:
                continue  # a full device loses, as any does
        wait = min(0.05, max(0.0, flying[0][0] - time.monotonic())) if flying else 0.05
        readable, _, _ = select.select(descriptors, [], [], wait)
        for source in readable:
            try:
                packet = os.read(source, 65536)
            except BlockingIOError:
                continue
            flying.append((time.monotonic() + one_way, other[source], packet))
