"""What a context counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..base import Drops


@dataclass(slots=True)
class SrtpCounters:
    rtp_protected: int = 0
    rtp_unprotected: int = 0
    rtcp_protected: int = 0
    rtcp_unprotected: int = 0
    ssrcs_evicted: int = 0
    """Received streams forgotten because of `max_ssrcs`."""
    drops: Drops = field(default_factory=Drops)
    """Received packets that were refused, by reason: the values of `Refused`."""
