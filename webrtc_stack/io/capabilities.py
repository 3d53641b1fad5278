"""What this machine offers to the I/O room, as values for a report."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata

from . import kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Found by asking the kernel and the installed packages; nothing is assumed by name of the system."""

    platform: str
    gso: bool
    """Bursts leave in one call."""
    gro: bool
    """Bursts arrive in one call."""
    ecn: bool
    ipv6: bool
    ifaddr: str | None
    """Version of the package that lists interfaces; None: missing."""
    zeroconf: str | None
    """Version of the multicast DNS package (extra `mdns`); None: names ending in `.local` are not resolved."""
    uvloop: str | None


def capabilities() -> Capabilities:
    """Asks for everything. Cost: a handful of sockets the first time."""
    return Capabilities(
        platform=sys.platform,
        gso=kernel.has_gso(),
        gro=kernel.has_gro(),
        ecn=kernel.has_ecn(),
        ipv6=kernel.has_ipv6(),
        ifaddr=_version("ifaddr"),
        zeroconf=_version("zeroconf"),
        uvloop=_version("uvloop"),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
