"""A small network for ICE agents: hosts with addresses, links by seed, NATs, STUN servers, slow signalling.

Every delay and loss is drawn from the seed. Addresses behind a NAT are reachable only from behind the same one.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

from webrtc_stack.base import (
    NEVER,
    Address,
    Candidate,
    CandidateType,
    Datagram,
    GatherAddresses,
    PathTable,
    ResolveName,
    SeededEntropy,
    SocketId,
    Transmit,
)
from webrtc_stack.ice import (
    HOST_ORIGIN,
    CandidateGathered,
    GatheringState,
    GatheringStateChanged,
    IceAgent,
    IceConfig,
    IceState,
    IceStateChanged,
    LocalOrigin,
)
from webrtc_stack.sim import Link, LinkConfig
from webrtc_stack.trace import MemorySink, Trace


class Nat:
    """Endpoint-independent mapping unless `symmetric`; filters by address unless `open`."""

    def __init__(self, host: str, *, symmetric: bool = False, open: bool = False) -> None:
        self.host = host
        self.symmetric = symmetric
        self.open = open
        self._ports: dict[tuple[Address, Address | None], int] = {}
        self._owners: dict[int, Address] = {}
        self._allowed: set[tuple[int, str]] = set()
        self._next_port = 20000

    def outgoing(self, source: Address, remote: Address) -> Address:
        key = (source, remote if self.symmetric else None)
        port = self._ports.get(key)
        if port is None:
            port = self._ports[key] = self._next_port
            self._owners[port] = source
            self._next_port += 1
        self._allowed.add((port, remote.host))
        return Address(self.host, port)

    def incoming(self, destination: Address, source: Address) -> Address | None:
        if not self.open and (destination.port, source.host) not in self._allowed:
            return None
        return self._owners.get(destination.port)

    def rebind(self) -> None:
        """Forgets every mapping: the next packet gets a new port, old ports lead nowhere."""
        self._ports.clear()
        self._owners.clear()
        self._allowed.clear()


class Node:
    """An agent with its sockets. `hosts` are bound when the agent asks for addresses."""

    def __init__(self, net: IceNet, name: str, agent: IceAgent, paths: PathTable, hosts: list[str], nat: Nat | None):
        self.net = net
        self.name = name
        self.agent = agent
        self.paths = paths
        self.hosts = hosts
        self.nat = nat
        self.sockets: dict[SocketId, Address] = {}
        self.events: list[tuple[float, Any]] = []
        self.gathered: list[Candidate] = []
        self.complete_locals = True
        self.relayed: set[SocketId] = set()
        """Sockets that stand for an address on a relay: behind no NAT of ours."""
        self.bound = 0
        self.sent = 0
        self.received = 0

    def relay(self, host: str) -> SocketId:
        """An address on a relay, as carriers would report it."""
        mapped = Address("203.0.113.200", 1)
        return self.bind(host, LocalOrigin(type=CandidateType.RELAY, related=mapped, url="turn:relay.example"))

    def bind(self, host: str, origin: LocalOrigin = HOST_ORIGIN) -> SocketId:
        self.bound += 1
        socket = SocketId(self.bound)
        if origin.type is CandidateType.RELAY:
            self.relayed.add(socket)
        address = Address(host, self.net.next_port())
        self.sockets[socket] = address
        self.net.owners[address] = (self, socket)
        self.agent.add_local(address, socket, self.net.now, origin)
        return socket

    def unbind(self, socket: SocketId) -> None:
        address = self.sockets.pop(socket)
        del self.net.owners[address]
        self.agent.remove_local(socket, self.net.now)

    def named(self, kind: type) -> list[Any]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def states(self) -> list[str]:
        return [event.state.value for event in self.named(IceStateChanged)]

    def time_of(self, state: str) -> float:
        """When the state was entered last."""
        times = [at for at, event in self.events if isinstance(event, IceStateChanged) and event.state == state]
        assert times, f"{self.name} never became {state}: {self.states()}"
        return times[-1]


class IceNet:
    """The network, its clock, and the run loop."""

    def __init__(self, seed: int | str = 0, link: LinkConfig | None = None) -> None:
        self.now = 0.0
        self.entropy = SeededEntropy(f"ice net {seed}")
        self.link = link or LinkConfig(latency=0.025)
        self.links: dict[tuple[str, str], Link] = {}
        self.blocked: set[tuple[str, str]] = set()
        self.owners: dict[Address, tuple[Node, SocketId]] = {}
        self.private: dict[str, Nat] = {}
        self.servers: dict[Address, Callable[[bytes, Address], bytes | None]] = {}
        self.names: dict[str, list[str]] = {}
        self.nodes: list[Node] = []
        self.tap: Callable[[Node, Address, Address, bytes], bytes | None] | None = None
        """May look at, change or swallow (None) what is sent."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._port = 40000
        self._hash = hashlib.sha256()
        self._round = 0
        self._listeners: dict[str, list[Callable[[Any], None]]] = {}
        self.trace = MemorySink()

    def next_port(self) -> int:
        self._port += 1
        return self._port

    def digest(self) -> str:
        return self._hash.hexdigest()

    def node(
        self,
        name: str,
        hosts: list[str],
        *,
        controlling: bool = False,
        nat: Nat | None = None,
        **config: Any,
    ) -> Node:
        paths = PathTable()
        agent = IceAgent(
            IceConfig(
                paths=paths,
                controlling=controlling,
                entropy=self.entropy.fork(name),
                trace=Trace(self.trace, source=name),
                **config,
            )
        )
        node = Node(self, name, agent, paths, hosts, nat)
        if nat is not None:
            for host in hosts:
                self.private[host] = nat
        self.nodes.append(node)
        return node

    def at(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, action))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        self.at(self.now + delay, action)

    def partition(self, one: str, other: str) -> None:
        self.blocked |= {(one, other), (other, one)}

    def heal(self, one: str, other: str) -> None:
        self.blocked -= {(one, other), (other, one)}

    def signal(
        self, left: Node, right: Node, *, delay: float = 0.0, trickle: bool = True, candidates_first: bool = False
    ) -> None:
        """Carries parameters and candidates both ways from now on, and starts gathering on both sides.

        What an earlier call still has under way is lost: signalling of another generation.
        """
        self._round += 1
        self._listeners.clear()
        for here, there in ((left, right), (right, left)):
            parameters = here.agent.local_parameters

            def deliver_parameters(there: Node = there, parameters: Any = parameters) -> None:
                there.agent.set_remote_parameters(parameters, self.now)

            late = delay + (0.05 if candidates_first else 0.0)
            self._signalled(late, deliver_parameters)
            self._carry(here, there, delay, trickle)
            here.agent.gather(self.now)

    def _carry(self, here: Node, there: Node, delay: float, trickle: bool) -> None:
        held: list[Candidate] = []

        def on_event(event: Any) -> None:
            if isinstance(event, CandidateGathered):
                here.gathered.append(event.candidate)
                held.append(event.candidate)
                if trickle:
                    flush()
            elif isinstance(event, GatheringStateChanged) and event.state is GatheringState.COMPLETE:
                flush()
                self._signalled(delay, lambda: there.agent.add_remote_candidate(None, self.now))

        def flush() -> None:
            for candidate in held:
                parsed = Candidate.parse(candidate.serialize())
                self._signalled(delay, partial(deliver_candidate, parsed))
            held.clear()

        def deliver_candidate(candidate: Candidate) -> None:
            there.agent.add_remote_candidate(candidate, self.now)

        self._listeners.setdefault(here.name, []).append(on_event)

    def _signalled(self, delay: float, action: Callable[[], None]) -> None:
        current = self._round
        self.after(delay, lambda: action() if current == self._round else None)

    # --- running ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        for _ in range(1000):
            busy = False
            for node in self.nodes:
                for transmit in node.agent.poll_transmits(self.now):
                    busy = True
                    self._send(node, transmit)
                for event in node.agent.poll_events():
                    busy = True
                    node.events.append((self.now, event))
                    self._on_event(node, event)
            if not busy:
                return
        raise AssertionError(f"never at rest at {self.now}")

    def _on_event(self, node: Node, event: Any) -> None:
        if isinstance(event, GatherAddresses):
            for host in node.hosts:
                node.bind(host)
            if node.complete_locals:
                node.agent.locals_complete(self.now)
        elif isinstance(event, ResolveName):
            hosts = self.names.get(event.name)
            if hosts is not None:
                self.after(0.01, lambda: node.agent.name_resolved(event.id, hosts, self.now))
        for listener in self._listeners.get(node.name, []):
            listener(event)

    def _send(self, node: Node, transmit: Transmit) -> None:
        path = node.paths.lookup(transmit.path)
        assert path is not None, "a path was forgotten while in use"
        source = node.sockets.get(path.socket)
        if source is None:
            return
        node.sent += 1
        data = transmit.data
        self._hash.update(f"{self.now:.9f} {node.name} {source} {path.remote} ".encode() + data)
        if self.tap is not None:
            changed = self.tap(node, source, path.remote, data)
            if changed is None:
                return
            data = changed
        self.inject(None if path.socket in node.relayed else node.nat, source, path.remote, data)

    def inject(self, nat: Nat | None, source: Address, destination: Address, data: bytes) -> None:
        """Sends a datagram from `source`, through its NAT, to `destination`."""
        local_link = (source.host, destination.host)
        if local_link in self.blocked:
            return
        target_nat = self.private.get(destination.host)
        if target_nat is not None and target_nat is not nat:
            return
        if nat is not None and target_nat is not nat:
            source = nat.outgoing(source, destination)
        link = self.links.get(local_link)
        if link is None:
            link = self.links[local_link] = Link(self.link, self.entropy.fork(f"link {local_link}"))
        for arrival in link.admit(len(data), self.now):
            self.at(arrival, lambda: self._arrive(source, destination, data, local_link))

    def _arrive(self, source: Address, destination: Address, data: bytes, link: tuple[str, str]) -> None:
        if link in self.blocked:
            return
        server = self.servers.get(destination)
        if server is not None:
            answer = server(data, source)
            if answer is not None:
                self.inject(None, destination, source, answer)
            return
        for nat in {one.nat for one in self.nodes if one.nat is not None}:
            if nat.host == destination.host:
                inner = nat.incoming(destination, source)
                if inner is None:
                    return
                destination = inner
                break
        owner = self.owners.get(destination)
        if owner is None:
            return
        node, socket = owner
        node.received += 1
        node.agent.receive_many([Datagram(node.paths.intern(socket, source), data)], self.now)

    def next_instant(self) -> float:
        timers = min((node.agent.next_timeout() for node in self.nodes), default=NEVER)
        return min(self._heap[0][0] if self._heap else NEVER, timers)

    def run(self, until: float, condition: Callable[[], bool] | None = None) -> bool:
        """Runs to `until` or till `condition` holds; tells whether it does."""
        self.settle()
        for _ in range(500_000):
            if condition is not None and condition():
                return True
            instant = self.next_instant()
            if instant > until:
                self.now = until
                return condition is None
            self.now = max(self.now, instant)
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
            for node in self.nodes:
                if node.agent.next_timeout() <= self.now:
                    node.agent.handle_timeout(self.now)
            self.settle()
        raise AssertionError(f"a timer spins at {self.now}")


def connected(*nodes: Node) -> Callable[[], bool]:
    """A condition: all of them are connected or better."""
    return lambda: all(node.agent.state in (IceState.CONNECTED, IceState.COMPLETED) for node in nodes)


def completed(*nodes: Node) -> Callable[[], bool]:
    return lambda: all(node.agent.state is IceState.COMPLETED for node in nodes)
