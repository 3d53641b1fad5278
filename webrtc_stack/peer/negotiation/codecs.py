"""Codecs in SDP: what a section lists, when two codecs are the same, and which payload types we give.

Spec: RFC 8866 sections 6.6 and 6.15, RFC 3264 section 6.1, RFC 4588 section 8 (apt), RFC 3551 section 6 (static types).
Matching by format parameters: RFC 6184 section 8.2.2 (H.264), RFC 9628 section 7.2 (VP9 profile-id), the AV1 RTP
payload specification section 7.2 (profile; level and tier are what a receiver decodes, so they never part two
codecs), RFC 7798 section 7.2 (H.265 profile and tier). Opus, G.711 and G.722 have no parameters that part them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from ...errors import SdpParseError
from ...packetization import answer_profile_level_id, same_h264_format
from ...sdp import Attribute, AttributeValue, Fmtp, MediaDescription, RtcpFeedback, RtpMap, Section
from ..parameters import Codec, MediaKind

V = TypeVar("V", bound=AttributeValue)

AUXILIARY: Final = frozenset({"telephone-event", "cn"})
"""Audio formats that go beside a codec and carry no stream of their own."""

_HELPERS: Final = AUXILIARY | {"rtx", "red", "ulpfec", "flexfec", "flexfec-03"}
_DYNAMIC: Final[tuple[int, ...]] = (*range(96, 128), *range(35, 64))
_MAX_FEEDBACK: Final = 32
"""Kinds of feedback read for one codec; browsers write five."""

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


def readable(section: Section, kind: type[V]) -> list[V]:
    """The attributes of a kind that can be read: a broken line is an absent one, and costs no call.

    Answers are built from values, so nothing unreadable is ever repeated.
    """
    found: list[V] = []
    for text in section.texts(kind.NAME):
        try:
            found.append(kind.parse(text))
        except SdpParseError:
            continue  # see above
    return found


def codecs_of(section: MediaDescription) -> tuple[SectionCodec, ...]:
    """The codecs that an RTP section lists, in its order, each payload type once; RTX goes with its codec.

    A payload type without `a=rtpmap` counts if it is a static one. Of contradicting lines the first holds.
    """
    try:
        kind = MediaKind(section.kind)
    except ValueError:
        return ()
    maps: dict[int, RtpMap] = {}
    for one in readable(section, RtpMap):
        maps.setdefault(one.payload_type, one)
    lines: dict[str, str] = {}
    for fmtp in readable(section, Fmtp):
        lines.setdefault(fmtp.format, fmtp.text)
    feedback: dict[int | None, dict[str, None]] = {}
    for entry in readable(section, RtcpFeedback):
        feedback.setdefault(entry.payload_type, {})[f"{entry.kind} {entry.parameter}".rstrip()] = None
    everywhere = feedback.get(None, {})
    listed = [
        int(text) for text in dict.fromkeys(section.formats) if text.isascii() and text.isdigit() and len(text) < 4
    ]
    rtx: dict[int, int] = {}
    for payload_type in listed:
        named = maps.get(payload_type)
        if named is not None and named.encoding.lower() == "rtx":
            apt = parameters_of(lines.get(str(payload_type), "")).get("apt", "")
            if apt.isascii() and apt.isdigit() and len(apt) < 4:
                rtx.setdefault(int(apt), payload_type)
    found: list[SectionCodec] = []
    for payload_type in listed:
        codec = _codec(kind, payload_type, maps.get(payload_type))
        if codec is None or is_rtx(codec) or payload_type > 127:
            continue
        codec = replace(
            codec,
            sdp_fmtp_line=lines.get(str(payload_type), ""),
            feedback=tuple({**feedback.get(payload_type, {}), **everywhere})[:_MAX_FEEDBACK],
        )
        found.append(SectionCodec(payload_type, codec, rtx.get(payload_type)))
    return tuple(found)


def _codec(kind: MediaKind, payload_type: int, named: RtpMap | None) -> Codec | None:
    if named is not None:
        name, clock_rate, channels = named.encoding, named.clock_rate, named.channels
        if name.lower() == "opus":
            channels = 2  # there is no other (RFC 7587 section 7); webrtcbin 1.22 at times writes none
    elif payload_type in _STATIC and kind is MediaKind.AUDIO:
        name, clock_rate, channels = _STATIC[payload_type]
    else:
        return None
    if not clock_rate:
        return None
    return Codec(
        mime_type=f"{kind}/{name}", clock_rate=clock_rate, channels=channels if kind is MediaKind.AUDIO else None
    )


def common_codecs(ours: Sequence[Codec], theirs: Sequence[SectionCodec], *, by_ours: bool) -> list[SectionCodec]:
    """What an answer lists: their codecs that are also ours, with their payload types and our parameters.

    The order is theirs, or ours if the application has chosen one. Without a codec that carries media it is empty.
    """
    repairs = any(is_rtx(one) for one in ours)
    found: list[tuple[int, SectionCodec]] = []
    for one in theirs:
        rank, mine = next(((rank, mine) for rank, mine in enumerate(ours) if same_codec(mine, one.codec)), (0, None))
        if mine is None:
            continue
        codec = replace(
            mine,
            sdp_fmtp_line=answered_fmtp(mine, one.codec),
            feedback=tuple(kind for kind in mine.feedback if kind in one.codec.feedback),
        )
        found.append((rank, SectionCodec(one.payload_type, codec, one.rtx if repairs else None)))
    if by_ours:
        found.sort(key=lambda entry: entry[0])
    listed = [entry for _, entry in found]
    return listed if any(carries_media(entry.codec) for entry in listed) else []


def carries_media(codec: Codec) -> bool:
    """True for a codec proper: not RTX, RED, FEC, comfort noise or tones."""
    return codec.name.lower() not in _HELPERS


class PayloadTypes:
    """Gives payload types for one offer: those in use stay, new ones clash with none of either side.

    Types 64 to 95 are left out: with RTP and RTCP on one port they look like RTCP (RFC 5761 section 4).
    """

    def __init__(self, sections: Iterable[MediaDescription], defaults: Sequence[tuple[Codec, int]]) -> None:
        """`sections` are those of the session, ours before the peer's."""
        self._defaults = defaults
        self._known: list[SectionCodec] = []
        self._used: set[int] = set()
        for section in sections:
            self._known += codecs_of(section)
            self._used.update(int(text) for text in section.formats if text.isascii() and text.isdigit())

    def listed(self, codecs: Sequence[Codec], own: MediaDescription | None) -> list[SectionCodec]:
        """The codecs of an offered section; `own` is how we wrote that section before.

        Codecs for which no payload type is left are left out.
        """
        repairs = any(is_rtx(one) for one in codecs)
        mine = codecs_of(own) if own is not None else ()
        taken: set[int] = set()
        found: list[SectionCodec] = []
        for codec in codecs:
            if is_rtx(codec):
                continue
            known = next(
                (
                    one
                    for one in (*mine, *self._known)
                    if one.payload_type not in taken and same_codec(one.codec, codec)
                ),
                None,
            )
            payload_type = known.payload_type if known is not None else self._default(codec)
            if payload_type is None:
                continue
            taken.add(payload_type)
            rtx = None
            if repairs and carries_media(codec):
                rtx = known.rtx if known is not None else None
                if rtx is None or rtx in taken:
                    rtx = self._free(payload_type + 1)
                if rtx is not None:
                    taken.add(rtx)
            entry = SectionCodec(payload_type, codec, rtx)
            found.append(entry)
            if known is None or known.rtx != rtx:
                self._known.insert(0, entry)
        return found

    def _default(self, codec: Codec) -> int | None:
        usual = next((number for one, number in self._defaults if same_codec(one, codec)), _DYNAMIC[0])
        if usual < 35:
            return usual  # a static one means the same everywhere
        return self._free(usual)

    def _free(self, wish: int) -> int | None:
        for number in (wish, *_DYNAMIC):
            if number not in self._used and (number in _DYNAMIC):
                self._used.add(number)
                return number
        return None


def codec_lines(listed: Sequence[SectionCodec]) -> list[Attribute]:
    """`a=rtpmap`, `a=rtcp-fb` and `a=fmtp` of codecs and their retransmissions."""
    lines: list[Attribute] = []
    media = next((one.payload_type for one in listed if carries_media(one.codec)), None)
    for payload_type, codec, rtx in listed:
        channels = f"/{codec.channels}" if codec.channels is not None and codec.channels > 1 else ""
        lines.append(Attribute("rtpmap", f"{payload_type} {codec.name}/{codec.clock_rate}{channels}"))
        lines += [Attribute("rtcp-fb", f"{payload_type} {kind}") for kind in codec.feedback]
        fmtp = f"{media}/{media}" if is_red(codec) and media is not None else codec.sdp_fmtp_line
        if fmtp:
            lines.append(Attribute("fmtp", f"{payload_type} {fmtp}"))
        if rtx is not None:
            lines.append(Attribute("rtpmap", f"{rtx} rtx/{codec.clock_rate}"))
            lines.append(Attribute("fmtp", f"{rtx} apt={payload_type}"))
    return lines


def formats_of(listed: Sequence[SectionCodec]) -> tuple[str, ...]:
    """What `m=` lists."""
    return tuple(str(number) for one in listed for number in (one.payload_type, one.rtx) if number is not None)
