"""Typed values of the attributes that describe RTP media.

Spec: RFC 8866 sections 6.6, 6.15 (rtpmap, fmtp), RFC 4585 and 5104 (rtcp-fb), RFC 8285 (extmap), RFC 5576 (ssrc,
ssrc-group), RFC 8830 (msid), RFC 8851 (rid), RFC 8853 (simulcast), RFC 4568 (crypto, which is only read: SDES keys
are forbidden in WebRTC). `imageattr`, `rtcp-xr`, `source-filter`, `ts-refclk` and `mediaclk` stay text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ..errors import SdpParseError
from .values import number, token, words


class Direction(StrEnum):
    """Who sends (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def reversed(self) -> Direction:
        """The same, seen from the other side."""
        swap = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}
        return swap.get(self, self)


_DIRECTIONS = frozenset(direction.value for direction in Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpMap:
    """`a=rtpmap`: payload type, encoding name, clock rate, and for audio the number of channels."""

    NAME: ClassVar[str] = "rtpmap"

    payload_type: int
    encoding: str
    clock_rate: int
    parameters: str | None = None

    @property
    def channels(self) -> int:
        """Audio channels; 1 where nothing is written."""
        return int(self.parameters) if self.parameters and self.parameters.isdecimal() else 1

    @classmethod
    def parse(cls, text: str) -> RtpMap:
        payload_type, codec = words(text, 2, "rtpmap", most=2)
        encoding, slash, rest = codec.partition("/")
        if not slash:
            raise SdpParseError("expected encoding/clock-rate", field="rtpmap")
        rate, slash, parameters = rest.partition("/")
        return cls(
            payload_type=number(payload_type, 127, "rtpmap payload type"),
            encoding=token(encoding, "rtpmap encoding"),
            clock_rate=number(rate, 2**32 - 1, "rtpmap clock rate"),
            parameters=parameters if slash else None,
        )

    def serialize(self) -> str:
        parameters = "" if self.parameters is None else f"/{self.parameters}"
        return f"{self.payload_type} {self.encoding}/{self.clock_rate}{parameters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fmtp:
    """`a=fmtp`: parameters of one format. `text` is kept as written; `parameters` is its usual reading."""

    NAME: ClassVar[str] = "fmtp"

    format: str
    text: str

    @property
    def parameters(self) -> dict[str, str | None]:
        """`name=value` pairs parted by semicolons, names in lower case; a lone word has the value None."""
        found: dict[str, str | None] = {}
        for part in self.text.split(";"):
            name, equals, value = part.strip().partition("=")
            if name:
                found[name.strip().lower()] = value.strip() if equals else None
        return found

    @classmethod
    def parse(cls, text: str) -> Fmtp:
        format_, space, rest = text.strip().partition(" ")
        if not space:
            raise SdpParseError("expected a format and its parameters", field="fmtp")
        return cls(format=token(format_, "fmtp format"), text=rest.lstrip())

    @classmethod
    def of(cls, format: int | str, **parameters: object) -> Fmtp:
        """Builds `name=value;…` in the order given; underscores in names become hyphens."""
        pairs = (f"{name.replace('_', '-')}={value}" for name, value in parameters.items())
        return cls(format=str(format), text=";".join(pairs))

    def serialize(self) -> str:
        return f"{self.format} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcpFeedback:
    """`a=rtcp-fb`: a kind of feedback for one payload type, or for all (`*`)."""

    NAME: ClassVar[str] = "rtcp-fb"

    payload_type: int | None
    kind: str
    parameter: str = ""

    @classmethod
    def parse(cls, text: str) -> RtcpFeedback:
        target, kind, *rest = words(text, 2, "rtcp-fb")
        return cls(
            payload_type=None if target == "*" else number(target, 127, "rtcp-fb payload type"),
            kind=token(kind, "rtcp-fb kind"),
            parameter=" ".join(rest),
        )

    def serialize(self) -> str:
        target = "*" if self.payload_type is None else str(self.payload_type)
        return f"{target} {self.kind} {self.parameter}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtMap:
    """`a=extmap`: a header extension's id, direction, URI and attributes."""

    NAME: ClassVar[str] = "extmap"

    id: int
    direction: Direction | None = None
    uri: str
    attributes: str = ""

    @classmethod
    def parse(cls, text: str) -> ExtMap:
        head, uri, *rest = words(text, 2, "extmap")
        id_, slash, direction = head.partition("/")
        if slash and direction not in _DIRECTIONS:
            raise SdpParseError(f"unknown direction {direction[:20]!r}", field="extmap")
        return cls(
            id=number(id_, 65535, "extmap id"),  # 4096-4351 are stand-ins in offers with too many (RFC 8285)
            direction=Direction(direction) if slash else None,
            uri=uri,
            attributes=" ".join(rest),
        )

    def serialize(self) -> str:
        direction = "" if self.direction is None else f"/{self.direction}"
        return f"{self.id}{direction} {self.uri} {self.attributes}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssrc:
    """`a=ssrc`: one attribute of one source, such as its `cname`."""

    NAME: ClassVar[str] = "ssrc"

    ssrc: int
    attribute: str
    value: str | None = None

    @classmethod
    def parse(cls, text: str) -> Ssrc:
        ssrc, _, rest = text.strip().partition(" ")
        attribute, colon, value = rest.strip().partition(":")
        return cls(
            ssrc=number(ssrc, 2**32 - 1, "ssrc"),
            attribute=token(attribute, "ssrc attribute"),
            value=value if colon else None,
        )

    def serialize(self) -> str:
        value = "" if self.value is None else f":{self.value}"
        return f"{self.ssrc} {self.attribute}{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SsrcGroup:
    """`a=ssrc-group`: sources that belong together; `FID` pairs a stream with its retransmissions."""

    NAME: ClassVar[str] = "ssrc-group"

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> SsrcGroup:
        semantics, *ssrcs = words(text, 1, "ssrc-group")
        return cls(
            semantics=token(semantics, "ssrc-group"),
            ssrcs=tuple(number(ssrc, 2**32 - 1, "ssrc-group") for ssrc in ssrcs),
        )

    def serialize(self) -> str:
        return " ".join((self.semantics, *map(str, self.ssrcs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Msid:
    """`a=msid`: the media stream (`-` for none) and, from older peers, the track that a section carries."""

    NAME: ClassVar[str] = "msid"

    stream: str
    track: str | None = None

    @classmethod
    def parse(cls, text: str) -> Msid:
        stream, *track = words(text, 1, "msid", most=2)
        return cls(stream=stream, track=track[0] if track else None)

    def serialize(self) -> str:
        return self.stream if self.track is None else f"{self.stream} {self.track}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rid:
    """`a=rid`: a restriction id, its direction, the payload types it may use, and its restrictions in order."""

    NAME: ClassVar[str] = "rid"

    id: str
    direction: str
    payload_types: tuple[int, ...] = ()
    restrictions: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Rid:
        id_, direction, *rest = words(text, 2, "rid")
        if direction not in ("send", "recv"):
            raise SdpParseError(f"expected send or recv, got {direction[:20]!r}", field="rid")
        payload_types: tuple[int, ...] = ()
        restrictions: list[tuple[str, str | None]] = []
        for part in " ".join(rest).split(";") if rest else ():
            name, equals, value = part.strip().partition("=")
            if name == "pt" and not restrictions and not payload_types:
                payload_types = tuple(number(pt, 127, "rid pt") for pt in value.split(","))
            else:
                restrictions.append((token(name, "rid restriction"), value if equals else None))
        return cls(
            id=token(id_, "rid id"),
            direction=direction,
            payload_types=payload_types,
            restrictions=tuple(restrictions),
        )

    def serialize(self) -> str:
        parts = [f"pt={','.join(map(str, self.payload_types))}"] if self.payload_types else []
        parts += [name if value is None else f"{name}={value}" for name, value in self.restrictions]
        return f"{self.id} {self.direction} {';'.join(parts)}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulcastRid:
    """One alternative of a simulcast stream; `~` marks one that starts paused."""

    rid: str
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulcast:
    """`a=simulcast`: for each direction the streams, each a run of alternatives.

    The draft form that old browsers wrote (`send rid=1;2 paused=2`) is refused by the typed reading and kept as text.
    """

    NAME: ClassVar[str] = "simulcast"

    send: tuple[tuple[SimulcastRid, ...], ...] = ()
    recv: tuple[tuple[SimulcastRid, ...], ...] = ()
    recv_first: bool = False
    """The order in which the directions were written."""

    @classmethod
    def parse(cls, text: str) -> Simulcast:
        found = words(text, 2, "simulcast", most=4)
        if len(found) % 2 or any(direction not in ("send", "recv") for direction in found[::2]):
            raise SdpParseError("expected send or recv and a list of rids, at most one of each", field="simulcast")
        if len(found) == 4 and found[0] == found[2]:
            raise SdpParseError(f"{found[0]} is given twice", field="simulcast")
        lists = {
            direction: tuple(
                tuple(
                    SimulcastRid(rid=_rid(alternative.removeprefix("~")), paused=alternative.startswith("~"))
                    for alternative in stream.split(",")
                )
                for stream in streams.split(";")
            )
            for direction, streams in zip(found[::2], found[1::2], strict=True)
        }
        return cls(
            send=lists.get("send", ()),
            recv=lists.get("recv", ()),
            recv_first=len(found) == 4 and found[0] == "recv",
        )

    def serialize(self) -> str:
        parts = [
            f"{direction} "
            + ";".join(",".join(("~" if one.paused else "") + one.rid for one in stream) for stream in streams)
            for direction, streams in (("send", self.send), ("recv", self.recv))
            if streams
        ]
        if self.recv_first:
            parts.reverse()
        return " ".join(parts)


def _rid(text: str) -> str:
    if "=" in text:
        raise SdpParseError("the draft form with rid= is not simulcast of RFC 8853", field="simulcast")
    return token(text, "simulcast rid")


@dataclass(frozen=True, slots=True, kw_only=True)
class MsidSemantic:
    """`a=msid-semantic`: `WMS` and the streams of the session, a line that browsers still write."""

    NAME: ClassVar[str] = "msid-semantic"

    semantic: str
    streams: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> MsidSemantic:
        semantic, *streams = words(text, 1, "msid-semantic")
        return cls(semantic=token(semantic, "msid-semantic"), streams=tuple(streams))

    def serialize(self) -> str:
        return " ".join((self.semantic, *self.streams))


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """`a=crypto`: an SDES key offer (RFC 4568). Read to be recognised; never used."""

    NAME: ClassVar[str] = "crypto"

    tag: int
    suite: str
    key_parameters: str
    session_parameters: str = ""

    @classmethod
    def parse(cls, text: str) -> Crypto:
        tag, suite, key, *rest = words(text, 3, "crypto")
        return cls(
            tag=number(tag, 10**9, "crypto tag"),
            suite=token(suite, "crypto suite"),
            key_parameters=key,
            session_parameters=" ".join(rest),
        )

    def serialize(self) -> str:
        return f"{self.tag} {self.suite} {self.key_parameters} {self.session_parameters}".rstrip()
