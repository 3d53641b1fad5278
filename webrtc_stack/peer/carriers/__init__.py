"""What carries a path when no socket does: TURN relays and TCP streams. See README.md."""

from .carriers import Carriers
from .config import CarriersConfig, IceTcp, RelayServer
from .events import CarrierEvent, CarriersClosed, LocalFound, LocalLost, LocalMapped, PathFailed, ServerFailed
from .rfc4571 import StreamFramer, frame_many

__all__ = [
    "CarrierEvent",
    "Carriers",
    "CarriersClosed",
    "CarriersConfig",
    "IceTcp",
    "LocalFound",
    "LocalLost",
    "LocalMapped",
    "PathFailed",
    "RelayServer",
    "ServerFailed",
    "StreamFramer",
    "frame_many",
]
