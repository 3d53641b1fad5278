"""The Binding method as a pure function: what a STUN server does with one datagram.

Spec: RFC 8489 sections 3, 6.3.1 and 12 (basic server behaviour). Left out: authentication, RFC 5780 behaviour
discovery, ALTERNATE-SERVER.
"""

from __future__ import annotations

from ..base import Address
from ..errors import ParseError
from .attributes import Attribute
from .message import Message, is_stun
from .registry import AttributeType, ErrorCode, MessageClass, Method


def answer_binding(request: Message, source: Address, *, software: str | None = None) -> Message | None:
    """The response to a Binding request that came from `source`; None for anything else, which is dropped."""
    if request.message_class != MessageClass.REQUEST or request.method != Method.BINDING:
        return None
    extra = () if software is None else (Attribute(AttributeType.SOFTWARE, software),)
    unknown = request.unknown_required()
    if unknown:
        listed = Attribute(AttributeType.UNKNOWN_ATTRIBUTES, unknown[:16])  # keeps the answer no larger than it must be
        return request.failure(ErrorCode.UNKNOWN_ATTRIBUTE, (listed, *extra))
    return request.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source), *extra))


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
