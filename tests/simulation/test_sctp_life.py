"""The life of an association: both sides at once, interleavings of the handshake, restart, replay, wrap-around."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import replay, vectors
from tests.unit.sctp.pairs import Pair
from webrtc_stack import sctp
from webrtc_stack.base import NEVER, SeededEntropy
from webrtc_stack.errors import ConnectionLost, SctpAbortError, TimedOut
from webrtc_stack.sim import LinkConfig


class _FixedTsn:
    """Entropy whose four-byte draws are chosen: the initial TSN, while tags and secrets stay random."""

    def __init__(self, tsn: int) -> None:
        self._inner = SeededEntropy(tsn)
        self._draws = 0
        self._tsn = tsn

    def bytes(self, count: int) -> bytes:
        if count == 4:
            self._draws += 1
            if self._draws == 2:  # the first is the verification tag
                return self._tsn.to_bytes(4, "big")
        return self._inner.bytes(count)

    def fork(self, label: str) -> Any:
        return self


def test_both_sides_at_once_take_three_one_way_trips() -> None:
    pair = Pair(link=LinkConfig(latency=0.05))
    pair.run(1)
    assert pair.left.state == pair.right.state == "established"
    for side in (0, 1):
        (established,) = [now for now, event in pair.net.events[side] if isinstance(event, sctp.AssociationEstablished)]
        assert established == pytest.approx(0.15)


def test_data_queued_before_connect_leaves_with_the_cookie_echo() -> None:
    pair = Pair(link=LinkConfig(latency=0.05), connect=(False, False))
    pair.left.send(1, 51, b"early", 0.0)
    pair.left.connect(0.0)
    assert pair.run_until(lambda: bool(pair.got[1][1]))
    assert pair.now == pytest.approx(0.15), "INIT, INIT ACK, COOKIE ECHO with DATA"
    assert pair.got[1][1] == [b"early"]


def _orders() -> Iterator[tuple[str, ...]]:
    yield from itertools.product("lr", repeat=8)


def test_every_interleaving_of_both_handshakes_ends_established() -> None:
    """Packets of either direction are handed over in every order of directions; each direction keeps its own order."""
    for order in _orders():
        entropy = SeededEntropy("interleave")
        sides = [sctp.Association(sctp.SctpConfig(entropy=entropy.fork(name), heartbeat_interval=0)) for name in "lr"]
        boxes: list[list[bytes]] = [[], []]
        for side in sides:
            side.connect(0.0)
            side.send(1, 51, b"first", 0.0)
        events: list[list[Any]] = [[], []]

        def poll(sides: Any = sides, boxes: Any = boxes, events: Any = events, now: float = 0.0) -> None:
            for at, side in enumerate(sides):
                boxes[1 - at] += side.poll_transmits(now)
                events[at] += side.poll_events()

        poll()
        for direction in itertools.chain(order, "lr" * 20):
            at = "lr".index(direction)
            if boxes[at]:
                sides[at].receive(boxes[at].pop(0), 0.0)
                poll()
        assert [side.state for side in sides] == ["established"] * 2, order
        for at in (0, 1):
            assert [event.data for event in events[at] if isinstance(event, sctp.MessageReceived)] == [b"first"], order
            assert sum(isinstance(event, sctp.AssociationEstablished) for event in events[at]) == 1, order


@pytest.mark.parametrize("lost", [(0,), (1,), (2,), (3,), (0, 1), (0, 2), (1, 3), (0, 1, 2, 3)])
def test_a_handshake_survives_the_loss_of_any_packet(lost: tuple[int, ...]) -> None:
    pair = Pair(seed=5)
    pair.left.send(1, 51, b"hello", 0.0)
    launch, count = pair.net._launch, itertools.count()

    def lossy(side: int, item: bytes) -> None:
        if next(count) not in lost:
            launch(side, item)

    pair.net._launch = lossy  # type: ignore[method-assign]
    assert pair.run_until(lambda: pair.got[1][1] == [b"hello"], within=30)
    pair.run(5)
    assert pair.left.state == pair.right.state == "established"
    pair.at_rest()


def test_data_before_cookie_ack_is_taken() -> None:
    """The peer's COOKIE ACK is lost, its data is not."""
    pair = Pair(connect=(True, False))
    pair.run_until(lambda: pair.left.state == "cookie-echoed")
    pair.right.receive_many(pair.left.poll_transmits(pair.now) or [pair.net.log[-1].data], pair.now)
    echo = next(d.data for d in reversed(pair.net.log) if sctp.Packet.parse(d.data).chunks[0].type == 10)
    pair.right.receive(echo, pair.now)
    assert pair.right.state == "established"
    pair.right.poll_transmits(pair.now)  # the COOKIE ACK, lost
    pair.right.send(3, 51, b"data first", pair.now)
    pair.left.receive_many(pair.right.poll_transmits(pair.now), pair.now)
    events = pair.left.poll_events()
    assert [type(event) for event in events] == [sctp.AssociationEstablished, sctp.MessageReceived]


def test_a_restarted_peer_is_noticed_and_works() -> None:
    pair = Pair(seed=7)
    pair.left.send(1, 51, b"before", 0.0)
    pair.run(1)
    pair.left.send(1, 51, bytes(200_000), pair.now)
    pair.left.poll_transmits(pair.now)
    again = Pair(seed=9, connect=(False, False))
    right = again.right
    right.connect(pair.now)
    events: list[Any] = []
    got: list[Any] = []
    now = pair.now
    for _ in range(30):
        for packet in right.poll_transmits(now):
            pair.left.receive(packet, now)
        for packet in pair.left.poll_transmits(now):
            right.receive(packet, now)
        events += pair.left.poll_events()
        got += right.poll_events()
        now += 0.01
    assert right.state == pair.left.state == "established"
    assert sum(isinstance(event, sctp.AssociationRestarted) for event in events) == 1
    assert pair.left.buffered_bytes == 0 and pair.left.snapshot().flight_bytes == 0
    pair.left.send(1, 51, b"after", now)
    right.receive_many(pair.left.poll_transmits(now), now)
    messages = [event.data for event in right.poll_events() if isinstance(event, sctp.MessageReceived)]
    assert messages == [b"after"], "sequence numbers did not begin anew"


def test_a_stale_cookie_begins_the_handshake_again() -> None:
    pair = Pair(connect=(True, False), right={"cookie_lifetime": 0.0})
    pair.run(0.5)
    assert pair.left.state != "established"
    assert pair.right.drops["cookie_stale"] >= 1
    assert pair.left._stale_cookies >= 1


@pytest.mark.parametrize("tsn", [0xFFFFFFFF, 0xFFFFFFF0, 0xFFFFFE00, 0, 1, 0x7FFFFFFF, 0x80000000])
def test_sequence_numbers_wrap(tsn: int) -> None:
    sides = [sctp.Association(sctp.SctpConfig(entropy=_FixedTsn(tsn ^ flip))) for flip in (0, 3)]
    assert sides[0]._local_tsn == tsn
    pair = Pair(seed=tsn, link=LinkConfig(latency=0.01, loss=0.05, reorder=0.05), connect=(False, False))
    pair.sides = (sides[0], sides[1])
    pair.left, pair.right = pair.sides
    pair.net.machines = pair.sides
    for side in sides:
        side.connect(0.0)
    sent = [b"%d" % at + bytes(at % 3000) for at in range(600)]
    for data in sent:
        sides[0].send(1, 51, data, 0.0)
        sides[1].send(1, 51, data, 0.0, max_retransmits=0)
    assert pair.run_until(lambda: len(pair.got[1][1]) == len(sent))
    sides[0].reset_streams([1], pair.now)
    pair.run(20)
    assert pair.got[1][1] == sent
    assert pair.events(0, sctp.StreamsReset) == [sctp.StreamsReset((1,))]
    pair.at_rest()


def test_more_messages_than_a_stream_sequence_number_has_values() -> None:
    pair = Pair(seed=3, link=LinkConfig(latency=0.001, loss=0.001), keep_log=False)
    count = 70_000
    for at in range(count):
        pair.left.send(1, 51, b"%d" % at, 0.0)
    assert pair.run_until(lambda: len(pair.got[1][1]) == count)
    assert pair.got[1][1] == [b"%d" % at for at in range(count)]


def test_a_silent_peer_ends_the_handshake() -> None:
    pair = Pair(connect=(True, False), link=LinkConfig(up=False))
    pair.run(300)
    (closed,) = pair.events(0, sctp.Closed)
    assert isinstance(closed.error, TimedOut)
    assert pair.left.next_timeout() == NEVER


@pytest.mark.parametrize("idle", [True, False])
def test_a_peer_that_vanishes_is_noticed(idle: bool) -> None:
    pair = Pair()
    pair.run(1)
    for link in pair.net.links:
        link.config = LinkConfig(up=False)
    if not idle:
        pair.left.send(1, 51, b"anybody?", pair.now)
    pair.run(2000)
    (closed,) = pair.events(0, sctp.Closed)
    assert isinstance(closed.error, ConnectionLost)


def test_an_abort_reaches_the_peer_with_its_reason() -> None:
    pair = Pair()
    pair.run(1)
    pair.left.abort(pair.now, "enough")
    pair.run(1)
    assert pair.events(0, sctp.Closed) == [sctp.Closed("enough", None)]
    (closed,) = pair.events(1, sctp.Closed)
    assert isinstance(closed.error, SctpAbortError)
    assert closed.error.causes == (12,)
    assert "enough" in closed.reason


@pytest.mark.parametrize("both", [True, False])
def test_a_shutdown_delivers_what_was_queued(both: bool) -> None:
    pair = Pair(seed=4, link=LinkConfig(latency=0.02, loss=0.1))
    pair.run(5)
    for at in range(200):
        pair.left.send(1, 51, b"%d" % at + bytes(2000), pair.now)
        pair.right.send(1, 51, b"%d" % at + bytes(2000), pair.now)
    pair.left.shutdown(pair.now)
    if both:
        pair.right.shutdown(pair.now)
    pair.run(100)
    assert len(pair.got[1][1]) == 200
    assert len(pair.got[0][1]) == 200
    for side in (0, 1):
        assert [event.error for event in pair.events(side, sctp.Closed)] == [None]


def test_close_against_a_silent_peer_takes_its_time_limit() -> None:
    pair = Pair()
    pair.run(1)
    for link in pair.net.links:
        link.config = LinkConfig(up=False)
    began = pair.now
    pair.left.close(began)
    pair.run(60)
    ((ended, event),) = [item for item in pair.net.events[0] if isinstance(item[1], sctp.Closed)]
    assert ended - began == pytest.approx(1.0)
    assert event.error is None


def test_a_closed_window_is_probed_and_opens_again() -> None:
    pair = Pair(seed=6, release=False, right={"receive_window_bytes": 20_000})
    for _ in range(100):
        pair.left.send(1, 51, bytes(1000), 0.0)
    pair.run(120)
    assert pair.left.state == "established", "a full window is no dead peer"
    arrived = len(pair.got[1][1])
    assert 15 <= arrived <= 20
    assert pair.right.snapshot().unreleased_bytes <= 20_000
    for _ in range(200):
        unreleased = pair.right.snapshot().unreleased_bytes
        if unreleased:
            pair.right.release(unreleased, pair.now)
        pair.run(1)
    assert len(pair.got[1][1]) == 100
    pair.at_rest()


def test_an_expired_message_leaves_the_queue_even_while_the_window_is_closed() -> None:
    pair = Pair(release=False, right={"receive_window_bytes": 3000})
    for _ in range(5):
        pair.left.send(1, 51, bytes(1000), 0.0)
    pair.run(5)
    pair.left.send(2, 51, bytes(1000), pair.now, max_lifetime=0.5)
    pair.run(1)
    assert pair.left.buffered_amount(2) == 0
    assert len(pair.events(0, sctp.MessageAbandoned)) == 1


def digest(seed: int) -> str:
    pair = Pair(seed, LinkConfig(latency=0.01, jitter=0.01, loss=0.1, reorder=0.05, duplicate=0.02))
    for at in range(300):
        pair.left.send(at % 7, 51, bytes(at * 13 % 4000 + 1), 0.0, ordered=at % 3 > 0)
        pair.right.send(at % 7, 51, bytes(100), 0.0, max_retransmits=at % 2)
    pair.run(20)
    pair.left.reset_streams(range(7), pair.now)
    pair.run(20)
    pair.left.close(pair.now)
    pair.run(20)
    return pair.net.digest()


def test_a_run_depends_on_its_seed_alone() -> None:
    replay.assert_replays("tests.simulation.test_sctp_life:digest")


@pytest.mark.parametrize("session", vectors.load("sctp/browser_packets.json")["sessions"], ids=lambda s: s["id"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_a_browsers_half_of_a_recorded_session_is_answered(session: dict[str, Any], role: str) -> None:
    """One side of the recording speaks, with its tags made to fit ours; DATA and HEARTBEATs get their answers."""
    association = sctp.Association(sctp.SctpConfig(entropy=SeededEntropy(session["id"])))
    association.connect(0.0)
    now = 0.0
    cookie = b""
    ours: list[sctp.Chunk] = []
    tag = 0
    received: dict[int, bytes] = {}

    def poll() -> None:
        nonlocal cookie, tag
        for packet in association.poll_transmits(now):
            for chunk in sctp.Packet.parse(packet).chunks:
                ours.append(chunk)
                if isinstance(chunk, sctp.InitAckChunk):
                    cookie = chunk.parameter(sctp.ParameterType.STATE_COOKIE) or cookie
                if isinstance(chunk, sctp.InitChunk):
                    tag = chunk.initiate_tag
        for event in association.poll_events():
            if isinstance(event, sctp.MessageReceived):
                received[event.stream_id] = received.get(event.stream_id, b"") + event.data

    poll()
    theirs = [packet for packet in session["packets"] if packet["from"] == role]
    data: dict[int, sctp.DataChunk] = {}
    for packet in theirs:
        now = packet["t"]
        parsed = sctp.Packet.parse(bytes.fromhex(packet["hex"]))
        chunks: list[sctp.Chunk] = []
        for chunk in parsed.chunks:
            match chunk:
                case sctp.CookieEchoChunk():
                    chunks.append(sctp.CookieEchoChunk(cookie=cookie))
                case sctp.SackChunk() | sctp.ForwardTsnChunk() | sctp.ReConfigChunk() | sctp.ShutdownChunk():
                    pass  # they speak of TSNs of the recording's other side
                case sctp.AbortChunk() | sctp.ShutdownAckChunk() | sctp.ShutdownCompleteChunk():
                    pass
                case _:
                    chunks.append(chunk)
                    if isinstance(chunk, sctp.DataChunk):
                        data[chunk.tsn] = chunk
        if not chunks:
            continue
        first = isinstance(chunks[0], sctp.InitChunk) and not isinstance(chunks[0], sctp.InitAckChunk)
        association.receive(
            sctp.Packet(
                source_port=5000,
                destination_port=5000,
                verification_tag=0 if first else tag,
                chunks=tuple(chunks),
            ).serialize(),
            now,
        )
        poll()
    assert association.state == "established"
    now += 1
    association.handle_timeout(now)
    poll()
    wanted: dict[int, bytes] = {}
    for _, piece in sorted(data.items()):
        wanted[piece.stream_id] = wanted.get(piece.stream_id, b"") + piece.data
    assert received == wanted
    if data:
        sacks = [chunk for chunk in ours if isinstance(chunk, sctp.SackChunk)]
        assert sacks, "data was never acknowledged"
