"""Against OpenSSL in memory, both roles: equal keys, data both ways, on a network that loses, repeats and reorders."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dtls_peers import EXPORTER_LABEL, OpenSslPeer, certificate, endpoint
from webrtc_stack.base import NEVER
from webrtc_stack.dtls import (
    CipherSuite,
    Closed,
    DataReceived,
    DtlsEndpoint,
    HandshakeCompleted,
    NamedGroup,
    SignatureScheme,
    SrtpProfile,
    State,
)
from webrtc_stack.errors import DtlsAlertError
from webrtc_stack.sim import LinkConfig, MachinePair

_OPENSSL_NAMES = {
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
}
Role = Literal["client", "server"]
_ROLES: tuple[Role, Role] = ("client", "server")


def _opponents(
    ours: Role, *, own: str = "own", peer: str = "peer", openssl: dict[str, Any] | None = None, **config: Any
) -> tuple[DtlsEndpoint, OpenSslPeer]:
    theirs: Role = "server" if ours == "client" else "client"
    return endpoint(ours, own=own, peer=peer, **config), OpenSslPeer(theirs, own=peer, **(openssl or {}))


def _settle(machine: DtlsEndpoint, opponent: OpenSslPeer, link: LinkConfig | None = None) -> MachinePair[bytes]:
    run = MachinePair[bytes](machine, opponent, link=link or LinkConfig(latency=0.01))
    run.run(until=10.0, condition=lambda: machine.state is State.CONNECTED and opponent.is_connected)
    assert opponent.error is None, opponent.error
    assert machine.state is State.CONNECTED, machine.poll_events()
    assert opponent.is_connected
    return run


def _compare(run: MachinePair[bytes], machine: DtlsEndpoint, opponent: OpenSslPeer) -> None:
    """Keys are equal, data passes both ways, and each end's close_notify is understood."""
    for context in (None, b"", b"some context"):
        assert machine.export_keying_material(EXPORTER_LABEL, 60, context) == opponent.export(60, context)
    payloads = [b"x", bytes(range(256)) * 4, b"last"]
    machine.send_many(payloads, run.now)
    for payload in payloads:
        opponent.send(payload)
    run.run(until=run.now + 1.0)
    assert opponent.received == payloads
    assert [event for _, event in run.events[0] if isinstance(event, DataReceived)] == list(map(DataReceived, payloads))


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: suite.name)
def test_each_suite(ours: Role, suite: CipherSuite) -> None:
    servers = "rsa" if "_RSA_" in suite.name else "server"
    names = {"own": servers, "peer": "client"} if ours == "server" else {"own": "client", "peer": servers}
    machine, opponent = _opponents(ours, **names, openssl={"ciphers": _OPENSSL_NAMES[suite]})
    run = _settle(machine, opponent)
    assert machine.cipher_suite is suite
    _compare(run, machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize("group", list(NamedGroup), ids=lambda group: group.name)
def test_each_group(ours: Role, group: NamedGroup) -> None:
    # OpenSSL as server wants the curve of any ECDSA key among the client's groups, so both get RSA keys here.
    machine, opponent = _opponents(ours, own="rsa own", peer="rsa peer", groups=(group,))
    run = _settle(machine, opponent)
    event = run.events[0][0][1]
    assert isinstance(event, HandshakeCompleted)
    assert event.group is group
    assert event.extended_master_secret
    _compare(run, machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize("own", ["own", "p384 own", "rsa own"])
@pytest.mark.parametrize("peer", ["peer", "p384 peer", "rsa peer"])
def test_each_kind_of_certificate(ours: Role, own: str, peer: str) -> None:
    machine, opponent = _opponents(ours, own=own, peer=peer)
    run = _settle(machine, opponent)
    assert machine.peer_certificate == certificate(peer).der
    _compare(run, machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize(
    "scheme",
    [scheme for scheme in SignatureScheme if scheme.name.startswith("RSA")],
    ids=lambda scheme: scheme.name,
)
def test_each_rsa_signature(ours: Role, scheme: SignatureScheme) -> None:
    machine, opponent = _opponents(ours, own="rsa own", peer="rsa peer", signature_schemes=(scheme,))
    _compare(_settle(machine, opponent), machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize(
    ("theirs", "profile"),
    [
        ("SRTP_AES128_CM_SHA1_80", SrtpProfile.AES128_CM_SHA1_80),
        ("SRTP_AEAD_AES_256_GCM", SrtpProfile.AEAD_AES_256_GCM),
        ("SRTP_AES128_CM_SHA1_32", None),
        ("", None),
    ],
)
def test_the_srtp_profile_is_agreed_on(ours: Role, theirs: str, profile: SrtpProfile | None) -> None:
    machine, opponent = _opponents(ours, openssl={"srtp": theirs})
    _settle(machine, opponent)
    assert machine.srtp_profile is profile
    assert opponent.connection.get_selected_srtp_profile().decode() == (theirs if profile is not None else "")


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize("mtu", [256, 400, 1200])
@pytest.mark.parametrize("openssl_mtu", [256, 576, 1400])
def test_each_side_has_its_own_mtu(ours: Role, mtu: int, openssl_mtu: int) -> None:
    machine, opponent = _opponents(ours, own="rsa own", peer="rsa peer", mtu=mtu, openssl={"mtu": openssl_mtu})
    run = _settle(machine, opponent)
    assert max(len(sent.data) for sent in run.log if sent.side == 0) <= mtu
    machine.export_keying_material(EXPORTER_LABEL, 60)


@pytest.mark.parametrize("ours", _ROLES)
def test_cookies_are_exchanged(ours: Role) -> None:
    if ours == "client":
        machine, opponent = _opponents("client", openssl={"cookie": True})
    else:
        machine, opponent = _opponents("server", cookie=True)
    run = _settle(machine, opponent)
    assert run.events[0][0][0] >= 0.05, "a round trip more"
    _compare(run, machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
def test_a_master_secret_that_is_not_extended_is_taken_only_when_the_config_allows(ours: Role) -> None:
    no_extended_master_secret = 1
    for required in (True, False):
        machine, opponent = _opponents(
            ours, require_extended_master_secret=required, openssl={"options": no_extended_master_secret}
        )
        if required:
            run = MachinePair[bytes](machine, opponent)
            run.run(until=2.0)
            ended = run.events[0][-1][1]
            assert isinstance(ended, Closed)
            assert "extended_master_secret" in ended.reason
            assert opponent.error is not None
        else:
            run = _settle(machine, opponent)
            assert isinstance(run.events[0][0][1], HandshakeCompleted)
            assert not run.events[0][0][1].extended_master_secret
            _compare(run, machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
@pytest.mark.parametrize("who", ["we", "they"])
def test_close_notify_is_understood_both_ways(ours: Role, who: str) -> None:
    machine, opponent = _opponents(ours)
    run = _settle(machine, opponent)
    if who == "we":
        machine.close(run.now)
    else:
        opponent.close()
    run.run(until=run.now + 1.0)
    assert opponent.is_closed or who == "they"
    ended = run.events[0][-1][1]
    assert isinstance(ended, Closed)
    assert ended.error is None


def test_a_server_that_asks_for_no_certificate_gets_none() -> None:
    machine, opponent = _opponents("client", openssl={"demand_certificate": False})
    _compare(_settle(machine, opponent), machine, opponent)


@pytest.mark.parametrize("ours", _ROLES)
def test_an_alert_of_openssl_is_reported(ours: Role) -> None:
    machine, opponent = _opponents(
        ours,
        cipher_suites=(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,),
        openssl={"ciphers": "ECDHE+CHACHA20"},
    )
    run = MachinePair[bytes](machine, opponent)
    run.run(until=2.0)
    ended = run.events[0][-1][1]
    assert isinstance(ended, Closed)
    assert isinstance(ended.error, DtlsAlertError)
    assert (ended.error.alert, ended.error.sent) == (40, ours == "server")


class _Network:
    """Decides by a drawn script what becomes of each datagram: delivered, lost, repeated, held back."""

    def __init__(self, script: list[int]) -> None:
        self._script = script
        self._at = 0
        self._held: list[list[bytes]] = [[], []]

    def carry(self, side: int, datagrams: list[bytes], *, may_lose: bool) -> list[bytes]:
        arrived: list[bytes] = []
        for datagram in datagrams:
            action = self._script[self._at] if self._at < len(self._script) else 0
            self._at += 1
            if action == 1 and may_lose:
                continue
            if action == 2:
                arrived += [datagram, datagram]
            elif action == 3:
                self._held[side].append(datagram)
            else:
                arrived.append(datagram)
        if datagrams and len(arrived) + len(self._held[side]) != len(self._held[side]):
            arrived += self._held[side]
            self._held[side] = []
        return arrived

    def release(self, side: int) -> list[bytes]:
        held, self._held[side] = self._held[side], []
        return held


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    ours=st.sampled_from(_ROLES),
    script=st.lists(st.sampled_from([0, 0, 1, 2, 3]), max_size=60),
    mtu=st.sampled_from([200, 300, 1200]),
    cookie=st.booleans(),
)
def test_any_network_that_lets_something_through_ends_in_equal_keys(
    ours: Role, script: list[int], mtu: int, cookie: bool
) -> None:
    config: dict[str, Any] = {"mtu": mtu, "openssl": {"mtu": 256}}
    if cookie and ours == "server":
        config["cookie"] = True
    machine, opponent = _opponents(ours, **config)
    network = _Network(script)
    now = 0.0
    for _ in range(400):
        # OpenSSL's timer cannot be driven: when our last flight (the server's) is lost, it would wait a real second.
        may_lose = machine.state is not State.CONNECTED
        forth = network.carry(0, machine.poll_transmits(now), may_lose=may_lose)
        back = network.carry(1, opponent.poll_transmits(now), may_lose=True)
        if forth:
            opponent.receive_many(forth, now)
        if back:
            machine.receive_many(back, now)
        if machine.state is State.CONNECTED and opponent.is_connected:
            break
        if not forth and not back:
            opponent.receive_many(network.release(0), now)
            machine.receive_many(network.release(1), now)
            due = min(machine.next_timeout(), opponent.next_timeout())
            if due == NEVER:
                break
            now = max(now, due)
            machine.handle_timeout(now)
            opponent.handle_timeout(now)
    assert opponent.error is None, opponent.error
    assert machine.state is State.CONNECTED
    assert opponent.is_connected
    assert now < 10.0
    assert machine.export_keying_material(EXPORTER_LABEL, 60) == opponent.export()
