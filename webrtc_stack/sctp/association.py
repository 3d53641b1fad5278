"""The association: commands, inputs, timers.

```
 association   commands, timers                    core          state shared by all
 reception     what arrives                        data_tracker  received TSNs      reassembly   chunks -> messages
 establishment the handshake, restarts             cookie        stateless INIT     heartbeat    stream_reset
 transmission  what leaves                         send_queue    waiting messages   outstanding  sent chunks
                                                   congestion    window             rto          time-out
```
Each class of the left column is built on the one below it; those on the right know nothing of the association.

Spec: RFC 9260; RFC 8261 (over DTLS); RFC 3758 (partial reliability); RFC 6525 (stream reset). Left out: several paths,
addresses, path MTU discovery (DTLS knows the MTU), partial delivery, AUTH, I-DATA (RFC 8260), zero checksum (RFC 9653).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..base import NEVER, Instant
from ..errors import BufferFull, InvalidArgumentError, InvalidStateError, MessageTooLarge
from .chunks import AbortChunk, Parameter
from .config import SctpSnapshot
from .core import CONNECTED, SENDS_DATA, SHUTTING_DOWN, TAKES_DATA, State, Timer
from .reception import Reception
from .registry import CauseCode

_OPEN = frozenset((State.CLOSED, State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED))
_EXPIRY_GRANULARITY = 0.02
_DENSE_SACKS = 8
_MAX_EARLY_SACKS = 256
"""Acknowledgments waiting to be polled; beyond it the next one tells what they would have told."""
"""Waiting messages past their lifetime are looked for at most this often, in seconds."""


class Association(Reception):
    """One SCTP association over DTLS, as a machine over SCTP packets.

    Shapes: one packet is one `bytes`. It answers a peer's INIT from the start; `connect` sends our own.
    """

    # --- commands -------------------------------------------------------------------------------------------------

    def connect(self, now: Instant) -> None:
        """Sends INIT. Nothing happens if the peer was faster and the association is there.

        Errors: `InvalidStateError` when called twice, or after the end.
        """
        if self._connect_called or self.state is State.ENDED:
            raise InvalidStateError("connect was called before, or the association is over: make a new one")
        now = self._advance(now)
        self._connect_called = True
        if self.state is State.CLOSED:
            self._begin(now)

    def send(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        now: Instant,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_lifetime: float | None = None,
    ) -> None:
        """Queues one message; before the association is established, too.

        Units: `max_lifetime` in seconds from now.
        Errors: `BufferFull` (nothing was queued), `MessageTooLarge`, `InvalidStateError` once the end has begun,
        `InvalidArgumentError` for an empty message (SCTP has none: RFC 8831 section 6.6 says how to mark one) or a
        stream that does not exist.
        """
        size = len(data)
        if self.state not in _OPEN or self._closing_reason:
            raise InvalidStateError("the association is shutting down or over: nothing more can be sent")
        if not size or not 0 <= stream_id < self.outbound_streams or not 0 <= ppid <= 0xFFFFFFFF:
            self._check_message(stream_id, ppid, size)
        if size > self.config.max_message_bytes:
            raise MessageTooLarge(f"{size} bytes, at most {self.config.max_message_bytes} are allowed")
        queue = self._queue
        waiting = queue.buffered_bytes
        if waiting and waiting + size > self.config.send_buffer_bytes:
            raise BufferFull(f"{waiting} bytes wait, {self.config.send_buffer_bytes} may: wait for them to drain")
        if now > self._now:
            self._now = now
        expires = NEVER
        if max_lifetime is not None:
            if max_lifetime < 0:
                raise InvalidArgumentError(f"max_lifetime is in seconds and not negative, got {max_lifetime}")
            expires = self._now + max_lifetime
            self._deadlines.set_earliest(Timer.EXPIRY, expires + _EXPIRY_GRANULARITY)
        if max_retransmits is not None and max_retransmits < 0:
            raise InvalidArgumentError(f"max_retransmits is not negative, got {max_retransmits}")
        queue.push(stream_id, ppid, data, not ordered, max_retransmits, expires)
        self._dirty = True

    def _check_message(self, stream_id: int, ppid: int, size: int) -> None:
        if not size:
            raise InvalidArgumentError("a message has at least one byte: send a marker for an empty one (RFC 8831)")
        if not 0 <= ppid <= 0xFFFFFFFF:
            raise InvalidArgumentError(f"a payload protocol identifier has 32 bits, got {ppid}")
        raise InvalidArgumentError(f"stream {stream_id} does not exist: there are {self.outbound_streams}")

    def reset_streams(self, stream_ids: Sequence[int], now: Instant) -> None:
        """Closes our direction of these streams, behind everything queued on them.

        `StreamsReset` or `StreamResetFailed` follows for each. Errors: `InvalidStateError` once the end has begun,
        `InvalidArgumentError` for a stream that does not exist.
        """
        if self.state not in _OPEN or self._closing_reason:
            raise InvalidStateError("the association is shutting down or over: its streams end with it")
        for stream_id in stream_ids:
            if not 0 <= stream_id < self.outbound_streams:
                raise InvalidArgumentError(f"stream {stream_id} does not exist: there are {self.outbound_streams}")
        self._advance(now)
        for stream_id in stream_ids:
            self._queue.wish_reset(stream_id)
        self._dirty = True
        if self.state is State.ESTABLISHED and not self._peer_resets_streams:
            self._fail_resets("the peer does not reset streams")

    def release(self, size: int, now: Instant) -> None:
        """The application is done with `size` bytes of delivered messages: the receive window opens by them.

        Errors: `InvalidArgumentError` for more than was delivered.
        """
        if self.state is State.ENDED:
            return
        reassembly = self._reassembly
        if size < 0 or self._released + size > reassembly.delivered_bytes:
            unreleased = reassembly.delivered_bytes - self._released
            raise InvalidArgumentError(f"{size} bytes released, {unreleased} are delivered and not released")
        if now > self._now:
            self._now = now
        self._released += size
        # Silly window avoidance (RFC 9260 section 6.2): tell only of a step worth telling, once the window was small.
        limit = self.config.receive_window_bytes
        if self._advertised_window < limit >> 1 and self.state in CONNECTED:
            grown = self._local_window() - self._advertised_window
            if grown >= min(limit >> 2, 65536):
                self._sack_due = self._dirty = True

    def shutdown(self, now: Instant) -> None:
        """Ends gracefully: what is queued is delivered first. Nothing happens if the end has begun."""
        self._shut_down("the association was shut down", self.config.shutdown_timeout, now)

    def close(self, now: Instant) -> None:
        """Like `shutdown`, but aborts when the peer does not take part in time (`close_timeout`)."""
        self._shut_down("the association was closed", self.config.close_timeout, now)

    def _shut_down(self, reason: str, timeout: float, now: Instant) -> None:
        now = self._advance(now)
        state = self.state
        if state is State.ENDED:
            return
        self._deadlines.set_earliest(Timer.GUARD, now + timeout)
        if self._closing_reason:
            return
        if state in (State.CLOSED, State.COOKIE_WAIT):
            # Nobody knows of an association yet (RFC 9260 section 9: ABORT and SHUTDOWN need one).
            self._end(reason, None, now)
            return
        self._closing_reason = reason
        if state is State.ESTABLISHED:
            self._enter(State.SHUTDOWN_PENDING, now)
            self._check_drained(now)
        self._dirty = True

    def abort(self, now: Instant, reason: str = "") -> None:
        """Ends at once, with an ABORT that carries `reason`. Nothing happens after the end."""
        now = self._advance(now)
        text = reason.encode("utf-8", "replace")[: self.config.mtu // 2]
        cause = Parameter(CauseCode.USER_INITIATED_ABORT, text)
        self._end(reason or "the association was aborted", None, now, AbortChunk(parameters=(cause,)).serialize())

    # --- state ----------------------------------------------------------------------------------------------------

    @property
    def buffered_bytes(self) -> int:
        """Bytes accepted by `send` and not yet sent for the first time, all streams together."""
        return self._queue.buffered_bytes

    def buffered_amount(self, stream_id: int) -> int:
        """The same for one stream."""
        stream = self._queue.streams.get(stream_id)
        return 0 if stream is None else stream.buffered

    def snapshot(self) -> SctpSnapshot:
        """The association at this moment, for statistics."""
        congestion, rto, reassembly = self._congestion, self._rto, self._reassembly
        return SctpSnapshot(
            state=self.state,
            cwnd=congestion.cwnd,
            ssthresh=congestion.ssthresh,
            partial_bytes_acked=congestion.partial_bytes_acked,
            flight_bytes=self._out.flight,
            outstanding_chunks=len(self._out.chunks),
            peer_rwnd=max(0, self._peer_window - self._out.flight),
            local_rwnd=self._local_window(),
            buffered_bytes=self._queue.buffered_bytes,
            reassembly_bytes=reassembly.buffered_bytes,
            unreleased_bytes=reassembly.delivered_bytes - self._released,
            srtt=rto.srtt,
            rttvar=rto.rttvar,
            rto=rto.rto,
            outbound_streams=self.outbound_streams,
            inbound_streams=self.inbound_streams,
            mtu=self.config.mtu,
        )

    # --- inputs ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> None:
        """Takes one packet."""
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[bytes], now: Instant) -> None:
        """Takes packets that arrived together, and acknowledges every second one of them (`sack_frequency`).

        One acknowledgment for all would do for this stack's own sender, but not for others: dcsctp (Chromium,
        Firefox) sends at most four packets for each packet that reaches it, and grows its window by at most one
        packet a SACK. Answered once a burst it never leaves four packets a round trip. In a long burst every fourth
        packet does: four for four keeps a flow going, and the dense beginning still lets it grow.
        Spec: RFC 9260 section 6.2.
        """
        now = self._advance(now)
        frequency = self.config.sack_frequency
        early = self._early_sacks
        if self._polled:
            self._polled = False
            self._congestion.begin_burst(self._out.flight)
        for data in burst:
            if self.state is State.ENDED:
                return
            if self._unacked_packets >= frequency and self.state in TAKES_DATA:
                early.append(self._sack_chunk())
                if len(early) == _DENSE_SACKS:
                    frequency *= 2
                elif len(early) >= _MAX_EARLY_SACKS:
                    frequency = len(burst)
            self._receive_packet(data, now)
        if self.state is not State.ENDED and burst:
            self._finish_burst(now)

    def handle_timeout(self, now: Instant) -> None:
        """Time has reached `now`."""
        now = self._advance(now)
        for timer in self._deadlines.pop_due(now):
            if self.state is State.ENDED:
                return
            self._dirty = True
            if self._trace:
                self._trace.event(now, "timer_expired", timer=timer.value)
            match timer:
                case Timer.SACK:
                    self._sack_due = True
                case Timer.T3:
                    self._on_t3(now)
                case Timer.PROBE:
                    self._on_probe(now)
                case Timer.T1:
                    self._on_t1(now)
                case Timer.T2:
                    self._on_t2(now)
                case Timer.HEARTBEAT:
                    self._on_heartbeat(now)
                case Timer.RECONFIG:
                    self._on_reconfig_timeout(now)
                case Timer.EXPIRY:
                    self._on_expiry(now)
                case Timer.GUARD:
                    self._on_guard(now)
        if self._queue.changed and self.state is not State.ENDED:
            self._tell_buffered()

    # --- timers ---------------------------------------------------------------------------------------------------

    def _on_t3(self, now: Instant) -> None:
        """Nothing was acknowledged in time. Spec: RFC 9260 sections 6.3.3, 7.2.3."""
        out = self._out
        if not out.chunks or self.state not in SENDS_DATA:
            return
        self.counters.timeouts += 1
        # A peer with a full window that answers our probes is alive (RFC 9260 section 6.1 A).
        probing = self._peer_window < self.config.mtu and self._sack_since_timeout
        self._sack_since_timeout = False
        if not probing and self._count_error(now, "data"):
            return
        self._rto.back_off()
        if out.flight:
            # Without anything in flight only a FORWARD TSN was lost, or is to be told again: no sign of congestion.
            self._congestion.on_timeout()
        out.lose_all(now)
        out.advance()
        if out.abandoned:
            self._settle_abandoned(now)
        self._fast_retransmit = False
        self._deadlines.set(Timer.T3, now + self._rto.rto)
        if self._trace:
            self._trace.event(now, "retransmission_timeout", rto=self._rto.rto, outstanding=len(out.chunks))

    def _on_probe(self, now: Instant) -> None:
        """A small flight got no answer for two round trips: its first chunk counts as lost, once.

        Spec: the idea of RFC 8985 section 7 (tail loss probe). It costs half the window, as a fast retransmission does,
        where waiting for T3-rtx would cost all of it and ten round trips.
        """
        out = self._out
        if self.state not in SENDS_DATA or self._peer_window < self.config.mtu or not out.lose_first(now):
            return
        self._probed = True
        self.counters.probes += 1
        self._fast_retransmit = True
        self._congestion.on_loss(out.next_tsn - 1)
        if out.abandoned:
            self._settle_abandoned(now)

    def _on_t2(self, now: Instant) -> None:
        """SHUTDOWN or SHUTDOWN ACK got no answer."""
        self._attempts += 1
        if self._attempts > self.config.max_retransmits:
            self._end_lost("the peer did not answer our shutdown", now)
            return
        self._rto.back_off()
        if self.state is State.SHUTDOWN_SENT:
            self._shutdown_due = True
        elif self.state is State.SHUTDOWN_ACK_SENT:
            self._shutdown_ack_due = True

    def _on_heartbeat(self, now: Instant) -> None:
        """Spec: RFC 9260 section 8.3: only while no data tells whether the peer is there."""
        if self.state not in SENDS_DATA:
            return
        if self._heartbeat.pending and self._count_error(now, "a heartbeat"):
            return
        self._heartbeat.due = not self._out.chunks
        self._heartbeat.pending = self._heartbeat.pending and self._heartbeat.due
        self._deadlines.set(Timer.HEARTBEAT, now + self.config.heartbeat_interval + self._rto.rto)

    def _on_reconfig_timeout(self, now: Instant) -> None:
        if self._reset.requested is None or self.state not in SENDS_DATA:
            return
        if self._count_error(now, "a stream reset"):
            return
        self._rto.back_off()
        self._reset.due = True

    def _on_expiry(self, now: Instant) -> None:
        """Messages that wait for a window may outlive their time in the queue."""
        for message in self._queue.drop_expired(now):
            message.abandoned = True
            self._report_abandoned(message.stream.id, message.ppid, now)
        expiry = self._queue.next_expiry()
        if expiry != NEVER:
            self._deadlines.set(Timer.EXPIRY, max(expiry, now) + _EXPIRY_GRANULARITY)
        if self.state in SHUTTING_DOWN:
            self._check_drained(now)

    def _on_guard(self, now: Instant) -> None:
        """Shutting down took too long (T5-shutdown-guard)."""
        reason = (self._closing_reason or "the peer shut the association down") + ", the end took too long"
        cause = Parameter(CauseCode.USER_INITIATED_ABORT, b"shutdown took too long")
        self._end(reason, None, now, AbortChunk(parameters=(cause,)).serialize())
