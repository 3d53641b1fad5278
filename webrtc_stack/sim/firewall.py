"""A firewall: addresses stay what they are, but what was not asked for does not come in.

    office = net.firewall(udp=False, tcp={443})
    alice = office.host("198.51.100.20")

The addresses inside are known outside. A connection, or a datagram, from inside opens the way for answers, to those
that `filtering` allows, for as long as a NAT would remember it. `permit` opens it for everybody.

Spec: RFC 6092 (its simple security: REC-11, REC-14, REC-17), with the words of RFC 4787.
"""

from __future__ import annotations

from ..base import Address
from .packet import Transport
from .stateful import StatefulBox


class Firewall(StatefulBox):
    """A stateful filter. Made by `net.firewall(...)`."""

    def routes(self, ip: str) -> bool:
        return True

    def allocate(self, transport: Transport, inside: Address) -> Address | None:
        return inside

    def permit(self, inside: Address, transport: Transport | str = Transport.UDP) -> None:
        """Everybody may speak to this endpoint inside, which may answer everybody."""
        self.fix(inside, inside, transport)
