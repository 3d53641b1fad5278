"""The asyncio client API. See README.md; applications import these names from `webrtc_stack` itself."""

from .channel_events import (
    BufferedAmountLow,
    DataChannelAnnounced,
    DataChannelClosed,
    DataChannelClosing,
    DataChannelEvent,
    DataChannelOpened,
)
from .client import Client
from .config import ClientConfig
from .data_channel import DataChannel, DataChannelState
from .observable import Observable
from .peer_connection import PeerConnection
from .stream import EventStream

__all__ = [
    "BufferedAmountLow",
    "Client",
    "ClientConfig",
    "DataChannel",
    "DataChannelAnnounced",
    "DataChannelClosed",
    "DataChannelClosing",
    "DataChannelEvent",
    "DataChannelOpened",
    "DataChannelState",
    "EventStream",
    "Observable",
    "PeerConnection",
]
