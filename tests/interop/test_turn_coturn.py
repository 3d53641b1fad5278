"""TURN with coturn: our client through its server over UDP, TCP and TLS; its tools through our server."""

from __future__ import annotations

import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import find_program
from webrtc_stack.base import Address, Datagram, PathId
from webrtc_stack.stun import Message, MessageClass
from webrtc_stack.turn import (
    Allocated,
    AllocationFailed,
    AlternateServer,
    ChannelBound,
    Closed,
    CloseReason,
    DataRelayed,
    Framer,
    PermissionFailed,
    PermissionInstalled,
    TurnClient,
    TurnClientConfig,
    time_limited_password,
)

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
LOOPBACK = "127.0.0.1"
TRANSPORTS = ("udp", "tcp", "tls")


def free_port() -> int:
    """One that is free for UDP and TCP, as far as can be known."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((LOOPBACK, 0))
            try:
                tcp.bind((LOOPBACK, udp.getsockname()[1]))
            except OSError:
                continue
            return int(udp.getsockname()[1])


@contextmanager
def process(arguments: Sequence[str], log: Path, ready: Callable[[str], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose output is in `log`, once it is ready."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        running = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
        )
    try:
        until = time.monotonic() + DEADLINE
        while not ready(log.read_text(errors="replace")):
            assert running.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < until, log.read_text(errors="replace")
            time.sleep(0.05)
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = [find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*make, "-keyout", str(key), "-out", str(cert), "-subj", "/CN=turn.test", "-days", "2"],
        check=True,
        capture_output=True,
    )
    return cert, key


@contextmanager
def coturn(folder: Path, certificate: tuple[Path, Path], *credentials: str) -> Iterator[dict[str, int]]:
    """A coturn server on loopback. Yields: its port by transport."""
    port, tls_port = free_port(), free_port()
    arguments = [find_program("turnserver"), "-n", "--no-cli", "--log-file", "stdout", "--simple-log"]
    arguments += ["--listening-ip", LOOPBACK, "--relay-ip", LOOPBACK, "--allow-loopback-peers", "--no-multicast-peers"]
    arguments += ["--listening-port", str(port), "--tls-listening-port", str(tls_port), "--realm", "example.org"]
    arguments += ["--min-port", "49160", "--max-port", "49400", "--fingerprint", "--pidfile", str(folder / "pid")]
    arguments += ["--userdb", str(folder / "users"), "--cert", str(certificate[0]), "--pkey", str(certificate[1])]
    arguments += credentials

    def ready(text: str) -> bool:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            if tcp.connect_ex((LOOPBACK, tls_port)):
                return False
            udp.settimeout(1.0)
            udp.connect((LOOPBACK, port))
            try:
                udp.send(Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12)).serialize())
                return bool(udp.recv(2048))
            except OSError:
                return False  # not yet

    with process(arguments, folder / "coturn.log", ready):
        yield {"udp": port, "tcp": port, "tls": tls_port}


class Line:
    """One client on a real socket, and a peer that answers everything in capitals."""

    def __init__(self, transport: str, port: int, **changes: Any) -> None:
        self.server = Address(LOOPBACK, port)
        given: dict[str, Any] = {"username": "alice", "password": "secret"}
        self.client = TurnClient(TurnClientConfig(server=self.server, transport=transport, **(given | changes)))
        self.events: list[Any] = []
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind((LOOPBACK, 0))
        self.peer_address = Address(*self.peer.getsockname())
        self.framer = Framer()
        if transport == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((LOOPBACK, 0))
            self.socket.connect((LOOPBACK, port))
        else:
            self.socket = socket.create_connection((LOOPBACK, port), DEADLINE)
            if transport == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
        self.stream = transport != "udp"

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()
        self.peer.close()

    def found(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def received(self) -> list[bytes]:
        return [data for event in self.found(DataRelayed) for data in event.datagrams]

    def run(self, condition: Callable[[], bool]) -> None:
        """Moves datagrams until `condition()`."""
        until = time.monotonic() + DEADLINE
        while True:
            now = time.monotonic()
            if self.client.next_timeout() <= now:
                self.client.handle_timeout(now)
            for transmit in self.client.poll_transmits(now):
                self.socket.sendall(transmit.data)
            self.events += self.client.poll_events()
            if condition():
                return
            assert now < until, f"still waiting; so far {self.events}, drops {self.client.drops}"
            wait = min(max(self.client.next_timeout() - now, 0.0), 0.25)
            pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0
            readable, _, _ = select.select([self.socket, self.peer], [], [], 0.0 if pending else wait)
            if self.socket in readable or pending:
                data = self.socket.recv(65536)
                frames = self.framer.receive(data) if self.stream else [data]
                self.client.receive_many([Datagram(PathId(1), one) for one in frames], time.monotonic())
            if self.peer in readable:
                data, source = self.peer.recvfrom(65536)
                self.peer.sendto(data.upper(), source)


def converse(line: Line) -> None:
    """Allocation, permission, indications, channel, refresh of it all by a second client life, and the end."""
    client = line.client
    client.allocate(time.monotonic())
    line.run(lambda: bool(line.found(Allocated) or line.found(Closed)))
    assert line.found(Allocated), line.events
    relayed = line.found(Allocated)[0]
    assert relayed.relayed.host == LOOPBACK
    assert relayed.mapped.port == line.socket.getsockname()[1]
    client.permit([line.peer_address], time.monotonic())
    client.send_many(line.peer_address, [b"by indication", b"of odd length!!"], time.monotonic())
    line.run(lambda: len(line.received()) == 2)
    assert line.received() == [b"BY INDICATION", b"OF ODD LENGTH!!"]
    assert client.counters.indications_out == 2
    client.bind(line.peer_address, time.monotonic())
    line.run(lambda: bool(line.found(ChannelBound)))
    burst = [b"channel %d " % number + b"x" * number for number in range(20)]
    client.send_many(line.peer_address, burst, time.monotonic())
    line.run(lambda: len(line.received()) == 22)
    assert line.received()[2:] == [data.upper() for data in burst]
    assert client.counters.indications_out == 2, "with a channel nothing is an indication"
    assert client.counters.indications_in == 2
    client.close(time.monotonic())
    line.run(lambda: bool(line.found(Closed)))
    assert line.events[-1] == Closed(CloseReason.CLOSED, None)
    assert client.drops.total == 0


@pytest.fixture(scope="module")
def coturn_ports(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[dict[str, int]]:
    with coturn(tmp_path_factory.mktemp("coturn"), certificate, "--lt-cred-mech", "--user=alice:secret") as ports:
        yield ports


class TestOurClientThroughCoturn:
    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_data_flows_both_ways(self, coturn_ports: dict[str, int], transport: str) -> None:
        with Line(transport, coturn_ports[transport]) as line:
            converse(line)

    def test_a_wrong_password_is_told_in_words(self, coturn_ports: dict[str, int]) -> None:
        with Line("udp", coturn_ports["udp"], password="wrong") as line:
            line.client.allocate(time.monotonic())
            line.run(lambda: bool(line.found(Closed)))
            (failed,) = line.found(AllocationFailed)
            assert failed.code == 401
            assert "password" in failed.hint

    def test_a_port_with_an_allocation_needs_another_port(self, coturn_ports: dict[str, int]) -> None:
        """The first client vanishes without a word. coturn gives that port no second allocation, not even when the
        first one is given back, and the hint says what to do."""
        with Line("udp", coturn_ports["udp"]) as line:
            line.client.allocate(time.monotonic())
            line.run(lambda: bool(line.found(Allocated)))
            line.client = TurnClient(TurnClientConfig(server=line.server, username="alice", password="secret"))
            line.client.allocate(time.monotonic())
            line.run(lambda: bool(line.found(Closed)))
            (failed,) = line.found(AllocationFailed)
            assert failed.code == 437
            assert "another local port" in failed.hint

    def test_a_forbidden_peer_is_named_and_the_others_stay(self, coturn_ports: dict[str, int]) -> None:
        with Line("udp", coturn_ports["udp"]) as line:
            line.client.allocate(time.monotonic())
            line.client.permit([line.peer_address, "224.0.0.1"], time.monotonic())
            line.run(lambda: bool(line.found(PermissionFailed) and line.found(PermissionInstalled)))
            assert [(one.host, one.code) for one in line.found(PermissionFailed)] == [("224.0.0.1", 403)]
            assert [one.host for one in line.found(PermissionInstalled)] == [LOOPBACK]


@pytest.fixture(scope="module")
def timed_ports(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[dict[str, int]]:
    folder = tmp_path_factory.mktemp("coturn")
    with coturn(folder, certificate, "--use-auth-secret", "--static-auth-secret=shared") as ports:
        yield ports


def test_an_alternate_server_is_followed(
    tmp_path: Path, certificate: tuple[Path, Path], coturn_ports: dict[str, int]
) -> None:
    """One coturn sends its clients on to another: there the same client, on a new path, goes on."""
    onwards = f"--alternate-server={LOOPBACK}:{coturn_ports['udp']}"
    with (
        coturn(tmp_path, certificate, "--lt-cred-mech", "--user=alice:secret", onwards) as ports,
        Line("udp", ports["udp"]) as line,
    ):
        line.client.allocate(time.monotonic())
        line.run(lambda: bool(line.found(AlternateServer) or line.found(Closed)))
        (found,) = line.found(AlternateServer)
        assert found.address == Address(LOOPBACK, coturn_ports["udp"])
        line.socket.connect((LOOPBACK, found.address.port))
        line.client.allocate(time.monotonic(), path=PathId(1))
        line.run(lambda: bool(line.found(Allocated) or line.found(Closed)))
        assert line.found(Allocated), line.events


class TestTimeLimitedCredentials:
    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_a_name_with_an_expiry_is_let_in(self, timed_ports: dict[str, int], transport: str) -> None:
        name = f"{int(time.time()) + 600}:alice"
        with Line(
            transport, timed_ports[transport], username=name, password=time_limited_password(name, "shared")
        ) as line:
            converse(line)

    def test_an_expired_name_is_not(self, timed_ports: dict[str, int]) -> None:
        name = f"{int(time.time()) - 600}:alice"
        with Line("udp", timed_ports["udp"], username=name, password=time_limited_password(name, "shared")) as line:
            line.client.allocate(time.monotonic())
            line.run(lambda: bool(line.found(Closed)))
            assert line.found(AllocationFailed)[0].code == 401


@pytest.fixture(scope="module")
def our_ports(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[dict[str, int]]:
    folder = tmp_path_factory.mktemp("server")
    port, tls_port, echo = free_port(), free_port(), free_port()
    cert, key = certificate
    arguments = [sys.executable, "-m", "webrtc_stack", "turn", "--port", str(port), "--realm", "example.org"]
    arguments += ["--user", "alice:secret", "--secret", "shared", "--allow-loopback", "--tls-port", str(tls_port)]
    arguments += ["--cert", str(cert), "--key", str(key)]
    peer = [find_program("turnutils_peer"), "-L", LOOPBACK, "-p", str(echo)]
    with (
        process(arguments, folder / "server.log", lambda text: "ready" in text) as server,
        process(peer, folder / "peer.log", lambda text: True),
    ):
        yield {"udp": port, "tls": tls_port, "echo": echo}
        server.send_signal(signal.SIGINT)
        assert server.wait(DEADLINE) == 0
        log = (folder / "server.log").read_text()
        assert "allocation 1: alice at 127.0.0.1" in log
        assert "Traceback" not in log


class TestCoturnsToolsThroughOurServer:
    @pytest.mark.parametrize(
        ("options", "port"),
        [
            (["-u", "alice", "-w", "secret"], "udp"),
            (["-u", "alice", "-w", "secret", "-s"], "udp"),
            (["-u", "alice", "-w", "secret", "-t"], "udp"),
            (["-u", "alice", "-w", "secret", "-t", "-S"], "tls"),
            (["-u", "alice", "-W", "shared"], "udp"),
        ],
        ids=["channels", "indications", "tcp", "tls", "time-limited"],
    )
    def test_uclient_loses_nothing(self, our_ports: dict[str, int], options: list[str], port: str) -> None:
        tool = [find_program("turnutils_uclient"), *options, "-p", str(our_ports[port]), "-e", LOOPBACK]
        tool += ["-r", str(our_ports["echo"]), "-n", "5", "-m", "1", "-c", "-l", "121", LOOPBACK]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=DEADLINE * 2, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert "Total lost packets 0 " in output
        assert "tot_send_msgs=5, tot_recv_msgs=5" in output

    def test_uclient_with_a_wrong_password_gets_no_allocation(self, our_ports: dict[str, int]) -> None:
        tool = [
            find_program("turnutils_uclient"),
            "-u",
            "alice",
            "-w",
            "wrong",
            "-p",
            str(our_ports["udp"]),
            "-e",
            LOOPBACK,
        ]
        tool += ["-r", str(our_ports["echo"]), "-n", "1", "-m", "1", "-c", LOOPBACK]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=DEADLINE * 2, check=False)
        assert done.returncode != 0
        assert "Cannot complete Allocation" in done.stdout + done.stderr

    def test_stunclient_learns_its_address(self, our_ports: dict[str, int]) -> None:
        tool = [find_program("turnutils_stunclient"), "-p", str(our_ports["udp"]), LOOPBACK]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert "UDP reflexive addr: 127.0.0.1:" in done.stdout + done.stderr

    def test_a_stream_that_is_something_else_is_closed(self, our_ports: dict[str, int]) -> None:
        with socket.create_connection((LOOPBACK, our_ports["udp"]), DEADLINE) as stream:
            stream.sendall(b"\x16\x03\x01 this is TLS on the plain port")
            assert stream.recv(100) == b""

    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_our_own_client_is_served_too(self, our_ports: dict[str, int], transport: str) -> None:
        with Line(transport, our_ports["tls" if transport == "tls" else "udp"]) as line:
            converse(line)
