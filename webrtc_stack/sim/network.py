"""A virtual network of hosts: addresses, links, sockets, timers and names, under one virtual clock.

    net = Network(seed=1)
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2", "fd00::2")
    net.link(a, b, latency=0.02, loss=0.01)
    net.run_until(10.0)

A `Host` is an `io` runtime (same four needs: clock, timers, sockets, names), so the driver that runs on real sockets
runs here unchanged. Hosts that were never linked use `default_link`. `digest()` is the SHA-256 of every datagram
offered to the network: equal for equal seeds, in any process.

Left out here: NAT, TCP and TLS streams (they come with the connectivity rooms).
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..base import NEVER, Address, Drops, Instant, SeededEntropy, canonical_ip
from ..errors import InvalidArgumentError
from .host import Host, SimSocket
from .link import Link, LinkConfig


class Sent(NamedTuple):
    """One datagram as it was offered to the network; `copies` of it will arrive."""

    time: Instant
    source: Address
    destination: Address
    data: bytes
    copies: int


class Timer:
    """A callback at an instant; `cancel()` makes it nothing."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Network:
    """Everything that happens, in order. `wall_epoch` is the Unix time of instant 0 as the hosts' clocks tell it."""

    def __init__(
        self, seed: int | str = 0, *, default_link: LinkConfig | None = None, wall_epoch: float = 1_750_000_000.0
    ) -> None:
        self.seed = seed
        self.now: Instant = 0.0
        self.wall_epoch = wall_epoch
        self.entropy = SeededEntropy(seed)
        self.default_link = default_link or LinkConfig(latency=0.001)
        self.hosts: list[Host] = []
        self.names: dict[str, tuple[str, ...]] = {}
        """What the virtual resolver knows; `resolve_delay` is how long it takes."""
        self.resolve_delay = 0.005
        self.keep_log = True
        self.log: list[Sent] = []
        self.drops = Drops()
        self._hash = hashlib.sha256()
        self._heap: list[tuple[Instant, int, Timer]] = []
        self._count = 0
        self._by_ip: dict[str, Host] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._link_configs: dict[tuple[str, str], LinkConfig] = {}

    # --- building ---------------------------------------------------------------------------------------------------

    def host(self, *addresses: str, name: str | None = None) -> Host:
        """A new host with one interface per address; each address belongs to one host only."""
        if not addresses:
            raise InvalidArgumentError("a host needs at least one address, such as '10.0.0.1'")
        hosts = [canonical_ip(address) for address in addresses]
        for ip in hosts:
            if ip in self._by_ip:
                raise InvalidArgumentError(f"{ip} already belongs to {self._by_ip[ip].name}")
        host = Host(self, tuple(hosts), name or f"host{len(self.hosts) + 1}")
        self.hosts.append(host)
        for ip in hosts:
            self._by_ip[ip] = host
        return host

    def link(self, a: Host | str, b: Host | str, config: LinkConfig | None = None, **changes: Any) -> None:
        """Sets both directions between two hosts (or two single addresses).

        Without `config` the present one of that direction is changed by keyword, so `net.link(a, b, up=False)` cuts a
        cable and leaves its other properties alone.
        """
        self.link_one_way(a, b, config, **changes)
        self.link_one_way(b, a, config, **changes)

    def link_one_way(self, a: Host | str, b: Host | str, config: LinkConfig | None = None, **changes: Any) -> None:
        """The same for one direction only."""
        for source in _ips(a):
            for destination in _ips(b):
                key = (source, destination)
                chosen = replace(config or self._link_configs.get(key, self.default_link), **changes)
                self._link_configs[key] = chosen
                if key in self._links:
                    self._links[key].config = chosen

    def _link(self, source: str, destination: str) -> Link:
        key = (source, destination)
        link = self._links.get(key)
        if link is None:
            config = self._link_configs.get(key, self.default_link)
            link = self._links[key] = Link(config, self.entropy.fork(f"link {source} {destination}"))
        return link

    # --- time -------------------------------------------------------------------------------------------------------

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Timer:
        """Calls back at `when` (or now, if that is past)."""
        timer = Timer(callback)
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._count, timer))
        return timer

    def next_instant(self) -> Instant:
        """When the next thing happens, `NEVER` if nothing is pending."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER

    def step(self) -> bool:
        """Lets the next thing happen. False when nothing is pending."""
        if self.next_instant() == NEVER:
            return False
        when, _, timer = heapq.heappop(self._heap)
        self.now = max(self.now, when)
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()
        return True

    def run_until(self, instant: Instant) -> None:
        """Runs everything due up to `instant`, and leaves the clock there."""
        while self.next_instant() <= instant:
            self.step()
        self.now = max(self.now, instant)

    def run(self, *, until: Instant, condition: Callable[[], bool]) -> bool:
        """Runs until `condition()` holds or `until` has passed. Returns whether it came to hold."""
        while not condition():
            if self.next_instant() > until:
                self.now = max(self.now, until)
                return condition()
            self.step()
        return True

    # --- datagrams --------------------------------------------------------------------------------------------------

    def send(self, socket: SimSocket, destination: Address, data: bytes, ecn: int) -> None:
        """A host's socket hands a datagram over; called by `SimSocket` only."""
        source = socket.address
        target = self._by_ip.get(destination.host)
        arrivals: list[Instant] = []
        if target is None or source.is_ipv6 != destination.is_ipv6:
            self.drops.add("no route")
        elif source.host in socket.host.down or destination.host in target.down:
            self.drops.add("interface down")
        elif target is socket.host:
            arrivals = [self.now]
        else:
            arrivals = self._link(source.host, destination.host).admit(len(data), self.now)
        self._hash.update(f"{self.now:.9f} {source} {destination} {ecn} {len(data)} ".encode() + data)
        if self.keep_log:
            self.log.append(Sent(self.now, source, destination, data, len(arrivals)))
        if target is not None:
            for arrival in arrivals:
                self.call_at(arrival, _Delivery(target, source, destination, data, ecn))

    def digest(self) -> str:
        """SHA-256 over (time, source, destination, bytes) of everything sent so far."""
        return self._hash.hexdigest()


class _Delivery:
    """The arrival of one datagram, as a callback (a class, because it is made once for every datagram)."""

    __slots__ = ("data", "destination", "ecn", "source", "target")

    def __init__(self, target: Host, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        self.target = target
        self.source = source
        self.destination = destination
        self.data = data
        self.ecn = ecn

    def __call__(self) -> None:
        self.target.deliver(self.source, self.destination, self.data, self.ecn)


def _ips(end: Host | str) -> Sequence[str]:
    return end.addresses if isinstance(end, Host) else (canonical_ip(end),)
