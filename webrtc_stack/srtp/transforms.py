"""The cryptographic transforms: AES-GCM, AES counter mode with HMAC-SHA1, and HMAC-SHA1 alone.

A transform knows keys and layout, nothing of streams: it is handed the packet, where its clear part ends, and the
index. Keys are scheduled once: the counter-mode cipher is kept and only given a new nonce, HMAC starts from a copy of
an already keyed state. `open` gives None for a wrong tag, before anything is decrypted.

Layouts::

    counter mode, null   header | payload*           | MKI | tag         RTCP:  8 bytes | rest* | E, index | MKI | tag
    GCM                  header | payload* tag       | MKI               RTCP:  8 bytes | rest* tag | E, index | MKI

Spec: RFC 3711 sections 3.1, 3.4, 4.1.1, 4.2; RFC 7714 sections 8, 9; RFC 6188 section 3; RFC 9335 section 6.
Left out: AES-f8.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from .cryptex import FRONT_BYTES, gather, scatter
from .key_derivation import SessionKeys

ENCRYPTED: Final = 1 << 31
"""The E bit in front of an SRTCP index."""
_GCM_TAG_BYTES: Final = 16


Seal: TypeAlias = Callable[[bytes, int, int], bytes]
"""(packet, head, index) -> the SRTP packet; the first `head` bytes stay readable."""
Open: TypeAlias = Callable[[bytes, int, int], "bytes | None"]
"""(packet, head, index) -> the RTP packet, or None if the tag is wrong."""


class RtpTransform(Protocol):
    """Protects RTP packets with one key.

    What depends on the SSRC is worked out once a stream: the functions are kept beside its replay window.
    """

    def sealer(self, ssrc: int) -> Seal: ...

    def opener(self, ssrc: int) -> Open: ...


class Transform(RtpTransform, Protocol):
    """Protects packets with one key."""

    trailer: int
    """Bytes behind the encrypted part of an RTP packet (a GCM tag counts)."""
    mki_end: int
    """Bytes behind the master key identifier."""

    def seal_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes:
        """The same with CSRCs and extension body encrypted; the packet has its Cryptex extension profile already."""
        ...

    def open_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes | None: ...

    def seal_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes:
        """The SRTCP packet; `word` is the E bit and the index."""
        ...

    def open_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes | None: ...


class Gcm:
    """AES-GCM."""

    __slots__ = ("_decrypt", "_encrypt", "_end", "_mki", "_rtcp_end", "_salt", "mki_end", "trailer")

    def __init__(self, keys: SessionKeys, mki: bytes) -> None:
        aead = AESGCM(keys.encryption)
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._salt = int.from_bytes(keys.salt, "big")
        self._mki = mki
        self._end = -len(mki) or None
        self._rtcp_end = -len(mki) - 4
        self.trailer = _GCM_TAG_BYTES + len(mki)
        self.mki_end = 0

    def sealer(self, ssrc: int) -> Seal:
        encrypt, mki, first_nonce = self._encrypt, self._mki, self._salt ^ ssrc << 48

        def seal(packet: bytes, head: int, index: int) -> bytes:
            header = packet[:head]
            return header + encrypt((first_nonce ^ index).to_bytes(12, "big"), packet[head:], header)

        def seal_with_mki(packet: bytes, head: int, index: int) -> bytes:
            return seal(packet, head, index) + mki

        return seal_with_mki if mki else seal

    def opener(self, ssrc: int) -> Open:
        decrypt, end, first_nonce = self._decrypt, self._end, self._salt ^ ssrc << 48

        def open_(packet: bytes, head: int, index: int) -> bytes | None:
            header = packet[:head]
            try:
                return header + decrypt((first_nonce ^ index).to_bytes(12, "big"), packet[head:end], header)
            except InvalidTag:
                return None

        return open_

    def seal_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes:
        return scatter(self.sealer(ssrc)(gather(packet, csrcs_end), FRONT_BYTES, index), csrcs_end)

    def open_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes | None:
        opened = self.opener(ssrc)(gather(packet, csrcs_end), FRONT_BYTES, index)
        return None if opened is None else scatter(opened, csrcs_end)

    def seal_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes:
        header, tail = packet[:8], word.to_bytes(4, "big")
        nonce = (self._salt ^ ssrc << 48 ^ word & ENCRYPTED - 1).to_bytes(12, "big")
        if word & ENCRYPTED:
            return header + self._encrypt(nonce, packet[8:], header + tail) + tail + self._mki
        return packet + self._encrypt(nonce, b"", packet + tail) + tail + self._mki

    def open_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes | None:
        header, tail = packet[:8], word.to_bytes(4, "big")
        nonce = (self._salt ^ ssrc << 48 ^ word & ENCRYPTED - 1).to_bytes(12, "big")
        try:
            if word & ENCRYPTED:
                return header + self._decrypt(nonce, packet[8 : self._rtcp_end], header + tail)
            plain = packet[: self._rtcp_end - _GCM_TAG_BYTES]
            self._decrypt(nonce, packet[self._rtcp_end - _GCM_TAG_BYTES : self._rtcp_end], plain + tail)
            return plain
        except InvalidTag:
            return None


class Null:
    """HMAC-SHA1 over packets in the clear."""

    __slots__ = ("_keyed", "_mki", "_tag_bytes", "mki_end", "trailer")

    def __init__(self, keys: SessionKeys, tag_bytes: int, mki: bytes) -> None:
        self._keyed = HMAC(keys.authentication, SHA1()).copy
        self._mki = mki
        self._tag_bytes = tag_bytes
        self.mki_end = tag_bytes
        self.trailer = tag_bytes + len(mki)

    def _crypt(self, data: bytes, ssrc: int, index: int) -> bytes:
        """Encrypts or decrypts, which is the same."""
        return data

    def _tag(self, data: bytes) -> bytes:
        mac = self._keyed()
        mac.update(data)
        return mac.finalize()[: self._tag_bytes]

    def _checked(self, packet: bytes, index: int) -> bytes | None:
        """The packet without its trailer, if its tag is right."""
        sealed = packet[: -self.trailer]
        tag = self._tag(sealed + (index >> 16).to_bytes(4, "big"))
        return sealed if compare_digest(tag, packet[-self._tag_bytes :]) else None

    def sealer(self, ssrc: int) -> Seal:
        return lambda packet, head, index: packet + self._mki + self._tag(packet + (index >> 16).to_bytes(4, "big"))

    def opener(self, ssrc: int) -> Open:
        return lambda packet, head, index: self._checked(packet, index)

    def seal_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes:
        flat = gather(packet, csrcs_end)
        sealed = scatter(flat[:FRONT_BYTES] + self._crypt(flat[FRONT_BYTES:], ssrc, index), csrcs_end)
        return sealed + self._mki + self._tag(sealed + (index >> 16).to_bytes(4, "big"))

    def open_cryptex(self, packet: bytes, csrcs_end: int, ssrc: int, index: int) -> bytes | None:
        sealed = self._checked(packet, index)
        if sealed is None:
            return None
        flat = gather(sealed, csrcs_end)
        return scatter(flat[:FRONT_BYTES] + self._crypt(flat[FRONT_BYTES:], ssrc, index), csrcs_end)

    def seal_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes:
        if word & ENCRYPTED:
            packet = packet[:8] + self._crypt(packet[8:], ssrc, word & ENCRYPTED - 1)
        sealed = packet + word.to_bytes(4, "big")
        return sealed + self._mki + self._tag(sealed)

    def open_rtcp(self, packet: bytes, ssrc: int, word: int) -> bytes | None:
        sealed = packet[: -self.trailer]
        if not compare_digest(self._tag(sealed), packet[-self._tag_bytes :]):
            return None
        if word & ENCRYPTED:
            return sealed[:8] + self._crypt(sealed[8:-4], ssrc, word & ENCRYPTED - 1)
        return sealed[:-4]


class CounterMode(Null):
    """AES counter mode and HMAC-SHA1.

    Sealer and opener are written out, although the parts above would do: each call saved is felt on every packet.
    """

    __slots__ = ("_reset_nonce", "_salt", "_update")

    def __init__(self, keys: SessionKeys, tag_bytes: int, mki: bytes) -> None:
        super().__init__(keys, tag_bytes, mki)
        cipher = Cipher(AES(keys.encryption), CTR(bytes(16))).encryptor()
        self._reset_nonce = cipher.reset_nonce
        self._update = cipher.update
        self._salt = int.from_bytes(keys.salt, "big") << 16

    def _crypt(self, data: bytes, ssrc: int, index: int) -> bytes:
        self._reset_nonce((self._salt ^ ssrc << 64 ^ index << 16).to_bytes(16, "big"))
        return self._update(data)

    def sealer(self, ssrc: int) -> Seal:
        reset_nonce, update, keyed, mki, tag_bytes = (
            self._reset_nonce,
            self._update,
            self._keyed,
            self._mki,
            self._tag_bytes,
        )
        first_block = self._salt ^ ssrc << 64

        def seal(packet: bytes, head: int, index: int) -> bytes:
            reset_nonce((first_block ^ index << 16).to_bytes(16, "big"))
            sealed = packet[:head] + update(packet[head:])
            mac = keyed()
            mac.update(sealed + (index >> 16).to_bytes(4, "big"))
            return sealed + mki + mac.finalize()[:tag_bytes]

        return seal

    def opener(self, ssrc: int) -> Open:
        reset_nonce, update, keyed, end, tag_bytes = (
            self._reset_nonce,
            self._update,
            self._keyed,
            -self.trailer,
            self._tag_bytes,
        )
        first_block = self._salt ^ ssrc << 64

        def open_(packet: bytes, head: int, index: int) -> bytes | None:
            mac = keyed()
            mac.update(packet[:end] + (index >> 16).to_bytes(4, "big"))
            if not compare_digest(mac.finalize()[:tag_bytes], packet[-tag_bytes:]):
                return None
            reset_nonce((first_block ^ index << 16).to_bytes(16, "big"))
            return packet[:head] + update(packet[head:end])

        return open_
