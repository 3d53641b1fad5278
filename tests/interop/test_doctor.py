"""`webrtc-stack doctor --connect` against real servers: coturn, and our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.test_nat_behaviour import DEADLINE, FIRST, ROOT, SECOND, coturn, free_ports, process

CREDENTIALS = ["--lt-cred-mech", "--user=alice:secret"]


def doctor(*words: str) -> tuple[int, dict[str, Any]]:
    """Returns: the exit code, and the report."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-m", "webrtc_stack", "doctor", "--json", "--connect", *words]
    began = time.monotonic()
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=2 * DEADLINE, env=environment, check=False)
    assert time.monotonic() - began < DEADLINE
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def steps(report: dict[str, Any], server: int) -> dict[str, bool | None]:
    return {one["name"]: one["good"] for one in report["servers"][server]["steps"]}


def test_a_coturn_with_two_addresses_passes_in_every_respect(tmp_path: Path) -> None:
    with coturn(tmp_path, "--listening-ip", FIRST, "--listening-ip", SECOND, *CREDENTIALS, auth=True) as port:
        urls = [f"stun:{FIRST}:{port}", f"turn:{FIRST}:{port}", f"turn:{FIRST}:{port}?transport=tcp"]
        code, report = doctor(*urls, "--username", "alice", "--credential", "secret")
    assert code == 0, report
    assert steps(report, 0) == {"binding": True, "NAT": True}
    assert steps(report, 1) == {"binding": True, "NAT": True, "allocation": True, "echo": True}
    assert steps(report, 2) == {"tcp": True, "allocation": True, "echo": True}
    assert {one["kind"]: one["good"] for one in report["connections"]} == {"host": True, "srflx": None, "relay": True}
    relayed = report["connections"][-1]["explanation"]
    assert relayed["verdict"] == "connected"
    assert "relay" in relayed["summary"]


def test_a_wrong_password_at_coturn_ends_with_code_1_and_says_so(tmp_path: Path) -> None:
    with coturn(tmp_path, "--listening-ip", FIRST, *CREDENTIALS, auth=True) as port:
        code, report = doctor(f"turn:{FIRST}:{port}", "--username", "alice", "--credential", "wrong", "--relay-only")
    assert code == 1
    assert steps(report, 0) == {"binding": True, "NAT": None, "allocation": False}
    (relay,) = report["connections"]
    assert relay["explanation"]["verdict"] == "turn-credentials-refused"


@pytest.fixture(scope="module")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("server")
    port, other = free_ports()
    arguments = [sys.executable, "-m", "webrtc_stack", "turn", "--port", str(port), "--allow-loopback"]
    arguments += ["--allow-private", "--other-address", f"{SECOND}:{other}", "--user", "alice:secret"]
    with process(arguments, folder / "server.log", lambda text: "ready" in text) as server:
        yield port
        server.send_signal(signal.SIGINT)
        assert server.wait(DEADLINE) == 0
        assert "Traceback" not in (folder / "server.log").read_text()


def test_our_own_server_passes_too(our_server: int) -> None:
    urls = [f"turn:{FIRST}:{our_server}", f"turn:{FIRST}:{our_server}?transport=tcp"]
    code, report = doctor(*urls, "--username", "alice", "--credential", "secret")
    assert code == 0, report
    assert steps(report, 0)["echo"] is steps(report, 1)["echo"] is True
    assert report["servers"][0]["behaviour"]["behind_nat"] is False
