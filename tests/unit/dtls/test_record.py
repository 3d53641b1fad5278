"""Record headers of both versions."""

from __future__ import annotations

import pytest

from webrtc_stack.dtls.record import Record, UnifiedRecord, parse_record, serialize_record
from webrtc_stack.errors import ParseError


def test_a_record_is_read_as_it_was_written() -> None:
    data = serialize_record(22, 0xFEFD, 1 << 48 | 7, b"payload")
    record, end = parse_record(data)
    assert record == Record(22, 0xFEFD, 1 << 48 | 7, b"payload")
    assert isinstance(record, Record)
    assert (record.epoch, record.sequence, end) == (1, 7, len(data))


def test_several_records_of_a_datagram_are_read_one_after_the_other() -> None:
    data = serialize_record(20, 0xFEFD, 3, b"\x01") + serialize_record(22, 0xFEFD, 4, b"x")
    _, middle = parse_record(data)
    second, end = parse_record(data, middle)
    assert isinstance(second, Record)
    assert (second.content_type, second.payload, end) == (22, b"x", len(data))


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_record_cut_off_anywhere_is_refused(cut: int) -> None:
    data = serialize_record(22, 0xFEFD, 0, b"payload")
    with pytest.raises(ParseError):
        parse_record(data[:-cut])


def test_a_unified_header_is_told_by_its_first_byte() -> None:
    record, end = parse_record(b"\x2e\x12\x34\x00\x03abc" + b"next")
    assert record == UnifiedRecord(2, b"\x12\x34", b"\x2e\x12\x34\x00\x03", b"abc")
    assert end == 8


def test_a_unified_header_without_length_reaches_to_the_end_of_the_datagram() -> None:
    record, end = parse_record(b"\x23\x12abcdef")
    assert record == UnifiedRecord(3, b"\x12", b"\x23\x12", b"abcdef")
    assert end == 8


@pytest.mark.parametrize("data", [b"\x30\x00\x00", b"\x2c\x00", b"\x2c\x00\x00\x00\x05abc", b"\x28\x00"])
def test_a_unified_header_that_cannot_be_measured_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_record(data)
