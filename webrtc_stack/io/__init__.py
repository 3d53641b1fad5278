"""Floor 4: sockets, event loops, and the driver that carries a machine's wishes to them. See README.md."""

from .asyncio_runtime import AsyncioRuntime
from .capabilities import Capabilities, capabilities
from .driver import Driver, DriverCounters
from .interfaces import AddressPolicy, local_addresses, select_addresses
from .lossy import LossyRuntime
from .reactor import AsyncioReactor, Reactor
from .resolver import Resolver, ResolverConfig
from .runtime import (
    Cancellable,
    Listener,
    LocalAddress,
    LocalAddressLike,
    Outgoing,
    Received,
    ReceivedLike,
    Runtime,
    Stream,
    UdpSocket,
)
from .streams import StreamFactory, StreamListener
from .tcp import StreamConfig, TcpStream
from .udp import BurstSocket, Run, UdpConfig, UdpCounters, bind_udp, segment
from .watch import AddressWatcher
from .world import Core

__all__ = [
    "AddressPolicy",
    "AddressWatcher",
    "AsyncioReactor",
    "AsyncioRuntime",
    "BurstSocket",
    "Cancellable",
    "Capabilities",
    "Core",
    "Driver",
    "DriverCounters",
    "Listener",
    "LocalAddress",
    "LocalAddressLike",
    "LossyRuntime",
    "Outgoing",
    "Reactor",
    "Received",
    "ReceivedLike",
    "Resolver",
    "ResolverConfig",
    "Run",
    "Runtime",
    "Stream",
    "StreamConfig",
    "StreamFactory",
    "StreamListener",
    "TcpStream",
    "UdpConfig",
    "UdpCounters",
    "UdpSocket",
    "bind_udp",
    "capabilities",
    "local_addresses",
    "segment",
    "select_addresses",
]
