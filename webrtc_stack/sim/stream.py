"""A stream of the virtual network: a small TCP, with a virtual TLS on top when that is wanted.

It is a TCP and not a pipe, so that what happens to streams is what happens in life: each segment crosses the links and
the NATs like any datagram, a lost one is sent again after three duplicate acknowledgements or a timeout, and a
mapping that a NAT forgot leaves both ends talking to nobody until they give up.

Implemented: handshake, cumulative acknowledgement with a store for what came out of order, fast retransmission (RFC
6582, without its finer points), the timer of RFC 6298, slow start and congestion avoidance (RFC 5681), FIN and RST.
Left out: simultaneous open, window advertisement (the reader is always fast enough), half-closed streams (the
end of one direction ends both, as it does for the drivers of `io`), sequence numbers that wrap, delayed
acknowledgements, path MTU discovery (segments are small enough for IPv6's minimum MTU instead).

Invariants: callbacks come from the network's clock, never from inside a call of the owner; `on_closed` comes at most
once, after all bytes, and never after `close`; bytes arrive in order and once, or the stream ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..base import Address, Instant
from ..errors import InvalidStateError
from .packet import Flag, Segment
from .tls import Handshake

if TYPE_CHECKING:
    from .network import Timer
    from .tcp import TcpStack

_FIRST_WINDOW: Final = 10
"""Segments that may fly at first (RFC 6928)."""
_MAX_OUT_OF_ORDER: Final = 1024
_DUPLICATES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """How the kernels of a network treat streams. Times are seconds."""

    connect_timeout: float = 10.0
    """For TCP and TLS together; what programs allow themselves, and well below a kernel's two minutes."""
    first_timeout: float = 1.0
    """Before the round trip is known (RFC 6298 section 2.1)."""
    min_timeout: float = 0.2
    """What Linux does; the RFC's one second makes every lost segment a long pause."""
    give_up: float = 120.0
    """Without any acknowledgement; kernels take up to a quarter of an hour, long after every program gave up."""
    segment_bytes: int = 1200
    """Fits an MTU of 1240, so the 1280 of IPv6."""
    window_bytes: int = 256 * 1024
    buffer_bytes: int = 128 * 1024
    """Above it the stream is not `writable`; it is again at half of it."""
    limit_bytes: int = 1024 * 1024
    """Above it the stream is aborted: nobody minded `writable`."""


class SimStream:
    """One end of a connection. Structurally an `io` stream; `abort` is what it has more."""

    def __init__(
        self,
        stack: TcpStack,
        local: Address,
        remote: Address,
        *,
        handshake: Handshake | None,
        passive: bool,
        on_result: Callable[[SimStream | str], None],
    ) -> None:
        self.local = local
        self.remote = remote
        self.retransmissions = 0
        self.opened = False
        self._stack = stack
        self._network = stack.host.network
        self._config = self._network.streams
        self._handshake = handshake
        self._passive = passive
        self._on_result: Callable[[SimStream | str], None] | None = on_result
        self._on_bytes: Callable[[bytes], None] | None = None
        self._on_writable: Callable[[], None] | None = None
        self._on_closed: Callable[[str], None] | None = None
        # connection
        self._connected = False
        self._released = False
        self._removed = False
        self._reason: str | None = None
        self._deadline: Timer | None = self._network.call_at(
            self._network.now + self._config.connect_timeout, self._on_deadline
        )
        # sending: `_buffer[0]` has the number `_una` once the SYN is acknowledged
        self._buffer = bytearray()
        self._una = self._nxt = self._high = 0
        self._fin = self._fin_done = False
        self._window = float(_FIRST_WINDOW * self._config.segment_bytes)
        self._threshold = float(self._config.window_bytes)
        self._duplicates = 0
        self._recover = -1
        self._stale = 0
        """Below it duplicate acknowledgements are answers to what a timeout has sent again, and mean nothing."""
        self._blocked = False
        self._srtt: float | None = None
        self._rttvar = 0.0
        self._backoff = 1.0
        self._timed: tuple[int, Instant] | None = None
        self._progress: Instant = self._network.now
        self._timer: Timer | None = None
        # receiving
        self._rcv = 0
        self._later: dict[int, Segment] = {}
        self._fin_seen = False
        self._inbox = bytearray()
        self._flush_pending = False

    def __repr__(self) -> str:
        return f"SimStream({self.local} -> {self.remote})"

    # --- for the owner ----------------------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        return not self._blocked

    def start(
        self,
        *,
        on_bytes: Callable[[bytes], None],
        on_writable: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        """Begins to read. Errors: `InvalidStateError` the second time."""
        if self._on_bytes is not None:
            raise InvalidStateError("a stream is started once")
        self._on_bytes, self._on_writable, self._on_closed = on_bytes, on_writable, on_closed
        self._schedule_flush()

    def write(self, data: bytes) -> None:
        """Queues bytes. Above `limit_bytes` the stream is aborted and `on_closed` says so."""
        if self._released or self._removed or self._fin:
            return
        if len(self._buffer) + len(data) > self._config.limit_bytes:
            self._send(Flag.RST | Flag.ACK, self._nxt)
            self._end(f"the other side does not read: more than {self._config.limit_bytes} bytes wait")
            return
        self._buffer += data
        self._blocked = len(self._buffer) > self._config.buffer_bytes
        self._pump()

    def close(self) -> None:
        """Idempotent; what was written is still sent, no callback comes afterwards."""
        if not self._released:
            self._release()
            if not self._removed:
                self._finish()

    def abort(self) -> None:
        """Ends it at once: the peer sees a reset, bytes on their way are lost, no callback comes afterwards."""
        self._release()
        if not self._removed:
            self._send(Flag.RST | Flag.ACK, self._nxt)
            self._remove()

    def _release(self) -> None:
        self._released = True
        self._on_result = self._on_bytes = self._on_writable = self._on_closed = None

    # --- beginning and end ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Sends the first segment; called by the stack once."""
        self._rcv = 1 if self._passive else 0
        self._send_syn()
        self._arm()

    def _send_syn(self) -> None:
        self._nxt = self._high = 1
        self._send(Flag.SYN | Flag.ACK if self._passive else Flag.SYN, 0)

    def _established(self) -> None:
        self._connected = True
        if self._handshake is None:
            self._opened()
            return
        self._buffer += self._handshake.hello()
        self._pump()

    def _opened(self) -> None:
        """TCP, and TLS if any, are ready."""
        self._handshake = None
        self._forget_deadline()
        self.opened = True
        result, self._on_result = self._on_result, None
        if result is not None:
            result(self)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _tell(self, reason: str) -> None:
        """Whoever waits for the stream hears that there is none, or why it has ended."""
        if self._reason is None:
            self._reason = reason
        self._forget_deadline()
        result, self._on_result = self._on_result, None
        if result is not None:
            self._network.call_at(self._network.now, lambda: None if self._released else result(reason))
        else:
            self._schedule_flush()

    def _on_deadline(self) -> None:
        self._deadline = None
        if self._connected:
            self._send(Flag.RST | Flag.ACK, self._nxt)
        self._end("timed out")

    def _end(self, reason: str) -> None:
        """It is over, not by the owner's will."""
        self._remove()
        self._tell(reason)

    def _remove(self) -> None:
        self._removed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_deadline()
        self._buffer.clear()
        self._later.clear()
        self._stack.forget(self)

    def _finish(self) -> None:
        self._fin = True
        self._pump()
        self._arm()

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send(self, flags: Flag, seq: int, data: bytes = b"") -> None:
        self._stack.send(self.local, self.remote, Segment(flags, seq, self._rcv, data))

    def _pump(self) -> None:
        """Sends what the window allows."""
        if not self._connected or self._removed:
            return
        if self._high == self._una:
            self._progress = self._network.now  # the peer's silence counts from now on
        size = self._config.segment_bytes
        end = self._una + len(self._buffer)
        window = min(self._window, self._config.window_bytes)
        while self._nxt < end:
            count = min(size, end - self._nxt)
            if self._nxt > self._una and self._nxt + count - self._una > window:
                break
            offset = self._nxt - self._una
            if self._nxt < self._high:
                self.retransmissions += 1
                self._timed = None
            elif self._timed is None:
                self._timed = (self._nxt + count, self._network.now)
            self._send(Flag.ACK, self._nxt, bytes(self._buffer[offset : offset + count]))
            self._nxt += count
        if self._fin and not self._fin_done and self._nxt == end:
            self._send(Flag.FIN | Flag.ACK, end)
            self._nxt = end + 1
        self._high = max(self._high, self._nxt)
        if self._timer is None:
            self._arm()

    def _resend_first(self) -> None:
        self.retransmissions += 1
        self._timed = None
        if self._buffer:
            self._send(Flag.ACK, self._una, bytes(self._buffer[: self._config.segment_bytes]))
        elif self._fin and not self._fin_done:
            self._send(Flag.FIN | Flag.ACK, self._una)

    @property
    def _timeout(self) -> float:
        known = self._config.first_timeout if self._srtt is None else self._srtt + max(4 * self._rttvar, 0.001)
        return min(max(known, self._config.min_timeout) * self._backoff, 60.0)

    def _arm(self) -> None:
        """Sets the timer to what is flying; without that, a closed stream waits for the peer's end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._removed:
            return
        if self._nxt > self._una:
            self._timer = self._network.call_at(self._network.now + self._timeout, self._on_timer)
        elif self._fin:
            self._timer = self._network.call_at(self._network.now + self._config.give_up, self._remove)

    def _on_timer(self) -> None:
        self._timer = None
        if self._network.now - self._progress >= self._config.give_up:
            self._end("timed out")
            return
        self._backoff *= 2
        if not self._connected:
            self.retransmissions += 1
            self._send_syn()
        else:
            self._threshold = max((self._nxt - self._una) / 2, 2.0 * self._config.segment_bytes)
            self._window = float(self._config.segment_bytes)
            self._recover = -1
            self._duplicates = 0
            self._stale = self._high
            self._nxt = self._una
            if not self._buffer:
                self.retransmissions += 1
            self._pump()
        self._arm()

    def _on_ack(self, segment: Segment) -> None:
        ack = segment.ack
        if self._una < ack <= self._high:
            self._on_progress(ack)
        elif ack == self._una < self._nxt and not segment.data and segment.flags == Flag.ACK:
            self._duplicates += 1
            if self._duplicates == _DUPLICATES and self._recover < 0 and ack >= self._stale:
                self._recover = self._high
                self._threshold = max((self._nxt - self._una) / 2, 2.0 * self._config.segment_bytes)
                self._window = self._threshold
                self._resend_first()
                self._arm()
            elif self._recover >= 0:
                self._window += self._config.segment_bytes  # one has left the network, another may enter
                self._pump()

    def _on_progress(self, ack: int) -> None:
        now = self._network.now
        count = ack - self._una
        self._fin_done = self._fin and ack == self._una + len(self._buffer) + 1
        del self._buffer[: min(count, len(self._buffer))]
        self._una = ack
        self._nxt = max(self._nxt, ack)
        self._progress = now
        self._backoff = 1.0
        self._duplicates = 0
        if self._timed is not None and ack >= self._timed[0]:
            self._sample(now - self._timed[1])
            self._timed = None
        size = self._config.segment_bytes
        if self._recover >= 0:
            if ack >= self._recover:
                self._recover = -1
                self._window = self._threshold
            else:
                self._resend_first()
        elif self._window < self._threshold:
            self._window += min(count, size)
        else:
            self._window += size * size / self._window
        if self._fin_done and self._fin_seen:
            self._remove()
            return
        if self._blocked and len(self._buffer) <= self._config.buffer_bytes // 2:
            self._blocked = False
            self._network.call_at(now, self._tell_writable)
        self._arm()
        self._pump()

    def _sample(self, rtt: float) -> None:
        if self._srtt is None:
            self._srtt, self._rttvar = rtt, rtt / 2
        else:
            self._rttvar += (abs(self._srtt - rtt) - self._rttvar) / 4
            self._srtt += (rtt - self._srtt) / 8

    def _tell_writable(self) -> None:
        if self._on_writable is not None and not self._blocked and not self._removed:
            self._on_writable()

    # --- receiving --------------------------------------------------------------------------------------------------

    def receive(self, segment: Segment) -> None:
        """A segment of this connection; called by the stack."""
        flags = segment.flags
        if flags & Flag.RST:
            self._on_reset()
            return
        if flags & Flag.SYN:
            self._on_syn(segment)
            return
        if not self._connected:
            if not self._passive or segment.ack < 1:
                return
            self._sampled_syn()
            self._established()
        else:
            self._on_ack(segment)
        if not self._removed and (segment.data or flags & Flag.FIN):
            self._on_data(segment)

    def _on_reset(self) -> None:
        if self._connected or self._passive:
            self._end("connection reset")
        else:
            self._end("connection refused")

    def _on_syn(self, segment: Segment) -> None:
        if self._passive:
            if not self._connected:
                self._send_syn()
        elif segment.flags & Flag.ACK:
            self._rcv = max(self._rcv, 1)
            if self._connected:
                self._send(Flag.ACK, self._nxt)  # ours was lost
                return
            self._sampled_syn()
            self._send(Flag.ACK, 1)
            self._established()

    def _sampled_syn(self) -> None:
        """The peer has acknowledged our SYN."""
        if self._backoff == 1.0:
            self._sample(self._network.now - self._progress)
        self._una = self._nxt = 1
        self._progress = self._network.now
        self._backoff = 1.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_data(self, segment: Segment) -> None:
        if self._on_bytes is None and not self._released and len(self._inbox) > self._config.limit_bytes:
            return  # nobody reads yet: not acknowledged, so it comes again
        if segment.seq > self._rcv:
            if len(self._later) < _MAX_OUT_OF_ORDER:
                self._later[segment.seq] = segment
        else:
            self._take(segment)
            while not self._removed and self._later:
                first = min(self._later)
                if first > self._rcv:
                    break
                self._take(self._later.pop(first))
        if not self._removed:
            self._send(Flag.ACK, self._nxt)
            if self._fin_seen and not self._fin:
                self._finish()
            elif self._fin_seen and self._fin_done:
                self._remove()

    def _take(self, segment: Segment) -> None:
        """The next in order, or one that overlaps it, or an old one."""
        data = segment.data[self._rcv - segment.seq :] if segment.seq < self._rcv else segment.data
        end = segment.seq + len(segment.data)
        self._rcv = max(self._rcv, end)
        if data:
            if self._handshake is not None:
                data = self._on_handshake(data)
            if not self._released and not self._removed:
                self._inbox += data
                self._schedule_flush()
        if segment.flags & Flag.FIN and self._rcv == end and not self._fin_seen and not self._removed:
            self._rcv += 1
            self._fin_seen = True
            self._tell("closed by the peer")

    def _on_handshake(self, data: bytes) -> bytes:
        assert self._handshake is not None
        step = self._handshake.feed(data)
        if step.reply:
            self._buffer += step.reply
            self._pump()
        if step.failure is not None:
            self._handshake = None
            self._tell(step.failure)
            self._finish()
            return b""
        if step.done:
            self._opened()
            return step.rest
        return b""

    def _schedule_flush(self) -> None:
        if not self._flush_pending and not self._released and self._on_bytes is not None:
            self._flush_pending = True
            self._network.call_at(self._network.now, self._flush)

    def _flush(self) -> None:
        self._flush_pending = False
        if self._inbox and self._on_bytes is not None:
            data = bytes(self._inbox)
            self._inbox.clear()
            self._on_bytes(data)
        if self._reason is not None and self._on_closed is not None and not self._inbox:
            closed, reason = self._on_closed, self._reason
            self._release()
            closed(reason)
