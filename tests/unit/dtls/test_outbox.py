"""Flights: cutting, packing, sending again, acknowledging."""

from __future__ import annotations

import pytest

from webrtc_stack.dtls.ciphers import SUITES, make_sealer
from webrtc_stack.dtls.constants import CipherSuite, HandshakeType
from webrtc_stack.dtls.messages import Fragment, parse_fragments
from webrtc_stack.dtls.outbox import Item, Outbox
from webrtc_stack.dtls.protection import PlainSealer, Sealer
from webrtc_stack.dtls.record import Record, parse_record


def _outbox(mtu: int = 200, backoff: int = 3) -> Outbox:
    return Outbox(mtu=mtu, minimum_mtu=100, mtu_backoff_after=backoff, initial_timeout=0.2, max_timeout=1.0)


def _records(datagrams: list[bytes]) -> list[Record]:
    found = []
    for datagram in datagrams:
        at = 0
        while at < len(datagram):
            record, at = parse_record(datagram, at)
            assert isinstance(record, Record)
            found.append(record)
    return found


def _fragments(datagrams: list[bytes]) -> list[Fragment]:
    return [fragment for record in _records(datagrams) for fragment in parse_fragments(record.payload)]


def _flight(outbox: Outbox, *sizes: int) -> None:
    items = [Item(0, outbox.message(HandshakeType.CERTIFICATE, bytes([n]) * size)) for n, size in enumerate(sizes)]
    outbox.start("test", items, timed=True)


@pytest.mark.parametrize("mtu", [100, 137, 200, 548, 1200, 65_000])
@pytest.mark.parametrize("sizes", [(0,), (1,), (5000,), (0, 3000, 0, 1, 76, 300)])
def test_every_byte_is_sent_once_in_datagrams_within_the_mtu(mtu: int, sizes: tuple[int, ...]) -> None:
    outbox = _outbox(mtu)
    _flight(outbox, *sizes)
    outbox.build({0: PlainSealer()}, 0.0)
    datagrams = outbox.take(1000)
    assert max(map(len, datagrams)) <= mtu
    bodies = {n: bytearray() for n in range(len(sizes))}
    for fragment in _fragments(datagrams):
        assert fragment.offset == len(bodies[fragment.message_seq])
        assert fragment.length == sizes[fragment.message_seq]
        bodies[fragment.message_seq] += fragment.data
    assert [len(body) for body in bodies.values()] == list(sizes)
    minimum = sum(sizes) // mtu
    assert len(datagrams) <= 2 * minimum + 2, "datagrams are filled"


def test_small_messages_share_a_datagram() -> None:
    outbox = _outbox(1200)
    _flight(outbox, 100, 300, 100, 50, 0)
    outbox.build({0: PlainSealer()}, 0.0)
    assert len(outbox.take(10)) == 1


def test_records_of_two_epochs_share_a_datagram() -> None:
    outbox = _outbox(1200)
    suite = SUITES[CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
    sealers: dict[int, Sealer] = {0: PlainSealer(), 1: make_sealer(suite, bytes(16), bytes(4), epoch=1)}
    finished = Item(1, outbox.message(HandshakeType.FINISHED, bytes(12), epoch=1))
    outbox.start("last", [Item(0, None), finished], timed=False)
    assert outbox.build(sealers, 0.0) == 2
    (datagram,) = outbox.take(10)
    assert [(record.content_type, record.epoch) for record in _records([datagram])] == [(20, 0), (22, 1)]


def test_each_transmission_has_new_record_numbers_and_the_same_messages() -> None:
    outbox = _outbox()
    _flight(outbox, 300)
    sealer = PlainSealer()
    outbox.build({0: sealer}, 0.0)
    first = outbox.take(10)
    outbox.back_off()
    outbox.build({0: sealer}, 0.2)
    second = outbox.take(10)
    assert _fragments(first) == _fragments(second)
    assert not {record.number for record in _records(first)} & {record.number for record in _records(second)}


def test_the_timeout_doubles_up_to_its_cap_and_starts_anew_with_a_flight() -> None:
    outbox = _outbox()
    _flight(outbox, 1)
    seen = []
    for _ in range(4):
        outbox.back_off()
        seen.append(outbox.timeout)
    assert seen == [0.4, 0.8, 1.0, 1.0]
    _flight(outbox, 1)
    assert outbox.timeout == 0.2


def test_datagrams_shrink_after_fruitless_transmissions() -> None:
    outbox = _outbox(1200)
    _flight(outbox, 3000)
    largest = []
    for _ in range(12):
        outbox.build({0: PlainSealer()}, 0.0)
        largest.append(max(map(len, outbox.take(100))))
    assert largest[:3] == [1200] * 3
    assert largest[3:6] == [600] * 3
    assert largest[-3:] == [150] * 3
    assert largest == sorted(largest, reverse=True)


def test_what_is_acknowledged_is_not_sent_again() -> None:
    outbox = _outbox(200, backoff=0)
    _flight(outbox, 500, 0, 20)
    sealer = PlainSealer()
    outbox.build({0: sealer}, 0.0)
    first = _records(outbox.take(100))
    kept = [record for index, record in enumerate(first) if index != 1]
    outbox.acknowledge([record.number for record in kept] + [12345])
    assert outbox.owes
    outbox.build({0: sealer}, 0.2)
    again = outbox.take(100)
    assert _fragments(again) == parse_fragments(first[1].payload)
    outbox.acknowledge([record.number for record in _records(again)])
    assert outbox.build({0: sealer}, 0.4) == 0


def test_take_keeps_its_limit_and_the_order() -> None:
    outbox = _outbox(100)
    _flight(outbox, 500)
    outbox.build({0: PlainSealer()}, 0.0)
    taken = []
    while outbox.pending:
        got = outbox.take(2)
        assert len(got) <= 2
        taken += got
    assert b"".join(fragment.data for fragment in _fragments(taken)) == bytes(500)
