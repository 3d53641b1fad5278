"""One received source: packets in, counted and repaired, frames out.

```
 packets -> ReceivedStream (index, statistics) -> NackGenerator -> depacketizer of the payload type -> frames
 RTX     -> the original packet --------------------^                       needs_keyframe -> KeyframeRequester
                                        playout delivery: JitterBuffer before (audio) or behind it (video)
```
What a video decoder is given begins with a key frame, and after a loss with a frame that needs nothing of what is
missing; meanwhile key frames are asked for.

Spec: RFC 3550 sections 6.4, A.1, A.8; RFC 4585 section 6.2.1; RFC 4588 section 6.3; RFC 4733 (tones between the sound).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...base import Drops, Instant, Unwrapper
from ...errors import ParseError
from ...packetization import Depacketizer, DepacketizerConfig, EncodedFrame, EventEnded, TelephoneEventReceiver
from ...rtp import CODECS, RtpPacket, Uri, ntp_to_unix, rtcp, streams
from ..parameters import MediaKind
from .codecs import Payload, Role
from .config import MediaConfig
from .events import ReceivedFrame
from .header import read_elements
from .playout import Playout
from .section import Section


class Inbound:
    """State of one received SSRC."""

    def __init__(
        self, section: Section, ssrc: int, rid: str | None, config: MediaConfig, now: Instant, *, announced: bool
    ) -> None:
        self.section = section
        self.ssrc = ssrc
        self.rid = rid
        self.config = config
        self.announced = announced
        self.number = section.created_sources
        section.created_sources += 1
        self.video = section.kind is MediaKind.VIDEO
        self.rtx_ssrc: int | None = None
        self.cname = ""
        self.active = False
        self.heard_at: Instant = now
        self.received: streams.ReceivedStream | None = None
        self.rtx_received: streams.ReceivedStream | None = None
        self.nack: streams.NackGenerator | None = None
        self.requester = streams.KeyframeRequester(
            ssrc,
            streams.KeyframeConfig(
                use_fir=section.fir_only,
                min_interval=config.keyframes.min_interval,
                max_interval=config.keyframes.max_interval,
                initial_rtt=config.keyframes.initial_rtt,
            ),
        )
        self.payload: Payload | None = None
        """The codec in use, after the first packet."""
        self.highest = -1
        self._depacketizer: Depacketizer | None = None
        self._old: dict[int, Depacketizer] = {}
        self._awaiting_keyframe = self.video
        self._awaited_since = now
        self._tones: TelephoneEventReceiver | None = None
        self._tones_rate = 8000
        self._timestamps = Unwrapper(32)
        self._first_timestamp: int | None = None
        self._media_offset = 0.0
        self._media_time = 0.0
        self._capture: tuple[float, int] | None = None
        self._level: tuple[int, bool] | None = None
        self._levels: dict[int, int] = {}
        self._rotation: int | None = None
        self.rtt: float | None = None
        """The last one measured; None while none is known."""
        self.playout: Playout | None = None
        # What waits for poll_events.
        self.packets: list[RtpPacket] = []
        self.frames: list[ReceivedFrame] = []
        self.tones: list[tuple[str, float]] = []
        # Facts.
        self.drops = Drops()
        self.header_bytes = 0
        self.retransmitted_packets = 0
        self.retransmitted_bytes = 0
        self.nack_count = 0
        self.pli_count = 0
        self.fir_count = 0
        self.frames_received = 0
        self.key_frames = 0
        self.frames_dropped = 0
        self.frames_of_many = 0
        self.total_assembly_time = 0.0
        self.last_report: rtcp.SenderReport | None = None
        self.last_report_at: Instant | None = None
        self.reports_received = 0
        self.remote_rtt: float | None = None
        self.remote_rtt_total = 0.0
        self.remote_rtt_measurements = 0
        self._run_started: dict[int, Instant] = {}
        """When the first packet of each of the latest pictures came, by timestamp."""

    @property
    def order(self) -> tuple[int, int]:
        return (self.section.handle, self.number)

    # --- packets ----------------------------------------------------------------------------------------------------

    def receive(self, burst: Sequence[bytes], now: Instant, twcc: streams.TwccReceiver | None) -> list[bytes]:
        """Takes packets of this SSRC, in plain. Returns: those whose mid says that they belong elsewhere."""
        section = self.section
        table = section.receive.by_type
        reader = section.reader
        mid, cc = reader.mid, reader.transport_cc
        mid_bytes, mapping = section.mid_bytes, section.receive_map
        wanted = section.frame_elements
        plain = self.video and section.deliver_frames and not section.deliver_packets
        strangers: list[bytes] = []
        for data in burst:
            elements = read_elements(data)
            if elements:
                if mid is not None and elements.get(mid, mid_bytes) != mid_bytes:
                    strangers.append(data)
                    continue
                if self.rid is None and reader.rid is not None and reader.rid in elements:
                    self.rid = elements[reader.rid].decode("ascii", "replace")
                if twcc is not None and cc is not None:
                    wide = elements.get(cc)
                    if wide is not None and len(wide) == 2:
                        twcc.receive(wide[0] << 8 | wide[1], self.ssrc, now)
            try:
                packet = RtpPacket.parse(data, mapping)
            except ParseError:
                self.drops.add("malformed")
                continue
            payload = table.get(packet.payload_type)
            if payload is None:
                self.drops.add("payload type")
                self._pass_over(packet, now)
                continue
            received = self.received
            if received is None:
                received = self._begin(payload, now)
            size = len(packet.payload)
            index = received.receive_plain(packet.sequence_number, packet.timestamp, now, size)
            if index is None:
                self.drops.add("behind a jump")
                continue
            self.header_bytes += len(data) - size
            self.heard_at = now
            nack = self.nack
            if nack is not None:
                nack.received(index, now)
                if nack.keyframe_needed:
                    nack.keyframe_needed = False
                    self._want_keyframe(now)
            if elements and not wanted.isdisjoint(elements):
                self._read_elements(elements, packet)
            if payload is self.payload and plain and index == self.highest + 1 and self._depacketizer is not None:
                # What nearly all packets of pictures are: the next one of the same codec.
                self.highest = index
                if packet.timestamp not in self._run_started:
                    self._frame_began(packet.timestamp, now)
                frames = self._depacketizer.push(packet)
                if frames or packet.marker:
                    self._pushed(self._depacketizer, frames, payload, now)
                continue
            self._deliver(packet, payload, index, now, repaired=False)
        return strangers

    def _pass_over(self, packet: RtpPacket, now: Instant) -> None:
        """A packet that means nothing here: its number is taken, so that nobody waits for it."""
        if self.received is None or self.payload is None:
            return
        size = len(packet.payload)
        index = self.received.receive_plain(packet.sequence_number, packet.timestamp, now, size)
        if index is None:
            return
        if self.nack is not None:
            self.nack.received(index, now)
        self.highest = max(self.highest, index)
        if self.playout is not None and not self.video:
            self.playout.buffer.push(streams.Item(index, index, packet.timestamp, None), now)
        elif self._depacketizer is not None:
            filler = RtpPacket(sequence_number=packet.sequence_number, timestamp=packet.timestamp)
            for frame in self._depacketizer.push(filler):
                self._give(frame, self.payload, now)

    def receive_repaired(self, packet: RtpPacket, now: Instant) -> None:
        """Takes a packet that came by retransmission, unwrapped.

        What was neither missing nor ever asked for is a probe of the sender's for bandwidth: no retransmission, as
        senders count them too.
        """
        received = self.received
        payload = self.section.receive.by_type.get(packet.payload_type)
        index = None if received is None else received.index_of(packet.sequence_number)
        if payload is None or index is None:
            self.drops.add("repair without a stream")
            return
        nack = self.nack
        wanted = nack is None or nack.received(index, now) or index > self.highest
        if nack is not None and not wanted and not nack.was_asked(index):
            self.drops.add("probe")
            return
        self.retransmitted_packets += 1
        self.retransmitted_bytes += len(packet.payload)
        if not wanted:
            self.drops.add("repaired twice")
            return
        if packet.extensions:
            self._read_elements(dict(packet.extensions.elements), packet)
        self._deliver(packet, payload, index, now, repaired=True)

    def awaits(self, sequence_number: int) -> bool:
        """Whether this packet was asked for."""
        if self.nack is None or self.received is None:
            return False
        index = self.received.index_of(sequence_number)
        return index is not None and self.nack.awaits(index)

    def _begin(self, payload: Payload, now: Instant) -> streams.ReceivedStream:
        section = self.section
        received = self.received = streams.ReceivedStream(
            self.ssrc, streams.ReceiverConfig(clock_rate=payload.codec.codec.clock_rate)
        )
        if self.last_report is not None and self.last_report_at is not None:
            received.receive_sender_report(self.last_report, self.last_report_at)
        if section.nack:
            self.nack = streams.NackGenerator(self.config.nack)
            if self.rtt is not None:
                self.nack.set_rtt(self.rtt)
        if section.keyframe_wanted:
            section.keyframe_wanted = False
            self._want_keyframe(now)
        return received

    def _read_elements(self, elements: dict[int, bytes], packet: RtpPacket) -> None:
        """What packets say of their frame."""
        reader = self.section.reader
        if reader.audio_level is not None:
            level = elements.get(reader.audio_level)
            if level is not None and len(level) == 1:
                self._level = (level[0] & 0x7F, level[0] > 0x7F)
                self._levels[packet.timestamp] = level[0] & 0x7F
                if len(self._levels) > 64:
                    del self._levels[next(iter(self._levels))]
        if reader.orientation is not None:
            turned = elements.get(reader.orientation)
            if turned is not None and len(turned) == 1:
                self._rotation = (turned[0] & 3) * 90
        if reader.capture_time is not None:
            captured = elements.get(reader.capture_time)
            if captured is not None and len(captured) in (8, 16):
                self._capture = (ntp_to_unix(int.from_bytes(captured[:8], "big")), packet.timestamp)
                if self.playout is not None:
                    value = CODECS[Uri.ABS_CAPTURE_TIME].parse(captured)
                    self.playout.clock.abs_capture_time(value, packet.timestamp)
        if reader.playout_delay is not None and self.playout is not None:
            delay = elements.get(reader.playout_delay)
            if delay is not None:
                try:
                    self.playout.buffer.set_playout_delay(CODECS[Uri.PLAYOUT_DELAY].parse(delay))
                except ParseError:
                    self.drops.add("damaged extension")

    # --- codecs -----------------------------------------------------------------------------------------------------

    def _deliver(self, packet: RtpPacket, payload: Payload, index: int, now: Instant, *, repaired: bool) -> None:
        section = self.section
        if section.deliver_packets:
            if len(self.packets) < self.config.max_pending_packets:
                self.packets.append(packet)
            else:
                self.drops.add("packets not polled")
        if payload.role is Role.TONES:
            self._tone(packet, payload)
        elif payload is not self.payload:
            if self.payload is not None and payload.codec == self.payload.codec:
                self.payload = payload  # the same, in a new plan
            elif self.payload is None or payload.role is not Role.COMFORT_NOISE:
                if index < self.highest:
                    self._push_old(packet, payload, now)
                    return
                self._switch(payload, now)
        if index > self.highest:
            self.highest = index
        if not (section.deliver_frames or section.deliver_playout):
            return
        if section.deliver_playout and not self.video:
            if self.playout is not None:  # none before the first sound: a tone may come first
                self.playout.push_packet(packet, payload, index, now, repaired=repaired)
            return
        self._push(packet, payload, now)

    def _push(self, packet: RtpPacket, payload: Payload, now: Instant) -> None:
        """Into the depacketizer, and out of it what is whole."""
        depacketizer = self._depacketizer
        if depacketizer is None:
            return
        if self.payload is not None and payload is not self.payload and payload.role is not self.payload.role:
            # Tones and comfort noise share the numbers of the sound: an empty packet fills the place.
            if payload.role is Role.COMFORT_NOISE and packet.payload:
                noise = EncodedFrame(packet.payload, packet.timestamp)
                self._give(noise, payload, now)
            filler = RtpPacket(sequence_number=packet.sequence_number, timestamp=packet.timestamp)
            frames = depacketizer.push(filler)
        else:
            if self.video and packet.timestamp not in self._run_started:
                self._frame_began(packet.timestamp, now)
            frames = depacketizer.push(packet)
        self._pushed(depacketizer, frames, self.payload or payload, now)

    def _pushed(self, depacketizer: Depacketizer, frames: list[EncodedFrame], payload: Payload, now: Instant) -> None:
        """Frames that a depacketizer gave, and whether it lacks a key frame now."""
        for frame in frames:
            self._give(frame, payload, now)
        if self.video:
            if depacketizer.needs_keyframe or (
                self._awaiting_keyframe and now - self._awaited_since > self.config.keyframe_patience
            ):
                if not self.requester.wanted:
                    self._want_keyframe(now)
            elif self.requester.wanted and frames:
                self.requester.keyframe_received()

    def _push_old(self, packet: RtpPacket, payload: Payload, now: Instant) -> None:
        """A late packet of the codec before."""
        depacketizer = self._old.get(payload.codec.payload_type)
        if depacketizer is None:
            self.drops.add("late for its codec")
            return
        for frame in depacketizer.push(packet):
            self._give(frame, payload, now)

    def _switch(self, payload: Payload, now: Instant) -> None:
        """The sender uses another codec from this packet on (or its first)."""
        before = self.payload
        if before is not None and self._depacketizer is not None:
            for frame in self._depacketizer.flush():
                self._give(frame, before, now)
            self._old = {before.codec.payload_type: self._depacketizer}
        rate = payload.codec.codec.clock_rate
        if before is not None and before.codec.codec.clock_rate != rate:
            assert self.received is not None
            self.received.set_clock_rate(rate)
            self._media_offset = self._media_time + 0.02
            self._first_timestamp = None
            self._timestamps = Unwrapper(32)
        self.payload = payload
        self._awaiting_keyframe = self.video
        self._awaited_since = now
        self._depacketizer = self.make_depacketizer(payload)
        if self.section.deliver_playout:
            self.use_playout(now)

    def make_depacketizer(self, payload: Payload, *, ordered: bool = False) -> Depacketizer | None:
        """`ordered`: packets come from a jitter buffer, so nothing is waited for."""
        if payload.format is None:
            self.drops.add("no payload format")
            return None
        config = self.config
        window, time = config.audio_reorder_packets, config.audio_reorder_time
        if self.video and self.section.nack:
            window, time = config.video_reorder_packets, config.video_reorder_time
        elif self.video:  # nothing will be sent again, so only what was overtaken is waited for
            window, time = 64, config.audio_reorder_time
        return payload.format.depacketizer(
            DepacketizerConfig(
                reorder_packets=0 if ordered else window,
                reorder_time=time,
                max_frame_bytes=config.max_frame_bytes,
                wait_for_keyframe=config.wait_for_keyframe,
                trace=config.trace,
            )
        )

    def use_playout(self, now: Instant) -> None:
        """Playout delivery was chosen, or the codec is another."""
        if self.payload is None:
            return
        rate = self.payload.codec.codec.clock_rate
        if self.playout is None and not self.video and self._depacketizer is not None:
            for frame in self._depacketizer.flush():
                self._give(frame, self.payload, now)
        if self.playout is None or self.playout.clock.clock_rate != rate:
            self.playout = Playout(self, rate)

    def restart_frames(self, now: Instant) -> None:
        """Frames are handed up again after a time without: they begin with a key frame, which is asked for."""
        if self.payload is None:
            return
        self._depacketizer = self.make_depacketizer(self.payload)
        self._awaiting_keyframe = self.video
        self._awaited_since = now
        if self.video:
            self._want_keyframe(now)

    def leave_playout(self, now: Instant) -> None:
        """Frames are handed up as they come again."""
        if self.playout is None:
            return
        self.playout.flush(now)
        self.playout = None
        if not self.video and self.payload is not None:  # it has seen nothing meanwhile
            self._depacketizer = self.make_depacketizer(self.payload)

    # --- frames -----------------------------------------------------------------------------------------------------

    def _frame_began(self, timestamp: int, now: Instant) -> None:
        """The first packet of a picture: how long the others take is what W3C calls its assembly time."""
        self._run_started[timestamp] = now
        if len(self._run_started) > 64:
            del self._run_started[next(iter(self._run_started))]

    def _give(self, frame: EncodedFrame, payload: Payload, now: Instant) -> None:
        """A whole frame: for the application, or for the jitter buffer."""
        if self.video:
            if self._awaiting_keyframe:
                if not frame.keyframe and self.config.wait_for_keyframe:
                    self.frames_dropped += 1
                    self._want_keyframe(now)
                    return
                self._awaiting_keyframe = False
            if frame.keyframe:
                self.requester.keyframe_received()
                self.key_frames += 1
                if self.nack is not None and self.received is not None:
                    first = self.received.index_of(frame.first_sequence_number)
                    if first is not None:
                        self.nack.keyframe_received(first)
        self.frames_received += 1
        if frame.packet_count > 1:
            self.frames_of_many += 1
            self.total_assembly_time += now - self._run_started.get(frame.timestamp, now)
        began = self._run_started.get(frame.timestamp, now) if self.video else now
        if self.section.deliver_playout and self.video and self.playout is not None:
            self.playout.push_frame(frame, payload, now, began)
        else:
            self.give_out(self.received_frame(frame, payload, began))

    def received_frame(self, frame: EncodedFrame, payload: Payload, received_at: Instant) -> ReceivedFrame:
        rate = payload.codec.codec.clock_rate
        level = self._levels.get(frame.timestamp) if self._levels else None
        return ReceivedFrame(
            frame.data,
            payload.codec,
            frame.timestamp,
            self.media_time(frame.timestamp, rate),
            frame.keyframe,
            frame.follows_loss,
            self.captured_at(frame.timestamp, rate),
            level,
            self.rid,
            self.ssrc,
            frame.facts,
            rotation=self._rotation,
            received_at=received_at,
        )

    def media_time(self, timestamp: int, rate: int) -> float:
        unwrapped = self._timestamps.unwrap(timestamp)
        if self._first_timestamp is None:
            self._first_timestamp = unwrapped
        self._media_time = self._media_offset + (unwrapped - self._first_timestamp) / rate
        return self._media_time

    def captured_at(self, timestamp: int, rate: int) -> Instant | None:
        """When the sender captured it, on our clock: by the last report's clocks, taken as half a round trip old."""
        if self.received is None or self.received.sender_clock is None:
            return None
        clock = self.received.sender_clock
        here = clock.arrival - (self.rtt or 0.0) / 2
        if self._capture is not None:
            captured, at = self._capture
            return captured + _distance(timestamp, at) / rate - clock.ntp_time + here
        return here + _distance(timestamp, clock.rtp_timestamp) / rate

    def give_out(self, frame: ReceivedFrame) -> None:
        if len(self.frames) < self.config.max_pending_frames:
            self.frames.append(frame)
        else:
            self.drops.add("frames not polled")
            self.frames_dropped += 1
            self._awaiting_keyframe = self.video

    def _want_keyframe(self, now: Instant) -> None:
        if self.section.keyframe_feedback:
            self.requester.request(now)

    def want_keyframe(self, now: Instant) -> None:
        """The application wants one."""
        self._want_keyframe(now)

    def _tone(self, packet: RtpPacket, payload: Payload) -> None:
        rate = payload.codec.codec.clock_rate
        if self._tones is None or rate != self._tones_rate:
            self._tones = TelephoneEventReceiver(rate)
            self._tones_rate = rate
        for event in self._tones.push(packet):
            if isinstance(event, EventEnded) and event.character is not None and len(self.tones) < 256:
                self.tones.append((event.character, event.duration / rate))

    # --- reports and time -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The source has ended: nothing is asked of it any more."""
        self.active = False
        self.requester.keyframe_received()
        if self.nack is not None:
            self.nack.forget_before(self.highest + 1)

    def set_rtt(self, rtt: float) -> None:
        self.rtt = rtt
        self.requester.set_rtt(rtt)
        if self.nack is not None:
            self.nack.set_rtt(rtt)
        if self.playout is not None:
            self.playout.rtt = rtt

    def answered(self, rtt: float) -> None:
        """The peer answered a reference time of ours: a round trip without anything sent."""
        if self.active:
            self.remote_rtt = rtt
            self.remote_rtt_total += rtt
            self.remote_rtt_measurements += 1

    def receive_report(self, report: rtcp.SenderReport, now: Instant) -> None:
        self.last_report, self.last_report_at = report, now
        self.reports_received += 1
        if self.received is not None:
            self.received.receive_sender_report(report, now)
            if self.playout is not None and self.received.sender_clock is not None:
                self.playout.clock.sender_report(self.received.sender_clock)

    def feedback_at(self) -> Instant:
        """When feedback about this source is due."""
        at = self.requester.next_timeout()
        nack = self.nack
        return at if nack is None else min(at, nack.next_timeout())

    @property
    def audio_level(self) -> float | None:
        """0 to 1 (W3C audioLevel): the linear value of the last -dBov told."""
        if self._level is None:
            return None
        level = self._level[0]
        return 0.0 if level == 127 else 10.0 ** (-level / 20)


def _distance(timestamp: int, other: int) -> int:
    distance = (timestamp - other) & 0xFFFFFFFF
    return distance - 0x100000000 if distance & 0x80000000 else distance
