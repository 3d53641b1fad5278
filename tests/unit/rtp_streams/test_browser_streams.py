"""What browsers sent, replayed at its times: counts, losses, jitter, feedback, frames; and what repetitions repair."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.support import vectors
from webrtc_stack.base import NEVER
from webrtc_stack.packetization import EncodedFrame, parse_red, payload_format
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri, is_rtcp, rtcp
from webrtc_stack.rtp.ntp import compact_ntp, seconds_to_compact
from webrtc_stack.rtp.streams import (
    Item,
    JitterBuffer,
    JitterBufferConfig,
    Lost,
    NackGenerator,
    ReceivedStream,
    ReceiverConfig,
    RtxReceiver,
    TwccReceiver,
    TwccSender,
)

CASES = {case["id"]: case for case in vectors.cases("rtp/browser_streams.json")}


class Expected(NamedTuple):
    """Of one direction of a session. Jitter in units of the RTP clock: audio, video."""

    session: str
    role: str
    audio: int
    video: int
    rtx: int
    padding: int
    frames: int
    keyframes: int
    jitter: tuple[int, int]
    reported: int
    """Packets of which the other browser's feedback tells within the capture."""


DIRECTIONS = [
    Expected("chromium_firefox", "client", 21, 2, 13, 6, 2, 1, (269, 25), 19),
    Expected("chromium_firefox", "server", 16, 13, 9, 6, 7, 1, (220, 345), 34),
    Expected("firefox_chromium", "client", 12, 9, 36, 19, 5, 1, (68, 152), 46),
    Expected("firefox_chromium", "server", 12, 6, 18, 8, 6, 1, (107, 89), 31),
    Expected("firefox_firefox", "client", 18, 5, 21, 19, 5, 2, (204, 576), 41),
    Expected("firefox_firefox", "server", 20, 10, 18, 18, 10, 1, (188, 93), 48),
]
each_direction = pytest.mark.parametrize("expected", DIRECTIONS, ids=lambda e: f"{e.session}-{e.role}")


class Direction:
    """One direction: its packets with their times, and the feedback that came back."""

    def __init__(self, expected: Expected) -> None:
        case = CASES[expected.session]
        self.types: dict[str, int] = case["payload_types"]
        self.extensions = ExtensionMap({int(number): uri for number, uri in case["extensions"].items()})
        self.audio, self.video, self.rtx = (case["streams"][expected.role][kind] for kind in ("audio", "video", "rtx"))
        self.rtp: list[tuple[float, RtpPacket]] = []
        self.rtcp: list[tuple[float, rtcp.RtcpPacket]] = []
        self.feedback: list[tuple[float, rtcp.TransportCc]] = []
        for at, role, text in case["packets"]:
            data = bytes.fromhex(text)
            if not is_rtcp(data):
                if role == expected.role:
                    packet = RtpPacket.parse(data, self.extensions)
                    assert packet.serialize() == data
                    self.rtp.append((at, packet))
                continue
            found = rtcp.parse_compound(data)
            if role == expected.role:
                self.rtcp += [(at, packet) for packet in found]
            else:
                self.feedback += [(at, packet) for packet in found if isinstance(packet, rtcp.TransportCc)]

    def repeated(self) -> RtxReceiver:
        receiver = RtxReceiver()
        types = self.types
        receiver.associate(self.rtx, self.video, {types["red_rtx"]: types["red"], types["vp8_rtx"]: types["vp8"]})
        return receiver

    def streams(self) -> dict[int, ReceivedStream]:
        clocks = {self.audio: 48_000, self.video: 90_000, self.rtx: 90_000}
        return {ssrc: ReceivedStream(ssrc, ReceiverConfig(clock_rate=clock)) for ssrc, clock in clocks.items()}

    def vp8(self, packet: RtpPacket) -> RtpPacket:
        """The VP8 packet inside the RED packet that browsers send."""
        (block,) = parse_red(packet.payload)
        assert block.payload_type == self.types["vp8"]
        inside = packet.copy()
        inside.payload = block.data
        return inside


@each_direction
def test_every_packet_is_counted_and_none_is_lost(expected: Expected) -> None:
    direction = Direction(expected)
    streams = direction.streams()
    for at, packet in direction.rtp:
        assert streams[packet.ssrc].receive(packet, at) is not None
    found = [streams[ssrc] for ssrc in (direction.audio, direction.video, direction.rtx)]
    assert [stream.packets_received for stream in found] == [expected.audio, expected.video, expected.rtx]
    assert [(s.packets_lost, s.late_or_duplicate, s.discarded, s.restarts) for s in found] == [(0, 0, 0, 0)] * 3
    last = direction.rtp[-1][0]
    for stream in found:
        numbers = [packet.sequence_number for _, packet in direction.rtp if packet.ssrc == stream.ssrc]
        block = stream.report_block(last)
        assert block[:4] == (stream.ssrc, 0, 0, numbers[-1])
        # Padding at timestamp 0 in front of an RTX stream is no jitter; that repetitions are older than padding is.
        assert stream.jitter_seconds < (0.05 if stream.ssrc == direction.rtx else 0.01)
    assert tuple(stream.jitter for stream in found[:2]) == expected.jitter


@each_direction
def test_extensions_name_the_section_and_the_times(expected: Expected) -> None:
    direction = Direction(expected)
    numbers, shifts = [], []
    for at, packet in direction.rtp:
        assert packet.get(Uri.MID) == ("0" if packet.ssrc == direction.audio else "1")
        numbers.append(packet.get(Uri.TRANSPORT_CC))
        assert (packet.get(Uri.AUDIO_LEVEL) is not None) == (packet.ssrc == direction.audio)
        sent = packet.get(Uri.ABS_SEND_TIME)
        if sent is not None:
            shifts.append((at * 262144 - sent) % (1 << 24) / 262144)
    assert numbers == list(range(1, len(direction.rtp) + 1))
    assert max(shifts) - min(shifts) < 0.01


@each_direction
def test_the_other_browsers_feedback_tells_of_each_packet_when_it_came(expected: Expected) -> None:
    direction = Direction(expected)
    sender, captured, results = TwccSender(first=1), {}, []
    for at, packet in direction.rtp:
        captured[sender.sent(packet.ssrc, packet.size, at)] = at
    for _, message in direction.feedback:
        results += sender.receive(message)
    assert [result.sequence_number for result in results] == list(range(1, expected.reported + 1))
    assert all(result.received for result in results)
    shifts = [result.arrival - captured[result.sequence_number] for result in results if result.arrival is not None]
    assert len(shifts) == len(results)
    # Both browsers were busy starting up: some packets lay in the socket for a while, none came before it was sent.
    assert max(shifts) - min(shifts) < 0.075
    assert sorted(shifts)[len(shifts) // 2] - min(shifts) < 0.06


@each_direction
def test_our_feedback_tells_what_the_browsers_did(expected: Expected) -> None:
    direction = Direction(expected)
    receiver, told = TwccReceiver(), {}
    sender = TwccSender(first=1)
    end = direction.rtp[-1][0] + 1.0
    for at, packet in [*direction.rtp, (end, None)]:
        while receiver.next_timeout() <= at:
            for message in receiver.messages(9, receiver.next_timeout()):
                read = rtcp.parse_compound(message.serialize())
                assert read == [message]
                for result in sender.receive(message):
                    told[result.sequence_number] = result.arrival
        if packet is not None:
            sender.sent(packet.ssrc, packet.size, at)
            receiver.receive(packet.get(Uri.TRANSPORT_CC), packet.ssrc, at)
    assert list(told) == list(range(1, len(direction.rtp) + 1))
    arrivals = [arrival for arrival in told.values() if arrival is not None]
    shifts = [arrival - at for arrival, (at, _) in zip(arrivals, direction.rtp, strict=True)]
    assert max(shifts) - min(shifts) <= 0.00025 + 1e-9  # the resolution of a delta


@each_direction
def test_rtx_packets_are_probes_that_repeat_the_media_or_hold_padding(expected: Expected) -> None:
    direction, seen = Direction(expected), {}
    receiver = direction.repeated()
    for _, packet in direction.rtp:
        if packet.ssrc == direction.video:
            seen[packet.sequence_number] = packet
        elif packet.ssrc == direction.rtx:
            original = receiver.unwrap(packet)
            if original is None:
                assert packet.padding and not packet.payload
                continue
            media = seen[original.sequence_number]
            for name in ("ssrc", "payload_type", "timestamp", "marker", "payload"):
                assert getattr(original, name) == getattr(media, name)
    assert receiver.padding_received == expected.padding
    assert receiver.packets_received == expected.rtx - expected.padding
    assert not receiver.drops.by_reason


@dataclass
class Outcome:
    """What a replay of the video gave."""

    frames: list[EncodedFrame] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    recovered: int = 0
    lost: int = 0
    held: int = 0
    left: int = 0


def replay(direction: Direction, dropped: frozenset[int] = frozenset()) -> Outcome:
    """The video through statistics, NACK, RTX, jitter buffer and depacketizer, some media packets left out."""
    stream, nacks, rtx = direction.streams()[direction.video], NackGenerator(), direction.repeated()
    buffer = JitterBuffer(JitterBufferConfig(max_delay=1.0))
    buffer.set_repair_delay(0.3 if dropped else 0.0)
    depacketizer = payload_format("VP8").depacketizer()
    outcome = Outcome()

    def play(now: float) -> None:
        for found in buffer.pop(now):
            if isinstance(found, Lost):
                outcome.lost += found.last - found.first + 1
            else:
                outcome.frames += depacketizer.push(direction.vp8(found.data))
        if buffer.next_index is not None:
            nacks.forget_before(buffer.next_index)
        message = nacks.message(9, stream.ssrc, now)
        if message is not None:
            outcome.asked += [number for number in message.lost if number not in outcome.asked]

    for at, packet in direction.rtp:
        while (wake := min(buffer.next_timeout(), nacks.next_timeout())) < at:
            play(wake)
        repaired = packet.ssrc == direction.rtx
        media = rtx.unwrap(packet) if repaired else packet
        if media is None or media.ssrc != direction.video or (not repaired and media.sequence_number in dropped):
            continue
        index = stream.index_of(media.sequence_number) if repaired else stream.receive(media, at)
        assert index is not None
        nacks.received(index, at)
        buffer.push(Item(index, index, media.timestamp, media), at, repaired=repaired)
        outcome.held = max(outcome.held, len(buffer))
        play(at)
    while (wake := min(buffer.next_timeout(), nacks.next_timeout())) < NEVER:
        play(wake)
    outcome.recovered = nacks.counters.recovered
    outcome.left = len(buffer) + len(nacks)
    return outcome


@each_direction
def test_the_video_comes_out_whole(expected: Expected) -> None:
    direction = Direction(expected)
    outcome = replay(direction)
    assert len(outcome.frames) == expected.frames
    assert sum(frame.keyframe for frame in outcome.frames) == expected.keyframes
    assert outcome.frames[0].keyframe and not any(frame.follows_loss for frame in outcome.frames)
    markers = [packet.timestamp for _, packet in direction.rtp if packet.ssrc == direction.video and packet.marker]
    assert [frame.timestamp for frame in outcome.frames] == markers
    assert (outcome.lost, outcome.asked, outcome.recovered, outcome.left) == (0, [], 0, 0)


@each_direction
def test_what_is_dropped_is_asked_for_and_the_browsers_own_repetition_repairs_it(expected: Expected) -> None:
    direction = Direction(expected)
    whole = replay(direction)
    receiver = direction.repeated()
    copies = [receiver.unwrap(packet) for _, packet in direction.rtp if packet.ssrc == direction.rtx]
    again = {packet.sequence_number for packet in copies if packet is not None}
    media = [packet.sequence_number for _, packet in direction.rtp if packet.ssrc == direction.video]
    dropped = frozenset(again & set(media[1:]))  # the first one lost could not be missed: the stream would begin later
    outcome = replay(direction, dropped)
    assert outcome.frames == whole.frames
    assert set(outcome.asked) <= dropped and outcome.recovered == len(outcome.asked)
    assert (outcome.lost, outcome.left) == (0, 0)


@each_direction
def test_a_loss_that_nobody_repairs_costs_frames_and_breaks_none(expected: Expected) -> None:
    direction = Direction(expected)
    whole = {frame.data for frame in replay(direction).frames}
    media = [packet.sequence_number for _, packet in direction.rtp if packet.ssrc == direction.video]
    direction.rtp = [(at, packet) for at, packet in direction.rtp if packet.ssrc != direction.rtx]
    for number in media[1:-1]:
        outcome = replay(direction, frozenset([number]))
        assert outcome.lost == 1 and outcome.asked == [number]
        assert {frame.data for frame in outcome.frames} < whole


@each_direction
def test_the_audio_is_twenty_milliseconds_a_packet(expected: Expected) -> None:
    direction = Direction(expected)
    depacketizer = payload_format("opus").depacketizer()
    buffer, stream = JitterBuffer(JitterBufferConfig(clock_rate=48_000)), direction.streams()[direction.audio]
    frames: list[EncodedFrame] = []
    for at, packet in direction.rtp:
        if packet.ssrc == direction.audio:
            index = stream.receive(packet, at)
            assert index is not None
            buffer.push(Item(index, index, packet.timestamp, packet), at)
    while buffer.next_timeout() < NEVER:
        for found in buffer.pop(buffer.next_timeout()):
            assert isinstance(found, Item)
            frames += depacketizer.push(found.data)
    assert len(frames) == expected.audio
    times = [frame.timestamp for frame in frames]
    assert times == [times[0] + 960 * number for number in range(len(times))]


def reports_of(session: str, role: str) -> tuple[Direction, float, rtcp.SenderReport]:
    direction = Direction(next(e for e in DIRECTIONS if (e.session, e.role) == (session, role)))
    at, report = next((at, packet) for at, packet in direction.rtcp if isinstance(packet, rtcp.SenderReport))
    return direction, at, report


def test_a_sender_report_counts_what_was_captured_with_the_retransmissions() -> None:
    """libwebrtc counts the RTX stream into the report of the media's SSRC, padding as packets without octets."""
    direction, when, report = reports_of("firefox_firefox", "client")
    before = [p for at, p in direction.rtp if at < when and p.ssrc in (direction.video, direction.rtx)]
    assert report.ssrc == direction.video
    assert report.packet_count == len(before) == 22
    assert report.octet_count == sum(len(packet.payload) for packet in before) == 2356


@pytest.mark.parametrize("session", ["chromium_firefox", "firefox_firefox"])
def test_a_report_block_answers_the_browsers_sender_report(session: str) -> None:
    direction, when, report = reports_of(session, "client")
    stream: Any = direction.streams()[direction.video]
    for at, packet in direction.rtp:
        if packet.ssrc == direction.video:
            stream.receive(packet, at)
    stream.receive_sender_report(report, when)
    block = stream.report_block(when + 0.25)
    assert block.last_sr == compact_ntp(report.ntp_timestamp)
    assert block.delay_since_last_sr == seconds_to_compact(0.25)
    clock = stream.sender_clock
    assert clock is not None and math.isfinite(clock.ntp_time)
    captured, packet = next((at, packet) for at, packet in direction.rtp if packet.ssrc == direction.video)
    # What the report's pair of clocks says of the first frame's way to the network, its packet says too.
    age = ((report.rtp_timestamp - packet.timestamp) & 0xFFFFFFFF) / 90_000 - (when - captured)
    assert age == pytest.approx(packet.get(Uri.TRANSMISSION_OFFSET) / 90_000, abs=0.006)
