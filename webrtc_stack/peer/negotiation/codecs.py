"""Codecs in SDP: what a section lists, when two codecs are the same, and which payload types we give.

Spec: RFC 8866 sections 6.6 and 6.15, RFC 3264 section 6.1, RFC 4588 section 8 (apt), RFC 3551 section 6 (static types).
Matching by format parameters: RFC 6184 section 8.2.2 (H.264), RFC 9628 section 7.2 (VP9 profile-id), the AV1 RTP
payload specification section 7.2 (profile; level and tier are what a receiver decodes, so they never part two
codecs), RFC 7798 section 7.2 (H.265 profile and tier). Opus, G.711 and G.722 have no parameters that part them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...packetization import answer_profile_level_id, same_h264_format
from ...sdp import Fmtp
from ..parameters import Codec

AUXILIARY: Final = frozenset({"telephone-event", "cn"})
"""Audio formats that go beside a codec and carry no stream of their own."""

_STATIC: Final = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    13: ("CN", 8000, 1),
}
_PROFILE_DEFAULTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "vp9": (("profile-id", "0"),),
    "av1": (("profile", "0"),),
    "h265": (("profile-id", "1"), ("tier-flag", "0")),
}


class SectionCodec(NamedTuple):
    """A codec as a section lists it."""

    payload_type: int
    codec: Codec
    rtx: int | None
    """The payload type of its retransmissions."""


def parameters_of(line: str) -> dict[str, str]:
    """The parameters of a format, names in lower case; a lone word has an empty value."""
    return {name: value or "" for name, value in Fmtp(format="0", text=line).parameters.items()}


def is_rtx(codec: Codec) -> bool:
    return codec.name.lower() == "rtx"


def is_red(codec: Codec) -> bool:
    return codec.name.lower() == "red"


def same_codec(one: Codec, other: Codec) -> bool:
    """True if both name the same codec in a form that can decode each other."""
    if one.mime_type.lower() != other.mime_type.lower() or one.clock_rate != other.clock_rate:
        return False
    if (one.channels or 1) != (other.channels or 1):
        return False
    name = one.name.lower()
    if name == "h264":
        return same_h264_format(_underscored(one.sdp_fmtp_line), _underscored(other.sdp_fmtp_line))
    defaults = _PROFILE_DEFAULTS.get(name)
    if defaults is None:
        return True
    left, right = parameters_of(one.sdp_fmtp_line), parameters_of(other.sdp_fmtp_line)
    return all(left.get(key, usual) == right.get(key, usual) for key, usual in defaults)


def _underscored(line: str) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in parameters_of(line).items()}


def answered_fmtp(ours: Codec, theirs: Codec) -> str:
    """The format parameters that our answer writes: ours, with the H.264 level that both sides can."""
    if ours.name.lower() != "h264":
        return ours.sdp_fmtp_line
    level = answer_profile_level_id(_underscored(ours.sdp_fmtp_line), _underscored(theirs.sdp_fmtp_line))
    parameters = parameters_of(ours.sdp_fmtp_line)
    if level is not None:
        parameters["profile-level-id"] = level
    if parameters_of(theirs.sdp_fmtp_line).get("level-asymmetry-allowed") != "1":
        parameters.pop("level-asymmetry-allowed", None)
    return ";".join(name if value == "" else f"{name}={value}" for name, value in parameters.items())
