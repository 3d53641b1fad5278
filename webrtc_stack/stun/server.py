"""The Binding method as pure functions: what a STUN server does with one datagram.

With two addresses and two ports a server also serves behaviour discovery: it answers from the address and port that
CHANGE-REQUEST asks for, or to the port that RESPONSE-PORT names. An answer has 56 bytes over IPv4 then (92 over IPv6)
for a request of 20 to 28: whoever puts it on the internet limits the rate of each source, as `turn.TurnServer` does.

Spec: RFC 8489 sections 3, 6.3.1 and 12 (basic server behaviour); RFC 5780 sections 6 and 7. Left out: authentication,
ALTERNATE-SERVER, PADDING (it makes amplifiers; such requests are refused with 420, as all that is not understood).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..base import Address, canonical_ip
from ..errors import InvalidArgumentError, ParseError
from .attributes import Attribute
from .message import Message, is_stun
from .registry import AttributeType, ErrorCode, MessageClass, Method

CHANGE_IP = 0x04
CHANGE_PORT = 0x02
"""The bits of CHANGE-REQUEST (RFC 5780 section 7.2)."""

_DISCOVERY = (AttributeType.CHANGE_REQUEST, AttributeType.RESPONSE_PORT, AttributeType.PADDING)
"""Known by number, but understood only by a server that has what they ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateAddresses:
    """Two addresses of one family and two ports: the four places that a server for discovery listens at."""

    hosts: tuple[str, str]
    ports: tuple[int, int]

    def __post_init__(self) -> None:
        first, second = (canonical_ip(host) for host in self.hosts)
        if (first, second) != self.hosts:
            raise InvalidArgumentError(f"addresses stand in their canonical form, got {self.hosts}")
        if first == second or (":" in first) != (":" in second):
            raise InvalidArgumentError(f"discovery needs two addresses of one family, got {first} and {second}")
        if self.ports[0] == self.ports[1] or not all(0 < port < 65536 for port in self.ports):
            raise InvalidArgumentError(f"discovery needs two ports from 1 to 65535, got {self.ports}")

    @property
    def all(self) -> tuple[Address, Address, Address, Address]:
        """The first is what clients are given, the last its OTHER-ADDRESS."""
        (one, two), (low, high) = self.hosts, self.ports
        return Address(one, low), Address(one, high), Address(two, low), Address(two, high)

    def changed(self, local: Address, *, ip: bool, port: bool) -> Address:
        """The place that differs from `local` in its address, its port, or both."""
        host = self.hosts[(local.host == self.hosts[0]) is ip]
        number = self.ports[(local.port == self.ports[0]) is port]
        return Address(host, number)


class BindingAnswer(NamedTuple):
    """A response, the place of ours that it leaves from, and where it goes."""

    message: Message
    origin: Address
    destination: Address


def answer_binding(request: Message, source: Address, *, software: str | None = None) -> Message | None:
    """The response to a Binding request that came from `source`; None for anything else, which is dropped."""
    if request.message_class != MessageClass.REQUEST or request.method != Method.BINDING:
        return None
    extra = () if software is None else (Attribute(AttributeType.SOFTWARE, software),)
    unknown = request.unknown_required() + tuple(one for one in _DISCOVERY if one in request)
    if unknown:
        return _refuse_unknown(request, unknown, extra)
    return request.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source), *extra))


def answer_discovery(
    request: Message, source: Address, local: Address, alternates: AlternateAddresses
) -> BindingAnswer | None:
    """The same at `local`, one of the places of a server for discovery: with RESPONSE-ORIGIN and OTHER-ADDRESS, and
    from where CHANGE-REQUEST wants it. One answer a request, never to another host than the one that asked."""
    if request.message_class != MessageClass.REQUEST or request.method != Method.BINDING:
        return None
    unknown = request.unknown_required() + ((AttributeType.PADDING,) if AttributeType.PADDING in request else ())
    if unknown:
        return BindingAnswer(_refuse_unknown(request, unknown, ()), local, source)
    change = request.get(AttributeType.CHANGE_REQUEST)
    bits = change if isinstance(change, int) else 0
    port = request.get(AttributeType.RESPONSE_PORT)
    if port == 0:
        return BindingAnswer(request.failure(ErrorCode.BAD_REQUEST), local, source)
    origin = alternates.changed(local, ip=bool(bits & CHANGE_IP), port=bool(bits & CHANGE_PORT))
    answer = request.success(
        (
            Attribute(AttributeType.XOR_MAPPED_ADDRESS, source),
            Attribute(AttributeType.RESPONSE_ORIGIN, origin),
            Attribute(AttributeType.OTHER_ADDRESS, alternates.changed(local, ip=True, port=True)),
        )
    )
    return BindingAnswer(answer, origin, Address(source.host, port) if isinstance(port, int) else source)


def _refuse_unknown(request: Message, unknown: tuple[int, ...], extra: tuple[Attribute, ...]) -> Message:
    # Few are listed: the answer shall be no larger than it must be.
    listed = Attribute(AttributeType.UNKNOWN_ATTRIBUTES, unknown[:16])
    return request.failure(ErrorCode.UNKNOWN_ATTRIBUTE, (listed, *extra))


def serve_binding(data: bytes, source: Address, *, software: str | None = None) -> bytes | None:
    """The datagram to send back to `source`, or None. Never raises.

    FINGERPRINT is added only where the request had one, so that the answer stays small.
    """
    if not is_stun(data):
        return None
    try:
        request = Message.parse(data)
    except ParseError:
        return None  # RFC 8489 section 6.3: silently discarded
    answer = answer_binding(request, source, software=software)
    return None if answer is None else answer.serialize(fingerprint=request.has_fingerprint)
