"""Building packets: answers and control chunks first, then what was lost, then new data; one flow into one packet.

The loops here run once a chunk; they are written for few calls.

Spec: RFC 9260 sections 6.1, 6.9, 6.10, 7.2; RFC 3758 section 3.5; RFC 6525 section 5.1.
"""

from __future__ import annotations

from ..base import NEVER, Instant
from ..trace import PacketKind
from .chunks import (
    DATA_HEADER,
    FLAG_BEGIN,
    FLAG_END,
    FLAG_IMMEDIATE,
    FLAG_UNORDERED,
    PADDING,
    ShutdownAckChunk,
    ShutdownChunk,
)
from .core import SENDS_DATA, SHUTTING_DOWN, AssociationCore, State, Timer
from .data_tracker import TSN_MASK
from .events import StreamResetFailed
from .outstanding import Fate, Sent
from .packet import HEADER_BYTES, crc32c
from .stream_reset import OVERHEAD_BYTES as RESET_OVERHEAD_BYTES

_DATA_HEADER_BYTES = 16
_PROBED_PACKETS = 4
"""With fewer than this in flight three missing reports cannot be expected, so silence itself is looked at."""
_PROBE_MARGIN = 0.01


class Transmission(AssociationCore):
    """Everything that leaves."""

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[bytes]:
        """The packets to be sent now, at most `limit`; ask again while it returns that many."""
        now = self._advance(now)
        if not self._dirty or limit <= 0:
            return []
        self._polled = True
        packets: list[bytes] = []
        parts: list[bytes] = []
        replies = self._replies
        size = HEADER_BYTES
        mtu = self.config.mtu
        if self._init_due:
            self._init_due = False
            replies.append((self._header(0), self._init_chunk))
            self._deadlines.set(Timer.T1, now + self._rto.rto)
        early = self._early_sacks
        while early and len(packets) < limit:
            packets.append(self._seal(None, early.popleft()))
        while replies and len(packets) < limit:
            header, chunk = replies[0]
            if header is None and size + len(chunk) <= mtu:
                parts.append(chunk)
                size += len(chunk)
            elif parts:
                packets.append(self._seal(None, b"".join(parts)))
                parts, size = [], HEADER_BYTES
                continue
            else:
                packets.append(self._seal(header, chunk))
            replies.popleft()
        if len(packets) >= limit:
            return packets  # dirty still: the rest comes with the next poll
        if self.state is not State.ENDED:
            for chunk in self._control_chunks(now):
                if size + len(chunk) > mtu and parts:
                    if len(packets) + 1 >= limit:
                        replies.append((None, chunk))
                        continue
                    packets.append(self._seal(None, b"".join(parts)))
                    parts, size = [], HEADER_BYTES
                parts.append(chunk)
                size += len(chunk)
            if not replies and (self.state in SENDS_DATA or self._cookie_due):
                self._send_lost(now, packets, parts, limit)
                self._send_new(now, packets, parts, limit)
            self._cookie_due = False
        if parts:
            packets.append(self._seal(None, b"".join(parts)))
        self._dirty = len(packets) >= limit or bool(replies)
        if self.state is not State.ENDED:
            self._after_poll(now)
        return packets

    def _after_poll(self, now: Instant) -> None:
        deadlines = self._deadlines
        out = self._out
        if out.chunks and Timer.T3 not in deadlines and self.state is not State.COOKIE_ECHOED:
            deadlines.set(Timer.T3, now + self._rto.rto)
        srtt = self._rto.srtt
        if out.flight and not self._probed and srtt is not None and out.flight <= _PROBED_PACKETS * self.config.mtu:
            deadlines.set(Timer.PROBE, now + 2 * srtt + _PROBE_MARGIN)
        if out.abandoned:
            self._settle_abandoned(now)
        if self._queue.changed:
            self._tell_buffered()
        if self._queue.wishes and self._reset.requested is None and self.state in SENDS_DATA:
            self._request_reset(now)
        if not out.chunks and self.state in SHUTTING_DOWN:
            self._check_drained(now)

    def _check_drained(self, now: Instant) -> None:
        """Once everything is delivered, shutting down goes on. Spec: RFC 9260 section 9.2."""
        if self._queue.buffered_bytes or self._queue.active or self._out.chunks:
            return
        self._attempts = 0
        if self.state is State.SHUTDOWN_PENDING:
            self._enter(State.SHUTDOWN_SENT, now)
            self._shutdown_due = self._dirty = True
        elif self.state is State.SHUTDOWN_RECEIVED:
            self._enter(State.SHUTDOWN_ACK_SENT, now)
            self._shutdown_ack_due = self._dirty = True

    def _fail_resets(self, reason: str) -> None:
        """Wishes for resets that cannot come true."""
        queue = self._queue
        if queue.wishes:
            streams = list(queue.wishes.values())
            for stream in streams:
                queue.reset_done(stream, False)
            self._emit(StreamResetFailed(tuple(stream.id for stream in streams), reason))

    # --- control chunks -------------------------------------------------------------------------------------------

    def _control_chunks(self, now: Instant) -> list[bytes]:
        """Every control chunk that is due, in the order in which they may stand in a packet."""
        chunks: list[bytes] = []
        deadlines = self._deadlines
        rto = self._rto.rto
        state = self.state
        if self._cookie_due and self._cookie_echo is not None:
            chunks.append(self._cookie_echo)
            deadlines.set(Timer.T1, now + rto)
        out, reset = self._out, self._reset
        if self._sack_due or (self._unacked_packets and self._sends_data_now()):
            chunks.append(self._sack_chunk())
        if state in SENDS_DATA:
            if out.forward_tsn_due:
                chunks.append(out.forward_tsn(self.config.mtu - HEADER_BYTES))
                self.counters.forward_tsns_sent += 1
                self._forward_tsn_at = now
                self._forward_tsn_point = out.advanced
            if reset.requested is None and self._queue.wishes:
                self._request_reset(now)
            if reset.due:
                chunks.append(reset.chunk())
                deadlines.set(Timer.RECONFIG, now + rto)
            if self._heartbeat.due:
                chunks.append(self._heartbeat.chunk(now))
                self.counters.heartbeats_sent += 1
        if self._shutdown_due:
            self._shutdown_due = False
            point = self._tracker.cumulative & TSN_MASK
            chunks.append(ShutdownChunk(cumulative_tsn_ack=point).serialize())
            deadlines.set(Timer.T2, now + rto)
        if self._shutdown_ack_due:
            self._shutdown_ack_due = False
            chunks.append(ShutdownAckChunk().serialize())
            deadlines.set(Timer.T2, now + rto)
        return chunks

    def _sends_data_now(self) -> bool:
        """Whether DATA is about to leave, which a waiting acknowledgment joins."""
        out = self._out
        return (
            self.state in SENDS_DATA
            and bool(self._queue.active)
            and (not out.flight or (out.flight < self._congestion.window and out.flight < self._peer_window))
        )

    def _sack_chunk(self) -> bytes:
        self._sack_due = self._ack_now = self._ack_soon = False
        self._unacked_packets = 0
        self._deadlines.clear(Timer.SACK)
        self.counters.sacks_sent += 1
        window = self._advertised_window = self._local_window()
        return self._tracker.sack(min(window, TSN_MASK), self.config.mtu - HEADER_BYTES)

    def _request_reset(self, now: Instant) -> None:
        streams = self._queue.take_resettable((self.config.mtu - HEADER_BYTES - RESET_OVERHEAD_BYTES) // 2)
        if streams:
            self._reset.request(streams, self._out.next_tsn - 1)
            self._dirty = True
            if self._trace:
                self._trace.event(now, "stream_reset_requested", stream_ids=[stream.id for stream in streams])

    # --- data -----------------------------------------------------------------------------------------------------

    def _send_lost(self, now: Instant, packets: list[bytes], parts: list[bytes], limit: int) -> None:
        """What waits to be sent again, as far as the window lets it. Spec: RFC 9260 sections 6.1, 7.2.4."""
        out = self._out
        if out.peek_lost(now) is None:
            return
        mtu = self.config.mtu
        size = HEADER_BYTES + sum(map(len, parts))
        window = self._congestion.window
        free = self._fast_retransmit
        self._fast_retransmit = False
        self._congestion.last_sent = now
        first = out.cumulative + 1
        restart = (head := out.chunks.get(first)) is not None and head.fate is Fate.LOST
        count = 0
        while (sent := out.peek_lost(now)) is not None:
            # One packet of fast retransmissions leaves whatever the window says; so does one after a time-out, when
            # nothing is in flight.
            if out.flight and not free and out.flight + sent.size > window:
                break
            if size + sent.size > mtu and parts:
                packets.append(self._seal(None, b"".join(parts)))
                parts.clear()
                size = HEADER_BYTES
                free = False
                if len(packets) >= limit:
                    break
                continue
            out.take_lost()
            parts.append(sent.chunk)
            size += sent.size
            count += 1
        self.counters.data_chunks_retransmitted += count
        if restart and count:
            self._deadlines.set(Timer.T3, now + self._rto.rto)

    def _send_new(self, now: Instant, packets: list[bytes], parts: list[bytes], limit: int) -> None:
        """New data, as far as both windows let it.

        Every stream has its turn message by message. A message that would fit a packet of its own is not split to fill
        up the one before. Flight may pass the congestion window by less than one packet (RFC 9260 section 6.1 B).
        """
        queue, out, config = self._queue, self._out, self.config
        active = queue.active
        if out.abandoned:
            self._settle_abandoned(now)
        if not active or len(packets) >= limit:
            return
        congestion = self._congestion
        congestion.on_send(out.flight, now, self._rto.rto)
        window = congestion.window
        peer_window = self._peer_window
        mtu = config.mtu
        largest = (mtu - HEADER_BYTES - _DATA_HEADER_BYTES) & ~3
        one_packet = self.state is State.COOKIE_ECHOED
        pack = DATA_HEADER.pack
        chunks = out.chunks
        tsn = out.next_tsn
        chunk_limit = out.cumulative + config.max_outstanding_chunks
        flight = out.flight
        size = HEADER_BYTES + sum(map(len, parts))
        count = 0
        header, seed, log = self._out_header, self._out_seed, self._packet_log
        sent_bytes = 0
        sent_packets = 0
        while active:
            stream = active[0]
            message = stream.queue[0]
            offset = message.offset
            if not offset:
                if message.expires <= now:
                    self._drop_expired_head(now)
                    continue
                if not message.unordered:
                    message.ssn = stream.next_ssn
            total = message.size
            rest = total - offset
            room = mtu - size - _DATA_HEADER_BYTES
            if rest > room and parts and (rest <= largest or room < largest >> 2):
                take = 0
            else:
                take = rest if rest <= room else room & ~3
            if not take:
                body = b"".join(parts)
                packets.append(header + crc32c(body, seed).to_bytes(4, "little") + body)
                parts.clear()
                sent_packets += 1
                sent_bytes += size
                size = HEADER_BYTES
                if len(packets) >= limit or one_packet:
                    break
                continue
            if flight and (flight >= window or flight + take + _DATA_HEADER_BYTES > peer_window):
                break
            if tsn > chunk_limit:
                break
            end = offset + take
            flags = FLAG_UNORDERED if message.unordered else 0
            if not offset:
                flags |= FLAG_BEGIN
                message.first_tsn = tsn
                if not message.unordered:
                    stream.next_ssn = (message.ssn + 1) & 0xFFFF
            if end == total:
                flags |= FLAG_END
                piece = message.data[offset:] if offset else message.data
            else:
                piece = message.data[offset:end]
            chunk = (
                pack(0, flags, take + 16, tsn & TSN_MASK, stream.id, message.ssn, message.ppid)
                + piece
                + PADDING[take & 3]
            )
            message.last_tsn = tsn
            message.offset = end
            sent = Sent(chunk, message, now)
            chunks[tsn] = sent
            tsn += 1
            count += 1
            flight += sent.size
            size += sent.size
            parts.append(chunk)
            stream.told += take
            stream.buffered -= take
            queue.buffered_bytes -= take
            queue.changed[stream.id] = stream
            if end == total:
                self.counters.messages_sent += 1
                stream_queue = stream.queue
                stream_queue.popleft()
                if not stream_queue:
                    active.popleft()
                elif len(active) > 1:
                    active.rotate(-1)
        if count:
            if flight <= _PROBED_PACKETS * mtu:
                # Nothing follows soon: the peer need not wait for a second packet (RFC 9260 section 6.2, I bit).
                chunk = sent.chunk[:1] + bytes((sent.chunk[1] | FLAG_IMMEDIATE,)) + sent.chunk[2:]
                if parts:
                    sent.chunk = parts[-1] = chunk
            out.next_tsn = tsn
            out.flight = flight
            self.counters.data_chunks_sent += count
        if sent_packets:
            self.counters.packets_sent += sent_packets
            self.counters.bytes_sent += sent_bytes
            if log is not None:
                for packet in packets[-sent_packets:]:
                    log.packet(now, PacketKind.SCTP, packet, outgoing=True)

    def _drop_expired_head(self, now: Instant) -> None:
        """The next message's lifetime has passed and nothing of it was sent: it leaves without a trace on the wire."""
        queue = self._queue
        stream = queue.active[0]
        message = stream.queue[0]
        message.abandoned = True
        queue.took(stream, message.size)
        queue.finish_head()
        self._report_abandoned(stream.id, message.ppid, now)

    def next_timeout(self) -> Instant:
        """The next instant at which something is to be done; the last `now` while packets may be waiting."""
        if self._dirty:
            return self._now
        return self._deadlines.next() if self.state is not State.ENDED else NEVER
