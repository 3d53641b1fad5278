"""The client: allocations, permissions, channels, data, time, and each error that a server may answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.calls import count_calls
from webrtc_stack.base import NEVER, Address, Datagram, PathId
from webrtc_stack.errors import BufferFull, InvalidArgumentError, InvalidStateError, StunErrorResponse, TimedOut
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method
from webrtc_stack.turn import (
    NO_ANSWER,
    Allocated,
    AllocationFailed,
    AlternateServer,
    ChannelBound,
    ChannelFailed,
    ClientState,
    Closed,
    CloseReason,
    DataRelayed,
    PermissionFailed,
    PermissionInstalled,
    TurnClient,
    hint_for,
)

from .harness import CLIENT, PEER, PEER6, SERVER, USER, Wire, allocated, client_config

A = AttributeType


def answer(client: TurnClient, response: Callable[[Message], bytes], now: float) -> list[Message]:
    """Answers each request that the client sends at `now`; returns them."""
    requests = [Message.parse(one.data) for one in client.poll_transmits(now)]
    for request in requests:
        client.receive(Datagram(PathId(1), response(request)), now)
    return requests


def refusing(code: int, *attributes: Attribute, realm: str = "r", nonce: str = "n") -> Callable[[Message], bytes]:
    challenge = (Attribute(A.REALM, realm), Attribute(A.NONCE, nonce)) if code in (401, 438) else ()
    return lambda request: request.failure(code, (*challenge, *attributes)).serialize()


# --- allocations ----------------------------------------------------------------------------------------------------


def test_an_allocation_takes_two_round_trips() -> None:
    wire = Wire()
    wire.client.allocate(0.0)
    wire.run(until=0.039)
    assert wire.client.state is ClientState.ALLOCATING
    wire.run(until=0.0401)
    (event,) = wire.happened(Allocated)
    assert event.mapped == CLIENT
    assert event.relayed in wire.server.relays.values()
    assert event.lifetime == 600.0
    assert wire.client.relayed == event.relayed
    assert len(wire.log) == 4


def test_both_families_come_in_one_allocation() -> None:
    wire = allocated({"families": (4, 6)}, {"families": (4, 6)})
    (event,) = wire.happened(Allocated)
    assert (event.relayed.is_ipv6, event.additional.is_ipv6) == (False, True)
    wire.client.bind(PEER, wire.now)
    wire.client.bind(PEER6, wire.now)
    wire.client.send_many(PEER, [b"four"], wire.now)
    wire.client.send_many(PEER6, [b"six"], wire.now)
    wire.run_for(1.0)
    assert sorted(data for _, _, data in wire.server.to_peers) == [b"four", b"six"]
    assert len(wire.happened(ChannelBound)) == 2


def test_where_there_is_no_second_family_the_first_serves() -> None:
    (event,) = allocated({"families": (4, 6)}).happened(Allocated)
    assert event.additional is None


def test_an_ipv6_allocation() -> None:
    (event,) = allocated({"families": (6,)}, {"families": (4, 6)}).happened(Allocated)
    assert event.relayed.is_ipv6


def test_a_server_without_df_is_asked_without_it() -> None:
    wire = allocated({"dont_fragment": True})
    assert wire.server.drops["unknown attribute"] == 1


@pytest.mark.parametrize(
    ("client", "server", "code"),
    [
        ({"password": "wrong"}, {}, 401),
        ({"username": "mallory"}, {}, 401),
        ({"username": None}, {}, 401),
        ({}, {"max_allocations_per_user": 1}, 486),
        ({}, {}, 508),
        ({"families": (6,)}, {}, 440),
        ({"require_sha256": True}, {"sha256": False}, 401),
    ],
)
def test_a_refused_allocation_has_its_code_and_a_hint(
    client: dict[str, Any], server: dict[str, Any], code: int
) -> None:
    wire = Wire(client, server)
    wire.server._per_user[USER] = 1
    wire.server.refuse_ports = 8 if code == 508 else 0
    wire.client.allocate(0.0)
    wire.run_for(1.0)
    (failed,) = wire.happened(AllocationFailed)
    assert failed.code == code
    assert failed.hint == hint_for(code)
    end = wire.events[0][-1][1]
    assert end.reason is CloseReason.FAILED
    assert isinstance(end.error, StunErrorResponse)
    assert end.error.code == code


@pytest.mark.parametrize("code", [400, 403, 420, 437, 441, 442, 486, 500, 508, 333])
def test_every_other_error_ends_it_with_words(code: int) -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    answer(client, refusing(401), 0.0)
    for _ in range(4):
        answer(client, refusing(code), 0.0)
    failed, closed = client.poll_events()
    assert isinstance(failed, AllocationFailed)
    assert (failed.code, len(failed.hint) > 20) == (code, True)
    assert isinstance(closed, Closed)
    assert client.next_timeout() == NEVER


def test_silence_ends_it_after_six_sendings() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    sent = []
    while client.next_timeout() != NEVER:
        now = client.next_timeout()
        client.handle_timeout(now)
        sent += [now for _ in client.poll_transmits(now)]
    assert sent == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5]
    failed, closed = client.poll_events()
    assert isinstance(failed, AllocationFailed)
    assert failed.code == NO_ANSWER
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, TimedOut)
    assert client._now == 19.5


def test_over_a_stream_nothing_is_repeated() -> None:
    client = TurnClient(client_config(transport="tcp"))
    client.allocate(0.0)
    assert len(client.poll_transmits(0.0)) == 1
    assert client.next_timeout() == 10.0
    client.handle_timeout(10.0)
    assert client.state is ClientState.CLOSED


# --- credentials ----------------------------------------------------------------------------------------------------


def test_sha256_and_a_hidden_name_where_the_server_has_them() -> None:
    wire = allocated()
    signed = Message.parse(wire.log[2].data)
    assert A.MESSAGE_INTEGRITY_SHA256 in signed
    assert A.MESSAGE_INTEGRITY not in signed
    assert A.USERHASH in signed
    assert A.USERNAME not in signed
    assert USER.encode() not in wire.log[2].data


def test_the_older_way_where_it_has_not() -> None:
    wire = allocated({}, {"sha256": False})
    signed = Message.parse(wire.log[2].data)
    assert A.MESSAGE_INTEGRITY in signed
    assert A.MESSAGE_INTEGRITY_SHA256 not in signed
    assert signed.username == USER


def test_a_name_is_shown_if_that_is_wanted() -> None:
    signed = Message.parse(allocated({"username_anonymity": False}).log[2].data)
    assert (signed.username, A.USERHASH in signed) == (USER, False)


def test_password_algorithms_that_somebody_took_out_are_missed() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    answer(client, refusing(401, nonce="obMatJos2wAAArest"), 0.0)
    assert not client.poll_transmits(0.0), "no second try with a weaker key"
    failed = client.poll_events()[0]
    assert isinstance(failed, AllocationFailed)
    assert "took them out" in failed.reason


def test_a_stale_nonce_is_replaced() -> None:
    wire = allocated({}, {"nonce_lifetime": 100.0})
    wire.run(until=1000.0)
    assert wire.client.counters.challenges >= 2
    assert wire.server.drops["stale or foreign nonce"] >= 1
    assert wire.client.state is ClientState.ALLOCATED


def test_a_realm_that_changes_is_followed() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    answer(client, refusing(401, realm="first"), 0.0)
    (request,) = answer(client, refusing(401, realm="second"), 0.0)
    assert request.realm == "first"
    (request,) = answer(client, refusing(401, realm="second"), 0.0)
    assert request.realm == "second"
    assert isinstance(client.poll_events()[0], AllocationFailed), "the same realm twice: the password is wrong"


def test_a_server_that_calls_every_nonce_stale_is_left() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    asked = 0
    for number in range(50):
        asked += len(answer(client, refusing(438, nonce=f"n{number}"), 0.0))
    assert asked == 5
    failed = client.poll_events()[0]
    assert isinstance(failed, AllocationFailed)
    assert failed.code == 438


@pytest.mark.parametrize("realm", ["bad\x01realm", "\udcff\udcfe", ""])
def test_a_realm_that_no_key_can_be_made_of_is_no_crash(realm: str) -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    answer(client, refusing(401, realm=realm), 0.0)
    answer(client, refusing(401, realm=realm), 0.0)
    assert isinstance(client.poll_events()[0], AllocationFailed)


# --- alternate server -----------------------------------------------------------------------------------------------


def _redirect(address: Address) -> Callable[[Message], bytes]:
    return refusing(300, Attribute(A.ALTERNATE_SERVER, address), Attribute(A.ALTERNATE_DOMAIN, "b.example"))


def test_another_server_is_followed_on_another_path() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    other = Address("198.51.100.2", 3478)
    answer(client, _redirect(other), 0.0)
    assert client.poll_events() == [AlternateServer(other, "b.example")]
    assert client.next_timeout() == NEVER
    with pytest.raises(InvalidArgumentError):
        client.allocate(1.0)
    client.allocate(1.0, path=PathId(7))
    (transmit,) = client.poll_transmits(1.0)
    assert transmit.path == 7
    client.receive(Datagram(PathId(1), Message.parse(transmit.data).success().serialize()), 1.0)
    assert client.drops["other path"] == 1


def test_being_sent_round_in_circles_ends() -> None:
    client = TurnClient(client_config())
    client.allocate(0.0)
    answer(client, _redirect(Address("198.51.100.2", 3478)), 0.0)
    client.allocate(0.0, path=PathId(1))
    answer(client, _redirect(SERVER), 0.0)
    failed = client.poll_events()[1]
    assert isinstance(failed, AllocationFailed)
    assert "where we have been" in failed.reason


def test_being_sent_on_and_on_ends() -> None:
    client = TurnClient(client_config())
    for number in range(2, 20):
        if client.state is ClientState.CLOSED:
            break
        client.allocate(0.0, path=PathId(1))
        answer(client, _redirect(Address(f"198.51.100.{number}", 3478)), 0.0)
    assert len([one for one in client.poll_events() if isinstance(one, AlternateServer)]) == 3


# --- permissions and channels ---------------------------------------------------------------------------------------


def test_peers_named_early_are_served_when_the_allocation_is_there() -> None:
    wire = Wire()
    wire.client.bind(PEER, 0.0)
    wire.client.send_many(PEER, [b"early"], 0.0)
    wire.client.allocate(0.0)
    wire.run_for(1.0)
    assert wire.happened(PermissionInstalled) == [PermissionInstalled(PEER.host)]
    assert wire.happened(ChannelBound) == [ChannelBound(PEER, 0x4000)]
    assert [data for _, _, data in wire.server.to_peers] == [b"early"]


def test_many_peers_take_few_requests() -> None:
    wire = allocated()
    before = wire.client.counters.requests
    wire.client.permit([f"203.0.113.{number}" for number in range(1, 41)], wire.now)
    wire.run_for(1.0)
    assert len(wire.happened(PermissionInstalled)) == 40
    assert wire.client.counters.requests - before == 3


def test_one_forbidden_peer_does_not_take_the_others_along() -> None:
    wire = allocated()
    wire.client.permit(["203.0.113.1", "10.0.0.1", "203.0.113.2"], wire.now)
    wire.client.send_many(Address("10.0.0.1", 1), [b"a", b"b"], wire.now)
    wire.run_for(1.0)
    assert wire.happened(PermissionFailed) == [PermissionFailed("10.0.0.1", 403, "Forbidden")]
    assert {one.host for one in wire.happened(PermissionInstalled)} == {"203.0.113.1", "203.0.113.2"}
    assert wire.client.drops["permission refused"] == 2
    with pytest.raises(InvalidArgumentError):
        wire.client.send_many(Address("10.0.0.1", 1), [b"x"], wire.now)


def test_everything_is_renewed_for_an_hour() -> None:
    wire = allocated()
    wire.client.bind(PEER, wire.now)
    wire.client.permit(["203.0.113.9"], wire.now)
    for _ in range(60):
        wire.run_for(60.0)
        wire.server.from_peer([b"in"], wire.now)
        wire.server.from_peer([b"by permission"], wire.now, Address("203.0.113.9", 99))
        wire.client.send_many(PEER, [b"out"], wire.now)
        wire.run_for(0.1)
    assert sum(len(one.datagrams) for one in wire.happened(DataRelayed)) == 120
    assert len(wire.server.to_peers) == 60
    assert wire.client.counters.indications_out == 0
    assert wire.client.counters.requests < 60, "an hour costs less than a request a minute"
    assert len(wire.happened(PermissionInstalled)) == 2, "renewals are no news"
    assert wire.happened(PermissionFailed) == []


def test_what_is_forgotten_runs_out() -> None:
    wire = allocated()
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    wire.client.forget(PEER, wire.now)
    wire.run_for(310.0)
    wire.server.from_peer([b"too late"], wire.now)
    wire.run_for(1.0)
    assert wire.server.drops["peer without permission"] == 1
    assert wire.happened(DataRelayed) == []
    assert wire.happened(PermissionFailed) == [], "it was our own wish"
    wire.run_for(600.0)
    assert wire.client.channel_of(PEER) is None


def test_what_is_forgotten_before_it_began_is_gone() -> None:
    wire = Wire()
    wire.client.bind(PEER, 0.0)
    wire.client.forget(PEER, 0.0)
    wire.client.allocate(0.0)
    wire.run_for(1.0)
    assert wire.happened(PermissionInstalled) == []
    assert len(wire.log) == 4


def test_a_channel_number_rests_before_it_means_another_peer() -> None:
    wire = allocated({"max_channels": 4})
    wire.client._peers._next_number = 0x4FFF
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    wire.client.forget(PEER, wire.now)
    wire.run_for(610.0)
    other = Address("203.0.113.60", 1)
    with pytest.raises(BufferFull):
        wire.client.bind(other, wire.now)
    wire.run_for(300.0)
    wire.client.bind(other, wire.now)
    wire.run_for(1.0)
    assert wire.happened(ChannelBound)[-1] == ChannelBound(other, 0x4FFF)


def test_a_refused_channel_leaves_indications() -> None:
    wire = allocated({}, {"max_channels": 1})
    wire.client.bind(PEER, wire.now)
    other = Address("203.0.113.60", 1)
    wire.client.bind(other, wire.now)
    wire.run_for(1.0)
    (failed,) = wire.happened(ChannelFailed)
    assert (failed.peer, failed.code) == (other, 508)
    wire.client.send_many(other, [b"still"], wire.now)
    wire.run_for(1.0)
    assert [data for _, _, data in wire.server.to_peers] == [b"still"]


def test_limits_are_told_before_anything_changes() -> None:
    client = TurnClient(client_config(max_permissions=2, max_channels=1))
    client.permit(["203.0.113.1"], 0.0)
    with pytest.raises(BufferFull):
        client.permit(["203.0.113.2", "203.0.113.3"], 0.0)
    client.bind(PEER, 0.0)
    with pytest.raises(BufferFull):
        client.bind(Address(PEER.host, 1), 0.0)
    with pytest.raises(InvalidArgumentError):
        client.permit(["2001:db8::1"], 0.0)
    with pytest.raises(InvalidArgumentError):
        client.permit(["example.org"], 0.0)
    with pytest.raises(InvalidArgumentError):
        client.send_many(Address("203.0.113.99", 1), [b""], 0.0)
    with pytest.raises(InvalidArgumentError):
        client.send_many(PEER, [bytes(65001)], 0.0)
    client.allocate(0.0)
    with pytest.raises(InvalidStateError):
        client.allocate(0.0)
    client.abort(0.0)
    commands: list[Callable[[], None]] = [
        lambda: client.permit([PEER], 0.0),
        lambda: client.bind(PEER, 0.0),
        lambda: client.send_many(PEER, [], 0.0),
        lambda: client.allocate(0.0),
    ]
    for command in commands:
        with pytest.raises(InvalidStateError):
            command()


# --- data -----------------------------------------------------------------------------------------------------------


def test_adjacent_datagrams_come_in_one_event() -> None:
    wire = allocated()
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    wire.server.from_peer([b"a", b"b", b"", b"c"], wire.now)
    wire.run_for(1.0)
    assert wire.happened(DataRelayed) == [DataRelayed(PEER, [b"a", b"b", b"", b"c"])]


def test_queues_end_where_the_config_says() -> None:
    wire = allocated({"max_queue_bytes": 5000, "max_received_bytes": 5000, "max_held": 4})
    client = wire.client
    client.permit([PEER], wire.now)
    client.send_many(PEER, [b"%d" % number for number in range(10)], wire.now)
    assert client.drops["held too long"] == 6
    wire.run_for(1.0)
    assert [data for _, _, data in wire.server.to_peers] == [b"6", b"7", b"8", b"9"], "the oldest are lost"
    client.send_many(PEER, [bytes(1000)] * 10, wire.now)
    assert client.drops["queue full"] == 6
    client.bind(PEER, wire.now)
    wire.run_for(1.0)
    number = client.channel_of(PEER)
    assert number is not None
    data = Datagram(PathId(1), number.to_bytes(2, "big") + (1000).to_bytes(2, "big") + bytes(1000))
    client.receive_many([data] * 10, wire.now)
    assert client.drops["events not polled"] == 6


def test_data_from_a_peer_nobody_asked_for_is_dropped() -> None:
    wire = allocated()
    data = (Attribute(A.XOR_PEER_ADDRESS, PEER), Attribute(A.DATA, b"hello"))
    indication = Message(
        method=Method.DATA, message_class=MessageClass.INDICATION, transaction_id=bytes(12), attributes=data
    )
    wire.client.receive(Datagram(PathId(1), indication.serialize()), wire.now)
    wire.client.receive(Datagram(PathId(1), b"\x40\x00\x00\x01x"), wire.now)
    wire.client.receive(Datagram(PathId(1), b"\x80 rtp or what"), wire.now)
    assert wire.client.poll_events() == []
    drops = wire.client.drops
    assert (drops["peer not permitted"], drops["unknown channel"], drops["not turn"]) == (1, 1, 1)


def test_a_burst_costs_no_python_call_a_datagram() -> None:
    wire = allocated()
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    client = wire.client
    few, many = [bytes(1200)] * 2, [bytes(1200)] * 202
    assert client.wrap_many(PEER, many) == [b"\x40\x00\x04\xb0" + bytes(1200)] * 202
    assert client.unwrap_many(client.wrap_many(PEER, few)) == ([(PEER, bytes(1200))] * 2, [])
    for work in (
        lambda burst: client.wrap_many(PEER, burst),
        lambda burst: client.unwrap_many(burst),
    ):
        more = count_calls(work, many).python - count_calls(work, few).python
        assert more == 0


def test_polling_data_goes_through_no_table() -> None:
    wire = allocated()
    wire.client.permit([f"203.0.113.{number}" for number in range(100, 200)], wire.now)
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    client = wire.client

    def poll(count: int) -> int:
        client.send_many(PEER, [bytes(100)] * count, wire.now)
        return count_calls(client.poll_transmits, wire.now).python

    assert poll(50) == poll(1) < 10


def test_what_is_not_relayed_data_is_handed_back() -> None:
    wire = allocated()
    wire.client.bind(PEER, wire.now)
    wire.run_for(1.0)
    odd = [b"", b"\x40", b"\x40\x00\x00\x05abc", b"\x40\x01\x00\x01x", wire.log[0].data]
    relayed, rest = wire.client.unwrap_many([*odd, b"\x40\x00\x00\x01x\0\0\0"])
    assert relayed == [(PEER, b"x")]
    assert rest == odd


def test_without_permission_nothing_is_wrapped() -> None:
    wire = allocated()
    assert wire.client.wrap_many(PEER, [b"x"]) == []


# --- the end --------------------------------------------------------------------------------------------------------


def test_close_gives_the_allocation_back() -> None:
    wire = allocated()
    wire.client.close(wire.now)
    wire.run_for(1.0)
    assert wire.events[0][-1][1] == Closed(CloseReason.CLOSED, None)
    assert wire.server.allocations == []
    assert wire.server.relays == {}


def test_close_against_silence_takes_no_longer_than_promised() -> None:
    wire = allocated()
    began = wire.now
    wire.client.close(began)
    while wire.client.next_timeout() != NEVER:
        now = wire.client.next_timeout()
        wire.client.handle_timeout(now)
        wire.client.poll_transmits(now)
    assert wire.client._now - began == 1.5


def test_an_allocation_that_the_server_forgot_is_lost() -> None:
    wire = allocated()
    wire.server._by_path.clear()
    wire.run(until=700.0)
    end = wire.events[0][-1][1]
    assert (end.reason, end.error.code) == (CloseReason.LOST, 437)


def test_an_allocation_whose_refreshes_are_lost_expires() -> None:
    wire = allocated()
    wire.server.silent = True
    wire.links[0].config = wire.links[0].config.__class__(up=False)
    wire.run(until=700.0)
    end = wire.events[0][-1]
    assert end[1].reason is CloseReason.EXPIRED
    assert end[0] == pytest.approx(600.0, abs=1.0)


def test_a_server_in_trouble_is_asked_again_until_time_is_over() -> None:
    client = TurnClient(client_config(username=None))
    client.allocate(0.0)
    answers = (
        Attribute(A.XOR_RELAYED_ADDRESS, Address("198.51.100.1", 50000)),
        Attribute(A.XOR_MAPPED_ADDRESS, CLIENT),
        Attribute(A.LIFETIME, 100),
    )
    answer(client, lambda request: request.success(answers).serialize(), 0.0)
    asked = 0
    while client.next_timeout() != NEVER:
        now = client.next_timeout()
        client.handle_timeout(now)
        asked += len(answer(client, refusing(500), now))
    assert asked == 10, "every five seconds for the last fifty"
    assert isinstance(client.poll_events()[-1], Closed)


def test_a_second_life_takes_over_what_the_first_one_left() -> None:
    wire = allocated()
    wire.client.__init__(client_config())  # type: ignore[misc]
    wire.client.allocate(wire.now)
    wire.run_for(1.0)
    assert wire.client.state is ClientState.ALLOCATED
    assert wire.server.drops["has an allocation"] == 1
    assert len(wire.server.allocations) == 1
