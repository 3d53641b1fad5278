"""Connecting: roles, orders of signalling, loss, NATs, dead servers and interfaces, odd peers, round trips."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ice_net import IceNet, Nat, Node, completed, connected
from webrtc_stack import stun
from webrtc_stack.base import Address, Candidate, CandidateType, IceParameters
from webrtc_stack.ice import (
    CandidateError,
    CandidateGathered,
    GatheringStateChanged,
    IceState,
    PairSelected,
    RoleChanged,
    StunServer,
)
from webrtc_stack.sim import Link, LinkConfig

RTT = 0.05


def _pair(net: IceNet, **config: Any) -> tuple[Node, Node]:
    return (
        net.node("a", ["10.0.0.1"], controlling=True, **config),
        net.node("b", ["10.0.0.2"], **config),
    )


def test_both_sides_can_send_after_one_round_trip_and_nomination_takes_one_more() -> None:
    net = IceNet(1)
    a, b = _pair(net)
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    assert a.time_of("connected") == pytest.approx(RTT)
    assert b.time_of("connected") == pytest.approx(RTT)
    assert a.time_of("completed") == pytest.approx(2 * RTT)
    assert b.time_of("completed") == pytest.approx(1.5 * RTT)
    assert a.states() == ["checking", "connected", "completed"]
    assert len(a.named(PairSelected)) == len(b.named(PairSelected)) == 1
    assert a.agent.counters.requests_sent <= 3  # the check, one triggered by the peer's, the nomination


def test_the_answerer_sends_one_round_trip_after_the_offer_even_while_the_answer_is_under_way() -> None:
    net = IceNet(1)
    a, b = _pair(net)
    a.agent.gather(0.0)
    b.agent.gather(0.0)
    net.settle()
    b.agent.set_remote_parameters(a.agent.local_parameters, 0.0)
    for candidate in a.agent.local_candidates:
        b.agent.add_remote_candidate(candidate, 0.0)
    net.run(1.0)
    assert b.time_of("connected") == pytest.approx(RTT)
    assert a.agent.state is IceState.NEW
    # The answerer may send DTLS now, before its answer has arrived: Chromium does.
    assert a.agent.accepts(a.paths.intern(next(iter(a.sockets)), next(iter(b.sockets.values()))))
    a.agent.set_remote_parameters(b.agent.local_parameters, net.now)
    assert net.run(3.0, connected(a, b))
    assert a.time_of("connected") == pytest.approx(1.0 + RTT)  # the early check was remembered: no candidate came
    assert a.agent.remote_candidates[0].type is CandidateType.PRFLX


@pytest.mark.parametrize("roles", [(True, False), (False, True), (True, True), (False, False)])
@pytest.mark.parametrize("trickle", [True, False])
@pytest.mark.parametrize("candidates_first", [True, False])
@pytest.mark.parametrize("delay", [0.0, 0.08])
def test_every_order_of_signalling_and_roles_connects(
    roles: tuple[bool, bool], trickle: bool, candidates_first: bool, delay: float
) -> None:
    net = IceNet(f"{roles} {trickle} {candidates_first} {delay}")
    a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=roles[0])
    b = net.node("b", ["10.0.0.2", "2001:db8::2"], controlling=roles[1])
    net.signal(a, b, delay=delay, trickle=trickle, candidates_first=candidates_first)
    assert net.run(10, completed(a, b))
    assert a.agent.controlling is not b.agent.controlling
    changes = len(a.named(RoleChanged)) + len(b.named(RoleChanged))
    assert changes == (1 if roles[0] is roles[1] else 0)
    assert a.agent.drops.total == b.agent.drops.total == 0
    for pair in (*a.agent.pairs, *b.agent.pairs):
        assert (":" in pair.local.host) == (":" in pair.remote.host), "families never mix"


def test_two_hundred_seeds_with_loss_jitter_and_reordering_all_connect() -> None:
    slowest = 0.0
    for seed in range(200):
        link = LinkConfig(latency=0.02, jitter=0.01, loss=0.15, reorder=0.1, duplicate=0.05)
        net = IceNet(seed, link)
        a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=seed % 2 == 0)
        b = net.node("b", ["10.0.0.2"], controlling=seed % 3 == 0)
        net.signal(a, b, delay=(seed % 5) * 0.02, trickle=seed % 7 != 0)
        assert net.run(25, completed(a, b)), f"seed {seed}: {a.states()} {b.states()}"
        slowest = max(slowest, a.time_of("connected"), b.time_of("connected"))
    assert slowest < 10


def test_a_run_depends_on_its_seed_alone_in_another_process_too() -> None:
    program = (
        "from tests.support.ice_net import *\n"
        "from webrtc_stack.sim import LinkConfig\n"
        "import sys\n"
        "net = IceNet(int(sys.argv[1]), LinkConfig(latency=.02, loss=.1, jitter=.01))\n"
        "a = net.node('a', ['10.0.0.1', '10.1.0.1'], controlling=True)\n"
        "b = net.node('b', ['10.0.0.2', '2001:db8::1'], controlling=True)\n"
        "net.signal(a, b); net.run(20)\n"
        "print(net.digest())\n"
    )
    root = Path(__file__).resolve().parents[2]

    def run(seed: int, hash_seed: str) -> str:
        env = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", program, str(seed)]
        return subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, check=True).stdout

    assert run(1, "1") == run(1, "2") != run(2, "1")


def _behind_nats(net: IceNet, servers: int = 1, **kinds: Nat) -> tuple[Node, Node]:
    addresses = [Address(f"192.0.2.{10 + i}", 3478) for i in range(servers)]
    for address in addresses:
        net.servers[address] = stun.serve_binding
    config: dict[str, Any] = {"stun_servers": tuple(StunServer(*address) for address in addresses)}
    a = net.node("a", ["192.168.0.5"], controlling=True, nat=kinds.get("left", Nat("203.0.113.1")), **config)
    b = net.node("b", ["192.168.7.7"], nat=kinds.get("right", Nat("198.51.100.1")), **config)
    return a, b


def test_two_nats_are_crossed_with_server_reflexive_candidates() -> None:
    net = IceNet(3)
    a, b = _behind_nats(net)
    net.signal(a, b, delay=0.05)
    assert net.run(10, completed(a, b)), (a.states(), b.states())
    pair = next(pair for pair in a.agent.pairs if pair.selected)
    assert pair.local.type is CandidateType.SRFLX
    assert pair.local in a.agent.local_candidates
    assert pair.remote.type in (CandidateType.SRFLX, CandidateType.PRFLX)
    reflexive = [c for c in a.gathered if c.type is CandidateType.SRFLX]
    assert [(c.host, c.related_host) for c in reflexive] == [("203.0.113.1", "192.168.0.5")]
    assert reflexive[0].priority < a.gathered[0].priority


def test_several_servers_that_see_the_same_address_give_one_candidate() -> None:
    net = IceNet(4)
    a, b = _behind_nats(net, servers=3)
    net.signal(a, b, delay=0.05)
    assert net.run(10, completed(a, b))
    assert [c.type for c in a.gathered] == [CandidateType.HOST, CandidateType.SRFLX]


def test_a_symmetric_nat_against_an_open_one_works_by_peer_reflexive_candidates() -> None:
    net = IceNet(5)
    a, b = _behind_nats(net, servers=2, left=Nat("203.0.113.1", symmetric=True), right=Nat("198.51.100.1", open=True))
    net.signal(a, b, delay=0.05)
    assert net.run(10, completed(a, b)), (a.states(), b.states())
    assert len([c for c in a.gathered if c.type is CandidateType.SRFLX]) == 2
    pair = next(pair for pair in b.agent.pairs if pair.selected)
    assert pair.remote.type is CandidateType.PRFLX
    mine = next(pair for pair in a.agent.pairs if pair.selected)
    assert mine.local.type is CandidateType.PRFLX


def test_without_a_nat_the_reflexive_candidate_is_redundant() -> None:
    net = IceNet(6)
    server = Address("192.0.2.10", 3478)
    net.servers[server] = stun.serve_binding
    a = net.node("a", ["10.0.0.1"], controlling=True, stun_servers=(StunServer(*server),))
    a.agent.gather(0.0)
    net.run(2)
    assert len(a.gathered) == 0 and len(a.agent.local_candidates) == 1
    assert a.named(GatheringStateChanged)[-1].state == "complete"


def test_the_signalled_candidates_may_never_come_if_the_peer_knows_ours() -> None:
    net = IceNet(7)
    a, b = _pair(net)
    for one in (a, b):
        one.agent.gather(0.0)
    net.settle()
    a.agent.set_remote_parameters(b.agent.local_parameters, 0.0)
    b.agent.set_remote_parameters(a.agent.local_parameters, 0.0)
    for candidate in a.agent.local_candidates:
        b.agent.add_remote_candidate(candidate, 0.0)
    assert net.run(5, connected(a, b))
    assert [c.type for c in a.agent.remote_candidates] == [CandidateType.PRFLX]


def test_an_mdns_name_is_resolved_or_else_the_peer_is_found_by_its_checks() -> None:
    for resolvable in (True, False):
        net = IceNet(8)
        a, b = _pair(net)
        if resolvable:
            net.names["3b5e.local"] = ["10.0.0.1"]
        for one, other in ((a, b), (b, a)):
            one.agent.gather(0.0)
            net.settle()
            one.agent.set_remote_parameters(other.agent.local_parameters, 0.0)
        hidden = a.agent.local_candidates[0]
        named = Candidate.parse(hidden.serialize().replace("10.0.0.1", "3b5e.local"))
        assert named.is_mdns
        b.agent.add_remote_candidate(named, 0.0)
        b.agent.add_remote_candidate(None, 0.0)
        a.agent.add_remote_candidate(b.agent.local_candidates[0], 0.0)
        assert net.run(5, connected(a, b))
        net.run(7)  # the name has been resolved by now, or has failed
        kinds = [candidate.type for candidate in b.agent.remote_candidates]
        assert kinds == [CandidateType.HOST if resolvable else CandidateType.PRFLX]
        assert b.agent.state is IceState.COMPLETED


def test_a_dead_interface_and_a_dead_server_delay_neither_connecting_nor_completing_beyond_their_time() -> None:
    net = IceNet(9)
    good = Address("192.0.2.10", 3478)
    net.servers[good] = stun.serve_binding
    config: dict[str, Any] = {
        "stun_servers": (StunServer("192.0.2.99"), StunServer(*good), StunServer("nowhere.example")),
    }
    a = net.node("a", ["172.16.0.9", "10.0.0.1"], controlling=True, **config)
    b = net.node("b", ["10.0.0.2"])
    for other in ("10.0.0.2", "192.0.2.10", "192.0.2.99"):
        net.blocked.add(("172.16.0.9", other))
    net.signal(a, b)
    assert net.run(10, completed(a, b)), (a.states(), b.states())
    assert a.time_of("connected") <= 2 * RTT
    assert a.time_of("completed") <= 5.1
    errors = {event.url: event.code for event in a.named(CandidateError)}
    assert errors == {"stun:192.0.2.99:3478": 701, "stun:nowhere.example:3478": 701}


def test_a_server_by_name_is_asked_in_each_family() -> None:
    net = IceNet(10)
    net.names["stun.example"] = ["192.0.2.10", "2001:db8:5::10", "192.0.2.11"]
    seen: list[Address] = []

    def server(data: bytes, source: Address) -> bytes | None:
        seen.append(source)
        return stun.serve_binding(data, source)

    net.servers[Address("192.0.2.10", 3478)] = server
    net.servers[Address("2001:db8:5::10", 3478)] = server
    a = net.node("a", ["10.0.0.1", "2001:db8::1", "fe80::1", "127.0.0.1"], stun_servers=(StunServer("stun.example"),))
    a.agent.gather(0.0)
    net.run(6)
    assert sorted(address.host for address in seen) == ["10.0.0.1", "2001:db8::1"]
    assert a.agent.gathering_state == "complete"


def test_with_a_hundred_pairs_the_working_one_is_found_quickly() -> None:
    net = IceNet(11)
    a = net.node("a", [f"10.0.{i}.1" for i in range(9)], controlling=True)
    b = net.node("b", [f"10.9.{i}.2" for i in range(11)])
    for i in range(9):
        for j in range(11):
            if (i, j) != (8, 10):
                net.partition(f"10.0.{i}.1", f"10.9.{j}.2")
    net.signal(a, b)
    assert net.run(10, connected(a, b))
    assert a.time_of("connected") < 1.0
    assert len(a.agent.pairs) == 99


class Lite:
    """An ICE-lite peer: answers checks, sends none."""

    def __init__(self, pwd: str) -> None:
        self.pwd = pwd
        self.nominated = 0

    def __call__(self, data: bytes, source: Address) -> bytes | None:
        request = stun.Message.parse(data)
        if not request.verify(self.pwd.encode()):
            return None
        assert request.ice_controlling is not None, "against a lite peer the full agent controls"
        self.nominated += request.use_candidate
        answer = request.success((stun.Attribute(stun.AttributeType.XOR_MAPPED_ADDRESS, source),))
        return answer.serialize(self.pwd.encode())


def test_a_lite_peer_is_connected_and_nominated() -> None:
    net = IceNet(12)
    lite = Lite("p" * 24)
    net.servers[Address("192.0.2.50", 4000)] = lite
    a = net.node("a", ["10.0.0.1"])
    a.agent.gather(0.0)
    net.settle()
    a.agent.set_remote_parameters(IceParameters(ufrag="lite", pwd="p" * 24, lite=True), 0.0)
    a.agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 2130706431 192.0.2.50 4000 typ host"), 0.0)
    a.agent.add_remote_candidate(None, 0.0)
    assert net.run(5, completed(a))
    assert a.agent.controlling
    assert a.time_of("connected") == pytest.approx(RTT)
    assert lite.nominated == 1
    net.run(120)
    assert a.agent.state is IceState.COMPLETED


def test_a_peer_that_nominates_in_every_check_selects_the_best_pair() -> None:
    """Chromium sends USE-CANDIDATE with each check; the pair of highest priority wins in the end."""
    net = IceNet(13)
    a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=True)
    b = net.node("b", ["10.0.0.2"])

    def aggressive(node: Node, source: Address, remote: Address, data: bytes) -> bytes:
        message = stun.Message.parse(data)
        if node is a and message.message_class is stun.MessageClass.REQUEST and not message.use_candidate:
            kept = [one for one in message.attributes if one.type not in (8, 0x8028)]
            kept.append(stun.Attribute(stun.AttributeType.USE_CANDIDATE))
            changed = stun.Message(
                message_class=message.message_class,
                transaction_id=message.transaction_id,
                attributes=tuple(kept),
            )
            return changed.serialize(b.agent.local_parameters.pwd.encode())
        return data

    net.tap = aggressive
    # The better pair is slow: the worse one is nominated first.
    for link in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")):
        net.links[link] = Link(LinkConfig(latency=0.2), net.entropy.fork(str(link)))
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    net.run(5)
    selected = [event.remote.host for event in b.named(PairSelected)]
    assert selected == ["10.1.0.1", "10.0.0.1"]
    assert all(pair.nominated for pair in b.agent.pairs)


def _slow_first_choice(latency: float) -> tuple[IceNet, Node, Node]:
    """Two paths, of which the one of higher priority has this latency, the other 25 ms."""
    net = IceNet(19)
    a = net.node("a", ["10.0.0.1", "10.1.0.1"], controlling=True)
    b = net.node("b", ["10.0.0.2"])
    for link in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")):
        net.links[link] = Link(LinkConfig(latency=latency), net.entropy.fork(str(link)))
    net.signal(a, b)
    net.run(5)
    return net, a, b


def test_a_better_pair_that_answers_within_patience_is_the_one_nominated() -> None:
    _, a, b = _slow_first_choice(0.045)
    for node in (a, b):
        assert next(pair for pair in node.agent.pairs if pair.selected).priority == node.agent.pairs[0].priority
        assert [pair.nominated for pair in node.agent.pairs] == [True, False]
    assert a.time_of("connected") == pytest.approx(0.07), "data did not wait for the choice"
    assert a.agent.counters.nominations == 1


def test_a_better_pair_that_answers_too_late_changes_nothing() -> None:
    _, a, b = _slow_first_choice(0.3)
    for node in (a, b):
        assert [pair.state for pair in node.agent.pairs] == ["succeeded", "succeeded"]
        assert [pair.selected for pair in node.agent.pairs] == [False, True]
        assert len(node.named(PairSelected)) == 1
    assert a.agent.counters.nominations == 1


def test_a_check_that_the_peer_overtakes_is_not_repeated() -> None:
    """The first check dies at the peer's NAT; the peer's own check triggers another at once, which replaces it."""
    net = IceNet(20, LinkConfig(latency=0.2))
    a, b = _pair(net)
    lost: list[float] = []

    def tap(node: Node, source: Address, remote: Address, data: bytes) -> bytes | None:
        if node is a and not lost:
            lost.append(net.now)
            return None
        return data

    net.tap = tap
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    assert a.time_of("connected") == pytest.approx(0.2 + 0.4)
    assert a.agent.counters.retransmissions == 1  # of the nomination, whose round trip is longer than the first RTO


def test_checking_fails_when_nothing_can_work_after_patience_or_at_the_deadline() -> None:
    net = IceNet(14)
    a, b = _pair(net)
    net.partition("10.0.0.1", "10.0.0.2")
    net.signal(a, b)
    net.run(60)
    assert a.states() == b.states() == ["checking", "failed"]
    assert 15 <= a.time_of("failed") <= 30
    quiet = a.sent
    net.run(120)
    assert a.sent == quiet, "a failed agent is silent"


def test_without_any_candidate_the_end_of_candidates_fails_after_patience() -> None:
    net = IceNet(15)
    a = net.node("a", ["10.0.0.1"])
    b = net.node("b", [])
    net.signal(a, b)
    net.run(60)
    assert a.time_of("failed") == pytest.approx(15.0)
    assert b.time_of("failed") >= 15.0


def test_candidates_of_other_components_transports_and_generations_are_ignored() -> None:
    net = IceNet(16)
    a, b = _pair(net)
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    before = a.agent.pairs
    for line in (
        "candidate:1 2 UDP 2130706430 10.0.0.2 4001 typ host",
        "candidate:1 1 tcp 1518214911 10.0.0.2 9 typ host tcptype active",
        "candidate:1 1 udp 2130706431 10.0.0.2 4002 typ host ufrag other",
        "candidate:1 1 udp 2130706431 224.0.0.1 4002 typ host",
        "candidate:1 1 udp 2130706431 0.0.0.0 4002 typ host",
        "candidate:1 1 udp 2130706431 10.0.0.2 0 typ host",
    ):
        a.agent.add_remote_candidate(Candidate.parse(line), net.now)
    assert len(a.agent.pairs) == len(before)
    assert a.agent.drops.total == 6


def test_loopback_is_paired_with_loopback_and_our_own_addresses_only() -> None:
    net = IceNet(17)
    a = net.node("a", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1"])
    a.agent.gather(0.0)
    net.settle()
    a.agent.set_remote_parameters(IceParameters(ufrag="abcd", pwd="x" * 24), 0.0)
    for host in ("127.0.0.1", "10.0.0.1", "203.0.113.9", "fe80::2", "2001:db8::2"):
        line = f"candidate:1 1 udp 2130706431 {host} 5000 typ host"
        a.agent.add_remote_candidate(Candidate.parse(line), 0.0)
    made = {(pair.local.host, pair.remote.host) for pair in a.agent.pairs}
    assert made == {
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9"),
        ("fe80::1", "fe80::2"),
    }


def bind_late(node: Node) -> None:
    node.bind("10.0.0.1")
    node.agent.locals_complete(node.net.now)


def test_a_local_address_that_appears_late_is_announced_and_checked() -> None:
    net = IceNet(18)
    a = net.node("a", [], controlling=True)
    b = net.node("b", ["10.0.0.2"])
    a.complete_locals = False
    net.signal(a, b)
    net.run(2)
    assert a.agent.state is IceState.CHECKING
    net.at(2.5, lambda: bind_late(a))
    assert net.run(5, connected(a, b))
    assert a.time_of("connected") == pytest.approx(2.5 + RTT)
    assert len(a.named(CandidateGathered)) == 1
