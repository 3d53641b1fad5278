"""SRTP and SRTCP: RFC 3711 and what grew around it. See README.md."""

from .context import SrtpContext
from .counters import SrtpCounters
from .dtls import DtlsLike
from .profiles import Profile
from .refused import Refused

__all__ = ["DtlsLike", "Profile", "Refused", "SrtpContext", "SrtpCounters"]
