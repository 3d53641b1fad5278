"""What arrives: verification, DATA and SACK on a short path, every other chunk by its own method.

The first lines of `_receive_packet` and `_take_data` run once a packet and once a chunk; they are written for few
calls. A packet that begins with the association's own eight bytes (ports and verification tag) needs no other check
than its checksum; any other goes the long way of section 8.5.

Spec: RFC 9260 sections 3.2, 6.2, 6.2.1, 6.3.2, 6.5, 6.7, 8.4, 8.5, 9.1, 9.2; RFC 3758 section 3.6; RFC 6525
section 5.2. Rules for packets out of the blue are those for one association: without one, ABORT answers; with one,
a wrong tag is silence.
"""

from __future__ import annotations

import struct
from typing import Final

from ..base import Instant
from ..errors import ParseError, SctpAbortError
from ..trace import PacketKind
from .chunks import (
    CHUNK_HEADER,
    DATA_HEADER,
    FLAG_IMMEDIATE,
    FLAG_TAG_REFLECTED,
    SACK_HEADER,
    AbortChunk,
    CookieAckChunk,
    CookieEchoChunk,
    ErrorChunk,
    ForwardTsnChunk,
    HeartbeatAckChunk,
    HeartbeatChunk,
    InitAckChunk,
    InitChunk,
    Parameter,
    ReConfigChunk,
    ShutdownAckChunk,
    ShutdownChunk,
    ShutdownCompleteChunk,
    UnknownChunk,
    pack_chunk,
    parse_chunk,
)
from .core import CONNECTED, SHUTTING_DOWN, TAKES_DATA, State, Timer
from .establishment import Establishment
from .events import StreamResetFailed, StreamsReset, StreamsResetByPeer
from .packet import COMMON_HEADER, HEADER_BYTES, checksum_is_right, crc32c, split_chunks
from .registry import (
    CauseCode,
    ChunkType,
    ParameterType,
    ReconfigResult,
    unknown_chunk_reports,
    unknown_chunk_skips,
)
from .stream_reset import Deferred, StreamReset

_OVERSHOOT_BYTES: Final = 64 * 1024
"""The chunk that fills the first hole is taken a little beyond the window: without it nothing held could ever leave."""
_NO_ABORT_FOR: Final = frozenset(
    (ChunkType.ABORT, ChunkType.SHUTDOWN_COMPLETE, ChunkType.COOKIE_ACK, ChunkType.ERROR, ChunkType.INIT_ACK)
)


class Reception(Establishment):
    """Everything that arrives."""

    def _receive_packet(self, data: bytes, now: Instant) -> None:
        counters = self.counters
        counters.packets_received += 1
        counters.bytes_received += len(data)
        if self._packet_log is not None:
            self._packet_log.packet(now, PacketKind.SCTP, data, outgoing=False)
        header = self._in_header
        if not header or data[:8] != header:
            self._receive_strange(data, now)
            return
        if crc32c(data[12:], self._in_seed).to_bytes(4, "little") != data[8:12]:
            self._drop("checksum", now)
            return
        offset = 12
        end = len(data)
        if end > 12 and not data[12] and self.state in TAKES_DATA:
            offset = self._take_data(data, 12, now)
        while 0 <= offset < end and self.state is not State.ENDED:
            kind = data[offset]
            if kind == 3 and end - offset >= 16:
                offset = self._take_sack(data, offset, now)
            elif not kind and self.state in TAKES_DATA:
                offset = self._take_data(data, offset, now)
            else:
                offset = self._take_control(data, offset, now)

    # --- DATA -----------------------------------------------------------------------------------------------------

    def _take_data(self, data: bytes, offset: int, now: Instant) -> int:
        """The DATA chunks that begin at `offset`. Returns: where the next chunk begins, -1 to leave the packet."""
        if self.state is State.COOKIE_ECHOED:
            # Only a peer that has taken our cookie sends DATA under our tag: its COOKIE ACK is lost or late.
            self._established(now)
        tracker, reassembly = self._tracker, self._reassembly
        window = self.config.receive_window_bytes + self._released
        events = self._events
        unpack = DATA_HEADER.unpack_from
        end = len(data)
        count = 0
        self._unacked_packets += 1
        while end - offset >= 16:
            kind, flags, length, tsn, stream_id, ssn, ppid = unpack(data, offset)
            if kind:
                break
            if length <= 16:
                if length == 16:
                    self._abort_for(Parameter(CauseCode.NO_USER_DATA, tsn.to_bytes(4, "big")), "DATA without data", now)
                else:
                    self._drop("data_malformed", now)
                return -1
            after = offset + length
            if after > end:
                self._drop("data_malformed", now)
                return -1
            payload = data[offset + 16 : after]
            offset = (after + 3) & ~3
            count += 1
            used = reassembly.delivered_bytes + reassembly.buffered_bytes
            expected = tracker.cumulative + 1
            if tsn == expected & 0xFFFFFFFF:
                if used + length - 16 > window and not self._takes_beyond_window(used, length, window):
                    self._ack_now = True
                    self.drops.add("window_full")
                    continue
                if self._reset.deferred is not None and self._waits_for_reset(stream_id, expected):
                    continue
                if stream_id >= self.inbound_streams:
                    tracker.add(expected)
                    self._refuse_stream(stream_id)
                    continue
                if tracker.gaps:
                    self._ack_now = True
                    tracker.add(expected)
                else:
                    tracker.cumulative = expected
                unwrapped = expected
            else:
                self._ack_now = True
                unwrapped = tracker.unwrap(tsn)
                if tracker.has(unwrapped):
                    tracker.note_duplicate(unwrapped)
                    self.counters.data_chunks_duplicate += 1
                    continue
                if not tracker.is_acceptable(unwrapped):
                    self.drops.add("tsn_too_far")
                    continue
                if used + length - 16 > window:
                    self.drops.add("window_full")
                    continue
                if self._reset.deferred is not None and self._waits_for_reset(stream_id, unwrapped):
                    continue
                tracker.add(unwrapped)
                if stream_id >= self.inbound_streams:
                    self._refuse_stream(stream_id)
                    continue
            if flags & FLAG_IMMEDIATE:
                self._ack_soon = True
            reassembly.add(unwrapped, flags, stream_id, ssn, ppid, payload, events)
        self.counters.data_chunks_received += count
        if offset < end and not data[offset]:
            self._drop("data_malformed", now)  # the beginning of one more DATA chunk, cut off
            return -1
        if self._reset.deferred is not None:
            self._perform_deferred_reset(now)
        return offset

    def _takes_beyond_window(self, used: int, length: int, window: int) -> bool:
        """Whether the next expected chunk is taken although the window is full: only if what is held needs it."""
        return bool(self._reassembly.buffered_bytes) and used + length <= window + _OVERSHOOT_BYTES

    def _waits_for_reset(self, stream_id: int, tsn: int) -> bool:
        """Data of a new epoch on a stream whose reset is not performed yet: the sender may not send it, so it is not
        taken, nor acknowledged (RFC 6525 section 5.2.2 E3 would queue it)."""
        deferred = self._reset.deferred
        assert deferred is not None
        if tsn > deferred.last_tsn and (not deferred.stream_ids or stream_id in deferred.stream_ids):
            self.drops.add("data_before_reset")
            return True
        return False

    def _refuse_stream(self, stream_id: int) -> None:
        """DATA on a stream that does not exist: acknowledged, reported, not delivered (RFC 9260 section 6.5)."""
        self.drops.add("stream_out_of_range")
        self._reply_error(Parameter(CauseCode.INVALID_STREAM_IDENTIFIER, struct.pack(">HH", stream_id, 0)))

    def _finish_burst(self, now: Instant) -> None:
        """One decision about acknowledging for everything that arrived together. Spec: RFC 9260 section 6.2."""
        self._dirty = True
        if self._unacked_packets or self._ack_now:
            if self.state is State.SHUTDOWN_SENT:
                # The peer sends on: SHUTDOWN tells it how far, a SACK what is missing (RFC 9260 section 9.2).
                self._shutdown_due = self._sack_due = True
            elif self._ack_now or self._unacked_packets >= self.config.sack_frequency:
                self._sack_due = True
            elif self._ack_soon:
                self._deadlines.set_earliest(Timer.SACK, now + self.config.immediate_sack_delay)
            elif Timer.SACK not in self._deadlines:
                self._deadlines.set(Timer.SACK, now + self.config.sack_delay)

    # --- SACK -----------------------------------------------------------------------------------------------------

    def _take_sack(self, data: bytes, offset: int, now: Instant) -> int:
        """One SACK. Returns: where the next chunk begins, -1 to leave the packet. Spec: RFC 9260 section 6.2.1."""
        length: int
        tsn: int
        window: int
        gaps: int
        duplicates: int
        _, _, length, tsn, window, gaps, duplicates = SACK_HEADER.unpack_from(data, offset)
        if offset + length > len(data) or length != 16 + 4 * (gaps + duplicates):
            self._drop("sack_malformed", now)
            return -1
        after = (offset + length + 3) & ~3
        if self.state not in CONNECTED:
            self.drops.add("unexpected_sack")
            return after
        out = self._out
        cumulative = out.unwrap(tsn)
        if cumulative < out.cumulative:
            self.drops.add("sack_old")
            return after
        top = out.next_tsn - 1
        if cumulative > top:
            self._drop("sack_of_unsent", now)
            return after
        self.counters.sacks_received += 1
        blocks: list[tuple[int, int]] = []
        if gaps:
            numbers = struct.unpack_from(f">{2 * gaps}H", data, offset + 16)
            previous = cumulative
            for at in range(0, 2 * gaps, 2):
                start, end = cumulative + numbers[at], cumulative + numbers[at + 1]
                if start <= previous or end < start or end > top:
                    self.drops.add("sack_gap_invalid")
                    break
                blocks.append((start, end))
                previous = end
        flight = out.flight
        advanced = cumulative > out.cumulative
        acked = out.acknowledge(cumulative) if advanced else 0
        if blocks or out.has_gaps:
            recovering = self._congestion.recovery_exit is not None
            acked += out.acknowledge_gaps(blocks, acked_cumulative=advanced, in_recovery=recovering, now=now)
        self._after_ack(acked, flight, cumulative, advanced, window, now)
        return after

    def _after_ack(self, acked: int, flight: int, cumulative: int, advanced: bool, window: int, now: Instant) -> None:
        """What an acknowledgment means for time, window and state."""
        out, congestion, deadlines = self._out, self._congestion, self._deadlines
        if out.sampled_at is not None:
            self._rto.sample(now - out.sampled_at)
            out.sampled_at = None
        elif advanced:
            self._rto.progress()
        congestion.on_sack(acked, flight, cumulative, advanced)
        if out.newly_lost:
            out.newly_lost = False
            if congestion.on_loss(out.next_tsn - 1):
                self._fast_retransmit = True
                self.counters.fast_retransmits += 1
                if self._trace:
                    self._trace.event(now, "fast_recovery_entered", cwnd=congestion.cwnd, flight=out.flight)
        self._peer_window = window
        self._sack_since_timeout = True
        if acked or advanced:
            self._errors = 0
            self._probed = False
            deadlines.clear(Timer.PROBE)
        if not out.chunks:
            deadlines.clear(Timer.T3)
            congestion.on_all_acknowledged()
        elif advanced or Timer.T3 not in deadlines:
            deadlines.set(Timer.T3, now + self._rto.rto)
        if out.advanced > cumulative or out.abandoned:
            self._tell_abandoned(now)
        if self.state in SHUTTING_DOWN:
            self._check_drained(now)

    def _tell_abandoned(self, now: Instant) -> None:
        """The peer does not know yet what was given up: FORWARD TSN, the same one at most once a round trip."""
        out = self._out
        out.advance()
        if out.advanced == self._forward_tsn_point and now - self._forward_tsn_at < (self._rto.srtt or 0.05):
            out.forward_tsn_due = False
        if out.abandoned:
            self._settle_abandoned(now)

    # --- FORWARD TSN ----------------------------------------------------------------------------------------------

    def _on_forward_tsn(self, chunk: ForwardTsnChunk, now: Instant) -> None:
        """The peer gave up messages. Spec: RFC 3758 section 3.6."""
        if self.state not in TAKES_DATA:
            return
        tracker = self._tracker
        tsn = tracker.unwrap(chunk.new_cumulative_tsn)
        self.counters.forward_tsns_received += 1
        self._ack_now = True
        if tsn <= tracker.cumulative:
            return
        if not tracker.is_acceptable(tsn):
            self._drop("forward_tsn_too_far", now)
            return
        tracker.skip_to(tsn)
        streams = [pair for pair in chunk.streams if pair[0] < self.inbound_streams]
        self._reassembly.skip(tsn, streams, self._events)
        if self._reset.deferred is not None:
            self._perform_deferred_reset(now)

    # --- control chunks -------------------------------------------------------------------------------------------

    def _take_control(self, data: bytes, offset: int, now: Instant) -> int:
        """One chunk of any other kind. Returns: where the next one begins, -1 to leave the packet."""
        end = len(data)
        if end - offset < 4:
            self._drop("chunk_malformed", now)
            return -1
        kind: int
        flags: int
        length: int
        kind, flags, length = CHUNK_HEADER.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            self._drop("chunk_malformed", now)
            return -1
        try:
            chunk = parse_chunk(kind, flags, data[offset + 4 : offset + length])
        except ParseError:
            self._drop("chunk_malformed", now)
            return -1
        after = (offset + length + 3) & ~3
        match chunk:
            case ForwardTsnChunk():
                self._on_forward_tsn(chunk, now)
            case ReConfigChunk():
                self._on_reconfig(chunk, now)
            case HeartbeatChunk():
                if self.state in CONNECTED or self.state is State.COOKIE_ECHOED:
                    self._reply(pack_chunk(ChunkType.HEARTBEAT_ACK, 0, data[offset + 4 : offset + length]))
            case HeartbeatAckChunk():
                self._on_heartbeat_ack(chunk, now)
            case CookieEchoChunk():
                if not self._on_cookie_echo(chunk.cookie, self._local_tag, now):
                    return -1
            case CookieAckChunk():
                self._on_cookie_ack(now)
            case InitAckChunk():
                if offset != HEADER_BYTES or after < end:
                    self._drop("init_ack_bundled", now)
                else:
                    self._on_init_ack(chunk, now)
                return -1
            case InitChunk():
                # Tag not 0, or bundled: never right (RFC 9260 section 8.5.1 A).
                self._drop("init_with_tag", now)
                return -1
            case AbortChunk():
                if flags & FLAG_TAG_REFLECTED and self._peer_tag:
                    # The T bit says that this is the peer's tag reflected, which it is not.
                    self._drop("abort_with_wrong_tag", now)
                else:
                    self._on_abort(chunk, now)
                return -1
            case ShutdownChunk():
                self._on_shutdown(chunk, now)
            case ShutdownAckChunk():
                return self._on_shutdown_ack(after, now)
            case ShutdownCompleteChunk():
                if not flags & FLAG_TAG_REFLECTED:
                    self._on_shutdown_complete(now)
            case ErrorChunk():
                self._on_error(chunk, now)
            case UnknownChunk():
                return self._on_unknown(chunk, after, now)
            case _:
                # DATA or SACK where they cannot be taken.
                self.drops.add("chunk_out_of_place")
        return after

    def _on_unknown(self, chunk: UnknownChunk, after: int, now: Instant) -> int:
        """Spec: RFC 9260 section 3.2: the two high bits of the type say what to do."""
        self.drops.add("chunk_unknown")
        if unknown_chunk_reports(chunk.type):
            report = chunk.serialize()
            if len(report) + HEADER_BYTES + 8 <= self.config.mtu:
                self._reply_error(Parameter(CauseCode.UNRECOGNIZED_CHUNK_TYPE, report))
        return after if unknown_chunk_skips(chunk.type) else -1

    def _on_heartbeat_ack(self, chunk: HeartbeatAckChunk, now: Instant) -> None:
        for parameter in chunk.parameters:
            if parameter.type == ParameterType.HEARTBEAT_INFO:
                rtt = self._heartbeat.on_ack(parameter.value, now)
                if rtt is not None:
                    self._rto.sample(rtt)
                    self._errors = 0
                return

    def _on_error(self, chunk: ErrorChunk, now: Instant) -> None:
        for cause in chunk.parameters:
            if self._trace:
                self._trace.event(now, "error_received", cause=cause.type, value=cause.value[:64])
            if cause.type == CauseCode.STALE_COOKIE:
                self._on_stale_cookie(now)
                return

    def _on_abort(self, chunk: AbortChunk, now: Instant) -> None:
        causes = tuple(cause.type for cause in chunk.parameters)
        words = next(
            (
                cause.value.decode("utf-8", "replace")[:200]
                for cause in chunk.parameters
                if cause.type in (CauseCode.USER_INITIATED_ABORT, CauseCode.PROTOCOL_VIOLATION) and cause.value
            ),
            "",
        )
        reason = "the peer aborted the association" + (f": {words}" if words else "")
        self._end(reason, SctpAbortError(reason, causes=causes), now)

    def _abort_for(self, cause: Parameter, what: str, now: Instant) -> None:
        """The peer broke the protocol: ABORT with the cause."""
        reason = f"the peer broke the protocol: {what}"
        self._end(
            reason,
            SctpAbortError(reason, causes=(cause.type,)),
            now,
            AbortChunk(parameters=(cause,)).serialize(),
        )

    # --- stream reset ---------------------------------------------------------------------------------------------

    def _on_reconfig(self, chunk: ReConfigChunk, now: Instant) -> None:
        """Spec: RFC 6525 section 5.2."""
        if self.state not in CONNECTED:
            return
        reset, tracker = self._reset, self._tracker
        answers: list[bytes] = []
        for kind, value in chunk.parameters[:2]:
            if kind == ParameterType.RECONFIGURATION_RESPONSE:
                self._on_reset_response(value, now)
            elif reset.is_request(kind):
                last_tsn = tracker.unwrap(StreamReset.last_tsn_of(value))
                answer, performed = reset.on_request(kind, value, last_tsn, tracker.cumulative)
                if performed is not None:
                    self._perform_reset(performed, now)
                if answer:
                    answers.append(answer)
            else:
                self.drops.add("reconfig_parameter_unknown")
        for answer in answers:
            self._reply(answer)

    def _on_reset_response(self, value: bytes, now: Instant) -> None:
        answered = self._reset.on_response(value)
        if answered is None:
            self.drops.add("reset_response_unexpected")
            return
        requested, result = answered
        self._errors = 0
        if self._reset.requested is not None:
            # In progress: the same request again after a while, until the peer has the data it waits for.
            self._deadlines.set(Timer.RECONFIG, now + self._rto.rto)
            return
        self._deadlines.clear(Timer.RECONFIG)
        ids = tuple(stream.id for stream in requested.streams)
        performed = result in (ReconfigResult.NOTHING_TO_DO, ReconfigResult.PERFORMED)
        for stream in requested.streams:
            self._queue.reset_done(stream, performed)
        if performed:
            self.counters.streams_reset += len(ids)
            self._emit(StreamsReset(ids))
        else:
            self._emit(StreamResetFailed(ids, f"the peer refused (result {result})"))
        if self._trace:
            self._trace.event(now, "stream_reset_answered", stream_ids=list(ids), result=result)

    def _perform_deferred_reset(self, now: Instant) -> None:
        taken = self._reset.take_deferred(self._tracker.cumulative)
        if taken is not None:
            answer, performed = taken
            self._perform_reset(performed, now)
            self._reply(answer)

    def _perform_reset(self, reset: Deferred, now: Instant) -> None:
        ids = reset.stream_ids or tuple(sorted(self._reassembly.streams))
        self._reassembly.reset(ids)
        self.counters.streams_reset_by_peer += len(ids)
        if self._trace:
            self._trace.event(now, "streams_reset_by_peer", stream_ids=list(ids))
        self._emit(StreamsResetByPeer(tuple(ids)))

    # --- shutting down --------------------------------------------------------------------------------------------

    def _on_shutdown(self, chunk: ShutdownChunk, now: Instant) -> None:
        state = self.state
        if state not in CONNECTED:
            return
        out = self._out
        cumulative = out.unwrap(chunk.cumulative_tsn_ack)
        if cumulative >= out.next_tsn:
            self._abort_for(Parameter(CauseCode.PROTOCOL_VIOLATION, b""), "SHUTDOWN of data never sent", now)
            return
        if state is State.SHUTDOWN_SENT:
            # Both at once.
            self._enter(State.SHUTDOWN_ACK_SENT, now)
            self._shutdown_due = False
            self._shutdown_ack_due = True
            self._attempts = 0
        elif state is State.SHUTDOWN_ACK_SENT:
            self._shutdown_ack_due = True
        else:
            if state is not State.SHUTDOWN_RECEIVED:
                self._enter(State.SHUTDOWN_RECEIVED, now)
            if cumulative > out.cumulative:
                flight = out.flight
                acked = out.acknowledge(cumulative)
                self._after_ack(acked, flight, cumulative, True, self._peer_window, now)
            if self.state is State.SHUTDOWN_RECEIVED:
                self._check_drained(now)

    def _on_shutdown_ack(self, after: int, now: Instant) -> int:
        state = self.state
        complete = ShutdownCompleteChunk().serialize()
        if state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
            self._end(self._closing_reason or "the peer shut the association down", None, now, complete)
            return -1
        if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
            # Left over from an association before this one (RFC 9260 section 8.5.1 E).
            self._reply(pack_chunk(ChunkType.SHUTDOWN_COMPLETE, FLAG_TAG_REFLECTED, b""), self._local_tag)
            return -1
        self._drop("unexpected_shutdown_ack", now)
        return after

    def _on_shutdown_complete(self, now: Instant) -> None:
        if self.state is State.SHUTDOWN_ACK_SENT:
            self._end(self._closing_reason or "the peer shut the association down", None, now)

    # --- packets that do not carry our tag ------------------------------------------------------------------------

    def _receive_strange(self, data: bytes, now: Instant) -> None:
        """A packet whose first eight bytes are not this association's. Spec: RFC 9260 sections 8.4, 8.5.1."""
        if len(data) < HEADER_BYTES + 4:
            self._drop("too_short", now)
            return
        source, destination, tag = COMMON_HEADER.unpack_from(data)
        if source != self.config.remote_port or destination != self.config.local_port:
            self._drop("ports", now)
            return
        if not checksum_is_right(data):
            self._drop("checksum", now)
            return
        try:
            chunks = split_chunks(data)
        except ParseError:
            self._drop("chunk_malformed", now)
            return
        kind, flags, body = chunks[0]
        if kind == ChunkType.INIT:
            if tag or len(chunks) > 1:
                self._drop("init_with_tag" if tag else "init_bundled", now)
                return
            try:
                init = InitChunk.parse(flags, body)
            except ParseError:
                self._drop("chunk_malformed", now)
                return
            self._on_init(init, now)
        elif kind == ChunkType.COOKIE_ECHO:
            # The tag is that in the cookie, which makes the association; the rest of the packet belongs to it then.
            if self._on_cookie_echo(body, tag, now):
                self._receive_rest(data, len(body), now)
        elif kind in (ChunkType.ABORT, ChunkType.SHUTDOWN_COMPLETE):
            if not (flags & FLAG_TAG_REFLECTED and self._peer_tag and tag == self._peer_tag):
                self._drop("tag", now)
            elif kind == ChunkType.SHUTDOWN_COMPLETE:
                self._on_shutdown_complete(now)
            else:
                try:
                    abort = AbortChunk.parse(flags, body)
                except ParseError:
                    abort = AbortChunk()
                self._on_abort(abort, now)
        elif self.state is not State.CLOSED:
            if kind == ChunkType.SHUTDOWN_ACK and self.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
                self._reply(pack_chunk(ChunkType.SHUTDOWN_COMPLETE, FLAG_TAG_REFLECTED, b""), tag)
            else:
                self._drop("tag", now)
        else:
            self._drop("out_of_the_blue", now)
            kinds = {chunk[0] for chunk in chunks}
            if ChunkType.SHUTDOWN_ACK in kinds:
                self._reply(pack_chunk(ChunkType.SHUTDOWN_COMPLETE, FLAG_TAG_REFLECTED, b""), tag)
            elif not kinds & _NO_ABORT_FOR:
                self._reply_abort(tag, reflected=True)

    def _receive_rest(self, data: bytes, cookie_bytes: int, now: Instant) -> None:
        """What is bundled behind a COOKIE ECHO."""
        offset = HEADER_BYTES + ((4 + cookie_bytes + 3) & ~3)
        end = len(data)
        while 0 <= offset < end and self.state is not State.ENDED:
            if not data[offset] and self.state in TAKES_DATA:
                offset = self._take_data(data, offset, now)
            elif data[offset] == 3 and end - offset >= 16:
                offset = self._take_sack(data, offset, now)
            else:
                offset = self._take_control(data, offset, now)
