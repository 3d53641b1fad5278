"""A virtual network of hosts: addresses, links, sockets, timers and names, under one virtual clock.

    net = Network(seed=1)
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2", "fd00::2")
    net.link(a, b, latency=0.02, loss=0.01)
    net.run_until(10.0)

A `Host` is an `io` runtime (clock, timers, sockets, streams, names, addresses), so the driver that runs on real sockets
runs here unchanged. Hosts that were never linked use `default_link`. Boxes stand between this network and others:

    router = net.nat("203.0.113.1", "symmetric")
    c = router.host("192.168.1.2")
    net.link(c, router, latency=0.003)
    net.link(router, a, latency=0.02)

A link joins two ends that share an address space, so a way through a box is made of legs. The leg between a box and
those inside costs nothing until it is linked. `digest()` is the SHA-256 of every packet on every leg: equal for equal
seeds, in any process.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..base import NEVER, Address, Drops, Instant, SeededEntropy, canonical_ip
from ..errors import InvalidArgumentError
from .box import Box
from .firewall import Firewall
from .host import Host, SimSocket
from .link import LinkConfig
from .nat import NAT_KINDS, Nat, NatConfig
from .nat64 import Nat64
from .packet import Packet
from .realm import GATEWAY, Node, Realm
from .stateful import FirewallConfig
from .stream import StreamConfig


class Sent(NamedTuple):
    """One packet on one leg of its way; `copies` of it will arrive at the other end of the leg.

    `note` says what a box did to it, or dropped it for, and `SYN`, `FIN ACK` and the like of TCP segments; a datagram
    as a host sent it has none. `data` is what the application sent.
    """

    time: Instant
    source: Address
    destination: Address
    data: bytes
    copies: int
    transport: str = "udp"
    note: str = ""


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
        self,
        seed: int | str = 0,
        *,
        default_link: LinkConfig | None = None,
        wall_epoch: float = 1_750_000_000.0,
        streams: StreamConfig | None = None,
    ) -> None:
        self.seed = seed
        self.now: Instant = 0.0
        self.wall_epoch = wall_epoch
        self.entropy = SeededEntropy(seed)
        self.default_link = default_link or LinkConfig(latency=0.001)
        self.streams = streams or StreamConfig()
        self.realm = Realm(self, "public", self.entropy)
        self.hosts: list[Host] = []
        self.boxes: list[Box] = []
        self.names = self.realm.names
        """What the virtual resolver knows; `resolve_delay` is how long it takes."""
        self.resolve_delay = 0.005
        self.keep_log = True
        self.log: list[Sent] = []
        self.drops = Drops()
        self._hash = hashlib.sha256()
        self._heap: list[tuple[Instant, int, Timer]] = []
        self._count = 0

    # --- building ---------------------------------------------------------------------------------------------------

    def host(self, *addresses: str, name: str | None = None, behind: Box | None = None) -> Host:
        """A new host with one interface per address, on the public network or inside of a box. An address belongs to
        one host only, within its network."""
        if not addresses:
            raise InvalidArgumentError("a host needs at least one address, such as '10.0.0.1'")
        host = Host(self, name or f"host{len(self.hosts) + 1}", self.realm if behind is None else behind.realm)
        try:
            for address in addresses:
                host.add_address(address)
        except InvalidArgumentError:
            for address in host.addresses:
                host.remove_address(address)
            raise
        self.hosts.append(host)
        return host

    def nat(
        self,
        outside: str | Sequence[str],
        config: NatConfig | str | None = None,
        *,
        name: str | None = None,
        behind: Box | None = None,
        **changes: Any,
    ) -> Nat:
        """A NAT with one or more addresses outside. `config` may be one of `NAT_KINDS` by name; `changes` are fields
        of `NatConfig`. Put hosts behind it with `nat.host(...)`, another NAT with `nat.nat(...)`.

        Errors: `InvalidArgumentError` for a kind or an address that will not do.
        """
        box = Nat(*self._place("nat", name, behind), _addresses(outside), _nat_config(config, changes))
        self.boxes.append(box)
        return box

    def firewall(
        self,
        config: FirewallConfig | None = None,
        *,
        name: str | None = None,
        behind: Box | None = None,
        **changes: Any,
    ) -> Firewall:
        """A stateful filter that leaves addresses alone; `changes` are fields of `FirewallConfig`."""
        box = Firewall(*self._place("firewall", name, behind), (), replace(config or FirewallConfig(), **changes))
        self.boxes.append(box)
        return box

    def nat64(
        self,
        prefix: str = "64:ff9b::/96",
        *,
        outside: str | Sequence[str],
        config: NatConfig | str | None = None,
        name: str | None = None,
        behind: Box | None = None,
        **changes: Any,
    ) -> Nat64:
        """A NAT64 with DNS64 for the IPv6-only hosts that are put behind it."""
        settings = _nat_config(config, changes)
        box = Nat64(*self._place("nat64-", name, behind), _addresses(outside), settings, prefix)
        self.boxes.append(box)
        return box

    def _place(self, kind: str, name: str | None, behind: Box | None) -> tuple[Network, str, Realm]:
        return self, name or f"{kind}{len(self.boxes) + 1}", self.realm if behind is None else behind.realm

    def link(self, a: Host | Box | str, b: Host | Box | str, config: LinkConfig | None = None, **changes: Any) -> None:
        """Sets both directions between two hosts or boxes (or two single addresses).

        Without `config` the present one of that direction is changed by keyword, so `net.link(a, b, up=False)` cuts a
        cable and leaves its other properties alone. An address alone is one of the network that the other end is on.
        Errors: `InvalidArgumentError` for ends with a NAT between them: each is linked with the NAT.
        """
        self.link_one_way(a, b, config, **changes)
        self.link_one_way(b, a, config, **changes)

    def link_one_way(
        self, a: Host | Box | str, b: Host | Box | str, config: LinkConfig | None = None, **changes: Any
    ) -> None:
        """The same for one direction only."""
        sources, destinations = self._ends(a), self._ends(b)
        realms = [
            realm for realm in sources or destinations or [self.realm] if not destinations or realm in destinations
        ]
        if sources and destinations and not realms:
            raise InvalidArgumentError(f"{a} and {b} are not on one network; link each with the box between them")
        for realm in realms:
            for source in sources.get(realm) or _addresses(a):
                for destination in destinations.get(realm) or _addresses(b):
                    realm.configure(source, destination, config, changes)

    def _ends(self, end: Host | Box | str) -> dict[Realm, list[str]]:
        """By what addresses an end is known, and where; nothing for an address alone."""
        ends: dict[Realm, list[str]] = {}
        if isinstance(end, str):
            return ends
        if isinstance(end, Box):
            ends[end.realm] = [GATEWAY]
            places = [(ip, end.outer) for ip, node in end.outer.by_ip.items() if node is end]
        else:
            places = list(end.realms.items())
        for ip, place in places:
            where: Realm | None = place
            while where is not None:
                ends.setdefault(where, []).append(ip)
                where = where.outside_of(ip)
        return ends

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
        realm = socket.realm
        next_hop = destination.host
        target = realm.by_ip.get(next_hop)
        if target is None and realm.gateway is not None:
            target, next_hop = realm.gateway, GATEWAY
        arrivals: list[Instant] = []
        if target is None or source.is_ipv6 != destination.is_ipv6:
            self.drops.add("no route")
        elif source.host in socket.host.down or destination.host in target.down:
            self.drops.add("interface down")
        elif target is socket.host:
            arrivals = [self.now]
        else:
            arrivals = realm.link(source.host, next_hop).admit(len(data), self.now)
        self._hash.update(f"{self.now:.9f} {source} {destination} {ecn} {len(data)} ".encode() + data)
        if self.keep_log:
            self.log.append(Sent(self.now, source, destination, data, len(arrivals)))
        if target is not None:
            for arrival in arrivals:
                self.call_at(arrival, _Delivery(target, source, destination, data, ecn))

    def forward(self, realm: Realm, packet: Packet, sender: Node, previous_hop: str, note: str = "") -> None:
        """Any packet on any leg: a segment from a host, whatever a box passes on. `previous_hop` is the end of the leg
        that it comes from; a gateway's packets stay inside."""
        source, destination = packet.source, packet.destination
        next_hop = destination.host
        target = realm.by_ip.get(next_hop)
        if target is None and realm.gateway is not None and previous_hop != GATEWAY:
            target, next_hop = realm.gateway, GATEWAY
        arrivals: list[Instant] = []
        if target is None or source.is_ipv6 != destination.is_ipv6:
            self.drops.add("no route")
        elif source.host in sender.down or destination.host in target.down:
            self.drops.add("interface down")
        elif target is sender:
            arrivals = [self.now]
        else:
            arrivals = realm.link(previous_hop, next_hop).admit(packet.size, self.now)
        self.record(packet, len(arrivals), note)
        if target is not None:
            for arrival in arrivals:
                self.call_at(arrival, _Arrival(target, packet))

    def record(self, packet: Packet, copies: int, note: str) -> None:
        """Takes note of a packet on a leg."""
        transport, source, destination, data, ecn, segment = packet
        head = f"{self.now:.9f} {source} {destination} {ecn} {len(data)} "
        if segment is not None:
            data = segment.data
            head = f"{self.now:.9f} {source} {destination} {segment.flags:d} {segment.seq} {segment.ack} {len(data)} "
        self._hash.update(head.encode() + data)
        if self.keep_log:
            if segment is not None:
                note = f"{segment.words}; {note}" if note else segment.words
            self.log.append(Sent(self.now, source, destination, data, copies, transport.value, note))

    def digest(self) -> str:
        """SHA-256 over (time, source, destination, bytes) of everything sent so far, on each leg."""
        return self._hash.hexdigest()


class _Delivery:
    """The arrival of one datagram, as a callback (a class, because it is made once for every datagram)."""

    __slots__ = ("data", "destination", "ecn", "source", "target")

    def __init__(self, target: Node, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        self.target = target
        self.source = source
        self.destination = destination
        self.data = data
        self.ecn = ecn

    def __call__(self) -> None:
        self.target.deliver(self.source, self.destination, self.data, self.ecn)


class _Arrival:
    """The same for any packet."""

    __slots__ = ("packet", "target")

    def __init__(self, target: Node, packet: Packet) -> None:
        self.target = target
        self.packet = packet

    def __call__(self) -> None:
        self.target.receive(self.packet)


def _addresses(given: str | Sequence[str] | Host | Box) -> tuple[str, ...]:
    if isinstance(given, str):
        return (canonical_ip(given),)
    return given.addresses if isinstance(given, Host | Box) else tuple(canonical_ip(ip) for ip in given)


def _nat_config(config: NatConfig | str | None, changes: dict[str, Any]) -> NatConfig:
    if isinstance(config, str):
        if config not in NAT_KINDS:
            raise InvalidArgumentError(f"{config!r} is none of {', '.join(NAT_KINDS)}")
        config = NAT_KINDS[config]
    return replace(config or NatConfig(), **changes)
