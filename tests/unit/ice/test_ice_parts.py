"""The parts alone: priorities, the checklist, the book of checks, STUN sources, names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.calls import count_calls
from webrtc_stack import stun
from webrtc_stack.base import (
    NEVER,
    Address,
    Candidate,
    CandidateType,
    IceParameters,
    PathTable,
    SeededEntropy,
    SocketId,
)
from webrtc_stack.ice import IceAgent, IceConfig, PairState, candidate_priority, pair_priority
from webrtc_stack.ice.candidates import Base, Foundations, Remote, is_usable_remote, local_preference, may_pair
from webrtc_stack.ice.checklist import Checklist
from webrtc_stack.ice.checks import Check, CheckBook, Purpose, build_check
from webrtc_stack.ice.names import Names
from webrtc_stack.ice.pair import CandidatePair
from webrtc_stack.ice.remotes import RemoteCandidates
from webrtc_stack.ice.sources import Sources, StunSource
from webrtc_stack.stun import Message, MessageClass, RetransmissionConfig, Transaction


def _base(host: str, number: int = 1, foundation: str | None = None) -> Base:
    address = Address(host, 4000 + number)
    preference = local_preference(number, host)
    candidate = Candidate(
        foundation=foundation or str(number),
        priority=candidate_priority(CandidateType.HOST, preference),
        host=host,
        port=address.port,
        type=CandidateType.HOST,
    )
    return Base(SocketId(number), address, preference, candidate)


def _remote(host: str, port: int = 5000, foundation: str = "1", priority: int = 2130706431) -> Remote:
    candidate = Candidate(foundation=foundation, priority=priority, host=host, port=port, type=CandidateType.HOST)
    return Remote(Address(host, port), candidate, learned=False)


def test_priorities_are_those_of_the_rfc() -> None:
    assert candidate_priority(CandidateType.HOST, 65535) == 2130706431
    assert candidate_priority(CandidateType.SRFLX, 65535) == 1694498815
    assert candidate_priority(CandidateType.PRFLX, 65535) == 1862270975
    assert candidate_priority(CandidateType.RELAY, 65535, component=2) == 16777214
    assert pair_priority(1, 2) == (1 << 32) + 4
    assert pair_priority(2, 1) == (1 << 32) + 5


def test_local_preferences_put_loopback_and_link_local_last_and_leave_room() -> None:
    order = [local_preference(i, host) for i, host in enumerate(["10.0.0.1", "2001:db8::1", "fe80::1", "127.0.0.1"])]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == 4
    assert all(0 < local_preference(i, "127.0.0.1") <= 65535 for i in range(1000))


@pytest.mark.parametrize(
    ("local", "remote", "wanted"),
    [
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "2001:db8::1", False),
        ("fe80::1", "fe80::2", True),
        ("fe80::1", "2001:db8::2", False),
        ("2001:db8::1", "fe80::2", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "203.0.113.1", False),
        ("127.0.0.1", "10.0.0.1", True),  # an address of our own
        ("10.0.0.1", "127.0.0.1", False),
        ("169.254.1.1", "10.0.0.2", True),  # only IPv6 link-local is special
    ],
)
def test_what_may_be_paired(local: str, remote: str, wanted: bool) -> None:
    assert may_pair(_base(local), _remote(remote), frozenset(["10.0.0.1"])) is wanted


@pytest.mark.parametrize(
    "address",
    [
        ("0.0.0.0", 5000),
        ("::", 5000),
        ("224.0.0.251", 5353),
        ("ff02::1", 5000),
        ("255.255.255.255", 5000),
        ("1.2.3.4", 0),
    ],
)
def test_addresses_that_no_peer_has_are_not_checked(address: tuple[str, int]) -> None:
    assert not is_usable_remote(Address(*address))


def test_foundations_are_equal_for_equal_fate_alone() -> None:
    foundations = Foundations()
    one = foundations.of(CandidateType.HOST, "10.0.0.1")
    assert one == foundations.of(CandidateType.HOST, "10.0.0.1")
    others = {
        foundations.of(CandidateType.HOST, "10.0.0.2"),
        foundations.of(CandidateType.SRFLX, "10.0.0.1", "a"),
        foundations.of(CandidateType.SRFLX, "10.0.0.1", "b"),
    }
    assert len(others) == 3 and one not in others


def _add(checklist: Checklist, base: Base, remote: Remote) -> CandidatePair:
    pair, _ = checklist.add(base, remote, True)
    assert pair is not None
    return pair


def test_one_pair_of_a_foundation_waits_and_its_success_frees_the_others() -> None:
    checklist = Checklist(PathTable(), 100)
    base = _base("10.0.0.1")
    first = _add(checklist, base, _remote("10.0.0.2", 5000))
    second = _add(checklist, base, _remote("10.0.0.2", 5001))
    other = _add(checklist, base, _remote("10.0.0.3", 5002, foundation="2"))
    assert [pair.state for pair in (first, second, other)] == [
        PairState.WAITING,
        PairState.FROZEN,
        PairState.WAITING,
    ]
    assert _add(checklist, base, _remote("10.0.0.2", 5000)) is first
    checklist.succeeded(first)
    assert second.state is PairState.WAITING
    late = _add(checklist, base, _remote("10.0.0.2", 5003))
    assert late.state is PairState.WAITING, "a foundation that works needs no trial"


def test_checks_go_triggered_first_then_by_priority_then_frozen() -> None:
    checklist = Checklist(PathTable(), 100)
    base = _base("10.0.0.1")
    low = _add(checklist, base, _remote("10.0.0.2", 5000, "1", priority=100))
    high = _add(checklist, base, _remote("10.0.0.3", 5000, "2", priority=200))
    frozen = _add(checklist, base, _remote("10.0.0.2", 5001, "1", priority=300))
    failed = _add(checklist, base, _remote("10.0.0.4", 5000, "4", priority=1))
    failed.state = PairState.FAILED
    checklist.trigger(failed)
    order = []
    while (pair := checklist.next_check()) is not None:
        pair.state = PairState.IN_PROGRESS
        order.append(pair)
    assert order == [failed, high, low, frozen]
    assert not checklist.has_work
    checklist.succeeded(high)
    checklist.trigger(high)
    assert not checklist.has_work, "what succeeded is not checked again"


def test_a_full_list_lets_the_worst_go_and_never_a_valid_pair() -> None:
    paths = PathTable()
    checklist = Checklist(paths, 3)
    base = _base("10.0.0.1")
    pairs = [_add(checklist, base, _remote("10.0.0.2", 5000 + i, str(i), priority=10 + i)) for i in range(3)]
    checklist.succeeded(pairs[0])
    refused, evicted = checklist.add(base, _remote("10.0.0.2", 6000, "9", priority=5), True)
    assert (refused, evicted) == (None, None)
    taken, evicted = checklist.add(base, _remote("10.0.0.2", 6001, "9", priority=50), True)
    assert taken is not None and evicted is pairs[1]
    pairs[2].state = PairState.FAILED
    taken, evicted = checklist.add(base, _remote("10.0.0.2", 6002, "9", priority=1), True)
    assert taken is not None and evicted is pairs[2], "a failed pair makes room for any other"
    assert len(paths._pins) == 3
    checklist.clear()
    assert not paths._pins


def test_the_role_decides_the_priority_of_a_pair() -> None:
    checklist = Checklist(PathTable(), 3)
    pair = _add(checklist, _base("10.0.0.1"), _remote("10.0.0.2", priority=77))
    ours = pair.base.candidate.priority
    assert pair.priority == pair_priority(ours, 77)
    checklist.prioritize(False)
    assert pair.priority == pair_priority(77, ours)


def _check(number: int, pair: CandidatePair) -> Check:
    transaction = Transaction(number.to_bytes(12, "big"), RetransmissionConfig(rto=1.0, rc=2, rm=2))
    transaction.sent(float(number))
    return Check(transaction, pair, Purpose.CHECK, True, False, b"")


def test_the_book_of_checks_is_bounded_and_knows_what_is_due() -> None:
    pair = _add(Checklist(PathTable(), 3), _base("10.0.0.1"), _remote("10.0.0.2"))
    book = CheckBook(3)
    for number in range(5):
        book.add(_check(number, pair))
    assert len(book) == 3
    assert book.get((1).to_bytes(12, "big")) is None
    assert book.next_resend() == 3.0
    assert book.next_expiry() == NEVER
    assert [check.transaction.id[-1] for check in book.due(4.0)] == [2, 3]
    book.cancel(pair, Purpose.CHECK)
    assert book.next_resend() == NEVER
    assert book.next_expiry() == 4.0
    assert len(book.take_expired(5.0)) == 2
    book.forget(pair)
    assert len(book) == 0


@pytest.mark.parametrize("use_candidate", [True, False])
@pytest.mark.parametrize("controlling", [True, False])
def test_a_check_carries_what_the_rfc_asks_for(controlling: bool, use_candidate: bool) -> None:
    local = IceParameters(ufrag="mine", pwd="m" * 24)
    remote = IceParameters(ufrag="theirs", pwd="t" * 24)
    data = build_check(
        bytes(12), local, remote, priority=7, controlling=controlling, tie_breaker=9, use_candidate=use_candidate
    )
    message = Message.parse(data)
    assert message.message_class is MessageClass.REQUEST
    assert message.username == "theirs:mine"
    assert message.verify(b"t" * 24)
    assert message.has_fingerprint
    assert message.priority == 7
    assert (message.ice_controlling, message.ice_controlled) == ((9, None) if controlling else (None, 9))
    assert message.use_candidate is use_candidate
    assert message.unknown_required() == ()


SERVER = Address("192.0.2.1", 3478)


def _source() -> tuple[StunSource, IceConfig]:
    config = IceConfig(paths=PathTable())
    return StunSource("stun:192.0.2.1:3478", SERVER, 0, config, SeededEntropy(1)), config


def test_a_source_repeats_its_question_and_gives_up_in_time() -> None:
    source, _ = _source()
    source.add_base(_base("10.0.0.1"), 0.0)
    now, sent = 0.0, []
    while not source.settled:
        if source.transmit(now) is not None:
            sent.append(now)
        now = max(now, source.next_deadline())
        source.expire(now)
    assert sent == [0.0, 0.5, 1.5, 3.5]
    assert now == 5.0
    failure = source.take_failure()
    assert failure is not None and failure.code == 701
    assert source.take_failure() is None


def test_a_source_believes_an_answer_on_its_path_alone() -> None:
    source, config = _source()
    source.add_base(_base("10.0.0.1"), 0.0)
    transmit = source.transmit(0.0)
    assert transmit is not None
    answer = Message.parse(stun.serve_binding(transmit.data, Address("203.0.113.1", 9)) or b"")
    elsewhere = config.paths.intern(SocketId(1), Address("198.51.100.9", 1))
    assert source.receive(answer, elsewhere, 0.1)
    assert source.next_deadline() == 0.5, "still waiting for the true answer"
    assert source.receive(answer, transmit.path, 0.1)
    assert source.settled
    (found,) = source.take_found()
    assert found.address == Address("203.0.113.1", 9)
    assert not source.receive(answer, transmit.path, 0.2), "an answer counts once"
    source.close()
    assert not config.paths._pins


def test_an_error_of_the_server_is_reported_once_for_all_bases() -> None:
    source, _ = _source()
    for number in (1, 2):
        source.add_base(_base(f"10.0.0.{number}", number), 0.0)
    for _ in range(2):
        transmit = source.transmit(0.0)
        assert transmit is not None
        request = Message.parse(transmit.data)
        source.receive(request.failure(500), transmit.path, 0.1)
    failure = source.take_failure()
    assert failure is not None and (failure.code, failure.reason) == (500, "Server Error")
    assert source.take_failure() is None


def test_requests_of_all_sources_share_one_pacing() -> None:
    config = IceConfig(paths=PathTable())
    sources = Sources(config)
    for number in range(3):
        server = Address(f"192.0.2.{number + 1}", 3478)
        sources.all.append(StunSource("", server, number, config, SeededEntropy(number)))
    sources.add_base(_base("10.0.0.1"), 0.0)
    now, sent = 0.0, []
    while now < 0.1:
        out: list[Any] = []
        if sources.transmit(now, 64, out):
            sent.append(now)
        now = sources.next_deadline(now)
    assert sent == [0.0, 0.005, 0.01]


def test_a_learned_candidate_that_is_signalled_later_makes_room_for_others_and_is_never_the_oldest() -> None:
    remotes = RemoteCandidates(max_signalled=1, max_learned=2)
    for port in (1, 2):
        remotes.learn(Address("203.0.113.1", port), 9)
    assert [remote.address.port for remote in remotes.oldest_learned] == [1, 2]
    true = _remote("203.0.113.1", 1).candidate
    known = remotes.signalled(true, Address("203.0.113.1", 1))
    assert known is not None and known.candidate is true and not known.learned
    assert remotes.may_learn
    remotes.learn(Address("203.0.113.1", 3), 9)
    assert [remote.address.port for remote in remotes.oldest_learned] == [2, 3]
    assert remotes.signalled(true, Address("203.0.113.1", 4)) is None


def test_names_are_bounded_in_number_and_time() -> None:
    names = Names(2, 5.0)
    assert [names.ask(None, i, float(i)) for i in range(3)] == [1, 2, None]
    assert names.next_deadline() == 5.0
    assert names.servers_pending and not names.candidates_pending
    answered = names.answered(1)
    assert answered is not None and answered.server == 0
    assert names.answered(1) is None
    assert [pending.server for pending in names.take_expired(6.0)] == [1]
    assert names.next_deadline() == NEVER


def test_an_idle_turn_costs_the_layer_above_a_handful_of_calls() -> None:
    agent = IceAgent(IceConfig(entropy=SeededEntropy(1)))
    agent.add_local(Address("10.0.0.1", 4000), SocketId(1), 0.0)
    path = agent._config.paths.intern(SocketId(1), Address("10.0.0.2", 5))

    def turn() -> None:
        agent.poll_transmits(1.0)
        agent.poll_events()
        agent.next_timeout()
        agent.accepts(path)

    assert count_calls(turn).python <= 12
