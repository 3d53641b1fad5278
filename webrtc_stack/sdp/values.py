"""What typed values have in common, and the small readers they share."""

from __future__ import annotations

import re
from typing import ClassVar, Protocol, TypeVar

from ..errors import SdpParseError

TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+\Z")
"""RFC 8866 section 9, `token`."""

_DIGITS = re.compile(r"[0-9]{1,20}\Z")


class AttributeValue(Protocol):
    """The typed form of an attribute's text: `NAME`, `parse(text)`, `serialize()`."""

    NAME: ClassVar[str]

    @classmethod
    def parse(cls: type[V], text: str) -> V: ...

    def serialize(self) -> str: ...


V = TypeVar("V", bound=AttributeValue)


def number(text: str, limit: int, field: str) -> int:
    """A decimal number in [0, limit]."""
    if not _DIGITS.match(text) or int(text) > limit:
        raise SdpParseError(f"expected a number up to {limit}, got {text[:24]!r}", field=field)
    return int(text)


def token(text: str, field: str) -> str:
    """A non-empty `token`."""
    if not TOKEN.match(text):
        raise SdpParseError(f"expected a token, got {text[:40]!r}", field=field)
    return text


def words(text: str, least: int, field: str, *, most: int | None = None) -> list[str]:
    """The words of `text`, refused unless there are `least` to `most` of them."""
    found = text.split()
    if len(found) < least or (most is not None and len(found) > most):
        wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        raise SdpParseError(f"expected {wanted} words, got {len(found)}", field=field)
    return found
