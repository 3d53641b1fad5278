"""What the session part and a media section share: ordered lines, typed reading, functional editing.

Reading never changes anything and never needs more than one attribute to be well formed: `values(Fmtp)` raises
`SdpParseError` with the line's number only when an `a=fmtp` is broken. Editing returns a new section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from ..base import Candidate, Fingerprint, IceParameters, SetupRole
from ..errors import ParseError, SdpParseError
from .fields import Bandwidth, Connection
from .line import Attribute, Field, Line
from .rtp_values import Direction
from .transport_values import parse_fingerprint, parse_setup
from .values import AttributeValue

T = TypeVar("T")
V = TypeVar("V", bound=AttributeValue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """An ordered run of lines."""

    lines: tuple[Line, ...] = ()
    line_numbers: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """Where each of `lines` stood in the text read; empty for a section that was built. For error messages."""

    # --- attributes as text -----------------------------------------------------------------------------------------

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The `a=` lines in order."""
        return tuple(line for line in self.lines if isinstance(line, Attribute))

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of every attribute called `name`; a property attribute counts as an empty one."""
        return tuple(line.text or "" for line in self.lines if isinstance(line, Attribute) and line.name == name)

    def text(self, name: str) -> str | None:
        """The text of the first attribute called `name`, without white space around it; None if there is none."""
        for line in self.lines:
            if isinstance(line, Attribute) and line.name == name:
                return (line.text or "").strip()
        return None

    def has(self, name: str) -> bool:
        """True if an attribute called `name` is there, with a value or without."""
        return any(isinstance(line, Attribute) and line.name == name for line in self.lines)

    # --- attributes as values ---------------------------------------------------------------------------------------

    def read_all(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Every attribute called `name`, read by `parse`. Errors: `SdpParseError` with the line."""
        return tuple(self._read(index, line, parse) for index, line in self._named(name))

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The first attribute called `name`, read by `parse`. Errors: `SdpParseError` with the line."""
        for index, line in self._named(name):
            return self._read(index, line, parse)
        return None

    def values(self, kind: type[V]) -> tuple[V, ...]:
        """Every attribute of a typed kind, such as `RtpMap`. Errors: `SdpParseError` with the line."""
        return self.read_all(kind.NAME, kind.parse)

    def value(self, kind: type[V]) -> V | None:
        """The first attribute of a typed kind. Errors: `SdpParseError` with the line."""
        return self.read(kind.NAME, kind.parse)

    def _named(self, name: str) -> Iterator[tuple[int, Attribute]]:
        for index, line in enumerate(self.lines):
            if isinstance(line, Attribute) and line.name == name:
                yield index, line

    def _read(self, index: int, line: Attribute, parse: Callable[[str], T]) -> T:
        try:
            return parse(line.text or "")
        except ParseError as error:
            raise self.located(error, index) from error

    def located(self, error: ParseError, index: int) -> SdpParseError:
        """`error` as one that names the line."""
        located = SdpParseError(str(error), line=self.number_of(index))
        located.field = error.field
        return located

    def number_of(self, index: int) -> int | None:
        """Where line `index` stood in the text read, None if it was never text."""
        return self.line_numbers[index] if index < len(self.line_numbers) else None

    # --- attributes that both levels may carry ----------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """`c=`. Errors: `SdpParseError`."""
        text = self.field("c")
        return None if text is None else Connection.parse(text)

    @property
    def bandwidths(self) -> tuple[Bandwidth, ...]:
        """`b=` lines. Errors: `SdpParseError`."""
        return tuple(Bandwidth.parse(text) for text in self.fields("b"))

    @property
    def direction(self) -> Direction | None:
        """The last of `a=sendrecv`, `sendonly`, `recvonly`, `inactive`; None if none is there."""
        found = None
        for line in self.lines:
            if isinstance(line, Attribute) and line.text is None and line.name in _DIRECTIONS:
                found = _DIRECTIONS[line.name]
        return found

    @property
    def ice_ufrag(self) -> str | None:
        return self.text("ice-ufrag")

    @property
    def ice_pwd(self) -> str | None:
        return self.text("ice-pwd")

    @property
    def ice_options(self) -> tuple[str, ...]:
        """The words of every `a=ice-options`."""
        return tuple(word for text in self.texts("ice-options") for word in text.split())

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """`a=fingerprint` lines. Errors: `SdpParseError`."""
        return self.read_all("fingerprint", parse_fingerprint)

    @property
    def setup(self) -> SetupRole | None:
        """`a=setup`. Errors: `SdpParseError`."""
        return self.read("setup", parse_setup)

    @property
    def tls_id(self) -> str | None:
        return self.text("tls-id")

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The `a=candidate` lines that can be read.

        Others are left out here and stay in the text: RFC 8839 section 5.1 wants unknown candidates to be ignored,
        and one odd line must not cost a connection that the next one makes.
        """
        found = []
        for text in self.texts("candidate"):
            try:
                found.append(Candidate.parse(f"candidate:{text}"))
            except ParseError:  # see above: an unreadable candidate is an absent one
                continue
        return tuple(found)

    @property
    def end_of_candidates(self) -> bool:
        return self.has("end-of-candidates")

    # --- plain lines ------------------------------------------------------------------------------------------------

    def field(self, letter: str) -> str | None:
        """The text of the first plain line with this letter."""
        for line in self.lines:
            if isinstance(line, Field) and line.letter == letter:
                return line.text
        return None

    def fields(self, letter: str) -> tuple[str, ...]:
        """The texts of all plain lines with this letter."""
        return tuple(line.text for line in self.lines if isinstance(line, Field) and line.letter == letter)

    # --- editing ----------------------------------------------------------------------------------------------------

    def adding(self, *lines: Line | AttributeValue) -> Self:
        """The section with `lines` at its end."""
        return replace(self, lines=(*self.lines, *map(as_line, lines)), line_numbers=())

    def without(self, *names: str) -> Self:
        """The section without any attribute called one of `names`."""
        kept = tuple(line for line in self.lines if not (isinstance(line, Attribute) and line.name in names))
        return replace(self, lines=kept, line_numbers=())

    def replacing(self, name: str, *lines: Line | AttributeValue) -> Self:
        """The section with `lines` where the first attribute called `name` was, at the end if there was none."""
        fresh = tuple(map(as_line, lines))
        kept: list[Line] = []
        done = False
        for line in self.lines:
            if isinstance(line, Attribute) and line.name == name:
                if not done:
                    kept += fresh
                done = True
            else:
                kept.append(line)
        return replace(self, lines=(*kept, *(() if done else fresh)), line_numbers=())

    def with_field(self, letter: str, text: str) -> Self:
        """The section with the first plain line of this letter replaced; put before the attributes if new."""
        fresh = Field(letter, text)
        for index, line in enumerate(self.lines):
            if isinstance(line, Field) and line.letter == letter:
                return replace(self, lines=(*self.lines[:index], fresh, *self.lines[index + 1 :]), line_numbers=())
        at = next((i for i, line in enumerate(self.lines) if isinstance(line, Attribute)), len(self.lines))
        return replace(self, lines=(*self.lines[:at], fresh, *self.lines[at:]), line_numbers=())


_DIRECTIONS = {direction.value: direction for direction in Direction}


def as_line(value: Line | AttributeValue) -> Line:
    """The line of a typed value; a line is returned as it is."""
    return value if isinstance(value, (Field, Attribute)) else Attribute(value.NAME, value.serialize())


def candidate_line(candidate: Candidate) -> Attribute:
    """The `a=candidate` line of a candidate."""
    return Attribute("candidate", candidate.serialize().removeprefix("candidate:"))


def ice_lines(ice: IceParameters) -> tuple[Attribute, ...]:
    """`a=ice-ufrag`, `a=ice-pwd` and, unless there are none, `a=ice-options`. `a=ice-lite` is a session line."""
    lines = [Attribute("ice-ufrag", ice.ufrag), Attribute("ice-pwd", ice.pwd)]
    if ice.options:
        lines.append(Attribute("ice-options", " ".join(ice.options)))
    return tuple(lines)


def serialize_lines(lines: Iterable[Line]) -> list[str]:
    return [line.serialize() for line in lines]
