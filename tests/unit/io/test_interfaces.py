"""Which addresses are usable, and which are used."""

from __future__ import annotations

import ipaddress

import pytest

from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.io import AddressPolicy, LocalAddress, local_addresses, select_addresses
from webrtc_stack.io.interfaces import parse_if_inet6, usable_addresses

LO4, LO6 = LocalAddress("lo", "127.0.0.1"), LocalAddress("lo", "::1")
WIRED, WIRELESS = LocalAddress("eth0", "192.0.2.1"), LocalAddress("wlan0", "198.51.100.1")
GLOBAL6, LINK6 = LocalAddress("eth0", "2001:db8::1"), LocalAddress("eth0", "fe80::1", 2)
AUTO4 = LocalAddress("eth0", "169.254.7.7")
ALL = [WIRED, AUTO4, GLOBAL6, LINK6, WIRELESS, LO4, LO6]


def test_by_default_global_addresses_are_used_and_loopback_is_not() -> None:
    assert select_addresses(ALL, AddressPolicy()) == [GLOBAL6, WIRED, WIRELESS]


def test_loopback_serves_when_there_is_nothing_else() -> None:
    assert select_addresses([LINK6, LO4, LO6], AddressPolicy()) == [LO6, LO4]
    assert select_addresses([LO4, LO6], AddressPolicy(include_loopback=False)) == []


def test_loopback_comes_last_when_it_is_wanted() -> None:
    assert select_addresses([LO4, WIRED], AddressPolicy(include_loopback=True)) == [WIRED, LO4]


def test_families_and_link_local_are_chosen_apart() -> None:
    assert select_addresses(ALL, AddressPolicy(ipv6=False)) == [WIRED, WIRELESS]
    assert select_addresses(ALL, AddressPolicy(ipv4=False)) == [GLOBAL6]
    assert select_addresses(ALL, AddressPolicy(link_local=True)) == [GLOBAL6, WIRED, LINK6, AUTO4, WIRELESS]


def test_interfaces_are_named_or_judged() -> None:
    assert select_addresses(ALL, AddressPolicy(interfaces={"wlan0"})) == [WIRELESS]
    assert select_addresses(ALL, AddressPolicy(interfaces=lambda name, host: host.startswith("192."))) == [WIRED]
    assert select_addresses(ALL, AddressPolicy(interfaces=["lo"])) == [LO6, LO4]


@pytest.mark.parametrize(
    ("sixes", "fours", "expected"),
    [
        (0, 3, "444"),
        (3, 0, "666"),
        (1, 1, "64"),
        (2, 2, "6464"),
        (2, 4, "644644"),
        (4, 2, "646664"),
        (1, 5, "644444"),
        (5, 1, "646666"),
    ],
)
def test_families_alternate_so_that_neither_holds_the_other_up(sixes: int, fours: int, expected: str) -> None:
    addresses = [LocalAddress("eth0", f"10.0.0.{index}") for index in range(fours)]
    addresses += [LocalAddress("eth0", f"2001:db8::{index}") for index in range(1, sixes + 1)]
    chosen = select_addresses(addresses, AddressPolicy())
    assert "".join("6" if ":" in one.host else "4" for one in chosen) == expected
    for ipv6 in (True, False):
        assert [one for one in chosen if (":" in one.host) is ipv6] == [
            one for one in addresses if (":" in one.host) is ipv6
        ], "within a family the order is the one given"


def test_the_limit_leaves_something_of_both_families() -> None:
    addresses = [LocalAddress("eth0", f"10.0.0.{index}") for index in range(30)]
    chosen = select_addresses([*addresses, GLOBAL6, LO4], AddressPolicy(limit=4, include_loopback=True))
    assert chosen == [GLOBAL6, *addresses[:3]]


def test_interfaces_that_are_down_have_no_usable_address() -> None:
    assert usable_addresses([WIRED, WIRELESS, LO4], {}, down={"wlan0"}) == [WIRED, LO4]


def test_an_address_in_use_stays_while_it_can_be_used() -> None:
    table = parse_if_inet6(
        [
            "20010db8000000000000000000000001 02 40 00 80     eth0",
            "20010db800000000aaaabbbbccccdddd 02 40 00 21     eth0",
            "20010db800000000aaaabbbbcccceeee 02 40 00 01     eth0",
            "20010db8000000000000000000000009 02 40 00 08     eth0",
        ]
    )
    found = [WIRED, *(LocalAddress("eth0", host) for host in table)]
    fresh = LocalAddress("eth0", "2001:db8::aaaa:bbbb:cccc:eeee")
    old = LocalAddress("eth0", "2001:db8::aaaa:bbbb:cccc:dddd")
    assert usable_addresses(found, table) == [WIRED, fresh]
    assert usable_addresses(found, table, in_use=[old.host]) == [WIRED, fresh, old]
    assert usable_addresses(found, table, in_use=["2001:db8::9"]) == [WIRED, fresh], "its check for duplicates failed"


def test_the_number_of_sockets_has_a_limit() -> None:
    many = [LocalAddress(f"br{index}", f"10.0.{index}.1") for index in range(50)]
    assert len(select_addresses(many, AddressPolicy())) == 16
    assert select_addresses(many, AddressPolicy(limit=2)) == many[:2]


def test_policies_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="collection"):
        AddressPolicy(interfaces="eth0")
    with pytest.raises(InvalidArgumentError, match="limit"):
        AddressPolicy(limit=0)


def test_only_unicast_addresses_are_usable_each_once_and_in_one_order() -> None:
    found = [
        LO6,
        LocalAddress("eth0", "0.0.0.0"),
        LocalAddress("eth0", "255.255.255.255"),
        LocalAddress("eth0", "224.0.0.1"),
        LocalAddress("eth0", "ff02::1"),
        LocalAddress("eth0", "fec0::1"),
        LocalAddress("eth0", "::ffff:192.0.2.1"),
        LocalAddress("eth0", "not an address"),
        LocalAddress("eth0", "FE80::1%eth0", 2),
        LocalAddress("eth0", "2001:DB8::1", 9),
        WIRED,
        WIRED,
        LO4,
    ]
    expected = [WIRED, GLOBAL6, LINK6, LO4, LO6]
    assert usable_addresses(found, {}) == expected
    assert usable_addresses(reversed(found), {}) == expected


def test_a_temporary_address_hides_its_stable_sibling() -> None:
    table = parse_if_inet6(
        [
            "20010db8000000000000000000000001 02 40 00 80     eth0",
            "20010db800000000aaaabbbbccccdddd 02 40 00 01     eth0",
            "20010db8000100000000000000000001 02 40 00 80     eth0",
            "20010db8000200000000000000000001 02 40 00 40     eth0",
            "20010db8000300000000000000000001 02 40 00 21     eth0",
            "a line of some later kernel",
            "",
        ]
    )
    found = [LocalAddress("eth0", host) for host in table]
    assert [address.host for address in usable_addresses(found, table)] == [
        "2001:db8::aaaa:bbbb:cccc:dddd",
        "2001:db8:1::1",
    ]


def test_this_machines_addresses_are_usable_and_stable() -> None:
    addresses = local_addresses()
    assert addresses == local_addresses()
    assert len({(address.host, address.scope_id) for address in addresses}) == len(addresses)
    assert any(ipaddress.ip_address(address.host).is_loopback for address in addresses)
