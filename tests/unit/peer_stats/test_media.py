"""Facts of streams and overlays from above become the media's statistics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.peer.media.facts import InboundFacts, OutboundFacts, RemoteInboundFacts, RemoteOutboundFacts
from webrtc_stack.peer.parameters import Codec, CodecParameters, MediaKind, TransceiverHandle
from webrtc_stack.peer.stats import (
    NO_OVERLAYS,
    AudioSourceStats,
    InboundOverlay,
    OutboundOverlay,
    Overlays,
    PlayoutOverlay,
    SourceOverlay,
    StatsReport,
    VideoSourceStats,
)
from webrtc_stack.peer.stats.collect_media import streams
from webrtc_stack.peer.stats.times import WallClock

AUDIO, VIDEO = TransceiverHandle(1), TransceiverHandle(2)
OPUS = CodecParameters(
    payload_type=111,
    codec=Codec(mime_type="audio/opus", clock_rate=48000, channels=2, sdp_fmtp_line="minptime=10;useinbandfec=1"),
)
VP8 = CodecParameters(payload_type=96, codec=Codec(mime_type="video/VP8", clock_rate=90000), rtx_payload_type=97)
EPOCH = 1_750_000_000.0


@dataclass
class Session:
    """A media session that tells what the test wants."""

    _inbound: Sequence[InboundFacts] = ()
    _outbound: Sequence[OutboundFacts] = ()
    _remote_inbound: Sequence[RemoteInboundFacts] = ()
    _remote_outbound: Sequence[RemoteOutboundFacts] = ()

    def inbound(self) -> Sequence[InboundFacts]:
        return self._inbound

    def outbound(self) -> Sequence[OutboundFacts]:
        return self._outbound

    def remote_inbound(self) -> Sequence[RemoteInboundFacts]:
        return self._remote_inbound

    def remote_outbound(self) -> Sequence[RemoteOutboundFacts]:
        return self._remote_outbound


def told(session: Session, overlays: Overlays = NO_OVERLAYS, now: float = 10.0) -> StatsReport:
    clock = WallClock(EPOCH, now)
    report = StatsReport(streams(session, overlays, clock), timestamp=clock.timestamp)
    json.dumps(report.to_json(), allow_nan=False)
    for one in report.values():
        for name, value in one.to_json().items():
            if name.endswith("Id") and name != "transportId":
                assert value in report, name
    return report


def audio_in(**members: Any) -> InboundFacts:
    return InboundFacts(handle=AUDIO, mid="0", rid=None, kind=MediaKind.AUDIO, ssrc=1, codec=OPUS, **members)


def video_in(**members: Any) -> InboundFacts:
    defaults: dict[str, Any] = {"ssrc": 2, "rid": None, "rtx_ssrc": 3}
    return InboundFacts(handle=VIDEO, mid="1", kind=MediaKind.VIDEO, codec=VP8, **defaults | members)


def video_out(**members: Any) -> OutboundFacts:
    defaults: dict[str, Any] = {"ssrc": 12, "rid": None, "rtx_ssrc": 13}
    return OutboundFacts(handle=VIDEO, mid="1", kind=MediaKind.VIDEO, codec=VP8, **defaults | members)


def test_a_codec_is_told_once_for_each_direction_that_uses_it() -> None:
    report = told(Session([video_in(), video_in(ssrc=5)], [video_out()]))
    assert len(report.of_type("codec")) == 2
    first, second = report.of_type("inbound-rtp")
    (sent,) = report.of_type("outbound-rtp")
    assert first.codec_id == second.codec_id != sent.codec_id
    assert report[first.codec_id or ""].to_json() == {
        "id": first.codec_id,
        "timestamp": report.timestamp,
        "type": "codec",
        "payloadType": 96,
        "transportId": "T0",
        "mimeType": "video/VP8",
        "clockRate": 90000,
    }
    (opus,) = told(Session([audio_in()])).of_type("codec")
    assert (opus.channels, opus.sdp_fmtp_line) == (2, "minptime=10;useinbandfec=1")


def test_a_payload_type_that_means_another_codec_is_another_object() -> None:
    other = replace(VP8, codec=Codec(mime_type="video/H264", clock_rate=90000))
    ids = {
        one.id for facts in (video_in(), replace(video_in(), codec=other)) for one in told(Session([facts])).values()
    }
    assert len(ids) == 3  # one stream, two codecs


def test_audio_has_no_frames_and_video_no_samples() -> None:
    overlay = InboundOverlay(frames_decoded=3, total_samples_received=4, decoder_implementation="x")
    overlays = Overlays(inbound={(AUDIO, None): overlay, (VIDEO, None): overlay})
    report = told(Session([audio_in(pli_count=1, audio_level=0.5), video_in(pli_count=1, audio_level=0.5)]), overlays)
    audio, video = report.of_type("inbound-rtp")
    assert (audio.frames_decoded, audio.total_samples_received, audio.pli_count) == (None, 4, None)
    assert (video.frames_decoded, video.total_samples_received, video.pli_count) == (3, None, 1)
    assert (audio.audio_level, video.audio_level) == (0.5, None)
    assert (audio.decoder_implementation, video.decoder_implementation) == (None, "x")
    assert "framesReceived" not in audio.to_json()


def test_what_nobody_measured_is_absent_and_what_was_counted_may_be_zero() -> None:
    (stream,) = told(Session([video_in()])).of_type("inbound-rtp")
    members = stream.to_json()
    assert members["packetsReceived"] == members["nackCount"] == members["framesReceived"] == 0
    absent = {"framesDecoded", "jitterBufferDelay", "jitterBufferEmittedCount", "lastPacketReceivedTimestamp"}
    assert absent.isdisjoint(members)
    played = video_in(jitter_buffer_emitted_count=2, jitter_buffer_delay=0.5)
    assert told(Session([played])).of_type("inbound-rtp")[0].jitter_buffer_delay == 0.5


def test_times_are_milliseconds_of_the_epoch_and_reports_bear_their_own() -> None:
    session = Session(
        [video_in(last_packet_received_timestamp=7.2505)],
        [video_out()],
        [
            RemoteInboundFacts(
                handle=VIDEO, mid="1", rid=None, kind=MediaKind.VIDEO, ssrc=12, codec=VP8, timestamp=8.5, jitter=0.25
            )
        ],
        [
            RemoteOutboundFacts(
                handle=VIDEO, mid="1", rid=None, kind=MediaKind.VIDEO, ssrc=2, timestamp=9.5, remote_timestamp=EPOCH + 3
            )
        ],
    )
    report = told(session)
    (received,), (sent,) = report.of_type("inbound-rtp"), report.of_type("outbound-rtp")
    (reported,), (told_by_peer,) = report.of_type("remote-inbound-rtp"), report.of_type("remote-outbound-rtp")
    assert report.timestamp == received.timestamp == (EPOCH + 10) * 1000
    assert received.last_packet_received_timestamp == EPOCH * 1000 + 7250.5
    assert reported.timestamp == (EPOCH + 8.5) * 1000
    assert told_by_peer.timestamp == (EPOCH + 9.5) * 1000
    assert told_by_peer.remote_timestamp == (EPOCH + 3) * 1000
    assert (sent.remote_id, reported.local_id) == (reported.id, sent.id)
    assert (received.remote_id, told_by_peer.local_id) == (told_by_peer.id, received.id)
    assert reported.codec_id == sent.codec_id
    assert reported.jitter == 0.25 and reported.round_trip_time is None


def test_sources_belong_to_their_senders_and_change_with_the_track() -> None:
    source = SourceOverlay(track_identifier="camera", kind=MediaKind.VIDEO, width=640, height=480, frames=9)
    voice = SourceOverlay(track_identifier="voice", kind=MediaKind.AUDIO, audio_level=0.5, width=3)
    report = told(Session(_outbound=[video_out()]), Overlays(sources={VIDEO: source, AUDIO: voice}))
    (sent,) = report.of_type("outbound-rtp")
    camera = report[sent.media_source_id or ""]
    assert isinstance(camera, VideoSourceStats)
    assert (camera.track_identifier, camera.width, camera.frames_per_second) == ("camera", 640, None)
    (audio,) = [one for one in report.of_type("media-source") if isinstance(one, AudioSourceStats)]
    assert audio.audio_level == 0.5 and "width" not in audio.to_json()
    later = told(
        Session(_outbound=[video_out()]), Overlays(sources={VIDEO: replace(source, track_identifier="screen")})
    )
    assert later.of_type("outbound-rtp")[0].media_source_id != camera.id
    assert told(Session(_outbound=[video_out()])).of_type("outbound-rtp")[0].media_source_id is None


def test_each_layer_of_simulcast_has_its_own_overlay() -> None:
    layers = [video_out(ssrc=20 + i, rid=rid, encoding_index=i, active=True) for i, rid in enumerate("hml")]
    overlays = Overlays(
        outbound={(VIDEO, rid): OutboundOverlay(frame_width=w) for rid, w in zip("hml", (9, 6, 3), strict=True)}
    )
    sent = told(Session(_outbound=layers), overlays).of_type("outbound-rtp")
    assert [(one.rid, one.encoding_index, one.frame_width, one.active) for one in sent] == [
        ("h", 0, 9, True),
        ("m", 1, 6, True),
        ("l", 2, 3, True),
    ]


def test_an_overlay_belongs_to_the_source_that_lives() -> None:
    session = Session([video_in(ssrc=7, active=True), video_in(ssrc=2, active=False)])
    report = told(session, Overlays(inbound={(VIDEO, None): InboundOverlay(frames_decoded=5, track_identifier="t")}))
    assert {one.ssrc: one.frames_decoded for one in report.of_type("inbound-rtp")} == {7: 5, 2: None}
    assert {one.ssrc: one.track_identifier for one in report.of_type("inbound-rtp")} == {7: "t", 2: ""}


def test_frames_dropped_below_and_above_are_added() -> None:
    overlays = Overlays(inbound={(VIDEO, None): InboundOverlay(frames_dropped=4)})
    assert told(Session([video_in(frames_dropped=3)]), overlays).of_type("inbound-rtp")[0].frames_dropped == 7


def test_playout_belongs_to_received_audio() -> None:
    overlay = PlayoutOverlay(total_samples_count=480, total_playout_delay=0.5)
    overlays = Overlays(playouts={AUDIO: overlay, VIDEO: overlay})
    report = told(Session([audio_in(), video_in()]), overlays)
    (playout,) = report.of_type("media-playout")
    assert (playout.kind, playout.total_samples_count) == ("audio", 480)
    audio, video = report.of_type("inbound-rtp")
    assert (audio.playout_id, video.playout_id) == (playout.id, None)


def test_the_decoder_knows_the_level_better_than_the_packets() -> None:
    overlays = Overlays(inbound={(AUDIO, None): InboundOverlay(audio_level=0.75)})
    assert told(Session([audio_in(audio_level=0.5)]), overlays).of_type("inbound-rtp")[0].audio_level == 0.75


HANDLES = st.integers(1, 3).map(TransceiverHandle)
STREAM = {
    "handle": HANDLES,
    "mid": st.sampled_from([None, "0", "1"]),
    "rid": st.sampled_from([None, "", "h"]),
    "kind": st.sampled_from(MediaKind),
    "ssrc": st.integers(0, 5),
    "rtx_ssrc": st.sampled_from([None, 9]),
    "codec": st.sampled_from([None, OPUS, VP8]),
}
KEYS = st.tuples(HANDLES, st.sampled_from([None, "h"]))


@settings(max_examples=60)
@given(
    inbound=st.lists(st.builds(InboundFacts, **STREAM), max_size=4),
    outbound=st.lists(st.builds(OutboundFacts, **STREAM), max_size=4),
    remote_inbound=st.lists(st.builds(RemoteInboundFacts, **STREAM), max_size=4),
    remote_outbound=st.lists(st.builds(RemoteOutboundFacts, **STREAM), max_size=4),
    overlays=st.builds(
        Overlays,
        outbound=st.dictionaries(KEYS, st.just(OutboundOverlay(frames_encoded=1)), max_size=2),
        inbound=st.dictionaries(KEYS, st.just(InboundOverlay(frames_dropped=1)), max_size=2),
        sources=st.dictionaries(
            HANDLES,
            st.builds(SourceOverlay, track_identifier=st.text(max_size=3), kind=st.sampled_from(MediaKind)),
            max_size=2,
        ),
        playouts=st.dictionaries(HANDLES, st.just(PlayoutOverlay()), max_size=2),
    ),
)
def test_any_facts_make_a_report_whose_references_hold(
    inbound: list[InboundFacts],
    outbound: list[OutboundFacts],
    remote_inbound: list[RemoteInboundFacts],
    remote_outbound: list[RemoteOutboundFacts],
    overlays: Overlays,
) -> None:
    told(Session(inbound, outbound, remote_inbound, remote_outbound), overlays)
