"""Reader and Writer: bounded, big-endian."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc_stack.base import Reader, Writer
from webrtc_stack.errors import InvalidArgumentError, ParseError

SIZES = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u48": 6, "u64": 8}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_integers_are_read_in_network_order(name: str, size: int) -> None:
    data = bytes(range(1, size + 1))
    reader = Reader(data)
    assert getattr(reader, name)() == int.from_bytes(data, "big")
    assert not reader
    reader = Reader(memoryview(data[:-1]))
    with pytest.raises(ParseError) as caught:
        getattr(reader, name)("thing.length")
    assert caught.value.field == "thing.length"
    assert caught.value.offset == 0
    assert reader.remaining == size - 1, "a refused read moves nothing"


@given(st.lists(st.tuples(st.sampled_from(sorted(SIZES.items())), st.integers(0, 2**64 - 1)), max_size=20))
def test_what_is_written_is_read_again(items: list[tuple[tuple[str, int], int]]) -> None:
    writer = Writer()
    values = [(name, value % (1 << 8 * size)) for (name, size), value in items]
    for name, value in values:
        getattr(writer, name)(value)
    assert len(writer) == sum(SIZES[name] for name, _ in values)
    reader = Reader(writer.getvalue())
    assert [getattr(reader, name)() for name, _ in values] == [value for _, value in values]
    reader.expect_end()


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_an_integer_that_does_not_fit_is_refused(name: str, size: int) -> None:
    with pytest.raises(InvalidArgumentError):
        getattr(Writer(), name)(1 << 8 * size)
    with pytest.raises(InvalidArgumentError):
        getattr(Writer(), name)(-1)


def test_vectors_carry_their_length_and_lie_within_the_input() -> None:
    data = Writer().vector8(b"a").vector16(b"bc").vector24(b"def").getvalue()
    assert data == b"\x01a\x00\x02bc\x00\x00\x03def"
    reader = Reader(data)
    assert (reader.vector8(), reader.vector16(), reader.vector24()) == (b"a", b"bc", b"def")
    with pytest.raises(ParseError):
        Reader(b"\x05abc").vector8()
    with pytest.raises(InvalidArgumentError):
        Writer().vector8(bytes(256))


def test_a_sub_reader_ends_where_it_should_and_keeps_absolute_offsets() -> None:
    reader = Reader(b"0123456789", 2, 9)
    sub = reader.sub(4)
    assert sub.take(3) == b"234"
    assert reader.take(1) == b"6"
    with pytest.raises(ParseError) as caught:
        sub.u16("inner")
    assert caught.value.offset == 5
    assert sub.rest() == b"5"
    reader.skip(1)
    assert reader.remaining == 1
    with pytest.raises(ParseError, match="1 bytes too many in outer"):
        reader.expect_end("outer")


def test_a_negative_count_is_refused_like_one_too_large() -> None:
    reader = Reader(b"abc")
    with pytest.raises(ParseError):
        reader.take(-1)
    with pytest.raises(ParseError):
        reader.sub(4)


def test_length_prefixes_are_filled_in_afterwards_and_nest() -> None:
    writer = Writer()
    with writer.length_prefix(2):
        writer.raw(b"ab")
        with writer.length_prefix(1):
            writer.raw(b"cde")
    assert writer.getvalue() == b"\x00\x06ab\x03cde"
    with pytest.raises(InvalidArgumentError), writer.length_prefix(1):
        writer.raw(bytes(256))


def test_padding_goes_to_the_next_multiple_and_not_beyond() -> None:
    assert Writer().raw(b"abcde").pad_to(4).getvalue() == b"abcde\0\0\0"
    assert Writer().raw(b"abcd").pad_to(4, 0xFF).getvalue() == b"abcd"
