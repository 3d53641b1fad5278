"""Data channels (RFC 8831, RFC 8832) on one SCTP association, sans-IO. See README.md."""

from .channel import ChannelHandle, ChannelSnapshot, ChannelState
from .config import DataChannelCounters, DataChannelsConfig
from .dcep import (
    ChannelType,
    DataChannelAck,
    DataChannelOpen,
    DcepMessage,
    MessageType,
    Ppid,
    Priority,
    parse_message,
)
from .events import (
    BufferedAmountLow,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    Closed,
    Connected,
    DataChannelsEvent,
    MessageReceived,
    SendBufferMoved,
)
from .machine import DataChannels, MessageData

__all__ = [
    "BufferedAmountLow",
    "ChannelAnnounced",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelHandle",
    "ChannelOpened",
    "ChannelSnapshot",
    "ChannelState",
    "ChannelType",
    "Closed",
    "Connected",
    "DataChannelAck",
    "DataChannelCounters",
    "DataChannelOpen",
    "DataChannels",
    "DataChannelsConfig",
    "DataChannelsEvent",
    "DcepMessage",
    "MessageData",
    "MessageReceived",
    "MessageType",
    "Ppid",
    "Priority",
    "SendBufferMoved",
    "parse_message",
]
