"""Which section and which layer a packet belongs to, and what happens to those that belong nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from webrtc_stack.base import Unwrapper
from webrtc_stack.peer.media import (
    FramesReceived,
    MediaSession,
    OutgoingFrame,
    PacketsReceived,
    SourceEnded,
    SourceStarted,
)
from webrtc_stack.peer.negotiation.rtp_plan import RemoteSource
from webrtc_stack.peer.parameters import TransceiverHandle
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri
from webrtc_stack.rtp.rtcp import (
    Bye,
    Pli,
    ReceiverReport,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from webrtc_stack.sdp import Direction
from webrtc_stack.srtp import SrtpContext

from .support import (
    AUDIO,
    H264,
    LAYERS,
    OPUS,
    VIDEO,
    VIDEO_EXTENSIONS,
    VP8,
    Plan,
    audio,
    keys,
    opus_packet,
    session,
    simulcast_receiver,
    video,
    vp8_frame,
)


class Peer:
    """A hand-made sender: packets with whatever header, rightly protected."""

    def __init__(self, sections: list[Plan], **config: Any) -> None:
        self.session: MediaSession = session(1, **config)
        self.session.configure(sections, 0.0)
        self.out, inbound = keys(1)
        self.back = keys(2)[1]
        self.session.set_keys(keys(2)[0], inbound, 0.0)
        self.now = 0.0
        self.numbers: dict[int, int] = {}

    def packet(self, ssrc: int, payload_type: int, payload: bytes, **names: str) -> bytes:
        number = self.numbers[ssrc] = self.numbers.get(ssrc, 99) + 1
        packet = RtpPacket(
            payload_type=payload_type,
            sequence_number=number,
            timestamp=number * 960,
            ssrc=ssrc,
            marker=True,
            payload=payload,
            extension_map=ExtensionMap(VIDEO_EXTENSIONS),
        )
        for name, value in names.items():
            packet.set(Uri[name.upper()], value)
        return self.out.protect(packet.serialize())

    def send(self, *packets: bytes) -> list[Any]:
        self.now += 0.01
        self.session.receive_many(packets, self.now)
        return self.session.poll_events()


OTHER = TransceiverHandle(3)


def second_video() -> Plan:
    plan = video(1, remote_sources=())
    return replace(plan, transceiver=OTHER, mid="2")


KEY = b"\x10" + vp8_frame(0, keyframe=True, size=100)


def frames(events: list[Any]) -> list[tuple[int, str | None]]:
    return [(event.handle, event.rid) for event in events if isinstance(event, FramesReceived)]


def test_mid_leads_and_moves() -> None:
    peer = Peer([video(1, remote_sources=()), second_video()])
    assert frames(peer.send(peer.packet(50, 96, KEY, mid="1"))) == [(VIDEO, None)]
    assert frames(peer.send(peer.packet(50, 96, KEY))) == [(VIDEO, None)], "the SSRC is known now"
    events = peer.send(peer.packet(50, 96, KEY, mid="2"))
    assert frames(events) == [(OTHER, None)]
    assert SourceEnded(VIDEO, 50, "moved") in events
    assert peer.send(peer.packet(51, 96, KEY, mid="9")) == []
    assert peer.session.drops["unknown mid"] == 1


def test_one_burst_may_change_sections_in_the_middle() -> None:
    peer = Peer([video(1, remote_sources=()), second_video()])
    burst = [peer.packet(50, 96, KEY, mid=mid) for mid in ("1", "1", "2", "9", "2")]
    assert frames(peer.send(*burst)) == [(OTHER, None)], "what was the first section's is forgotten with it"
    assert peer.session.drops["unknown mid"] == 1


def test_an_announced_ssrc_needs_no_mid() -> None:
    peer = Peer([audio(1), video(1), second_video()])
    assert frames(peer.send(peer.packet(2000, 96, KEY))) == [(VIDEO, None)]
    assert frames(peer.send(peer.packet(1000, 111, opus_packet(1)))) == [(AUDIO, None)]


def test_a_payload_type_of_one_section_only_is_enough() -> None:
    peer = Peer([audio(1, remote_sources=()), video(1, remote_sources=())])
    assert frames(peer.send(peer.packet(70, 96, KEY))) == [(VIDEO, None)]
    assert frames(peer.send(peer.packet(71, 111, opus_packet(1)))) == [(AUDIO, None)]
    peer = Peer([video(1, remote_sources=()), second_video()])
    assert peer.send(peer.packet(70, 96, KEY)) == []
    assert peer.session.drops["no section"] == 1


def test_layers_are_found_by_rid() -> None:
    peer = Peer([simulcast_receiver()])
    for ssrc, rid in zip((61, 62, 63), LAYERS, strict=True):
        assert frames(peer.send(peer.packet(ssrc, 96, KEY, mid="1", rid=rid))) == [(VIDEO, rid)]
        assert frames(peer.send(peer.packet(ssrc, 96, KEY))) == [(VIDEO, rid)]
    assert peer.send(peer.packet(64, 96, KEY, mid="1", rid="x")) == []
    assert peer.session.drops["unknown rid"] == 1
    assert peer.send(peer.packet(65, 96, KEY, rid="x")) == []


def test_repairs_are_found_by_repaired_rid_before_or_behind_their_source() -> None:
    peer = Peer([simulcast_receiver()])
    lost = (150).to_bytes(2, "big")
    peer.send(peer.packet(92, 97, lost + KEY, mid="1", repaired_rid="m"))
    assert peer.session.drops["repair without a stream"] == 1
    peer.send(peer.packet(62, 96, KEY, mid="1", rid="m"), peer.packet(61, 96, KEY, mid="1", rid="h"))
    assert {facts.rid: facts.rtx_ssrc for facts in peer.session.inbound()} == {"m": 92, "h": None}
    peer.send(peer.packet(91, 97, lost + KEY, mid="1", repaired_rid="h"))
    assert {facts.rid: facts.rtx_ssrc for facts in peer.session.inbound()} == {"m": 92, "h": 91}
    assert {facts.retransmitted_packets_received for facts in peer.session.inbound()} == {0, 1}


def test_a_repair_is_that_of_its_layer_and_not_of_the_last_one_heard() -> None:
    peer = Peer([simulcast_receiver()])
    peer.send(peer.packet(61, 96, KEY, mid="1", rid="h"))
    peer.send(peer.packet(62, 96, KEY, mid="1", rid="m"))
    peer.send(peer.packet(91, 97, (99).to_bytes(2, "big") + KEY, mid="1", repaired_rid="h"))
    assert {facts.rid: facts.rtx_ssrc for facts in peer.session.inbound()} == {"h": 91, "m": None}


def test_the_only_source_is_what_an_unannounced_repair_repairs() -> None:
    peer = Peer([video(1, remote_sources=())])
    peer.session.set_delivery(VIDEO, 0.0, packets=True)
    peer.send(peer.packet(50, 96, KEY))
    peer.numbers[50] += 1
    peer.send(peer.packet(50, 96, KEY))
    events = peer.send(peer.packet(90, 97, (101).to_bytes(2, "big") + KEY))
    (packets,) = [event for event in events if isinstance(event, PacketsReceived)]
    assert [(one.ssrc, one.sequence_number) for one in packets.packets] == [(50, 101)]
    assert peer.send(peer.packet(90, 97, (101).to_bytes(2, "big") + KEY)) == [], "it came already"
    assert peer.send(peer.packet(90, 97, (100).to_bytes(2, "big") + KEY)) == [], "it was never missing"


def test_a_flood_of_sources_is_bounded_and_harms_nobody() -> None:
    peer = Peer([video(1)], max_learned_sources=8)
    peer.send(peer.packet(2000, 96, KEY))
    for ssrc in range(10_000, 10_200):
        peer.send(peer.packet(ssrc, 96, KEY, mid="1"))
    assert len(peer.session.inbound()) == 9
    assert peer.session.drops["too many sources"] == 192
    assert frames(peer.send(peer.packet(2000, 96, KEY))) == [(VIDEO, None)]
    peer.now += 6
    events = peer.send(peer.packet(20_000, 96, KEY, mid="1"))
    assert SourceStarted(VIDEO, None, 20_000) in events
    assert any(isinstance(event, SourceEnded) and event.reason == "evicted" for event in events)
    assert len(peer.session.inbound()) == 9


def test_payload_types_never_negotiated_are_counted() -> None:
    peer = Peer([video(1)])
    assert peer.send(peer.packet(2000, 35, KEY)) == []
    assert peer.session.drops["payload type"] == 1
    peer.send(peer.packet(2000, 96, KEY))
    assert frames(peer.send(peer.packet(2000, 35, KEY))) == []
    assert frames(peer.send(peer.packet(2000, 96, KEY))) == [(VIDEO, None)]


def test_nothing_is_taken_where_the_direction_forbids_it() -> None:
    peer = Peer([video(1, direction=Direction.SENDONLY)])
    assert peer.send(peer.packet(2000, 96, KEY)) == []
    assert peer.session.drops["direction"] == 1


def test_a_section_that_goes_takes_its_sources_with_it_and_says_bye() -> None:
    peer = Peer([audio(1), video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    peer.session.send_frame(VIDEO, OutgoingFrame(vp8_frame(0, keyframe=True), 0.0, keyframe=True), peer.now)
    peer.session.poll_transmits(peer.now)
    peer.session.configure([audio(1)], peer.now)
    assert SourceEnded(VIDEO, 2000, "removed") in peer.session.poll_events()
    assert [facts.handle for facts in peer.session.inbound()] == []
    peer.now += 0.1
    said = [peer.back.unprotect_rtcp(data) for data in peer.session.poll_transmits(peer.now)]
    byes = [item for data in said for item in parse_compound(data) if isinstance(item, Bye)]
    assert [bye.ssrcs for bye in byes] == [(2001,)]


def test_a_source_that_is_announced_no_more_is_forgotten() -> None:
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    peer.session.configure([video(1, remote_sources=(RemoteSource(2222, 2223),))], peer.now)
    assert SourceEnded(VIDEO, 2000, "removed") in peer.session.poll_events()
    assert frames(peer.send(peer.packet(2222, 96, KEY))) == [(VIDEO, None)]
    assert [facts.ssrc for facts in peer.session.inbound()] == [2222]


def test_a_source_that_rests_keeps_what_it_counted() -> None:
    """Descriptions name no sources while the peer does not send; W3C has counters go on, as the SSRC is the same."""
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    (before,) = peer.session.inbound()
    peer.session.configure([video(1, direction=Direction.SENDONLY, remote_sources=())], peer.now)
    assert SourceEnded(VIDEO, 2000, "direction") in peer.session.poll_events()
    (resting,) = peer.session.inbound()
    assert resting == replace(before, active=False)
    peer.session.configure([video(1)], peer.now)
    assert frames(peer.send(peer.packet(2000, 96, KEY))) == [(VIDEO, None)]
    (after,) = peer.session.inbound()
    assert (after.packets_received, after.frames_received, after.active) == (2, 2, True)


def test_a_resting_source_that_another_section_announces_moves_there() -> None:
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    resting = video(1, direction=Direction.SENDONLY, remote_sources=())
    moved = replace(video(1), transceiver=OTHER, mid="2")
    peer.session.configure([resting, moved], peer.now)
    assert frames(peer.send(peer.packet(2000, 96, KEY))) == [(OTHER, None)]


def test_a_copy_that_nobody_asked_for_is_no_retransmission() -> None:
    """Chromium fills its probes for bandwidth with packets that have long come."""
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))  # 100
    peer.numbers[2000] += 1  # 101 is lost
    peer.send(peer.packet(2000, 96, KEY))  # 102
    peer.session.poll_transmits(peer.now)
    for number in (100, 102, 101, 101):
        peer.send(peer.packet(2100, 97, number.to_bytes(2, "big") + KEY))
    peer.send(peer.packet(2100, 97, b""))
    (facts,) = peer.session.inbound()
    assert (facts.packets_received, facts.packets_lost) == (7, 1)
    assert facts.retransmitted_packets_received == 2, "the second answer was asked for as the first one was"
    assert facts.retransmitted_bytes_received == 2 * len(KEY)


def test_a_payload_type_that_means_another_codec_from_now_on() -> None:
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    swapped = replace(H264, payload_type=96)
    peer.session.configure([video(1, receive_codecs=(swapped, replace(VP8, payload_type=102)))], peer.now)
    idr = b"\x65" + bytes(range(1, 100))
    sps, pps = b"\x67\x42\xe0\x1f\x8c\x8d\x40", b"\x68\xce\x3c\x80"
    together = b"\x78" + b"".join(len(one).to_bytes(2, "big") + one for one in (sps, pps, idr))
    (event,) = [one for one in peer.send(peer.packet(2000, 96, together)) if isinstance(one, FramesReceived)]
    assert event.frames[0].codec == swapped and event.frames[0].keyframe


def test_nothing_is_asked_of_a_source_that_has_ended() -> None:
    peer = Peer([video(1)])
    peer.send(peer.packet(2000, 96, KEY))
    peer.session.request_keyframe(VIDEO, peer.now)
    assert peer.session.poll_transmits(peer.now)
    bye = serialize_compound([ReceiverReport(ssrc=2000), SourceDescription.with_cname(2000, "x"), Bye(ssrcs=(2000,))])
    assert SourceEnded(VIDEO, 2000, "bye") in peer.send(peer.out.protect_rtcp(bye))
    for _ in range(40):
        peer.now += 0.5
        peer.session.handle_timeout(peer.now)
        for data in peer.session.poll_transmits(peer.now):
            assert not any(isinstance(one, Pli) for one in parse_compound(peer.back.unprotect_rtcp(data)))


def test_an_end_and_a_beginning_between_two_polls_are_no_news() -> None:
    peer = Peer([audio(1)])
    peer.send(peer.packet(1000, 111, opus_packet(1)))
    bye = serialize_compound([ReceiverReport(ssrc=1000), SourceDescription.with_cname(1000, "x"), Bye(ssrcs=(1000,))])
    peer.session.receive(peer.out.protect_rtcp(bye), peer.now)
    events = peer.send(peer.packet(1000, 111, opus_packet(2)))
    assert [type(event) for event in events] == [FramesReceived]
    assert [facts.active for facts in peer.session.inbound()] == [True]


def test_a_report_that_overtakes_its_source_is_of_use() -> None:
    peer = Peer([audio(1)])
    for ssrc in (1000, *range(50)):
        report = SenderReport(ssrc=ssrc, ntp_timestamp=5 << 32, rtp_timestamp=96_000, packet_count=1, octet_count=1)
        packet = peer.out.protect_rtcp(serialize_compound([report, SourceDescription.with_cname(ssrc, "x")]))
        if ssrc < 1000:
            peer.send(packet)
        else:
            last = packet
    peer.send(last)
    at = peer.now
    (event,) = [one for one in peer.send(peer.packet(1000, 111, opus_packet(1))) if isinstance(one, FramesReceived)]
    assert event.frames[0].capture_time == pytest.approx(at)
    assert [facts.reports_sent for facts in peer.session.remote_outbound()] == [1]


def test_a_key_frame_of_sound_is_not_handed_up() -> None:
    peer = Peer([audio(1), video(1)])
    wish = peer.out.protect_rtcp(serialize_compound([Pli(sender_ssrc=5, media_ssrc=1001)]))
    assert peer.send(wish) == []
    assert peer.session.next_timeout() > peer.now


def test_what_comes_before_the_keys_waits_in_a_small_buffer() -> None:
    out, inbound = keys(1)
    receiver = session(1, max_early_datagrams=3)
    receiver.configure([audio(1)], 0.0)
    numbers = Unwrapper(16)
    for number in range(5):
        packet = RtpPacket(payload_type=111, sequence_number=numbers.unwrap(number) & 0xFFFF, timestamp=number * 960)
        packet.ssrc = 1000
        packet.payload = opus_packet(number)
        receiver.receive(out.protect(packet.serialize()), 0.0)
    assert receiver.poll_events() == []
    receiver.set_keys(keys(2)[0], inbound, 0.1)
    (event,) = [event for event in receiver.poll_events() if isinstance(event, FramesReceived)]
    assert [frame.data for frame in event.frames] == [opus_packet(number) for number in range(3)]
    assert receiver.drops["before the keys"] == 2


def test_wrong_keys_give_nothing_and_the_session_goes_on() -> None:
    peer = Peer([audio(1)])
    stranger: SrtpContext = keys(66)[0]
    packet = RtpPacket(payload_type=111, sequence_number=1, timestamp=1, ssrc=1000, payload=opus_packet(1))
    report = serialize_compound([ReceiverReport(ssrc=5), SourceDescription.with_cname(5, "x")])
    assert peer.send(stranger.protect(packet.serialize()), stranger.protect_rtcp(report)) == []
    assert peer.session.drops["srtp bad_tag"] == peer.session.drops["srtcp bad_tag"] == 1
    assert frames(peer.send(peer.packet(1000, 111, opus_packet(2)))) == [(AUDIO, None)]


def test_a_report_that_comes_from_our_ssrc_makes_us_leave_it() -> None:
    peer = Peer([audio(1), video(1)])
    peer.session.send_frame(AUDIO, OutgoingFrame(opus_packet(0), 0.0), peer.now)
    peer.session.poll_transmits(peer.now)
    report = serialize_compound([ReceiverReport(ssrc=1001), SourceDescription.with_cname(1001, "x")])
    peer.send(peer.out.protect_rtcp(report))
    (sent,) = [facts for facts in peer.session.outbound() if facts.handle == AUDIO]
    assert sent.ssrc != 1001 and sent.packets_sent == 0
    peer.now += 0.1
    said = [parse_compound(peer.back.unprotect_rtcp(data)) for data in peer.session.poll_transmits(peer.now)]
    assert [one.ssrcs for compound in said for one in compound if isinstance(one, Bye)] == [(1001,)]
    assert peer.session.send_frame(AUDIO, OutgoingFrame(opus_packet(1), 0.02), peer.now)
    (packet,) = peer.session.poll_transmits(peer.now)
    assert int.from_bytes(packet[8:12], "big") == sent.ssrc


@pytest.mark.parametrize("ssrc", [1001, 2001])
def test_a_peer_that_uses_our_ssrc_is_still_heard(ssrc: int) -> None:
    """Keys differ by direction, so nothing is confused, even before our SSRC is another one."""
    peer = Peer([audio(1), video(1)])
    assert frames(peer.send(peer.packet(ssrc, 111, opus_packet(0), mid="0"))) == [(AUDIO, None)]
    assert OPUS.payload_type == 111 and VP8.payload_type == 96
