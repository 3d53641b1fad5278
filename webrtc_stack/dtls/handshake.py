"""What the endpoint and its handshakes share: negotiated facts, keys by epoch, transcript, outbox.

A handshake (`client12`, `server12`, and their 1.3 siblings to come) is an object that is fed whole messages in order
and acts on this context: it starts flights, installs keys, and says when it is finished. It knows neither records nor
timers. It raises `HandshakeFailure` or `ParseError`; the endpoint makes an alert of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..base import Entropy, Fingerprint, Instant
from ..errors import FingerprintMismatch, ParseError
from .certificate import fingerprint_of, public_key_of
from .ciphers import SUITES, make_opener, make_sealer
from .config import DtlsConfig, DtlsCounters
from .constants import AlertDescription, CipherSuite, HandshakeType, NamedGroup, SrtpProfile
from .failure import HandshakeFailure
from .key_schedule12 import key_block
from .messages import HandshakeMessage
from .outbox import Item, Outbox
from .protection import Opener, PlainSealer, Sealer
from .signatures import PublicKey, authentication_of
from .transcript import Transcript


class Handshake(Protocol):
    """A handshake under way."""

    def on_message(self, message: HandshakeMessage) -> Handshake:
        """Takes the next message. Returns: who takes the one after it (itself, or the version that was chosen)."""
        ...


class HandshakeContext:
    """State that outlives the steps of a handshake. Belongs to one endpoint."""

    __slots__ = (
        "alpn_protocol",
        "client_random",
        "config",
        "counters",
        "entropy",
        "extended_master_secret",
        "finished",
        "group",
        "master_secret",
        "now",
        "openers",
        "outbox",
        "peer_certificate",
        "peer_key",
        "plain",
        "remote_fingerprints",
        "sealers",
        "server_random",
        "srtp_profile",
        "suite",
        "transcript",
        "verified",
        "version",
        "write_epoch",
    )

    def __init__(self, config: DtlsConfig) -> None:
        self.config = config
        self.entropy: Entropy = config.entropy.fork(f"dtls {config.role}")
        self.now: Instant = 0.0
        self.counters = DtlsCounters()
        self.transcript = Transcript()
        self.outbox = Outbox(
            mtu=config.mtu,
            minimum_mtu=config.minimum_mtu,
            mtu_backoff_after=config.mtu_backoff_after,
            initial_timeout=config.initial_retransmission_timeout,
            max_timeout=config.maximum_retransmission_timeout,
        )
        self.plain = PlainSealer()
        self.sealers: dict[int, Sealer] = {0: self.plain}
        """Write keys by epoch."""
        self.openers: dict[int, Opener] = {}
        """Read keys by epoch; epoch 0 needs none."""
        self.write_epoch = 0
        self.finished = False
        self.verified = False
        """The peer's certificate matches what signalling announced."""
        self.remote_fingerprints = config.remote_fingerprints

        self.version = ""
        self.suite: CipherSuite | None = None
        self.group: NamedGroup | None = None
        self.srtp_profile: SrtpProfile | None = None
        self.alpn_protocol: str | None = None
        self.extended_master_secret = False
        self.client_random = b""
        self.server_random = b""
        self.master_secret = b""
        self.peer_certificate = b""
        self.peer_key: PublicKey | None = None

    # --- the way out ------------------------------------------------------------------------------------------------

    def say(self, kind: HandshakeType, body: bytes, *, epoch: int = 0) -> Item:
        """A message of ours: numbered, written into the transcript, ready to be part of a flight."""
        message = self.outbox.message(kind, body, epoch=epoch)
        if kind is not HandshakeType.HELLO_VERIFY_REQUEST:
            self.transcript.add(message)
        self.trace("message_sent", type=kind.name.lower(), message_seq=message.message_seq, length=len(body))
        return Item(epoch, message)

    def trace(self, name: str, **data: Any) -> None:
        if self.config.trace:
            self.config.trace.event(self.now, name, **data)

    def drop(self, reason: str, count: int = 1) -> None:
        """Counts what was refused."""
        self.counters.drops.add(reason, count)
        self.trace("record_dropped", reason=reason, count=count)

    # --- the peer's certificate -------------------------------------------------------------------------------------

    def take_certificate(self, chain: tuple[bytes, ...]) -> PublicKey:
        """Reads the peer's certificate, and compares it with what signalling announced if that is known."""
        if not chain:
            raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the peer showed no certificate")
        try:
            key = public_key_of(chain[0])
        except ParseError as error:
            raise HandshakeFailure(AlertDescription.BAD_CERTIFICATE, f"the peer's certificate: {error}") from None
        if authentication_of(key) == "rsa" and not (
            self.config.minimum_rsa_bits <= key.key_size <= self.config.maximum_rsa_bits
        ):
            raise HandshakeFailure(
                AlertDescription.UNSUPPORTED_CERTIFICATE,
                f"an RSA key of {key.key_size} bits; "
                f"{self.config.minimum_rsa_bits} to {self.config.maximum_rsa_bits} are allowed",
            )
        self.peer_certificate = chain[0]
        self.peer_key = key
        self.check_fingerprints()
        return key

    def check_fingerprints(self) -> None:
        """Compares as soon as both the certificate and the announced fingerprints are known.

        Errors: `HandshakeFailure` with `FingerprintMismatch` when none matches.
        """
        if self.verified or not self.peer_certificate:
            return
        if self.config.accept_any_certificate and not self.remote_fingerprints:
            self.verified = True
            return
        if not self.remote_fingerprints:
            return
        self.verified = self.matches_any(self.remote_fingerprints)
        self.trace("fingerprint_checked", matches=self.verified, announced=len(self.remote_fingerprints))
        if not self.verified:
            shown = fingerprint_of(self.peer_certificate)
            reason = (
                f"the peer's certificate ({shown.algorithm} {shown.value}) "
                f"matches none of the {len(self.remote_fingerprints)} fingerprints announced"
            )
            raise HandshakeFailure(AlertDescription.BAD_CERTIFICATE, reason, FingerprintMismatch(reason))

    def matches_any(self, fingerprints: Sequence[Fingerprint]) -> bool:
        """Whether the peer's certificate is one of those announced."""
        return any(self._matches(announced) for announced in fingerprints)

    def _matches(self, announced: Fingerprint) -> bool:
        algorithm = announced.algorithm.lower()
        return (
            algorithm in self.config.fingerprint_algorithms
            and fingerprint_of(self.peer_certificate, algorithm).digest == announced.digest
        )

    # --- keys -------------------------------------------------------------------------------------------------------

    def install_keys12(self) -> None:
        """Derives the keys of epoch 1 in both directions. Ours are used once a flight says so."""
        assert self.suite is not None
        parameters = SUITES[self.suite]
        block = key_block(
            parameters.hash_name,
            self.master_secret,
            self.client_random,
            self.server_random,
            parameters.key_bytes,
            parameters.iv_bytes,
        )
        ours = (block.client_key, block.client_iv)
        theirs = (block.server_key, block.server_iv)
        if self.config.role == "server":
            ours, theirs = theirs, ours
        self.openers[1] = make_opener(parameters, *theirs, epoch=1, window=self.config.replay_window)
        self.sealers[1] = make_sealer(parameters, *ours, epoch=1)
        if self.config.key_log is not None:
            self.config.key_log.write("CLIENT_RANDOM", self.client_random, self.master_secret)
        self.trace("keys_installed", epoch=1, suite=self.suite.name)
