"""Which identifier stands for which extension: what `a=extmap` negotiated for a section.

Spec: RFC 8285 sections 5, 6 (`extmap-allow-mixed`), RFC 6904 section 4.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import InvalidArgumentError
from .layout import Layouts
from .registry import CODECS, Codec
from .uri import Uri


class ExtensionMap:
    """URI <-> identifier, immutable but for `layouts`, which it learns from packets and which changes no result.

    `allow_mixed` is `a=extmap-allow-mixed`: with it packets choose their form one by one. Without it a stream keeps to
    one form: the two-byte one (`two_byte`) if an identifier is above 14, else the one-byte one, and a value that does
    not fit it cannot be set. `encrypted` are the identifiers negotiated under RFC 6904 (the `srtp` room wants them).
    """

    __slots__ = ("allow_mixed", "by_uri", "codecs", "encrypted", "layouts", "one_byte", "two_byte", "uris")

    def __init__(
        self, ids: Mapping[int, str], *, allow_mixed: bool = False, encrypted: frozenset[int] = frozenset()
    ) -> None:
        uris: dict[int, str] = {}
        hidden = set(encrypted)
        prefix = f"{Uri.ENCRYPTED} "
        for identifier, uri in ids.items():
            if not 0 < identifier < 256 or identifier == 15:
                raise InvalidArgumentError(f"identifiers are 1 to 14 and 16 to 255, not {identifier}")
            if uri.startswith(prefix):
                uri = uri[len(prefix) :].strip()
                hidden.add(identifier)
            uris[identifier] = str(uri)
        self.uris: Mapping[int, str] = uris
        self.by_uri: Mapping[str, int] = {uri: identifier for identifier, uri in reversed(uris.items())}
        self.codecs: Mapping[str, tuple[int, *Codec]] = {
            # Members of `Uri` as keys: looking one up is then a comparison of identity, not of some 70 characters.
            Uri(uri): (identifier, *CODECS[uri])
            for uri, identifier in self.by_uri.items()
            if uri in CODECS
        }
        self.allow_mixed = allow_mixed
        self.encrypted = frozenset(hidden)
        self.two_byte = not allow_mixed and any(identifier > 14 for identifier in uris)
        self.one_byte = not allow_mixed and not self.two_byte
        self.layouts = Layouts(self.codecs, from_nothing=not self.two_byte)

    def id(self, uri: str) -> int | None:
        """The identifier of `uri`, or None if it was not negotiated. Of one that stands twice the first counts."""
        return self.by_uri.get(uri)

    def uri(self, identifier: int) -> str | None:
        """The URI behind `identifier`, or None."""
        return self.uris.get(identifier)

    def __contains__(self, uri: object) -> bool:
        return uri in self.by_uri

    def __len__(self) -> int:
        return len(self.uris)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExtensionMap):
            return NotImplemented
        return (self.uris, self.allow_mixed, self.encrypted) == (other.uris, other.allow_mixed, other.encrypted)

    def __hash__(self) -> int:
        return hash((tuple(self.uris.items()), self.allow_mixed, self.encrypted))

    def __repr__(self) -> str:
        return f"ExtensionMap({dict(self.uris)}, allow_mixed={self.allow_mixed})"
