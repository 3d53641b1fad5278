"""Numbers, addresses and strangers' words for people."""

from __future__ import annotations

from collections.abc import Sequence

from .values import CandidateFacts, PairFacts

_KINDS = {"host": "host", "srflx": "behind a NAT", "prflx": "learned from checks", "relay": "relay"}


def plain(text: str, limit: int = 160) -> str:
    """Words of a server or of the peer on one line, unable to steer a terminal."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def candidate(one: CandidateFacts) -> str:
    """`192.0.2.1:5000 (relay)`."""
    kind = _KINDS.get(one.type, one.type)
    over = "" if one.transport == "udp" else f", {one.transport.upper()}"
    return f"{plain(one.address)} ({kind}{over})"


def pair(one: PairFacts) -> str:
    return f"{candidate(one.local)} -> {candidate(one.remote)}"


def count(number: int, word: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def listing(words: Sequence[str], limit: int = 4) -> str:
    """`a, b and 3 more`."""
    if len(words) <= limit:
        return ", ".join(words)
    return f"{', '.join(words[:limit])} and {len(words) - limit} more"


def fold(texts: Sequence[str]) -> list[str]:
    """Each text once, with how often it was there, in order."""
    times: dict[str, int] = {}
    for text in texts:
        times[text] = times.get(text, 0) + 1
    return [text if number == 1 else f"{text} ({number} times)" for text, number in times.items()]
