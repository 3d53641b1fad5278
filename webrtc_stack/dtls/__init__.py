"""DTLS 1.2 as a sans-IO machine over datagrams. See README.md."""

from .certificate import Certificate, fingerprint_of
from .config import DtlsConfig, DtlsCounters, Role
from .constants import (
    AlertDescription,
    CipherSuite,
    ContentType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
    SrtpProfile,
    alert_name,
)
from .endpoint import DtlsEndpoint, State
from .events import Closed, DataReceived, DtlsEvent, HandshakeCompleted
from .messages import ClientHello, Fragment, ServerHello, parse_fragments
from .record import Record, UnifiedRecord, parse_record

__all__ = [
    "AlertDescription",
    "Certificate",
    "CipherSuite",
    "ClientHello",
    "Closed",
    "ContentType",
    "DataReceived",
    "DtlsConfig",
    "DtlsCounters",
    "DtlsEndpoint",
    "DtlsEvent",
    "Fragment",
    "HandshakeCompleted",
    "HandshakeType",
    "NamedGroup",
    "Record",
    "Role",
    "ServerHello",
    "SignatureScheme",
    "SrtpProfile",
    "State",
    "UnifiedRecord",
    "alert_name",
    "fingerprint_of",
    "parse_fragments",
    "parse_record",
]
