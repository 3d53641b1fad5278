"""Master keys by identifier, each with the transforms derived from it."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..errors import InvalidAccessError, InvalidArgumentError
from .header_protection import HeaderCipher, HeaderProtection
from .key_derivation import header_keys, rtcp_keys, rtp_keys
from .profiles import CipherKind, Profile
from .transforms import CounterMode, Gcm, Null, RtpTransform, Transform

MAX_MKI_BYTES: Final = 128
"""The identifier's length is the sessions' choice; this is more than anyone takes (and what libsrtp takes)."""


class MasterKey(NamedTuple):
    """What one master key became."""

    rtp: RtpTransform
    rtcp: Transform


class Keyring:
    """The master keys of a context. Without identifiers there is exactly one, under b""."""

    __slots__ = (
        "_cryptex",
        "_ids",
        "_profile",
        "current",
        "keys",
        "mki_bytes",
        "rtcp_mki",
        "rtcp_overhead",
        "rtp_mki",
        "rtp_trailer",
    )

    def __init__(
        self,
        profile: Profile,
        key: bytes,
        salt: bytes,
        mki: bytes,
        *,
        cryptex: bool,
        encrypted_extensions: frozenset[int],
    ) -> None:
        if len(mki) > MAX_MKI_BYTES:
            raise InvalidArgumentError(f"a master key identifier has 1 to {MAX_MKI_BYTES} bytes, got {len(mki)}")
        self._profile = profile
        self._cryptex = cryptex
        self._ids = encrypted_extensions
        self.mki_bytes = len(mki)
        self.keys: dict[bytes, MasterKey] = {}
        self.current = self._make(key, salt, mki)
        self.keys[mki] = self.current
        parameters = profile.parameters
        # Where an identifier lies, counted from a packet's end: with HMAC in front of the tag, with GCM at the end.
        last = 0 if parameters.cipher is CipherKind.GCM else parameters.rtp_tag_bytes
        self.rtp_mki = (last + len(mki), last)
        last = 0 if parameters.cipher is CipherKind.GCM else parameters.rtcp_tag_bytes
        self.rtcp_mki = (last + len(mki), last)
        self.rtp_trailer = parameters.rtp_tag_bytes + len(mki)
        self.rtcp_overhead = 4 + parameters.rtcp_tag_bytes + len(mki)

    def _make(self, key: bytes, salt: bytes, mki: bytes) -> MasterKey:
        parameters = self._profile.parameters
        if len(key) != parameters.key_bytes or len(salt) != parameters.salt_bytes:
            raise InvalidArgumentError(
                f"{self._profile.name} takes a master key of {parameters.key_bytes} and a salt of "
                f"{parameters.salt_bytes} bytes, got {len(key)} and {len(salt)}"
            )
        rtp: Transform
        rtcp: Transform
        match parameters.cipher:
            case CipherKind.GCM:
                rtp, rtcp = Gcm(rtp_keys(key, salt), mki), Gcm(rtcp_keys(key, salt), mki)
            case CipherKind.COUNTER_MODE:
                rtp = CounterMode(rtp_keys(key, salt), parameters.rtp_tag_bytes, mki)
                rtcp = CounterMode(rtcp_keys(key, salt), parameters.rtcp_tag_bytes, mki)
            case CipherKind.NULL:
                rtp = Null(rtp_keys(key, salt), parameters.rtp_tag_bytes, mki)
                rtcp = Null(rtcp_keys(key, salt), parameters.rtcp_tag_bytes, mki)
        # The NULL profiles encrypt nothing, header elements included.
        chosen = self._ids if parameters.cipher is not CipherKind.NULL else frozenset()
        if not self._cryptex and not chosen:
            return MasterKey(rtp, rtcp)
        elements = HeaderCipher(header_keys(key, salt), chosen) if chosen else None
        return MasterKey(HeaderProtection(rtp, cryptex=self._cryptex, elements=elements), rtcp)

    def add(self, key: bytes, salt: bytes, mki: bytes) -> None:
        if not self.mki_bytes:
            raise InvalidAccessError("this context was made without a master key identifier, so it has one key only")
        if len(mki) != self.mki_bytes:
            raise InvalidArgumentError(f"identifiers here have {self.mki_bytes} bytes, got {len(mki)}")
        if mki in self.keys:
            raise InvalidArgumentError("this master key identifier is taken; remove its key first")
        self.keys[mki] = self._make(key, salt, mki)

    def use(self, mki: bytes) -> None:
        self.current = self._known(mki)

    def remove(self, mki: bytes) -> None:
        if self._known(mki) is self.current:
            raise InvalidArgumentError("this key protects what is sent; use another one first")
        del self.keys[mki]

    def _known(self, mki: bytes) -> MasterKey:
        key = self.keys.get(mki)
        if key is None:
            raise InvalidAccessError("no key was added under this master key identifier")
        return key
