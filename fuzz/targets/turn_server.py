"""The TURN server: sequences of datagrams, signed or not, from clients, peers and streams, and a driver that may fail.

Whatever happens, nothing is relayed without a permission, and every table ends where its limit says.
"""

from __future__ import annotations

from webrtc_stack.base import Address, Datagram, PathId, PathTable, SeededEntropy, SocketId
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method, long_term_key
from webrtc_stack.turn import CloseRelay, OpenRelay, PeerPolicy, TurnServer, TurnServerConfig

COUNT = 1200
_KEY = long_term_key("u", "r", "p")
_A = AttributeType
_PEER = Address("203.0.113.5", 7)
_SHARED: tuple[Attribute, ...] = (
    Attribute(_A.REQUESTED_TRANSPORT, bytes((17, 0, 0, 0))),
    Attribute(_A.XOR_PEER_ADDRESS, _PEER),
    Attribute(_A.CHANNEL_NUMBER, 0x4000),
)


def _framed(*steps: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((kind, len(body))) + body for kind, body in steps)


def _raw(method: Method, message_class: MessageClass = MessageClass.REQUEST) -> bytes:
    more = (Attribute(_A.DATA, b"x"),) if method == Method.SEND else ()
    return Message(
        method=method, message_class=message_class, transaction_id=bytes(12), attributes=(*_SHARED, *more)
    ).serialize(fingerprint=False)


SEEDS: list[bytes] = [
    _framed((1, b"\x03"), (1, b"\x08"), (1, b"\x09"), (0, b"\x40\x00\x00\x02hi"), (3, b"back"), (4, b"\x20")),
    _framed((1, b"\x03"), (2, b""), (1, b"\x03"), (0, _raw(Method.SEND, MessageClass.INDICATION))),
    _framed((0, _raw(Method.ALLOCATE)), (0, _raw(Method.BINDING)), (4, b"\xff")),
    _framed((5, b"\x01"), (1, b"\x03"), (1, b"\x09"), (6, b"\x01"), (4, b"\xff"), (4, b"\xff")),
    _framed((1, b"\x03"), (1, b"\x08"), (4, b"\xff"), (1, b"\x04"), (3, b"late"), (7, b"\xff")),
]


def fuzz_one(data: bytes) -> None:
    paths = PathTable(limit=64)
    config = TurnServerConfig(
        paths=paths,
        realm="r",
        users={"u": "p"},
        policy=PeerPolicy.of(allow=("203.0.113.0/24",)),
        entropy=SeededEntropy(1),
        max_allocations=3,
        max_allocations_per_user=2,
        max_permissions=4,
        max_channels=4,
        max_queue=32,
        max_hosts=8,
        max_responses=8,
        max_streams=3,
    )
    server = TurnServer(config)
    relays: dict[SocketId, Address] = {}
    nonces: dict[PathId, str] = {}
    now, sockets, failing, count = 0.0, 100, False, 0
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at] % 8, data[at + 1]
        body = data[at + 2 : at + 2 + size]
        at += 2 + size
        first = body[0] if body else 0
        path = paths.intern(SocketId(1), Address("198.51.100.7", 1000 + first % 4))
        if kind == 0:
            server.receive(Datagram(path, body), now)
        elif kind == 1:
            count += 1
            who = (Attribute(_A.USERNAME, "u"), Attribute(_A.REALM, "r"), Attribute(_A.NONCE, nonces.get(path, "")))
            extra = (Attribute(first << 8 | first, body[1:]),) if len(body) > 1 and first > 0x80 else ()
            request = Message(
                method=first & 15,
                message_class=MessageClass.REQUEST,
                transaction_id=count.to_bytes(12, "big"),
                attributes=(*_SHARED, *extra, *who),
            )
            server.receive(Datagram(path, request.serialize(_KEY)), now)
        elif kind == 2:
            failing = not failing
        elif kind == 3 and relays:
            relay = next(iter(relays))
            server.receive(Datagram(paths.intern(relay, Address(_PEER.host, 1 + first)), body), now)
        elif kind == 4:
            now += first * 2
            server.handle_timeout(now)
        elif kind == 5 and not server.closed:
            server.stream_opened(path, now)
        elif kind == 6:
            server.stream_closed(path, now)
        elif first > 250:
            server.close(now)
        for event in server.poll_events():
            if isinstance(event, OpenRelay):
                sockets += 1
                if failing:
                    server.relay_failed(event.id, "no", now)
                else:
                    relays[SocketId(sockets)] = Address("198.51.100.1", event.port)
                    server.relay_opened(event.id, relays[SocketId(sockets)], SocketId(sockets), now)
            elif isinstance(event, CloseRelay):
                relays.pop(event.socket, None)
        for transmit in server.poll_transmits(now):
            found = paths.lookup(transmit.path)
            if found is not None and found.socket in relays:
                assert found.remote.host == _PEER.host, "the policy allows this network only"
                assert any(one.is_permitted(found.remote.host, now) for one in server.allocations)
            elif transmit.data[:1] < b"\x04":
                nonces[transmit.path] = Message.parse(transmit.data).nonce or nonces.get(transmit.path, "")
    assert len(server.allocations) <= 2
    assert len(relays) <= 4
    for _ in range(200):
        due = server.next_timeout()
        if due > now + 7200:
            break
        now = max(now, due)
        server.handle_timeout(now)
        server.poll_transmits(now)
        server.poll_events()
    else:
        raise AssertionError("a timer spins")
    assert server.allocations == []
