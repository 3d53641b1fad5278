"""Addresses and the table of paths."""

from __future__ import annotations

import pytest

from webrtc_stack.base import Address, PathTable, SocketId, canonical_ip
from webrtc_stack.errors import InvalidArgumentError

SOCKET = SocketId(1)


def remote(port: int) -> Address:
    return Address("192.0.2.1", port)


def test_an_address_reads_as_people_write_it() -> None:
    assert str(Address("192.0.2.1", 5)) == "192.0.2.1:5"
    assert str(Address("2001:db8::1", 5)) == "[2001:db8::1]:5"
    assert Address("::1", 1).is_ipv6
    assert not remote(1).is_ipv6


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_ip_literals_have_one_form(text: str, canonical: str) -> None:
    assert canonical_ip(text) == canonical


@pytest.mark.parametrize("text", ["example.org", "", "192.0.2.256", "1.2.3", "192.0.2.1:5", "[::1]"])
def test_what_is_no_ip_literal_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        canonical_ip(text)


def test_a_path_keeps_its_identifier() -> None:
    table = PathTable()
    first, second = table.intern(SOCKET, remote(1)), table.intern(SOCKET, remote(2))
    assert first != second
    assert table.intern(SOCKET, remote(1)) == first
    assert table.intern(SocketId(2), remote(1)) not in (first, second)
    found = table.lookup(first)
    assert found is not None
    assert (found.socket, found.remote) == (SOCKET, remote(1))


def test_a_full_table_forgets_the_oldest_path_nobody_pinned_and_reuses_no_identifier() -> None:
    table = PathTable(limit=3)
    ids = [table.intern(SOCKET, remote(port)) for port in range(3)]
    table.pin(ids[0])
    newer = table.intern(SOCKET, remote(10))
    assert len(table) == 3
    assert table.lookup(ids[0]) is not None
    assert table.lookup(ids[1]) is None
    again = table.intern(SOCKET, remote(1))
    assert again not in (*ids, newer)


def test_pins_are_counted() -> None:
    table = PathTable(limit=1)
    kept = table.intern(SOCKET, remote(1))
    table.pin(kept)
    table.pin(kept)
    table.unpin(kept)
    table.intern(SOCKET, remote(2))
    assert table.lookup(kept) is not None
    table.unpin(kept)
    table.unpin(kept)  # one more than there were is harmless
    table.intern(SOCKET, remote(3))
    assert table.lookup(kept) is None


def test_a_million_spoofed_sources_do_not_grow_the_table() -> None:
    table = PathTable(limit=64)
    for number in range(20_000):
        table.intern(SOCKET, Address(f"198.51.{number >> 8 & 255}.{number & 255}", number % 65535))
    assert len(table) == 64
