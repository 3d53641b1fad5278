"""Why a packet was refused: a value in bursts, an exception for one packet."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ..errors import AuthenticationFailed, KeyLimitReached, ParseError, ReplayDetected, WebRTCError


class Refused(Enum):
    """Stands in a burst's result where a packet would be; the values are reasons of the drop counter."""

    MALFORMED = "malformed"
    BAD_TAG = "bad_tag"
    UNKNOWN_KEY = "unknown_key"
    """The master key identifier is none that was added."""
    REPLAYED = "replayed"
    TOO_OLD = "too_old"
    KEY_LIMIT = "key_limit"

    def error(self) -> WebRTCError:
        """The exception that the one-packet form raises."""
        kind, message = _ERRORS[self]
        return kind(message)


_ERRORS: Final[dict[Refused, tuple[type[WebRTCError], str]]] = {
    Refused.MALFORMED: (ParseError, "not an RTP or RTCP packet, or cut short"),
    Refused.BAD_TAG: (AuthenticationFailed, "the authentication tag is wrong"),
    Refused.UNKNOWN_KEY: (AuthenticationFailed, "the master key identifier is not one of those added"),
    Refused.REPLAYED: (ReplayDetected, "a packet with this index was seen before"),
    Refused.TOO_OLD: (ReplayDetected, "the packet is older than the replay window"),
    Refused.KEY_LIMIT: (KeyLimitReached, "the key has no packet index left; make a context with a new master key"),
}
