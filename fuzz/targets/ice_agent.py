"""The ICE agent: datagrams, forged or true, and commands in any order; it never raises but for misuse, nor spins."""

from __future__ import annotations

from webrtc_stack.base import (
    Address,
    Candidate,
    CandidateType,
    Datagram,
    IceParameters,
    PathTable,
    SeededEntropy,
    SocketId,
    TcpType,
)
from webrtc_stack.errors import ParseError, UsageError
from webrtc_stack.ice import AddressRewrite, IceAgent, IceConfig, LocalOrigin, RewriteMode, StunServer
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass

COUNT = 1500
_LOCAL = IceParameters(ufrag="local", pwd="l" * 24)
_REMOTE = IceParameters(ufrag="remote", pwd="r" * 24)
_ORIGINS = (
    LocalOrigin(),
    LocalOrigin(type=CandidateType.RELAY, related=Address("203.0.113.1", 5), url="turn:turn.example"),
    LocalOrigin(transport="tcp", tcp_type=TcpType.PASSIVE),
    LocalOrigin(transport="tcp", tcp_type=TcpType.ACTIVE, announce=False),
)


def _check(number: int, *extra: Attribute) -> Message:
    return Message(
        message_class=MessageClass.REQUEST,
        transaction_id=bytes([number]) * 12,
        attributes=(
            Attribute(AttributeType.USERNAME, "local:remote"),
            Attribute(AttributeType.PRIORITY, 1853824767),
            Attribute(AttributeType.ICE_CONTROLLING, number),
            *extra,
        ),
    )


def _framed(*commands: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([kind, len(body)]) + body for kind, body in commands)


SEEDS: list[bytes] = [
    _framed((0, _check(1).serialize(_LOCAL.pwd.encode())), (4, b"\x05"), (1, b"")),
    _framed((0, _check(2, Attribute(AttributeType.USE_CANDIDATE)).serialize(_LOCAL.pwd.encode())), (4, b"\xff")),
    _framed((2, b"candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host"), (3, b""), (4, b"\x20"), (5, b"")),
    _framed((6, b"\x01"), (7, b"10.0.0.9"), (8, b""), (4, b"\x80"), (9, b"")),
    _framed((2, b"candidate:1 1 tcp 1518214911 10.0.0.2 5000 typ host tcptype passive"), (4, b"\x20"), (10, b"\x01")),
    _framed((3, b""), (0, _check(4, Attribute(AttributeType.USE_CANDIDATE)).serialize(_LOCAL.pwd.encode())), (11, b"")),
    _framed((0, _check(3).success().serialize(_REMOTE.pwd.encode()))),
]


def fuzz_one(data: bytes) -> None:
    paths = PathTable(limit=64)
    flags = data[0] if data else 0
    lite = flags & 3 == 3
    agent = IceAgent(
        IceConfig(
            paths=paths,
            controlling=bool(flags & 1),
            lite=lite,
            hide_hosts=bool(flags & 4),
            continual=not flags & 8,
            rewrite=(AddressRewrite("203.0.113.7", None, RewriteMode.ADD),) if flags & 16 else (),
            local_parameters=_LOCAL,
            entropy=SeededEntropy(1),
            stun_servers=() if lite else (StunServer("192.0.2.1"), StunServer("stun.example")),
            max_pairs=8,
            max_peer_reflexive=4,
        )
    )
    now = 0.0
    agent.gather(now)
    agent.add_local(Address("10.0.0.1", 4000), SocketId(1), now)
    if not lite:
        agent.add_local(Address("192.0.2.9", 6000), SocketId(-1), now, _ORIGINS[1])
        agent.add_local(Address("10.0.0.1", 9), SocketId(-2), now, _ORIGINS[3])
    agent.add_local(Address("10.0.0.1", 4443), SocketId(3), now, _ORIGINS[2])
    agent.locals_complete(now)
    agent.set_remote_parameters(_REMOTE, now)
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at] % 13, data[at + 1]
        body = data[at + 2 : at + 2 + size]
        at += 2 + size
        try:
            now = _command(agent, paths, kind, body, now)
        except UsageError:
            pass  # the commands come in any order: misuse is told, and changes nothing
        agent.poll_transmits(now)
        agent.poll_events()
    for _ in range(200):
        due = agent.next_timeout()
        if due > now + 120:
            break
        now = max(now, due)
        agent.handle_timeout(now)
        agent.poll_transmits(now)
    assert len(agent.pairs) <= 16, "two generations of eight pairs"


def _command(agent: IceAgent, paths: PathTable, kind: int, body: bytes, now: float) -> float:
    first = body[0] if body else 0
    if kind == 0:
        remote = Address("10.0.0.2", 5000 + first % 4)
        socket = SocketId((1, -1, -2, 3)[first // 4 % 4])
        agent.receive(Datagram(paths.intern(socket, remote), body), now)
    elif kind == 1:
        agent.restart(now)
    elif kind == 2:
        try:
            agent.add_remote_candidate(Candidate.parse(body.decode("utf-8", "replace")), now)
        except ParseError:
            pass  # the text is not a candidate: the parser's own answer
    elif kind == 3:
        agent.add_remote_candidate(None, now)
    elif kind == 4:
        now += first / 16
        agent.handle_timeout(now)
    elif kind == 5:
        agent.remove_local(SocketId(1), now)
    elif kind == 6:
        agent.name_resolved(first, ["192.0.2.9", body.decode("latin-1")], now)
    elif kind == 7:
        address = Address(body[1:].decode("latin-1") or "10.0.0.7", 4000 + first)
        agent.add_local(address, SocketId(first % 5 - 2), now, _ORIGINS[first % len(_ORIGINS)])
    elif kind == 8:
        agent.gather(now)
    elif kind == 9:
        agent.set_remote_parameters(IceParameters(ufrag="remote", pwd="r" * 24), now)
    elif kind == 10:
        pairs = agent.pairs
        if pairs:
            agent.fail_path(pairs[first % len(pairs)].path, "the carrier says no", now)
    elif kind == 11:
        _ = agent.ignored_candidates, agent.failure_reason, agent.selected_path
    elif first > 250:
        agent.close(now)
    else:
        agent.undo_restart(now)
    return now
