"""What a DTLS endpoint can be told, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..base import SYSTEM_ENTROPY, Drops, Entropy, Fingerprint
from ..errors import InvalidArgumentError, NotSupportedError
from ..trace import NO_TRACE, KeyLog, Trace
from .certificate import Certificate
from .constants import CipherSuite, NamedGroup, SignatureScheme, SrtpProfile

Role: TypeAlias = Literal["client", "server"]

MINIMUM_MTU_BYTES: Final = 96
"""Room for a header, a protected message header and a useful piece of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtlsConfig:
    """Everything that an endpoint needs to know. Times are seconds, sizes bytes."""

    role: Role
    certificate: Certificate
    versions: tuple[str, ...] = ("1.2",)
    """Versions offered or accepted."""
    mtu: int = 1200
    """Largest datagram of a handshake flight. 1200 passes every path that carries WebRTC; browsers use the same."""
    srtp_profiles: tuple[SrtpProfile, ...] = (
        SrtpProfile.AEAD_AES_128_GCM,
        SrtpProfile.AEAD_AES_256_GCM,
        SrtpProfile.AES128_CM_SHA1_80,
    )
    """Offered (client), or acceptable (server), best first: AES-GCM costs least. Empty: no SRTP."""
    remote_fingerprints: tuple[Fingerprint, ...] = ()
    """What signalling announced; any match is right. Empty: not known yet, see `set_remote_fingerprints`."""
    accept_any_certificate: bool = False
    """Completes without a fingerprint. Only for peers that are verified otherwise, from `HandshakeCompleted`."""
    fingerprint_algorithms: tuple[str, ...] = ("sha-256", "sha-384", "sha-512")
    """Which fingerprints count. Others are ignored; `sha-1` can be added for a peer that offers nothing else."""
    cipher_suites: tuple[CipherSuite, ...] = (
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    )
    """In order of preference: AES-128-GCM is the fastest where AES is in hardware, which is nearly everywhere."""
    groups: tuple[NamedGroup, ...] = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
    signature_schemes: tuple[SignatureScheme, ...] = (
        SignatureScheme.ECDSA_SECP256R1_SHA256,
        SignatureScheme.ECDSA_SECP384R1_SHA384,
        SignatureScheme.RSA_PKCS1_SHA256,
        SignatureScheme.RSA_PSS_RSAE_SHA256,
        SignatureScheme.RSA_PKCS1_SHA384,
        SignatureScheme.RSA_PSS_RSAE_SHA384,
        SignatureScheme.RSA_PKCS1_SHA512,
        SignatureScheme.RSA_PSS_RSAE_SHA512,
    )
    """Accepted, and signed with, in this order. PKCS#1 stands before PSS because it can be replayed (see README)."""
    minimum_rsa_bits: int = 2048
    """Shorter RSA keys of a peer are refused (RFC 8827 asks for 112 bits of security)."""
    maximum_rsa_bits: int = 8192
    """Longer ones too: a verification must not cost more than a few milliseconds."""
    require_extended_master_secret: bool = True
    """Ends a handshake without RFC 7627, which every WebRTC peer of the last decade speaks."""
    alpn_protocols: tuple[str, ...] = ()
    """Offered or accepted (RFC 8833: `webrtc`, `c-webrtc`). Empty: not offered, and a client's offer is ignored."""
    cookie: bool = False
    """As server: demand a cookie first. One round trip more; ICE has proven the path already."""
    handshake_timeout: float = 30.0
    """From `connect` until `HandshakeCompleted`; browsers give up on ICE in about this time."""
    initial_retransmission_timeout: float = 0.2
    """Before a flight is sent again, when `connect` is not told the round-trip time. RFC 6347 says one second for
    unknown paths; here ICE has proven the path, 200 ms is above nearly all round trips, a copy too many does no harm,
    and every loss costs a user this much."""
    minimum_retransmission_timeout: float = 0.05
    """Floor when the round-trip time is known; browsers use the same."""
    maximum_retransmission_timeout: float = 1.0
    """The doubling stops here (RFC 6347: 60 s), so that a bad path still gets some 30 tries before the deadline."""
    minimum_resend_interval: float = 0.02
    """A peer that retransmits gets the flight again at once, but not more often than this: its flight comes as
    several datagrams, and duplicates must not multiply."""
    minimum_mtu: int = 548
    """Floor of the back-off below; 576 bytes less headers pass everywhere."""
    mtu_backoff_after: int = 3
    """Transmissions without an answer before datagrams are halved; 0 never."""
    replay_window: int = 1024
    """Records behind the newest one that may still arrive. RFC 6347 asks for 32 at least; at 100,000 records a second
    this is 10 ms of reordering, and as one integer it costs nothing measurable."""
    max_message_bytes: int = 32_768
    """Largest handshake message taken: ten certificates of 3 KiB."""
    max_reassembly_bytes: int = 65_536
    """All messages under assembly together."""
    max_held_records: int = 32
    """Records of the next epoch, or early application data, kept until their time comes; more are dropped."""
    max_held_bytes: int = 65_536
    """The same limit in bytes."""
    max_queued_payloads: int = 4096
    """Payloads given to `send` and not polled yet; beyond that `send` raises `BufferFull`."""
    record_limit: int = (1 << 48) - 1
    """Records under one key: the sequence number must not wrap, and 1.2 has no key update."""
    forgery_limit: int = 1 << 36
    """Records with a wrong tag under one key before the connection ends (RFC 9147 section 4.5.3, for AES-GCM)."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE
    key_log: KeyLog | None = None
    """Gets the secrets in NSS form, so that Wireshark opens a capture."""

    def __post_init__(self) -> None:
        if self.role not in ("client", "server"):
            raise InvalidArgumentError(f"role is 'client' or 'server', got {self.role!r}")
        if not self.versions or any(version != "1.2" for version in self.versions):
            raise NotSupportedError(f"versions served are ('1.2',), got {self.versions!r}")
        if not MINIMUM_MTU_BYTES <= self.mtu <= 65_507:
            raise InvalidArgumentError(f"mtu must be {MINIMUM_MTU_BYTES} to 65507 bytes, got {self.mtu}")
        if not (self.cipher_suites and self.groups and self.signature_schemes):
            raise InvalidArgumentError("cipher_suites, groups and signature_schemes must not be empty")
        if not 0 < self.initial_retransmission_timeout <= self.maximum_retransmission_timeout:
            raise InvalidArgumentError("retransmission timeouts: 0 < initial <= maximum")
        if not 0 < self.minimum_retransmission_timeout <= self.maximum_retransmission_timeout:
            raise InvalidArgumentError("retransmission timeouts: 0 < minimum <= maximum")
        if not self.handshake_timeout > 0:
            raise InvalidArgumentError(f"handshake_timeout is in seconds and positive, got {self.handshake_timeout}")
        if self.replay_window < 32:
            raise InvalidArgumentError(f"replay_window must be at least 32 records, got {self.replay_window}")
        if not 1 < self.record_limit <= (1 << 48) - 1:
            raise InvalidArgumentError("record_limit must be 2 to 2**48 - 1")
        for name in ("max_message_bytes", "max_reassembly_bytes", "max_queued_payloads"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(slots=True, kw_only=True)
class DtlsCounters:
    """What an endpoint has counted since it was made."""

    datagrams_received: int = 0
    datagrams_sent: int = 0
    records_received: int = 0
    """Records whose content was used: authentic ones, and those of the handshake in epoch 0."""
    records_sent: int = 0
    messages_received: int = 0
    flights_sent: int = 0
    flights_retransmitted: int = 0
    retransmissions_requested: int = 0
    """How often the peer's retransmission asked for ours."""
    alerts_received: int = 0
    alerts_sent: int = 0
    drops: Drops = field(default_factory=Drops)
