"""SRTP and SRTCP: RFC 3711 and what grew around it. See README.md."""

from typing import TYPE_CHECKING

from ..hot import twin
from .context import SrtpContext
from .counters import SrtpCounters
from .dtls import DtlsLike, split_keying_material
from .profiles import Profile
from .refused import Refused

if not TYPE_CHECKING:
    _PARTS = (Profile, Refused, SrtpCounters, split_keying_material)
    SrtpContext = twin("SrtpContext", SrtpContext, libcrypto=True, parts=_PARTS)

__all__ = ["DtlsLike", "Profile", "Refused", "SrtpContext", "SrtpCounters"]
