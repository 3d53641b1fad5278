"""A network that loses RTP on purpose, on real sockets: to watch NACK, retransmissions and key frames at work.

It stands between a connection and its sockets: a runtime around a runtime. Only RTP is lost; ICE, DTLS, data channels
and RTCP pass, so that the repair is what is seen. What arrives may be handed on later than it came, which makes a round
trip long enough to be measured. Streams are passed on as they are. A whole bad network, by seed and under a virtual
clock, is the room `sim`.

    runtime = io.LossyRuntime(client.runtime)
    pc = client.create_peer_connection(runtime=runtime)
    runtime.sending = runtime.receiving = 0.1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ..base import Address, Entropy, Instant
from .runtime import Cancellable, Listener, LocalAddressLike, Outgoing, ReceivedLike, Runtime, Stream, UdpSocket


def is_rtp(datagram: bytes) -> bool:
    """Whether a datagram carries RTP, and not RTCP or anything else. Spec: RFC 7983 section 7, RFC 5761 section 4."""
    return len(datagram) >= 12 and 128 <= datagram[0] <= 191 and not 192 <= datagram[1] <= 223


class LossyRuntime:
    """`sending` and `receiving` are the parts of RTP datagrams that vanish, 0 to 1, nothing at first; `delay` is in
    seconds, for everything that arrives. All may be changed at any time."""

    def __init__(self, runtime: Runtime, chance: Random | None = None) -> None:
        self._runtime = runtime
        self._chance = chance or Random()
        self.sending = 0.0
        self.receiving = 0.0
        self.delay = 0.0
        self.lost_sending = 0
        self.lost_receiving = 0

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

    def publish(self, name: str, host: str) -> Cancellable:
        return self._runtime.publish(name, host)

    def watch_addresses(self, on_change: Callable[[], None]) -> Cancellable:
        return self._runtime.watch_addresses(on_change)

    def open_stream(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[Stream | str], None],
    ) -> Cancellable:
        return self._runtime.open_stream(
            remote, protocol=protocol, server_name=server_name, local=local, on_result=on_result
        )

    def listen(
        self, local: LocalAddressLike, *, port: int = 0, tls: object | None = None, on_accept: Callable[[Stream], None]
    ) -> Listener:
        return self._runtime.listen(local, port=port, tls=tls, on_accept=on_accept)

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        dscp: int | None = None,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> UdpSocket:
        socket: _LossySocket

        def hand_on(burst: Sequence[ReceivedLike]) -> None:
            if not socket.closed:
                on_burst(burst)

        def receive(burst: Sequence[ReceivedLike]) -> None:
            if self.receiving:
                kept = [one for one in burst if not self._loses(one[1], self.receiving)]
                self.lost_receiving += len(burst) - len(kept)
                burst = kept
            if burst and self.delay:
                late = list(burst)  # a burst is the socket's own until its callback returns
                self._runtime.call_at(self._runtime.time() + self.delay, lambda: hand_on(late))
            elif burst:
                on_burst(burst)

        inner = self._runtime.open_udp(local, port=port, dscp=dscp, on_burst=receive, on_writable=on_writable)
        socket = _LossySocket(self, inner)
        return socket

    def survivors(self, burst: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """What is left of datagrams that are about to leave."""
        if not self.sending:
            return burst
        kept = [one for one in burst if not self._loses(one[1], self.sending)]
        self.lost_sending += len(burst) - len(kept)
        return kept

    def _loses(self, datagram: bytes, part: float) -> bool:
        return is_rtp(datagram) and self._chance.random() < part


class _LossySocket:
    def __init__(self, runtime: LossyRuntime, socket: UdpSocket) -> None:
        self._runtime = runtime
        self._socket = socket
        self.closed = False

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
        self.closed = True
        self._socket.close()
