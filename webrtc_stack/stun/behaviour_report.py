"""What behaviour discovery found, as a value and in words.

Spec: RFC 4787 sections 4.1, 5 and 6 (the words), RFC 5780 section 3 (what they are good for).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..base import Address


class NatBehaviour(StrEnum):
    """How a NAT chooses outside addresses (mapping), or whom it lets answer (filtering)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    """The friendly kind: one outside address for every peer, or everybody may answer."""
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    """As mapping what used to be called symmetric: the address that a STUN server sees is no peer's."""


class DiscoveryOutcome(StrEnum):
    """How far discovery came."""

    COMPLETE = "complete"
    NOT_SUPPORTED = "the server does not support RFC 5780"
    UDP_BLOCKED = "UDP blocked"
    """Nothing came back at all: a firewall, a server that is down, or a wrong address."""
    STOPPED = "stopped"
    """By `close`, or because the time was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatReport:
    """What is known about the way to `server`. None stands for "not found out".

    Units: seconds.
    """

    server: Address
    outcome: DiscoveryOutcome
    local: Address | None = None
    mapped: Address | None = None
    """How the server sees us."""
    other: Address | None = None
    """The server's second address, if it told one."""
    error: tuple[int, str] | None = None
    """What the server refused with."""
    rtt: float | None = None
    behind_nat: bool | None = None
    port_kept: bool | None = None
    """Whether the NAT uses the port that we use inside."""
    mapping: NatBehaviour | None = None
    filtering: NatBehaviour | None = None
    """Also without a NAT: a firewall filters alike."""
    hairpinning: bool | None = None
    """Whether two clients behind this NAT reach each other by its outside addresses. False: no datagram came back."""
    lifetime_at_least: float | None = None
    """So long a silent binding was seen to live."""
    lifetime_below: float | None = None
    """So long a silent binding did not live."""
    took: float = 0.0

    @property
    def peer_to_peer(self) -> bool | None:
        """Whether two peers behind such NATs meet without a relay; None where the mapping is not known."""
        if self.behind_nat is False:
            return True
        return None if self.mapping is None else self.mapping is NatBehaviour.ENDPOINT_INDEPENDENT

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "server": str(self.server),
            "outcome": self.outcome.value,
            "local": _text(self.local),
            "mapped": _text(self.mapped),
            "other": _text(self.other),
            "error": list(self.error) if self.error is not None else None,
            "rtt": self.rtt,
            "behind_nat": self.behind_nat,
            "port_kept": self.port_kept,
            "mapping": _text(self.mapping),
            "filtering": _text(self.filtering),
            "hairpinning": self.hairpinning,
            "lifetime_at_least": self.lifetime_at_least,
            "lifetime_below": self.lifetime_below,
            "peer_to_peer": self.peer_to_peer,
            "took": round(self.took, 6),
        }

    def __str__(self) -> str:
        if self.outcome is DiscoveryOutcome.UDP_BLOCKED:
            return f"UDP blocked: nothing came back from {self.server} (or the server is down, or the address wrong)"
        words = [self._place()]
        if self.outcome is not DiscoveryOutcome.COMPLETE:
            words.append(self.outcome.value)
            if self.error is not None:
                words.append(f"it refused with {self.error[0]} {self.error[1]}".rstrip())
        if self.mapping is not None:
            words.append(f"mapping {self.mapping}")
        if self.filtering is not None:
            words.append(f"filtering {self.filtering}")
        if self.hairpinning is not None and self.behind_nat:
            words.append("hairpins" if self.hairpinning else "does not hairpin")
        if self.lifetime_at_least is not None or self.lifetime_below is not None:
            words.append(self._lifetime())
        return "; ".join(words)

    def _place(self) -> str:
        if self.mapped is None:
            return "not known whether behind a NAT"
        if self.behind_nat is None:
            return f"seen as {self.mapped}"
        if not self.behind_nat:
            return f"not behind a NAT ({self.mapped})"
        kept = "" if self.port_kept is None else ", same port" if self.port_kept else ", another port"
        return f"behind a NAT: {self.local} is seen as {self.mapped}{kept}"

    def _lifetime(self) -> str:
        if self.lifetime_below is None:
            return f"bindings live at least {self.lifetime_at_least:g} s"
        if self.lifetime_at_least is None:
            return f"bindings live less than {self.lifetime_below:g} s"
        return f"bindings live {self.lifetime_at_least:g} to {self.lifetime_below:g} s"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
