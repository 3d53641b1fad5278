"""Servers on the laboratory's internet: coturn and ours, for STUN, and TURN over UDP, TCP and TLS.

Both listen on 3478 (UDP, TCP) and on 443 (TLS; coturn takes plain TCP there as well).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from webrtc_stack.stun import Message, MessageClass

from .lab import COTURN, COTURN_OTHER, NAMES, OURS, Lab
from .programs import find_program

Transport = Literal["stun", "udp", "tcp", "tls", "tcp-443"]

USER: Final = "alice"
PASSWORD: Final = "secret"
PORT: Final = 3478
TLS_PORT: Final = 443
_START_SECONDS: Final = 20.0


class Server:
    """One server that is running."""

    def __init__(self, name: str, host: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.host = host
        self.process = process
        self._log = log

    def url(self, transport: Transport) -> str:
        if transport == "stun":
            return f"stun:{NAMES[self.host]}:{PORT}"
        if transport == "tls":
            return f"turns:{NAMES[self.host]}:{TLS_PORT}?transport=tcp"
        port = TLS_PORT if transport == "tcp-443" else PORT
        return f"turn:{NAMES[self.host]}:{port}?transport={transport.partition('-')[0]}"

    def ice_server(self, *transports: Transport) -> dict[str, Any]:
        """An entry of `iceServers`, as a browser wants it."""
        return {"urls": [self.url(one) for one in transports], "username": USER, "credential": PASSWORD}

    def log_tail(self, size: int = 3000) -> str:
        return self._log.read_bytes()[-size:].decode(errors="replace")


class Authority:
    """An authority of one certificate: the servers'. `root` is what clients have to trust."""

    def __init__(self, folder: Path) -> None:
        self.root, self.certificate, self.key = (folder / name for name in ("root.pem", "cert.pem", "key.pem"))
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name = _name("laboratory root")
        root = (
            _builder(root_name, root_name, root_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_KEY_USAGE_ROOT, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        hosts = [x509.IPAddress(ipaddress.ip_address(host)) for host in (COTURN, COTURN_OTHER, OURS)]
        leaf = (
            _builder(_name("laboratory server"), root_name, key)
            .add_extension(x509.SubjectAlternativeName([*hosts, *map(x509.DNSName, NAMES.values())]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        self.root.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


_KEY_USAGE_ROOT: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )


def start_coturn(lab: Lab, authority: Authority) -> Server:
    """coturn on two addresses, so that it can tell mappings apart (RFC 5780)."""
    arguments = [find_program("turnserver"), "-n", "--no-cli", "--log-file", "stdout", "--simple-log"]
    arguments += ["--listening-ip", COTURN, "--listening-ip", COTURN_OTHER, "--relay-ip", COTURN]
    arguments += ["--listening-port", str(PORT), "--tls-listening-port", str(TLS_PORT), "--no-dtls"]
    arguments += ["--cert", str(authority.certificate), "--pkey", str(authority.key), "--fingerprint"]
    arguments += ["--realm", "example.org", "--lt-cred-mech", f"--user={USER}:{PASSWORD}", "--no-multicast-peers"]
    arguments += ["--min-port", "49152", "--max-port", "50151", "--relay-threads", "1"]
    arguments += ["--pidfile", str(lab.folder / "coturn.pid"), "--userdb", str(lab.folder / "coturn.users")]
    return _start(lab, "coturn", COTURN, arguments)


def start_ours(lab: Lab, authority: Authority) -> Server:
    """`webrtc-stack turn`."""
    arguments = [sys.executable, "-m", "webrtc_stack", "turn", "--listen", OURS, "--port", str(PORT)]
    arguments += ["--tls-port", str(TLS_PORT), "--cert", str(authority.certificate), "--key", str(authority.key)]
    arguments += ["--realm", "example.org", "--user", f"{USER}:{PASSWORD}", "--ports", "49152-50151"]
    # The addresses of this internet are set apart for documentation: no relay may reach them unless told to.
    arguments += ["--allow-private", "--allow-peer", "198.51.100.0/24"]
    return _start(lab, "webrtc-stack turn", OURS, arguments)


def _start(lab: Lab, name: str, host: str, arguments: list[str]) -> Server:
    log = lab.folder / f"{name.split()[0]}.log"
    output = lab.stack.enter_context(log.open("wb"))
    process = lab.internet.start(arguments, output, folder=lab.folder)
    lab.stack.callback(process.wait)
    lab.stack.callback(process.kill)
    server = Server(name, host, process, log)
    until = time.monotonic() + _START_SECONDS
    while not lab.internet.inside(_listening(host)):
        if process.poll() is not None or time.monotonic() > until:
            raise OSError(f"{name} does not run: {server.log_tail()}")
        time.sleep(0.05)
    return server


def _listening(host: str) -> Callable[[], bool]:
    def tried() -> bool:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            if tcp.connect_ex((host, TLS_PORT)):
                return False
            udp.settimeout(0.3)
            udp.connect((host, PORT))
            try:
                udp.send(Message(message_class=MessageClass.REQUEST, transaction_id=os.urandom(12)).serialize())
                return bool(udp.recv(2048))
            except OSError:
                return False

    return tried
