"""The TURN client: answers true, forged and broken, relayed data, commands in any order; only misuse raises."""

from __future__ import annotations

from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy
from webrtc_stack.errors import ResourceError, UsageError
from webrtc_stack.stun import Attribute, AttributeType, ErrorCodeValue, Message, MessageClass, Method, long_term_key
from webrtc_stack.turn import Closed, TurnClient, TurnClientConfig

COUNT = 1500
_A = AttributeType
_KEY = long_term_key("u", "r", "p")
_PEERS = [Address(f"203.0.113.{number}", 7) for number in range(4)]
_SUCCESS = (
    Attribute(_A.XOR_RELAYED_ADDRESS, Address("198.51.100.1", 50000)),
    Attribute(_A.XOR_MAPPED_ADDRESS, Address("203.0.113.99", 9)),
    Attribute(_A.LIFETIME, 600),
)
_CHALLENGE = (Attribute(_A.REALM, "r"), Attribute(_A.NONCE, "n"))


def _framed(*steps: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((kind, len(body))) + body for kind, body in steps)


_DATA = Message(
    method=Method.DATA,
    message_class=MessageClass.INDICATION,
    transaction_id=bytes(12),
    attributes=(Attribute(_A.XOR_PEER_ADDRESS, _PEERS[0]), Attribute(_A.DATA, b"x")),
).serialize(fingerprint=False)
SEEDS: list[bytes] = [
    _framed((2, b"\x04\x01"), (1, b"\x00"), (5, b"\x00"), (1, b"\x00"), (0, b"\x40\x00\x00\x02hi"), (4, b"\xff")),
    _framed((2, b"\x04\x01"), (1, b"\x00"), (6, b"\x00"), (1, b"\x00"), (0, _DATA), (7, b"\x00x"), (4, b"\xff")),
    _framed((2, b"\x03\x00"), (9, b""), (2, b"\x04\x25"), (2, b"\x04\x26"), (4, b"\x80")),
    _framed(
        (5, b"\x01"), (7, b"\x01early"), (2, b"\x04\x01"), (1, b""), (1, b""), (8, b"\x01"), (4, b"\xff"), (3, b"")
    ),
]


def fuzz_one(data: bytes) -> None:
    config = TurnClientConfig(
        server=Address("198.51.100.1", 3478),
        username="u",
        password="p",
        entropy=SeededEntropy(1),
        transport="tcp" if data[:1] > b"\x80" else "udp",
        max_permissions=3,
        max_channels=2,
        max_held=4,
        max_queue_bytes=2000,
        max_received_bytes=2000,
    )
    client = TurnClient(config)
    client.allocate(0.0)
    now = 0.0
    asked: list[Message] = []
    ends = 0
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at] % 10, data[at + 1]
        body = data[at + 2 : at + 2 + size]
        at += 2 + size
        for transmit in client.poll_transmits(now):
            if transmit.data[:1] < b"\x04":
                asked.append(Message.parse(transmit.data))
        try:
            now = _step(client, kind, body, now, asked)
        except (UsageError, ResourceError):
            pass  # the commands come in any order: misuse and limits are told, and change nothing
        ends += sum(isinstance(event, Closed) for event in client.poll_events())
    client.close(now)
    for _ in range(100):
        ends += sum(isinstance(event, Closed) for event in client.poll_events())
        client.poll_transmits(now)
        due = client.next_timeout()
        if due > now + 1e6:
            break
        now = max(now, due)
        client.handle_timeout(now)
    else:
        raise AssertionError("a timer spins")
    assert ends == 1


def _step(client: TurnClient, kind: int, body: bytes, now: float, asked: list[Message]) -> float:
    first = body[0] if body else 0
    peer = _PEERS[first % len(_PEERS)]
    if kind == 0:
        client.receive(Datagram(PathId(1), body), now)
    elif kind == 1 and asked:
        request = asked.pop()
        answer = request.success(_SUCCESS if request.method == Method.ALLOCATE else ())
        client.receive(Datagram(PathId(1), answer.serialize(_KEY if first < 200 else b"guess")), now)
    elif kind == 2 and asked and len(body) > 1:
        code = first % 4 * 100 + 300 + body[1] % 100
        value = Attribute(_A.ERROR_CODE, ErrorCodeValue(code, body[2:20].decode("latin-1")))
        request = asked.pop()
        attributes = (value, *_CHALLENGE, Attribute(_A.ALTERNATE_SERVER, peer))
        answer = Message(
            method=request.method,
            message_class=MessageClass.ERROR_RESPONSE,
            transaction_id=request.transaction_id,
            attributes=attributes,
        )
        client.receive(Datagram(PathId(1), answer.serialize(_KEY if body[1] > 128 else None)), now)
    elif kind == 3:
        client.close(now)
    elif kind == 4:
        now += first
        client.handle_timeout(now)
    elif kind == 5:
        client.bind(peer, now)
    elif kind == 6:
        client.permit([peer], now)
    elif kind == 7:
        client.send_many(peer, [body], now)
    elif kind == 8:
        client.forget(peer, now)
    elif kind == 9:
        client.allocate(now, path=PathId(1))
    return now
