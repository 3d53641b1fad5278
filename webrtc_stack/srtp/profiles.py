"""Protection profiles: which cipher, which sizes.

Members that DTLS can negotiate carry their number there. The AES-192 and AES-256 counter modes were only ever
registered for SDP security descriptions, so theirs lie outside the 16 bits of the DTLS registry and cannot meet one.

Spec: RFC 5764 section 4.1.2; RFC 7714 section 14.2; RFC 6188 section 3; RFC 4568 section 6.2 (80-bit SRTCP tags).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, NamedTuple


class CipherKind(Enum):
    NULL = "null"
    COUNTER_MODE = "counter mode"
    GCM = "gcm"


class ProfileParameters(NamedTuple):
    """What a profile stands for; all sizes in bytes."""

    cipher: CipherKind
    key_bytes: int
    salt_bytes: int
    rtp_tag_bytes: int
    rtcp_tag_bytes: int


class Profile(IntEnum):
    """An SRTP protection profile; values below 2**16 are those of `use_srtp`."""

    AES_CM_128_HMAC_SHA1_80 = 0x0001
    AES_CM_128_HMAC_SHA1_32 = 0x0002
    NULL_HMAC_SHA1_80 = 0x0005
    """Authentication only: for tests and closed networks. WebRTC forbids it."""
    NULL_HMAC_SHA1_32 = 0x0006
    AEAD_AES_128_GCM = 0x0007
    AEAD_AES_256_GCM = 0x0008
    AES_192_CM_HMAC_SHA1_80 = 0x1_0001
    AES_192_CM_HMAC_SHA1_32 = 0x1_0002
    AES_256_CM_HMAC_SHA1_80 = 0x1_0003
    AES_256_CM_HMAC_SHA1_32 = 0x1_0004

    @property
    def parameters(self) -> ProfileParameters:
        return _PARAMETERS[self]

    @property
    def key_bytes(self) -> int:
        """Length of a master key."""
        return _PARAMETERS[self].key_bytes

    @property
    def salt_bytes(self) -> int:
        """Length of a master salt."""
        return _PARAMETERS[self].salt_bytes

    @property
    def rtp_overhead_bytes(self) -> int:
        """What an RTP packet grows by, without a master key identifier."""
        return _PARAMETERS[self].rtp_tag_bytes

    @property
    def rtcp_overhead_bytes(self) -> int:
        """What an RTCP packet grows by, without a master key identifier: the tag and the index."""
        return _PARAMETERS[self].rtcp_tag_bytes + 4


def _counter_mode(key_bytes: int, tag_bytes: int) -> ProfileParameters:
    # SRTCP keeps the long tag: a forged BYE or report does more harm than a forged 20 ms of sound.
    return ProfileParameters(CipherKind.COUNTER_MODE, key_bytes, 14, tag_bytes, 10)


_PARAMETERS: Final[dict[Profile, ProfileParameters]] = {
    Profile.AES_CM_128_HMAC_SHA1_80: _counter_mode(16, 10),
    Profile.AES_CM_128_HMAC_SHA1_32: _counter_mode(16, 4),
    Profile.NULL_HMAC_SHA1_80: ProfileParameters(CipherKind.NULL, 16, 14, 10, 10),
    Profile.NULL_HMAC_SHA1_32: ProfileParameters(CipherKind.NULL, 16, 14, 4, 10),
    Profile.AEAD_AES_128_GCM: ProfileParameters(CipherKind.GCM, 16, 12, 16, 16),
    Profile.AEAD_AES_256_GCM: ProfileParameters(CipherKind.GCM, 32, 12, 16, 16),
    Profile.AES_192_CM_HMAC_SHA1_80: _counter_mode(24, 10),
    Profile.AES_192_CM_HMAC_SHA1_32: _counter_mode(24, 4),
    Profile.AES_256_CM_HMAC_SHA1_80: _counter_mode(32, 10),
    Profile.AES_256_CM_HMAC_SHA1_32: _counter_mode(32, 4),
}
