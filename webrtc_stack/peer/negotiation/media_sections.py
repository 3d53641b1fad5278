"""Audio and video sections as we write them in offers and answers.

Spec: RFC 9429 sections 5.2.1, 5.2.2 (offers), 5.3.1 (answers); RFC 8830 (msid); RFC 5576 (ssrc); RFC 5506 (rtcp-rsize);
RFC 3611 (rtcp-xr); RFC 5761 (rtcp-mux, which we always want).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...rtp import Uri
from ...sdp import (
    Attribute,
    Direction,
    ExtMap,
    Field,
    Line,
    MediaDescription,
    MediaLine,
    SessionDescription,
)
from ..parameters import Codec, MediaKind
from .capabilities import DEFAULT_PAYLOAD_TYPES, default_codecs
from .codecs import PayloadTypes, SectionCodec, codec_lines, codecs_of, common_codecs, formats_of
from .extensions import ExtensionIds, allows_mixed, answered_extensions, extensions_of
from .remote import says
from .sections import DISCARD_PORT, NO_ADDRESS, OwnSide, transport_lines
from .simulcast import layer_lines, layers_of, playable_layers
from .transceivers import Transceiver, common, receives, sends

PROTOCOL = "UDP/TLS/RTP/SAVPF"
_SERVED_PROTOCOLS = re.compile(r"(?:(?:UDP|TCP)/D?TLS/)?RTP/S?AVPF?\Z")
"""RFC 9429 section 5.1.2: the profile names say little, since DTLS and feedback are negotiated by attributes."""
XR_ROUND_TRIP = "rcvr-rtt=all"


def is_rtp(media: MediaDescription) -> bool:
    """True for a section of audio or video over RTP."""
    return media.kind in ("audio", "video") and _SERVED_PROTOCOLS.match(media.protocol) is not None


def is_served_rtp(sdp: SessionDescription, media: MediaDescription) -> bool:
    """True for an offered section that we can answer: RTCP multiplexed, and a codec that we have.

    Browsers refuse a whole offer for a section without `a=rtcp-mux`; here that section alone is rejected, so a data
    channel beside it lives.
    """
    if not is_rtp(media) or not says(sdp, media, "rtcp-mux"):
        return False
    return bool(common_codecs(default_codecs(MediaKind(media.kind)), codecs_of(media), by_ours=False))


def offers_round_trip(media: MediaDescription) -> bool:
    """True if a section takes receiver reference times from any receiver."""
    return any("rcvr-rtt=all" in text.split() for text in media.texts("rtcp-xr"))


@dataclass(slots=True)
class OfferTables:
    """Numbers given in one offer: payload types and extension ids."""

    payload_types: PayloadTypes
    extension_ids: ExtensionIds

    @classmethod
    def of(cls, sections: Sequence[MediaDescription]) -> OfferTables:
        """`sections` are those of the session, ours before the peer's."""
        rtp = [section for section in sections if is_rtp(section)]
        return cls(PayloadTypes(rtp, DEFAULT_PAYLOAD_TYPES), ExtensionIds(rtp))


def wanted_codecs(transceiver: Transceiver) -> tuple[Codec, ...]:
    return transceiver.codec_preferences or default_codecs(transceiver.kind)


def offered_section(
    transceiver: Transceiver,
    *,
    mid: str,
    own: OwnSide | None,
    cname: str,
    tables: OfferTables,
    before: MediaDescription | None,
) -> MediaDescription:
    """The section that offers a transceiver; `before` is how we wrote it last. Without `own` it is bundle-only."""
    listed = tables.payload_types.listed(wanted_codecs(transceiver), before)
    extensions = tables.extension_ids.listed(transceiver.header_extensions, before)
    direction = transceiver.direction
    # Simulcast needs the rid on the wire.
    layered = any(one.uri == Uri.RID for one in extensions)
    rids = [one.rid for one in transceiver.encodings if one.rid is not None]
    return _section(
        transceiver,
        head=MediaLine(
            kind=transceiver.kind.value,
            port=0 if own is None else DISCARD_PORT,
            protocol=before.protocol if before is not None else PROTOCOL,
            formats=formats_of(listed),
        ),
        mid=mid,
        own=own,
        direction=direction,
        listed=listed,
        extensions=extensions,
        send_rids=rids if layered and len(rids) > 1 and sends(direction) else (),
        receive_rids=transceiver.receive_rids if layered and receives(direction) else (),
        facts=_Facts(mixed=True, reduced_size=True, round_trip=True),
        cname=cname,
    )


def answered_section(
    transceiver: Transceiver,
    offer: SessionDescription,
    offered: MediaDescription,
    *,
    own: OwnSide,
    cname: str,
    bundle_ids: dict[int, str],
    max_rids: int,
) -> MediaDescription | None:
    """The section that answers `offered`; None if there is no codec in common with the transceiver's preferences."""
    listed = common_codecs(wanted_codecs(transceiver), codecs_of(offered), by_ours=bool(transceiver.codec_preferences))
    if not listed:
        return None
    mixed = allows_mixed(offer, offered)
    extensions = answered_extensions(transceiver.header_extensions, extensions_of(offered, mixed=mixed), bundle_ids)
    direction = common(transceiver.direction, offer.direction_of(offered).reversed)
    layered = any(one.uri == Uri.RID for one in extensions)
    asked = layers_of(offered, "recv")
    ours = [one.rid for one in transceiver.encodings if one.rid is not None]
    send_rids = [rid for rid in ours if rid in asked] if layered and sends(direction) else []
    return _section(
        transceiver,
        head=MediaLine(kind=offered.kind, port=DISCARD_PORT, protocol=offered.protocol, formats=formats_of(listed)),
        mid=offered.mid,
        own=own,
        direction=direction,
        listed=listed,
        extensions=extensions,
        send_rids=send_rids,
        receive_rids=playable_layers(offered, listed, max_rids) if layered and receives(direction) else (),
        facts=_Facts(
            mixed=mixed, reduced_size=says(offer, offered, "rtcp-rsize"), round_trip=offers_round_trip(offered)
        ),
        cname=cname,
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """Properties that a section states by a line each."""

    mixed: bool
    reduced_size: bool
    round_trip: bool


def _section(
    transceiver: Transceiver,
    *,
    head: MediaLine,
    mid: str | None,
    own: OwnSide | None,
    direction: Direction,
    listed: Sequence[SectionCodec],
    extensions: Sequence[ExtMap],
    send_rids: Sequence[str],
    receive_rids: Sequence[str],
    facts: _Facts,
    cname: str,
) -> MediaDescription:
    lines: list[Line] = [Field("c", NO_ADDRESS)]
    if own is None:
        lines.append(Attribute("bundle-only"))
    else:
        lines.append(Attribute("rtcp", f"{DISCARD_PORT} {NO_ADDRESS}"))
    if mid is not None:
        lines.append(Attribute("mid", mid))
    if own is not None:
        lines += transport_lines(own)
    if facts.mixed:
        lines.append(Attribute("extmap-allow-mixed"))
    lines += [Attribute(ExtMap.NAME, one.serialize()) for one in extensions]
    lines.append(Attribute(direction.value))
    if sends(direction):
        lines += [Attribute("msid", msid) for msid in msids(transceiver)]
    lines.append(Attribute("rtcp-mux"))
    if facts.reduced_size:
        lines.append(Attribute("rtcp-rsize"))
    if facts.round_trip:
        lines.append(Attribute("rtcp-xr", XR_ROUND_TRIP))
    lines += codec_lines(listed)
    # A section that has sent keeps its sources while it does not: where they vanish from the description and come back,
    # Chromium decodes them again but no longer hands the frames to the page's track.
    if not send_rids and (sends(direction) or (transceiver.ever_sent and len(transceiver.encodings) == 1)):
        repairs = any(one.rtx is not None for one in listed)
        lines += _source_lines(transceiver, cname, repairs=repairs, sending=sends(direction))
    lines += layer_lines(send_rids, receive_rids)
    return MediaDescription(media=head, lines=tuple(lines))


def msids(transceiver: Transceiver) -> list[str]:
    """The values of `a=msid`: one a stream, `-` without any (RFC 9429 section 5.2.1)."""
    return [f"{stream} {transceiver.track_id}" for stream in transceiver.stream_ids or ("-",)]


def _source_lines(transceiver: Transceiver, cname: str, *, repairs: bool, sending: bool) -> list[Attribute]:
    """`a=ssrc` and `a=ssrc-group:FID` of the first encoding. Layers with rids go without: RFC 9429 section 5.2.1."""
    lines: list[Attribute] = []
    for ids in transceiver.sources[:1]:
        ssrcs = [ids.ssrc]
        if repairs and ids.rtx_ssrc is not None:
            ssrcs.append(ids.rtx_ssrc)
            lines.append(Attribute("ssrc-group", f"FID {ids.ssrc} {ids.rtx_ssrc}"))
        for ssrc in ssrcs:
            lines.append(Attribute("ssrc", f"{ssrc} cname:{cname}"))
            if sending:
                lines.append(Attribute("ssrc", f"{ssrc} msid:{msids(transceiver)[0]}"))
    return lines
