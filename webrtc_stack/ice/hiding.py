"""Names in place of the addresses of this machine: one for each, for as long as the agent lives.

Spec: draft-ietf-mmusic-mdns-ice-candidates-03 section 3.1. Left out: deciding for whom an address need not be hidden.
"""

from __future__ import annotations

from typing import Final

from ..base import Entropy

_MAX_NAMES: Final = 256
"""Addresses remembered; beyond it the name of the one that has been gone longest is forgotten."""


def uuid4_name(entropy: Entropy) -> str:
    """A random name: a version 4 UUID (RFC 9562 section 5.4) and `.local`, as the draft asks for."""
    raw = bytearray(entropy.bytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}.local"


class HostNames:
    """Names by address, and which of them the world may ask for."""

    __slots__ = ("_entropy", "_names", "_published")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._names: dict[str, str] = {}
        self._published: set[str] = set()

    def of(self, host: str) -> str:
        """The name of an address."""
        name = self._names.get(host)
        if name is None:
            if len(self._names) >= _MAX_NAMES:
                gone = next((one for one in self._names if one not in self._published), None)
                if gone is not None:
                    del self._names[gone]
            name = self._names[host] = uuid4_name(self._entropy)
        return name

    def publish(self, host: str) -> bool:
        """True if the name of this address has still to be published."""
        if host in self._published:
            return False
        self._published.add(host)
        return True

    def withdraw(self, host: str) -> str | None:
        """The name to be withdrawn, if it was published."""
        if host not in self._published:
            return None
        self._published.discard(host)
        return self._names[host]

    def withdraw_all(self) -> list[str]:
        names = [name for host, name in self._names.items() if host in self._published]
        self._published.clear()
        return names
