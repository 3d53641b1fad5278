"""Header extensions in SDP: ids that follow the offer, stay for the session and never clash.

Ids 1 to 14 fit the one-byte form, 15 is reserved there, those above need the two-byte form and so
`a=extmap-allow-mixed` from both sides. In one BUNDLE group an id means one extension (RFC 9143 section 9), since the
mid that names the section is itself behind an id.

Spec: RFC 8285 sections 4 to 7, RFC 9143 section 9, W3C webrtc-extensions (directions). Left out: encrypted header
extensions (RFC 6904), ids above 14 in offers (taken if the peer gives them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ...sdp import Direction, ExtMap, MediaDescription, SessionDescription
from ..parameters import HeaderExtension
from .codecs import readable
from .transceivers import common

MAX_ONE_BYTE: Final = 14
MAX_TWO_BYTE: Final = 255
_IDS: Final[tuple[int, ...]] = tuple(range(1, MAX_ONE_BYTE + 1))
"""What we give: Firefox (153) refuses a description with an id above 14, whatever it says of `extmap-allow-mixed`. What
finds no id is not offered, so the important ones come first in the capabilities."""


def allows_mixed(sdp: SessionDescription, section: MediaDescription) -> bool:
    """True if a description takes one-byte and two-byte extensions in one stream, here or for all."""
    return section.has("extmap-allow-mixed") or sdp.has("extmap-allow-mixed")


def extensions_of(section: MediaDescription, *, mixed: bool) -> dict[str, ExtMap]:
    """The usable header extensions of a section by URI; of two with one id or one URI the first holds."""
    found: dict[str, ExtMap] = {}
    ids: set[int] = set()
    for one in readable(section, ExtMap):
        if one.uri in found or one.id in ids or not _usable(one.id, mixed):
            continue
        found[one.uri] = one
        ids.add(one.id)
    return found


def _usable(id_: int, mixed: bool) -> bool:
    return 0 < id_ <= MAX_ONE_BYTE or (mixed and MAX_ONE_BYTE + 1 < id_ <= MAX_TWO_BYTE)


class ExtensionIds:
    """Gives ids for one offer: those in use stay, new ones clash with none of either side."""

    def __init__(self, sections: Iterable[MediaDescription]) -> None:
        """`sections` are those of the session, ours before the peer's."""
        self._ids: dict[str, int] = {}
        self._used: dict[int, str] = {}
        for section in sections:
            for uri, one in extensions_of(section, mixed=True).items():
                self._used.setdefault(one.id, uri)
                if self._used[one.id] == uri:
                    self._ids.setdefault(uri, one.id)

    def listed(self, extensions: Sequence[HeaderExtension], own: MediaDescription | None) -> list[ExtMap]:
        """The extensions of an offered section; `own` is how we wrote that section before."""
        mine = extensions_of(own, mixed=True) if own is not None else {}
        found: list[ExtMap] = []
        taken: set[int] = set()
        for extension in extensions:
            if extension.direction is Direction.INACTIVE:
                continue
            before = mine.get(extension.uri)
            id_ = before.id if before is not None else self._id(extension.uri)
            if id_ is None or id_ in taken:
                continue
            taken.add(id_)
            found.append(ExtMap(id=id_, direction=_written(extension.direction), uri=extension.uri))
        return found

    def _id(self, uri: str) -> int | None:
        known = self._ids.get(uri)
        if known is not None:
            return known
        for id_ in _IDS:
            if id_ not in self._used:
                self._used[id_] = uri
                self._ids[uri] = id_
                return id_
        return None


def answered_extensions(
    ours: Sequence[HeaderExtension], offered: dict[str, ExtMap], bundle: dict[int, str]
) -> list[ExtMap]:
    """What an answer lists: the offered extensions that are also ours, ids as offered.

    `bundle` holds the ids taken by the sections before, and is added to: one that means something else is left out.
    """
    wanted = {extension.uri: extension.direction for extension in ours}
    found: list[ExtMap] = []
    for uri, one in offered.items():
        if bundle.setdefault(one.id, uri) != uri or uri not in wanted:
            continue
        direction = common(wanted[uri], (one.direction or Direction.SENDRECV).reversed)
        if direction is not Direction.INACTIVE:
            found.append(ExtMap(id=one.id, direction=_written(direction), uri=uri))
    return found


def _written(direction: Direction) -> Direction | None:
    return None if direction is Direction.SENDRECV else direction
