"""`doctor --connect` on the virtual network: what each server does is told, and the exit code follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.relays import turn_service
from webrtc_stack import cli, sim
from webrtc_stack.base import SeededEntropy
from webrtc_stack.cli import doctor_connect
from webrtc_stack.cli.doctor_connect import ConnectReport, check, servers_of, show
from webrtc_stack.cli.failures import CommandError
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.peer import Verdict
from webrtc_stack.sim.tls import VirtualCertificate
from webrtc_stack.turn import PeerPolicy, TurnServerConfig

SERVER = "203.0.113.10"


def run(urls: list[str], *, credential: str = "secret", nat: str | None = None, **config: Any) -> ConnectReport:
    """A machine, perhaps behind a NAT, and one server outside. Its options: `discovery` opens a second address."""
    discovery = config.pop("discovery", False)
    relay_only = config.pop("relay_only", False)

    async def main(net: sim.Network) -> ConnectReport:
        server = net.host(SERVER, "203.0.113.11") if discovery else net.host(SERVER)
        machine = net.nat("198.51.100.1", nat).host("192.168.1.2") if nat else net.host("198.51.100.7")
        config.setdefault("policy", PeerPolicy.of(private=True))
        if discovery:
            settings = TurnServerConfig(users={"alice": "secret"}, entropy=SeededEntropy(1), **config)
            TurnService(settings, server, relay_hosts={4: SERVER}).listen_discovery(
                (SERVER, "203.0.113.11"), (3478, 3479)
            )
        else:
            turn_service(server, **config)
        certificate = VirtualCertificate(names=("turn.example.org",))
        server.listen(server.local_addresses()[0], port=5349, tls=certificate, on_accept=lambda stream: None)
        servers = servers_of(urls, "alice", credential)
        began = net.now
        report = await check(machine, servers, relay_only=relay_only)
        assert net.now - began <= 20
        return report

    return sim.run(main, network=sim.Network(3, default_link=sim.LinkConfig(latency=0.01)), deadline=100)


def steps(report: ConnectReport, server: int = 0) -> dict[str, bool | None]:
    return {one.name: one.good for one in report.servers[server].steps}


def kinds(report: ConnectReport) -> dict[str, bool | None]:
    return {one.kind: one.good for one in report.connections}


def test_all_is_well_on_the_open_internet(capsys: pytest.CaptureFixture[str]) -> None:
    report = run([f"stun:{SERVER}", f"turn:{SERVER}"], discovery=True)
    assert report.good, report.to_dict()
    assert steps(report) == {"binding": True, "NAT": True}
    assert steps(report, 1) == {"binding": True, "NAT": True, "allocation": True, "echo": True}
    assert kinds(report) == {"host": True, "srflx": None, "relay": True}
    show(report)
    text = capsys.readouterr().out
    assert "all is well" in text
    assert "not behind a NAT" in text
    assert json.loads(json.dumps(report.to_dict()))["good"] is True


@pytest.mark.parametrize("nat", ["full-cone", "symmetric"])
def test_a_nat_is_described_and_relays_work_through_it(nat: str) -> None:
    report = run([f"turn:{SERVER}", f"stun:{SERVER}"], discovery=True, nat=nat)
    assert report.good, report.to_dict()
    behaviour = report.servers[0].behaviour
    assert behaviour is not None
    assert behaviour.behind_nat
    assert behaviour.peer_to_peer is (nat == "full-cone")
    assert steps(report)["echo"] is True
    assert kinds(report)["relay"] is True
    assert kinds(report)["host"] is True


def test_a_wrong_password_is_told_with_its_code_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    report = run([f"turn:{SERVER}"], credential="wrong")
    assert not report.good
    assert steps(report)["allocation"] is False
    relay = report.connections[-1]
    assert relay.explanation is not None
    assert relay.explanation.verdict is Verdict.TURN_CREDENTIALS_REFUSED
    assert report.took < 10
    show(report)
    text = capsys.readouterr().out
    assert "401" in text
    assert "Why there is no connection by relay candidates" in text


def test_a_server_that_is_not_there_a_bad_certificate_and_a_name_that_is_none() -> None:
    urls = [
        "stun:203.0.113.99",
        "turn:203.0.113.99",
        f"turns:{SERVER}",
        f"turn:{SERVER}:9?transport=tcp",
        "stun:no.name",
    ]
    report = run(urls)
    assert not report.good
    assert steps(report, 0) == {"binding": False}
    assert steps(report, 1) == {"allocation": False}
    assert steps(report, 2) == {"tls": False}
    assert "certificate" in report.servers[2].steps[0].text
    assert steps(report, 3) == {"tcp": False}
    assert "refused" in report.servers[3].steps[0].text
    assert steps(report, 4) == {"name": False}
    assert kinds(report) == {"host": True, "srflx": None, "relay": False}


def test_a_server_that_forbids_our_own_address_is_not_called_broken() -> None:
    report = run([f"turn:{SERVER}"], policy=PeerPolicy.of(deny=("198.51.100.0/24",)))
    echo = report.servers[0].steps[-1]
    assert (echo.name, echo.good) == ("echo", None)
    assert "403" in echo.text


def test_the_quota_of_a_server_is_told() -> None:
    report = run([f"turn:{SERVER}"], max_allocations_per_user=0)
    assert steps(report)["allocation"] is False
    assert "486" in report.servers[0].steps[-1].text


def test_relay_only_tries_nothing_else() -> None:
    assert kinds(run([f"turn:{SERVER}"], relay_only=True)) == {"relay": True}


def test_without_a_turn_server_there_is_no_relay_to_try() -> None:
    report = run([f"stun:{SERVER}"])
    assert report.good
    assert kinds(report)["relay"] is None


def test_arguments_that_make_no_sense_end_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--connect", "turn:a.example"],
        ["--connect", "http://a"],
        ["--connect", "stun:a.example", "--relay-only"],
        ["--username", "alice"],
    ):
        assert cli.main(["doctor", *words]) == 2
        assert capsys.readouterr().err.startswith("webrtc-stack doctor: ")
    with pytest.raises(CommandError):
        servers_of(["turn:a"], None, None)


def test_the_exit_code_and_json_follow_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for credential, code in (("secret", 0), ("wrong", 1)):
        report = run([f"turn:{SERVER}"], credential=credential)

        async def found(*_: object, report: ConnectReport = report) -> ConnectReport:
            return report

        monkeypatch.setattr(doctor_connect, "_run", found)
        words = ["--connect", f"turn:{SERVER}", "--username", "alice", "--credential", credential, "--json"]
        assert cli.main(["doctor", *words]) == code
        assert json.loads(capsys.readouterr().out)["good"] is (code == 0)
