"""Codecs and reassembly under whatever Hypothesis thinks of."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.dtls import messages as m
from webrtc_stack.dtls.extensions import Extension
from webrtc_stack.dtls.outbox import Item, Outbox
from webrtc_stack.dtls.protection import PlainSealer
from webrtc_stack.dtls.reassembly import Outcome, Reassembler
from webrtc_stack.dtls.record import Record, parse_record
from webrtc_stack.errors import ParseError

_FAST = settings(max_examples=150, deadline=None, derandomize=True)

_u16 = st.integers(0, 0xFFFF)
_random = st.binary(min_size=32, max_size=32)
_extensions = st.lists(st.builds(Extension, _u16, st.binary(max_size=40)), max_size=5, unique_by=lambda e: e.type).map(
    tuple
)
_messages: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        m.ClientHello,
        version=_u16,
        random=_random,
        session_id=st.binary(max_size=32),
        cookie=st.binary(max_size=255),
        cipher_suites=st.lists(_u16, min_size=1, max_size=20).map(tuple),
        compression_methods=st.binary(min_size=1, max_size=3),
        extensions=_extensions,
    ),
    st.builds(
        m.ServerHello,
        version=_u16,
        random=_random,
        session_id=st.binary(max_size=32),
        cipher_suite=_u16,
        compression_method=st.integers(0, 255),
        extensions=_extensions,
    ),
    st.builds(m.HelloVerifyRequest, version=_u16, cookie=st.binary(max_size=255)),
    st.builds(m.CertificateMessage, certificates=st.lists(st.binary(min_size=1, max_size=50), max_size=4).map(tuple)),
    st.builds(
        m.ServerKeyExchange,
        group=_u16,
        public_key=st.binary(max_size=255),
        scheme=_u16,
        signature=st.binary(max_size=300),
    ),
    st.builds(
        m.CertificateRequest,
        certificate_types=st.lists(st.integers(0, 255), max_size=4).map(tuple),
        schemes=st.lists(_u16, max_size=10).map(tuple),
    ),
    st.builds(m.ClientKeyExchange, public_key=st.binary(max_size=255)),
    st.builds(m.CertificateVerify, scheme=_u16, signature=st.binary(max_size=300)),
)
_KINDS = (
    m.ClientHello,
    m.ServerHello,
    m.HelloVerifyRequest,
    m.CertificateMessage,
    m.ServerKeyExchange,
    m.CertificateRequest,
    m.ClientKeyExchange,
    m.CertificateVerify,
)


@_FAST
@given(message=_messages)
def test_every_message_is_read_as_it_was_written(message: Any) -> None:
    assert type(message).parse(message.serialize()) == message


@_FAST
@given(message=_messages, cuts=st.binary(max_size=6), at=st.integers(0, 400))
def test_damaged_messages_are_values_or_parse_errors(message: Any, cuts: bytes, at: int) -> None:
    body = message.serialize()
    damaged = body[:at] + cuts + body[at + len(cuts) :]
    for kind in _KINDS:
        try:
            again = kind.parse(damaged)
        except ParseError:
            continue
        assert kind.parse(again.serialize()) == again


@_FAST
@given(data=st.binary(max_size=200))
def test_any_bytes_are_records_and_fragments_or_parse_errors(data: bytes) -> None:
    at = 0
    try:
        while at < len(data):
            record, after = parse_record(data, at)
            assert after > at
            at = after
            m.parse_fragments(record.payload)
    except ParseError:
        pass  # the other allowed outcome


@st.composite
def _cut_messages(draw: st.DrawFn) -> tuple[list[bytes], list[m.Fragment]]:
    """A few messages, cut in fragments that overlap, repeated and shuffled; every byte is covered at least once."""
    bodies = draw(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
    fragments: list[m.Fragment] = []
    for seq, body in enumerate(bodies):
        size = len(body)
        points = sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=5))})
        spans = list(itertools.pairwise(points)) or [(0, 0)]
        for _ in range(draw(st.integers(0, 4))):
            begin = draw(st.integers(0, size))
            spans.append((begin, draw(st.integers(begin, size))))
        fragments += [m.Fragment(seq + 1, size, seq, start, body[start:end]) for start, end in spans]
    return bodies, draw(st.permutations(fragments))


@_FAST
@given(cut=_cut_messages(), data=st.data())
def test_messages_come_out_whole_and_in_order_however_they_were_cut(
    cut: tuple[list[bytes], list[m.Fragment]], data: st.DataObject
) -> None:
    bodies, fragments = cut
    repeats = data.draw(st.lists(st.sampled_from(fragments), max_size=5))
    box = Reassembler(max_message_bytes=100, max_bytes=1000)
    out: list[m.HandshakeMessage] = []
    for fragment in (*fragments, *repeats):
        outcome = box.push(fragment, 0)
        assert outcome in (Outcome.KEPT, Outcome.DUPLICATE, Outcome.OLD)
        while (message := box.pop()) is not None:
            out.append(message)
    assert [message.body for message in out] == bodies
    assert [message.message_seq for message in out] == list(range(len(bodies)))
    assert box.buffered_bytes == 0


@_FAST
@given(
    pushes=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 80), st.integers(0, 12), st.integers(0, 80), st.integers(0, 1)),
        max_size=60,
    )
)
def test_reassembly_is_bounded_whatever_is_claimed(pushes: list[tuple[int, int, int, int, int]]) -> None:
    box = Reassembler(max_message_bytes=60, max_bytes=120)
    for kind, length, seq, offset, epoch in pushes:
        offset = min(offset, length)
        box.push(m.Fragment(kind, length, seq, offset, bytes(min(5, length - offset))), epoch)
        assert 0 <= box.buffered_bytes <= 120
        box.pop()


@_FAST
@given(
    bodies=st.lists(st.binary(max_size=400), min_size=1, max_size=5),
    mtu=st.integers(96, 600),
    lost=st.sets(st.integers(0, 40)),
)
def test_what_the_outbox_cuts_the_reassembler_joins_even_over_several_transmissions(
    bodies: list[bytes], mtu: int, lost: set[int]
) -> None:
    outbox = Outbox(mtu=mtu, minimum_mtu=96, mtu_backoff_after=1, initial_timeout=0.1, max_timeout=1.0)
    outbox.start("test", [Item(0, outbox.message(11, body)) for body in bodies], timed=True)
    box = Reassembler(max_message_bytes=1000, max_bytes=10_000)
    sealer = PlainSealer()
    out: list[bytes] = []
    count = 0
    for _ in range(3):
        outbox.build({0: sealer}, 0.0)
        for datagram in outbox.take(10_000):
            assert len(datagram) <= mtu
            count += 1
            if count in lost:
                continue
            at = 0
            while at < len(datagram):
                record, at = parse_record(datagram, at)
                assert isinstance(record, Record)
                for fragment in m.parse_fragments(record.payload):
                    box.push(fragment, 0)
        while (message := box.pop()) is not None:
            out.append(message.body)
    outbox.build({0: sealer}, 0.0)
    for datagram in outbox.take(10_000):
        at = 0
        while at < len(datagram):
            record, at = parse_record(datagram, at)
            for fragment in m.parse_fragments(record.payload):
                box.push(fragment, 0)
    while (message := box.pop()) is not None:
        out.append(message.body)
    assert out == bodies
