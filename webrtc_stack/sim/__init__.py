"""The virtual network: two peers, or many, by seed and without a socket. See README.md."""

from .host import Host, SimSocket
from .link import Link, LinkConfig
from .loop import SimEventLoop, SimulationStalled, run
from .network import Network, Sent
from .pair import Delivery, MachinePair

__all__ = [
    "Delivery",
    "Host",
    "Link",
    "LinkConfig",
    "MachinePair",
    "Network",
    "Sent",
    "SimEventLoop",
    "SimSocket",
    "SimulationStalled",
    "run",
]
