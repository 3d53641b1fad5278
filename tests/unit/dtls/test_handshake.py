"""The endpoint from connect to close, against itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from tests.support.calls import count_calls
from tests.support.dtls_peers import EXPORTER_LABEL, certificate, connected, endpoint, exchange, pair
from webrtc_stack.base import NEVER, Fingerprint
from webrtc_stack.dtls import (
    CipherSuite,
    Closed,
    DataReceived,
    DtlsConfig,
    DtlsEndpoint,
    HandshakeCompleted,
    NamedGroup,
    SignatureScheme,
    SrtpProfile,
    State,
)
from webrtc_stack.dtls.constants import HandshakeType
from webrtc_stack.dtls.messages import Fragment, ServerHello, message_header, parse_fragments
from webrtc_stack.dtls.record import Record, parse_record, serialize_record
from webrtc_stack.errors import (
    BufferFull,
    DtlsAlertError,
    FingerprintMismatch,
    InvalidArgumentError,
    InvalidStateError,
    KeyLimitReached,
    MessageTooLarge,
    NotSupportedError,
    TimedOut,
)
from webrtc_stack.sim import LinkConfig, MachinePair
from webrtc_stack.trace import KeyLog, MemorySink, Trace


def _completed(machine: DtlsEndpoint) -> HandshakeCompleted:
    (event,) = machine.poll_events()
    assert isinstance(event, HandshakeCompleted)
    return event


def _closed(machine: DtlsEndpoint) -> Closed:
    event = machine.poll_events()[-1]
    assert isinstance(event, Closed)
    return event


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: suite.name)
@pytest.mark.parametrize("group", list(NamedGroup), ids=lambda group: group.name)
def test_each_suite_with_each_group(suite: CipherSuite, group: NamedGroup) -> None:
    own = "rsa" if "_RSA_" in suite.name else "server"
    client = endpoint("client", peer=own, cipher_suites=(suite,), groups=(group,))
    server = endpoint("server", own=own)
    exchange(client, server)
    for event in (_completed(client), _completed(server)):
        assert (event.version, event.cipher_suite, event.group) == ("1.2", suite, group)
        assert event.extended_master_secret
        assert event.srtp_profile is SrtpProfile.AEAD_AES_128_GCM
    for sender, receiver in ((client, server), (server, client)):
        sender.send_many([b"one", b"", b"two"], 0.0)
        exchange(client, server)
        assert receiver.poll_events() == [DataReceived(b"one"), DataReceived(b""), DataReceived(b"two")]
    for context in (None, b"", b"context"):
        assert client.export_keying_material(EXPORTER_LABEL, 60, context) == server.export_keying_material(
            EXPORTER_LABEL, 60, context
        )
    assert len(client.export_keying_material("EXPORTER-other", 1000)) == 1000


@pytest.mark.parametrize("own", ["server", "p384", "rsa"])
@pytest.mark.parametrize("theirs", ["client", "p384 too", "rsa too"])
@pytest.mark.parametrize("scheme", list(SignatureScheme), ids=lambda scheme: scheme.name)
def test_each_signature_scheme_with_each_kind_of_certificate(own: str, theirs: str, scheme: SignatureScheme) -> None:
    others = tuple(
        other
        for other in (SignatureScheme.ECDSA_SECP256R1_SHA256, SignatureScheme.RSA_PKCS1_SHA256)
        if scheme.name.startswith("RSA") != other.name.startswith("RSA")
    )
    schemes = (scheme, *others)
    client = endpoint("client", own=theirs, peer=own, signature_schemes=schemes)
    server = endpoint("server", own=own, peer=theirs, signature_schemes=schemes)
    exchange(client, server)
    assert _completed(client).peer_certificate == certificate(own).der
    assert _completed(server).peer_certificate == certificate(theirs).der


def test_a_handshake_takes_two_round_trips() -> None:
    client, server = pair()
    run = MachinePair[bytes](client, server, link=LinkConfig(latency=0.05))
    assert run.run(until=1.0)
    for side, expected in ((0, 0.2), (1, 0.15)):
        ((time, event),) = run.events[side]
        assert isinstance(event, HandshakeCompleted)
        assert time == pytest.approx(expected)
    assert len(run.log) == 4, "one datagram a flight"
    assert client.next_timeout() == server.next_timeout() == NEVER


def test_the_event_tells_the_peers_certificate_in_three_digests() -> None:
    client, server = pair()
    exchange(client, server)
    event = _completed(client)
    assert event.peer_certificate == certificate("server").der
    assert event.peer_fingerprints == tuple(
        certificate("server").fingerprint(name) for name in ("sha-256", "sha-384", "sha-512")
    )


@pytest.mark.parametrize("mtu", [96, 97, 110, 150, 256, 548, 1200, 9000])
def test_any_mtu_will_do(mtu: int) -> None:
    client = endpoint("client", mtu=mtu, own="rsa", peer="rsa")
    server = endpoint("server", mtu=mtu, own="rsa", peer="rsa")
    run = MachinePair[bytes](client, server, link=LinkConfig(latency=0.01))
    assert run.run(until=5.0)
    assert client.state is server.state is State.CONNECTED
    assert max(len(sent.data) for sent in run.log) <= mtu
    assert client.counters.flights_retransmitted == server.counters.flights_retransmitted == 0


# --- browsers -------------------------------------------------------------------------------------------------------


def _records(datagrams: list[bytes]) -> list[Record]:
    found = []
    for datagram in datagrams:
        at = 0
        while at < len(datagram):
            record, at = parse_record(datagram, at)
            assert isinstance(record, Record)
            found.append(record)
    return found


@pytest.mark.parametrize(("browser", "first"), [("chromium", 1175), ("firefox", 1383)])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_browsers_hello_in_two_datagrams_is_answered_by_1_2(browser: str, first: int, swapped: bool) -> None:
    body = vectors.binary(f"dtls/{browser}_clienthello.bin")
    server = endpoint("server")
    datagrams = []
    for number, (start, end) in enumerate(((0, first), (first, len(body)))):
        payload = message_header(1, len(body), 0, start, end - start) + body[start:end]
        datagrams.append(serialize_record(22, 0xFEFF, number, payload))
    for datagram in reversed(datagrams) if swapped else datagrams:
        assert not server.poll_transmits(0.0)
        server.receive(datagram, 0.0)
    sent = server.poll_transmits(0.0)
    fragments = [fragment for record in _records(sent) for fragment in parse_fragments(record.payload)]
    assert [fragment.type for fragment in fragments] == [2, 11, 12, 13, 14]
    hello = ServerHello.parse(fragments[0].data)
    assert hello.version == 0xFEFD
    assert hello.cipher_suite == CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    assert {extension.type for extension in hello.extensions} == {0xFF01, 23, 11, 14}
    assert server.srtp_profile is SrtpProfile.AEAD_AES_128_GCM
    assert hello.random[24:] not in (b"DOWNGRD\x00", b"DOWNGRD\x01"), "only a server that could speak 1.3 says so"


# --- fingerprints ---------------------------------------------------------------------------------------------------


def test_any_of_several_fingerprints_is_enough() -> None:
    wrong = Fingerprint(algorithm="sha-256", digest=bytes(32))
    for algorithm in ("sha-256", "sha-384", "sha-512", "SHA-256"):
        right = Fingerprint(algorithm=algorithm, digest=certificate("server").fingerprint(algorithm).digest)
        client, server = endpoint("client", remote_fingerprints=(wrong, right)), endpoint("server")
        exchange(client, server)
        assert client.state is server.state is State.CONNECTED


@pytest.mark.parametrize("wrong_side", ["client", "server"])
def test_a_wrong_fingerprint_ends_both_sides(wrong_side: str) -> None:
    wrong: dict[str, Any] = {"remote_fingerprints": (Fingerprint(algorithm="sha-256", digest=bytes(32)),)}
    client = endpoint("client", **(wrong if wrong_side == "client" else {}))
    server = endpoint("server", **(wrong if wrong_side == "server" else {}))
    exchange(client, server)
    deceived, other = (client, server) if wrong_side == "client" else (server, client)
    event = _closed(deceived)
    assert isinstance(event.error, FingerprintMismatch)
    event = _closed(other)
    assert isinstance(event.error, DtlsAlertError)
    assert (event.error.alert, event.error.sent) == (42, False)


def test_a_sha_1_fingerprint_counts_only_when_asked_for() -> None:
    weak = (certificate("server").fingerprint("sha-1"),)
    client, server = endpoint("client", remote_fingerprints=weak), endpoint("server")
    exchange(client, server)
    assert isinstance(_closed(client).error, FingerprintMismatch)
    client = endpoint("client", remote_fingerprints=weak, fingerprint_algorithms=("sha-256", "sha-1"))
    server = endpoint("server")
    exchange(client, server)
    assert client.state is State.CONNECTED


def test_completion_waits_for_fingerprints_that_come_late() -> None:
    client, server = endpoint("client", remote_fingerprints=()), endpoint("server")
    exchange(client, server)
    assert client.state is State.VERIFYING
    assert server.state is State.CONNECTED
    server.poll_events()
    server.send(b"early", 0.0)
    exchange(client, server)
    assert client.poll_events() == []
    with pytest.raises(InvalidStateError):
        client.send(b"too early", 0.0)
    with pytest.raises(InvalidStateError):
        client.export_keying_material(EXPORTER_LABEL, 60)
    client.set_remote_fingerprints([certificate("server").fingerprint()], 1.0)
    events = client.poll_events()
    assert isinstance(events[0], HandshakeCompleted)
    assert events[1:] == [DataReceived(b"early")]
    client.send(b"now", 1.0)
    exchange(client, server, 1.0)
    assert server.poll_events() == [DataReceived(b"now")]


def test_a_late_fingerprint_that_is_wrong_ends_the_connection() -> None:
    client, server = endpoint("client", remote_fingerprints=()), endpoint("server")
    exchange(client, server)
    client.set_remote_fingerprints([certificate("client").fingerprint()])
    assert client.next_timeout() <= 0.0
    assert isinstance(_closed(client).error, FingerprintMismatch)
    exchange(client, server)
    assert isinstance(_closed(server).error, DtlsAlertError)
    assert client.next_timeout() == NEVER


def test_fingerprints_that_never_come_time_out() -> None:
    client, server = endpoint("client", remote_fingerprints=()), endpoint("server")
    exchange(client, server)
    assert client.next_timeout() == 30.0
    client.handle_timeout(30.0)
    event = _closed(client)
    assert isinstance(event.error, TimedOut)
    assert "fingerprint" in event.reason


def test_repeating_the_fingerprints_later_changes_nothing() -> None:
    client, _ = connected()
    client.set_remote_fingerprints([certificate("server").fingerprint("sha-512")])
    assert client.state is State.CONNECTED
    with pytest.raises(InvalidStateError, match="new endpoint"):
        client.set_remote_fingerprints([certificate("client").fingerprint()])
    with pytest.raises(InvalidArgumentError):
        client.set_remote_fingerprints([])
    assert client.poll_events() == []


def test_any_certificate_is_taken_when_the_config_says_so() -> None:
    client = endpoint("client", remote_fingerprints=(), accept_any_certificate=True)
    server = endpoint("server")
    exchange(client, server)
    assert _completed(client).peer_fingerprints[0] == certificate("server").fingerprint()


# --- extensions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "accepted", "expected"),
    [
        ((7, 8, 1), (8, 7), 8),
        ((1,), (7, 8, 1), 1),
        ((1, 2), (2,), 2),
        ((1,), (7,), None),
        ((), (7,), None),
        ((7,), (), None),
    ],
)
def test_the_server_chooses_the_srtp_profile_by_its_own_order(
    offered: tuple[int, ...], accepted: tuple[int, ...], expected: int | None
) -> None:
    client = endpoint("client", srtp_profiles=tuple(map(SrtpProfile, offered)))
    server = endpoint("server", srtp_profiles=tuple(map(SrtpProfile, accepted)))
    exchange(client, server)
    assert _completed(client).srtp_profile == _completed(server).srtp_profile == expected


@pytest.mark.parametrize(
    ("offered", "accepted", "expected"),
    [(("webrtc", "c-webrtc"), ("c-webrtc",), "c-webrtc"), (("webrtc",), (), None), ((), ("webrtc",), None)],
)
def test_alpn_is_agreed_on_or_left_out(
    offered: tuple[str, ...], accepted: tuple[str, ...], expected: str | None
) -> None:
    client, server = endpoint("client", alpn_protocols=offered), endpoint("server", alpn_protocols=accepted)
    exchange(client, server)
    assert _completed(client).alpn_protocol == _completed(server).alpn_protocol == expected


@pytest.mark.parametrize(
    ("of_client", "of_server"),
    [
        ({"groups": (NamedGroup.X25519,)}, {"groups": (NamedGroup.SECP384R1,)}),
        (
            {"cipher_suites": (CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,)},
            {},
        ),
        ({"signature_schemes": (SignatureScheme.RSA_PKCS1_SHA256,)}, {}),
        ({}, {"signature_schemes": (SignatureScheme.RSA_PKCS1_SHA256,)}),
    ],
    ids=["groups", "suites for our certificate", "client's schemes", "server's schemes"],
)
def test_nothing_in_common_ends_both_sides_with_an_alert(of_client: dict[str, Any], of_server: dict[str, Any]) -> None:
    client, server = endpoint("client", **of_client), endpoint("server", **of_server)
    exchange(client, server)
    errors = [_closed(client).error, _closed(server).error]
    assert all(isinstance(error, DtlsAlertError) and error.alert == 40 for error in errors)


# --- cookies --------------------------------------------------------------------------------------------------------


def test_a_cookie_costs_one_round_trip() -> None:
    client, server = endpoint("client"), endpoint("server", cookie=True)
    run = MachinePair[bytes](client, server, link=LinkConfig(latency=0.05))
    assert run.run(until=2.0)
    assert client.state is server.state is State.CONNECTED
    assert run.events[0][0][0] == pytest.approx(0.3)
    assert len(run.log[1].data) < len(run.log[0].data), "no amplification"


def test_a_wrong_cookie_is_answered_by_the_right_one_and_by_nothing_else() -> None:
    client, server = endpoint("client"), endpoint("server", cookie=True)
    (hello,) = client.poll_transmits(0.0)
    other = endpoint("server", "other seed", cookie=True)
    other.receive(hello, 0.0)
    (verify,) = other.poll_transmits(0.0)
    client.receive(verify, 0.0)
    (second,) = client.poll_transmits(0.0)
    server.receive(hello, 0.0)
    server.poll_transmits(0.0)
    server.receive(second, 0.0)
    (answer,) = server.poll_transmits(0.0)
    (record,) = _records([answer])
    assert parse_fragments(record.payload)[0].type == HandshakeType.HELLO_VERIFY_REQUEST
    client.receive(answer, 0.0)
    exchange(client, server)
    assert client.state is server.state is State.CONNECTED


def test_a_client_does_not_collect_cookies_for_ever() -> None:
    client = endpoint("client")
    client.poll_transmits(0.0)
    for number in range(10):
        body = b"\xfe\xfd\x01" + bytes([number])
        payload = message_header(3, len(body), number, 0, len(body)) + body
        client.receive(serialize_record(22, 0xFEFD, number, payload), 0.0)
        client.poll_transmits(0.0)
    assert isinstance(_closed(client).error, DtlsAlertError)


# --- the end --------------------------------------------------------------------------------------------------------


def test_close_sends_what_is_queued_and_then_close_notify() -> None:
    client, server = connected()
    client.send_many([b"last", b"words"], 1.0)
    client.close(1.0)
    assert client.poll_events() == [Closed(reason="closed here")]
    exchange(client, server, 1.0)
    assert server.poll_events() == [
        DataReceived(b"last"),
        DataReceived(b"words"),
        Closed(reason="closed by the peer"),
    ]
    assert server.counters.alerts_sent == 1, "close_notify is answered"
    assert client.next_timeout() == server.next_timeout() == NEVER


def test_close_notify_comes_last_however_little_is_polled_at_a_time() -> None:
    client, server = connected()
    client.send_many([b"1", b"2", b"3"], 1.0)
    client.close(1.0)
    while sent := client.poll_transmits(1.0, 1):
        server.receive_many(sent, 1.0)
    assert [type(event) for event in server.poll_events()] == [DataReceived] * 3 + [Closed]


def test_a_server_that_closes_at_once_still_lets_the_client_finish() -> None:
    client, server = pair()
    server.receive_many(client.poll_transmits(0.0), 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    server.receive_many(client.poll_transmits(0.0), 0.0)
    server.send(b"and out", 0.0)
    server.close(0.0)
    exchange(client, server)
    events = client.poll_events()
    assert [type(event) for event in events] == [HandshakeCompleted, DataReceived, Closed]


def test_a_silent_peer_times_out() -> None:
    for role in ("client", "server"):
        machine = endpoint("client" if role == "client" else "server")
        run = MachinePair[bytes](machine, endpoint("server", start=False), link=LinkConfig(up=False))
        run.run(until=40.0)
        ((time, event),) = run.events[0]
        assert time == pytest.approx(30.0)
        assert isinstance(event, Closed)
        assert isinstance(event.error, TimedOut)
        assert machine.next_timeout() == NEVER


def test_retransmissions_back_off() -> None:
    client = endpoint("client")
    times = []
    now = 0.0
    while now < 6.0:
        if client.poll_transmits(now):
            times.append(round(now, 3))
        now = client.next_timeout()
        client.handle_timeout(now)
    assert times == [0.0, 0.2, 0.6, 1.4, 2.4, 3.4, 4.4, 5.4]


def test_a_known_round_trip_time_sets_the_first_timeout() -> None:
    for rtt, expected in ((0.001, 0.05), (0.07, 0.14), (9.0, 1.0)):
        client = endpoint("client", start=False)
        client.connect(0.0, rtt=rtt)
        client.poll_transmits(0.0)
        assert client.next_timeout() == pytest.approx(expected)
    with pytest.raises(InvalidArgumentError):
        endpoint("client", start=False).connect(0.0, rtt=0.0)


def test_the_last_flight_is_sent_again_when_the_client_repeats_its_own() -> None:
    client, server = pair()
    server.receive_many(client.poll_transmits(0.0), 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    server.receive_many(client.poll_transmits(0.0), 0.0)
    assert server.poll_transmits(0.0), "lost"
    assert server.state is State.CONNECTED
    client.handle_timeout(client.next_timeout())
    server.receive_many(client.poll_transmits(0.3), 0.3)
    client.receive_many(server.poll_transmits(0.3), 0.3)
    assert client.state is State.CONNECTED
    assert server.counters.retransmissions_requested == 1


def test_the_last_flight_is_forgotten_once_the_client_has_spoken() -> None:
    client, server = pair()
    server.receive_many(client.poll_transmits(0.0), 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    flight = client.poll_transmits(0.0)
    server.receive_many(flight, 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    client.send(b"thanks", 0.0)
    server.receive_many(client.poll_transmits(0.0), 0.0)
    server.receive_many(flight, 1.0)
    assert server.poll_transmits(1.0) == []


def test_datagrams_that_come_before_connect_are_kept() -> None:
    client, server = endpoint("client"), endpoint("server", start=False)
    server.receive_many(client.poll_transmits(0.0), 0.0)
    assert server.poll_transmits(0.0) == []
    server.connect(0.5)
    exchange(client, server, 0.5)
    assert client.state is server.state is State.CONNECTED


def test_finished_may_overtake_what_is_before_it() -> None:
    client, server = endpoint("client", mtu=150), endpoint("server")
    server.receive_many(client.poll_transmits(0.0), 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    flight = client.poll_transmits(0.0)
    assert len(flight) > 3
    for datagram in reversed(flight):
        server.receive(datagram, 0.0)
    exchange(client, server)
    assert client.state is server.state is State.CONNECTED
    assert client.counters.flights_retransmitted == 0


# --- limits ---------------------------------------------------------------------------------------------------------


def test_the_record_limit_ends_the_connection_in_good_order() -> None:
    client, server = endpoint("client", record_limit=10), endpoint("server")
    exchange(client, server)
    client.poll_events()
    server.poll_events()
    client.send_many([b"%d" % n for n in range(20)], 0.0)
    exchange(client, server)
    event = _closed(client)
    assert isinstance(event.error, KeyLimitReached)
    events = server.poll_events()
    assert events[:-1] == [DataReceived(b"%d" % n) for n in range(8)], "one was Finished, one is close_notify"
    assert events[-1] == Closed(reason="closed by the peer")


def test_the_forgery_limit_ends_the_connection() -> None:
    client, server = endpoint("client", forgery_limit=5), endpoint("server")
    exchange(client, server)
    server.send(b"x", 0.0)
    (sealed,) = server.poll_transmits(0.0)
    client.receive_many([sealed[:-1] + bytes([sealed[-1] ^ bit]) for bit in (1, 2, 4, 8)], 0.0)
    assert client.state is State.CONNECTED
    client.receive(sealed[:-1] + bytes([sealed[-1] ^ 16]), 0.0)
    assert isinstance(_closed(client).error, KeyLimitReached)


def test_the_queue_is_bounded_and_refuses_bursts_whole() -> None:
    client, server = endpoint("client", max_queued_payloads=3), endpoint("server")
    exchange(client, server)
    server.poll_events()
    client.send(b"1", 0.0)
    with pytest.raises(BufferFull):
        client.send_many([b"2", b"3", b"4"], 0.0)
    with pytest.raises(MessageTooLarge):
        client.send_many([b"2", bytes((1 << 14) + 1)], 0.0)
    exchange(client, server)
    assert server.poll_events() == [DataReceived(b"1")]


def test_each_payload_is_a_datagram_and_the_poll_limit_is_kept() -> None:
    client, _ = connected()
    client.send_many([bytes(100)] * 10, 0.0)
    sizes = [len(datagram) for datagram in client.poll_transmits(0.0, 4)]
    assert sizes == [100 + client.record_overhead] * 4
    assert client.next_timeout() <= 0.0
    assert len(client.poll_transmits(0.0)) == 6


def test_a_record_costs_no_python_call_and_few_c_calls() -> None:
    client, server = connected()
    client.send_many([bytes(1200)] * 64, 1.0)
    sealing = count_calls(client.poll_transmits, 1.0)
    opening = count_calls(server.receive_many, sealing.result, 1.0)
    for calls in (sealing, opening):
        assert calls.python <= 12
        assert calls.native <= 64 * 9 + 30
    assert server.poll_events() == [DataReceived(bytes(1200))] * 64


# --- misuse ---------------------------------------------------------------------------------------------------------


def test_commands_out_of_their_time_are_refused() -> None:
    machine = endpoint("client", start=False)
    for call in (
        lambda: machine.send(b"x", 0.0),
        lambda: machine.export_keying_material(EXPORTER_LABEL, 60),
        lambda: machine.set_mtu(10),
    ):
        with pytest.raises(ValueError, match=r".+"):
            call()
    assert machine.poll_transmits(0.0) == []
    machine.connect(0.0)
    with pytest.raises(InvalidStateError):
        machine.connect(0.0)
    machine.close(0.0)
    with pytest.raises(InvalidStateError):
        machine.send(b"x", 0.0)
    machine.set_remote_fingerprints([certificate("server").fingerprint()])
    assert len(machine.poll_events()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "both"},
        {"mtu": 95},
        {"mtu": 70_000},
        {"cipher_suites": ()},
        {"initial_retransmission_timeout": 0.0},
        {"initial_retransmission_timeout": 5.0},
        {"handshake_timeout": 0.0},
        {"replay_window": 31},
        {"record_limit": 1 << 48},
        {"max_message_bytes": 0},
    ],
    ids=str,
)
def test_an_impossible_config_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        DtlsConfig(**{"role": "client", "certificate": certificate("client"), **wrong})


def test_a_version_that_is_not_served_is_refused() -> None:
    with pytest.raises(NotSupportedError):
        DtlsConfig(role="client", certificate=certificate("client"), versions=("1.3", "1.2"))


# --- taps -----------------------------------------------------------------------------------------------------------


def test_the_key_log_has_one_line_that_both_sides_agree_on() -> None:
    logs = KeyLog(), KeyLog()
    client, server = endpoint("client", key_log=logs[0]), endpoint("server", key_log=logs[1])
    exchange(client, server)
    assert logs[0].lines == logs[1].lines
    label, random, secret = logs[0].lines[0].split()
    assert (label, len(random), len(secret)) == ("CLIENT_RANDOM", 64, 96)


def test_the_trace_tells_the_story_of_a_handshake() -> None:
    sink = MemorySink()
    client = endpoint("client", trace=Trace(sink, source="c", room="dtls"))
    server = endpoint("server")
    exchange(client, server)
    client.receive(b"\x16garbage", 1.0)
    client.close(2.0)
    names = [event.name for event in sink.events]
    for name in (
        "state_changed",
        "message_sent",
        "flight_sent",
        "message_received",
        "version_chosen",
        "fingerprint_checked",
        "keys_installed",
        "record_dropped",
        "alert_sent",
        "closed",
    ):
        assert name in names, name
    assert sink.named("record_dropped")[0].data["reason"] == "malformed_record"
    assert all(event.to_json() for event in sink.events)


def test_fragments_of_a_small_mtu_are_whole_messages_again() -> None:
    client = endpoint("client", mtu=96)
    fragments: list[Fragment] = []
    for record in _records(client.poll_transmits(0.0)):
        fragments += parse_fragments(record.payload)
    assert len(fragments) > 1
    assert len({fragment.message_seq for fragment in fragments}) == 1
    assert sum(len(fragment.data) for fragment in fragments) == fragments[0].length
