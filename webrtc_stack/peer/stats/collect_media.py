"""Statistics of media: the session's facts and the overlays from above, laid into W3C's members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final, Protocol

from ..media.facts import InboundFacts, OutboundFacts, RemoteInboundFacts, RemoteOutboundFacts, StreamFacts
from ..parameters import CodecParameters, MediaKind
from . import ids
from .media import (
    AudioPlayoutStats,
    AudioSourceStats,
    CodecStats,
    InboundRtpStreamStats,
    OutboundRtpStreamStats,
    RemoteInboundRtpStreamStats,
    RemoteOutboundRtpStreamStats,
    VideoSourceStats,
)
from .overlays import Overlays
from .times import WallClock
from .values import Stats

VIDEO_ONLY: Final = frozenset(
    {
        *("frame_height", "frame_width", "frames_assembled_from_multiple_packets", "frames_decoded", "frames_dropped"),
        *("frames_encoded", "frames_per_second", "frames_received", "frames_rendered", "frames_sent"),
        *("huge_frames_sent", "key_frames_decoded", "key_frames_encoded", "qp_sum", "scalability_mode"),
        *("fir_count", "pli_count", "freeze_count", "pause_count", "total_freezes_duration", "total_pauses_duration"),
        *("total_assembly_time", "total_encoded_bytes_target", "total_inter_frame_delay"),
        *("total_squared_inter_frame_delay", "encoding_index", "rid", "total_encode_time", "total_decode_time"),
        *("encoder_implementation", "decoder_implementation", "power_efficient_encoder", "power_efficient_decoder"),
    }
)
"""What W3C says must not exist for audio, as browsers have it too."""
AUDIO_ONLY: Final = frozenset(
    {
        *("audio_level", "total_audio_energy", "total_samples_duration", "total_samples_received", "concealed_samples"),
        *("silent_concealed_samples", "concealment_events", "playout_id"),
    }
)
_JITTER_BUFFER: Final = (
    "jitter_buffer_delay",
    "jitter_buffer_target_delay",
    "jitter_buffer_minimum_delay",
    "jitter_buffer_emitted_count",
)
_IDENTITY: Final = frozenset({"id", "timestamp", "ssrc", "kind", "transport_id", "codec_id"})


class MediaFacts(Protocol):
    """What a media session tells of its streams."""

    def inbound(self) -> Sequence[InboundFacts]: ...
    def outbound(self) -> Sequence[OutboundFacts]: ...
    def remote_inbound(self) -> Sequence[RemoteInboundFacts]: ...
    def remote_outbound(self) -> Sequence[RemoteOutboundFacts]: ...


def streams(session: MediaFacts, overlays: Overlays, clock: WallClock) -> list[Stats]:
    """The statistics of a media session, in the order of W3C's types."""
    inbound, outbound = session.inbound(), session.outbound()
    remote_inbound, remote_outbound = session.remote_inbound(), session.remote_outbound()
    sent = [*outbound, *remote_inbound]
    received = [*inbound, *remote_outbound]
    reported = {ids.remote_inbound(one) for one in remote_inbound} | {
        ids.remote_outbound(one) for one in remote_outbound
    }
    known = {ids.inbound(one) for one in inbound} | {ids.outbound(one) for one in outbound}
    playouts = _playouts(inbound, overlays, clock)
    playing = {one.id for one in playouts}
    sources = _sources(overlays, clock)
    speaking = {one.id for one in sources}
    overlaid = _latest(inbound)
    return [
        *_codecs(sent, clock, sent=True),
        *_codecs(received, clock, sent=False),
        *(_inbound(one, overlays, clock, reported, playing, overlaid) for one in inbound),
        *(_outbound(one, overlays, clock, reported, speaking) for one in outbound),
        *(_remote_inbound(one, clock, known) for one in remote_inbound),
        *(_remote_outbound(one, clock, known) for one in remote_outbound),
        *sources,
        *playouts,
    ]


_NAMES: Final[dict[tuple[str, str, MediaKind], tuple[str, ...]]] = {}


def _names(stats: type[Stats], source: type[Any], kind: MediaKind) -> tuple[str, ...]:
    """The members that a source has for these statistics, and that this kind of media may have; found once."""
    key = (stats.__name__, source.__name__, kind)
    names = _NAMES.get(key)
    if names is None:
        own = {one.name for one in fields(source)} - _IDENTITY - (VIDEO_ONLY if kind is MediaKind.AUDIO else AUDIO_ONLY)
        names = _NAMES[key] = tuple(one.name for one in fields(stats) if one.name in own)
    return names


def _lay(stats: type[Stats], kind: MediaKind, *sources: Any) -> dict[str, Any]:
    """The members that the sources know; a later source knows better."""
    members: dict[str, Any] = {}
    for source in sources:
        if source is not None:
            for name in _names(stats, type(source), kind):
                value = getattr(source, name)
                if value is not None:
                    members[name] = value
    return members


def _stream(facts: StreamFacts, *, sent: bool) -> dict[str, Any]:
    return {
        "ssrc": facts.ssrc,
        "kind": facts.kind,
        "transport_id": ids.TRANSPORT,
        "codec_id": None if facts.codec is None else ids.codec(facts.codec, sent=sent),
    }


def _codecs(streams: Iterable[StreamFacts], clock: WallClock, *, sent: bool) -> list[CodecStats]:
    used: dict[str, CodecParameters] = {}
    for facts in streams:
        if facts.codec is not None:
            used[ids.codec(facts.codec, sent=sent)] = facts.codec
    return [
        CodecStats(
            id=id,
            timestamp=clock.timestamp,
            payload_type=one.payload_type,
            transport_id=ids.TRANSPORT,
            mime_type=one.codec.mime_type,
            clock_rate=one.codec.clock_rate,
            channels=one.codec.channels,
            sdp_fmtp_line=one.codec.sdp_fmtp_line or None,
        )
        for id, one in used.items()
    ]


def _latest(inbound: Sequence[InboundFacts]) -> dict[tuple[int, str | None], int]:
    """Which source an overlay is about, when a stream has changed its SSRC: the last one that lives."""
    return {(one.handle, one.rid or None): one.ssrc for one in sorted(inbound, key=lambda one: one.active)}


def _inbound(
    facts: InboundFacts,
    overlays: Overlays,
    clock: WallClock,
    reported: set[str],
    playing: set[str],
    overlaid: dict[tuple[int, str | None], int],
) -> InboundRtpStreamStats:
    key = (facts.handle, facts.rid or None)
    current = overlaid.get(key) == facts.ssrc
    overlay = overlays.inbound.get(key) if current else None
    members = _lay(InboundRtpStreamStats, facts.kind, facts, overlay)
    if not facts.jitter_buffer_emitted_count:
        for name in _JITTER_BUFFER:  # nobody asked for playout, so nothing was measured
            members.pop(name, None)
    if facts.kind is MediaKind.VIDEO and overlay is not None and overlay.frames_dropped is not None:
        members["frames_dropped"] = facts.frames_dropped + overlay.frames_dropped
    members["last_packet_received_timestamp"] = clock.known(facts.last_packet_received_timestamp)
    remote, playout = ids.remote_outbound(facts), ids.playout(facts.handle)
    return InboundRtpStreamStats(
        id=ids.inbound(facts),
        timestamp=clock.timestamp,
        remote_id=remote if remote in reported else None,
        playout_id=playout if current and playout in playing else None,
        **_stream(facts, sent=False),
        **members,
    )


def _outbound(
    facts: OutboundFacts, overlays: Overlays, clock: WallClock, reported: set[str], speaking: set[str]
) -> OutboundRtpStreamStats:
    overlay = overlays.outbound.get((facts.handle, facts.rid or None))
    source = overlays.sources.get(facts.handle)
    source_id = None if source is None else ids.media_source(facts.handle, source.track_identifier)
    remote = ids.remote_inbound(facts)
    members = _lay(OutboundRtpStreamStats, facts.kind, facts, overlay)
    if facts.kind is MediaKind.VIDEO:
        members["rid"] = facts.rid or None
    return OutboundRtpStreamStats(
        id=ids.outbound(facts),
        timestamp=clock.timestamp,
        remote_id=remote if remote in reported else None,
        media_source_id=source_id if source_id in speaking else None,
        **_stream(facts, sent=True),
        **members,
    )


def _remote_inbound(facts: RemoteInboundFacts, clock: WallClock, known: set[str]) -> RemoteInboundRtpStreamStats:
    local = ids.outbound(facts)
    return RemoteInboundRtpStreamStats(
        id=ids.remote_inbound(facts),
        timestamp=clock.at(facts.timestamp),
        local_id=local if local in known else None,
        **_stream(facts, sent=True),
        **_lay(RemoteInboundRtpStreamStats, facts.kind, facts),
    )


def _remote_outbound(facts: RemoteOutboundFacts, clock: WallClock, known: set[str]) -> RemoteOutboundRtpStreamStats:
    local = ids.inbound(facts)
    members = _lay(RemoteOutboundRtpStreamStats, facts.kind, facts)
    members["remote_timestamp"] = round(facts.remote_timestamp * 1000.0, 3)
    return RemoteOutboundRtpStreamStats(
        id=ids.remote_outbound(facts),
        timestamp=clock.at(facts.timestamp),
        local_id=local if local in known else None,
        **_stream(facts, sent=False),
        **members,
    )


def _sources(overlays: Overlays, clock: WallClock) -> list[AudioSourceStats | VideoSourceStats]:
    stats: list[AudioSourceStats | VideoSourceStats] = []
    for handle, source in overlays.sources.items():
        kind = AudioSourceStats if source.kind is MediaKind.AUDIO else VideoSourceStats
        id = ids.media_source(handle, source.track_identifier)
        stats.append(kind(id=id, timestamp=clock.timestamp, kind=source.kind, **_lay(kind, source.kind, source)))
    return stats


def _playouts(inbound: Sequence[InboundFacts], overlays: Overlays, clock: WallClock) -> list[AudioPlayoutStats]:
    audio = {one.handle for one in inbound if one.kind is MediaKind.AUDIO}
    return [
        AudioPlayoutStats(
            id=ids.playout(handle),
            timestamp=clock.timestamp,
            kind=MediaKind.AUDIO,
            **_lay(AudioPlayoutStats, MediaKind.AUDIO, overlay),
        )
        for handle, overlay in overlays.playouts.items()
        if handle in audio
    ]
