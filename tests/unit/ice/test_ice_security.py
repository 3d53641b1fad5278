"""What the agent believes, what it refuses, and what stays bounded when somebody floods it."""

from __future__ import annotations

import tracemalloc
from collections import deque

import pytest

from tests.support.ice_net import IceNet, Node, completed, connected
from webrtc_stack.base import Address, Candidate, Datagram, SeededEntropy, SocketId, random_below
from webrtc_stack.ice import AttributesReceived, IceConfig, IceState, PairSelected
from webrtc_stack.stun import Attribute, AttributeType, ErrorCode, Message, MessageClass

STRANGER = Address("198.51.100.66", 6666)


def _pair(**config: int) -> tuple[IceNet, Node, Node]:
    net = IceNet(1)
    a = net.node("a", ["10.0.0.1"], controlling=True, **config)  # type: ignore[arg-type]
    b = net.node("b", ["10.0.0.2"])
    return net, a, b


def _up() -> tuple[IceNet, Node, Node]:
    net, a, b = _pair()
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    return net, a, b


def _request(
    to: Node,
    *,
    username: str | None = None,
    pwd: str | None = None,
    fingerprint: bool = True,
    number: int = 1,
    extra: tuple[Attribute, ...] = (),
    use_candidate: bool = False,
) -> bytes:
    """A check of whoever knows the credentials of `to`; its remote ufrag is the one `to` expects."""
    agent = to.agent
    peer = agent.remote_parameters.ufrag if agent.remote_parameters is not None else "peer"
    attributes = [
        Attribute(AttributeType.USERNAME, username or f"{agent.local_parameters.ufrag}:{peer}"),
        Attribute(AttributeType.PRIORITY, 1853824767),
        Attribute(AttributeType.ICE_CONTROLLED if agent.controlling else AttributeType.ICE_CONTROLLING, number),
        *extra,
    ]
    if use_candidate:
        attributes.append(Attribute(AttributeType.USE_CANDIDATE))
    message = Message(
        message_class=MessageClass.REQUEST,
        transaction_id=number.to_bytes(12, "big"),
        attributes=tuple(attributes),
    )
    key = (pwd or agent.local_parameters.pwd).encode()
    return message.serialize(key, fingerprint=fingerprint)


def _deliver(net: IceNet, to: Node, data: bytes, source: Address = STRANGER) -> list[Message]:
    socket = next(iter(to.sockets))
    to.agent.receive(Datagram(to.paths.intern(socket, source), data), net.now)
    return [Message.parse(sent.data) for sent in to.agent.poll_transmits(net.now)]


def test_a_check_of_a_stranger_who_knows_the_password_is_answered_and_checked_back() -> None:
    net, a, _ = _up()
    answers = _deliver(net, a, _request(a))
    assert [one.message_class for one in answers] == [MessageClass.SUCCESS_RESPONSE, MessageClass.REQUEST]
    assert answers[0].mapped_address == STRANGER
    assert answers[0].verify(a.agent.local_parameters.pwd.encode())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pwd": "wrong" * 5}, ErrorCode.UNAUTHENTICATED),
        ({"username": "nobody:peer"}, ErrorCode.UNAUTHENTICATED),
        ({"username": "nobody"}, ErrorCode.UNAUTHENTICATED),
        ({"fingerprint": False}, None),
    ],
)
def test_a_check_without_proof_moves_nothing(change: dict[str, str], code: ErrorCode | None) -> None:
    net, a, _ = _up()
    pairs, remotes = a.agent.pairs, a.agent.remote_candidates
    request = _request(a, **change)  # type: ignore[arg-type]
    answers = _deliver(net, a, request)
    assert [one.error and one.error.code for one in answers] == ([code] if code else [])
    assert all(len(one.raw) <= len(request) for one in answers), "never an amplifier"
    assert (a.agent.pairs, a.agent.remote_candidates) == (pairs, remotes)
    assert not a.agent.accepts(a.paths.intern(next(iter(a.sockets)), STRANGER))


def test_a_check_without_integrity_is_a_bad_request() -> None:
    net, a, _ = _up()
    bare = Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12))
    assert _deliver(net, a, bare.serialize()) == []  # an answer would be larger than the question
    padded = Message(
        message_class=MessageClass.REQUEST,
        transaction_id=bytes(12),
        attributes=(Attribute(AttributeType.USERNAME, "x" * 40),),
    )
    answers = _deliver(net, a, padded.serialize())
    assert [one.error and one.error.code for one in answers] == [400]


def test_an_unknown_required_attribute_is_answered_with_420() -> None:
    net, a, _ = _up()
    pairs = a.agent.pairs
    answers = _deliver(net, a, _request(a, extra=(Attribute(0x7777, b"abcd"),)))
    assert answers[0].error is not None and answers[0].error.code == 420
    assert answers[0].get(AttributeType.UNKNOWN_ATTRIBUTES) == (0x7777,)
    assert [pair.path for pair in a.agent.pairs] == [pair.path for pair in pairs]


@pytest.mark.parametrize(("theirs", "we_stay"), [(0, True), (2**64 - 1, False)])
@pytest.mark.parametrize("controlling", [True, False])
def test_the_greater_tie_breaker_controls(theirs: int, we_stay: bool, controlling: bool) -> None:
    net = IceNet(3)
    a = net.node("a", ["10.0.0.1"], controlling=controlling)
    a.agent.gather(0.0)
    net.settle()
    same = AttributeType.ICE_CONTROLLING if controlling else AttributeType.ICE_CONTROLLED
    local = a.agent.local_parameters
    request = Message(
        message_class=MessageClass.REQUEST,
        transaction_id=bytes(12),
        attributes=(
            Attribute(AttributeType.USERNAME, f"{local.ufrag}:peer"),
            Attribute(AttributeType.PRIORITY, 1),
            Attribute(same, theirs),
        ),
    ).serialize(local.pwd.encode())
    (answer,) = _deliver(net, a, request)
    # Whoever has the greater number ends up controlling: the one who must change is told so, or changes.
    assert a.agent.controlling is we_stay
    they_must_change = we_stay is controlling
    assert (answer.error is not None and answer.error.code == 487) is they_must_change


def test_early_checks_of_another_peer_are_forgotten_when_signalling_names_the_right_one() -> None:
    net, a, b = _pair()
    a.agent.gather(0.0)
    net.settle()
    local = a.agent.local_parameters
    for ufrag, port in (("other", 7000), (b.agent.local_parameters.ufrag, 7001)):
        data = _request(a, username=f"{local.ufrag}:{ufrag}", number=port)
        _deliver(net, a, data, Address("203.0.113.1", port))
    a.agent.set_remote_parameters(b.agent.local_parameters, 0.0)
    assert [candidate.port for candidate in a.agent.remote_candidates] == [7001]


def test_data_may_come_from_where_a_restarting_peer_checks_with_its_next_ufrag() -> None:
    net, a, _ = _up()
    local, pairs = a.agent.local_parameters, len(a.agent.pairs)
    path = a.paths.intern(next(iter(a.sockets)), STRANGER)
    _deliver(net, a, _request(a, username=f"{local.ufrag}:next", pwd="0" * 22))
    assert not a.agent.accepts(path), "it did not know the password"
    (answer,) = _deliver(net, a, _request(a, username=f"{local.ufrag}:next", number=2))
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE
    assert a.agent.accepts(path), "with that answer it may send"
    assert len(a.agent.pairs) == pairs
    for port in range(1, 1000):
        _deliver(net, a, _request(a, username=f"{local.ufrag}:next", number=port), Address("198.51.100.66", port))
    assert len(a.agent._session.answering._elsewhere) == IceConfig().max_early_checks
    a.agent.close(net.now)
    assert not a.agent.accepts(path)


def test_opaque_attributes_of_checks_are_handed_up_unchanged() -> None:
    net, a, b = _up()
    address = b.sockets[SocketId(1)]
    _deliver(net, a, _request(a, extra=(Attribute(0xC070, b"\x16\xfe\xfd"), Attribute(0xC071, bytes(8)))), address)
    events = [event for event in a.agent.poll_events() if isinstance(event, AttributesReceived)]
    assert events == [
        AttributesReceived(
            a.agent.selected_path or events[0].path,
            (Attribute(0xC070, b"\x16\xfe\xfd", b""), Attribute(0xC071, bytes(8))),
        )
    ]


def test_forged_responses_are_dropped_and_the_true_one_still_counts() -> None:
    net, a, b = _pair()
    forged: list[bytes] = []

    def tap(node: Node, source: Address, remote: Address, data: bytes) -> bytes:
        message = Message.parse(data)
        if node is a and message.message_class is MessageClass.REQUEST:
            answer = message.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source),))
            refusal = message.failure(400)
            for fake in (answer.serialize(b"guess"), answer.serialize(), refusal.serialize(), refusal.serialize(b"x")):
                forged.append(fake)
                net.inject(None, remote, source, fake)
        return data

    net.tap = tap
    net.signal(a, b)
    assert net.run(5, completed(a, b))
    assert len(forged) == a.agent.drops["response integrity"] + a.agent.drops["unknown transaction"]
    assert a.agent.drops["response integrity"] >= 4
    assert a.time_of("connected") == pytest.approx(0.05)


def test_a_response_on_another_path_is_not_believed() -> None:
    net, a, b = _pair()

    def tap(node: Node, source: Address, remote: Address, data: bytes) -> bytes | None:
        message = Message.parse(data)
        if node is a and message.message_class is MessageClass.REQUEST:
            answer = message.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source),))
            net.inject(None, STRANGER, source, answer.serialize(b.agent.local_parameters.pwd.encode()))
            return None
        return data

    net.tap = tap
    net.signal(a, b)
    net.run(3)
    assert a.agent.drops["response on another path"] > 0
    assert a.agent.state is IceState.CHECKING


def test_a_flood_of_true_checks_from_invented_addresses_stays_bounded_and_harms_nobody() -> None:
    net, a, b = _up()
    socket = next(iter(a.sockets))
    for number in range(3000):
        source = Address(f"203.0.{number >> 8}.{number & 255}", 1024 + number)
        a.agent.receive(Datagram(a.paths.intern(socket, source), _request(a, number=number + 10)), net.now)
        if number % 50 == 0:
            a.agent.poll_transmits(net.now)
    assert len(a.agent.pairs) <= 100
    assert len(a.agent.remote_candidates) <= 33
    assert len(a.paths._pins) <= 100
    assert len(a.paths) <= 4096
    assert a.agent.drops["too many responses waiting"] == 0
    net.run(net.now + 20)
    assert completed(a, b)()
    assert len(a.named(PairSelected)) == 1


def test_checks_before_the_remote_parameters_are_remembered_up_to_a_limit() -> None:
    net, a, _ = _pair()
    a.agent.gather(0.0)
    net.settle()
    socket = next(iter(a.sockets))
    for number in range(500):
        source = Address("203.0.113.1", 1024 + number)
        a.agent.receive(Datagram(a.paths.intern(socket, source), _request(a, number=number + 1)), 0.0)
        a.agent.poll_transmits(0.0, 1000)
    assert len(a.agent._session.answering.early) == 32
    assert a.agent.state is IceState.NEW


def test_responses_waiting_to_be_polled_are_bounded() -> None:
    net, a, _ = _up()
    socket = next(iter(a.sockets))
    path = a.paths.intern(socket, STRANGER)
    a.agent.receive_many([Datagram(path, _request(a, number=n + 1)) for n in range(1000)], net.now)
    a.agent.receive_many([Datagram(path, _request(a, pwd="x" * 22, number=n + 1)) for n in range(1000)], net.now)
    sent = 0
    while burst := a.agent.poll_transmits(net.now):
        sent += len(burst)
    assert sent <= 256 + 64 + 2
    assert a.agent.drops["too many responses waiting"] == 1000 - 256


def test_too_many_remote_candidates_and_names_are_refused() -> None:
    net, a, b = _up()
    for number in range(600):
        line = f"candidate:1 1 udp {number + 1} 203.0.113.{number % 250} {2000 + number} typ host"
        a.agent.add_remote_candidate(Candidate.parse(line), net.now)
        named = f"candidate:1 1 udp {number + 1} h{number}.local {2000 + number} typ host"
        a.agent.add_remote_candidate(Candidate.parse(named), net.now)
    assert len(a.agent.remote_candidates) == 256
    assert len(a.agent.pairs) == 100
    assert a.agent.drops["too many names"] == 600 - 32
    net.run(net.now + 60)
    assert connected(a, b)()


def _hostile(net: IceNet, node: Node, count: int) -> None:
    entropy = SeededEntropy("hostile")
    socket = next(iter(node.sockets))
    true = _request(node)
    for number in range(count):
        data = bytearray(true)
        kind = random_below(entropy, 4)
        if kind == 0:
            data = bytearray(entropy.bytes(random_below(entropy, 120)))
        elif kind == 1:
            data[random_below(entropy, len(data))] ^= 1 + random_below(entropy, 255)
        elif kind == 2:
            data[8:20] = entropy.bytes(12)
            data[0:2] = (0x0101, 0x0111, 0x0011)[number % 3].to_bytes(2, "big")
        else:
            data = bytearray(_request(node, pwd="y" * 22, number=number + 1))
        source = Address(f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1024 + number % 60000)
        node.agent.receive(Datagram(node.paths.intern(socket, source), bytes(data)), net.now)
        if number % 64 == 0:
            node.agent.poll_transmits(net.now)
            node.agent.poll_events()


def _grows_less_than_a_mebibyte(count: int) -> None:
    net, a, b = _up()
    net.trace.events = deque(maxlen=0)
    tracemalloc.start()
    _hostile(net, a, 6000)  # tables reach their limits
    before = tracemalloc.get_traced_memory()[0]
    _hostile(net, a, count)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1 << 20
    assert len(a.agent._session._book) <= 512
    net.run(net.now + 10)
    assert completed(a, b)()


def test_20_000_hostile_datagrams_leave_nothing_behind() -> None:
    _grows_less_than_a_mebibyte(20_000)


@pytest.mark.slow
def test_a_million_hostile_datagrams_leave_nothing_behind() -> None:
    _grows_less_than_a_mebibyte(1_000_000)
