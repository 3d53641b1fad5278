"""Strangers on the path and at the door: forged answers, floods, open-relay and amplification attempts, memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from webrtc_stack.base import Address, Datagram, Entropy, PathId, PathTable, SeededEntropy, random_below
from webrtc_stack.stun import Attribute, AttributeType, ErrorCodeValue, Message, MessageClass, Method, long_term_key
from webrtc_stack.trace import MemorySink, Trace
from webrtc_stack.turn import Allocated, ClientState, DataRelayed, Framer, PermissionInstalled, TurnClient

from .harness import (
    CLIENT,
    LISTENING,
    PASSWORD,
    PEER,
    USER,
    RelayingServer,
    Wire,
    allocated,
    client_config,
    server_config,
)
from .test_turn_server import UDP, Asker

A = AttributeType
MIB = 1 << 20

# --- at the client --------------------------------------------------------------------------------------------------


def forge(request: Message, message_class: MessageClass, *attributes: Attribute, key: bytes | None = None) -> Datagram:
    message = Message(
        method=request.method,
        message_class=message_class,
        transaction_id=request.transaction_id,
        attributes=attributes,
    )
    return Datagram(PathId(1), message.serialize(key))


def error(code: int) -> Attribute:
    return Attribute(A.ERROR_CODE, ErrorCodeValue(code, "forged"))


@pytest.mark.parametrize("key", [None, b"guessed"])
def test_a_forged_success_is_not_believed_and_the_true_one_still_is(key: bytes | None) -> None:
    wire = Wire()
    wire.client.allocate(0.0)
    wire.run(until=0.025)
    signed = Message.parse(wire.log[2].data)
    lies = (
        Attribute(A.XOR_RELAYED_ADDRESS, Address("198.51.100.66", 6666)),
        Attribute(A.XOR_MAPPED_ADDRESS, CLIENT),
        Attribute(A.LIFETIME, 600),
    )
    wire.client.receive(forge(signed, MessageClass.SUCCESS_RESPONSE, *lies, key=key), wire.now)
    assert wire.client.state is ClientState.ALLOCATING
    assert wire.client.drops.total == 1
    wire.run_for(1.0)
    assert wire.happened(Allocated)[0].relayed in wire.server.relays.values()


@pytest.mark.parametrize("code", [403, 437, 441, 486, 500, 508])
def test_a_forged_error_does_not_take_an_allocation_away(code: int) -> None:
    wire = allocated()
    wire.client.permit([PEER], wire.now)
    (request,) = [Message.parse(one.data) for one in wire.client.poll_transmits(wire.now)]
    wire.client.receive(forge(request, MessageClass.ERROR_RESPONSE, error(code)), wire.now)
    assert wire.client.state is ClientState.ALLOCATED
    assert wire.client.drops["response without integrity"] == 1
    wire.run_for(1.0)
    assert wire.happened(PermissionInstalled) == [PermissionInstalled(PEER.host)], "the repetition was answered"


def test_answers_to_nothing_and_to_something_else_are_dropped() -> None:
    wire = Wire()
    wire.client.allocate(0.0)
    request = Message.parse(wire.client.poll_transmits(0.0)[0].data)
    unknown = Message(message_class=MessageClass.SUCCESS_RESPONSE, transaction_id=bytes(12), method=Method.ALLOCATE)
    other = Message(
        message_class=MessageClass.SUCCESS_RESPONSE, transaction_id=request.transaction_id, method=Method.REFRESH
    )
    strange = request.success((Attribute(0x7F00, b""),))
    for message in (unknown, other, strange, request):
        wire.client.receive(Datagram(PathId(1), message.serialize()), 0.0)
    wire.client.receive(forge(request, MessageClass.ERROR_RESPONSE), 0.0)
    assert wire.client.drops["unknown response"] == 1
    assert wire.client.drops["response to another method"] == 1
    assert wire.client.drops["response with unknown attributes"] == 1
    assert wire.client.drops["unexpected request"] == 1
    assert wire.client.drops["error response without a code"] == 1


# --- at the server --------------------------------------------------------------------------------------------------


def test_an_open_relay_is_not_to_be_had() -> None:
    """Every way to have something relayed, without credentials."""
    server = RelayingServer(server_config())
    path = server.client_path()
    message_class = MessageClass.REQUEST
    for method in (Method.ALLOCATE, Method.CREATE_PERMISSION, Method.CHANNEL_BIND, Method.REFRESH):
        attributes = (UDP, Attribute(A.XOR_PEER_ADDRESS, PEER), Attribute(A.CHANNEL_NUMBER, 0x4000))
        message = Message(method=method, message_class=message_class, transaction_id=bytes(12), attributes=attributes)
        server.receive(Datagram(path, message.serialize()), 0.0)
        server.receive(Datagram(path, message.serialize(b"guess")), 0.0)
    data = (Attribute(A.XOR_PEER_ADDRESS, PEER), Attribute(A.DATA, b"x"))
    send = Message(method=Method.SEND, message_class=MessageClass.INDICATION, transaction_id=bytes(12), attributes=data)
    server.receive(Datagram(path, send.serialize()), 0.0)
    server.receive(Datagram(path, b"\x40\x00\x00\x01x"), 0.0)
    codes = {Message.parse(one.data).error[0] for one in server.poll_transmits(0.0)}  # type: ignore[index]
    assert codes == {401, 400}
    assert (server.to_peers, server.relays, server.allocations) == ([], {}, [])


def test_answers_to_strangers_are_few_and_short() -> None:
    """A flood in somebody's name brings that one a trickle: less than was sent, however long it lasts."""
    server = RelayingServer(server_config())
    path = server.client_path()
    request = Message(
        method=Method.ALLOCATE, message_class=MessageClass.REQUEST, transaction_id=bytes(12), attributes=(UDP,)
    ).serialize()
    sent = answered = 0
    for number in range(10_000):
        now = number / 1000
        server.receive(Datagram(path, request), now)
        sent += len(request)
        answered += sum(len(one.data) for one in server.poll_transmits(now))
    assert answered < sent / 4
    assert server.counters.challenges <= 100 + 50 * 10
    assert server.drops["rate of unproven requests"] > 9000
    assert all(len(one.data) < 250 for one in server.poll_transmits(11.0))


def test_many_hosts_together_have_a_limit_too() -> None:
    server = RelayingServer(server_config(unproven_total_per_second=200.0, max_hosts=100))
    request = Message(method=Method.BINDING, message_class=MessageClass.REQUEST, transaction_id=bytes(12)).serialize()
    answered = 0
    for number in range(5000):
        path = server.client_path(Address(f"198.18.{number >> 8 & 255}.{number & 255}", 1))
        server.receive(Datagram(path, request), number / 1000)
        answered += len(server.poll_transmits(number / 1000))
    assert answered <= 200 + 200 * 5
    assert len(server._limiter) <= 100


def test_a_flood_of_allocations_meets_the_quota_and_leaves_nothing() -> None:
    server = RelayingServer(server_config(max_allocations_per_user=5, unproven_per_second=1e6, unproven_burst=1e6))
    codes: dict[int, int] = {}
    for port in range(1, 301):
        asker = Asker(server, Address("203.0.113.9", port))
        found = asker.ask(Method.ALLOCATE, UDP).error
        codes[0 if found is None else found.code] = codes.get(0 if found is None else found.code, 0) + 1
    assert codes == {0: 5, 486: 295}
    assert len(server.relays) == 5
    server.handle_timeout(601.0)
    assert (server.relays, server._ports, server._per_user, server._per_host) == ({}, set(), {}, {})


def test_refusals_are_traced_once_and_counted_always() -> None:
    sink = MemorySink()
    server = RelayingServer(server_config(trace=Trace(sink)))
    for _ in range(50):
        server.receive(Datagram(server.client_path(), b"\x80 what is this"), 0.0)
    assert server.drops["not turn"] == 50
    assert len(sink.named("refused")) == 1


def test_secrets_are_in_no_repr_and_no_trace() -> None:
    wire = allocated({"password": PASSWORD})
    assert PASSWORD not in repr(wire.client._config)
    assert PASSWORD not in repr(wire.server._config)
    lines = [event.to_json() for event in (*wire.client_sink.events, *wire.server_sink.events)]
    assert lines
    assert not any(PASSWORD in line for line in lines)


# --- memory ---------------------------------------------------------------------------------------------------------


def mutate(data: bytes, entropy: Entropy) -> bytes:
    kind = random_below(entropy, 4)
    out = bytearray(data)
    if kind == 0:
        return entropy.bytes(random_below(entropy, 100))
    if kind == 1 and out:
        out[random_below(entropy, len(out))] ^= 1 << random_below(entropy, 8)
    elif kind == 2:
        return bytes(out[: random_below(entropy, len(out) + 1)])
    elif kind == 3 and len(out) >= 20:
        out[8:20] = entropy.bytes(12)
    return bytes(out)


def grown(work: Callable[[int], None], count: int) -> int:
    """How much memory `count` rounds leave behind, after a tenth as many for what is kept once."""
    for number in range(count // 10):
        work(number)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        work(number)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def hostile_server(count: int) -> int:
    server = RelayingServer(server_config(max_hosts=64, max_responses=32, max_queue=64, paths=PathTable(256)))
    asker = Asker(server)
    asker.allocate()
    asker.bind(0x4001, PEER)
    key = long_term_key(USER, "example.org", PASSWORD)
    who = (Attribute(A.USERNAME, USER), Attribute(A.REALM, "example.org"), Attribute(A.NONCE, asker.nonce))
    seeds = [
        asker.build(Method.ALLOCATE, UDP).serialize(),
        asker.build(Method.REFRESH, *who).serialize(key),
        asker.build(Method.CREATE_PERMISSION, Attribute(A.XOR_PEER_ADDRESS, PEER), *who).serialize(key),
        asker.build(Method.BINDING).serialize(),
        b"\x40\x01\x00\x02hi",
    ]
    entropy = SeededEntropy("hostile server")
    relay = next(iter(server.relays))

    def work(number: int) -> None:
        now = number / 10_000
        source = Address(f"198.18.0.{number % 200}", number % 50_000 + 1)
        path = asker.path if number % 3 else server.paths.intern(LISTENING, source)
        server.receive(Datagram(path, mutate(seeds[number % len(seeds)], entropy)), now)
        server.receive(Datagram(server.paths.intern(relay, source), b"from nowhere"), now)
        if number % 50 == 0:  # mostly nobody polls
            server.poll_transmits(now, 1000)
            server.poll_events()
            server.to_peers.clear()

    return grown(work, count)


def hostile_client(count: int) -> int:
    wire = allocated()
    client = wire.client
    client.bind(PEER, wire.now)
    wire.run_for(1.0)
    client.poll_events()
    seeds = [delivery.data for delivery in wire.log] + [b"\x40\x00\x00\x02hi"]
    entropy = SeededEntropy("hostile client")
    now = wire.now

    def work(number: int) -> None:
        client.receive(Datagram(PathId(1), mutate(seeds[number % len(seeds)], entropy)), now)
        if number % 1000 == 0:
            client.poll_events()
            client.poll_transmits(now, 1000)

    found = grown(work, count)
    assert client.state is ClientState.ALLOCATED
    return found


def test_hostile_datagrams_leave_no_memory_at_the_server() -> None:
    assert hostile_server(20_000) < MIB


def test_hostile_datagrams_leave_no_memory_at_the_client() -> None:
    assert hostile_client(20_000) < MIB


@pytest.mark.slow
def test_very_many_hostile_datagrams_leave_no_memory() -> None:
    """80,000 at either: a million takes longer than a test may."""
    assert hostile_server(80_000) < MIB
    assert hostile_client(80_000) < MIB


def test_a_hostile_stream_holds_one_message() -> None:
    entropy = SeededEntropy("stream")
    for seed in (b"\x40\x01\xff\xff", b"\x00\x01\xff\xfc\x21\x12\xa4\x42"):
        framer = Framer(4096)
        framer.receive(seed)
        for _ in range(100):
            framer.receive(entropy.bytes(1000))
        assert framer.buffered <= 4096


def test_events_of_a_client_that_is_not_polled_are_bounded() -> None:
    client = TurnClient(client_config(max_received_bytes=10_000))
    client.bind(PEER, 0.0)
    client.receive_many([Datagram(PathId(1), b"\x40\x00\x00\x00")] * 10_000, 0.0)
    kept = sum(len(one.datagrams) for one in client.poll_events() if isinstance(one, DataRelayed))
    assert kept == 157, "an empty one counts 64 bytes"


def test_made_up_sources_push_no_client_out() -> None:
    """The table of paths forgets the oldest; those with an allocation are held."""
    server = RelayingServer(server_config(paths=PathTable(64)))
    asker = Asker(server, Address("203.0.113.77", 7))
    asker.allocate()
    asker.bind(0x4001, PEER)
    for number in range(1, 1000):
        server.receive(Datagram(server.client_path(Address("198.18.0.1", number)), b"\x80"), 0.0)
    server.from_peer([b"still here"], 0.0)
    assert [one.path for one in server.poll_transmits(0.0)] == [asker.path]
    assert server.client_path(Address("203.0.113.77", 7)) == asker.path
