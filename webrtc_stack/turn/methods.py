"""What the server makes of the attributes of its four methods: pure checks, and two answers.

Spec: RFC 8656 sections 7.2 (Allocate), 8.2 (Refresh), 10.2 (CreatePermission), 12.2 (ChannelBind).
"""

from __future__ import annotations

from typing import NamedTuple

from ..base import Address, Instant
from ..stun import AttributeType, ErrorCode, Message
from .allocation import Allocation
from .channel_data import FIRST_CHANNEL, LAST_OLD_CHANNEL
from .server_config import TurnServerConfig

_FAMILIES = {1: 4, 2: 6}


class Refused(NamedTuple):
    """An error code, and the reason for counters and trace."""

    code: int
    reason: str


def read_lifetime(request: Message, config: TurnServerConfig) -> float:
    """The lifetime that is granted: never less than the default, never more than the maximum."""
    value = request.get(AttributeType.LIFETIME)
    wanted = float(value) if isinstance(value, int) else config.default_lifetime
    return max(config.default_lifetime, min(wanted, config.max_lifetime))


def _family(request: Message, attribute: AttributeType) -> int | None:
    """4 or 6; 0 for another or a malformed one; None where there is no such attribute."""
    if attribute not in request:
        return None
    value = request.get(attribute)
    return _FAMILIES.get(value[0], 0) if isinstance(value, bytes) and len(value) == 4 else 0


def check_allocate(request: Message, config: TurnServerConfig) -> tuple[tuple[int, ...], Refused | None]:
    """The address families to allocate, or why not."""
    transport = request.get(AttributeType.REQUESTED_TRANSPORT)
    family = _family(request, AttributeType.REQUESTED_ADDRESS_FAMILY)
    additional = _family(request, AttributeType.ADDITIONAL_ADDRESS_FAMILY)
    reserved = AttributeType.RESERVATION_TOKEN in request
    even = request.get(AttributeType.EVEN_PORT)
    if not isinstance(transport, bytes) or len(transport) != 4:
        return (), Refused(ErrorCode.BAD_REQUEST, "no transport requested")
    if transport[0] != 17:
        return (), Refused(ErrorCode.UNSUPPORTED_TRANSPORT_PROTOCOL, "transport other than udp")
    if reserved and (even is not None or family is not None or additional is not None):
        return (), Refused(ErrorCode.BAD_REQUEST, "reservation with other wishes")
    if additional is not None and (family is not None or even is not None or additional != 6):
        return (), Refused(ErrorCode.BAD_REQUEST, "additional family with other wishes")
    if reserved or (isinstance(even, bytes) and even[:1] >= b"\x80"):
        return (), Refused(ErrorCode.INSUFFICIENT_CAPACITY, "port reservation")
    if (family or 4) not in config.families or family == 0:
        return (), Refused(ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED, "address family")
    if additional is not None and 6 in config.families:
        return (4, 6), None
    return (family or 4,), None


def check_refresh(allocation: Allocation, request: Message) -> Refused | None:
    family = _family(request, AttributeType.REQUESTED_ADDRESS_FAMILY)
    if family is not None and family not in allocation.relays:
        return Refused(ErrorCode.PEER_ADDRESS_FAMILY_MISMATCH, "refresh of another family")
    return None


def _check_peer(allocation: Allocation, peer: Address, config: TurnServerConfig) -> Refused | None:
    if (6 if peer.is_ipv6 else 4) not in allocation.relays:
        return Refused(ErrorCode.PEER_ADDRESS_FAMILY_MISMATCH, "peer of another family")
    refusal = config.policy.refusal(peer.host)
    if refusal is not None:
        return Refused(ErrorCode.FORBIDDEN, f"peer address: {refusal}")
    return None


def answer_create_permission(
    allocation: Allocation, request: Message, config: TurnServerConfig, now: Instant
) -> Refused | None:
    """Installs permissions for all peers named, or for none."""
    peers = [one.value for one in request.attributes if one.type == AttributeType.XOR_PEER_ADDRESS]
    addresses = [one for one in peers if isinstance(one, Address)]
    if not addresses:
        return Refused(ErrorCode.BAD_REQUEST, "permission for nobody")
    for peer in addresses:
        refused = _check_peer(allocation, peer, config)
        if refused is not None:
            return refused
    hosts = {peer.host for peer in addresses}
    if not allocation.can_permit(hosts, now):
        return Refused(ErrorCode.INSUFFICIENT_CAPACITY, "too many permissions")
    allocation.permit(hosts, now)
    return None


def answer_channel_bind(
    allocation: Allocation, request: Message, config: TurnServerConfig, now: Instant
) -> Refused | None:
    """Binds a channel, and renews the permission for its peer."""
    number = request.get(AttributeType.CHANNEL_NUMBER)
    peer = request.get(AttributeType.XOR_PEER_ADDRESS)
    if not isinstance(number, int) or not isinstance(peer, Address) or not FIRST_CHANNEL <= number <= LAST_OLD_CHANNEL:
        return Refused(ErrorCode.BAD_REQUEST, "channel without number or peer")
    if not peer.port or peer in config.own_addresses:
        return Refused(ErrorCode.FORBIDDEN, "peer address: the server itself, or port 0")
    refused = _check_peer(allocation, peer, config)
    if refused is not None:
        return refused
    if allocation.channel_conflict(number, peer, now):
        return Refused(ErrorCode.BAD_REQUEST, "channel in use")
    if not allocation.can_bind(peer, now) or not allocation.can_permit({peer.host}, now):
        return Refused(ErrorCode.INSUFFICIENT_CAPACITY, "too many channels")
    allocation.bind(number, peer, now)
    allocation.permit({peer.host}, now)
    return None
