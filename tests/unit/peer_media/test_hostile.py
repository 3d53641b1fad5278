"""A peer that holds the keys and sends nonsense: tables and queues stay at their limits, and the session goes on."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import SecurityError
from webrtc_stack.peer.media import FramesReceived, MediaSession, OutgoingFrame
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri
from webrtc_stack.rtp.rtcp import (
    Bye,
    Fir,
    FirItem,
    Nack,
    Pli,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    TransportCc,
    serialize_compound,
)
from webrtc_stack.srtp import SrtpContext

from .support import AUDIO, VIDEO, VIDEO_EXTENSIONS, audio, keys, opus_packet, session, video, vp8_frame

TYPES = (96, 97, 102, 103, 111, 110, 0, 13, 35)
MAP = ExtensionMap(VIDEO_EXTENSIONS)


class Storm:
    """Authentic packets with hostile content, drawn from a seed."""

    def __init__(self, seed: int, target: MediaSession, out: SrtpContext) -> None:
        self.entropy = SeededEntropy(f"storm {seed}")
        self.target = target
        self.out = out
        self.now = 0.0
        self.numbers: dict[int, int] = {}

    def rtp(self) -> bytes:
        chance = self.entropy.bytes(24)
        ssrc = (2000, 2100, 1000, 4000 + chance[0] % 100)[chance[1] & 3]
        step = 1 if chance[2] < 200 else chance[3] << (chance[2] & 7)
        number = self.numbers[ssrc] = self.numbers.get(ssrc, chance[4]) + step
        packet = RtpPacket(
            payload_type=TYPES[chance[5] % len(TYPES)],
            sequence_number=number & 0xFFFF,
            timestamp=int.from_bytes(chance[6:10], "big") if chance[10] < 40 else number * 960 & 0xFFFFFFFF,
            ssrc=ssrc,
            marker=chance[11] < 60,
            payload=self.entropy.bytes(chance[12] * 4),
            extension_map=MAP,
        )
        if chance[13] < 80:
            packet.set(Uri.MID, "01x"[chance[14] % 3])
        packet.set(Uri.TRANSPORT_CC, int.from_bytes(chance[15:17], "big"))
        try:
            return self.out.protect(packet.serialize())
        except SecurityError:
            return b""  # its number came before: the sender's own SRTP refuses

    def rtcp(self) -> bytes:
        chance = self.entropy.bytes(16)
        number = int.from_bytes(chance[:4], "big")
        ours = (1001, 2001, 2101, number)[chance[4] & 3]
        theirs = (1000, 2000, 2100, number & 63)[chance[5] & 3]
        block = ReportBlock(ours, chance[6], 5, number, number, number, number)
        messages = (
            SenderReport(ssrc=theirs, ntp_timestamp=number << 20, rtp_timestamp=number, packet_count=1, octet_count=1),
            ReceiverReport(ssrc=theirs, reports=(block,)),
            Nack.from_lost(theirs, ours, range(chance[7])) if chance[7] else Pli(sender_ssrc=1, media_ssrc=ours),
            Pli(sender_ssrc=theirs, media_ssrc=ours),
            Fir(sender_ssrc=theirs, items=(FirItem(ours, chance[8]),)),
            Bye(ssrcs=(theirs,)),
            TransportCc.from_arrivals(
                sender_ssrc=theirs,
                media_ssrc=ours,
                base_sequence_number=number & 0xFFFF,
                feedback_count=chance[11],
                status_count=chance[9],
                arrivals=[],
            ),
        )
        return self.out.protect_rtcp(serialize_compound([messages[chance[10] % len(messages)]]))

    def blow(self, count: int, *, polled: bool) -> None:
        for number in range(count):
            self.target.receive_many([self.rtcp() if number % 4 == 0 else self.rtp()], self.now)
            self.now += 0.002
            if number % 20 == 0:
                self.target.handle_timeout(self.now)
                self.target.poll_transmits(self.now)
                if polled:
                    self.target.poll_events()


def _target(**config: int) -> tuple[MediaSession, SrtpContext]:
    target = session(1, **config)
    target.configure([audio(1), video(1)], 0.0)
    out, inbound = keys(1)
    target.set_keys(keys(2)[0], inbound, 0.0)
    for number in range(20):
        target.send_frame(VIDEO, OutgoingFrame(vp8_frame(number, keyframe=True), number / 30, keyframe=True), 0.0)
        target.send_frame(AUDIO, OutgoingFrame(opus_packet(number), number / 50), 0.0)
    return target, out


SMALL = {"max_pending_frames": 32, "max_pending_packets": 32, "max_pending_events": 64, "max_learned_sources": 8}


def _growth(count: int, *, polled: bool, playout: bool) -> int:
    target, out = _target(**SMALL)
    for handle in (AUDIO, VIDEO):
        target.set_delivery(handle, 0.0, packets=True, playout=playout)
    storm = Storm(1, target, out)
    storm.blow(1000, polled=polled)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        storm.blow(count, polled=polled)
        target.poll_events()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("polled", "playout"), [(True, False), (False, True)])
def test_a_storm_of_authentic_nonsense_leaves_nothing_behind(polled: bool, playout: bool) -> None:
    assert _growth(2_000, polled=polled, playout=playout) < 1 << 20


@pytest.mark.slow
def test_a_long_storm_leaves_nothing_behind_either() -> None:
    """20,000 packets: tracing memory makes each dear, and the sender's own SRTP is paid for here, too."""
    assert _growth(20_000, polled=True, playout=False) < 1 << 20


def test_behind_the_storm_calls_go_on() -> None:
    target, out = _target()
    storm = Storm(2, target, out)
    storm.blow(4000, polled=True)
    events = []
    for number in range(40):
        storm.numbers[1000] = storm.numbers.get(1000, 0) + 1
        packet = RtpPacket(payload_type=111, sequence_number=storm.numbers[1000] & 0xFFFF, timestamp=number * 960)
        packet.ssrc = 1000
        packet.payload = opus_packet(number)
        packet.extension_map = MAP
        packet.set(Uri.MID, "0")  # the storm had moved the source elsewhere
        target.receive(out.protect(packet.serialize()), storm.now)
        storm.now += 0.02
        events += target.poll_events()
    got = [frame.data for event in events if isinstance(event, FramesReceived) for frame in event.frames]
    assert opus_packet(39) in got
    assert target.drops.total > 0


def test_frames_without_end_are_cut_off() -> None:
    target, out = _target(max_frame_bytes=50_000)
    for number in range(300):
        packet = RtpPacket(
            payload_type=96, sequence_number=number, timestamp=5, ssrc=2000, payload=b"\x00" + bytes(1000)
        )
        packet.payload = (b"\x10" if not number else b"\x00") + packet.payload[1:]
        target.receive(out.protect(packet.serialize()), 0.001 * number)
    assert not [event for event in target.poll_events() if isinstance(event, FramesReceived)]
    assert target._router.sources[2000]._depacketizer is not None
    assert target._router.sources[2000]._depacketizer.drops["frame too large"] > 0


def test_a_peer_that_asks_for_everything_again_and_again_gets_it_once_a_round_trip() -> None:
    target, out = _target()
    sent = len(target.poll_transmits(0.0, 1000))
    nack = out.protect_rtcp(serialize_compound([Nack.from_lost(1, 2001, range(65_000, 65_535))]))
    target.receive(nack, 0.01)
    assert len(target.poll_transmits(0.01, 1000)) == 0
    video_facts = target.outbound()[1]
    asked = range(
        target._table.by_ssrc[2001].sent.sequence_number - 50, target._table.by_ssrc[2001].sent.sequence_number
    )
    answers = 0
    for round_ in range(100):
        message = serialize_compound([Nack.from_lost(1, 2001, [number & 0xFFFF for number in asked])])
        target.receive(out.protect_rtcp(message), 0.02 + round_ * 0.0001)
        answers += len(target.poll_transmits(0.02 + round_ * 0.0001, 1000))
    assert 50 <= answers <= 101
    assert sent > 50 and video_facts.nack_count == 1
