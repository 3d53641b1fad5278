"""NAT behaviour discovery (RFC 5780) with coturn: our client asks its server, its tool asks our server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs import find_program
from webrtc_stack.base import Address
from webrtc_stack.cli.doctor_probe import discover_behaviour
from webrtc_stack.io import AsyncioRuntime
from webrtc_stack.stun import DiscoveryOutcome, Message, MessageClass, NatBehaviour, NatReport

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


def free_ports() -> tuple[int, int]:
    """Two that follow one another, free on both addresses as far as can be known."""
    for _ in range(100):
        taken: list[socket.socket] = []
        try:
            port = 0
            for host in (FIRST, SECOND):
                for step in (0, 1):
                    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    taken.append(one)
                    one.bind((host, port + step if port else 0))
                    port = port or one.getsockname()[1]
        except (OSError, OverflowError):
            continue
        finally:
            for one in taken:
                one.close()
        return port, port + 1
    raise AssertionError("no two ports are free")


@contextmanager
def process(arguments: Sequence[str], log: Path, ready: Callable[[str], bool]) -> Iterator[subprocess.Popen[bytes]]:
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


def answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.5)
        udp.connect((FIRST, port))
        try:
            udp.send(Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12)).serialize())
            return bool(udp.recv(2048))
        except OSError:
            return False


@contextmanager
def coturn(folder: Path, *options: str, auth: bool = False) -> Iterator[int]:
    port, other = free_ports()
    arguments = [find_program("turnserver"), "-n", "--no-cli", "--log-file", "stdout", "--simple-log", "--no-tls"]
    arguments += ["--no-dtls", "--listening-port", str(port), "--alt-listening-port", str(other)]
    arguments += [] if auth else ["--no-auth"]
    arguments += ["--allow-loopback-peers", "--relay-ip", FIRST, "--pidfile", str(folder / "pid"), "--realm", "x.org"]
    arguments += ["--userdb", str(folder / "users"), *options]
    with process(arguments, folder / "coturn.log", lambda text: answers(port)):
        yield port


def ask(port: int, lifetime_limit: float = 0.0) -> NatReport:
    async def run() -> NatReport:
        runtime = AsyncioRuntime()
        try:
            return await discover_behaviour(runtime, Address(FIRST, port), FIRST, lifetime_limit=lifetime_limit)
        finally:
            await runtime.aclose()

    return asyncio.run(run())


def test_our_client_finds_no_nat_before_coturn_on_this_machine(tmp_path: Path) -> None:
    with coturn(tmp_path, "--listening-ip", FIRST, "--listening-ip", SECOND) as port:
        report = ask(port)
    assert report.outcome is DiscoveryOutcome.COMPLETE, report
    assert report.behind_nat is False
    assert report.filtering is NatBehaviour.ENDPOINT_INDEPENDENT
    assert report.other == Address(SECOND, port + 1)


def test_a_coturn_with_one_address_is_said_not_to_support_it(tmp_path: Path) -> None:
    with coturn(tmp_path, "--listening-ip", FIRST) as port:
        report = ask(port)
    assert report.outcome is DiscoveryOutcome.NOT_SUPPORTED, report
    assert report.mapped is not None
    assert report.took < 2


@pytest.fixture(scope="module")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("server")
    port, other = free_ports()
    arguments = [sys.executable, "-m", "webrtc_stack", "turn", "--port", str(port), "--no-tcp"]
    arguments += ["--listen", FIRST, "--other-address", f"{SECOND}:{other}", "--user", "alice:secret"]
    with process(arguments, folder / "server.log", lambda text: "ready" in text) as server:
        yield port
        server.send_signal(signal.SIGINT)
        assert server.wait(DEADLINE) == 0
        assert "Traceback" not in (folder / "server.log").read_text()


def test_our_client_and_our_server_agree(our_server: int) -> None:
    report = ask(our_server)
    assert (report.outcome, report.behind_nat) == (DiscoveryOutcome.COMPLETE, False)
    assert report.filtering is NatBehaviour.ENDPOINT_INDEPENDENT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-m"], "NAT with Endpoint Independent Mapping!"),
        (["-f"], "NAT with Endpoint Independent Filtering!"),
        (["-t", "-T", "1"], "RFC 5780 response 2"),
        (["-H"], "successful hairpinning"),
    ],
    ids=["mapping", "filtering", "lifetime", "hairpin"],
)
def test_coturns_tool_understands_our_server(our_server: int, options: list[str], words: str) -> None:
    arguments = [find_program("turnutils_natdiscovery"), *options, "-L", FIRST, "-p", str(our_server), FIRST]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE, check=False)
    text = done.stdout + done.stderr
    assert words in text, text
    assert done.returncode == 0, text
