"""DTLS 1.2 as a sans-IO machine over datagrams. See README.md."""

from .certificate import Certificate, fingerprint_of
from .config import DtlsConfig, DtlsCounters, Role
from .constants import AlertDescription, CipherSuite, NamedGroup, SignatureScheme, SrtpProfile
from .endpoint import DtlsEndpoint, State
from .events import Closed, DataReceived, DtlsEvent, HandshakeCompleted
from .messages import ClientHello, ServerHello

__all__ = [
    "AlertDescription",
    "Certificate",
    "CipherSuite",
    "ClientHello",
    "Closed",
    "DataReceived",
    "DtlsConfig",
    "DtlsCounters",
    "DtlsEndpoint",
    "DtlsEvent",
    "HandshakeCompleted",
    "NamedGroup",
    "Role",
    "ServerHello",
    "SignatureScheme",
    "SrtpProfile",
    "State",
    "fingerprint_of",
]
