"""DTLS with the command-line peers of OpenSSL and GnuTLS, over loopback UDP: equal exporter bytes, data both ways."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.dtls_peers import EXPORTER_LABEL, certificate, endpoint
from tests.support.programs import find_program
from webrtc_stack.dtls import Closed, DataReceived, DtlsEndpoint, SrtpProfile, State

_DEADLINE = 30.0
_GNUTLS_PROFILE = "SRTP_AES128_CM_HMAC_SHA1_80"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Process:
    """A peer whose output is collected in a file, so that no pipe fills up."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.arguments = arguments
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def write(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # what was not read in time


@contextmanager
def _running(arguments: list[str], log: Path) -> Iterator[_Process]:
    process = _Process(arguments, log)
    try:
        yield process
    finally:
        process.stop()


def _drive(machine: DtlsEndpoint, sock: socket.socket, peer: _Process, done: Callable[[list[Any]], bool]) -> list[Any]:
    """Runs the machine on a real socket until `done(events so far)`."""
    started = time.monotonic()
    events: list[Any] = []
    if machine.state is State.NEW:
        machine.connect(started)
    while True:
        now = time.monotonic()
        if machine.next_timeout() <= now:
            machine.handle_timeout(now)
        for datagram in machine.poll_transmits(now):
            try:
                sock.send(datagram)
            except ConnectionRefusedError:
                pass  # the peer has not bound its port yet; the flight is repeated
        events += machine.poll_events()
        if done(events):
            return events
        assert now < started + _DEADLINE, f"{peer.arguments}\n{events}\n{machine.counters}\n{peer.output}"
        wait = min(machine.next_timeout() - now, 0.05)
        if select.select([sock], [], [], max(wait, 0.0))[0]:
            try:
                datagram, source = sock.recvfrom(65536)
            except ConnectionRefusedError:
                continue
            sock.connect(source)
            machine.receive(datagram, time.monotonic())


def _socket(port: int, *, listen: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if listen:
        sock.bind(("127.0.0.1", port))
    else:
        sock.connect(("127.0.0.1", port))
    return sock


@pytest.fixture(params=["peer", "rsa peer"], ids=["ecdsa", "rsa"])
def peers_key(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Path]:
    name = str(request.param)
    pem, key_pem = certificate(name).to_pem()
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_text(pem)
    paths[1].write_text(key_pem)
    return name, *paths


def _openssl_keys(output: str) -> str | None:
    found = re.search(r"Keying material: ([0-9A-F]{120})", output)
    return found.group(1).lower() if found else None


def _gnutls_keys(output: str) -> str | None:
    found = re.search(r"Key material: ([0-9a-f]{120})", output)
    return found.group(1) if found else None


_OPENSSL_EXPORT = ["-keymatexport", EXPORTER_LABEL, "-keymatexportlen", "60"]


def _finish(machine: DtlsEndpoint, sock: socket.socket, peer: _Process) -> None:
    """What the peer types arrives here; what we send appears there; the end is understood."""
    peer.write(b"typed there\n")
    events = _drive(machine, sock, peer, lambda events: any(isinstance(event, DataReceived) for event in events))
    assert any(isinstance(event, DataReceived) and b"typed there" in event.data for event in events)
    machine.send(b"sent from here\n", time.monotonic())
    _drive(machine, sock, peer, lambda _: "sent from here" in peer.output)
    machine.close(time.monotonic())
    events = _drive(machine, sock, peer, lambda events: bool(events) and isinstance(events[-1], Closed))
    assert events[-1].error is None


@pytest.mark.parametrize("cookie", [False, True], ids=["", "cookie"])
def test_our_client_with_openssl_s_server(peers_key: tuple[str, Path, Path], tmp_path: Path, cookie: bool) -> None:
    name, cert, key = peers_key
    port = _free_port()
    arguments = [find_program("openssl"), "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-key", str(key)]
    arguments += ["-cert", str(cert), "-Verify", "1", "-mtu", "1200", *_OPENSSL_EXPORT]
    arguments += ["-use_srtp", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"]
    if cookie:
        arguments.append("-listen")
    machine = endpoint("client", peer=name, start=False)
    with _running(arguments, tmp_path / "log") as peer, _socket(port, listen=False) as sock:
        _drive(machine, sock, peer, lambda _: machine.state is State.CONNECTED)
        _drive(machine, sock, peer, lambda _: _openssl_keys(peer.output) is not None)
        assert machine.export_keying_material(EXPORTER_LABEL, 60).hex() == _openssl_keys(peer.output)
        assert machine.srtp_profile is SrtpProfile.AEAD_AES_128_GCM
        _finish(machine, sock, peer)


@pytest.mark.parametrize("cookie", [False, True], ids=["", "cookie"])
def test_our_server_with_openssl_s_client(peers_key: tuple[str, Path, Path], tmp_path: Path, cookie: bool) -> None:
    name, cert, key = peers_key
    port = _free_port()
    arguments = [find_program("openssl"), "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}", "-key", str(key)]
    arguments += ["-cert", str(cert), "-groups", "X25519:P-256", *_OPENSSL_EXPORT]
    arguments += ["-use_srtp", "SRTP_AES128_CM_SHA1_80"]
    machine = endpoint("server", peer=name, cookie=cookie, start=False)
    with _socket(port, listen=True) as sock, _running(arguments, tmp_path / "log") as peer:
        _drive(machine, sock, peer, lambda _: machine.state is State.CONNECTED)
        _drive(machine, sock, peer, lambda _: _openssl_keys(peer.output) is not None)
        assert machine.export_keying_material(EXPORTER_LABEL, 60).hex() == _openssl_keys(peer.output)
        assert machine.srtp_profile is SrtpProfile.AES128_CM_SHA1_80
        _finish(machine, sock, peer)


def test_our_client_with_gnutls_serv(peers_key: tuple[str, Path, Path], tmp_path: Path) -> None:
    """GnuTLS' server always asks for a cookie, and echoes what it gets."""
    name, cert, key = peers_key
    port = _free_port()
    arguments = [find_program("gnutls-serv"), "--udp", "-p", str(port), "--x509keyfile", str(key)]
    arguments += ["--x509certfile", str(cert), f"--srtp-profiles={_GNUTLS_PROFILE}", "--require-client-cert", "--echo"]
    machine = endpoint("client", peer=name, start=False)
    with _running(arguments, tmp_path / "log") as peer, _socket(port, listen=False) as sock:
        _drive(machine, sock, peer, lambda _: machine.state is State.CONNECTED)
        assert machine.srtp_profile is SrtpProfile.AES128_CM_SHA1_80
        machine.send(b"echo this\n", time.monotonic())
        events = _drive(machine, sock, peer, lambda events: any(isinstance(event, DataReceived) for event in events))
        assert events[-1] == DataReceived(b"echo this\n")


def test_our_server_with_gnutls_cli(peers_key: tuple[str, Path, Path], tmp_path: Path) -> None:
    name, cert, key = peers_key
    port = _free_port()
    arguments = [find_program("gnutls-cli"), "--udp", "-p", str(port), "127.0.0.1", "--insecure"]
    arguments += ["--x509keyfile", str(key), "--x509certfile", str(cert), f"--srtp-profiles={_GNUTLS_PROFILE}"]
    arguments += [f"--keymatexport={EXPORTER_LABEL}", "--keymatexportsize=60"]
    machine = endpoint("server", peer=name, start=False)
    with _socket(port, listen=True) as sock, _running(arguments, tmp_path / "log") as peer:
        _drive(machine, sock, peer, lambda _: machine.state is State.CONNECTED)
        _drive(machine, sock, peer, lambda _: _gnutls_keys(peer.output) is not None)
        assert machine.export_keying_material(EXPORTER_LABEL, 60).hex() == _gnutls_keys(peer.output)
        assert machine.srtp_profile is SrtpProfile.AES128_CM_SHA1_80
        _finish(machine, sock, peer)
