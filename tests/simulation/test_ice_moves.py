"""ICE that moves: from a relay to a direct path and back, after a NAT forgot, to addresses that come late."""

from __future__ import annotations

import pytest

from tests.support.ice_net import IceNet, Nat, Node, completed, connected
from webrtc_stack import stun
from webrtc_stack.base import Address, CandidateType
from webrtc_stack.ice import CandidateGathered, GatheringStateChanged, PairSelected, StunServer
from webrtc_stack.sim import LinkConfig

A, B, RELAY = "10.0.0.1", "10.0.0.2", "192.0.2.99"


def _kind(node: Node) -> str:
    (pair,) = [pair for pair in node.agent.pairs if pair.selected]
    return "relay" if CandidateType.RELAY in (pair.local.type, pair.remote.type) else "direct"


def _relayed(seed: int, *, relay_controls: bool = True, loss: float = 0.0) -> tuple[IceNet, Node, Node]:
    """Two hosts that do not reach each other, but for a relay of the first."""
    net = IceNet(seed, LinkConfig(latency=0.025, loss=loss))
    a = net.node("a", [A], controlling=relay_controls)
    b = net.node("b", [B], controlling=not relay_controls)
    net.partition(A, B)
    net.signal(a, b)
    net.settle()
    a.relay(RELAY)
    net.settle()
    return net, a, b


@pytest.mark.parametrize("relay_controls", [True, False])
def test_a_relay_serves_at_once_and_is_nominated_when_patience_for_a_direct_path_ends(relay_controls: bool) -> None:
    net, a, b = _relayed(1, relay_controls=relay_controls)
    assert net.run(0.3, connected(a, b)), "data does not wait for nomination"
    assert net.run(1.0, completed(a, b))
    assert _kind(a) == _kind(b) == "relay"


@pytest.mark.parametrize("relay_controls", [True, False])
def test_when_a_direct_path_opens_both_sides_move_to_it_and_stay(relay_controls: bool) -> None:
    net, a, b = _relayed(2, relay_controls=relay_controls)
    net.run(60)
    assert _kind(a) == _kind(b) == "relay"
    net.heal(A, B)
    net.run(net.now + 60)  # the direct pair, long failed, is checked again now and then
    assert _kind(a) == _kind(b) == "direct"
    assert completed(a, b)()
    moves = [len(node.named(PairSelected)) for node in (a, b)]
    net.run(net.now + 300)
    assert [len(node.named(PairSelected)) for node in (a, b)] == moves
    assert "disconnected" not in a.states() + b.states()


def test_an_address_that_comes_up_late_is_announced_and_taken_in_place_of_a_relay() -> None:
    net, a, b = _relayed(3)
    net.run(30)
    a.bind("10.0.0.3")
    assert net.run(31, lambda: _kind(a) == _kind(b) == "direct")
    assert [event.state.value for event in a.named(GatheringStateChanged)] == ["gathering", "complete"]
    assert [event.candidate.host for event in a.named(CandidateGathered)] == [A, RELAY, "10.0.0.3"]


def test_when_the_address_of_the_direct_path_vanishes_the_relay_takes_over_at_once() -> None:
    net, a, b = _relayed(4)
    net.heal(A, B)
    net.run(60)
    assert _kind(a) == "direct"
    a.unbind(next(iter(a.sockets)))
    assert _kind(a) == "relay", "without waiting for anything"
    net.run(net.now + 10)
    assert _kind(b) == "relay"
    assert a.agent.state == b.agent.state == "completed"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("relay_controls", [True, False])
def test_a_direct_path_that_comes_and_goes_does_not_take_the_data_along(seed: int, relay_controls: bool) -> None:
    net, a, b = _relayed(seed, relay_controls=relay_controls)
    for round_ in range(40):  # 20 minutes
        net.heal(A, B)
        net.run(net.now + 5 + (seed + round_) % 12)
        net.partition(A, B)
        net.run(net.now + 30 - 5 - (seed + round_) % 12)
    for node in (a, b):
        assert len(node.named(PairSelected)) <= 16, "the rest doubles from 10 s to 320 s"
        assert "failed" not in node.states()


@pytest.mark.parametrize("moved_controls", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_a_nat_that_forgets_is_followed_in_less_than_4_seconds(moved_controls: bool, seed: int) -> None:
    net = IceNet(seed)
    server = Address("192.0.2.10", 3478)
    net.servers[server] = stun.serve_binding
    nat = Nat("203.0.113.1")
    a = net.node("a", ["192.168.0.5"], controlling=moved_controls, nat=nat, stun_servers=(StunServer(*server),))
    b = net.node("b", ["198.51.100.7"], controlling=not moved_controls)
    net.signal(a, b)
    net.run(20 + seed * 0.7)
    before = b.agent.selected_path
    nat.rebind()
    at = net.now
    assert net.run(at + 4.0, lambda: b.agent.selected_path != before)
    path = b.agent.selected_path
    net.run(at + 60)
    assert b.agent.selected_path == path
    assert "disconnected" not in a.states() + b.states()
