"""What can be tuned about data channels, and what they count."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import sctp
from ..base import SYSTEM_ENTROPY, Entropy
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelsConfig:
    """Tunables of one association's data channels."""

    sctp: sctp.SctpConfig = field(default_factory=sctp.SctpConfig)
    """The association below. It inherits `entropy` and `trace` from here unless it has its own."""
    max_message_size: int = 262_144
    """Bytes of the largest message taken, as announced in SDP; a larger one closes its channel. Chromium's limit."""
    max_send_message_size: int = 16 * 1024 * 1024
    """Bytes of the largest message sent, even to a peer that takes more: Firefox says 1 GiB, which no buffer here
    would hold."""
    remote_max_message_size: int = 65_536
    """What the peer takes until `set_remote_max_message_size` says better: the default of RFC 8841 section 6.1."""
    max_remote_channels: int = 1024
    """Channels that the peer may have open, closed ones with unread messages included. Above it, a new one's stream is
    reset at once. Browsers' limits are about this size."""
    max_refused_streams: int = 1024
    """Streams being reset at once because what the peer began there was refused; beyond, refusals are silent drops."""
    max_early_messages: int = 256
    """Messages kept for streams that have no channel yet."""
    max_early_bytes: int = 256 * 1024
    """Their bytes together: one message of the announced size."""
    early_timeout: float = 10.0
    """Seconds that they wait: a signalling round trip with room; then their stream is reset."""
    max_pending_events: int = 65_536
    """Events that nobody polls; beyond it packets are dropped, as a network would, until somebody does."""
    closed_channels_kept: int = 64
    """Closed channels whose snapshot can still be had, for statistics."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        for name in (
            "max_message_size",
            "max_send_message_size",
            "max_early_messages",
            "max_early_bytes",
            "max_pending_events",
        ):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("remote_max_message_size", "max_remote_channels", "max_refused_streams", "closed_channels_kept"):
            if getattr(self, name) < 0:
                raise InvalidArgumentError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.early_timeout <= 0:
            raise InvalidArgumentError(f"early_timeout is in seconds and positive, got {self.early_timeout}")


@dataclass(slots=True)
class DataChannelCounters:
    """Totals over all channels, closed ones included. Bytes are user data, without DCEP."""

    channels_opened: int = 0
    channels_accepted: int = 0
    channels_refused: int = 0
    channels_closed: int = 0
    channels_left_open: int = 0
    """Channels that were open and are so no longer: closing or closed."""
    messages_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    bytes_received: int = 0
    messages_abandoned: int = 0
    invalid_utf8: int = 0
    associations_restarted: int = 0
