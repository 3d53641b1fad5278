"""One encoding that is sent: frames or packets in, RTP packets out when they are polled.

```
 send_frame -> packetizer -+
 send_packets -------------+-> queue -> build: numbers, extensions, history -> bytes for SRTP
 NACK -> numbers asked for ----------> RTX of the history
 tones ------------------------------> telephone events
```
Numbers are given when packets leave (`build`): what is refused or cleared before leaves no hole.

Payloads are cut so that with the largest extension block, RTX's two bytes and the SRTP tag a datagram stays within the
limit; the payload format makes them equal in size.

Spec: RFC 3550 sections 5.1, 8.2; RFC 4588; RFC 8843 section 9.2 and RFC 8852 (mid and rid ride until the receiver has
reported the source). Left out: retransmission without RTX, which would protect two packets under one SRTP index.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from typing import Final

from ...base import Instant
from ...errors import InvalidArgumentError
from ...packetization import AudioPacketizer, Packetizer, RedPacketizer
from ...rtp import HeaderExtensions, RtpPacket, Uri, rtcp, streams, unix_to_ntp
from ..parameters import Encoding, MediaKind, SourceIds
from .codecs import Payload, Role
from .config import MediaConfig
from .dtmf import ToneSender
from .events import OutgoingFrame
from .forward import Forwarder
from .header import Block, ExtensionWriter
from .section import Section

_HEADER: Final = struct.Struct(">BBHII").pack
_U16: Final = struct.Struct(">H").pack
_HUGE: Final = 2.5
"""A frame this much larger than the mean is huge (W3C webrtc-stats, hugeFramesSent)."""
_REBASE: Final = 1.0
"""Seconds by which media time and real time may part in one step, before timestamps are taken on from real time."""
_CAPTURE_INTERVAL: Final = 1.0
"""Seconds between abs-capture-time extensions: in between receivers interpolate."""
_NACK_LIMIT: Final = 1024
"""Numbers asked for and not answered yet; a peer that asks for more is answered in part."""
_NOT_FORWARDED: Final = frozenset(
    {
        *(Uri.MID, Uri.RID, Uri.REPAIRED_RID, Uri.TRANSPORT_CC, Uri.TRANSPORT_CC_V2, Uri.ABS_SEND_TIME),
        Uri.TRANSMISSION_OFFSET,
    }
)
"""Extensions that speak of one hop."""


class _Chunk:
    """Packets of one moment: the payloads of a frame, or one packet to forward (`source`)."""

    __slots__ = (
        *("captured_at", "elements", "frame_bytes", "keyframe", "marker_first", "marker_last", "next", "payload_type"),
        *("payloads", "queued_at", "source", "timestamp"),
    )

    def __init__(
        self,
        payload_type: int,
        timestamp: int,
        payloads: Sequence[bytes],
        elements: tuple[tuple[int, bytes], ...],
        queued_at: Instant,
    ) -> None:
        self.payload_type = payload_type
        self.timestamp = timestamp
        self.payloads = payloads
        self.elements = elements
        self.queued_at = queued_at
        self.captured_at = queued_at
        self.next = 0
        self.frame_bytes = 0
        self.keyframe = False
        self.marker_first = False
        self.marker_last = False
        self.source: RtpPacket | None = None


class Outbound:
    """State of one encoding."""

    def __init__(
        self, section: Section, number: int, source: SourceIds, encoding: Encoding, config: MediaConfig
    ) -> None:
        self.section = section
        self.number = number
        self.planned = source
        """The SSRCs that negotiation gave."""
        self.ids = source
        """The SSRCs in use: others, if the peer was found to use ours (RFC 3550 section 8.2)."""
        self.encoding = encoding
        self.config = config
        self.video = section.kind is MediaKind.VIDEO
        first = section.send.media()
        self.payload: Payload | None = first
        """The codec in use."""
        clock_rate = 90_000 if first is None else first.codec.codec.clock_rate
        self.sent = streams.SentStream(
            source.ssrc,
            streams.SenderConfig(
                clock_rate=clock_rate, wall_epoch=config.wall_epoch, entropy=config.entropy.fork("sender")
            ),
        )
        self.rtx: streams.RtxSender | None = None
        self._history = streams.SentHistory(config.history)
        self.demand = streams.KeyframeDemand(source.ssrc, config.keyframes)
        self.tones = ToneSender(config.trace)
        self.digits: list[str] = []
        self.paused = False
        self.accepted = True
        """Whether the peer takes this encoding (simulcast may have been declined)."""
        self.needs_keyframe = False
        """Frames were refused: until a key frame comes, the others build on what was not sent."""
        self.identified = False
        """The peer has reported this source, so it knows what it is: no mid and rid any more."""
        self.rtx_identified = False
        self._queue: deque[_Chunk] = deque()
        self.queued = 0
        """Packets in the queue."""
        self._asked: list[int] = []
        self._packetizers: dict[int, tuple[Payload, Packetizer]] = {}
        self._forwarder = Forwarder()
        self._forwarding = False
        self._offset = self.sent.timestamp_offset
        self._last_media_time: float | None = None
        self._last_given_at: Instant = 0.0
        self._last_timestamp = self.sent.timestamp_offset
        self._last_capture_sent: Instant | None = None
        self._talking_until: Instant | None = None
        # Facts.
        self.header_bytes_sent = 0
        self.media_packets_sent = 0
        self.retransmitted_header_bytes = 0
        self.frames_sent = 0
        self.key_frames_sent = 0
        self.huge_frames_sent = 0
        self.frame_bytes_sent = 0
        self.frames_refused = 0
        self.total_packet_send_delay = 0.0
        self.nack_count = 0
        self.pli_count = 0
        self.fir_count = 0
        self.total_round_trip_time = 0.0
        self.last_report_at: Instant | None = None
        self.renegotiated(encoding)

    # --- configuration ----------------------------------------------------------------------------------------------

    @property
    def rid(self) -> str | None:
        return self.encoding.rid

    @property
    def active(self) -> bool:
        """Whether packets of this encoding may leave, as far as negotiation and the application go."""
        return self.section.may_send and self.accepted and self.encoding.active and not self.paused

    def renegotiated(self, encoding: Encoding) -> None:
        """The section has new payload types, extensions or direction."""
        section = self.section
        self.encoding = encoding
        self.accepted = not self.rid or self.rid in section.send_rids or (not section.send_rids and self.number == 0)
        table = section.send
        if self.payload is None or table.by_type.get(self.payload.codec.payload_type) is None:
            self.payload = table.media()
        for payload_type in [one for one in self._packetizers if one not in table.by_type]:
            del self._packetizers[payload_type]
        types = {media: rtx for rtx, media in table.rtx.items()}
        if self.ids.rtx_ssrc is None or not types:
            self.rtx = None
        else:
            before = self.rtx
            self.rtx = streams.RtxSender(
                streams.RtxConfig(
                    ssrc=self.ids.rtx_ssrc, payload_types=types, entropy=self.config.entropy.fork("rtx sender")
                ),
                self._history,
            )
            if before is not None:
                self.rtx.sequence_number = before.sequence_number
                self.rtx.packets_sent, self.rtx.bytes_sent = before.packets_sent, before.bytes_sent
        if not self.active:
            self.clear()

    def successor(self, ids: SourceIds) -> Outbound:
        """The same encoding as a new source: numbers, timestamps and counts begin anew, and video with a key frame."""
        made = Outbound(self.section, self.number, ids, self.encoding, self.config)
        made.planned = self.planned
        made.payload = self.payload
        made.tones = self.tones
        made.paused = self.paused
        made.needs_keyframe = self.video
        made.renegotiated(self.encoding)
        return made

    def rename_repairs(self, rtx_ssrc: int) -> None:
        """Retransmissions go on as another source."""
        self.ids = SourceIds(ssrc=self.ids.ssrc, rtx_ssrc=rtx_ssrc)
        self.rtx_identified = False
        self.renegotiated(self.encoding)

    def clear(self) -> int:
        """Forgets what is queued. Returns: how many packets."""
        gone = self.queued
        if gone:
            self.needs_keyframe = self.video
        self._queue.clear()
        self.queued = 0
        self._asked.clear()
        self.tones.stop()
        return gone

    # --- frames and packets in --------------------------------------------------------------------------------------

    def refuse(self) -> None:
        """A frame was not taken."""
        self.frames_refused += 1
        self.needs_keyframe = self.video

    def _packetizer(self, payload: Payload, tag_bytes: int) -> Packetizer:
        kept = self._packetizers.get(payload.codec.payload_type)
        if kept is not None and kept[0].codec == payload.codec:
            return kept[1]
        assert payload.format is not None
        room = self.payload_room(tag_bytes)
        made: Packetizer
        if payload.role is Role.RED:
            inner = self.section.send.inside_red(payload)
            made = RedPacketizer(
                payload_type=0 if inner is None else inner.codec.payload_type,
                distances=(1,),
                max_payload_bytes=room,
            )
        elif payload.codec.codec.name.upper() in ("VP8", "VP9"):
            entropy = self.config.entropy.fork(f"picture id {self.ids.ssrc}")
            made = payload.format.packetizer(room, entropy=entropy)  # type: ignore[call-arg]
        else:
            made = payload.format.packetizer(room)
        self._packetizers[payload.codec.payload_type] = (payload, made)
        return made

    def payload_room(self, tag_bytes: int) -> int:
        """Bytes that a payload may have, so that every datagram fits."""
        writer = self.section.writer
        widest = [*self._names(), *((number, bytes(size)) for number, size in writer_sizes(writer, video=self.video))]
        room = self.config.max_datagram_bytes - tag_bytes - 12 - writer.block(widest).size
        return room - 2 if self.rtx is not None else room

    def _names(self, *, repaired: bool = False) -> list[tuple[int, bytes]]:
        writer = self.section.writer
        names = []
        if writer.mid is not None and self.section.mid:
            names.append((writer.mid, self.section.mid.encode()))
        rid_id = writer.repaired_rid if repaired else writer.rid
        if rid_id is not None and self.rid:
            names.append((rid_id, self.rid.encode()))
        return names

    def send_frame(self, frame: OutgoingFrame, payload: Payload, now: Instant, tag_bytes: int) -> bool:
        """Queues a frame. Returns: False if there is no room, or if it builds on one that was refused.

        Errors: `InvalidArgumentError` if the frame is not what its codec carries; nothing has changed then.
        """
        if self.needs_keyframe and not frame.keyframe:
            self.frames_refused += 1
            return False
        media = payload
        packetizer = self._packetizer(payload, tag_bytes)
        if payload.role is Role.RED:
            inner = self.section.send.inside_red(payload)
            media = payload if inner is None else inner
        if len(frame.data) > self.config.max_frame_bytes:
            raise InvalidArgumentError(f"a frame of {len(frame.data)} bytes, max_frame_bytes allows no more")
        clock_rate = media.codec.codec.clock_rate
        if clock_rate != self.sent.clock_rate:
            self.sent.clock_rate = clock_rate
            self._last_media_time = None
        timestamp = self._timestamp(frame.media_time, now, clock_rate)
        if isinstance(packetizer, RedPacketizer):
            payloads = packetizer.packetize(frame.data, timestamp)
        else:
            payloads = packetizer.packetize(frame.data)
        if self.queued + len(payloads) > self.config.max_queued_packets:
            self.refuse()
            return False
        self.needs_keyframe = False
        if frame.keyframe and self.video:
            self.demand.keyframe_sent(now)
        self.payload = payload
        self._last_media_time = frame.media_time
        self._last_given_at = now
        if self._forwarding:
            self._forwarding = False
            self._forwarder.restart()
        if payloads:
            self._enqueue(frame, payload, packetizer, payloads, timestamp, now)
        return True

    def _enqueue(
        self,
        frame: OutgoingFrame,
        payload: Payload,
        packetizer: Packetizer,
        payloads: list[bytes],
        timestamp: int,
        now: Instant,
    ) -> None:
        elements = self._frame_elements(frame, now)
        payload_type = payload.codec.payload_type
        chunks = []
        if isinstance(packetizer, AudioPacketizer) and len(payloads) > 1:
            for one in payloads:
                chunks.append(_Chunk(payload_type, timestamp, (one,), elements, now))
                timestamp = (timestamp + packetizer.timestamp_step(one)) & 0xFFFFFFFF
        else:
            chunks.append(_Chunk(payload_type, timestamp, payloads, elements, now))
        if self.video:
            chunks[-1].marker_last = True
        else:  # the first packet of a talkspurt (RFC 3551 section 4.1)
            chunks[0].marker_first = self._talking_until is None or now > self._talking_until
            self._talking_until = now + 0.5
        chunks[-1].frame_bytes = len(frame.data)
        chunks[-1].keyframe = frame.keyframe
        self._last_timestamp = chunks[-1].timestamp
        for chunk in chunks:
            if frame.capture_time is not None:
                chunk.captured_at = frame.capture_time
            self._queue.append(chunk)
        self.queued += len(payloads)

    def _timestamp(self, media_time: float, now: Instant, clock_rate: int) -> int:
        """The RTP timestamp of a media time; taken on from real time where the media clock jumped, or is a new one."""
        last = self._last_media_time
        if last is None:
            if self.sent.last_packet_at is None and not self.queued:
                self._offset = self.sent.timestamp_offset - round(media_time * clock_rate)
            else:
                self._offset = self._continued(now, clock_rate) - round(media_time * clock_rate)
        elif self._forwarding or abs((media_time - last) - (now - self._last_given_at)) > _REBASE:
            self._offset = self._continued(now, clock_rate) - round(media_time * clock_rate)
        return (self._offset + round(media_time * clock_rate)) & 0xFFFFFFFF

    def _continued(self, now: Instant, clock_rate: int) -> int:
        """The timestamp of now, going on from the last one."""
        return self._last_timestamp + max(1, round((now - self._last_given_at) * clock_rate))

    def _frame_elements(self, frame: OutgoingFrame, now: Instant) -> tuple[tuple[int, bytes], ...]:
        writer = self.section.writer
        elements = []
        if writer.audio_level is not None and frame.audio_level is not None and not self.video:
            level = min(max(frame.audio_level, 0), 127)
            elements.append((writer.audio_level, bytes((level | (0x80 if frame.voice else 0),))))
        if writer.orientation is not None and frame.rotation is not None and self.video:
            elements.append((writer.orientation, bytes((frame.rotation // 90 & 3,))))
        if writer.capture_time is not None and frame.capture_time is not None:
            last = self._last_capture_sent
            if last is None or now - last >= _CAPTURE_INTERVAL:
                self._last_capture_sent = now
                ntp = unix_to_ntp(self.config.wall_epoch + frame.capture_time)
                elements.append((writer.capture_time, ntp.to_bytes(8, "big")))
        return tuple(elements)

    def send_packet(self, packet: RtpPacket, payload: Payload, now: Instant) -> bool:
        """Queues a packet to forward. Returns: False if there is no room."""
        if self.queued >= self.config.max_queued_packets:
            self.refuse()
            return False
        clock_rate = payload.codec.codec.clock_rate
        if clock_rate != self.sent.clock_rate:
            self.sent.clock_rate = clock_rate
            self._forwarder.restart()
        writer = self.section.writer
        elements: list[tuple[int, bytes]] = []
        mapping = packet.extension_map
        if mapping is not None:
            for number, value in packet.extensions.elements.items():
                uri = mapping.uri(number)
                if uri is not None and uri not in _NOT_FORWARDED:
                    ours = writer.map.id(uri)
                    if ours is not None:
                        elements.append((ours, value))
        chunk = _Chunk(payload.codec.payload_type, packet.timestamp, (packet.payload,), tuple(elements), now)
        chunk.source = packet
        chunk.marker_last = packet.marker
        self._queue.append(chunk)
        self.queued += 1
        self.payload = payload
        return True

    # --- feedback ---------------------------------------------------------------------------------------------------

    def receive_nack(self, message: rtcp.Nack) -> None:
        self.nack_count += 1
        if self.rtx is not None:
            room = _NACK_LIMIT - len(self._asked)
            self._asked.extend(message.lost[: max(room, 0)])

    def receive_keyframe_request(self, message: rtcp.Pli | rtcp.Fir) -> None:
        if self.video and self.demand.receive(message):
            if isinstance(message, rtcp.Pli):
                self.pli_count += 1
            else:
                self.fir_count += 1

    # --- out --------------------------------------------------------------------------------------------------------

    @property
    def packets_expected_there(self) -> int:
        """What the receiver should have by its last report: W3C has it tell what came, RTCP tells what is lost."""
        highest = self.sent.remote_highest_sequence_number
        behind = (self.sent.sequence_number - 1 - highest) & 0xFFFF
        return max(self.sent.packets_sent - behind, 0) if highest else 0

    @property
    def pending(self) -> bool:
        """Whether `build` has something to give."""
        return bool(self._queue or self._asked)

    def build(
        self,
        out: list[bytes],
        now: Instant,
        limit: int,
        send_time: bytes,
        twcc: streams.TwccSender | None,
        tag_bytes: int,
    ) -> None:
        """Appends packets to `out`, until it holds `limit`: retransmissions, tones, then what is queued."""
        if self._asked:
            self._build_rtx(out, now, limit, send_time, twcc, tag_bytes)
        if self.tones.payload is not None:
            self._build_tones(out, now, limit, send_time, twcc, tag_bytes)
        queue = self._queue
        while queue and len(out) < limit:
            chunk = queue[0]
            before = len(out)
            taken = self._build_chunk(chunk, out, now, limit - before, send_time, twcc, tag_bytes)
            self.queued -= taken
            if chunk.next >= len(chunk.payloads):
                queue.popleft()
                if chunk.frame_bytes:
                    self._frame_left(chunk)

    def _frame_left(self, chunk: _Chunk) -> None:
        if self.frames_sent and chunk.frame_bytes > _HUGE * self.frame_bytes_sent / self.frames_sent:
            self.huge_frames_sent += 1
        self.frames_sent += 1
        self.key_frames_sent += chunk.keyframe and self.video
        self.frame_bytes_sent += chunk.frame_bytes

    def _build_chunk(
        self,
        chunk: _Chunk,
        out: list[bytes],
        now: Instant,
        room: int,
        send_time: bytes,
        twcc: streams.TwccSender | None,
        tag_bytes: int,
    ) -> int:
        """The hot path: everything that is the same for the packets of a frame is outside the loop."""
        names = [] if self.identified else self._names()
        block = self.section.writer.block([*names, *chunk.elements])
        first, before, tail, counted = self._pieces(block, send_time, twcc)
        fixed = 12 + block.size + tag_bytes
        sent, rtx, source = self.sent, self.rtx, chunk.source
        ssrc = sent.ssrc
        payload_type, timestamp = chunk.payload_type, chunk.timestamp
        payloads = chunk.payloads
        start = chunk.next
        end = min(len(payloads), start + room)
        last = len(payloads) - 1
        chunk.next = end
        self.total_packet_send_delay += (now - chunk.queued_at) * (end - start)
        for number in range(start, end):
            payload = payloads[number]
            marker = (number == last and chunk.marker_last) or (number == 0 and chunk.marker_first)
            packet = RtpPacket(payload_type=payload_type, timestamp=timestamp, payload=payload, marker=marker)
            if source is None:
                sent.stamp(packet, now, chunk.captured_at)
            else:
                packet.csrcs = source.csrcs
                self._forwarding = True
                continue_at = self._continued(now, sent.clock_rate)
                if self._forwarder.stamp(packet, source, sent, continue_at, now) is None:
                    continue
                timestamp = packet.timestamp
                if (timestamp - self._last_timestamp) & 0xFFFFFFFF < 0x80000000:  # a late one moves no clock
                    self._last_timestamp = timestamp
                    self._last_given_at = now
            second = payload_type | 0x80 if marker else payload_type
            head = _HEADER(first | len(packet.csrcs), second, packet.sequence_number, timestamp, ssrc)
            if packet.csrcs:
                head += struct.pack(f">{len(packet.csrcs)}I", *packet.csrcs)
            if counted is None:
                out.append(head + before + tail + payload)
            else:
                wide = counted.sent(ssrc, fixed + len(payload), now)
                out.append(head + before + _U16(wide) + tail + payload)
            self.header_bytes_sent += fixed - tag_bytes
            if rtx is not None:
                if chunk.elements:
                    packet.extensions = HeaderExtensions(dict(chunk.elements))
                rtx.sent(packet, now)
        return end - start

    def _pieces(
        self, block: Block, send_time: bytes, twcc: streams.TwccSender | None
    ) -> tuple[int, bytes, bytes, streams.TwccSender | None]:
        """First byte, what stands before the transport-wide number, what behind it, and who gives that number."""
        if not block.size:
            return 0x80, b"", b"", None
        tail = block.send_time_head + send_time + block.rest if block.send_time_head else block.rest
        return 0x90, block.before, tail, None if self.section.writer.transport_cc is None else twcc

    def _build_rtx(
        self,
        out: list[bytes],
        now: Instant,
        limit: int,
        send_time: bytes,
        twcc: streams.TwccSender | None,
        tag_bytes: int,
    ) -> None:
        rtx = self.rtx
        room = limit - len(out)
        asked, self._asked = self._asked[:room], self._asked[room:]
        if rtx is None or room <= 0:
            return
        names = [] if self.rtx_identified else self._names(repaired=True)
        for packet in rtx.answer(asked, now, self.sent.rtt):
            block = self.section.writer.block([*names, *packet.extensions.elements.items()])
            first, before, tail, counted = self._pieces(block, send_time, twcc)
            second = packet.payload_type | 0x80 if packet.marker else packet.payload_type
            head = _HEADER(first, second, packet.sequence_number, packet.timestamp, packet.ssrc)
            size = 12 + block.size + len(packet.payload) + tag_bytes
            wide = b"" if counted is None else _U16(counted.sent(packet.ssrc, size, now))
            out.append(head + before + wide + tail + packet.payload)
            self.retransmitted_header_bytes += 12 + block.size

    def _build_tones(
        self,
        out: list[bytes],
        now: Instant,
        limit: int,
        send_time: bytes,
        twcc: streams.TwccSender | None,
        tag_bytes: int,
    ) -> None:
        packets, digits = self.tones.poll(now, limit - len(out))
        self.digits += digits
        payload = self.tones.payload
        if payload is None:
            return
        for event in packets:
            chunk = _Chunk(payload.codec.payload_type, event.timestamp, (event.payload,), (), now)
            chunk.marker_last = event.marker
            self._build_chunk(chunk, out, now, 1, send_time, twcc, tag_bytes)

    def tone_timestamp(self, now: Instant) -> int:
        """The timestamp that sound of now would have."""
        if self.sent.last_packet_at is None:
            return self._last_timestamp
        return self._continued(now, self.sent.clock_rate)


def writer_sizes(writer: ExtensionWriter, *, video: bool) -> list[tuple[int, int]]:
    """The largest elements that a frame may carry beside its names, as (identifier, bytes)."""
    sizes = []
    if writer.capture_time is not None:
        sizes.append((writer.capture_time, 8))
    if video and writer.orientation is not None:
        sizes.append((writer.orientation, 1))
    if not video and writer.audio_level is not None:
        sizes.append((writer.audio_level, 1))
    return sizes
