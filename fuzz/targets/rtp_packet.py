"""`RtpPacket.parse`: a packet or a `ParseError`; it is written to what reads the same, its values too."""

from __future__ import annotations

from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import CODECS, ExtensionMap, HeaderExtensions, RtpPacket, Uri

_URIS = [uri for uri in Uri if uri is not Uri.ENCRYPTED]
MAP = ExtensionMap(dict(zip([*range(1, 15), 16, 17, 18], _URIS, strict=True)), allow_mixed=True)
OTHER = ExtensionMap(dict(zip(range(1, 15), reversed(_URIS[:14]), strict=True)))


def _packet(extensions: HeaderExtensions, padding: int = 0, csrcs: tuple[int, ...] = ()) -> bytes:
    return RtpPacket(
        payload_type=96,
        sequence_number=1,
        timestamp=2,
        ssrc=3,
        extensions=extensions,
        payload=b"abcdef",
        padding=padding,
        csrcs=csrcs,
    ).serialize()


SEEDS: list[bytes] = [
    _packet(HeaderExtensions()),
    _packet(HeaderExtensions({1: b"0", 8: b"\1\2\3", 9: b"\0\7", 5: b"\x80"}), padding=4),
    _packet(HeaderExtensions({1: b"mid", 18: bytes(20), 15: b"", 200: b"x"}, appbits=5), csrcs=(1, 2, 3)),
    _packet(HeaderExtensions.from_block(0x1234, b"whatever")),
]


def fuzz_one(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data, MAP)
    except ParseError:
        return
    written = packet.serialize()
    assert len(written) == packet.size == len(data)
    assert RtpPacket.parse(written, MAP) == packet
    packet.serialize(OTHER)
    changed = packet.copy()
    element_by_element = packet.copy()
    _ = element_by_element.extensions  # asked for once, they are read as elements and not where they stand
    for uri in CODECS:
        value = packet.get(uri)
        assert value == element_by_element.get(uri)
        if value is not None:
            try:
                changed.set(uri, value)
            except InvalidArgumentError:  # only the empty dependency descriptor could not be told from none
                raise AssertionError(f"{uri} read {value!r}, which cannot be written") from None
    again = RtpPacket.parse(changed.serialize(), MAP)
    for uri in CODECS:
        assert again.get(uri) == packet.get(uri)
