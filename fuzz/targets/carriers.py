"""Whatever servers, peers and streams do: carriers never raise, and keep within their bounds.

The input is a script: an opcode a byte, with bytes behind it for those that carry data. Chunks arrive on a TURN
server's path, on a stream to one, on an accepted stream; commands come in any order and with any number.
"""

from __future__ import annotations

from webrtc_stack.base import Address, Datagram, PathTable, SeededEntropy, SocketId, Transmit
from webrtc_stack.peer.carriers import Carriers, CarriersConfig, IceTcp, RelayServer
from webrtc_stack.turn import TurnUri

SEEDS = [
    bytes([0, 0, 4, 4, 8, 20, 8, 20, 12]),
    bytes([0, 0, 1, 0, 1, 1, 2, 0, 3, 1]) + bytes(range(40)),
    bytes([0, 0, 5, 0, 9, 8, 0, 2, 1, 2, 0, 0, 9, 3, 255, 255, 1, 6, 0, 7, 0, 10, 11, 12]),
]
COUNT = 1500
_SERVERS = (
    RelayServer("turn:192.0.2.1", TurnUri.parse("turn:192.0.2.1"), "alice", "secret"),
    RelayServer("turns:192.0.2.1", TurnUri.parse("turns:192.0.2.1"), "alice", "secret"),
    RelayServer("turn:relay.test", TurnUri.parse("turn:relay.test?transport=tcp"), "alice", "secret"),
)


def fuzz_one(data: bytes) -> None:
    paths = PathTable(64)
    config = CarriersConfig(
        paths=paths, servers=_SERVERS, tcp=IceTcp.PASSIVE, max_streams=4, max_relays=4, entropy=SeededEntropy(1)
    )
    carriers = Carriers(config)
    server = Address("192.0.2.1", 3478)
    own = paths.intern(SocketId(1), server)
    now, at = 0.0, 0
    wires = [own]
    while at < len(data):
        op, at = data[at] % 13, at + 1
        size = data[at] if at < len(data) else 0
        match op:
            case 0:
                carriers.add_local(Address("10.0.0.1", 4000 + size % 3), SocketId(1 + size % 3), now)
                carriers.gather(now)
            case 1:
                path = paths.intern(SocketId(10 + size % 4), server)
                wires.append(path)
                carriers.stream_opened(size % 8, path, Address("10.0.0.1", 5), now)
            case 2:
                carriers.stream_failed(size % 8, "refused", now)
            case 3:
                carriers.stream_closed(size % 8 - 4, "reset", now)
            case 4:
                carriers.add_listener(Address("10.0.0.1", 9000), SocketId(20), now)
            case 5:
                path = paths.intern(SocketId(20), Address("198.51.100.1", 1000 + size))
                wires.append(path)
                carriers.stream_accepted(-1 - size % 6, path, now)
            case 6:
                carriers.name_resolved(-(size % 8), ["192.0.2.9", "nonsense", "2001:db8::1"], now)
            case 7:
                carriers.remove_local(SocketId(size % 24), now)
            case 8:
                chunk, at = data[at + 1 : at + 1 + size], at + 1 + size
                carriers.unwrap([Datagram(wires[size % len(wires)], chunk)], now)
            case 9:
                sockets = [SocketId(-1 - number) for number in range(3)] + [SocketId(20)]
                path = paths.intern(sockets[size % 4], Address("198.51.100.2", 1000 + size))
                out = carriers.wrap([Transmit(path, b"x" * (size + 1))] * 3, now)
                assert len(out) <= 3
                carriers.bind(path, now)
            case 10:
                carriers.forget_unused(now)
            case 11:
                carriers.close(now)
            case _:
                now += size / 16
                carriers.handle_timeout(now)
        carriers.poll_transmits(now)
        carriers.poll_events()
        assert carriers.next_timeout() >= now or carriers.poll_transmits(now) is not None
        assert len(carriers.relays) <= 8
    now += 100.0
    carriers.close(now)
    carriers.handle_timeout(now + 1.0)
    assert carriers.closed
