"""Endpoints for DTLS tests: ours by seed, and OpenSSL's in memory as an opponent with the verbs of a machine."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from webrtc_stack.base import NEVER, SeededEntropy
from webrtc_stack.dtls import Certificate, DtlsConfig, DtlsEndpoint, State

WALL_TIME = 1_750_000_000.0
EXPORTER_LABEL = "EXTRACTOR-dtls_srtp"


@cache
def certificate(name: str) -> Certificate:
    """A certificate by name: `rsa...` an RSA one, `p384...` on P-384, anything else on P-256."""
    if name.startswith("rsa"):
        return _rsa_certificate()
    curve = "P-384" if name.startswith("p384") else "P-256"
    return Certificate.generate(wall_time=WALL_TIME, entropy=SeededEntropy(f"certificate {name}"), curve=curve)


def _rsa_certificate() -> Certificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rsa peer")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(x509.load_der_x509_certificate(certificate("dates").der).not_valid_before_utc)
        .not_valid_after(x509.load_der_x509_certificate(certificate("dates").der).not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate.from_pem(pem, key_pem)


def endpoint(
    role: Literal["client", "server"],
    seed: int | str = 0,
    *,
    own: str | None = None,
    peer: str | None = None,
    start: bool = True,
    **config: Any,
) -> DtlsEndpoint:
    """One endpoint of ours; `own` and `peer` name certificates (by default `client` and `server`)."""
    other = "server" if role == "client" else "client"
    config.setdefault("remote_fingerprints", (certificate(peer or other).fingerprint(),))
    config.setdefault("entropy", SeededEntropy(f"{seed} {role}"))
    machine = DtlsEndpoint(DtlsConfig(role=role, certificate=certificate(own or role), **config))
    if start:
        machine.connect(0.0)
    return machine


def pair(seed: int | str = 0, **config: Any) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    """A client and a server, both started at instant 0."""
    return endpoint("client", seed, **config), endpoint("server", seed, **config)


def exchange(left: Any, right: Any, now: float = 0.0, rounds: int = 50) -> None:
    """Carries datagrams between two machines without loss until both are silent."""
    for _ in range(rounds):
        forth = left.poll_transmits(now)
        if forth:
            right.receive_many(forth, now)
        back = right.poll_transmits(now)
        if back:
            left.receive_many(back, now)
        if not forth and not back:
            return
    raise AssertionError("the two never come to rest")


def connected(seed: int | str = 0, **config: Any) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    """A pair that has finished its handshake; events are drained."""
    client, server = pair(seed, **config)
    exchange(client, server)
    assert client.state is State.CONNECTED
    assert server.state is State.CONNECTED
    client.poll_events()
    server.poll_events()
    return client, server


class OpenSslPeer:
    """OpenSSL's DTLS 1.2 on memory BIOs, with the verbs of a machine.

    OpenSSL's timer follows its own clock, so this peer retransmits by handing out its last flight's bytes again every
    `resend` virtual seconds until connected. Each record travels as its own datagram, which gives loss and reordering
    the finest grip.
    """

    def __init__(
        self,
        role: Literal["client", "server"],
        *,
        own: str | None = None,
        ciphers: str = "ECDHE+AESGCM:ECDHE+CHACHA20",
        srtp: str = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
        mtu: int = 1200,
        cookie: bool = False,
        demand_certificate: bool = True,
        resend: float = 1.0,
        options: int = 0,
    ) -> None:
        self.role = role
        mine = certificate(own or role)
        pem, key_pem = mine.to_pem()
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(x509.load_pem_x509_certificate(pem.encode()))
        key: Any = serialization.load_pem_private_key(key_pem.encode(), None)
        context.use_privatekey(key)
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT if demand_certificate else SSL.VERIFY_NONE
        context.set_verify(mode, lambda *_: True)
        context.set_cipher_list(ciphers.encode())
        context.set_options(SSL.OP_NO_QUERY_MTU | options)
        if srtp:
            context.set_tlsext_use_srtp(srtp.encode())
        if cookie:
            context.set_cookie_generate_callback(lambda _: b"a cookie of sixteen"[:16])
            context.set_cookie_verify_callback(lambda _, given: given == b"a cookie of sixteen"[:16])
        self.connection = SSL.Connection(context, None)
        self.connection.set_ciphertext_mtu(mtu)
        if role == "client":
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self._listening = cookie
        self._resend = resend
        self._flight: list[bytes] = []
        self._out: list[bytes] = []
        self._due = NEVER
        self.now = 0.0
        self.is_connected = False
        self.is_closed = False
        self.error: Exception | None = None
        self.received: list[bytes] = []
        self._pump()

    def _pump(self) -> None:
        try:
            if self._listening:
                self.connection.DTLSv1_listen()
                self._listening = False
            if not self.is_connected:
                self.connection.do_handshake()
                self.is_connected = True
            while not self.is_closed:
                self.received.append(self.connection.recv(20_000))
        except SSL.WantReadError:
            pass  # nothing more to do until the next datagram
        except SSL.ZeroReturnError:
            self.is_closed = True
        except SSL.Error as error:
            self.error = error
            self.is_closed = True
        self._collect()

    def _collect(self) -> None:
        try:
            stream = self.connection.bio_read(1_000_000)
        except SSL.WantReadError:
            return
        records: list[bytes] = []
        while stream:
            size = 13 + int.from_bytes(stream[11:13], "big")
            records.append(stream[:size])
            stream = stream[size:]
        self._flight = records
        self._out += records
        self._due = self.now + self._resend

    def send(self, data: bytes) -> None:
        self.connection.send(data)
        self._collect()

    def close(self) -> None:
        self.connection.shutdown()
        self._collect()

    def export(self, length: int = 60, context: bytes | None = None) -> bytes:
        return bytes(self.connection.export_keying_material(EXPORTER_LABEL.encode(), length, context))

    def receive(self, data: bytes, now: float) -> None:
        self.receive_many([data], now)

    def receive_many(self, burst: Any, now: float) -> None:
        self.now = now
        for data in burst:
            if self.is_closed:
                return
            self.connection.bio_write(data)
            self._pump()

    def handle_timeout(self, now: float) -> None:
        self.now = now
        if now >= self._due and not self.is_connected:
            self._out += self._flight
            self._due = now + self._resend

    def poll_transmits(self, now: float, limit: int = 64) -> list[bytes]:
        sent, self._out = self._out[:limit], self._out[limit:]
        return sent

    def poll_events(self) -> list[Any]:
        return []

    def next_timeout(self) -> float:
        if self._out:
            return self.now
        return NEVER if self.is_connected or self.is_closed else self._due
