"""The driver on doubles, under virtual time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fake_runtime import FakeRuntime, FakeSocket
from tests.unit.io.fakes import FakeCore
from webrtc_stack import sim
from webrtc_stack.base import (
    NEVER,
    Address,
    GatherAddresses,
    PathId,
    ResolveName,
    SocketId,
    Transmit,
)
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.io import AddressPolicy, Driver, Runtime
from webrtc_stack.io.driver import SPIN_LIMIT, STALL_LIMIT, TURN_DATAGRAMS
from webrtc_stack.trace import MemorySink, Trace

PEER = Address("10.9.9.9", 4000)
OTHER = Address("10.9.9.8", 4001)


class Rig:
    def __init__(self, *hosts: str, gather: bool = True, **options: Any) -> None:
        self.core = FakeCore()
        self.runtime = FakeRuntime(*hosts)
        self.sink = MemorySink()
        self.handed: list[list[Any]] = []
        self.react: Callable[[list[Any]], None] = lambda events: None
        self.driver = Driver(
            self.core, self.runtime, on_events=self._on_events, trace=Trace(self.sink, source="test"), **options
        )
        if gather:
            self.core.events.append(GatherAddresses())
            self.driver.flush()

    def _on_events(self, events: list[Any]) -> None:
        self.handed.append(events)
        self.react(events)

    @property
    def socket(self) -> FakeSocket:
        return self.runtime.sockets[0]

    def queue(self, count: int, remote: Address = PEER, socket: int = 1) -> None:
        path = self.core.paths.intern(SocketId(socket), remote)
        self.core.transmits += [Transmit(path, b"%d" % index) for index in range(count)]


def test_gathering_opens_a_socket_per_address_and_says_when_that_is_all() -> None:
    rig = Rig("10.0.0.1", "fd00::1")
    assert rig.core.calls == [
        ("add_local", Address("fd00::1", 50_000), 1, 100.0),
        ("add_local", Address("10.0.0.1", 50_001), 2, 100.0),
        ("locals_complete", 100.0),
    ]
    assert rig.handed == []


def test_a_dead_interface_is_traced_and_passed_over() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2", gather=False)
    rig.runtime.refused["10.0.0.1"] = errno.EADDRNOTAVAIL
    rig.core.events.append(GatherAddresses())
    rig.driver.flush()
    assert [call[0:3] for call in rig.core.calls] == [
        ("add_local", Address("10.0.0.2", 50_000), 1),
        ("locals_complete", 100.0),
    ]
    assert rig.driver.errors["EADDRNOTAVAIL"] == 1
    assert rig.sink.named("socket_refused")[0].data == {
        "local": "10.0.0.1",
        "transport": "udp",
        "error": "EADDRNOTAVAIL",
    }


def test_without_any_address_gathering_still_completes() -> None:
    rig = Rig(gather=False, policy=AddressPolicy(interfaces=("none",)))
    rig.core.events.append(GatherAddresses())
    rig.driver.flush()
    assert rig.core.calls == [("locals_complete", 100.0)]


def test_ports_of_a_range_are_tried_in_order() -> None:
    rig = Rig(gather=False, port_range=(5000, 5003))
    rig.runtime.refused[("10.0.0.1", 5000)] = errno.EADDRINUSE
    rig.runtime.refused[("10.0.0.1", 5001)] = errno.EADDRINUSE
    rig.core.events.append(GatherAddresses())
    rig.driver.flush()
    assert [address.port for address in rig.runtime.tried] == [5000, 5001, 5002]
    assert rig.core.named("add_local")[0][1] == Address("10.0.0.1", 5002)


def test_an_address_that_is_gone_costs_one_try_whatever_the_range() -> None:
    rig = Rig(gather=False, port_range=(5000, 5999))
    rig.runtime.refused["10.0.0.1"] = errno.EADDRNOTAVAIL
    rig.core.events.append(GatherAddresses())
    rig.driver.flush()
    assert len(rig.runtime.tried) == 1


@pytest.mark.parametrize("ports", [(0, 5), (10, 9), (1, 70_000)])
def test_a_port_range_that_is_none_is_refused(ports: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="port_range"):
        Rig(gather=False, port_range=ports)


def test_gathering_again_keeps_sockets_and_follows_the_network() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2")
    rig.core.calls.clear()
    rig.runtime.addresses = [rig.runtime.addresses[1], rig.runtime.addresses[1]._replace(host="10.0.0.3")]
    rig.driver.gather()
    assert [call[:2] for call in rig.core.calls] == [
        ("remove_local", 1),
        ("add_local", Address("10.0.0.3", 50_002)),
        ("locals_complete", 100.0),
    ]
    assert [socket.closed for socket in rig.runtime.sockets] == [True, False, False]


def test_a_burst_reaches_the_machine_as_one_with_its_paths() -> None:
    rig = Rig()
    rig.socket.arrive((PEER, b"a"), (PEER, b"b"), (OTHER, b"c"), (PEER, b"d"))
    (call,) = rig.core.named("receive_many")
    known = [rig.core.paths.intern(SocketId(1), remote) for remote in (PEER, PEER, OTHER, PEER)]
    assert [item.path for item in call[1]] == known
    assert [item.data for item in call[1]] == [b"a", b"b", b"c", b"d"]


def test_transmits_are_grouped_by_socket_and_keep_their_order() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2")
    one, two = (rig.core.paths.intern(SocketId(number), PEER) for number in (1, 2))
    rig.core.transmits = [Transmit(one, b"1"), Transmit(two, b"2", 1), Transmit(one, b"3"), Transmit(two, b"4")]
    rig.driver.flush()
    assert rig.runtime.sockets[0].bursts == [[(PEER, b"1", 0), (PEER, b"3", 0)]]
    assert rig.runtime.sockets[1].bursts == [[(PEER, b"2", 1), (PEER, b"4", 0)]]


def test_a_transmit_on_a_forgotten_path_is_counted() -> None:
    rig = Rig()
    rig.core.transmits = [Transmit(PathId(77), b"x")]
    rig.driver.flush()
    assert rig.driver.counters.no_path == 1
    assert rig.socket.bursts == []


def test_many_wakes_bring_one_turn() -> None:
    rig = Rig()
    before = rig.driver.counters.turns
    for _ in range(10):
        rig.driver.wake()
    assert rig.driver.counters.turns == before
    rig.runtime.run()
    assert rig.driver.counters.turns == before + 1


def test_events_are_handed_up_as_one_list_without_the_wishes() -> None:
    rig = Rig()
    rig.core.events = ["one", ResolveName(1, "a.example"), "two"]
    rig.driver.flush()
    assert rig.handed == [["one", "two"]]


def test_commands_from_inside_on_events_are_served_in_the_same_turn() -> None:
    rig = Rig()
    depth = 0

    def react(events: list[Any]) -> None:
        nonlocal depth
        depth += 1
        assert depth == 1, "on_events was entered twice"
        if events == ["go"]:
            rig.queue(3)
            rig.core.events.append("after")
            rig.driver.flush()
            rig.driver.wake()
            assert rig.socket.sent == []
        depth -= 1

    rig.react = react
    rig.core.events = ["go"]
    before = rig.driver.counters.turns
    rig.driver.flush()
    assert rig.handed == [["go"], ["after"]]
    assert len(rig.socket.sent) == 3
    assert rig.driver.counters.turns == before + 1


def test_an_error_in_the_owners_callback_leaves_the_driver_working() -> None:
    rig = Rig()

    def react(events: list[Any]) -> None:
        raise RuntimeError("the owner's fault")

    rig.react = react
    rig.core.events, rig.core.due = ["bang"], 105.0
    with pytest.raises(RuntimeError, match="owner"):
        rig.driver.flush()
    rig.react = lambda events: None
    rig.queue(1)
    rig.driver.flush()
    assert len(rig.socket.sent) == 1
    assert rig.runtime.pending == [105.0]


def test_a_turn_with_nothing_left_to_do_asks_once() -> None:
    """Polling a whole stack is dear: a burst that only brings events costs one poll, and commands one more."""
    rig = Rig("10.0.0.1")
    before = rig.core.polls
    rig.core.events.append("event")
    rig.socket.arrive((PEER, b"x"))
    assert rig.core.polls == before + 1
    rig.core.events.append("event")
    rig.react = lambda events: rig.queue(1)
    rig.socket.arrive((PEER, b"x"))
    assert rig.core.polls == before + 3
    assert len(rig.socket.sent) == 1


def test_a_deadline_that_passed_without_a_timer_is_met_in_the_same_turn() -> None:
    rig = Rig("10.0.0.1")
    rig.core.due = 100.0
    rig.socket.arrive((PEER, b"x"))
    assert rig.core.named("handle_timeout") == [("handle_timeout", 100.0)]


def test_a_timer_is_armed_at_the_machines_instant() -> None:
    rig = Rig()
    rig.core.due = 107.5
    rig.driver.flush()
    rig.runtime.run(107.4)
    assert rig.core.named("handle_timeout") == []
    rig.runtime.run(110.0)
    assert rig.core.named("handle_timeout") == [("handle_timeout", 107.5)]
    assert rig.runtime.pending == []


def test_a_deadline_that_moves_back_and_forth_keeps_one_timer() -> None:
    rig = Rig()
    for due in (110.0, 105.0, 120.0, 115.0):
        rig.core.due = due
        rig.driver.flush()
        assert len(rig.runtime.pending) == 1
    assert rig.runtime.pending == [105.0]
    rig.runtime.run(114.0)
    assert rig.core.named("handle_timeout") == []
    rig.runtime.run(116.0)
    assert rig.core.named("handle_timeout") == [("handle_timeout", 115.0)]


def test_a_timer_that_fires_early_by_the_clock_is_on_time_for_the_machine() -> None:
    rig = Rig()
    rig.core.due = 101.0
    rig.driver.flush()
    rig.runtime.timers = [(100.9999, 1, handle) for _, _, handle in rig.runtime.timers if handle.callback]
    rig.runtime.step()
    assert rig.core.named("handle_timeout") == [("handle_timeout", 101.0)]


def test_bulk_yields_to_the_loop_after_its_share() -> None:
    rig = Rig()
    rig.queue(TURN_DATAGRAMS * 2 + 10)
    rig.driver.flush()
    assert len(rig.socket.sent) == TURN_DATAGRAMS
    assert rig.driver.counters.yields == 1
    rig.runtime.step()
    assert len(rig.socket.sent) == TURN_DATAGRAMS * 2
    rig.runtime.run()
    assert len(rig.socket.sent) == TURN_DATAGRAMS * 2 + 10


def test_polling_pauses_while_a_socket_takes_no_more() -> None:
    rig = Rig()
    rig.socket.block_after = 1
    rig.queue(200)
    rig.driver.flush()
    assert len(rig.socket.bursts) == 1
    polls = rig.core.polls
    rig.socket.arrive((PEER, b"in"))
    rig.core.events = ["still heard"]
    rig.driver.flush()
    assert rig.core.polls == polls
    assert rig.handed == [["still heard"]]
    rig.socket.become_writable()
    assert len(rig.socket.sent) == 200
    assert rig.driver.counters.stalls == 0


def test_waiting_for_a_socket_spins_nothing() -> None:
    rig = Rig()
    rig.socket.block_after = 1
    rig.queue(200)
    rig.driver.flush()
    turns = rig.driver.counters.turns
    assert rig.runtime.pending == [100.0 + STALL_LIMIT]
    rig.runtime.run(100.0 + STALL_LIMIT / 2)
    assert rig.driver.counters.turns == turns


def test_a_dead_interface_silences_the_others_only_for_a_moment() -> None:
    rig = Rig("10.0.0.1", "10.0.0.2")
    rig.runtime.sockets[0].block_after = 1
    rig.queue(1, socket=1)
    rig.driver.flush()
    rig.queue(5, socket=2)
    rig.driver.wake()
    rig.runtime.run(100.0 + STALL_LIMIT / 2)
    assert rig.runtime.sockets[1].sent == []
    rig.runtime.run(100.0 + STALL_LIMIT)
    assert len(rig.runtime.sockets[1].sent) == 5
    assert rig.driver.counters.stalls == 1
    rig.queue(5, socket=2)
    rig.driver.flush()
    assert len(rig.runtime.sockets[1].sent) == 10, "once given up, it is not waited for again"


def test_a_spinning_machine_is_reported_and_slowed_down() -> None:
    rig = Rig()
    rig.core.spinning, rig.core.due = True, 100.0
    rig.driver.flush()
    rig.runtime.run(101.0)
    assert len(rig.sink.named("machine_spinning")) == 1
    assert rig.driver.counters.spins >= 90
    assert rig.driver.counters.turns < SPIN_LIMIT + 120
    rig.core.spinning, rig.core.due = False, NEVER
    rig.runtime.run(102.0)
    assert rig.runtime.pending == []


def test_a_machine_that_talks_without_end_does_not_stop_virtual_time() -> None:
    rig = Rig()
    rig.core.due = 100.0
    rig.core.spinning = True
    rig.core.on_timeout = lambda now: rig.core.events.append("again")
    rig.driver.flush()
    rig.runtime.run(100.005, max_steps=5000)
    assert rig.driver.counters.spins >= 1


def test_names_are_resolved_and_answered() -> None:
    rig = Rig()
    rig.core.events = [ResolveName(7, "host.example")]
    rig.driver.flush()
    rig.runtime.now = 101.0
    rig.runtime.questions[0].answer(["192.0.2.7"])
    assert rig.core.named("name_resolved") == [("name_resolved", 7, ["192.0.2.7"], 101.0)]


def test_an_answer_for_a_machine_that_has_ended_is_nobodys_error() -> None:
    rig = Rig()
    rig.core.events = [ResolveName(7, "host.example")]
    rig.driver.flush()
    rig.core.ended = True
    rig.runtime.questions[0].answer(["192.0.2.7"])
    assert rig.sink.named("answer_refused")


def test_after_close_nothing_is_called() -> None:
    rig = Rig()
    rig.core.events, rig.core.due = [ResolveName(7, "host.example")], 105.0
    rig.driver.flush()
    rig.driver.wake()
    rig.driver.close()
    rig.driver.close()
    calls, polls = list(rig.core.calls), rig.core.polls
    rig.socket.arrive((PEER, b"late"))
    rig.runtime.questions[0].answer(["192.0.2.7"])
    rig.core.events = ["late"]
    rig.driver.wake()
    rig.driver.flush()
    rig.driver.gather()
    rig.runtime.run(200.0)
    assert rig.socket.closed
    assert rig.runtime.questions[0].cancelled
    assert rig.runtime.pending == []
    assert (rig.core.calls, rig.core.polls, rig.handed) == (calls, polls, [])


def test_closing_from_inside_on_events_ends_the_turn_there() -> None:
    rig = Rig()

    def react(events: list[Any]) -> None:
        rig.driver.close()
        rig.core.polls = 0

    rig.react = react
    rig.core.events, rig.core.due = ["end"], 105.0
    rig.driver.flush()
    rig.queue(1)
    rig.runtime.run(200.0)
    assert rig.core.polls == 0
    assert rig.socket.sent == []
    assert rig.runtime.pending == []


@pytest.mark.parametrize("steps", range(6))
def test_closing_at_any_moment_leaves_nothing_behind(steps: int) -> None:
    rig = Rig("10.0.0.1", "10.0.0.2")
    rig.queue(TURN_DATAGRAMS * 2)
    rig.core.due = 100.0
    rig.core.events = [ResolveName(1, "a.example")]
    rig.driver.wake()
    for _ in range(steps):
        rig.runtime.step()
    rig.driver.close()
    calls = len(rig.core.calls)
    rig.runtime.run(500.0)
    assert len(rig.core.calls) == calls
    assert rig.runtime.pending == []
    assert all(socket.closed for socket in rig.runtime.sockets)
    assert all(question.cancelled for question in rig.runtime.questions)


def test_a_virtual_host_is_a_runtime_too() -> None:
    net = sim.Network(seed=1)
    here, there = net.host("10.0.0.1"), net.host("10.0.0.2")
    cores = FakeCore(), FakeCore()
    runtimes: tuple[Runtime, Runtime] = (here, there)
    drivers = [
        Driver(core, runtime, on_events=lambda events: None) for core, runtime in zip(cores, runtimes, strict=True)
    ]
    for core, driver in zip(cores, drivers, strict=True):
        core.events.append(GatherAddresses())
        driver.flush()
    path = cores[0].paths.intern(SocketId(1), cores[1].named("add_local")[0][1])
    cores[0].transmits = [Transmit(path, b"hello"), Transmit(path, b"world")]
    drivers[0].wake()
    net.run_until(1.0)
    assert [item.data for call in cores[1].named("receive_many") for item in call[1]] == [b"hello", b"world"]
