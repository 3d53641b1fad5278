"""ICE without sockets: two agents find a path, lose it, move to another one, and restart.

This page is the driver of both agents: it binds imaginary sockets, carries datagrams over a wire with 20 ms of delay,
carries candidates as signalling would, and tells everybody what time it is. Alice has two addresses; later one of
them goes dark.

Run: `python -m webrtc_stack.examples.ice_alone`
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial

from webrtc_stack import ice
from webrtc_stack.base import Address, Datagram, GatherAddresses, PathTable, SeededEntropy, SocketId

DELAY = 0.020


class Peer:
    """An agent, its sockets, and the table that names its paths."""

    def __init__(self, name: str, hosts: list[str], *, controlling: bool) -> None:
        self.name = name
        self.paths = PathTable()
        self.agent = ice.IceAgent(
            ice.IceConfig(paths=self.paths, controlling=controlling, entropy=SeededEntropy(f"ice_alone {name}"))
        )
        self.sockets = {SocketId(number): Address(host, 5000 + number) for number, host in enumerate(hosts, 1)}


class World:
    """The clock, the wire, and signalling."""

    def __init__(self, alice: Peer, bob: Peer) -> None:
        self.peers = (alice, bob)
        self.now = 0.0
        self.dark: set[str] = set()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._later, (self.now + delay, self._count, action))

    def introduce(self) -> None:
        """Signalling: parameters both ways; candidates follow as they are gathered."""
        for peer, other in (self.peers, self.peers[::-1]):
            other.agent.set_remote_parameters(peer.agent.local_parameters, self.now)
        for peer in self.peers:
            peer.agent.gather(self.now)

    def run(self, until: float) -> None:
        """Lets time pass, from one thing that happens to the next."""
        while True:
            self._settle()
            timers = [peer.agent.next_timeout() for peer in self.peers]
            instant = min([*timers, self._later[0][0] if self._later else until])
            if instant >= until:
                self.now = until
                return
            self.now = max(self.now, instant)
            while self._later and self._later[0][0] <= self.now:
                heapq.heappop(self._later)[2]()
            for peer in self.peers:
                peer.agent.handle_timeout(self.now)

    def _settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for peer, other in (self.peers, self.peers[::-1]):
                for transmit in peer.agent.poll_transmits(self.now):
                    self._carry(peer, other, transmit.path, transmit.data)
                for event in peer.agent.poll_events():
                    busy = True
                    self._handle(peer, other, event)

    def _carry(self, peer: Peer, other: Peer, path_id: int, data: bytes) -> None:
        path = peer.paths.lookup(path_id)  # type: ignore[arg-type]
        assert path is not None
        source = peer.sockets[path.socket]
        for socket, address in other.sockets.items():
            if address == path.remote and not self.dark & {source.host, address.host}:
                datagram = Datagram(other.paths.intern(socket, source), data)
                self.after(DELAY, partial(self._deliver, other, datagram))

    def _deliver(self, peer: Peer, datagram: Datagram) -> None:
        peer.agent.receive(datagram, self.now)

    def _handle(self, peer: Peer, other: Peer, event: ice.IceEvent | GatherAddresses) -> None:
        match event:
            case GatherAddresses():
                for socket, address in peer.sockets.items():
                    peer.agent.add_local(address, socket, self.now)
                peer.agent.locals_complete(self.now)
            case ice.CandidateGathered(candidate):
                self.after(DELAY, lambda: other.agent.add_remote_candidate(candidate, self.now))
            case ice.GatheringStateChanged(ice.GatheringState.COMPLETE):
                self.after(DELAY, lambda: other.agent.add_remote_candidate(None, self.now))
            case ice.IceStateChanged(state):
                print(f"{self.now:7.3f} s  {peer.name:5}  {state.value}")
            case ice.PairSelected(_, local, remote):
                print(f"{self.now:7.3f} s  {peer.name:5}  sends from {local.host} to {remote.host} ({remote.type})")
            case _:
                pass


def main() -> None:
    alice = Peer("alice", ["192.0.2.1", "198.51.100.1"], controlling=True)
    bob = Peer("bob", ["203.0.113.2"], controlling=False)
    world = World(alice, bob)

    print("connecting, 40 ms of round trip:")
    world.introduce()
    world.run(until=5.0)

    print("alice's first address goes dark:")
    world.dark.add("192.0.2.1")
    world.run(until=20.0)

    print("a restart, over the path that lives:")
    for peer in world.peers:
        peer.agent.restart(world.now)
    world.introduce()
    world.run(until=25.0)

    for pair in alice.agent.pairs:
        mark = "*" if pair.selected else " "
        rtt = "-" if pair.rtt is None else f"{pair.rtt * 1000:.0f} ms"
        print(f"{mark} {pair.local.host} - {pair.remote.host}: {pair.state.value}, {pair.requests_sent} checks, {rtt}")
    for peer in world.peers:
        peer.agent.close(world.now)
    world.run(until=26.0)


if __name__ == "__main__":
    main()
