"""A server for discovery behind a NAT of any kind, as a machine and in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webrtc_stack.base import (
    NEVER,
    Address,
    Datagram,
    MachineBase,
    PathTable,
    SeededEntropy,
    SocketId,
    Transmit,
)
from webrtc_stack.sim import MachinePair
from webrtc_stack.stun import (
    AlternateAddresses,
    BehaviourConfig,
    BehaviourDiscovered,
    BehaviourDiscovery,
    DiscoveryClosed,
    Message,
    NatBehaviour,
    NatReport,
    answer_binding,
    answer_discovery,
)

SERVER = Address("198.51.100.1", 3478)
OTHER = Address("198.51.100.2", 3479)
ALTERNATES = AlternateAddresses(hosts=(SERVER.host, OTHER.host), ports=(SERVER.port, OTHER.port))
LOCAL = Address("192.168.1.7", 40000)
OUTSIDE = "203.0.113.9"
FIRST, SECOND = SocketId(1), SocketId(2)
EI, AD, APD = NatBehaviour.ENDPOINT_INDEPENDENT, NatBehaviour.ADDRESS_DEPENDENT, NatBehaviour.ADDRESS_AND_PORT_DEPENDENT


class NattedServer(MachineBase[Any]):
    """The other end of a wire: the NAT and the server behind it. Paths are (the client's socket, the server's place),
    the same for both sides, so that a wire needs no translation."""

    def __init__(
        self,
        paths: PathTable,
        *,
        nat: bool = True,
        mapping: NatBehaviour = EI,
        filtering: NatBehaviour = EI,
        hairpin: bool = False,
        lifetime: float = NEVER,
        supports: str = "all",
    ) -> None:
        super().__init__()
        self.paths = paths
        self.nat, self.mapping, self.filtering = nat, mapping, filtering
        self.hairpin, self.lifetime, self.supports = hairpin, lifetime, supports
        self.out: list[Transmit] = []
        self.asked = 0
        self.closed = False
        self._mappings: dict[tuple[SocketId, object], Address] = {}
        self._inside: dict[Address, SocketId] = {}
        self._filters: dict[Address, set[Address]] = {}
        self._used: dict[Address, float] = {}

    # --- the NAT ---

    def _outside(self, socket: SocketId, to: Address, now: float) -> Address:
        if not self.nat:
            address = Address(LOCAL.host, LOCAL.port + socket - 1)
        else:
            key: object = () if self.mapping is EI else to.host if self.mapping is AD else to
            known = self._mappings.get((socket, key))
            if known is not None and now - self._used[known] > self.lifetime:
                del self._mappings[socket, key]
                known = None
            address = known or Address(OUTSIDE, 50000 + len(self._used))
            self._mappings[socket, key] = address
        self._inside[address] = socket
        self._filters.setdefault(address, set()).add(to)
        self._used[address] = now
        return address

    def _inbound(self, source: Address, to: Address, data: bytes, now: float) -> None:
        socket = self._inside.get(to)
        if socket is None or (self.nat and now - self._used[to] > self.lifetime):
            return
        contacted = self._filters[to]
        if self.filtering is AD and source.host not in {one.host for one in contacted}:
            return
        if self.filtering is APD and source not in contacted:
            return
        self.out.append(Transmit(self.paths.intern(socket, source), data))

    # --- the machine ---

    def receive(self, data: Datagram, now: float) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: float) -> None:
        now = self._advance(now)
        for path_id, data, _ in burst:
            path = self.paths.lookup(path_id)
            if path is None or self.closed:
                continue
            source = self._outside(path.socket, path.remote, now)
            if path.remote in self._inside and self.hairpin:
                self._inbound(source, path.remote, data, now)
            elif path.remote in ALTERNATES.all and self.supports != "nothing":
                self._serve(path.remote, source, data, now)

    def _serve(self, local: Address, source: Address, data: bytes, now: float) -> None:
        self.asked += 1
        try:
            request = Message.parse(data)
        except Exception:
            return
        if self.supports == "binding":
            plain = answer_binding(request, source)
            if plain is not None:
                self._inbound(local, source, plain.serialize(), now)
            return
        answer = answer_discovery(request, source, local, ALTERNATES)
        if answer is None:
            return
        origin = local if self.supports == "ignores change" else answer.origin
        self._inbound(origin, answer.destination, answer.message.serialize(), now)

    def handle_timeout(self, now: float) -> None:
        self._advance(now)

    def poll_transmits(self, now: float, limit: int = 64) -> list[Transmit]:
        self._advance(now)
        out, self.out = self.out[:limit], self.out[limit:]
        return out

    def next_timeout(self) -> float:
        return self._now if self.out else NEVER


class Wire:
    """What a `MachinePair` needs: a transmit of one side is a datagram of the other."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def receive_many(self, burst: Sequence[Transmit], now: float) -> None:
        self.machine.receive_many([Datagram(one.path, one.data) for one in burst], now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)


def make(seed: int = 1, *, config: dict[str, Any] | None = None, **nat: Any) -> tuple[BehaviourDiscovery, NattedServer]:
    paths = PathTable()
    given: dict[str, Any] = {
        "server": SERVER,
        "socket": FIRST,
        "second_socket": SECOND,
        "local": LOCAL,
        "paths": paths,
        "entropy": SeededEntropy(seed),
    }
    client = BehaviourDiscovery(BehaviourConfig(**(given | (config or {}))))
    client.start(0.0)
    return client, NattedServer(paths, **nat)


def discover(*, config: dict[str, Any] | None = None, until: float = 100.0, **nat: Any) -> NatReport:
    client, server = make(config=config, **nat)
    pair = MachinePair[Any](Wire(client), Wire(server), bytes_of=lambda one: one.data)
    pair.run(until=until)
    events = [event for _, event in pair.events[0]]
    assert [type(event) for event in events] == [BehaviourDiscovered, DiscoveryClosed]
    report = events[0].report
    assert isinstance(report, NatReport)
    return report
