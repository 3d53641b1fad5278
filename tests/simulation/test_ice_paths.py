"""Paths that die, heal, move; consent; restarts; the switch to a path that still works."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.ice_net import IceNet, Nat, Node, completed, connected
from webrtc_stack import stun
from webrtc_stack.base import Address, CandidateType
from webrtc_stack.errors import InvalidStateError
from webrtc_stack.ice import CandidateGathered, GatheringStateChanged, IceConfig, IceState, PairSelected, StunServer
from webrtc_stack.sim import LinkConfig

RTT = 0.05


def _up(net: IceNet, a: Node, b: Node, at: float = 0.0) -> None:
    net.signal(a, b, delay=0.02)
    assert net.run(at + 10, completed(a, b)), (a.states(), b.states())


def _pair(seed: int, link: LinkConfig | None = None) -> tuple[IceNet, Node, Node]:
    net = IceNet(seed, link)
    return net, net.node("a", ["10.0.0.1"], controlling=True), net.node("b", ["10.0.0.2"])


@pytest.mark.parametrize("seed", range(20))
def test_a_dead_path_is_disconnected_within_7_s_and_failed_within_30(seed: int) -> None:
    net, a, b = _pair(seed)
    _up(net, a, b)
    died = 3.0 + seed * 0.37
    net.run(died)
    net.partition("10.0.0.1", "10.0.0.2")
    net.run(died + 31)
    for node in (a, b):
        assert died < node.time_of("disconnected") <= died + 7
        assert died + 20 < node.time_of("failed") <= died + 30
        assert node.agent.selected_path is None
    quiet = a.sent, b.sent
    net.run(died + 200)
    assert (a.sent, b.sent) == quiet, "without consent nothing is sent"


def test_a_path_that_heals_in_time_is_connected_again() -> None:
    net, a, b = _pair(1)
    _up(net, a, b)
    net.run(10)
    net.partition("10.0.0.1", "10.0.0.2")
    net.run(25)
    assert a.agent.state is b.agent.state is IceState.DISCONNECTED
    assert a.agent.selected_path is not None, "disconnected is a guess: sending goes on"
    net.heal("10.0.0.1", "10.0.0.2")
    assert net.run(28, completed(a, b))
    net.run(200)
    assert a.states() == ["checking", "connected", "completed", "disconnected", "completed"]
    assert len(a.named(PairSelected)) == 1


def test_one_dead_direction_disconnects_both() -> None:
    net, a, b = _pair(2)
    _up(net, a, b)
    net.run(10)
    net.blocked.add(("10.0.0.1", "10.0.0.2"))
    net.run(45)
    assert a.agent.state is b.agent.state is IceState.FAILED


def test_heavy_loss_for_ten_minutes_neither_fails_nor_flaps_much() -> None:
    net, a, b = _pair(3, LinkConfig(latency=0.03, loss=0.05, jitter=0.02))
    _up(net, a, b)
    net.run(600)
    assert a.states() == b.states() == ["checking", "connected", "completed"]


def test_loss_alone_rarely_moves_the_selection() -> None:
    moves = 0
    for seed in range(5):
        net = IceNet(seed, LinkConfig(latency=0.03, loss=0.05))
        a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=True)
        b = net.node("b", ["10.0.0.2"])
        _up(net, a, b)
        net.run(600)
        assert a.agent.state is b.agent.state is IceState.COMPLETED
        moves += len(a.named(PairSelected)) + len(b.named(PairSelected)) - 2
    assert moves <= 10, "fifty minutes at 5 % loss each way"


def test_consent_checks_come_at_random_times_and_are_few() -> None:
    net, a, b = _pair(4)
    times: list[float] = []

    def tap(node: Node, source: Address, remote: Address, data: bytes) -> bytes:
        if node is a and stun.Message.parse(data).message_class is stun.MessageClass.REQUEST:
            times.append(net.now)
        return data

    _up(net, a, b)
    net.run(5)
    net.tap = tap
    net.run(305)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(2.0 <= gap <= 3.1 for gap in gaps)
    assert max(gaps) - min(gaps) > 0.5
    assert len(gaps) == pytest.approx(300 / (2.5 + RTT), abs=8)


def _two_paths(seed: int) -> tuple[IceNet, Node, Node]:
    net = IceNet(seed)
    a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=seed % 2 == 0)
    b = net.node("b", ["10.0.0.2"], controlling=seed % 2 == 1)
    _up(net, a, b)
    return net, a, b


@pytest.mark.parametrize("seed", range(10))
def test_when_the_selected_pair_dies_another_valid_one_takes_over(seed: int) -> None:
    net, a, b = _two_paths(seed)
    died = 20.0 + seed * 0.3
    net.run(died)
    net.partition("10.0.0.1", "10.0.0.2")
    net.run(died + 15)
    for node in (a, b):
        moved = [(at, event) for at, event in node.events if isinstance(event, PairSelected)]
        assert len(moved) == 2
        assert moved[-1][0] <= died + 7
        assert node.agent.state is IceState.COMPLETED
        assert not {"failed", "disconnected"} & set(node.states())
    assert next(pair for pair in a.agent.pairs if pair.selected).local.host == "10.1.0.1"
    assert next(pair for pair in b.agent.pairs if pair.selected).nominated
    net.heal("10.0.0.1", "10.0.0.2")
    net.run(died + 200)
    for node in (a, b):
        assert len(node.named(PairSelected)) == 2, "what was nominated last stays"
        assert node.agent.state is IceState.COMPLETED


@pytest.mark.parametrize("seed", range(20))
def test_when_every_path_dies_the_end_comes_without_false_hope(seed: int) -> None:
    net, a, b = _two_paths(seed)
    died = 20.0 + seed * 0.3
    net.run(died)
    net.partition("10.0.0.1", "10.0.0.2")
    net.partition("10.1.0.1", "10.0.0.2")
    net.run(died + 40)
    for node in (a, b):
        assert node.states() == ["checking", "connected", "completed", "disconnected", "failed"]
        assert node.time_of("disconnected") <= died + 7
        assert node.time_of("failed") <= died + 30


def test_when_the_interface_of_the_selected_pair_goes_away_another_takes_over_at_once() -> None:
    net, a, b = _two_paths(1)
    net.run(20)
    socket = next(socket for socket, address in a.sockets.items() if address.host == "10.0.0.1")
    a.unbind(socket)
    net.run(20 + 4 * RTT)
    assert next(pair for pair in a.agent.pairs if pair.selected).local.host == "10.1.0.1"
    net.run(40)
    assert a.agent.state is b.agent.state is IceState.COMPLETED
    assert [candidate.host for candidate in a.agent.local_candidates] == ["10.1.0.1"]


def test_an_interface_that_is_replaced_by_another_after_a_while_needs_no_restart() -> None:
    net, a, b = _pair(11)
    _up(net, a, b)
    net.run(60)
    a.unbind(next(iter(a.sockets)))
    net.run(63)
    assert a.agent.state is IceState.DISCONNECTED
    assert a.agent.selected_path is None
    a.bind("172.16.0.1")
    net.run(63.2)
    assert a.states()[-1] == "connected" or a.states()[-1] == "completed"
    net.run(120)
    assert completed(a, b)()
    assert a.states() == ["checking", "connected", "completed", "disconnected", *a.states()[4:]]
    assert "failed" not in b.states()
    a.unbind(next(iter(a.sockets)))
    net.run(200)
    assert a.states()[-1] == b.states()[-1] == "failed"


@pytest.mark.parametrize("moved_controls", [True, False])
def test_a_nat_that_forgets_its_binding_is_survived(moved_controls: bool) -> None:
    net = IceNet(5)
    server = Address("192.0.2.10", 3478)
    net.servers[server] = stun.serve_binding
    nat = Nat("203.0.113.1")
    a = net.node("a", ["192.168.0.5"], controlling=moved_controls, nat=nat, stun_servers=(StunServer(*server),))
    b = net.node("b", ["198.51.100.7"], controlling=not moved_controls)
    _up(net, a, b)
    net.run(20)
    nat.rebind()
    net.run(60)
    for node in (a, b):
        assert node.agent.state is IceState.COMPLETED
        assert "failed" not in node.states()
    selected = next(pair for pair in b.agent.pairs if pair.selected)
    assert selected.remote.type is CandidateType.PRFLX
    assert b.named(PairSelected)[-1].remote.port == selected.remote.port
    assert max(at for at, event in b.events if isinstance(event, PairSelected)) <= 20 + 7


def test_a_restart_keeps_the_old_path_until_the_new_session_has_one() -> None:
    net, a, b = _pair(6)
    _up(net, a, b)
    net.run(10)
    old_path = a.agent.selected_path
    old = a.agent.local_parameters
    fresh = a.agent.restart(net.now)
    assert fresh.ufrag != old.ufrag
    net.run(20)  # the offer takes its time: the old path lives on, consent included
    assert a.agent.selected_path == old_path
    assert a.agent.state is IceState.CONNECTED
    assert b.agent.state is IceState.COMPLETED
    b.agent.restart(net.now)
    net.signal(a, b, delay=0.1)
    assert net.run(30, completed(a, b))
    net.run(90)
    assert completed(a, b)()
    assert "checking" not in a.states()[1:]
    assert all(pair.selected for pair in a.agent.pairs)
    assert a.agent.remote_parameters == b.agent.local_parameters
    generations = {event.candidate.ufrag for event in a.named(CandidateGathered)}
    assert generations == {old.ufrag, fresh.ufrag}
    assert [event.state.value for event in a.named(GatheringStateChanged)] == ["gathering", "complete"] * 2


def test_after_a_restart_the_old_path_is_taken_a_while_longer() -> None:
    net, a, b = _pair(6)
    _up(net, a, b)
    net.run(10)
    old = a.paths.intern(next(iter(a.sockets)), Address("198.51.100.7", 7))  # where b checks from, too
    a.agent._session.answering._elsewhere.append(old)
    a.agent.restart(net.now)
    b.agent.restart(net.now)
    net.signal(a, b)
    assert net.run(net.now + 2, completed(a, b))
    assert a.agent.accepts(old), "browsers go on sending there until they have moved on their own"
    net.run(net.now + IceConfig().restart_grace + 1)
    assert not a.agent.accepts(old)
    assert completed(a, b)()


def test_a_restart_revives_a_failed_agent() -> None:
    net, a, b = _pair(7)
    _up(net, a, b)
    net.partition("10.0.0.1", "10.0.0.2")
    net.run(60)
    assert a.states()[-1] == b.states()[-1] == "failed"
    net.heal("10.0.0.1", "10.0.0.2")
    a.agent.restart(net.now)
    b.agent.restart(net.now)
    net.settle()
    assert a.agent.state is IceState.CHECKING
    net.signal(a, b)
    assert net.run(70, completed(a, b)), (a.states(), b.states())


def test_a_restart_that_is_rolled_back_leaves_everything_as_it_was() -> None:
    net, a, b = _pair(12)
    _up(net, a, b)
    net.run(10)
    parameters, candidates, path = a.agent.local_parameters, a.agent.local_candidates, a.agent.selected_path
    with pytest.raises(InvalidStateError):
        a.agent.undo_restart(net.now)
    for _ in range(2):  # an offer, and another one instead of it
        a.agent.restart(net.now)
        a.agent.gather(net.now)
        net.run(net.now + 1)
    assert a.agent.undo_restart(net.now) == parameters
    net.run(60)
    assert completed(a, b)()
    assert (a.agent.local_candidates, a.agent.selected_path) == (candidates, path)
    assert "disconnected" not in a.states() + b.states()
    again = a.agent.restart(net.now)
    assert again.ufrag != parameters.ufrag
    b.agent.restart(net.now)
    net.signal(a, b)
    assert net.run(70, completed(a, b))
    with pytest.raises(InvalidStateError):
        a.agent.undo_restart(net.now)


def test_restarts_of_both_sides_in_a_row_leave_nothing_behind() -> None:
    net, a, b = _pair(8)
    _up(net, a, b)
    for round_ in range(20):
        a.agent.restart(net.now)
        a.agent.restart(net.now)
        b.agent.restart(net.now)
        net.signal(a, b)
        assert net.run(net.now + 10, completed(a, b)), round_
    net.run(net.now + 6)  # the paths of before are kept for a while
    assert len(a.agent.pairs) == 1
    assert len(a.paths._pins) == 1
    net.run(net.now + 300)
    assert completed(a, b)()


def test_closing_lets_go_of_every_path() -> None:
    net, a, b = _pair(9)
    _up(net, a, b)
    path = a.agent.selected_path
    assert path is not None and a.agent.accepts(path)
    a.agent.close(net.now)
    assert not a.agent.accepts(path)
    assert not a.paths._pins
    net.run(net.now + 40)
    assert b.agent.state is IceState.FAILED
    assert a.states()[-1] == "closed"


def test_bindings_of_a_stun_server_are_refreshed_while_signalling_is_slow() -> None:
    net = IceNet(10)
    server = Address("192.0.2.10", 3478)
    asked: list[float] = []

    def serve(data: bytes, source: Address) -> bytes | None:
        asked.append(net.now)
        return stun.serve_binding(data, source)

    net.servers[server] = serve
    nat = Nat("203.0.113.1")
    a = net.node("a", ["192.168.0.5"], controlling=True, nat=nat, stun_servers=(StunServer(*server),))
    b = net.node("b", ["198.51.100.7"])
    a.agent.gather(0.0)
    net.run(70)
    assert len(asked) == 5
    nat.rebind()
    net.run(80)
    reflexive = [event.candidate for event in a.named(CandidateGathered) if event.candidate.type == "srflx"]
    assert len(reflexive) == 2, "the NAT forgot us: the new address is another candidate"
    for one, other in ((a, b), (b, a)):
        one.agent.gather(net.now)
        net.settle()
        one.agent.set_remote_parameters(other.agent.local_parameters, net.now)
    for candidate in a.agent.local_candidates:
        b.agent.add_remote_candidate(candidate, net.now)
    for candidate in b.agent.local_candidates:
        a.agent.add_remote_candidate(candidate, net.now)
    assert net.run(90, connected(a, b))
    count = len(asked)
    net.run(300)
    assert len(asked) == count, "a selected pair needs no server any more"
