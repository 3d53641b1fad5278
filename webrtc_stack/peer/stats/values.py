"""What all statistics have in common: identity, time, and their form in JSON.

A member that is None is not known, and absent in JSON: zero is said only of what was counted and is zero.

Spec: W3C webrtc-pc section 8.4 (RTCStats), webrtc-stats sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Any, ClassVar, Final


class StatsType(StrEnum):
    """RTCStatsType."""

    CODEC = "codec"
    INBOUND_RTP = "inbound-rtp"
    OUTBOUND_RTP = "outbound-rtp"
    REMOTE_INBOUND_RTP = "remote-inbound-rtp"
    REMOTE_OUTBOUND_RTP = "remote-outbound-rtp"
    MEDIA_SOURCE = "media-source"
    MEDIA_PLAYOUT = "media-playout"
    PEER_CONNECTION = "peer-connection"
    DATA_CHANNEL = "data-channel"
    TRANSPORT = "transport"
    CANDIDATE_PAIR = "candidate-pair"
    LOCAL_CANDIDATE = "local-candidate"
    REMOTE_CANDIDATE = "remote-candidate"
    CERTIFICATE = "certificate"


def camel_case(name: str) -> str:
    """The W3C name of a member: `round_trip_time` is `roundTripTime`. There are no exceptions."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One object of a report.

    Units: `timestamp`, and every other member that W3C types DOMHighResTimeStamp, is milliseconds since the Unix epoch;
    all else is in W3C's units: seconds, bytes, bits a second.
    """

    type: ClassVar[StatsType]
    id: str
    """The same as long as the object that it describes lives."""
    timestamp: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready mapping with W3C's names, as a browser's `getStats` gives; unknown members are left out."""
        members: dict[str, Any] = {"id": self.id, "timestamp": self.timestamp, "type": self.type.value}
        for name, shown in _names(type(self)):
            value = getattr(self, name)
            if value is not None:
                members[shown] = _plain(value)
        return members


_NAMES: Final[dict[str, tuple[tuple[str, str], ...]]] = {}


def _names(kind: type[Stats]) -> tuple[tuple[str, str], ...]:
    """(member, W3C's name) of a class of statistics, found once."""
    names = _NAMES.get(kind.__name__)
    if names is None:
        own = (one.name for one in fields(kind) if one.name not in ("id", "timestamp"))
        names = _NAMES[kind.__name__] = tuple((name, camel_case(name)) for name in own)
    return names


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return value
