"""Kinds of bases and what the agent says of candidates: relays, TCP, hidden and rewritten addresses, failures."""

from __future__ import annotations

import re

import pytest

from webrtc_stack import stun
from webrtc_stack.base import (
    Address,
    Candidate,
    CandidateType,
    Datagram,
    IceParameters,
    PathId,
    PathTable,
    PublishName,
    SeededEntropy,
    SocketId,
    TcpType,
    WithdrawName,
)
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.ice import (
    AddressRewrite,
    CandidateError,
    CandidateGathered,
    Closed,
    GatheringStateChanged,
    IceAgent,
    IceConfig,
    LocalOrigin,
    PairState,
    RewriteMode,
    StunServer,
)
from webrtc_stack.stun import Attribute, AttributeType, ErrorCode, Message, MessageClass

REMOTE = IceParameters(ufrag="remote", pwd="r" * 24)
LITE = IceParameters(ufrag="remote", pwd="r" * 24, lite=True)
RELAY = LocalOrigin(
    type=CandidateType.RELAY,
    related=Address("203.0.113.1", 5555),
    url="turn:turn.example",
    relay_protocol="udp",
    preference=3,
)
PASSIVE = LocalOrigin(transport="tcp", tcp_type=TcpType.PASSIVE)
ACTIVE = LocalOrigin(transport="tcp", tcp_type=TcpType.ACTIVE, announce=False)


class Bench:
    """An agent with one UDP socket, number 1, on 10.0.0.1."""

    def __init__(self, **config: object) -> None:
        self.paths = PathTable()
        self.agent = IceAgent(IceConfig(paths=self.paths, entropy=SeededEntropy(1), **config))  # type: ignore[arg-type]
        self.agent.gather(0.0)
        self.agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 0.0)

    def events(self, kind: type) -> list[object]:
        return [event for event in self.agent.poll_events() if isinstance(event, kind)]

    def lines(self) -> list[str]:
        return [one.serialize() for one in self.agent.local_candidates]

    def remote(self, line: str) -> Candidate:
        candidate = Candidate.parse(line)
        self.agent.add_remote_candidate(candidate, 0.0)
        return candidate

    def check(
        self, source: Address, *, socket: int = 1, now: float = 0.0, nominate: bool = False, number: int = 1
    ) -> PathId:
        attributes = [
            Attribute(AttributeType.USERNAME, f"{self.agent.local_parameters.ufrag}:{REMOTE.ufrag}"),
            Attribute(AttributeType.ICE_CONTROLLING, 5),
            Attribute(AttributeType.PRIORITY, 1853824767),
        ]
        if nominate:
            attributes.append(Attribute(AttributeType.USE_CANDIDATE))
        request = Message(
            message_class=MessageClass.REQUEST,
            transaction_id=number.to_bytes(12, "big"),
            attributes=tuple(attributes),
        )
        path = self.paths.intern(SocketId(socket), source)
        self.agent.receive(Datagram(path, request.serialize(self.agent.local_parameters.pwd.encode())), now)
        return path


def test_a_relay_is_announced_with_its_server_and_lies_below_everything_else() -> None:
    bench = Bench(stun_servers=(StunServer("192.0.2.1"),))
    bench.agent.add_local(Address("192.0.2.9", 6000), SocketId(-1), 0.0, RELAY)
    host, relay = bench.agent.local_candidates
    assert relay.serialize().split(" typ ")[1].startswith("relay raddr 203.0.113.1 rport 5555")
    assert relay.priority == (65535 - 3) << 8 | 255
    assert relay.priority < host.priority and relay.foundation != host.foundation
    assert bench.agent.server_url(relay) == "turn:turn.example" and bench.agent.relay_protocol(relay) == "udp"
    assert bench.agent.server_url(host) is None and bench.agent.relay_protocol(host) is None
    now, asked = 0.0, set()
    while now < 1.0:
        for transmit in bench.agent.poll_transmits(now):
            path = bench.paths.lookup(transmit.path)
            assert path is not None
            asked.add(path.socket)
        now += 0.01
        bench.agent.handle_timeout(now)
    assert asked == {1}, "no STUN server is asked from a relay"


def test_a_relay_meets_its_family_and_never_loopback_or_link_local() -> None:
    bench = Bench()
    bench.agent.add_local(Address("192.0.2.9", 6000), SocketId(-1), 0.0, RELAY)
    bench.agent.add_local(Address("127.0.0.1", 6000), SocketId(2), 0.0)
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    for host in ("198.51.100.1", "2001:db8::1", "fe80::1", "127.0.0.1"):
        bench.remote(f"candidate:1 1 udp 2130706431 {host} 5000 typ host")
    met = {pair.remote.host for pair in bench.agent.pairs if pair.local.type is CandidateType.RELAY}
    assert met == {"198.51.100.1"}


@pytest.mark.parametrize(
    "origin",
    [
        LocalOrigin(type=CandidateType.SRFLX),
        LocalOrigin(transport="sctp"),
        LocalOrigin(transport="tcp"),
        LocalOrigin(tcp_type=TcpType.ACTIVE),
        LocalOrigin(transport="tcp", tcp_type=TcpType.SO),
        LocalOrigin(preference=-1),
    ],
)
def test_an_origin_that_contradicts_itself_is_refused(origin: LocalOrigin) -> None:
    bench = Bench()
    with pytest.raises(InvalidArgumentError):
        bench.agent.add_local(Address("10.0.0.3", 4000), SocketId(9), 0.0, origin)
    assert len(bench.agent.local_candidates) == 1


def test_tcp_pairs_active_with_passive_alone_and_lies_between_udp_and_relays() -> None:
    bench = Bench()
    bench.agent.add_local(Address("10.0.0.1", 9), SocketId(-2), 0.0, ACTIVE)
    bench.agent.add_local(Address("10.0.0.1", 4443), SocketId(7), 0.0, PASSIVE)
    (listener,) = [one for one in bench.agent.local_candidates if one.transport == "tcp"]
    assert " tcp " in listener.serialize() and " 10.0.0.1 4443 typ host tcptype passive" in listener.serialize()
    assert listener.priority == 90 << 24 | (4 << 13 | 65535 >> 3) << 8 | 255
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    udp = bench.remote("candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host")
    passive = bench.remote("candidate:2 1 tcp 1518214911 10.0.0.2 5000 typ host tcptype passive")
    active = bench.remote("candidate:3 1 tcp 1518214911 10.0.0.2 9 typ host tcptype active")
    assert [(pair.remote, pair.local.transport, pair.local.tcp_type) for pair in bench.agent.pairs] == [
        (udp, "udp", None),
        (passive, "tcp", TcpType.ACTIVE),
    ]
    assert bench.agent.ignored_candidates == ((active, "it is an active TCP candidate: its owner connects to us"),)


def test_a_check_over_a_stream_is_sent_once_and_fails_in_time() -> None:
    bench = Bench()
    bench.agent.remove_local(SocketId(1), 0.0)
    bench.agent.add_local(Address("10.0.0.1", 9), SocketId(-2), 0.0, ACTIVE)
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    bench.remote("candidate:2 1 tcp 1518214911 10.0.0.2 5000 typ host tcptype passive")
    now, sent = 0.0, 0
    while now < 20.5:
        sent += len(bench.agent.poll_transmits(now))
        now = max(now + 0.001, min(bench.agent.next_timeout(), 20.5))
        bench.agent.handle_timeout(now)
    (pair,) = bench.agent.pairs
    assert (sent, pair.state, pair.failure) == (1, PairState.FAILED, "no answer to 1 checks")


def test_who_connects_to_our_listener_is_learned_as_an_active_candidate_and_checked_on_its_stream() -> None:
    bench = Bench()
    bench.agent.add_local(Address("10.0.0.1", 4443), SocketId(7), 0.0, PASSIVE)
    bench.agent.add_local(Address("10.0.0.1", 9), SocketId(-2), 0.0, ACTIVE)
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    path = bench.check(Address("10.0.0.2", 51000), socket=7)
    (pair,) = bench.agent.pairs
    assert (pair.path, pair.remote.type, pair.remote.tcp_type) == (path, CandidateType.PRFLX, TcpType.ACTIVE)
    answer, check = bench.agent.poll_transmits(0.0)
    assert answer.path == check.path == path
    assert Message.parse(check.data).message_class is MessageClass.REQUEST
    bench.agent.add_local(Address("10.0.0.9", 9), SocketId(-3), 0.0, ACTIVE)
    assert len(bench.agent.pairs) == 1, "nobody can connect to it"


def test_a_carrier_that_fails_a_path_fails_its_pair_at_once_in_its_words() -> None:
    bench = Bench()
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    bench.remote("candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host")
    (pair,) = bench.agent.pairs
    bench.agent.fail_path(pair.path, "the relay refused: 403 Forbidden", 0.0)
    (pair,) = bench.agent.pairs
    assert (pair.state, pair.failure) == (PairState.FAILED, "the relay refused: 403 Forbidden")
    assert bench.agent.poll_transmits(0.1) == []
    bench.agent.fail_path(bench.paths.intern(SocketId(1), Address("10.0.0.5", 5)), "nobody's", 0.2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("candidate:1 2 udp 1 10.0.0.2 4001 typ host", "it is of component 2, and all runs over the first"),
        ("candidate:1 1 sctp 1 10.0.0.2 4001 typ host", "its transport is sctp"),
        ("candidate:1 1 udp 1 10.0.0.2 4001 typ host ufrag old", "it is of another generation"),
        ("candidate:1 1 udp 1 0.0.0.0 4001 typ host", "no peer can be reached at 0.0.0.0:4001"),
        ("candidate:1 1 udp 1 2001:db8::1 4001 typ host", "there is no local IPv6 address"),
        ("candidate:1 1 udp 1 127.0.0.1 4001 typ host", "it is the loopback address of another machine"),
        ("candidate:1 1 tcp 1 10.0.0.2 4001 typ host tcptype passive", "nothing here connects over TCP"),
        ("candidate:1 1 tcp 1 10.0.0.2 4001 typ host", "it is a TCP candidate that does not listen"),
    ],
)
def test_a_candidate_that_is_not_used_has_its_reason(line: str, reason: str) -> None:
    bench = Bench()
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    candidate = bench.remote(line)
    assert bench.agent.ignored_candidates == ((candidate, reason),)
    bench.agent.add_remote_candidate(None, 0.0)
    bench.agent.locals_complete(0.0)
    for _ in range(20):
        bench.agent.handle_timeout(min(bench.agent.next_timeout(), 100.0))
    assert bench.agent.state == "failed"
    assert reason in (bench.agent.failure_reason or "")


def test_a_name_that_nobody_resolves_is_told_and_the_notes_are_bounded() -> None:
    bench = Bench()
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    bench.remote("candidate:1 1 udp 1 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 4001 typ host")
    before = bench.agent.ignored_candidates
    assert before == ()
    bench.agent.handle_timeout(5.0)
    (ignored,) = bench.agent.ignored_candidates
    assert "21c41c499900.local was not resolved" in ignored[1]
    for port in range(1, 2000):
        bench.remote(f"candidate:1 2 udp 1 10.0.0.2 {port} typ host")
    assert len(bench.agent.ignored_candidates) == 64


def test_a_rewritten_address_replaces_the_private_one_or_stands_beside_it() -> None:
    replaced = Bench(rewrite=(AddressRewrite("203.0.113.7"),))
    assert [(one.host, one.port, one.type) for one in replaced.agent.local_candidates] == [
        ("203.0.113.7", 4000, CandidateType.HOST)
    ]
    replaced.agent.add_local(Address("127.0.0.1", 4001), SocketId(2), 0.0)
    assert replaced.agent.local_candidates[-1].host == "127.0.0.1"
    added = Bench(rewrite=(AddressRewrite("203.0.113.7", "10.0.0.1", RewriteMode.ADD), AddressRewrite("203.0.113.8")))
    host, reflexive = added.agent.local_candidates
    assert (host.host, reflexive.host, reflexive.port) == ("10.0.0.1", "203.0.113.7", 4000)
    assert (reflexive.type, reflexive.related_host, reflexive.related_port) == (CandidateType.SRFLX, "10.0.0.1", 4000)
    assert reflexive.priority < host.priority
    for rule in (AddressRewrite("nat.example"), AddressRewrite("203.0.113.7", "2001:db8::1")):
        with pytest.raises(InvalidArgumentError):
            IceConfig(rewrite=(rule,))


def test_hidden_hosts_have_one_name_each_that_is_published_and_withdrawn() -> None:
    bench = Bench(hide_hosts=True, stun_servers=(StunServer("192.0.2.1"),))
    bench.agent.add_local(Address("10.0.0.1", 4001), SocketId(2), 0.0)
    first, second = bench.agent.local_candidates
    assert first.host == second.host and first.port != second.port
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.local", first.host)
    events = bench.agent.poll_events()
    assert [one for one in events if isinstance(one, PublishName)] == [PublishName(first.host, "10.0.0.1")]
    (query,) = bench.agent.poll_transmits(0.0)
    answer = stun.serve_binding(query.data, Address("203.0.113.1", 777))
    assert answer is not None
    bench.agent.receive(Datagram(query.path, answer), 0.0)
    (found,) = bench.events(CandidateGathered)
    assert " raddr 0.0.0.0 rport 0" in found.candidate.serialize()  # type: ignore[attr-defined]
    assert not any("10.0.0.1" in line for line in bench.lines())
    bench.agent.remove_local(SocketId(1), 1.0)
    assert bench.events(WithdrawName) == []
    bench.agent.remove_local(SocketId(2), 1.0)
    assert bench.events(WithdrawName) == [WithdrawName(first.host)]
    bench.agent.add_local(Address("10.0.0.1", 4002), SocketId(3), 2.0)
    assert bench.agent.local_candidates[-1].host == first.host, "for the life of the agent"
    bench.agent.restart(3.0)
    bench.agent.gather(3.0)
    assert bench.agent.local_candidates[-1].host == first.host
    bench.agent.poll_events()
    bench.agent.close(4.0)
    ended = bench.agent.poll_events()
    assert WithdrawName(first.host) in ended and isinstance(ended[-1], Closed)


@pytest.mark.parametrize("continual", [True, False])
def test_an_address_that_comes_after_gathering_is_announced_or_silently_used(continual: bool) -> None:
    bench = Bench(continual=continual)
    bench.agent.locals_complete(0.0)
    bench.agent.set_remote_parameters(REMOTE, 0.0)
    bench.remote("candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host")
    assert bench.agent.gathering_state == "complete"
    bench.agent.poll_events()
    bench.agent.add_local(Address("10.0.0.8", 4000), SocketId(8), 5.0)
    assert len(bench.agent.pairs) == 2
    events = bench.agent.poll_events()
    assert any(isinstance(one, CandidateGathered) for one in events) is continual
    assert not any(isinstance(one, GatheringStateChanged) for one in events)
    assert bench.agent.gathering_state == "complete"


def _error(query: bytes, code: ErrorCode, *attributes: Attribute) -> bytes:
    return Message.parse(query).failure(code, attributes).serialize()


def test_a_server_that_sends_us_on_is_followed_twice_at_most() -> None:
    bench = Bench(stun_servers=(StunServer("192.0.2.1"),))
    bench.agent.locals_complete(0.0)
    now, asked = 0.0, []
    for hop in range(2, 6):
        transmits = bench.agent.poll_transmits(now)
        if not transmits:
            break
        path = bench.paths.lookup(transmits[0].path)
        assert path is not None
        asked.append(path.remote.host)
        other = Attribute(AttributeType.ALTERNATE_SERVER, Address(f"192.0.2.{hop}", 3478))
        answer = _error(transmits[0].data, ErrorCode.TRY_ALTERNATE, other)
        bench.agent.receive(Datagram(transmits[0].path, answer), now)
        now += 0.1
        bench.agent.handle_timeout(now)
    assert asked == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    (error,) = bench.events(CandidateError)
    assert error == CandidateError("stun:192.0.2.1:3478", 300, "Try Alternate", "10.0.0.1", 4000)


def test_a_server_fails_with_all_its_addresses_or_not_at_all() -> None:
    bench = Bench(stun_servers=(StunServer("stun.example"), StunServer("2001:db8::53")))
    bench.agent.add_local(Address("2001:db8::1", 4000), SocketId(2), 0.0)
    bench.agent.locals_complete(0.0)
    bench.agent.name_resolved(1, ["192.0.2.1", "2001:db8::54"], 0.0)
    now = 0.0
    while now < 6.0:
        for transmit in bench.agent.poll_transmits(now):
            path = bench.paths.lookup(transmit.path)
            assert path is not None
            if path.remote.host == "192.0.2.1":
                answer = stun.serve_binding(transmit.data, Address("203.0.113.1", 777))
                assert answer is not None
                bench.agent.receive(Datagram(transmit.path, answer), now)
        now = max(now + 0.001, min(bench.agent.next_timeout(), 6.0))
        bench.agent.handle_timeout(now)
    (error,) = bench.events(CandidateError)
    assert error == CandidateError(
        "stun:[2001:db8::53]:3478", 701, "[2001:db8::53]:3478 did not answer for 5 s", "2001:db8::1", 4000
    )


def test_a_server_of_a_family_that_we_have_not_is_reported_once() -> None:
    bench = Bench(stun_servers=(StunServer("2001:db8::53"),))
    bench.agent.locals_complete(0.0)
    bench.agent.handle_timeout(1.0)
    (error,) = bench.events(CandidateError)
    assert "there is no local IPv6 address" in error.reason  # type: ignore[attr-defined]
    assert bench.agent.gathering_state == "complete"


def test_as_lite_we_check_nothing_follow_nominations_and_live_on_the_peers_checks() -> None:
    bench = Bench(lite=True, controlling=True)
    agent = bench.agent
    assert agent.local_parameters.lite
    agent.locals_complete(0.0)
    agent.set_remote_parameters(REMOTE, 0.0)
    assert not agent.controlling
    bench.remote("candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host")
    assert agent.pairs == () and agent.state == "checking"
    peer = Address("10.0.0.2", 5000)
    path = bench.check(peer)
    assert (agent.selected_path, agent.accepts(path)) == (None, True)
    bench.check(peer, nominate=True, number=2)
    assert (agent.selected_path, agent.state) == (path, "connected")
    assert all(
        Message.parse(one.data).message_class is MessageClass.SUCCESS_RESPONSE for one in agent.poll_transmits(0.0)
    )
    now = 0.0
    for number in range(3, 20):
        now += 6.0
        agent.handle_timeout(now)
        bench.check(peer, now=now, nominate=True, number=number)
        agent.handle_timeout(now)
        assert agent.state == "connected"
        assert len(agent.poll_transmits(now)) == 1
    better = bench.check(Address("10.0.0.3", 5000), now=now, nominate=True, number=50)
    assert agent.selected_path == path, "the peer nominates both: not moved at once"
    bench.check(Address("10.0.0.3", 5000), now=now + 4, nominate=True, number=51)
    assert agent.selected_path == better
    agent.handle_timeout(now + 4 + 15.1)
    assert agent.state == "disconnected"
    agent.handle_timeout(now + 4 + 29.1)
    assert agent.state == "failed"
    assert "no check came for 29 s" in (agent.failure_reason or "")


def test_two_lite_agents_take_the_best_pair_on_trust() -> None:
    bench = Bench(lite=True, controlling=True)
    bench.agent.set_remote_parameters(LITE, 0.0)
    assert bench.agent.controlling, "as signalled"
    bench.remote("candidate:1 1 udp 1130706431 10.0.0.2 5000 typ host")
    best = bench.remote("candidate:1 1 udp 2130706431 10.0.0.3 5000 typ host")
    bench.agent.handle_timeout(500.0)
    assert bench.agent.poll_transmits(500.0) == []
    assert bench.agent.state == "connected"
    assert {pair.remote for pair in bench.agent.pairs if pair.nominated} == {best}


def test_lite_excludes_servers_and_relays() -> None:
    with pytest.raises(InvalidArgumentError):
        IceConfig(lite=True, stun_servers=(StunServer("192.0.2.1"),))
    bench = Bench(lite=True)
    for origin in (RELAY, ACTIVE):
        with pytest.raises(InvalidArgumentError):
            bench.agent.add_local(Address("192.0.2.9", 6000), SocketId(-1), 0.0, origin)
