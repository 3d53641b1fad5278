"""A call between two whole peers in virtual time, with a STUN server that sees both behind a NAT."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from webrtc_stack import dtls, ice, stun
from webrtc_stack.base import NEVER, Address, Datagram, GatherAddresses, SeededEntropy, SocketId, Transmit
from webrtc_stack.peer import IceServer, PeerConfig, PeerCore
from webrtc_stack.sim import Link, LinkConfig

WALL_EPOCH = 1_750_000_000.0
SERVER = Address("192.0.2.9", 3478)
ADDRESSES = (Address("10.0.0.1", 5000), Address("10.0.0.2", 5000))
MAPPED = (Address("203.0.113.1", 6001), Address("203.0.113.2", 6002))
STUN_SERVERS = (IceServer(f"stun:{SERVER}"),)


def chained_certificate(seed: int) -> dtls.Certificate:
    """A certificate with another one above it."""
    entropy = SeededEntropy(seed)
    leaf, above = (
        dtls.Certificate.generate(wall_time=WALL_EPOCH, entropy=entropy.fork(name)) for name in ("leaf", "above")
    )
    pem, key = leaf.to_pem()
    return dtls.Certificate.from_pem(pem + above.to_pem()[0], key)


def _gathered(peer: PeerCore) -> bool:
    return peer.ice_gathering_state == ice.GatheringState.COMPLETE


class Call:
    """Side 0 offers. `happened` is called with (side, event) for each event of either."""

    def __init__(
        self, seed: int = 1, *, link: LinkConfig | None = None, config: PeerConfig | None = None, start: float = 0.0
    ) -> None:
        entropy = SeededEntropy(seed)
        config = config or PeerConfig()
        self.now = start
        self.sides = tuple(
            PeerCore(replace(config, entropy=entropy.fork(f"side {side}"), wall_epoch=WALL_EPOCH), start)
            for side in range(2)
        )
        self.events: tuple[list[Any], list[Any]] = ([], [])
        self.happened: Callable[[int, Any], None] = lambda side, event: None
        self.held = 0.0
        """What leaves now comes so many seconds later than it would."""
        self.cut = False
        """Nothing arrives any more."""
        self._links = tuple(Link(link or LinkConfig(latency=0.02), entropy.fork(f"link {side}")) for side in range(2))
        self._flying: list[tuple[float, int, int, Address, bytes]] = []
        self._count = 0

    def negotiate(self, offerer: int = 0) -> None:
        """Offer and answer, each once its side has gathered."""
        here, there = self.sides[offerer], self.sides[1 - offerer]
        for source, target in ((here, there), (there, here)):
            source.set_local_description(None, self.now)
            assert self.run(10.0, partial(_gathered, source))
            assert source.local_description is not None
            target.set_remote_description(source.local_description, self.now)
        self.settle()

    def connect(self) -> None:
        self.negotiate()
        assert self.run(30.0, lambda: all(side.connection_state == "connected" for side in self.sides))

    def settle(self) -> None:
        for _ in range(1000):
            busy = False
            for number, side in enumerate(self.sides):
                for transmit in side.poll_transmits(self.now):
                    busy = True
                    self._send(number, transmit)
                for event in side.poll_events():
                    busy = True
                    self.events[number].append(event)
                    if isinstance(event, GatherAddresses):
                        side.add_local(ADDRESSES[number], SocketId(1), self.now)
                        side.locals_complete(self.now)
                    self.happened(number, event)
            if not busy:
                return
        raise AssertionError("the peers never come to rest")

    def _send(self, side: int, transmit: Transmit) -> None:
        path = self.sides[side].paths.lookup(transmit.path)
        assert path is not None
        if path.remote == SERVER:
            answer = stun.serve_binding(transmit.data, MAPPED[side])
            assert answer is not None
            self._fly(self.now + 0.01, side, SERVER, answer)
        elif path.remote == ADDRESSES[1 - side] and not self.cut:
            for arrival in self._links[side].admit(len(transmit.data), self.now):
                self._fly(arrival + self.held, 1 - side, ADDRESSES[side], transmit.data)

    def _fly(self, arrival: float, side: int, source: Address, data: bytes) -> None:
        self._count += 1
        heapq.heappush(self._flying, (arrival, self._count, side, source, data))

    def run(self, seconds: float, condition: Callable[[], bool] | None = None) -> bool:
        """Lets at most `seconds` pass. Returns whether the condition came true."""
        until = self.now + seconds
        self.settle()
        while condition is None or not condition():
            timers = min(side.next_timeout() for side in self.sides)
            instant = min(self._flying[0][0] if self._flying else NEVER, timers)
            if instant > until:
                self.now = until
                return condition is not None and condition()
            self.now = max(self.now, instant)
            bursts: tuple[list[Datagram], list[Datagram]] = ([], [])
            while self._flying and self._flying[0][0] <= self.now:
                _, _, side, source, data = heapq.heappop(self._flying)
                bursts[side].append(Datagram(self.sides[side].paths.intern(SocketId(1), source), data))
            for peer, burst in zip(self.sides, bursts, strict=True):
                if burst:
                    peer.receive_many(burst, self.now)
                if peer.next_timeout() <= self.now:
                    peer.handle_timeout(self.now)
            self.settle()
        return True
