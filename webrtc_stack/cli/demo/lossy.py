"""A network that loses RTP on purpose, so that one can watch NACK, retransmissions and key frames at work.

It stands between a connection and its sockets: a runtime around a runtime. Only RTP is lost; ICE, DTLS, data channels
and RTCP pass, so that the repair is what is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ...base import Address, Entropy, Instant
from ...io import Cancellable, LocalAddressLike, Outgoing, ReceivedLike, Runtime, UdpSocket


def is_rtp(datagram: bytes) -> bool:
    """Whether a datagram carries RTP, and not RTCP or anything else. Spec: RFC 7983 section 7, RFC 5761 section 4."""
    return len(datagram) > 12 and 128 <= datagram[0] <= 191 and not 192 <= datagram[1] <= 223


class LossyRuntime:
    """`share` (0 to 1) of all RTP datagrams vanishes, in each direction; may be changed at any time."""

    def __init__(self, runtime: Runtime, chance: Random | None = None) -> None:
        self._runtime = runtime
        self._chance = chance or Random()
        self.share = 0.0
        self.lost_outgoing = 0
        self.lost_incoming = 0

    @property
    def wall_epoch(self) -> float:
        return self._runtime.wall_epoch

    @property
    def entropy(self) -> Entropy:
        return self._runtime.entropy

    def time(self) -> Instant:
        return self._runtime.time()

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Cancellable:
        return self._runtime.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> Cancellable:
        return self._runtime.call_soon(callback)

    def local_addresses(self) -> Sequence[LocalAddressLike]:
        return self._runtime.local_addresses()

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Cancellable:
        return self._runtime.resolve(name, on_result)

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> UdpSocket:
        def receive(burst: Sequence[ReceivedLike]) -> None:
            if self.share:
                kept = [one for one in burst if not self._loses(one[1])]
                self.lost_incoming += len(burst) - len(kept)
                burst = kept
            if burst:
                on_burst(burst)

        return _LossySocket(self, self._runtime.open_udp(local, port=port, on_burst=receive, on_writable=on_writable))

    def survivors(self, burst: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """What is left of datagrams that are about to leave."""
        if not self.share:
            return burst
        kept = [one for one in burst if not self._loses(one[1])]
        self.lost_outgoing += len(burst) - len(kept)
        return kept

    def _loses(self, datagram: bytes) -> bool:
        return is_rtp(datagram) and self._chance.random() < self.share


class _LossySocket:
    def __init__(self, runtime: LossyRuntime, socket: UdpSocket) -> None:
        self._runtime = runtime
        self._socket = socket

    @property
    def address(self) -> Address:
        return self._socket.address

    @property
    def writable(self) -> bool:
        return self._socket.writable

    def send_burst(self, burst: Sequence[Outgoing]) -> None:
        burst = self._runtime.survivors(burst)
        if burst:
            self._socket.send_burst(burst)

    def close(self) -> None:
        self._socket.close()
