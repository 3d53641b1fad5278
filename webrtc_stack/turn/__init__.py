"""TURN: relaying through a server; the client machine, the server machine, ChannelData and framing. See README.md."""

from .allocation import Allocation
from .authentication import time_limited_password
from .channel_data import (
    CHANNEL_HEADER_BYTES,
    FIRST_CHANNEL,
    LAST_CHANNEL,
    LAST_OLD_CHANNEL,
    ChannelData,
    is_channel_data,
    unwrap,
    wrap_many,
)
from .client import TurnClient
from .client_core import ClientCounters
from .config import TurnClientConfig
from .events import (
    Allocated,
    AllocationFailed,
    AlternateServer,
    ChannelBound,
    ChannelFailed,
    ClientState,
    Closed,
    CloseReason,
    DataRelayed,
    PermissionFailed,
    PermissionInstalled,
    TurnEvent,
)
from .framing import LARGEST_FRAME, Framer
from .hints import NO_ANSWER, hint_for
from .policy import PeerPolicy
from .server import TurnServer
from .server_config import TurnServerConfig
from .server_core import ServerCounters
from .server_events import (
    AllocationClosed,
    AllocationOpened,
    CloseClient,
    CloseRelay,
    EndReason,
    OpenRelay,
    ServerClosed,
    ServerEvent,
)
from .uri import TurnUri

__all__ = [
    "CHANNEL_HEADER_BYTES",
    "FIRST_CHANNEL",
    "LARGEST_FRAME",
    "LAST_CHANNEL",
    "LAST_OLD_CHANNEL",
    "NO_ANSWER",
    "Allocated",
    "Allocation",
    "AllocationClosed",
    "AllocationFailed",
    "AllocationOpened",
    "AlternateServer",
    "ChannelBound",
    "ChannelData",
    "ChannelFailed",
    "ClientCounters",
    "ClientState",
    "CloseClient",
    "CloseReason",
    "CloseRelay",
    "Closed",
    "DataRelayed",
    "EndReason",
    "Framer",
    "OpenRelay",
    "PeerPolicy",
    "PermissionFailed",
    "PermissionInstalled",
    "ServerClosed",
    "ServerCounters",
    "ServerEvent",
    "TurnClient",
    "TurnClientConfig",
    "TurnEvent",
    "TurnServer",
    "TurnServerConfig",
    "TurnUri",
    "hint_for",
    "is_channel_data",
    "time_limited_password",
    "unwrap",
    "wrap_many",
]
