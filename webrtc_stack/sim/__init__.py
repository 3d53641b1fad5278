"""The virtual network: two peers, or many, by seed and without a socket. See README.md."""

from .link import Link, LinkConfig
from .pair import Delivery, MachinePair

__all__ = ["Delivery", "Link", "LinkConfig", "MachinePair"]
