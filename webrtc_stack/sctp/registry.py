"""Numbers that IANA keeps for SCTP, and how unknown ones are treated."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ChunkType(IntEnum):
    """Spec: RFC 9260 section 3.2; RFC 3758, RFC 6525, RFC 8260 for the extensions."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    SACK = 3
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    SHUTDOWN_COMPLETE = 14
    I_DATA = 64
    RE_CONFIG = 130
    FORWARD_TSN = 192
    I_FORWARD_TSN = 194


class ParameterType(IntEnum):
    """Spec: RFC 9260 section 3.3; RFC 6525 section 4; RFC 5061 section 4.2.7; RFC 3758 section 3.1; RFC 9653."""

    HEARTBEAT_INFO = 1
    IPV4_ADDRESS = 5
    IPV6_ADDRESS = 6
    STATE_COOKIE = 7
    UNRECOGNIZED_PARAMETER = 8
    COOKIE_PRESERVATIVE = 9
    HOST_NAME_ADDRESS = 11
    SUPPORTED_ADDRESS_TYPES = 12
    OUTGOING_SSN_RESET_REQUEST = 13
    INCOMING_SSN_RESET_REQUEST = 14
    SSN_TSN_RESET_REQUEST = 15
    RECONFIGURATION_RESPONSE = 16
    ADD_OUTGOING_STREAMS_REQUEST = 17
    ADD_INCOMING_STREAMS_REQUEST = 18
    ZERO_CHECKSUM_ACCEPTABLE = 0x8001
    SUPPORTED_EXTENSIONS = 0x8008
    FORWARD_TSN_SUPPORTED = 0xC000


class CauseCode(IntEnum):
    """Spec: RFC 9260 section 3.3.10."""

    INVALID_STREAM_IDENTIFIER = 1
    MISSING_MANDATORY_PARAMETER = 2
    STALE_COOKIE = 3
    OUT_OF_RESOURCE = 4
    UNRESOLVABLE_ADDRESS = 5
    UNRECOGNIZED_CHUNK_TYPE = 6
    INVALID_MANDATORY_PARAMETER = 7
    UNRECOGNIZED_PARAMETERS = 8
    NO_USER_DATA = 9
    COOKIE_RECEIVED_WHILE_SHUTTING_DOWN = 10
    RESTART_WITH_NEW_ADDRESSES = 11
    USER_INITIATED_ABORT = 12
    PROTOCOL_VIOLATION = 13


class ReconfigResult(IntEnum):
    """Spec: RFC 6525 section 4.4."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    IN_PROGRESS_ALREADY = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


KNOWN_PARAMETERS: Final = frozenset(int(kind) for kind in ParameterType)


def unknown_chunk_skips(chunk_type: int) -> bool:
    """Whether processing goes on behind an unknown chunk: the highest bit (RFC 9260 section 3.2)."""
    return bool(chunk_type & 0x80)


def unknown_chunk_reports(chunk_type: int) -> bool:
    return bool(chunk_type & 0x40)


def unknown_parameter_skips(parameter_type: int) -> bool:
    """The same for parameters (RFC 9260 section 3.2.1)."""
    return bool(parameter_type & 0x8000)


def unknown_parameter_reports(parameter_type: int) -> bool:
    return bool(parameter_type & 0x4000)
