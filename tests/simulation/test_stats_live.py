"""A whole call between two peers in virtual time: every member of the statistics is seen to live in it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tests.support.content import content
from tests.unit.peer_stats import webidl
from tests.unit.peer_stats.call import STUN_SERVERS, WALL_EPOCH, Call, chained_certificate
from tests.unit.peer_stats.coverage import DICTIONARIES, implemented, shown
from webrtc_stack.datachannel import MessageReceived
from webrtc_stack.peer import Encoding, MediaKind, PeerConfig, TransceiverHandle
from webrtc_stack.peer.media import FramesReceived, KeyframeRequested, OutgoingFrame
from webrtc_stack.peer.stats import (
    AudioSourceStats,
    InboundOverlay,
    InboundRtpStreamStats,
    OutboundOverlay,
    Overlays,
    PlayoutOverlay,
    SourceOverlay,
    StatsReport,
    VideoSourceStats,
    collect,
    collect_receiver,
    collect_sender,
)
from webrtc_stack.sdp import Direction
from webrtc_stack.sim import LinkConfig

SECONDS = 20.0
LISTENING = 250
HELD = 600
"""Steps of 20 ms: until when one side only receives, and which packets come too late to be played."""
EXCEPTED = {
    "inbound-rtp.firCount": "key frames are asked for by PLI, which every peer here speaks",
    "outbound-rtp.firCount": "likewise",
    "local-candidate.relayProtocol": "this call goes directly; `test_peer_relays` shows it over a relay",
    "local-candidate.tcpType": "this call goes over UDP; `test_peer_relays` shows it over TCP",
    "remote-candidate.tcpType": "likewise",
}
"""What this call between two of our own peers does not show."""


def vp8(number: int, size: int, *, keyframe: bool) -> bytes:
    """A frame that looks like one of VP8: the lowest bit of the first byte says that it builds on others."""
    head = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" if keyframe else b"\x11\x02\x00"
    return head + content(size, number)


class LiveCall(Call):
    """Audio, simulcast video and data both ways, over a link that loses, with codecs that are only told of."""

    def __init__(self) -> None:
        super().__init__(
            5,
            link=LinkConfig(latency=0.03, jitter=0.012, loss=0.03, reorder=0.01),
            config=PeerConfig(ice_servers=STUN_SERVERS, certificates=(chained_certificate(1),)),
        )
        self.frames_sent = 0
        self.keyframes_wanted = [True, True]
        self.decoded: list[dict[TransceiverHandle, int]] = [defaultdict(int), defaultdict(int)]
        self.happened = self._react
        self.channel = self.sides[0].create_data_channel("live", 0.0, protocol="raw")
        simulcast = (Encoding(rid="h"), Encoding(rid="l", scale_resolution_down_by=2.0))
        self.sides[0].add_transceiver(MediaKind.AUDIO, 0.0, track_id="voice", stream_ids=("s",), has_track=True)
        self.sides[0].add_transceiver(
            MediaKind.VIDEO, 0.0, track_id="camera", stream_ids=("s",), has_track=True, encodings=simulcast
        )
        self.negotiate_both()
        assert self.run(10.0, lambda: all(side.connection_state == "connected" for side in self.sides))
        assert self.run(10.0, lambda: self.sides[0].channel(self.channel).state == "open")
        for side in self.sides:
            for one in side.transceivers():
                side.set_delivery(one.handle, self.now, frames=True, playout=True)

    def negotiate_both(self) -> None:
        """The answerer sends too, on the offerer's sections."""
        left, right = self.sides
        left.set_local_description(None, self.now)
        self.run(3.0)
        assert left.local_description is not None
        right.set_remote_description(left.local_description, self.now)
        for one in right.transceivers():
            right.set_direction(one.handle, Direction.SENDRECV, self.now)
            right.update_sender(one.handle, self.now, has_track=True, track_id=f"{one.kind}-of-the-answerer")
        right.set_local_description(None, self.now)
        self.run(3.0)
        assert right.local_description is not None
        left.set_remote_description(right.local_description, self.now)

    def _react(self, side: int, event: Any) -> None:
        peer = self.sides[side]
        if isinstance(event, KeyframeRequested):
            self.keyframes_wanted[side] = True
        elif isinstance(event, FramesReceived):
            self.decoded[side][event.handle] += len(event.frames)
        elif isinstance(event, MessageReceived):
            peer.message_consumed(event.handle, event.size, self.now)
            if event.data == b"ping":
                peer.send(event.handle, b"pong", self.now)

    def talk(self, seconds: float) -> Iterator[float]:
        """Sends for so long, and yields once a second of it."""
        start = self.now
        step = 0
        while self.now < start + seconds:
            # For a while the answerer only listens: who sends nothing measures round trips by extended reports.
            for side, peer in enumerate(self.sides[: 1 if step < LISTENING else 2]):
                for one in peer.transceivers():
                    if one.kind is MediaKind.AUDIO:
                        frame = OutgoingFrame(
                            b"\x78" + content(79, step), step * 0.02, duration=0.02, audio_level=20, voice=True
                        )
                        peer.send_frame(one.handle, frame, self.now)
                    elif step % 2 == 0:
                        self._send_picture(side, one.handle, step)
            if step % 50 == 0:
                self.sides[0].send(self.channel, b"ping", self.now)
            step += 1
            self.now += 0.001  # a driver that is busy elsewhere: what was given waits to be polled
            self.held = 0.4 if step == HELD else 0.0
            self.run(start + step * 0.02 - self.now)
            if step % 50 == 0:
                yield self.now

    def _send_picture(self, side: int, handle: TransceiverHandle, step: int) -> None:
        peer = self.sides[side]
        keyframe, self.keyframes_wanted[side] = self.keyframes_wanted[side], False
        size = 9000 if step % 100 == 50 else 2500
        for rid in ("h", "l") if side == 0 else (None,):
            frame = OutgoingFrame(vp8(step, size, keyframe=keyframe), step * 0.02, keyframe=keyframe)
            peer.send_frame(handle, frame, self.now, rid)
        self.frames_sent += 1

    def overlays(self, side: int) -> Overlays:
        """What codecs, tracks and a player would tell by now, made up from the time."""
        count = int(self.now * 25)
        outbound: dict[tuple[TransceiverHandle, str | None], OutboundOverlay] = {}
        inbound: dict[tuple[TransceiverHandle, str | None], InboundOverlay] = {}
        sources: dict[TransceiverHandle, SourceOverlay] = {}
        playouts: dict[TransceiverHandle, PlayoutOverlay] = {}
        for one in self.sides[side].transceivers():
            audio = one.kind is MediaKind.AUDIO
            for rid in ("h", "l", None):
                outbound[one.handle, rid] = OutboundOverlay(
                    encoder_implementation="libopus" if audio else "libvpx",
                    power_efficient_encoder=True,
                    target_bitrate=500_000.0,
                    total_encode_time=self.now * 0.01,
                    frames_encoded=count,
                    key_frames_encoded=count // 100,
                    total_encoded_bytes_target=count * 2500,
                    frame_width=320,
                    frame_height=240,
                    frames_per_second=25.0,
                    qp_sum=count * 30,
                    scalability_mode="L1T1",
                )
                inbound[one.handle, rid] = InboundOverlay(
                    track_identifier=f"remote {one.kind}",
                    decoder_implementation="libvpx",
                    power_efficient_decoder=True,
                    frames_decoded=count,
                    key_frames_decoded=count // 100,
                    frames_rendered=count,
                    frames_dropped=count // 50,
                    frame_width=320,
                    frame_height=240,
                    frames_per_second=25.0,
                    total_decode_time=self.now * 0.01,
                    total_processing_delay=self.now * 0.02,
                    total_inter_frame_delay=self.now,
                    total_squared_inter_frame_delay=self.now * 0.04,
                    pause_count=1,
                    total_pauses_duration=5.0,
                    freeze_count=1,
                    total_freezes_duration=0.5,
                    total_samples_received=count * 1920,
                    concealed_samples=count,
                    silent_concealed_samples=count // 2,
                    concealment_events=3,
                    audio_level=0.1,
                    total_audio_energy=self.now * 0.01,
                    total_samples_duration=self.now,
                )
            sources[one.handle] = SourceOverlay(
                track_identifier=one.track_id,
                kind=one.kind,
                audio_level=0.1,
                total_audio_energy=self.now * 0.01,
                total_samples_duration=self.now,
                width=320,
                height=240,
                frames=count,
                frames_per_second=25.0,
            )
            playouts[one.handle] = PlayoutOverlay(
                total_samples_duration=self.now,
                total_playout_delay=self.now * 0.01,
                total_samples_count=int(self.now * 48000),
            )
        return Overlays(
            outbound=outbound,
            inbound=inbound,
            sources=sources,
            playouts=playouts,
            available_outgoing_bitrate=1_000_000.0,
        )

    def report(self, side: int) -> StatsReport:
        return collect(self.sides[side], self.overlays(side), self.now)


@lru_cache(maxsize=1)
def reports() -> tuple[LiveCall, tuple[list[StatsReport], list[StatsReport]]]:
    """One call, and what each side told of it once a second and after its end."""
    call = LiveCall()
    taken: tuple[list[StatsReport], list[StatsReport]] = ([], [])
    for _ in call.talk(SECONDS):
        for side in range(2):
            taken[side].append(call.report(side))
        if call.now > SECONDS / 2:
            for one in call.sides[1].transceivers():
                call.sides[1].request_keyframe(one.handle, call.now)
    call.sides[0].close_channel(call.channel, call.now)
    call.run(2.0)
    for side in range(2):
        taken[side].append(call.report(side))
    return call, taken


def test_every_implemented_member_is_seen_to_live() -> None:
    _, taken = reports()
    seen: dict[str, set[str]] = defaultdict(set)
    for report in (one for side in taken for one in side):
        for stats in report.values():
            kind = type(stats)
            for name, value in stats.to_json().items():
                if value not in (0, "", False, None):
                    seen[shown(kind)].add(name)
    unseen = {
        f"{shown(kind)}.{name}" for kind in DICTIONARIES for name in implemented(kind) if name not in seen[shown(kind)]
    }
    assert sorted(unseen - set(EXCEPTED)) == []
    assert set(EXCEPTED) <= unseen, "no longer to be excepted"


def test_required_members_are_in_every_object() -> None:
    _, taken = reports()
    for report in (one for side in taken for one in side):
        for stats in report.values():
            members = stats.to_json()
            required = {name for name, one in webidl.members(DICTIONARIES[type(stats)]).items() if one.required}
            assert required <= set(members), stats.id
            assert set(members) <= set(webidl.members(DICTIONARIES[type(stats)]))
        json.dumps(report.to_json(), allow_nan=False)


def test_references_lead_to_objects_of_the_right_type() -> None:
    _, taken = reports()
    target = {
        "transportId": {"transport"},
        "codecId": {"codec"},
        "mediaSourceId": {"media-source"},
        "playoutId": {"media-playout"},
        "selectedCandidatePairId": {"candidate-pair"},
        "localCandidateId": {"local-candidate"},
        "remoteCandidateId": {"remote-candidate"},
        "localCertificateId": {"certificate"},
        "remoteCertificateId": {"certificate"},
        "issuerCertificateId": {"certificate"},
        "localId": {"inbound-rtp", "outbound-rtp"},
        "remoteId": {"remote-inbound-rtp", "remote-outbound-rtp"},
    }
    found = set()
    for report in (one for side in taken for one in side):
        for stats in report.values():
            for name, value in stats.to_json().items():
                if name in target:
                    found.add(name)
                    assert report[value].type in target[name], f"{stats.id}.{name}"
    assert found == set(target)


def test_counters_never_fall_and_ids_stay() -> None:
    _, taken = reports()
    falling = {"audioLevel", "jitter", "fractionLost", "roundTripTime", "currentRoundTripTime", "packetsLost"}
    counting = {"unsigned long", "unsigned long long"}
    for side in taken:
        for before, after in pairwise(side):
            for id, stats in before.items():
                if id not in after:
                    assert stats.type in ("data-channel", "codec"), id
                    continue
                old, new = stats.to_json(), after[id].to_json()
                for name, one in webidl.members(DICTIONARIES[type(stats)]).items():
                    if name in old and name not in falling and one.type in counting:
                        assert new[name] >= old[name], f"{id}.{name}"


def test_both_ends_agree() -> None:
    """What one side sent and what the other says of it, and what it received, within what is on its way."""
    call, taken = reports()
    for side in range(2):
        here, there = taken[side][-1], taken[1 - side][-1]
        received = {one.ssrc: one for one in there.of_type("inbound-rtp")}
        for sent in here.of_type("outbound-rtp"):
            one = received[sent.ssrc]
            assert (sent.packets_sent or 0) > 100
            lost_for_good = (sent.packets_sent or 0) - (one.packets_received or 0)
            assert 0 <= lost_for_good < 0.1 * (sent.packets_sent or 0)
            told = here[sent.remote_id or ""]
            assert 0.06 <= told.to_json()["roundTripTime"] < 0.12
        (ours,), (theirs,) = here.of_type("transport"), there.of_type("transport")
        assert 0.94 < (theirs.packets_received or 0) / (ours.packets_sent or 0) <= 1.0
        assert 0.94 < (theirs.bytes_received or 0) / (ours.bytes_sent or 0) <= 1.0
        pair = here.selected_candidate_pair
        assert pair is not None
        assert (pair.packets_sent, pair.bytes_received) == (ours.packets_sent, ours.bytes_received)
        for told_by_peer in here.of_type("remote-outbound-rtp"):
            assert abs((told_by_peer.remote_timestamp or 0) - (WALL_EPOCH + call.now) * 1000) < 10_000
            assert abs(told_by_peer.timestamp - (WALL_EPOCH + call.now) * 1000) < 10_000


def test_a_sender_or_a_receiver_can_be_told_alone() -> None:
    call, _ = reports()
    peer = call.sides[0]
    (audio,) = [one for one in peer.transceivers() if one.kind is MediaKind.AUDIO]
    sending = collect_sender(peer, audio.handle, call.overlays(0), call.now)
    types = {one.type.value for one in sending.values()}
    assert types == {
        *("outbound-rtp", "remote-inbound-rtp", "codec", "media-source", "transport", "candidate-pair"),
        *("local-candidate", "remote-candidate", "certificate"),
    }
    receiving = collect_receiver(peer, audio.handle, call.overlays(0), call.now)
    assert [type(one) for one in receiving.of_type("inbound-rtp")] == [InboundRtpStreamStats]
    assert receiving.of_type("media-playout") and not receiving.of_type("outbound-rtp")
    assert {one.kind for one in sending.of_type("outbound-rtp")} == {"audio"}


def test_sources_are_of_their_kind() -> None:
    call, _ = reports()
    kinds = {type(one): one.kind for one in call.report(0).of_type("media-source")}
    assert kinds == {AudioSourceStats: "audio", VideoSourceStats: "video"}
