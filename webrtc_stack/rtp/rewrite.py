"""One forwarded stream's headers, as the session that it goes to numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ParseError
from .bursts import plan_of
from .extensions.mapping import ExtensionMap
from .extensions.uri import Uri
from .packets import rewrite_headers


class HeaderRewrite:
    """Rewrites the headers of one stream's packets; payloads, CSRCs, markers and padding stay.

    `ssrc` None keeps the packets' own. `payload_types` maps old to new, others stay. `sequence_offset` and
    `timestamp_offset` are added, modulo 2^16 and 2^32. `maps` are the extension maps of the session that the packets
    come from and of the one that they go to: elements are renumbered by URI, those that the latter does not know are
    left out. `values` are set in every packet, by URI. A transport-wide sequence number is counted from
    `transport_sequence_number` where the target has one.

    Errors: `InvalidArgumentError` for what no packet can have. Spec: RFC 3550 section 5.1, RFC 8285 section 4.2.
    """

    __slots__ = ("_plan", "transport_sequence_number")

    def __init__(
        self,
        *,
        ssrc: int | None = None,
        payload_types: Mapping[int, int] | None = None,
        sequence_offset: int = 0,
        timestamp_offset: int = 0,
        maps: tuple[ExtensionMap, ExtensionMap] | None = None,
        values: Mapping[str, Any] | None = None,
        transport_sequence_number: int | None = None,
    ) -> None:
        uri = None if transport_sequence_number is None else Uri.TRANSPORT_CC
        self._plan = plan_of(ssrc, payload_types or {}, sequence_offset, timestamp_offset, maps, values or {}, uri)
        self.transport_sequence_number = (transport_sequence_number or 0) & 0xFFFF
        """The one that the next packet gets; streams of one transport share it by handing it on."""

    def rewrite(self, packet: bytes) -> bytes:
        """One packet. Errors: `ParseError`."""
        (made,) = self.rewrite_many([packet])
        if isinstance(made, ParseError):
            raise made
        return made

    def rewrite_many(self, packets: list[bytes]) -> list[bytes | ParseError]:
        """A burst. In the place of what is no packet stands the `ParseError` that says why."""
        made, self.transport_sequence_number = rewrite_headers(self._plan, packets, self.transport_sequence_number)
        return made
