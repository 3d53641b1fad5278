"""The ground of SDP: one line after the other, kept as it came.

A section is an ordered run of `Field` (`c=`, `b=`, a letter nobody knows) and `Attribute` (`a=`) values holding the
text of their line. Typed values are read from that text on demand, so an unknown or broken line costs nothing and
survives in place, byte for byte.

Invariants: no value holds CR, LF or NUL, so serializing can never inject a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import InvalidArgumentError, SdpParseError


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpLimits:
    """How much text a parser looks at before it refuses."""

    max_characters: int = 1 << 20
    """Characters in one description. A browser's offer has 7 KiB, a large conference some 500."""
    max_lines: int = 20_000
    """Lines in one description; the largest conference offers known have about 8,000."""
    max_media: int = 1024
    """Media sections. Real conferences stay below 300."""


DEFAULT_LIMITS = SdpLimits()

_FORBIDDEN = ("\r", "\n", "\0")


def _refuse_line_ends(text: str, what: str) -> None:
    for character in _FORBIDDEN:
        if character in text:
            raise InvalidArgumentError(f"{what} holds {character!r}, which would end or break the line")


@dataclass(frozen=True, slots=True)
class Field:
    """A line that is not an attribute: its letter, and the text behind `=`."""

    letter: str
    text: str

    def __post_init__(self) -> None:
        if len(self.letter) != 1 or not self.letter.isalpha() or self.letter in "am":
            raise InvalidArgumentError(f"{self.letter!r} is not the letter of a plain line")
        _refuse_line_ends(self.text, f"{self.letter}=")

    def serialize(self) -> str:
        """The line without its end."""
        return f"{self.letter}={self.text}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An `a=` line: its name, and the text behind the colon. None is a property attribute, without a colon.

    Spec: RFC 8866 section 5.13. Names are case-sensitive.
    """

    name: str
    text: str | None = None

    def __post_init__(self) -> None:
        if ":" in self.name:
            raise InvalidArgumentError(f"{self.name!r} is not an attribute name: it has a colon")
        _refuse_line_ends(self.name, "the attribute name")
        if self.text is not None:
            _refuse_line_ends(self.text, f"a={self.name}")

    def serialize(self) -> str:
        """The line without its end."""
        return f"a={self.name}" if self.text is None else f"a={self.name}:{self.text}"


Line: TypeAlias = Field | Attribute


def split_lines(text: str, limits: SdpLimits) -> Iterator[tuple[int, str, str]]:
    """(number, letter, rest) of each line. CRLF and LF both end a line; blank lines are passed over.

    Errors: `SdpParseError`.
    """
    if len(text) > limits.max_characters:
        raise SdpParseError(f"{len(text)} characters, {limits.max_characters} allowed")
    if text.count("\n") > limits.max_lines:
        raise SdpParseError(f"more than {limits.max_lines} lines")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.endswith("\r"):
            line = line[:-1]
        if not line:
            # Nobody's SDP has them on purpose, but hand-written and pasted texts do.
            continue
        if len(line) < 2 or line[1] != "=" or not line[0].isascii() or not line[0].isalpha():
            raise SdpParseError(f"expected a letter and '=', got {line[:40]!r}", line=number)
        if "\r" in line or "\0" in line:
            raise SdpParseError("a carriage return or NUL inside a line", line=number)
        yield number, line[0], line[2:]


def read_line(letter: str, rest: str) -> Line:
    """The value of one line that is not `m=`."""
    if letter == "a":
        name, colon, value = rest.partition(":")
        return Attribute(name, value if colon else None)
    return Field(letter, rest)
