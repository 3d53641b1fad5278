"""What one RTP section amounts to, read from both descriptions, from our point of view.

Spec: RFC 3264 section 6 and 7, RFC 9429 sections 5.10 and 5.11, RFC 5576 (sources), RFC 8285 (header extensions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ...errors import SdpParseError
from ...sdp import Bandwidth, Direction, MediaDescription, Msid, SessionDescription, Ssrc, SsrcGroup
from ..parameters import CodecParameters, Encoding, SourceIds, TransceiverHandle
from .codecs import SectionCodec, carries_media, codecs_of, readable, same_codec
from .extensions import allows_mixed, extensions_of
from .media_sections import offers_round_trip
from .remote import says
from .simulcast import layers_of
from .transceivers import Transceiver, common, direction_of, receives, sends


class RemoteSource(NamedTuple):
    """A source that the peer announced."""

    ssrc: int
    rtx_ssrc: int | None = None
    cname: str = ""
    stream_id: str = ""
    track_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPlan:
    """One section, everything from our point of view."""

    direction: Direction = Direction.INACTIVE
    """What is agreed; before an answer, what our offer makes possible already: we may receive what it allows."""
    send_codecs: tuple[CodecParameters, ...] = ()
    """Payload types that the peer wants, in its order, codecs before telephone-event and comfort noise; the first is
    what we send."""
    receive_codecs: tuple[CodecParameters, ...] = ()
    """Payload types that may arrive."""
    send_extensions: dict[int, str] = field(default_factory=dict)
    """Header extensions that we may write: URI by id."""
    receive_extensions: dict[int, str] = field(default_factory=dict)
    """Header extensions that may arrive: URI by id."""
    allow_mixed: bool = False
    """Both sides take one-byte and two-byte header extensions in one stream."""
    reduced_size: bool = False
    """Both sides take RTCP packets that are not compound (RFC 5506)."""
    sources: tuple[SourceIds, ...] = ()
    """Ours, one an encoding."""
    encodings: tuple[Encoding, ...] = ()
    send_rids: tuple[str, ...] = ()
    """The layers that the peer accepted, in the order of `encodings`; empty without simulcast."""
    remote_sources: tuple[RemoteSource, ...] = ()
    receive_rids: tuple[str, ...] = ()
    """Layers that the peer may send; empty without simulcast."""
    remote_stream_ids: tuple[str, ...] = ()
    remote_track_id: str = ""
    max_bitrate: int | None = None
    """What the peer takes at most, in bits a second (b=TIAS, b=AS); None without a limit."""
    rtcp_xr_rcvr_rtt: bool = False
    """Both sides take receiver reference times (RFC 3611)."""
    cname: str = ""
    """Ours."""


class TrackChange(NamedTuple):
    """A remote track begins or ends: W3C's addition and removal of a remote track."""

    transceiver: TransceiverHandle
    added: bool
    stream_ids: tuple[str, ...]
    track_id: str


class Side(NamedTuple):
    """A section in its description."""

    sdp: SessionDescription
    section: MediaDescription

    @property
    def direction(self) -> Direction:
        return self.sdp.direction_of(self.section)


_MAX_STREAMS = 16
"""Streams read for a track; W3C pages use one or two."""


def agreed_plan(
    transceiver: Transceiver,
    local: Side,
    remote: Side,
    *,
    we_offered: bool,
    cname: str,
    max_sources: int,
    max_rids: int,
) -> RtpPlan:
    """The plan of a section that is answered."""
    ours, theirs = codecs_of(local.section), codecs_of(remote.section)
    direction = common(local.direction, remote.direction.reversed)
    mixed = allows_mixed(local.sdp, local.section) and allows_mixed(remote.sdp, remote.section)
    offer, answer = (local, remote) if we_offered else (remote, local)
    sendable, receivable = _agreed_extensions(offer.section, answer.section, mixed=mixed, we_offered=we_offered)
    asked = layers_of(remote.section, "recv") if sends(direction) else ()
    rids = [rid for rid in layers_of(local.section, "send") if rid in asked]
    layers = [
        (encoding, ids)
        for encoding, ids in zip(transceiver.encodings, transceiver.sources, strict=True)
        if encoding.rid in rids
    ] or list(zip(transceiver.encodings[:1], transceiver.sources[:1], strict=True))
    offered_layers = layers_of(remote.section, "send", max_rids) if receives(direction) else ()
    taken_layers = layers_of(local.section, "recv", max_rids)
    return replace(
        heard_plan(transceiver, remote, max_sources=max_sources if receives(direction) else 0),
        direction=direction,
        send_codecs=_codecs(theirs, ours, media_first=True),
        receive_codecs=_codecs(ours, theirs),
        send_extensions=sendable,
        receive_extensions=receivable,
        allow_mixed=mixed,
        reduced_size=all(says(side.sdp, side.section, "rtcp-rsize") for side in (local, remote)),
        sources=tuple(ids for _, ids in layers),
        encodings=tuple(encoding for encoding, _ in layers),
        send_rids=tuple(encoding.rid for encoding, _ in layers if encoding.rid is not None) if rids else (),
        receive_rids=tuple(rid for rid in taken_layers if rid in offered_layers),
        rtcp_xr_rcvr_rtt=offers_round_trip(local.section) and offers_round_trip(remote.section),
        cname=cname,
    )


def offered_plan(transceiver: Transceiver, local: Side, *, cname: str, before: RtpPlan | None = None) -> RtpPlan:
    """The plan of a section that we offered, not answered yet: what it allows may arrive, and `before` goes on."""
    base = (
        before
        if before is not None
        else RtpPlan(sources=transceiver.sources, encodings=transceiver.encodings, cname=cname)
    )
    if not receives(local.direction):
        return base
    known = {one.payload_type for one in base.receive_codecs}
    fresh = [
        CodecParameters(payload_type=one.payload_type, codec=one.codec, rtx_payload_type=one.rtx)
        for one in codecs_of(local.section)
        if one.payload_type not in known
    ]
    allowed = {
        one.id: uri
        for uri, one in extensions_of(local.section, mixed=True).items()
        if receives(one.direction or Direction.SENDRECV)
    }
    layers = layers_of(local.section, "recv")
    return replace(
        base,
        direction=direction_of(sends(base.direction), True),
        receive_codecs=(*base.receive_codecs, *fresh),
        receive_extensions={**allowed, **base.receive_extensions},
        receive_rids=tuple(dict.fromkeys((*base.receive_rids, *layers))),
    )


def heard_plan(transceiver: Transceiver, remote: Side, *, max_sources: int) -> RtpPlan:
    """What a remote description alone says: sources, streams, the rate that the peer takes."""
    return RtpPlan(
        remote_sources=remote_sources(remote.section, max_sources) if sends(remote.direction) else (),
        remote_stream_ids=transceiver.remote_stream_ids,
        remote_track_id=transceiver.remote_track_id,
        max_bitrate=_max_bitrate(remote.section),
    )


def _codecs(
    named: Sequence[SectionCodec], other: Sequence[SectionCodec], *, media_first: bool = False
) -> tuple[CodecParameters, ...]:
    """The codecs of `named` that the other side has too, with the feedback and the retransmissions of both."""
    found: list[CodecParameters] = []
    for one in named:
        # With several matches the same number is the one that is meant.
        match = next(
            (two for two in other if two.payload_type == one.payload_type and same_codec(one.codec, two.codec)), None
        ) or next((two for two in other if same_codec(one.codec, two.codec)), None)
        if match is None:
            continue
        codec = replace(one.codec, feedback=tuple(kind for kind in one.codec.feedback if kind in match.codec.feedback))
        found.append(
            CodecParameters(
                payload_type=one.payload_type, codec=codec, rtx_payload_type=one.rtx if match.rtx is not None else None
            )
        )
    if media_first:
        found.sort(key=lambda entry: not carries_media(entry.codec))
    return tuple(found)


def has_common_codec(local: MediaDescription, remote: MediaDescription) -> bool:
    """True if both sections list a codec that carries media."""
    return any(carries_media(one.codec) for one in _codecs(codecs_of(remote), codecs_of(local)))


def _agreed_extensions(
    offer: MediaDescription, answer: MediaDescription, *, mixed: bool, we_offered: bool
) -> tuple[dict[int, str], dict[int, str]]:
    """What we may write, and what may arrive. An answer that moves an id is as one without that extension."""
    offered, answered = extensions_of(offer, mixed=mixed), extensions_of(answer, mixed=mixed)
    sendable: dict[int, str] = {}
    receivable: dict[int, str] = {}
    for uri, one in answered.items():
        asked = offered.get(uri)
        if asked is None or asked.id != one.id:
            continue
        both = common(one.direction or Direction.SENDRECV, (asked.direction or Direction.SENDRECV).reversed)
        ours = both.reversed if we_offered else both
        if sends(ours):
            sendable[one.id] = uri
        if receives(ours):
            receivable[one.id] = uri
    return sendable, receivable


def remote_sources(section: MediaDescription, limit: int) -> tuple[RemoteSource, ...]:
    """The sources that `a=ssrc` and `a=ssrc-group` announce, repairs with what they repair, at most `limit`.

    Spec: RFC 5576 section 4; RFC 4588 section 8.4 (FID).
    """
    if not limit:
        return ()
    said: dict[int, dict[str, str]] = {}
    for one in readable(section, Ssrc):
        if one.ssrc in said or len(said) < 2 * limit:
            said.setdefault(one.ssrc, {}).setdefault(one.attribute, one.value or "")
    repairs: dict[int, int] = {}
    others: set[int] = set()
    for group in readable(section, SsrcGroup):
        if len(group.ssrcs) < 2:
            continue
        if group.semantics == "FID":
            repairs.setdefault(group.ssrcs[0], group.ssrcs[1])
            others.add(group.ssrcs[1])
        elif group.semantics in ("FEC-FR", "FEC"):
            others.update(group.ssrcs[1:])
        if len(repairs) >= limit:
            break
    found: list[RemoteSource] = []
    for ssrc in dict.fromkeys((*said, *repairs)):
        if ssrc in others:
            continue
        facts = said.get(ssrc, {})
        stream, _, track = facts.get("msid", "").partition(" ")
        found.append(
            RemoteSource(
                ssrc=ssrc,
                rtx_ssrc=repairs.get(ssrc),
                cname=facts.get("cname", ""),
                stream_id="" if stream == "-" else stream,
                track_id=track,
            )
        )
    return tuple(found[:limit])


def remote_msid(section: MediaDescription) -> tuple[tuple[str, ...], str]:
    """The stream ids and the track id that a section names, in `a=msid` or, from older peers, in `a=ssrc`."""
    named = readable(section, Msid)
    if not named:
        for source in readable(section, Ssrc):
            if source.attribute == "msid" and source.value:
                stream, _, track = source.value.partition(" ")
                named = [Msid(stream=stream, track=track or None)]
                break
    streams = dict.fromkeys(one.stream for one in named if one.stream != "-")
    track = next((one.track for one in named if one.track), "") or ""
    return tuple(streams)[:_MAX_STREAMS], track


def _max_bitrate(section: MediaDescription) -> int | None:
    """`b=TIAS` as it is, else `b=AS` in kilobits; an unreadable line is an absent one."""
    found: dict[str, int] = {}
    for text in section.fields("b"):
        try:
            one = Bandwidth.parse(text)
        except SdpParseError:
            continue  # see above
        found.setdefault(one.kind, one.value if one.kind == "TIAS" else one.value * 1000)
    return found.get("TIAS", found.get("AS"))
