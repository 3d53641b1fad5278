"""Simulcast in SDP: which layers we send and which we receive.

Spec: RFC 8853, RFC 8851 (rid), RFC 9429 sections 3.7, 5.2.1, 5.3.1; W3C webrtc-pc section 5.1 (sendEncodings).
Left out: pausing of layers (`~`) by the peer, since it needs RFC 7728; a paused layer is taken as a running one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import InvalidArgumentError
from ...sdp import Attribute, MediaDescription, Rid, Simulcast, SimulcastRid
from ..parameters import Encoding, MediaKind
from .codecs import SectionCodec, readable

_RID = re.compile(r"[A-Za-z0-9]{1,16}\Z")
"""RFC 8851 allows `-` and `_`, RFC 8852 on the wire does not; browsers take up to 16 characters."""
MAX_ENCODINGS = 8


def check_encodings(kind: MediaKind, encodings: tuple[Encoding, ...]) -> tuple[Encoding, ...]:
    """Encodings that a sender can have, each layer with a rid. Errors: `InvalidArgumentError`.

    Spec: W3C webrtc-pc section 5.1, addTransceiver. Audio has one encoding; scaling means nothing there.
    """
    if not encodings:
        return (Encoding(),)
    if len(encodings) > MAX_ENCODINGS:
        raise InvalidArgumentError(f"a sender has at most {MAX_ENCODINGS} encodings, got {len(encodings)}")
    if kind is MediaKind.AUDIO and len(encodings) > 1:
        raise InvalidArgumentError(f"audio has one encoding, got {len(encodings)}")
    rids = [one.rid for one in encodings]
    for rid in rids:
        if rid is not None and not _RID.match(rid):
            raise InvalidArgumentError(f"the rid {rid[:20]!r} is not 1 to 16 ASCII letters and digits")
    if len(encodings) > 1 and (None in rids or len(set(rids)) != len(rids)):
        raise InvalidArgumentError("each of several encodings needs a rid of its own")
    for one in encodings:
        if one.scale_resolution_down_by is not None and one.scale_resolution_down_by < 1:
            raise InvalidArgumentError(f"scale_resolution_down_by is at least 1, got {one.scale_resolution_down_by}")
        if one.max_framerate is not None and one.max_framerate < 0:
            raise InvalidArgumentError(f"max_framerate is at least 0, got {one.max_framerate}")
        if one.max_bitrate is not None and one.max_bitrate < 0:
            raise InvalidArgumentError(f"max_bitrate is at least 0, got {one.max_bitrate}")
    return encodings


def layers_of(section: MediaDescription, direction: str, limit: int = MAX_ENCODINGS) -> tuple[str, ...]:
    """The rids of the simulcast streams that a section sends or receives, in order; empty without simulcast.

    Only rids that have an `a=rid` line of that direction count (RFC 8853 section 5.2). Alternatives of one stream are
    all taken when they are sent to us; of those that we may send, the first.
    """
    streams = _streams(section, direction)
    if not streams:
        return ()
    described = {one.id for one in readable(section, Rid) if one.direction == direction}
    found: dict[str, None] = {}
    for stream in streams:
        usable = [one.rid for one in stream if one.rid in described and _RID.match(one.rid)]
        for rid in usable if direction == "send" else usable[:1]:
            found[rid] = None
    return tuple(found)[:limit]


def _streams(section: MediaDescription, direction: str) -> tuple[tuple[SimulcastRid, ...], ...]:
    found = next(iter(readable(section, Simulcast)), None)  # the draft form with rid= is not read
    if found is None:
        return ()
    return found.send if direction == "send" else found.recv


def layer_lines(send: Sequence[str], receive: Sequence[str]) -> list[Attribute]:
    """`a=rid` and `a=simulcast` for layers that we send and layers that we receive."""
    if not send and not receive:
        return []
    lines = [Attribute("rid", f"{rid} send") for rid in send]
    lines += [Attribute("rid", f"{rid} recv") for rid in receive]
    simulcast = Simulcast(
        send=tuple((SimulcastRid(rid=rid),) for rid in send), recv=tuple((SimulcastRid(rid=rid),) for rid in receive)
    )
    return [*lines, Attribute(Simulcast.NAME, simulcast.serialize())]


def playable_layers(section: MediaDescription, listed: Sequence[SectionCodec], limit: int) -> tuple[str, ...]:
    """The layers of a remote offer that we can receive: those that are not bound to payload types we decline."""
    accepted = {one.payload_type for one in listed}
    bound = {one.id: one.payload_types for one in readable(section, Rid) if one.direction == "send"}
    layers = layers_of(section, "send", limit)
    return tuple(rid for rid in layers if not bound.get(rid) or accepted.intersection(bound[rid]))
