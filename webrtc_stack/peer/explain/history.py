"""When things happened last: the only state of this room, kept by the peer."""

from __future__ import annotations

from ...base import Instant
from .values import Moment

_OF_ICE = {
    "checking": Moment.CHECKING,
    "connected": Moment.ICE_CONNECTED,
    "disconnected": Moment.ICE_DISCONNECTED,
    "failed": Moment.ICE_FAILED,
}
_OF_GATHERING = {"gathering": Moment.GATHERING, "complete": Moment.GATHERED}
_OF_CONNECTION = {"connected": Moment.CONNECTED, "failed": Moment.FAILED}


class History:
    """One instant for each `Moment`: bounded by their number."""

    __slots__ = ("_at",)

    def __init__(self, now: Instant) -> None:
        self._at: dict[Moment, Instant] = {Moment.MADE: now}

    def note(self, moment: Moment, now: Instant) -> None:
        self._at[moment] = now

    def ice_state(self, state: str, now: Instant) -> None:
        if state in _OF_ICE:
            self._at[_OF_ICE[state]] = now

    def gathering_state(self, state: str, now: Instant) -> None:
        if state in _OF_GATHERING:
            self._at[_OF_GATHERING[state]] = now

    def connection_state(self, state: str, now: Instant) -> None:
        if state in _OF_CONNECTION:
            self._at[_OF_CONNECTION[state]] = now

    def __contains__(self, moment: object) -> bool:
        return moment in self._at

    def ages(self, now: Instant) -> dict[Moment, float]:
        """How long ago each was."""
        return {moment: max(now - at, 0.0) for moment, at in self._at.items()}
