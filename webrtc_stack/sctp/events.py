"""What an association reports: past-tense values, in the order in which they happened."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ..errors import WebRTCError


class AssociationEstablished(NamedTuple):
    """The handshake is done; stream identifiers below these counts may be used."""

    outbound_streams: int
    inbound_streams: int


class AssociationRestarted(NamedTuple):
    """The peer lost its state and began anew (RFC 9260 section 5.2.4 A); what was queued or in flight is gone."""


class MessageReceived(NamedTuple):
    """A whole message. Its bytes count against the receive window until `release`."""

    stream_id: int
    ppid: int
    data: bytes


class BufferedAmountDecreased(NamedTuple):
    """`amount` bytes queued on a stream were sent for the first time, or dropped; at most one a stream and poll."""

    stream_id: int
    amount: int


class StreamsResetByPeer(NamedTuple):
    """The peer closed its direction of these streams; their sequence numbers begin at 0 again."""

    stream_ids: tuple[int, ...]


class StreamsReset(NamedTuple):
    """The peer has performed our reset of these outgoing streams."""

    stream_ids: tuple[int, ...]


class StreamResetFailed(NamedTuple):
    """The peer does not reset these streams; `reason` says why."""

    stream_ids: tuple[int, ...]
    reason: str


class MessageAbandoned(NamedTuple):
    """A message reached its limit of retransmissions or lifetime before it was delivered."""

    stream_id: int
    ppid: int


class Closed(NamedTuple):
    """The one final event. `error` is None when either side ended the association politely, or we did by `abort`."""

    reason: str
    error: WebRTCError | None


AssociationEvent: TypeAlias = (
    AssociationEstablished
    | AssociationRestarted
    | MessageReceived
    | BufferedAmountDecreased
    | StreamsResetByPeer
    | StreamsReset
    | StreamResetFailed
    | MessageAbandoned
    | Closed
)
