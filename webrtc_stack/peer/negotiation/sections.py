"""The data section as we write it, the rejected section, and what every section says of its transport.

Audio and video are in `media_sections.py`.

Spec: RFC 9429 sections 5.2.1, 5.3.1; RFC 8841 sections 4, 9, 10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...base import Fingerprint, IceParameters, SctpParameters, SetupRole
from ...errors import SdpParseError
from ...sdp import (
    Attribute,
    Connection,
    Field,
    Line,
    MediaDescription,
    MediaLine,
    RtpMap,
    SctpMap,
    ice_lines,
    serialize_fingerprint,
)

DATA_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"})
"""`DTLS/SCTP` is the form before RFC 8841. A `TCP/` offer is answered as it is (RFC 8841 section 12 leaves the choice
to ICE), as the browsers do."""
DATA_APPLICATION = "webrtc-datachannel"
DISCARD_PORT = 9
LEGACY_STREAMS = 65535
NO_ADDRESS = "IN IP4 0.0.0.0"
ICE_OPTIONS = ("trickle", "ice2")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSide:
    """What a section of ours says about its transport."""

    ice: IceParameters
    setup: SetupRole
    fingerprints: tuple[Fingerprint, ...]
    sctp: SctpParameters
    tls_id: str | None = None


def is_data(media: MediaDescription) -> bool:
    """True for a section that describes data channels, in the form of RFC 8841 or the one before it."""
    if media.kind != "application" or media.protocol not in DATA_PROTOCOLS:
        return False
    if DATA_APPLICATION in media.formats:
        return True
    try:
        old = media.value(SctpMap)
    except SdpParseError:
        return False
    return old is not None and old.application == DATA_APPLICATION


def data_section(
    own: OwnSide, *, mid: str | None, like: MediaLine | None = None, bundle_only: bool = False
) -> MediaDescription:
    """A live data section. `like` is the `m=` line to follow: a peer that writes the old form gets the old form."""
    old_form = like is not None and like.protocol == "DTLS/SCTP" and DATA_APPLICATION not in like.formats
    port = str(own.sctp.port)
    head = MediaLine(
        kind="application",
        port=0 if bundle_only else DISCARD_PORT,
        protocol=like.protocol if like is not None else "UDP/DTLS/SCTP",
        formats=(port,) if old_form else (DATA_APPLICATION,),
    )
    lines: list[Line] = [Field("c", NO_ADDRESS)]
    if mid is not None:
        lines.append(Attribute("mid", mid))
    lines += [Attribute("bundle-only")] if bundle_only else transport_lines(own)
    if old_form:
        lines.append(
            Attribute(
                "sctpmap", SctpMap(port=own.sctp.port, application=DATA_APPLICATION, streams=LEGACY_STREAMS).serialize()
            )
        )
    else:
        lines.append(Attribute("sctp-port", port))
    lines.append(Attribute("max-message-size", str(own.sctp.max_message_size)))
    return MediaDescription(media=head, lines=tuple(lines))


def transport_lines(own: OwnSide) -> list[Line]:
    """ICE credentials, fingerprints, setup, tls-id."""
    lines: list[Line] = list(ice_lines(replace(own.ice, options=())))
    lines += [Attribute("fingerprint", serialize_fingerprint(fingerprint)) for fingerprint in own.fingerprints]
    lines.append(Attribute("setup", own.setup.value))
    if own.tls_id is not None:
        lines.append(Attribute("tls-id", own.tls_id))
    return lines


def rejected_section(section: MediaDescription, *, mid: str | None, own: OwnSide | None) -> MediaDescription:
    """The section that rejects `section`, or keeps its place once it is dead.

    It repeats the first format and, for RTP, its rtpmap: some parsers want a payload type they can name even where
    nothing is sent. aiortc and webrtcbin refuse a whole description for a section without ICE credentials, fingerprint
    or `a=rtcp-mux`, so a rejected one has those too, as in Chromium's offers; `own` is None where there are none.
    Spec: RFC 3264 section 6, RFC 9429 section 5.3.1.
    """
    first = section.formats[:1] or ("0",)
    head = MediaLine(kind=section.kind, port=0, protocol=section.protocol, formats=first)
    lines: list[Line] = [Field("c", NO_ADDRESS)]
    if mid is not None:
        lines.append(Attribute("mid", mid))
    if own is not None:
        lines += transport_lines(replace(own, tls_id=None))
        if section.has("rtcp-mux"):
            lines.append(Attribute("rtcp-mux"))
    for text in section.texts("rtpmap"):
        try:
            codec = RtpMap.parse(text)
        except SdpParseError:
            continue  # a broken one is not repeated
        if str(codec.payload_type) == first[0]:
            lines += [Attribute("inactive"), Attribute("rtpmap", codec.serialize())]
            break
    return MediaDescription(media=head, lines=tuple(lines))


def placed(section: MediaDescription, connection: Connection, port: int) -> MediaDescription:
    """The section with its default destination in `m=` and `c=`."""
    return section.with_field("c", connection.serialize()).with_port(port)
