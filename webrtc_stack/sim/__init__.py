"""The virtual network: two peers, or many, by seed and without a socket. See README.md."""

from .box import Box, BoxCounters
from .firewall import Firewall
from .host import Host, SimSocket
from .link import Link, LinkConfig
from .loop import SimEventLoop, SimulationStalled, run
from .nat import NAT_KINDS, Nat, NatConfig
from .nat64 import Nat64
from .network import Network, Sent
from .packet import Transport
from .pair import Delivery, MachinePair
from .stateful import FirewallConfig, NatBehaviour
from .stream import SimStream, StreamConfig
from .tcp import SimListener
from .tls import VirtualCertificate

__all__ = [
    "NAT_KINDS",
    "Box",
    "BoxCounters",
    "Delivery",
    "Firewall",
    "FirewallConfig",
    "Host",
    "Link",
    "LinkConfig",
    "MachinePair",
    "Nat",
    "Nat64",
    "NatBehaviour",
    "NatConfig",
    "Network",
    "Sent",
    "SimEventLoop",
    "SimListener",
    "SimSocket",
    "SimStream",
    "SimulationStalled",
    "StreamConfig",
    "Transport",
    "VirtualCertificate",
    "run",
]
