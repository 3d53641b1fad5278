"""Payload types of one section: what each means, and the payload format behind it.

Parameters come from the peer's description, so a format that refuses them is made without; one that is not known at
all can still be carried as packets.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from ...errors import UsageError
from ...packetization import PayloadFormat, payload_format
from ...sdp import Fmtp
from ..parameters import Codec, CodecParameters

_RESERVED: Final = frozenset({"name", "clock_rate", "channels"})
"""Arguments of `payload_format`: a peer's parameter of that name is none."""


class Role(Enum):
    """What packets of a payload type are to a session."""

    MEDIA = "media"
    RED = "red"
    COMFORT_NOISE = "comfort noise"
    TONES = "tones"


_ROLES: Final = {"red": Role.RED, "cn": Role.COMFORT_NOISE, "telephone-event": Role.TONES}


class Payload(NamedTuple):
    """One payload type. `format` is None where this stack has no payload format of that name."""

    codec: CodecParameters
    role: Role
    format: PayloadFormat | None


def format_of(codec: Codec) -> PayloadFormat | None:
    """The payload format of a codec, or None."""
    name = codec.name.lower()
    if name == "telephone-event":
        parameters = {"events": codec.sdp_fmtp_line} if codec.sdp_fmtp_line else {}
    elif name == "red":
        parameters = {"payload_types": codec.sdp_fmtp_line} if codec.sdp_fmtp_line else {}
    else:
        read = Fmtp(format="0", text=codec.sdp_fmtp_line).parameters
        parameters = {key: value for key, value in read.items() if value is not None}
        parameters = {key: value for key, value in parameters.items() if key.replace("-", "_") not in _RESERVED}
    for chosen in (parameters, {}):
        try:
            return payload_format(name, clock_rate=codec.clock_rate, channels=codec.channels, **chosen)
        except UsageError:
            continue
    return None


class PayloadTable:
    """The payload types of one direction."""

    __slots__ = ("by_type", "feedback", "ordered", "rtx")

    def __init__(self, codecs: Iterable[CodecParameters]) -> None:
        self.ordered: list[Payload] = []
        self.by_type: dict[int, Payload] = {}
        self.rtx: dict[int, int] = {}
        """Payload type of RTX -> payload type of the media (`apt`)."""
        feedback: set[str] = set()
        for codec in codecs:
            role = _ROLES.get(codec.codec.name.lower(), Role.MEDIA)
            payload = Payload(codec, role, format_of(codec.codec))
            self.ordered.append(payload)
            self.by_type.setdefault(codec.payload_type, payload)
            if codec.rtx_payload_type is not None:
                self.rtx.setdefault(codec.rtx_payload_type, codec.payload_type)
            feedback.update(codec.codec.feedback)
        self.feedback = frozenset(feedback)

    def media(self, mime_type: str | None = None) -> Payload | None:
        """The first codec that carries pictures or sound (or the first called `mime_type`); RED counts as one."""
        wanted = None if mime_type is None else mime_type.lower()
        for payload in self.ordered:
            if wanted is None:
                if payload.role in (Role.MEDIA, Role.RED):
                    return payload
            elif payload.codec.codec.mime_type.lower() == wanted:
                return payload
        return None

    def inside_red(self, red: Payload) -> Payload | None:
        """The codec that packets of RED carry: what its parameters say, else the first other one."""
        first = red.codec.codec.sdp_fmtp_line.partition("/")[0].strip()
        inner = self.by_type.get(int(first)) if first.isascii() and first.isdigit() else None
        if inner is not None and inner.role is Role.MEDIA:
            return inner
        return next((one for one in self.ordered if one.role is Role.MEDIA), None)

    def tones(self, clock_rate: int) -> Payload | None:
        """The telephone-event that runs at `clock_rate`, else any."""
        found = [payload for payload in self.ordered if payload.role is Role.TONES]
        return next((one for one in found if one.codec.codec.clock_rate == clock_rate), found[0] if found else None)

    def matching(self, codec: Codec) -> Payload | None:
        """What the same codec is called here: by MIME type, rate and parameters, or by the first two alone."""
        mime_type = codec.mime_type.lower()
        same = [
            payload
            for payload in self.ordered
            if payload.codec.codec.mime_type.lower() == mime_type and payload.codec.codec.clock_rate == codec.clock_rate
        ]
        for payload in same:
            if payload.codec.codec.sdp_fmtp_line == codec.sdp_fmtp_line:
                return payload
        return same[0] if same else None
