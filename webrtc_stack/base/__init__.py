"""Floor 0: the vocabulary that every room speaks. See README.md."""

from .candidate import Candidate, CandidateType, TcpType
from .clock import NEVER, Deadlines, Instant
from .counters import Drops
from .cursor import Reader, Writer
from .datagram import Address, Datagram, Path, PathId, PathTable, SocketId, Transmit, canonical_ip
from .entropy import (
    SYSTEM_ENTROPY,
    Entropy,
    SeededEntropy,
    SystemEntropy,
    random_below,
    random_u16,
    random_u32,
    random_u64,
    random_unit,
    random_word,
)
from .machine import Machine, MachineBase
from .params import DtlsParameters, Fingerprint, IceParameters, SctpParameters, SetupRole
from .serial import Unwrapper, serial_less
from .wishes import CloseStream, GatherAddresses, OpenStream, PublishName, ResolveName, WithdrawName

__all__ = [
    "NEVER",
    "SYSTEM_ENTROPY",
    "Address",
    "Candidate",
    "CandidateType",
    "CloseStream",
    "Datagram",
    "Deadlines",
    "Drops",
    "DtlsParameters",
    "Entropy",
    "Fingerprint",
    "GatherAddresses",
    "IceParameters",
    "Instant",
    "Machine",
    "MachineBase",
    "OpenStream",
    "Path",
    "PathId",
    "PathTable",
    "PublishName",
    "Reader",
    "ResolveName",
    "SctpParameters",
    "SeededEntropy",
    "SetupRole",
    "SocketId",
    "SystemEntropy",
    "TcpType",
    "Transmit",
    "Unwrapper",
    "WithdrawName",
    "Writer",
    "canonical_ip",
    "random_below",
    "random_u16",
    "random_u32",
    "random_u64",
    "random_unit",
    "random_word",
    "serial_less",
]
