"""Commands of the agent: misuse, late facts, parameters, statistics."""

from __future__ import annotations

import pytest

from tests.support.ice_net import IceNet, completed
from webrtc_stack.base import NEVER, Address, Candidate, IceParameters, PathId, PathTable, SeededEntropy, SocketId
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError, UsageError
from webrtc_stack.ice import Closed, IceAgent, IceConfig, IceState, PairState, StunServer
from webrtc_stack.trace import MemorySink, Trace

REMOTE = IceParameters(ufrag="abcd", pwd="p" * 24)
LINE = Candidate.parse("candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host")


def _agent() -> IceAgent:
    return IceAgent(IceConfig(entropy=SeededEntropy(1)))


def test_local_parameters_are_long_enough_and_differ_between_generations() -> None:
    agent = _agent()
    first = agent.local_parameters
    assert len(first.ufrag) >= 4 and len(first.pwd) >= 22
    second = agent.restart(0.0)
    assert second == agent.local_parameters
    assert first.ufrag != second.ufrag and first.pwd != second.pwd


def test_fixed_parameters_are_used_and_short_ones_refused() -> None:
    fixed = IceParameters(ufrag="fixd", pwd="q" * 22)
    assert IceAgent(IceConfig(local_parameters=fixed)).local_parameters is fixed
    with pytest.raises(InvalidArgumentError):
        IceConfig(local_parameters=IceParameters(ufrag="abc", pwd="q" * 22))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pacing_interval": 0.001},
        {"pacing_floor": 0.001},
        {"max_pairs": 0},
        {"consent_timeout": 60.0},
        {"disconnected_timeout": 30.0},
    ],
)
def test_a_config_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError):
        IceConfig(**wrong)  # type: ignore[arg-type]


def test_misuse_raises_before_anything_changes() -> None:
    agent = _agent()
    agent.set_controlling(True)
    agent.gather(0.0)
    agent.gather(0.0)  # idempotent
    agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 0.0)
    for address, socket in ((Address("host.example", 1), 2), (Address("10.0.0.1", 0), 2), (Address("10.0.0.3", 9), 1)):
        with pytest.raises(InvalidArgumentError):
            agent.add_local(address, SocketId(socket), 0.0)
    assert len(agent.local_candidates) == 1
    with pytest.raises(InvalidArgumentError):
        agent.set_remote_parameters(IceParameters(ufrag="", pwd=""), 0.0)
    agent.set_remote_parameters(REMOTE, 0.0)
    agent.set_remote_parameters(REMOTE, 0.0)  # the same again is no news
    agent.set_controlling(True)
    with pytest.raises(InvalidStateError, match="role"):
        agent.set_controlling(False)
    with pytest.raises(InvalidStateError, match="restart"):
        agent.set_remote_parameters(IceParameters(ufrag="wxyz", pwd="p" * 24), 0.0)
    assert agent.remote_parameters is REMOTE


def test_after_close_commands_raise_and_late_facts_are_ignored() -> None:
    agent = _agent()
    agent.gather(0.0)
    agent.poll_events()
    agent.close(1.0)
    agent.close(1.0)
    events = agent.poll_events()
    assert isinstance(events[-1], Closed)
    for command in (
        lambda: agent.gather(1.0),
        lambda: agent.restart(1.0),
        lambda: agent.set_remote_parameters(REMOTE, 1.0),
        lambda: agent.add_remote_candidate(LINE, 1.0),
        lambda: agent.set_controlling(True),
    ):
        with pytest.raises(UsageError):
            command()
    agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 2.0)
    agent.remove_local(SocketId(1), 2.0)
    agent.locals_complete(2.0)
    agent.name_resolved(1, ["10.0.0.1"], 2.0)
    assert agent.poll_events() == []
    assert agent.next_timeout() == NEVER
    assert agent.state is IceState.CLOSED


def test_what_a_resolver_says_never_raises() -> None:
    agent = _agent()
    agent.set_remote_parameters(REMOTE, 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 1 x.local 5000 typ host"), 0.0)
    agent.name_resolved(1, ["nonsense", "", "10.0.0.5", "10.0.0.5"], 0.0)
    agent.name_resolved(1, ["10.0.0.6"], 0.0)
    agent.name_resolved(77, ["10.0.0.6"], 0.0)
    assert [candidate.host for candidate in agent.remote_candidates] == ["x.local"]


def test_statistics_of_pairs_count_what_was_sent_and_measure_the_round_trip() -> None:
    net = IceNet(2)
    a = net.node("a", ["10.0.0.1"], controlling=True)
    b = net.node("b", ["10.0.0.2"])
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    net.run(20)
    (pair,) = a.agent.pairs
    assert pair.selected and pair.nominated and pair.state is PairState.SUCCEEDED
    assert pair.path == a.agent.selected_path
    assert pair.rtt == pytest.approx(0.05)
    assert pair.total_rtt == pytest.approx(0.05 * pair.responses_received)
    assert pair.requests_sent == pair.responses_received == a.agent.counters.requests_sent
    assert pair.consent_requests_sent == pair.requests_sent - 3
    (other,) = b.agent.pairs
    assert other.requests_received == other.responses_sent == pair.requests_sent
    assert (pair.local.host, pair.remote.host) == ("10.0.0.1", "10.0.0.2")


def test_the_trace_tells_the_story() -> None:
    sink = MemorySink()
    agent = IceAgent(
        IceConfig(
            paths=PathTable(), entropy=SeededEntropy(1), trace=Trace(sink), stun_servers=(StunServer("192.0.2.1"),)
        )
    )
    agent.gather(0.0)
    agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 0.0)
    agent.set_remote_parameters(REMOTE, 0.0)
    agent.add_remote_candidate(LINE, 0.0)
    agent.poll_transmits(0.0)
    agent.close(1.0)
    names = {event.name for event in sink.events}
    assert {"candidate_gathered", "remote_parameters_set", "pair_formed", "check_sent", "state_changed"} <= names
    assert all(event.room == "ice" for event in sink.events)
    assert not any("pwd" in event.to_json() or REMOTE.pwd in event.to_json() for event in sink.events)


def test_small_polls_send_the_same_in_the_end() -> None:
    outcomes = []
    for limit in (64, 1):
        agent = IceAgent(IceConfig(entropy=SeededEntropy(1), controlling=True))
        agent.gather(0.0)
        agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 0.0)
        agent.set_remote_parameters(REMOTE, 0.0)
        agent.add_remote_candidate(LINE, 0.0)
        sent = []
        now = 0.0
        while now < 40:
            while burst := agent.poll_transmits(now, limit):
                assert len(burst) <= limit
                sent += burst
            now = agent.next_timeout()
            agent.handle_timeout(now)
        outcomes.append(sent)
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == IceConfig().check_rc


def test_data_is_counted_on_its_pair_and_in_total() -> None:
    net = IceNet(2)
    left, right = net.node("a", ["10.0.0.1"], controlling=True), net.node("b", ["10.0.0.2"])
    net.signal(left, right)
    assert net.run(5, completed(left, right))
    agent = left.agent
    path = agent.selected_path
    assert path is not None
    assert agent.counters.selected_pair_changes == 1
    now = net.now
    agent.data_sent(path, 3, 3000, now)
    agent.data_sent(path, 1, 10, now + 1)
    agent.data_received(path, 2, 50, now + 2)
    agent.data_received(PathId(9999), 1, 7, now + 3)
    (pair,) = agent.pairs
    assert (pair.packets_sent, pair.bytes_sent, pair.last_sent_at) == (4, 3010, now + 1)
    assert (pair.packets_received, pair.bytes_received, pair.last_received_at) == (2, 50, now + 2)
    counters = agent.counters
    assert (counters.data_packets_sent, counters.data_bytes_sent) == (4, 3010)
    assert (counters.data_packets_received, counters.data_bytes_received) == (3, 57)
    assert (pair.generation, pair.remote_address) == (agent.generation, next(iter(agent.remote_endpoints))[0])
    assert agent.remote_endpoints[pair.remote_address, "udp"].host == "10.0.0.2"
    agent.restart(now + 4)
    agent.data_sent(path, 1, 1, now + 5)
    (pair,) = agent.pairs
    assert (pair.generation, pair.packets_sent) == (agent.generation - 1, 5)
    assert right.agent.server_url(pair.remote) is None
