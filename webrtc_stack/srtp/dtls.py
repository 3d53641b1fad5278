"""Keys out of a DTLS handshake.

This room does not know the `dtls` room; an endpoint is whatever has these three attributes.

Spec: RFC 5764 section 4.2. Left out: an MKI negotiated by `use_srtp` (WebRTC sends none: RFC 8827 section 6.5).
"""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

from ..errors import InvalidStateError, NotSupportedError
from .profiles import Profile

LABEL: Final = "EXTRACTOR-dtls_srtp"

KeyAndSalt: TypeAlias = tuple[bytes, bytes]


class DtlsLike(Protocol):
    """A connected DTLS endpoint, as far as SRTP looks at it."""

    @property
    def role(self) -> str:
        """`client` or `server`."""
        ...

    @property
    def srtp_profile(self) -> int | None:
        """The number of the profile agreed on by `use_srtp`."""
        ...

    def export_keying_material(self, label: str, length: int, context: bytes | None = None) -> bytes: ...


def split_keying_material(endpoint: DtlsLike) -> tuple[Profile, KeyAndSalt, KeyAndSalt]:
    """The profile, what we protect with, and what the peer protects with.

    Errors: `InvalidStateError` before the handshake is complete or without a profile; `NotSupportedError`.
    """
    number = endpoint.srtp_profile
    if number is None:
        raise InvalidStateError("no SRTP profile was agreed on in this handshake (or not yet)")
    try:
        profile = Profile(number)
    except ValueError:
        raise NotSupportedError(f"SRTP profile {number:#06x} is not one of {[p.name for p in Profile]}") from None
    key, salt = profile.key_bytes, profile.salt_bytes
    material = endpoint.export_keying_material(LABEL, 2 * (key + salt))
    client = material[:key], material[2 * key : 2 * key + salt]
    server = material[key : 2 * key], material[2 * key + salt :]
    return (profile, client, server) if endpoint.role == "client" else (profile, server, client)
