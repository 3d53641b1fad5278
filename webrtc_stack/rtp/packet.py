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
from .extensions.mapping import ExtensionMap

HEADER_BYTES: Final = 12
_HEADER: Final = struct.Struct(">BBHII")
_read_header: Final = _HEADER.unpack_from
_write_header: Final = _HEADER.pack
_EXTENSION: Final = struct.Struct(">HH")
_read_extension: Final = _EXTENSION.unpack_from
_write_extension: Final = _EXTENSION.pack


class RtpPacket:
    """One RTP packet, in plain.

    `csrcs` is a tuple of at most 15; `payload` excludes padding; `padding` is the number of padding bytes, their
    count byte included (0 for none). `extensions` holds the raw elements; `get` and `set` speak of typed values by URI
    and need `extension_map`, which says the identifiers of this stream.
    """

    __slots__ = (
        "_block",
        "_extensions",
        "_profile",
        "csrcs",
        "extension_map",
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
        self.extension_map = extension_map
        self._profile: int | None = None
        self._block = b""
        self._extensions = extensions

    @classmethod
    def parse(cls, data: bytes, extension_map: ExtensionMap | None = None) -> RtpPacket:
        """Reads a packet. Errors: `ParseError`."""
        end = len(data)
        if end < 12:
            raise ParseError(f"{end} bytes, an RTP packet has at least 12", offset=0, field="rtp.header")
        first, second, sequence_number, timestamp, ssrc = _read_header(data)
        if first & 0xC0 != 0x80:
            raise ParseError(f"version {first >> 6}, expected 2", offset=0, field="rtp.version")
        packet = cls.__new__(cls)
        packet.sequence_number = sequence_number
        packet.timestamp = timestamp
        packet.ssrc = ssrc
        if second & 0x80:
            packet.marker = True
            packet.payload_type = second & 0x7F
        else:
            packet.marker = False
            packet.payload_type = second
        packet.extension_map = extension_map
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
            start = position + 4
            if start > end:
                raise ParseError("the extension header does not fit", offset=position, field="rtp.extension")
            packet._profile, words = _read_extension(data, position)
            position = start + words * 4
            if position > end:
                raise ParseError(f"an extension of {words} words does not fit", offset=start, field="rtp.extension")
            packet._block = data[start:position]
        else:
            packet._profile = None
            packet._block = b""
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
        if extension_map is not None and self.extension_map is not None and extension_map is not self.extension_map:
            profile, block = self._renumbered(extension_map).block()
        elif self._extensions is not None:
            profile, block = self._extensions.block()
        else:
            profile, block = self._profile, self._block
        first = 0x80
        csrcs = self.csrcs
        padding = self.padding
        payload = self.payload
        try:
            if csrcs:
                if len(csrcs) > 15:
                    raise InvalidArgumentError(f"a packet has at most 15 CSRCs, not {len(csrcs)}")
                first |= len(csrcs)
                tail = struct.pack(f">{len(csrcs)}I", *csrcs)
                if profile is not None:
                    first |= 0x10
                    tail += _write_extension(profile, len(block) >> 2) + block
            elif profile is not None:
                first = 0x90
                tail = _write_extension(profile, len(block) >> 2) + block
            else:
                tail = b""
            if padding:
                if not 0 < padding < 256:
                    raise InvalidArgumentError(f"padding is 0 to 255 bytes, not {padding}")
                first |= 0x20
                payload += bytes(padding - 1) + bytes((padding,))
            return _write_header(first, second, self.sequence_number, self.timestamp, self.ssrc) + tail + payload
        except struct.error as error:
            raise InvalidArgumentError(f"a field of the packet is out of its range: {error}") from None

    # --- extensions -------------------------------------------------------------------------------------------------

    @property
    def extensions(self) -> HeaderExtensions:
        """The elements by identifier; always there, empty where the packet has none."""
        extensions = self._extensions
        if extensions is None:
            extensions = self._extensions = HeaderExtensions.of_packet(self._profile, self._block)
        return extensions

    @extensions.setter
    def extensions(self, value: HeaderExtensions) -> None:
        self._extensions = value

    def get(self, uri: str) -> Any:
        """The typed value of an extension; None if it is not negotiated, not there, or damaged.

        Who must know why reads `packet.extensions[id]` and the codec of `extensions.CODECS`.
        """
        mapping = self.extension_map
        if mapping is None:
            return None
        found = mapping.codecs.get(uri)
        if found is None:
            return None
        extensions = self._extensions
        if extensions is None:
            extensions = self._extensions = HeaderExtensions.of_packet(self._profile, self._block)
        data = extensions.get(found[0])
        if data is None:
            return None
        try:
            return found[1](data)
        except ParseError:
            return None  # a damaged extension is as good as none: the media behind it is still whole

    def set(self, uri: str, value: Any) -> None:
        """Writes the typed value of an extension; None takes it out.

        Errors: `InvalidStateError` without an `extension_map`, `InvalidArgumentError` when it lacks `uri`, or when the
        value cannot be written; the packet is unchanged then.
        """
        mapping = self.extension_map
        if mapping is None:
            raise InvalidStateError("the packet has no extension map; give it one first")
        found = mapping.codecs.get(uri)
        if found is None:
            raise InvalidArgumentError(f"the extension map has no identifier for {uri}, or its value has no known form")
        extensions = self._extensions
        if extensions is None:
            extensions = self._extensions = HeaderExtensions.of_packet(self._profile, self._block)
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
        own = self.extension_map.uris if self.extension_map is not None else {}
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
        if self._extensions is not None:
            profile, block = self._extensions.block()
        else:
            profile, block = self._profile, self._block
        extension = 0 if profile is None else 4 + len(block)
        return 12 + 4 * len(self.csrcs) + extension + len(self.payload) + self.padding

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
        made.extension_map = self.extension_map
        made._profile = self._profile
        made._block = self._block
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
