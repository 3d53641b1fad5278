"""What happens to RTP headers where it was agreed on: single extension elements encrypted, or everything (Cryptex).

`HeaderProtection` wraps a transform and looks like one, so contexts without it pay nothing. Both may be agreed on;
then Cryptex is used for what we send, and a received packet tells by its extension profile which of them it has.

Spec: RFC 6904 sections 3, 4; RFC 7714 section 8.3; RFC 9335 section 4.
"""

from __future__ import annotations

from collections.abc import Collection

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ..errors import ParseError
from .cryptex import ENCRYPTED_PROFILES, PLAIN_PROFILES, with_empty_extension, with_profile
from .key_derivation import SessionKeys
from .transforms import Open, Seal, Transform


def element_spans(packet: bytes, start: int, end: int, two_byte: bool, ids: Collection[int]) -> list[tuple[int, int]]:
    """Where the data of the extension elements with one of `ids` lies, in a body from `start` to `end`.

    Errors: `ParseError` for an element that reaches beyond the body.
    """
    spans = []
    position = start
    while position < end:
        first = packet[position]
        if first == 0:  # padding between elements
            position += 1
            continue
        if two_byte:
            if position + 2 > end:
                raise ParseError("an extension element is cut short", offset=position, field="header extension")
            number, size, position = first, packet[position + 1], position + 2
        else:
            number, size, position = first >> 4, (first & 0x0F) + 1, position + 1
            if number == 15:  # reserved: readers stop here
                break
        if position + size > end:
            raise ParseError("an extension element is cut short", offset=position, field="header extension")
        if number in ids and size:
            spans.append((position, position + size))
        position += size
    return spans


class HeaderCipher:
    """The key stream of RFC 6904, laid over chosen extension elements."""

    __slots__ = ("_ids", "_reset_nonce", "_salt", "_update")

    def __init__(self, keys: SessionKeys, ids: frozenset[int]) -> None:
        cipher = Cipher(AES(keys.encryption), CTR(bytes(16))).encryptor()
        self._reset_nonce = cipher.reset_nonce
        self._update = cipher.update
        self._salt = int.from_bytes(keys.salt, "big") << 16
        self._ids = ids

    def apply(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes:
        """Encrypts, or decrypts, which is the same. Packets without such elements come back as they are."""
        profile = packet[csrcs_end] << 8 | packet[csrcs_end + 1]
        two_byte = profile & 0xFFF0 == 0x1000
        if not two_byte and profile != 0xBEDE:
            return packet
        start = csrcs_end + 4
        end = start + 4 * (packet[csrcs_end + 2] << 8 | packet[csrcs_end + 3])
        spans = element_spans(packet, start, end, two_byte, self._ids)
        if not spans:
            return packet
        self._reset_nonce((self._salt ^ ssrc << 64 ^ index << 16).to_bytes(16, "big"))
        body = self._update(packet[start:end])
        out = bytearray(packet)
        for left, right in spans:
            out[left:right] = body[left - start : right - start]
        return bytes(out)


class HeaderProtection:
    """A transform for RTP that treats headers first."""

    __slots__ = ("_cryptex", "_elements", "_transform")

    def __init__(self, transform: Transform, *, cryptex: bool, elements: HeaderCipher | None) -> None:
        self._transform = transform
        self._cryptex = cryptex
        self._elements = elements

    def sealer(self, ssrc: int) -> Seal:
        seal = self._transform.sealer(ssrc)
        return lambda packet, head, index: self._seal(seal, packet, head, ssrc, index)

    def opener(self, ssrc: int) -> Open:
        open_ = self._transform.opener(ssrc)
        return lambda packet, head, index: self._open(open_, packet, head, ssrc, index)

    def _seal(self, seal: Seal, packet: bytes, head: int, ssrc: int, index: int) -> bytes:
        first = packet[0]
        csrcs_end = 12 + 4 * (first & 0x0F)
        if self._cryptex:
            if first & 0x10:
                given = packet[csrcs_end : csrcs_end + 2]
                if given in PLAIN_PROFILES:
                    # Left as it is, it would read as ciphertext on the other side.
                    raise ParseError(
                        "an extension profile that means encrypted", offset=csrcs_end, field="header extension"
                    )
                profile = ENCRYPTED_PROFILES.get(given)
                if profile is not None:
                    packet = with_profile(packet, csrcs_end, profile)
                    return self._transform.seal_cryptex(packet, csrcs_end, ssrc, index)
            elif csrcs_end > 12:
                packet = with_empty_extension(packet, csrcs_end)
                return self._transform.seal_cryptex(packet, csrcs_end, ssrc, index)
        if self._elements is not None and first & 0x10:
            packet = self._elements.apply(packet, csrcs_end, ssrc, index)
        return seal(packet, head, index)

    def _open(self, open_: Open, packet: bytes, head: int, ssrc: int, index: int) -> bytes | None:
        first = packet[0]
        csrcs_end = 12 + 4 * (first & 0x0F)
        if self._cryptex and first & 0x10:
            profile = PLAIN_PROFILES.get(packet[csrcs_end : csrcs_end + 2])
            if profile is not None:
                opened = self._transform.open_cryptex(packet, csrcs_end, ssrc, index)
                return None if opened is None else with_profile(opened, csrcs_end, profile)
        opened = open_(packet, head, index)
        if opened is not None and self._elements is not None and first & 0x10:
            opened = self._elements.apply(opened, csrcs_end, ssrc, index)
        return opened
