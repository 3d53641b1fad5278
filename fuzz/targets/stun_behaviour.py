"""Behaviour discovery: answers true, forged and broken, from any place, at any time; it always ends, once."""

from __future__ import annotations

from webrtc_stack.base import Address, Datagram, PathTable, SeededEntropy, SocketId
from webrtc_stack.stun import (
    AlternateAddresses,
    BehaviourConfig,
    BehaviourDiscovery,
    DiscoveryClosed,
    Message,
    answer_discovery,
)

COUNT = 1500
_PLACES = AlternateAddresses(hosts=("198.51.100.1", "198.51.100.2"), ports=(3478, 3479))
_CLIENTS = [Address("203.0.113.9", 5000), Address("203.0.113.9", 5001), Address("192.168.1.7", 40000)]


def _framed(*steps: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((kind, len(body))) + body for kind, body in steps)


_ANSWER = (1, b"\x00\x00")
SEEDS: list[bytes] = [
    _framed(_ANSWER, _ANSWER, _ANSWER, _ANSWER, _ANSWER, (3, b"\x01"), _ANSWER, _ANSWER),
    _framed((1, b"\x00\x02"), (2, b"\x14"), (1, b"\x01\x02"), (3, b"\x05"), (1, b"\x00\x02")),
    _framed(_ANSWER, (0, b"\x00\x01garbage"), (4, b"\x01"), (3, b"\x03"), (5, b""), (3, b"\x20")),
    _framed(_ANSWER, _ANSWER, _ANSWER, (6, b"\x01"), _ANSWER, (3, b"\x10"), (3, b"\x10"), _ANSWER, (3, b"\xff")),
]


def fuzz_one(data: bytes) -> None:
    paths = PathTable(64)
    client = BehaviourDiscovery(
        BehaviourConfig(
            server=_PLACES.all[0],
            socket=SocketId(1),
            second_socket=SocketId(2),
            local=_CLIENTS[2],
            paths=paths,
            lifetime_limit=60.0 if data[:1] > b"\x80" else 0.0,
            entropy=SeededEntropy(1),
        )
    )
    client.start(0.0)
    now, at, ends = 0.0, 0, 0
    asked: list[tuple[Address, SocketId, bytes]] = []
    while at + 2 <= len(data):
        kind, size = data[at] % 7, data[at + 1]
        body = data[at + 2 : at + 2 + size]
        at += 2 + size
        for transmit in client.poll_transmits(now):
            way = paths.lookup(transmit.path)
            if way is not None:
                asked.append((way.remote, way.socket, transmit.data))
        first = body[0] if body else 0
        second = body[1] if len(body) > 1 else 0
        socket = SocketId(1 + first % 2)
        place = _PLACES.all[second % 4]
        if kind == 0:
            client.receive(Datagram(paths.intern(socket, place), body), now)
        elif kind == 1 and asked:
            local, own, request = asked.pop()
            message = Message.parse(request)
            if local in _PLACES.all:
                answer = answer_discovery(message, _CLIENTS[second % 3], local, _PLACES)
                assert answer is not None
                path = paths.intern(SocketId(own ^ (first & 3)), answer.origin)
                client.receive(Datagram(path, answer.message.serialize()), now)
        elif kind == 2 and asked:
            local, own, request = asked.pop()
            client.receive(
                Datagram(paths.intern(own, local), Message.parse(request).failure(300 + first).serialize()), now
            )
        elif kind == 3:
            now += first / 8
            client.handle_timeout(now)
        elif kind == 4:
            for local, own, request in asked[-3:]:  # our own requests come back
                client.receive(Datagram(paths.intern(SocketId(own ^ (first & 3)), local), request), now)
        elif kind == 5:
            ends += sum(isinstance(event, DiscoveryClosed) for event in client.poll_events())
        elif asked:
            local, own, request = asked[-1]
            broken = bytearray(Message.parse(request).success().serialize())
            broken[first % len(broken)] ^= 1 + second % 255
            client.receive(Datagram(paths.intern(own, local), bytes(broken)), now)
    for _ in range(2000):
        client.poll_transmits(now)
        ends += sum(isinstance(event, DiscoveryClosed) for event in client.poll_events())
        due = client.next_timeout()
        if due > now + 1e6:
            break
        now = max(now, due)
        client.handle_timeout(now)
    else:
        raise AssertionError("it never ends")
    client.close(now)
    assert ends + sum(isinstance(event, DiscoveryClosed) for event in client.poll_events()) == 1
