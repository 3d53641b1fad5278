"""ICE under Hypothesis: whatever happens to the network, the agents stay in legal states and find what there is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ice_net import IceNet, Node, connected
from webrtc_stack.ice import IceState, IceStateChanged, PairSelected, PairState, pair_priority
from webrtc_stack.sim import LinkConfig

LEGAL = {
    "new": {"checking", "failed", "closed"},
    "checking": {"connected", "failed", "closed"},
    "connected": {"completed", "disconnected", "failed", "checking", "closed"},
    "completed": {"connected", "disconnected", "failed", "checking", "closed"},
    "disconnected": {"connected", "completed", "failed", "checking", "closed"},
    "failed": {"checking", "closed"},
    "closed": set[str](),
}

_A_HOSTS = ["10.0.0.1", "10.1.0.1", "2001:db8::1"]
_B_HOSTS = ["10.0.0.2", "2001:db8::2"]
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0.01, 12)),
        st.tuples(st.just("cut"), st.sampled_from([(a, b) for a in _A_HOSTS for b in _B_HOSTS])),
        st.tuples(st.just("heal"), st.sampled_from([(a, b) for a in _A_HOSTS for b in _B_HOSTS])),
        st.tuples(st.just("unbind"), st.integers(0, 2)),
        st.tuples(st.just("bind"), st.sampled_from(["10.5.0.1", "2001:db8:5::1"])),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=8,
)


def _check(node: Node) -> None:
    agent = node.agent
    states = ["new", *node.states()]
    for before, after in pairwise(states):
        assert after in LEGAL[before], states
    path = agent.selected_path
    selected = [pair for pair in agent.pairs if pair.selected]
    assert len(selected) == (path is not None)
    if path is not None:
        assert selected[0].path == path
        assert agent.accepts(path)
        assert selected[0].state is PairState.SUCCEEDED
        assert node.named(PairSelected)[-1].path == path
    if agent.state in (IceState.CONNECTED, IceState.COMPLETED, IceState.DISCONNECTED):
        assert path is not None or agent.state is IceState.DISCONNECTED
    assert len(node.paths._pins) <= 2 * len(agent.pairs) + 8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), _steps, st.booleans(), st.floats(0, 0.1))
def test_whatever_happens_states_are_legal_and_a_healed_network_connects_after_a_restart(
    seed: int, steps: list[tuple[str, object]], controlling: bool, loss: float
) -> None:
    net = IceNet(seed, LinkConfig(latency=0.02, jitter=0.01, loss=loss))
    a = net.node("a", list(_A_HOSTS), controlling=controlling)
    b = net.node("b", list(_B_HOSTS), controlling=not controlling)
    net.signal(a, b, delay=0.02)
    for action, value in steps:
        if action == "wait":
            assert isinstance(value, float)
            net.run(net.now + value)
        elif action == "cut":
            net.partition(*value)  # type: ignore[misc]
        elif action == "heal":
            net.heal(*value)  # type: ignore[misc]
        elif action == "unbind":
            sockets = list(a.sockets)
            if len(sockets) > 1:
                a.unbind(sockets[value % len(sockets)])  # type: ignore[operator]
        elif action == "bind":
            assert isinstance(value, str)
            a.bind(value)
        else:
            a.agent.restart(net.now)
            b.agent.restart(net.now)
            net.signal(a, b, delay=0.02)
        net.run(net.now + 0.01)
        _check(a)
        _check(b)
    net.blocked.clear()
    a.bind("10.7.0.1")
    b.bind("10.7.0.2")
    a.agent.restart(net.now)
    b.agent.restart(net.now)
    net.signal(a, b, delay=0.02)
    assert net.run(net.now + 25, connected(a, b)), (a.states(), b.states())
    net.run(net.now + 5)
    for node in (a, b):
        _check(node)
        node.agent.close(net.now)
        assert not node.paths._pins
    net.settle()
    assert a.named(IceStateChanged)[-1].state is IceState.CLOSED


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.tuples(st.floats(0.1, 30), st.floats(0.1, 40)), max_size=20), st.booleans())
def test_however_a_direct_path_comes_and_goes_a_relay_keeps_the_data_from_being_tossed_about(
    seed: int, rhythm: list[tuple[float, float]], relay_controls: bool
) -> None:
    net = IceNet(seed, LinkConfig(latency=0.02))
    a = net.node("a", ["10.0.0.1"], controlling=relay_controls)
    b = net.node("b", ["10.0.0.2"], controlling=not relay_controls)
    net.signal(a, b)
    net.settle()
    a.relay("192.0.2.99")
    for up, down in rhythm:
        net.heal("10.0.0.1", "10.0.0.2")
        net.run(net.now + up)
        net.partition("10.0.0.1", "10.0.0.2")
        net.run(net.now + down)
    for node in (a, b):
        assert len(node.named(PairSelected)) <= 16
        assert "failed" not in node.states()
        _check(node)


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_both_sides_compute_the_same_priority_for_a_pair(ours: int, theirs: int) -> None:
    priority = pair_priority(ours, theirs)
    assert 0 <= priority < 2**64
    assert priority >> 32 == min(ours, theirs)
    assert (pair_priority(theirs, ours) == priority) is (ours == theirs)
