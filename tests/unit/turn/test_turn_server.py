"""The server: each method and each error code, permissions and channels in time, quotas, streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.calls import count_calls
from webrtc_stack.base import NEVER, Address, Datagram, PathId
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError
from webrtc_stack.stun import (
    Attribute,
    AttributeType,
    Message,
    MessageClass,
    Method,
    PasswordAlgorithm,
    long_term_key,
    user_hash,
)
from webrtc_stack.turn import (
    AllocationClosed,
    AllocationOpened,
    CloseClient,
    EndReason,
    OpenRelay,
    PeerPolicy,
    ServerClosed,
    TurnServer,
    TurnServerConfig,
    time_limited_password,
)

from .harness import CLIENT, PASSWORD, PEER, PEER6, USER, RelayingServer, server_config

A = AttributeType
UDP = Attribute(A.REQUESTED_TRANSPORT, bytes((17, 0, 0, 0)))
OTHER = Address("203.0.113.8", 1234)


class Asker:
    """A client by hand: every request as wrong as a test wants it."""

    def __init__(self, server: RelayingServer, address: Address = CLIENT, name: str = USER, password: str = PASSWORD):
        self.server = server
        self.path = server.client_path(address)
        self.name, self.password = name, password
        self.realm, self.nonce = "example.org", ""
        self.count = 0
        self.last = b""

    def send(self, data: bytes, now: float = 0.0) -> list[Message | bytes]:
        self.last = data
        self.server.receive(Datagram(self.path, data), now)
        sent = [one.data for one in self.server.poll_transmits(now, 1000) if one.path == self.path]
        return [Message.parse(data) if data[0] < 4 else data for data in sent]

    def build(self, method: Method, *attributes: Attribute) -> Message:
        self.count += 1
        return Message(
            method=method,
            message_class=MessageClass.REQUEST,
            transaction_id=self.path.to_bytes(4, "big") + self.count.to_bytes(8, "big"),
            attributes=attributes,
        )

    def bare(self, method: Method, *attributes: Attribute, now: float = 0.0) -> Message:
        """Without credentials."""
        (response,) = self.send(self.build(method, *attributes).serialize(), now)
        assert isinstance(response, Message)
        return response

    def ask(self, method: Method, *attributes: Attribute, now: float = 0.0) -> Message:
        """With credentials of the older kind; the nonce is fetched first."""
        if not self.nonce:
            self.nonce = self.bare(Method.REFRESH, now=now).nonce or ""
        who = (Attribute(A.USERNAME, self.name), Attribute(A.REALM, self.realm), Attribute(A.NONCE, self.nonce))
        key = long_term_key(self.name, self.realm, self.password)
        (response,) = self.send(self.build(method, *attributes, *who).serialize(key), now)
        assert isinstance(response, Message)
        if response.error is None or response.error.code not in (400, 401, 438):
            assert response.verify(key), "what is answered to a proven request is protected"
        return response

    def allocate(self, now: float = 0.0) -> Address:
        relayed = self.ask(Method.ALLOCATE, UDP, now=now).get(A.XOR_RELAYED_ADDRESS)
        assert isinstance(relayed, Address)
        return relayed

    def permit(self, *peers: Address, now: float = 0.0) -> int:
        response = self.ask(Method.CREATE_PERMISSION, *(Attribute(A.XOR_PEER_ADDRESS, one) for one in peers), now=now)
        return 0 if response.error is None else response.error.code

    def bind(self, number: int, peer: Address, now: float = 0.0) -> int:
        attributes = (Attribute(A.CHANNEL_NUMBER, number), Attribute(A.XOR_PEER_ADDRESS, peer))
        response = self.ask(Method.CHANNEL_BIND, *attributes, now=now)
        return 0 if response.error is None else response.error.code

    def indicate(self, peer: Address, data: bytes, now: float = 0.0, *more: Attribute) -> None:
        attributes = (Attribute(A.XOR_PEER_ADDRESS, peer), Attribute(A.DATA, data), *more)
        message = Message(
            method=Method.SEND, message_class=MessageClass.INDICATION, transaction_id=bytes(12), attributes=attributes
        )
        assert self.send(message.serialize(), now) == []


def code(message: Message) -> int:
    return 0 if message.error is None else message.error.code


@pytest.fixture
def asker() -> Asker:
    return Asker(RelayingServer(server_config()))


def reached(server: RelayingServer) -> list[bytes]:
    return [data for _, _, data in server.to_peers]


# --- credentials ----------------------------------------------------------------------------------------------------


def test_the_first_request_is_challenged(asker: Asker) -> None:
    response = asker.bare(Method.ALLOCATE, UDP)
    assert code(response) == 401
    assert response.realm == "example.org"
    assert (response.nonce or "").startswith("obMatJos2wAAA"), "both features"
    assert response.get(A.PASSWORD_ALGORITHMS) == (PasswordAlgorithm(2), PasswordAlgorithm(1))
    assert not response.has_integrity
    assert A.SOFTWARE not in response, "short, because the sender may be made up"


def test_credentials_that_lack_a_part_are_a_bad_request(asker: Asker) -> None:
    nonce = asker.bare(Method.REFRESH).nonce or ""
    parts = (Attribute(A.USERNAME, USER), Attribute(A.REALM, "example.org"), Attribute(A.NONCE, nonce))
    key = long_term_key(USER, "example.org", PASSWORD)
    for missing in range(3):
        message = asker.build(Method.ALLOCATE, UDP, *parts[:missing], *parts[missing + 1 :])
        (response,) = asker.send(message.serialize(key))
        assert isinstance(response, Message)
        assert code(response) == 400


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password": "wrong"}, 401),
        ({"name": "mallory"}, 401),
        ({"realm": "elsewhere"}, 401),
        ({"nonce": "made up"}, 438),
        ({"nonce": "obMatJos2wAAA00000000AAAAAAAAAAAAAAAA"}, 438),
        ({"nonce": "obMatJos2wAAA\udcff\udcff"}, 438),
        ({"name": "bad\x01name"}, 401),
        ({"name": "1999999999:x\udcff"}, 401),
    ],
)
def test_wrong_credentials_get_their_code(changes: dict[str, str], expected: int) -> None:
    asker = Asker(RelayingServer(server_config(shared_secret="s")))
    asker.nonce = asker.bare(Method.REFRESH).nonce or ""
    who = {"name": USER, "password": PASSWORD, "realm": "example.org", "nonce": asker.nonce} | changes
    key = long_term_key("a", "b", "c") if not who["name"].isprintable() else None
    key = key or long_term_key(who["name"], who["realm"], who["password"])
    attributes = (
        Attribute(A.USERNAME, who["name"]),
        Attribute(A.REALM, who["realm"]),
        Attribute(A.NONCE, who["nonce"]),
    )
    (response,) = asker.send(asker.build(Method.ALLOCATE, UDP, *attributes).serialize(key))
    assert isinstance(response, Message)
    assert code(response) == expected
    assert response.nonce
    assert asker.server.allocations == []


def test_a_nonce_ends_with_its_time(asker: Asker) -> None:
    asker.allocate(0.0)
    assert code(asker.ask(Method.REFRESH, now=599.0)) == 0
    response = asker.ask(Method.REFRESH, now=602.0)
    assert code(response) == 438
    asker.nonce = response.nonce or ""
    assert code(asker.ask(Method.REFRESH, now=602.0)) == 0


def test_a_nonce_serves_one_address_only(asker: Asker) -> None:
    asker.allocate()
    thief = Asker(asker.server, OTHER)
    thief.nonce = asker.nonce
    assert code(thief.ask(Method.ALLOCATE, UDP)) == 438
    assert len(asker.server.allocations) == 1


def test_a_request_replayed_from_elsewhere_does_nothing(asker: Asker) -> None:
    asker.allocate()
    Asker(asker.server, OTHER).send(asker.last)
    assert asker.server.drops["stale or foreign nonce"] == 1
    assert len(asker.server.allocations) == 1


def test_sha256_with_a_hashed_name(asker: Asker) -> None:
    nonce = asker.bare(Method.REFRESH).nonce or ""
    algorithms = (PasswordAlgorithm(2), PasswordAlgorithm(1))
    who: tuple[Attribute, ...] = (
        Attribute(A.USERHASH, user_hash(USER, "example.org")),
        Attribute(A.REALM, "example.org"),
        Attribute(A.NONCE, nonce),
        Attribute(A.PASSWORD_ALGORITHMS, algorithms),
        Attribute(A.PASSWORD_ALGORITHM, algorithms[0]),
    )
    key = long_term_key(USER, "example.org", PASSWORD, "sha256")
    (response,) = asker.send(asker.build(Method.ALLOCATE, UDP, *who).serialize(key, "sha256"))
    assert isinstance(response, Message)
    assert code(response) == 0
    assert A.MESSAGE_INTEGRITY_SHA256 in response
    assert response.verify(key)
    shortened = (
        *who[:3],
        Attribute(A.PASSWORD_ALGORITHMS, algorithms[1:]),
        Attribute(A.PASSWORD_ALGORITHM, algorithms[1]),
    )
    weak = long_term_key(USER, "example.org", PASSWORD)
    (response,) = asker.send(asker.build(Method.REFRESH, *shortened).serialize(weak, "sha256"))
    assert isinstance(response, Message)
    assert code(response) == 400, "somebody shortened the list on its way"
    unknown = (Attribute(A.USERHASH, bytes(32)), *who[1:])
    (response,) = asker.send(asker.build(Method.REFRESH, *unknown).serialize(key, "sha256"))
    assert isinstance(response, Message)
    assert code(response) == 401


def test_time_limited_users() -> None:
    config = server_config(users={}, shared_secret="shared", wall_epoch=1_000_000.0)
    for expiry, expected in ((1_000_600, 0), (999_999, 401)):
        name = f"{expiry}:carol"
        asker = Asker(RelayingServer(config), name=name, password=time_limited_password(name, "shared"))
        assert code(asker.ask(Method.ALLOCATE, UDP)) == expected
    name = "1000600:carol"
    asker = Asker(RelayingServer(config), name=name, password=time_limited_password(name, "shared"))
    asker.allocate()
    assert code(asker.ask(Method.REFRESH, now=590.0)) == 0
    asker.nonce = ""
    assert code(asker.ask(Method.REFRESH, now=601.0)) == 401, "its time is over, though the nonce is fresh"


def test_anybody_where_that_is_wanted() -> None:
    asker = Asker(RelayingServer(server_config(users={}, anonymous=True)))
    assert code(asker.bare(Method.ALLOCATE, UDP)) == 0
    with pytest.raises(InvalidArgumentError):
        TurnServerConfig()


# --- Allocate -------------------------------------------------------------------------------------------------------

IPV6 = bytes((2, 0, 0, 0))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ((), 400),
        ((Attribute(A.REQUESTED_TRANSPORT, bytes((6, 0, 0, 0))),), 442),
        ((Attribute(A.REQUESTED_TRANSPORT, b"\x11"),), 400),
        ((UDP, Attribute(A.REQUESTED_ADDRESS_FAMILY, IPV6)), 440),
        ((UDP, Attribute(A.REQUESTED_ADDRESS_FAMILY, bytes((9, 0, 0, 0)))), 440),
        ((UDP, Attribute(A.REQUESTED_ADDRESS_FAMILY, IPV6), Attribute(A.ADDITIONAL_ADDRESS_FAMILY, IPV6)), 400),
        ((UDP, Attribute(A.ADDITIONAL_ADDRESS_FAMILY, bytes((1, 0, 0, 0)))), 400),
        ((UDP, Attribute(A.EVEN_PORT, b"\x80")), 508),
        ((UDP, Attribute(A.RESERVATION_TOKEN, bytes(8))), 508),
        ((UDP, Attribute(A.RESERVATION_TOKEN, bytes(8)), Attribute(A.EVEN_PORT, b"\x00")), 400),
        ((UDP, Attribute(A.DONT_FRAGMENT)), 420),
        ((UDP, Attribute(0x7F00, b"what")), 420),
        ((UDP, Attribute(0xFF00, b"what")), 0),
        ((UDP, Attribute(A.EVEN_PORT, b"\x00")), 0),
    ],
)
def test_an_allocation_that_cannot_be_is_refused(asker: Asker, attributes: Sequence[Attribute], expected: int) -> None:
    response = asker.ask(Method.ALLOCATE, *attributes)
    assert code(response) == expected
    assert len(asker.server.allocations) == (not expected)
    if expected == 420:
        assert response.get(A.UNKNOWN_ATTRIBUTES)
    if A.EVEN_PORT in [one.type for one in attributes] and not expected:
        relayed = response.get(A.XOR_RELAYED_ADDRESS)
        assert isinstance(relayed, Address)
        assert relayed.port % 2 == 0


@pytest.mark.parametrize(("wanted", "granted"), [(None, 600), (1, 600), (1200, 1200), (10**6, 3600)])
def test_a_lifetime_has_bounds(asker: Asker, wanted: int | None, granted: int) -> None:
    attributes = () if wanted is None else (Attribute(A.LIFETIME, wanted),)
    assert asker.ask(Method.ALLOCATE, UDP, *attributes).get(A.LIFETIME) == granted
    asker.server.handle_timeout(granted - 0.5)
    assert len(asker.server.allocations) == 1
    asker.server.handle_timeout(granted + 0.5)
    assert asker.server.allocations == []
    assert asker.server.relays == {}
    assert isinstance(asker.server.poll_events()[-1], AllocationClosed)


def test_ports_are_tried_and_then_given_up(asker: Asker) -> None:
    asker.server.refuse_ports = 7
    asker.allocate()
    assert asker.server.drops["relay port refused"] == 7
    other = Asker(asker.server, OTHER)
    asker.server.refuse_ports = 8
    assert code(other.ask(Method.ALLOCATE, UDP)) == 508
    assert len(asker.server._ports) == 1
    assert asker.server._per_host == {CLIENT.host: 1}


def test_a_driver_that_never_opens_is_not_waited_for(asker: Asker) -> None:
    asker.ask(Method.REFRESH)
    asker.server.silent = True
    with pytest.raises(ValueError, match="not enough"):
        asker.ask(Method.ALLOCATE, UDP)
    assert asker.send(asker.last) == [], "a repetition changes nothing"
    asker.server.handle_timeout(5.0)
    (answered,) = asker.server.poll_transmits(5.0)
    assert code(Message.parse(answered.data)) == 508
    assert (asker.server._opening, asker.server._ports, asker.server._per_user) == ({}, set(), {})


def test_a_repetition_gets_the_same_bytes_and_does_nothing_twice(asker: Asker) -> None:
    asker.allocate()
    (first,) = asker.send(asker.last)
    (second,) = asker.send(asker.last)
    assert isinstance(first, Message) and isinstance(second, Message)
    assert first.raw == second.raw
    assert code(first) == 0
    assert asker.server.counters.allocations == 1
    assert asker.server.counters.cached == 2
    asker.ask(Method.REFRESH, Attribute(A.LIFETIME, 0))
    (again,) = asker.send(asker.last)
    assert isinstance(again, Message)
    assert code(again) == 0, "not 437: the release was answered before"


def test_one_address_has_one_allocation(asker: Asker) -> None:
    asker.allocate()
    assert code(asker.ask(Method.ALLOCATE, UDP)) == 437


def test_an_allocation_is_its_users_own(asker: Asker) -> None:
    asker.allocate()
    bob = Asker(asker.server, name="bob", password="other")
    for method in (Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND):
        assert code(bob.ask(method, Attribute(A.LIFETIME, 0))) == 441
    assert len(asker.server.allocations) == 1


@pytest.mark.parametrize("method", [Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND])
def test_without_an_allocation_there_is_nothing_to_change(asker: Asker, method: Method) -> None:
    assert code(asker.ask(method)) == 437


def test_quotas() -> None:
    server = RelayingServer(
        server_config(
            max_allocations_per_user=2,
            max_allocations_per_host=3,
            max_allocations=4,
            users={
                "a": "1",
                "b": "2",
                "c": "3",
                "d": "4",
            },
        )
    )

    def allocate(host: str, port: int, name: str) -> int:
        asker = Asker(server, Address(host, port), name, str(" abcd".index(name)))
        return code(asker.ask(Method.ALLOCATE, UDP))

    assert [allocate("203.0.113.1", port, "a") for port in (1, 2, 3)] == [0, 0, 486]
    assert [allocate("203.0.113.1", port, "b") for port in (4, 5)] == [0, 486]
    assert [allocate("203.0.113.2", port, "c") for port in (1, 2)] == [0, 508]
    server.handle_timeout(601.0)
    assert (server._per_user, server._per_host, server._ports) == ({}, {}, set())


# --- permissions and channels ---------------------------------------------------------------------------------------


def test_nothing_passes_without_a_permission(asker: Asker) -> None:
    asker.allocate()
    asker.indicate(PEER, b"out")
    asker.server.from_peer([b"in"], 0.0)
    assert (asker.server.to_peers, asker.server.poll_transmits(0.0)) == ([], [])
    assert asker.permit(PEER) == 0
    asker.indicate(Address(PEER.host, 9), b"out")
    assert reached(asker.server) == [b"out"], "a permission is for the host, whatever its port"
    asker.server.from_peer([b"in"], 299.0)
    (arrived,) = asker.server.poll_transmits(299.0)
    message = Message.parse(arrived.data)
    assert (message.method, message.get(A.XOR_PEER_ADDRESS), message.get(A.DATA)) == (Method.DATA, PEER, b"in")
    asker.server.from_peer([b"late"], 301.0)
    asker.indicate(PEER, b"late", 301.0)
    assert asker.server.poll_transmits(301.0) == []
    assert len(asker.server.to_peers) == 1


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ((), 400),
        ((PEER6,), 443),
        ((PEER, Address("127.0.0.1", 22)), 403),
        ((Address("224.0.0.1", 1),), 403),
    ],
)
def test_a_permission_that_cannot_be_is_refused_as_a_whole(
    asker: Asker, peers: Sequence[Address], expected: int
) -> None:
    asker.allocate()
    assert asker.permit(*peers) == expected
    asker.indicate(PEER, b"x")
    assert asker.server.to_peers == []


def test_a_channel_saves_bytes_both_ways(asker: Asker) -> None:
    asker.allocate()
    assert asker.bind(0x4001, PEER) == 0
    assert asker.send(b"\x40\x01\x00\x03out padding") == []
    assert reached(asker.server) == [b"out"]
    asker.server.from_peer([b"in", b"again"], 0.0)
    assert [one.data for one in asker.server.poll_transmits(0.0)] == [b"\x40\x01\x00\x02in", b"\x40\x01\x00\x05again"]
    for junk in (b"\x40\x02\x00\x00", b"\x40\x01\x00\xffx"):
        assert asker.send(junk) == []
    assert len(asker.server.to_peers) == 1


@pytest.mark.parametrize(
    ("number", "peer", "expected"),
    [
        (0x3FFF, PEER, 400),
        (0x8000, PEER, 400),
        (0x7FFF, PEER, 0),
        (0x4001, Address(PEER.host, 6), 400),
        (0x4002, PEER, 400),
        (0x4001, PEER, 0),
        (0x4002, PEER6, 443),
        (0x4002, Address("10.0.0.1", 1), 403),
        (0x4002, Address("203.0.113.60", 0), 403),
    ],
)
def test_a_channel_that_cannot_be_is_refused(asker: Asker, number: int, peer: Address, expected: int) -> None:
    asker.allocate()
    if number != 0x7FFF:
        assert asker.bind(0x4001, PEER) == 0
    assert asker.bind(number, peer) == expected


def test_a_channel_ends_after_ten_minutes_and_its_permission_after_five(asker: Asker) -> None:
    asker.ask(Method.ALLOCATE, UDP, Attribute(A.LIFETIME, 3600))
    asker.bind(0x4001, PEER)
    asker.send(b"\x40\x01\x00\x01a", 299.0)
    asker.send(b"\x40\x01\x00\x01b", 301.0)
    assert reached(asker.server) == [b"a"]
    assert asker.permit(PEER, now=500.0) == 0
    asker.send(b"\x40\x01\x00\x01c", 599.0)
    asker.send(b"\x40\x01\x00\x01d", 601.0)
    assert reached(asker.server) == [b"a", b"c"]
    asker.nonce = ""
    assert asker.bind(0x4001, Address(PEER.host, 9), now=601.0) == 0, "the number is free again"


def test_permissions_and_channels_have_limits() -> None:
    asker = Asker(RelayingServer(server_config(max_permissions=2, max_channels=2)))
    asker.ask(Method.ALLOCATE, UDP, Attribute(A.LIFETIME, 3600))
    peers = [Address(f"203.0.113.{number}", 7) for number in range(1, 5)]
    assert [asker.permit(one) for one in peers[:3]] == [0, 0, 508]
    assert [asker.bind(0x4000 + n, Address(peers[0].host, n)) for n in (1, 2, 3)] == [0, 0, 508]
    assert asker.permit(peers[3], now=301.0) == 0, "those that ran out make room"
    asker.nonce = ""
    assert asker.bind(0x4003, peers[3], now=601.0) == 0


def test_what_an_indication_must_have(asker: Asker) -> None:
    asker.allocate()
    asker.permit(PEER)
    asker.indicate(PEER, b"x", 0.0, Attribute(A.DONT_FRAGMENT))
    asker.indicate(PEER, b"x", 0.0, Attribute(0x7F00, b""))
    asker.indicate(Address(PEER.host, 0), b"x")
    for attributes in ((), (Attribute(A.XOR_PEER_ADDRESS, PEER),), (Attribute(A.DATA, b"x"),)):
        message = Message(
            method=Method.SEND, message_class=MessageClass.INDICATION, transaction_id=bytes(12), attributes=attributes
        )
        assert asker.send(message.serialize()) == []
    assert asker.server.to_peers == []
    Asker(asker.server, OTHER).indicate(PEER, b"x")
    assert asker.server.to_peers == []
    assert asker.server.drops["indication without allocation"] == 1


def test_bandwidth_is_kept_to() -> None:
    asker = Asker(RelayingServer(server_config(bytes_per_second=1000.0)))
    asker.allocate()
    asker.permit(PEER)
    for number in range(20):
        asker.indicate(PEER, bytes(100), number / 100)
    assert len(asker.server.to_peers) == 11
    asker.server.from_peer([bytes(100)] * 20, 1.0)
    assert len(asker.server.poll_transmits(1.0)) == 9
    assert asker.server.drops["over bandwidth"] == 20


# --- refresh, release, end ------------------------------------------------------------------------------------------


def test_a_refresh_moves_the_end(asker: Asker) -> None:
    asker.allocate()
    assert asker.ask(Method.REFRESH, Attribute(A.LIFETIME, 3600), now=500.0).get(A.LIFETIME) == 3600
    asker.server.handle_timeout(601.0)
    assert len(asker.server.allocations) == 1
    asker.nonce = ""
    asker.ask(Method.REFRESH, now=700.0)
    asker.server.handle_timeout(1299.0)
    assert len(asker.server.allocations) == 1
    asker.server.handle_timeout(1301.0)
    assert asker.server.allocations == []
    assert len(asker.server._expiries) <= 1


def test_a_refresh_of_a_family_that_is_not_there(asker: Asker) -> None:
    asker.allocate()
    assert code(asker.ask(Method.REFRESH, Attribute(A.REQUESTED_ADDRESS_FAMILY, IPV6))) == 443


def test_a_release_frees_everything(asker: Asker) -> None:
    asker.allocate()
    asker.permit(PEER)
    asker.indicate(PEER, b"12345")
    assert asker.ask(Method.REFRESH, Attribute(A.LIFETIME, 0)).get(A.LIFETIME) == 0
    opened, closed = asker.server.poll_events()
    assert isinstance(opened, AllocationOpened)
    assert isinstance(closed, AllocationClosed)
    assert (closed.reason, closed.bytes_to_peers, closed.username) == (EndReason.RELEASED, 5, USER)
    assert asker.server.relays == {}
    assert asker.server.next_timeout() == pytest.approx(600.0), "an old look at the clock, and then nothing"
    asker.server.handle_timeout(600.0)
    assert asker.server.next_timeout() == NEVER


def test_allocations_that_come_and_go_leave_nothing_behind(asker: Asker) -> None:
    for number in range(500):
        asker.nonce = ""
        asker.allocate(now=float(number) / 10)
        asker.ask(Method.REFRESH, Attribute(A.LIFETIME, 0), now=float(number) / 10)
    assert asker.server.allocations == []
    assert len(asker.server._expiries) <= 66


def test_closing_ends_everything_once(asker: Asker) -> None:
    asker.allocate()
    asker.server.stream_opened(PathId(50), 0.0)
    asker.server.close(0.0)
    asker.server.close(0.0)
    events = asker.server.poll_events()
    assert [type(one) for one in events] == [AllocationOpened, AllocationClosed, CloseClient, ServerClosed]
    with pytest.raises(InvalidStateError):
        asker.server.stream_opened(PathId(51), 0.0)
    asker.server.relay_opened(1, PEER, next(iter([PathId(3)])), 0.0)  # type: ignore[arg-type]
    assert asker.server.poll_events() == []


def test_a_socket_that_comes_too_late_is_closed() -> None:
    server = TurnServer(server_config(users={}, anonymous=True))
    path = server.paths.intern(PathId(1), CLIENT)  # type: ignore[arg-type]
    request = Message(
        method=Method.ALLOCATE, message_class=MessageClass.REQUEST, transaction_id=bytes(12), attributes=(UDP,)
    )
    server.receive(Datagram(path, request.serialize()), 0.0)
    (wish,) = server.poll_events()
    assert isinstance(wish, OpenRelay)
    server.handle_timeout(6.0)
    server.relay_opened(wish.id, PEER, 77, 6.0)  # type: ignore[arg-type]
    assert server.poll_events() == [(77,)]


# --- streams --------------------------------------------------------------------------------------------------------


def test_an_allocation_ends_with_its_stream(asker: Asker) -> None:
    asker.server.stream_opened(asker.path, 0.0)
    asker.allocate()
    asker.bind(0x4001, PEER)
    asker.server.from_peer([b"odd"], 0.0)
    assert [one.data for one in asker.server.poll_transmits(0.0)] == [b"\x40\x01\x00\x03odd\x00"], "padded"
    asker.server.stream_closed(asker.path, 1.0)
    assert asker.server.allocations == []
    assert asker.server.poll_events()[-1].reason is EndReason.DISCONNECTED


def test_an_idle_stream_is_closed(asker: Asker) -> None:
    asker.server.stream_opened(asker.path, 0.0)
    assert asker.server.next_timeout() == 30.0
    asker.server.handle_timeout(30.0)
    assert asker.server.poll_events() == [CloseClient(asker.path, "no allocation for too long")]
    assert asker.server.next_timeout() == NEVER


def test_too_many_streams_are_turned_away() -> None:
    server = RelayingServer(server_config(max_streams=2))
    for number in (2, 3, 4):
        server.stream_opened(PathId(number), 0.0)
    assert server.poll_events() == [CloseClient(PathId(4), "too many streams")]


# --- STUN -----------------------------------------------------------------------------------------------------------


def test_binding_is_answered_to_anybody(asker: Asker) -> None:
    response = asker.bare(Method.BINDING)
    assert response.mapped_address == CLIENT
    assert asker.server.counters.bindings == 1
    assert asker.bare(Method.BINDING, Attribute(0x7F00, b"")).error is not None


def test_methods_of_tcp_allocations_are_not_known(asker: Asker) -> None:
    assert code(asker.bare(Method.CONNECT)) == 400


# --- policy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("8.8.8.8", None),
        ("2606:4700::1", None),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.251", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b::808:808", None),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:1::", "private"),
        ("::127.0.0.1", "loopback"),
        ("example.org", "not an address"),
    ],
)
def test_by_default_a_relay_reaches_the_public_internet_only(host: str, reason: str | None) -> None:
    assert PeerPolicy().refusal(host) == reason


def test_ranges_open_and_close_the_policy() -> None:
    policy = PeerPolicy.of(allow=("10.0.0.0/8", "127.0.0.2/32"), deny=("10.9.0.0/16", "8.8.8.0/24"))
    assert policy.refusal("10.1.1.1") is None
    assert policy.refusal("127.0.0.2") is None
    assert policy.refusal("64:ff9b::a01:101") is None
    assert policy.refusal("10.9.1.1") == policy.refusal("8.8.8.8") == "denied range"
    assert policy.refusal("127.0.0.1") == "loopback"
    assert PeerPolicy.of(private=True).refusal("192.168.1.1") is None
    assert PeerPolicy.of(private=True).refusal("127.0.0.1") == "loopback"
    assert PeerPolicy.of(loopback=True).refusal("::1") is None
    with pytest.raises(InvalidArgumentError):
        PeerPolicy.of(allow=("everything",))


def test_the_server_is_no_peer_of_its_own() -> None:
    own = Address("203.0.113.200", 3478)
    asker = Asker(RelayingServer(server_config(own_addresses=(own,))))
    asker.allocate()
    assert asker.bind(0x4001, own) == 403
    assert asker.permit(own) == 0, "its host may be a peer: two clients of one server meet there"
    asker.indicate(own, b"loop")
    asker.indicate(Address(own.host, 50000), b"relay to relay")
    assert reached(asker.server) == [b"relay to relay"]


def test_config_says_what_is_wrong() -> None:
    wrong: list[dict[str, Any]] = [
        {"realm": ""},
        {"realm": "a\x00b"},
        {"users": {"": "x"}},
        {"families": (5,)},
        {"relay_ports": (0, 5)},
        {"relay_ports": (9, 5)},
        {"default_lifetime": 4000.0},
        {"max_allocations": 0},
    ]
    for changes in wrong:
        with pytest.raises(InvalidArgumentError):
            server_config(**changes)


def test_a_burst_through_a_channel_costs_no_python_call_a_datagram(asker: Asker) -> None:
    asker.allocate()
    asker.bind(0x4001, PEER)
    server = asker.server
    relay = next(iter(server.relays))
    back = server.paths.intern(relay, PEER)

    def through(path: PathId, data: bytes, count: int) -> int:
        burst = [Datagram(path, data)] * count
        calls = count_calls(TurnServer.receive_many, server, burst, 0.0).python
        assert len(TurnServer.poll_transmits(server, 0.0, 1000)) == count
        return calls

    for path, data in ((asker.path, b"\x40\x01\x00\x02hi"), (back, b"hi")):
        assert through(path, data, 202) == through(path, data, 2)
