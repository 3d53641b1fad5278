"""The table from URI to codec: how the value of each extension is read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Codec(NamedTuple):
    """`parse` gives a value or a `ParseError`; `serialize` gives bytes or an `InvalidArgumentError`."""

    parse: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]


CODECS: Final[Mapping[str, Codec]] = {}
