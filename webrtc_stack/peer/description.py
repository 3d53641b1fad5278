"""What crosses the signalling channel: a session description and a trickled candidate, in the browsers' JSON shape.

Spec: W3C webrtc-pc sections 4.7 (RTCSessionDescription) and 4.8.1 (RTCIceCandidate); RFC 8840 for end-of-candidates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base import Candidate
from ..errors import InvalidArgumentError
from .negotiation import SdpType

_SDP_TYPES = frozenset(kind.value for kind in SdpType)


def _mapping(value: str | bytes | Mapping[str, Any], what: str) -> Mapping[str, Any]:
    if isinstance(value, (str, bytes)):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InvalidArgumentError(f"{what} is not JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{what} must be a JSON object, got {type(value).__name__}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """An offer or answer as text. `type` is one of `offer`, `pranswer`, `answer`, `rollback`."""

    type: SdpType
    sdp: str = ""

    def __post_init__(self) -> None:
        if self.type not in _SDP_TYPES:
            raise InvalidArgumentError(f"type is offer, pranswer, answer or rollback, got {self.type!r}")
        object.__setattr__(self, "type", SdpType(self.type))

    def to_json(self) -> dict[str, str]:
        """A JSON-ready mapping, what JavaScript's `toJSON()` gives: `{"type": ..., "sdp": ...}`."""
        return {"type": self.type.value, "sdp": self.sdp}

    @classmethod
    def from_json(cls, value: str | bytes | Mapping[str, Any]) -> SessionDescription:
        """From that mapping, or from JSON text. Errors: `InvalidArgumentError`."""
        fields = _mapping(value, "a session description")
        kind, sdp = fields.get("type"), fields.get("sdp", "")
        if not isinstance(kind, str) or not isinstance(sdp, str):
            raise InvalidArgumentError("a session description has text members 'type' and 'sdp'")
        return cls(type=kind, sdp=sdp)  # type: ignore[arg-type]  # checked and converted by __post_init__


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCandidate:
    """A trickled candidate. `candidate` is empty for end-of-candidates of one generation (browsers send both forms)."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None

    def parse(self) -> Candidate:
        """The candidate as a value. Errors: `ParseError`."""
        return Candidate.parse(self.candidate)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready mapping, what JavaScript's `toJSON()` gives."""
        return {
            "candidate": self.candidate,
            "sdpMid": self.sdp_mid,
            "sdpMLineIndex": self.sdp_m_line_index,
            "usernameFragment": self.username_fragment,
        }

    @classmethod
    def from_json(cls, value: str | bytes | Mapping[str, Any]) -> IceCandidate:
        """From that mapping, or from JSON text. Errors: `InvalidArgumentError`."""
        fields = _mapping(value, "a candidate")
        candidate, mid = fields.get("candidate", ""), fields.get("sdpMid")
        index, ufrag = fields.get("sdpMLineIndex"), fields.get("usernameFragment")
        if not isinstance(candidate, str) or not (mid is None or isinstance(mid, str)):
            raise InvalidArgumentError("a candidate has text members 'candidate' and 'sdpMid'")
        if not (index is None or (isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 65536)):
            raise InvalidArgumentError(f"sdpMLineIndex is a number from 0 to 65535, got {index!r}")
        if not (ufrag is None or isinstance(ufrag, str)):
            raise InvalidArgumentError("usernameFragment is text or null")
        return cls(candidate=candidate, sdp_mid=mid, sdp_m_line_index=index, username_fragment=ufrag)
