"""The RTP packet.

`RtpPacket` is a plain mutable object, cheap to make: parsing touches no extension, and an extension block that nobody
changed is written back as it came.

Spec: RFC 3550 sections 5.1, 5.3.1; RFC 8285 (in `extensions`). Padding bytes are written as zeros, whatever they were.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from ..errors import InvalidArgumentError, InvalidStateError, ParseError
from .extensions.elements import ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, HeaderExtensions
from .extensions.layout import NOT_WRITABLE, Layout
from .extensions.mapping import ExtensionMap

HEADER_BYTES: Final = 12
_HEADER: Final = struct.Struct(">BBHII")
_read_header: Final = _HEADER.unpack_from
_read_header_and_words: Final = struct.Struct(">BBHIIxxH").unpack_from
"""With the length of the extension block, which stands there if the packet has one and no CSRC."""
_write_header: Final = _HEADER.pack
_new: Final = object.__new__


class RtpPacket:
    """One RTP packet, in plain.

    `csrcs` is a tuple of at most 15; `payload` excludes padding; `padding` is the number of padding bytes, their
    count byte included (0 for none). `extensions` holds the raw elements; `get` and `set` speak of typed values by URI
    and need `extension_map`, which says the identifiers of this stream.
    """

    __slots__ = (
        "_extensions",
        "_layout",
        "_map",
        "_raw",
        "csrcs",
        "marker",
        "padding",
        "payload",
        "payload_type",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        *,
        payload_type: int = 0,
        sequence_number: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        marker: bool = False,
        csrcs: tuple[int, ...] = (),
        extensions: HeaderExtensions | None = None,
        payload: bytes = b"",
        padding: int = 0,
        extension_map: ExtensionMap | None = None,
    ) -> None:
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.marker = marker
        self.csrcs = csrcs
        self.payload = payload
        self.padding = padding
        self._map = extension_map
        self._raw = b""
        self._layout: Layout | None = None
        self._extensions = extensions

    @classmethod
    def parse(cls, data: bytes, extension_map: ExtensionMap | None = None) -> RtpPacket:
        """Reads a packet. Errors: `ParseError`."""
        end = len(data)
        if end >= 16:
            first, second, sequence_number, timestamp, ssrc, words = _read_header_and_words(data)
        elif end >= 12:
            first, second, sequence_number, timestamp, ssrc = _read_header(data)
            words = 0
        else:
            raise ParseError(f"{end} bytes, an RTP packet has at least 12", offset=0, field="rtp.header")
        if first & 0xC0 != 0x80:
            raise ParseError(f"version {first >> 6}, expected 2", offset=0, field="rtp.version")
        packet = _new(cls)
        packet.sequence_number = sequence_number
        packet.timestamp = timestamp
        packet.ssrc = ssrc
        if second & 0x80:
            packet.marker = True
            packet.payload_type = second & 0x7F
        else:
            packet.marker = False
            packet.payload_type = second
        packet._map = extension_map
        packet._layout = None
        packet._extensions = None
        position = 12
        csrc_count = first & 15
        if csrc_count:
            position += csrc_count * 4
            if position > end:
                raise ParseError(f"{csrc_count} CSRCs do not fit", offset=12, field="rtp.csrcs")
            packet.csrcs = struct.unpack_from(f">{csrc_count}I", data, 12)
        else:
            packet.csrcs = ()
        if first & 0x10:
            start = position
            position += 4
            if position > end:
                raise ParseError("the extension header does not fit", offset=start, field="rtp.extension")
            if csrc_count:
                words = data[start + 2] << 8 | data[start + 3]
            position += words * 4
            if position > end:
                raise ParseError(f"an extension of {words} words does not fit", offset=start + 4, field="rtp.extension")
            packet._raw = data[start:position]
        else:
            packet._raw = b""
        if first & 0x20:
            padding = data[-1]
            if not padding or padding > end - position:
                raise ParseError(f"{padding} bytes of padding, 1 to {end - position} fit", field="rtp.padding")
            packet.padding = padding
            end -= padding
            packet.payload = data[position:end]
        else:
            packet.padding = 0
            packet.payload = data[position:]
        return packet

    def serialize(self, extension_map: ExtensionMap | None = None) -> bytes:
        """The packet as bytes.

        With an `extension_map` other than the packet's own, elements are renumbered by URI, and those which that map
        does not know are left out: what forwarding needs. Errors: `InvalidArgumentError` for a field out of range.
        """
        second = self.payload_type
        if not 0 <= second <= 127:
            raise InvalidArgumentError(f"payload types are 0 to 127, not {second}")
        if self.marker:
            second |= 0x80
        if extension_map is not None and self._map is not None and extension_map is not self._map:
            raw = self._renumbered(extension_map).raw
        elif self._extensions is not None:
            raw = self._extensions.raw
        else:
            raw = self._raw
        first = 0x90 if raw else 0x80
        payload = self.payload
        try:
            if self.csrcs:
                csrcs = self.csrcs
                if len(csrcs) > 15:
                    raise InvalidArgumentError(f"a packet has at most 15 CSRCs, not {len(csrcs)}")
                first |= len(csrcs)
                raw = struct.pack(f">{len(csrcs)}I", *csrcs) + raw
            if self.padding:
                padding = self.padding
                if not 0 < padding < 256:
                    raise InvalidArgumentError(f"padding is 0 to 255 bytes, not {padding}")
                first |= 0x20
                payload += bytes(padding - 1) + bytes((padding,))
            return _write_header(first, second, self.sequence_number, self.timestamp, self.ssrc) + raw + payload
        except struct.error as error:
            raise InvalidArgumentError(f"a field of the packet is out of its range: {error}") from None

    # --- extensions -------------------------------------------------------------------------------------------------

    @property
    def extension_map(self) -> ExtensionMap | None:
        """Which identifier means which extension in this packet."""
        return self._map

    @extension_map.setter
    def extension_map(self, value: ExtensionMap | None) -> None:
        self._map = value
        self._layout = None

    @property
    def extensions(self) -> HeaderExtensions:
        """The elements by identifier; always there, empty where the packet has none."""
        extensions = self._extensions
        if extensions is None:
            extensions = self._extensions = HeaderExtensions.of_packet(self._raw)
            self._layout = None  # what comes now may change any element
        return extensions

    @extensions.setter
    def extensions(self, value: HeaderExtensions) -> None:
        self._extensions = value
        self._layout = None

    def get(self, uri: str) -> Any:
        """The typed value of an extension; None if it is not negotiated, not there, or damaged.

        Who must know why reads `packet.extensions[id]` and the codec of `extensions.CODECS`.
        """
        layout = self._layout
        if layout is None:
            mapping = self._map
            if mapping is None:
                return None
            if self._extensions is None:
                layout = self._layout = mapping.layouts.find(self._raw)
            if layout is None:
                return self._get_element(uri, mapping)
        place = layout.get(uri)
        if place is None:
            return None
        try:
            return place[1](self._raw[place[0]])
        except (ParseError, UnicodeDecodeError):
            return None  # a damaged extension is as good as none: the media behind it is still whole

    def _get_element(self, uri: str, mapping: ExtensionMap) -> Any:
        """`get` for a block of which no layout is known."""
        found = mapping.codecs.get(uri)
        data = None if found is None else self.extensions.get(found[0])
        if found is None or data is None:
            return None
        try:
            return found[1](data)
        except ParseError:
            return None

    def set(self, uri: str, value: Any) -> None:
        """Writes the typed value of an extension; None takes it out.

        Errors: `InvalidStateError` without an `extension_map`, `InvalidArgumentError` when it lacks `uri`, or when the
        value cannot be written; the packet is unchanged then.
        """
        layout, mapping = self._layout, self._map
        if layout is None and self._extensions is None and mapping is not None:
            layout = self._layout = mapping.layouts.find(self._raw)
        if layout is not None and mapping is not None and value is not None:
            place = layout.get(uri)
            if place is not None:
                _, _, serialize, size, before, behind = place
                try:
                    data = serialize(value)
                except NOT_WRITABLE:
                    data = b""
                if len(data) == size:  # the block keeps its form: the bytes are exchanged, and that is all
                    raw = self._raw
                    self._raw = raw[before] + data + raw[behind]
                    return
            elif uri in mapping.codecs:
                data = mapping.codecs[uri][2](value)
                growth = layout.grown.get((uri, len(data))) or mapping.layouts.grow(layout, self._raw, uri, data)
                if growth is not None:
                    header, old, element, padding, self._layout = growth
                    self._raw = header + self._raw[old] + element + data + padding
                    return
        self._set_element(uri, value)

    def _set_element(self, uri: str, value: Any) -> None:
        """`set` for a block whose form may change."""
        mapping = self._map
        if mapping is None:
            raise InvalidStateError("the packet has no extension map; give it one first")
        found = mapping.codecs.get(uri)
        if found is None:
            raise InvalidArgumentError(f"the extension map has no identifier for {uri}, or its value has no known form")
        extensions = self.extensions
        if value is None:
            if found[0] in extensions:
                del extensions[found[0]]
            return
        data = found[2](value)
        if mapping.one_byte:
            if not 0 < len(data) <= 16:
                raise InvalidArgumentError(
                    f"{len(data)} bytes do not fit the one-byte form (1 to 16); negotiate extmap-allow-mixed"
                )
        elif len(data) > 255:
            raise InvalidArgumentError(f"an element has at most 255 bytes, not {len(data)}")
        elif mapping.two_byte and not extensions:
            self._extensions = extensions = HeaderExtensions(two_byte=True)
        extensions.put(found[0], data)

    def _renumbered(self, target: ExtensionMap) -> HeaderExtensions:
        """The elements as another session numbers them. A block of another profile goes as it is."""
        extensions = self.extensions
        profile = extensions.profile
        if profile is not None and profile != ONE_BYTE_PROFILE and profile & 0xFFF0 != TWO_BYTE_PROFILE:
            return extensions
        own = self._map.uris if self._map is not None else {}
        made = HeaderExtensions(two_byte=target.two_byte)
        for identifier, value in extensions.elements.items():
            uri = own.get(identifier)
            new = None if uri is None else target.by_uri.get(uri)
            if new is not None and (target.two_byte or target.allow_mixed or 0 < len(value) <= 16):
                made[new] = value
        return made

    # --- the object -------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many bytes `serialize` gives."""
        raw = self._raw if self._extensions is None else self._extensions.raw
        return 12 + 4 * len(self.csrcs) + len(raw) + len(self.payload) + self.padding

    def copy(self) -> RtpPacket:
        """An independent copy: what a history keeps, or a retransmission is made from."""
        made = RtpPacket.__new__(RtpPacket)
        made.payload_type = self.payload_type
        made.sequence_number = self.sequence_number
        made.timestamp = self.timestamp
        made.ssrc = self.ssrc
        made.marker = self.marker
        made.csrcs = self.csrcs
        made.payload = self.payload
        made.padding = self.padding
        made._map = self._map
        made._raw = self._raw
        made._layout = self._layout
        made._extensions = None if self._extensions is None else self._extensions.copy()
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RtpPacket):
            return NotImplemented
        return (
            self.sequence_number == other.sequence_number
            and self.ssrc == other.ssrc
            and self.timestamp == other.timestamp
            and self.payload_type == other.payload_type
            and self.marker == other.marker
            and self.csrcs == other.csrcs
            and self.padding == other.padding
            and self.payload == other.payload
            and self.extensions == other.extensions
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, sequence_number={self.sequence_number}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc:#010x}, marker={self.marker}, {len(self.payload)} bytes)"
        )
