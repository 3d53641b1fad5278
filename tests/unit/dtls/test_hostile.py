"""Bytes that somebody else made: whatever they are, a connection that was fine stays fine, and nothing grows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from tests.support.dtls_peers import certificate, connected, endpoint, exchange, pair
from webrtc_stack.base import SeededEntropy
from webrtc_stack.dtls import Closed, DataReceived, DtlsEndpoint, State
from webrtc_stack.dtls.constants import HandshakeType
from webrtc_stack.dtls.messages import CertificateMessage, message_header
from webrtc_stack.dtls.record import Record, parse_record, serialize_record
from webrtc_stack.errors import DtlsAlertError


def _still_fine(client: DtlsEndpoint, server: DtlsEndpoint) -> None:
    assert client.poll_events() == server.poll_events() == []
    for sender, receiver in ((client, server), (server, client)):
        sender.send(b"still here", 1.0)
        exchange(client, server, 1.0)
        assert receiver.poll_events() == [DataReceived(b"still here")]


def _message(kind: int, seq: int, body: bytes, *, number: int = 99, epoch: int = 0) -> bytes:
    payload = message_header(kind, len(body), seq, 0, len(body)) + body
    return serialize_record(22, 0xFEFD, epoch << 48 | number, payload)


_FORGERIES = {
    "fatal alert in the clear": serialize_record(21, 0xFEFD, 5, b"\x02\x28"),
    "close_notify in the clear": serialize_record(21, 0xFEFD, 5, b"\x01\x00"),
    "alert under no key": serialize_record(21, 0xFEFD, 1 << 48 | 900, b"\x02\x28"),
    "data in the clear": serialize_record(23, 0xFEFD, 5, b"data"),
    "data of a later epoch": serialize_record(23, 0xFEFD, 2 << 48 | 5, bytes(60)),
    "data under no key": serialize_record(23, 0xFEFD, 1 << 48 | 900, bytes(60)),
    "data of another version": serialize_record(23, 0xFEFC, 1 << 48 | 900, bytes(60)),
    "data of TLS": serialize_record(23, 0x0303, 1 << 48 | 900, bytes(60)),
    "a ClientHello": _message(1, 0, bytes(60)),
    "a HelloRequest": _message(0, 5, b""),
    "a Finished in the clear": _message(20, 5, bytes(12)),
    "an unknown content type": serialize_record(99, 0xFEFD, 1, b"x"),
    "a 1.3 record": b"\x2e\x00\x05\x00\x20" + bytes(32),
    "an empty datagram": b"",
    "a cut-off record": serialize_record(23, 0xFEFD, 1 << 48 | 900, bytes(60))[:40],
}


@pytest.mark.parametrize("forged", _FORGERIES.values(), ids=_FORGERIES.keys())
def test_a_forged_datagram_is_dropped_and_answered_by_nothing(forged: bytes) -> None:
    client, server = connected()
    for machine in (client, server):
        machine.receive(forged, 0.5)
        machine.receive_many([forged] * 3, 0.5)
        assert machine.poll_transmits(0.5) == []
        if forged:
            assert machine.drops.total == 4
            assert machine.drops["wrong_version"] == (4 if forged[1:3] in (b"\xfe\xfc", b"\x03\x03") else 0)
    _still_fine(client, server)


def test_a_replayed_datagram_is_dropped() -> None:
    client, server = connected()
    client.send(b"once", 0.0)
    sent = client.poll_transmits(0.0)
    server.receive_many(sent * 5, 0.0)
    server.receive(sent[0], 0.0)
    assert server.poll_events() == [DataReceived(b"once")]
    assert server.drops["replayed"] == 5
    _still_fine(client, server)


def test_every_flipped_bit_and_every_truncation_is_dropped() -> None:
    client, server = connected()
    client.send(b"whole", 0.0)
    (sent,) = client.poll_transmits(0.0)
    for at in range(len(sent)):
        for bit in (1, 128):
            server.receive(sent[:at] + bytes([sent[at] ^ bit]) + sent[at + 1 :], 0.0)
        server.receive(sent[:at], 0.0)
    assert server.poll_events() == []
    assert server.drops["bad_tag"] > 0
    server.receive(sent, 0.0)
    assert server.poll_events() == [DataReceived(b"whole")]
    _still_fine(client, server)


def test_a_record_sent_back_to_its_sender_is_dropped() -> None:
    client, server = connected()
    client.send(b"mine", 0.0)
    client.receive_many(client.poll_transmits(0.0), 0.0)
    assert client.drops["bad_tag"] == 1
    _still_fine(client, server)


def test_several_records_in_one_datagram_are_all_taken_and_one_bad_one_hurts_no_other() -> None:
    client, server = connected()
    client.send_many([b"one", b"two", b"three"], 0.0)
    one, two, three = client.poll_transmits(0.0)
    server.receive(one + two[:-1] + bytes([two[-1] ^ 1]) + three, 0.0)
    assert server.poll_events() == [DataReceived(b"one"), DataReceived(b"three")]
    assert server.drops["bad_tag"] == 1


def test_a_renegotiation_is_refused_and_the_connection_goes_on() -> None:
    client, server = connected()
    # The server asks for one, under its keys.
    ask = server._context.sealers[1].seal(22, message_header(HandshakeType.HELLO_REQUEST, 0, 6, 0, 0))
    client.receive(ask, 0.0)
    (refusal,) = client.poll_transmits(0.0)
    assert client.counters.alerts_sent == 1
    server.receive(refusal, 0.0)
    assert server.counters.alerts_received == 1
    _still_fine(client, server)


def test_a_peer_that_goes_on_with_its_handshake_afterwards_is_refused() -> None:
    client, server = connected()
    extra = message_header(HandshakeType.FINISHED, 12, 6, 0, 12) + bytes(12)
    client.receive(server._context.sealers[1].seal(22, extra), 0.0)
    (event,) = client.poll_events()
    assert isinstance(event, Closed)
    assert isinstance(event.error, DtlsAlertError)
    assert (event.error.alert, event.error.sent) == (10, True)


def test_a_warning_that_is_no_close_notify_changes_nothing() -> None:
    client, server = connected()
    client.receive(server._context.sealers[1].seal(21, b"\x01\x5a"), 0.0)
    client.receive(server._context.sealers[1].seal(21, b"\x01"), 0.0)
    assert client.drops["malformed_alert"] == 1
    _still_fine(client, server)


def test_an_authentic_fatal_alert_ends_the_connection() -> None:
    client, server = connected()
    client.receive(server._context.sealers[1].seal(21, b"\x02\x50"), 0.0)
    (event,) = client.poll_events()
    assert isinstance(event, Closed)
    assert isinstance(event.error, DtlsAlertError)
    assert (event.error.alert, event.error.sent) == (80, False)
    assert client.poll_transmits(0.0) == []


def test_a_fatal_alert_in_the_clear_ends_a_handshake_until_something_was_authenticated() -> None:
    client = endpoint("client")
    client.poll_transmits(0.0)
    client.receive(serialize_record(21, 0xFEFD, 0, b"\x02\x28"), 0.0)
    assert isinstance(client.poll_events()[0], Closed)
    client, server = endpoint("client", remote_fingerprints=()), endpoint("server")
    exchange(client, server)
    assert client.state is State.VERIFYING
    client.receive(serialize_record(21, 0xFEFD, 50, b"\x02\x28"), 0.0)
    assert client.state is State.VERIFYING


def test_a_client_without_certificate_is_refused() -> None:
    client, server = pair()
    server.receive_many(client.poll_transmits(0.0), 0.0)
    server.poll_transmits(0.0)
    server.receive(_message(11, 1, CertificateMessage(certificates=()).serialize()), 0.0)
    (event,) = server.poll_events()
    assert isinstance(event, Closed)
    assert "no certificate" in event.reason


def test_somebody_elses_certificate_does_not_pass_without_its_key() -> None:
    """The right certificate is public; what counts is CertificateVerify, which only its key can make."""
    thief = endpoint("client", own="thief")
    server = endpoint("server", peer="client")
    server.receive_many(thief.poll_transmits(0.0), 0.0)
    thief.receive_many(server.poll_transmits(0.0), 0.0)
    stolen = CertificateMessage(certificates=(certificate("client").der,)).serialize()
    for datagram in thief.poll_transmits(0.0):
        at = 0
        while at < len(datagram):
            record, at = parse_record(datagram, at)
            assert isinstance(record, Record)
            if record.payload[0] == HandshakeType.CERTIFICATE:
                server.receive(_message(11, 1, stolen), 0.0)
            else:
                server.receive(
                    serialize_record(record.content_type, record.version, record.number, record.payload), 0.0
                )
    (event,) = server.poll_events()
    assert isinstance(event, Closed)
    assert isinstance(event.error, DtlsAlertError)
    assert (event.error.alert, event.error.sent) == (51, True)


def test_forged_fragments_before_the_real_ones_do_not_stop_a_handshake() -> None:
    client, server = pair()
    hello = client.poll_transmits(0.0)
    junk = message_header(HandshakeType.CLIENT_HELLO, 30_000, 0, 100, 5) + b"wrong"
    server.receive(serialize_record(22, 0xFEFD, 0, junk), 0.0)
    for seq in range(1, 12):
        body = message_header(HandshakeType.CERTIFICATE, 20_000, seq, 0, 5) + b"wrong"
        server.receive(serialize_record(22, 0xFEFD, 0, body), 0.0)
    server.receive_many(hello, 0.0)
    assert server._reassembler.buffered_bytes <= server.config.max_reassembly_bytes
    assert server.poll_transmits(0.0)


def test_a_message_above_the_limit_is_refused() -> None:
    server = endpoint("server", max_message_bytes=2000)
    payload = message_header(1, 2001, 0, 0, 10) + bytes(10)
    server.receive(serialize_record(22, 0xFEFD, 0, payload), 0.0)
    assert server.drops["message_too_large"] == 1
    assert server._reassembler.buffered_bytes == 0


def test_a_malformed_hello_gets_a_decode_error() -> None:
    server = endpoint("server")
    server.receive(_message(1, 0, b"\xfe\xfd" + bytes(20)), 0.0)
    (event,) = server.poll_events()
    assert isinstance(event, Closed)
    assert isinstance(event.error, DtlsAlertError)
    assert event.error.alert == 50
    assert server.poll_transmits(0.0) == [serialize_record(21, 0xFEFD, 0, b"\x02\x32")]


def test_a_repeated_flight_is_answered_at_most_every_interval() -> None:
    client, server = pair()
    hello = client.poll_transmits(0.0)
    for tick in range(1000):
        now = tick / 1000
        server.receive_many(hello, now)
        server.poll_transmits(now)
    assert 10 < server.counters.flights_retransmitted <= 1.0 / server.config.minimum_resend_interval


def _hostile(seed: str, count: int) -> Iterator[bytes]:
    """Records that look right: every type, epoch and message, lengths that claim much, garbage inside."""
    entropy = SeededEntropy(seed)
    for _ in range(count):
        draw = entropy.bytes(12)
        size = draw[0] % 64
        body = entropy.bytes(size)
        if draw[1] < 120:
            claimed = int.from_bytes(draw[2:4], "big")
            offset = draw[4] % 200 if claimed > 300 else 0
            payload = message_header(draw[5] % 22, max(claimed, size + offset), draw[6] % 12, offset, size) + body
            yield serialize_record(22, 0xFEFD, (draw[7] % 3) << 48 | draw[8], payload)
        elif draw[1] < 220:
            yield serialize_record(20 + draw[5] % 5, 0xFEFD, (draw[7] % 3) << 48 | draw[8], body)
        else:
            yield body


def _feed(count: int) -> None:
    """Feeds hostile datagrams to endpoints at each stage, and measures what stays behind."""
    machines = [endpoint("server"), endpoint("client"), endpoint("server", cookie=True), *connected()]
    late = endpoint("server", start=False)
    machines.append(late)
    burst = list(_hostile("warm up", 200))
    for machine in machines:
        machine.receive_many(burst, 0.1)
    fresh = [endpoint("server", n, handshake_timeout=1e9) for n in range(4)]
    machines += fresh
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    now = 0.2
    for part in range(count // 1000):
        hostile = list(_hostile(f"part {part}", 1000))
        for machine in machines:
            machine.receive_many(hostile[: 1000 // len(machines)], now)
            machine.poll_transmits(now)
            machine.poll_events()
            assert machine._reassembler.buffered_bytes <= machine.config.max_reassembly_bytes
            assert machine._inbox.held_records <= machine.config.max_held_records
            assert len(machine._early_datagrams) <= machine.config.max_held_records
            assert len(machine._outgoing._alerts) <= 4
        now += 0.01
    del hostile
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1 << 20, f"{grown} bytes more"


def test_hostile_datagrams_leave_nothing_behind() -> None:
    _feed(20_000)


@pytest.mark.slow
def test_a_million_hostile_datagrams_leave_nothing_behind() -> None:
    _feed(1_000_000)
