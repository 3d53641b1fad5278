"""The nonce cookie: security features that a server announces inside its nonce, where nobody can edit them unnoticed.

Spec: RFC 8489 sections 9.2 (nonce cookie) and 18.1 (the feature bits).
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

NONCE_COOKIE: Final = "obMatJos2"
PASSWORD_ALGORITHMS_FEATURE: Final = 0x800000
USERNAME_ANONYMITY_FEATURE: Final = 0x400000
_FROM_THE_RIGHT: Final = {0x000001: PASSWORD_ALGORITHMS_FEATURE, 0x000002: USERNAME_ANONYMITY_FEATURE}
"""Section 18.1 counts bits from the left, the test vector of appendix B.1 from the right. All others are unassigned, so
both readings can be taken without confusion."""


def write_features(features: int) -> str:
    """The beginning of a nonce that announces `features`."""
    return NONCE_COOKIE + base64.b64encode(features.to_bytes(3, "big")).decode()


def read_features(nonce: str) -> int:
    """The features that a nonce announces; 0 when it has no cookie. Never raises."""
    if not nonce.startswith(NONCE_COOKIE):
        return 0
    try:
        bits = int.from_bytes(base64.b64decode(nonce[9:13].encode("ascii", "replace"), validate=True), "big")
    except binascii.Error:
        return 0
    for right, left in _FROM_THE_RIGHT.items():
        if bits & right:
            bits |= left
    return bits
