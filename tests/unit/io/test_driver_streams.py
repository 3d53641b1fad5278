"""Streams, listeners, published names and changes of addresses under the driver, on doubles."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.support.fake_runtime import FakeStream
from tests.unit.io.test_driver import OTHER, PEER, Rig
from webrtc_stack.base import (
    Address,
    CloseStream,
    GatherAddresses,
    OpenStream,
    PathId,
    PublishName,
    SocketId,
    Transmit,
    WithdrawName,
)
from webrtc_stack.io import AddressPolicy
from webrtc_stack.io.driver import STALL_LIMIT
from webrtc_stack.io.flows import MAX_ACCEPTED


def wish(rig: Rig, *events: Any) -> None:
    rig.core.events += events
    rig.driver.flush()


def opened(rig: Rig, id: int = 3, remote: Address = PEER, **options: Any) -> tuple[FakeStream, PathId]:
    wish(rig, OpenStream(id, remote, "tcp", **options))
    stream = rig.runtime.openings[-1].succeed()
    return stream, rig.core.named("stream_opened")[-1][2]


def pinned(rig: Rig, path: PathId) -> bool:
    return path in rig.core.paths._pins


def listening(*hosts: str, **options: Any) -> Rig:
    rig = Rig(*hosts, gather=False, **options)
    wish(rig, GatherAddresses(tcp=True))
    return rig


# --- streams that the machine opens ---------------------------------------------------------------------------------


def test_a_stream_is_opened_as_wished_and_is_a_path_of_its_own() -> None:
    rig = Rig()
    wish(rig, OpenStream(3, PEER, "tls", "turn.example", "10.0.0.1"))
    (opening,) = rig.runtime.openings
    assert (opening.remote, opening.protocol, opening.server_name, opening.local) == (
        PEER,
        "tls",
        "turn.example",
        "10.0.0.1",
    )
    rig.runtime.now = 101.0
    stream = opening.succeed()
    assert stream.started
    ((_, id, path, local, now),) = rig.core.named("stream_opened")
    assert (id, local, now) == (3, stream.local, 101.0)
    assert rig.core.paths.lookup(path) == (SocketId(2), PEER)
    assert pinned(rig, path)


def test_chunks_arrive_as_datagrams_on_the_path_and_a_burst_is_one_write() -> None:
    rig = Rig()
    stream, path = opened(rig)
    udp = rig.core.paths.intern(SocketId(1), PEER)
    stream.arrive(b"chunk")
    ((_, burst, _),) = rig.core.named("receive_many")
    assert burst == [(path, b"chunk", 0)]
    rig.core.transmits = [Transmit(path, b"1"), Transmit(udp, b"u"), Transmit(path, b"2"), Transmit(path, b"3")]
    rig.driver.flush()
    assert stream.written == [b"123"]
    assert [item.data for item in rig.socket.sent] == [b"u"]


def test_a_stream_that_cannot_be_had_is_told_with_its_reason() -> None:
    rig = Rig()
    wish(rig, OpenStream(3, PEER, "tcp"))
    rig.runtime.openings[0].answer("connection refused")
    assert rig.core.named("stream_failed") == [("stream_failed", 3, "connection refused", 100.0)]
    assert rig.driver.errors["stream: connection refused"] == 1
    opened(rig)  # the number is free again


def test_a_number_in_use_is_refused_and_its_stream_stays() -> None:
    rig = Rig()
    stream, _ = opened(rig)
    wish(rig, OpenStream(3, OTHER, "tcp"))
    assert rig.core.named("stream_failed") == [("stream_failed", 3, "stream 3 is open already", 100.0)]
    assert not stream.closed
    assert len(rig.runtime.openings) == 1


def test_the_end_of_a_stream_is_told_once_and_its_path_is_let_go() -> None:
    rig = Rig()
    stream, path = opened(rig)
    stream.end("connection reset")
    assert rig.core.named("stream_closed") == [("stream_closed", 3, "connection reset", 100.0)]
    assert not pinned(rig, path)
    rig.core.transmits = [Transmit(path, b"late")]
    wish(rig, CloseStream(3))
    assert rig.driver.counters.no_path == 1
    assert len(rig.core.named("stream_closed")) == 1


def test_a_stream_closed_by_wish_is_not_told() -> None:
    rig = Rig()
    stream, path = opened(rig)
    wish(rig, CloseStream(3), CloseStream(99))
    assert stream.closed
    assert rig.core.named("stream_closed") == []
    assert not pinned(rig, path)


def test_a_connect_given_up_is_cancelled_and_a_late_stream_closed() -> None:
    rig = Rig()
    wish(rig, OpenStream(3, PEER, "tcp"), CloseStream(3))
    (opening,) = rig.runtime.openings
    assert opening.cancelled
    assert opening.succeed().closed
    assert rig.core.named("stream_opened") == []


def test_a_machine_that_has_ended_gets_no_stream() -> None:
    rig = Rig()
    wish(rig, OpenStream(3, PEER, "tcp"))
    rig.core.ended = True
    assert rig.runtime.openings[0].succeed().closed
    assert rig.driver.streams == {}


def test_a_stalled_stream_holds_the_sockets_up_only_for_a_moment() -> None:
    rig = Rig()
    stream, path = opened(rig)
    stream.block_after = 1
    rig.core.transmits = [Transmit(path, b"x")]
    rig.driver.flush()
    rig.queue(5)
    rig.driver.wake()
    rig.runtime.run(100.0 + STALL_LIMIT / 2)
    assert rig.socket.sent == []
    rig.runtime.run(100.0 + STALL_LIMIT)
    assert len(rig.socket.sent) == 5
    assert rig.driver.counters.stalls == 1
    rig.queue(5)
    rig.core.transmits.append(Transmit(path, b"y"))
    rig.driver.flush()
    assert len(rig.socket.sent) == 10, "once given up, it is not waited for again"
    assert stream.written == [b"x", b"y"], "nothing inside a stream is left out"


def test_a_stream_that_moves_again_ends_the_pause_and_so_does_its_end() -> None:
    for what in ("moves", "ends", "is closed"):
        rig = Rig()
        stream, path = opened(rig)
        stream.block_after = 1
        rig.core.transmits = [Transmit(path, b"x")]
        rig.driver.flush()
        rig.queue(3)
        if what == "moves":
            stream.become_writable()
        elif what == "ends":
            stream.end()
        else:
            wish(rig, CloseStream(3))
            rig.driver.flush()
        assert len(rig.socket.sent) == 3, what
        assert rig.driver.counters.stalls == 0


# --- streams that listeners accept ----------------------------------------------------------------------------------


def test_listeners_are_opened_beside_sockets_and_told() -> None:
    rig = listening("10.0.0.1", "10.0.0.2")
    assert [call[:3] for call in rig.core.calls] == [
        ("add_local", Address("10.0.0.1", 50_000), 1),
        ("add_listener", Address("10.0.0.1", 60_000), 2),
        ("add_local", Address("10.0.0.2", 50_001), 3),
        ("add_listener", Address("10.0.0.2", 60_001), 4),
        ("locals_complete", 100.0),
    ]


def test_listeners_come_later_when_they_are_wished_later() -> None:
    rig = Rig()
    wish(rig, GatherAddresses(tcp=True), GatherAddresses())
    assert [call[0] for call in rig.core.calls] == [
        "add_local",
        "locals_complete",
        "add_listener",
        "locals_complete",
        "locals_complete",
    ]
    assert len(rig.runtime.listeners) == 1


def test_listeners_take_ports_of_the_same_range() -> None:
    rig = Rig(gather=False, port_range=(5000, 5003))
    rig.runtime.refused[("10.0.0.1", 5000)] = errno.EADDRINUSE
    wish(rig, GatherAddresses(tcp=True))
    assert [listener.address.port for listener in rig.runtime.listeners] == [5001]


def test_an_accepted_stream_has_the_path_of_its_listener_and_a_number_below_zero() -> None:
    rig = listening()
    first = rig.runtime.listeners[0].connect(PEER)
    second = rig.runtime.listeners[0].connect(OTHER)
    (_, one, path, now), (_, two, other, _) = rig.core.named("stream_accepted")
    assert (one, two, now) == (-1, -2, 100.0)
    assert rig.core.paths.lookup(path) == (SocketId(2), PEER)
    assert rig.core.paths.lookup(other) == (SocketId(2), OTHER)
    first.arrive(b"in")
    assert rig.core.named("receive_many")[-1][1] == [(path, b"in", 0)]
    rig.core.transmits = [Transmit(path, b"a"), Transmit(other, b"b"), Transmit(path, b"c")]
    rig.driver.flush()
    assert (first.written, second.written) == ([b"ac"], [b"b"])
    first.end()
    assert rig.core.named("stream_closed") == [("stream_closed", -1, "closed by the peer", 100.0)]
    wish(rig, CloseStream(-2))
    assert second.closed


def test_accepted_streams_are_bounded_and_their_places_free_again() -> None:
    rig = listening()
    streams = [rig.runtime.listeners[0].connect(Address("10.9.9.9", port)) for port in range(1, MAX_ACCEPTED + 3)]
    assert [stream.closed for stream in streams].count(True) == 2
    assert rig.driver.errors["too many streams"] == 2
    streams[0].end()
    assert not rig.runtime.listeners[0].connect(PEER).closed


def test_a_second_stream_from_the_same_remote_replaces_the_first() -> None:
    rig = listening()
    first, second = (rig.runtime.listeners[0].connect(PEER) for _ in range(2))
    assert (first.closed, second.closed) == (True, False)
    assert [call[0:2] for call in rig.core.calls[-3:]] == [
        ("stream_accepted", -1),
        ("stream_closed", -1),
        ("stream_accepted", -2),
    ]


# --- addresses that come and go -------------------------------------------------------------------------------------


def test_addresses_are_watched_once_the_core_wished_to_gather() -> None:
    rig = Rig("10.0.0.1", gather=False)
    assert rig.runtime.watches == []
    wish(rig, GatherAddresses(), GatherAddresses())
    assert len(rig.runtime.watches) == 1
    rig.core.calls.clear()
    rig.runtime.change_addresses("10.0.0.7")
    assert [call[:2] for call in rig.core.calls] == [
        ("remove_local", 1),
        ("add_local", Address("10.0.0.7", 50_001)),
        ("locals_complete", 100.0),
    ]
    rig.driver.close()
    assert rig.runtime.watches[0].callback is None


def test_a_driver_may_be_told_not_to_watch() -> None:
    rig = Rig(watch=False)
    assert rig.runtime.watches == []


def test_what_the_machine_wants_to_send_on_a_new_address_leaves_at_once() -> None:
    rig = Rig("10.0.0.1")
    rig.queue(1, socket=2)
    rig.core.transmits, waiting = [], list(rig.core.transmits)
    rig.core.transmits = waiting
    rig.runtime.change_addresses("10.0.0.1", "10.0.0.2")
    assert len(rig.runtime.sockets[1].sent) == 1


def test_streams_and_listeners_of_an_address_that_went_are_told() -> None:
    rig = listening("10.0.0.1", "10.0.0.2")
    accepted = rig.runtime.listeners[0].connect(PEER)
    own, _ = opened(rig, 3, local="10.0.0.1")
    stays, _ = opened(rig, 4, local="10.0.0.2")
    elsewhere, _ = opened(rig, 5, local="10.0.0.99")
    wish(rig, OpenStream(6, PEER, "tcp", None, "10.0.0.1"))
    connecting = rig.runtime.openings[-1]
    rig.core.calls.clear()
    rig.runtime.change_addresses("10.0.0.2")
    told = {call[0:2] for call in rig.core.calls}
    assert told >= {("remove_local", 1), ("remove_local", 2), ("stream_closed", -1), ("stream_closed", 3)}
    assert rig.core.named("stream_failed") == [("stream_failed", 6, "the address 10.0.0.1 has gone", 100.0)]
    assert rig.core.named("stream_closed")[0][2] == "the address 10.0.0.1 has gone"
    assert (accepted.closed, own.closed, stays.closed, elsewhere.closed) == (True, True, False, False)
    assert connecting.cancelled
    assert rig.runtime.listeners[0].closed


def test_a_stream_on_an_address_that_the_policy_leaves_out_lives_on() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2", policy=AddressPolicy(interfaces=("eth0",)))
    stream, _ = opened(rig, local="10.0.0.2")
    rig.driver.gather()
    assert not stream.closed


def test_a_socket_that_takes_no_more_and_goes_away_holds_nothing_up() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2")
    rig.socket.block_after = 1
    rig.queue(1)
    rig.driver.flush()
    rig.queue(2, socket=2)
    rig.runtime.addresses = rig.runtime.addresses[1:]
    rig.driver.gather()
    rig.driver.flush()
    assert len(rig.runtime.sockets[1].sent) == 2


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_are_published_until_they_are_withdrawn() -> None:
    rig = Rig()
    wish(rig, PublishName("a.local", "10.0.0.1"), PublishName("b.local", "10.0.0.2"))
    first, second = rig.runtime.publications
    assert (first.name, first.host) == ("a.local", "10.0.0.1")
    wish(rig, WithdrawName("a.local"), WithdrawName("unknown.local"))
    assert (first.cancelled, second.cancelled) == (True, False)
    wish(rig, PublishName("b.local", "10.0.0.3"))
    assert second.cancelled, "a name has one address"


@pytest.mark.parametrize("steps", range(3))
def test_closing_the_driver_closes_everything(steps: int) -> None:
    rig = listening()
    accepted = rig.runtime.listeners[0].connect(PEER)
    own, path = opened(rig)
    wish(rig, OpenStream(4, OTHER, "tcp"), PublishName("a.local", "10.0.0.1"))
    rig.core.transmits = [Transmit(path, b"x")] * 3
    rig.driver.wake()
    for _ in range(steps):
        rig.runtime.step()
    rig.driver.close()
    rig.driver.close()
    calls = list(rig.core.calls)
    assert accepted.closed
    assert own.closed
    assert rig.runtime.openings[1].cancelled
    assert rig.runtime.openings[1].succeed().closed
    assert rig.runtime.listeners[0].closed
    assert rig.runtime.publications[0].cancelled
    assert rig.runtime.watches[0].callback is None
    assert not pinned(rig, path)
    rig.runtime.run(200.0)
    assert rig.core.calls == calls
