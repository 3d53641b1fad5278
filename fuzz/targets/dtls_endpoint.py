"""DTLS endpoints: datagrams cut out of the input, given to both roles at each stage of a connection.

The first byte picks who receives and how far the handshake has come; the rest is cut in datagrams by two-byte lengths.
"""

from __future__ import annotations

from webrtc_stack.base import SeededEntropy
from webrtc_stack.dtls import Certificate, Closed, DtlsConfig, DtlsEndpoint

_CERTIFICATES = {
    role: Certificate.generate(wall_time=1_750_000_000.0, entropy=SeededEntropy(f"fuzz {role}"))
    for role in ("client", "server")
}


def _pair(*, cookie: bool) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    client = DtlsEndpoint(
        DtlsConfig(
            role="client",
            certificate=_CERTIFICATES["client"],
            remote_fingerprints=(_CERTIFICATES["server"].fingerprint(),),
            entropy=SeededEntropy("fuzz c"),
        )
    )
    server = DtlsEndpoint(
        DtlsConfig(
            role="server",
            certificate=_CERTIFICATES["server"],
            remote_fingerprints=(_CERTIFICATES["client"].fingerprint(),),
            entropy=SeededEntropy("fuzz s"),
            cookie=cookie,
        )
    )
    client.connect(0.0)
    server.connect(0.0)
    return client, server


def _recorded() -> list[bytes]:
    """Every flight of a handshake, in the input's format: seeds from which mutations reach deep states."""
    client, server = _pair(cookie=False)
    seeds = []
    for stage in range(4):
        sender, receiver = (client, server) if stage % 2 == 0 else (server, client)
        flight = sender.poll_transmits(0.0)
        seeds.append(bytes([stage]) + b"".join(len(datagram).to_bytes(2, "big") + datagram for datagram in flight))
        receiver.receive_many(flight, 0.0)
    client.send(b"data", 0.0)
    (sealed,) = client.poll_transmits(0.0)
    seeds.append(b"\x04" + len(sealed).to_bytes(2, "big") + sealed)
    return seeds


SEEDS: list[bytes] = _recorded()


def fuzz_one(data: bytes) -> None:
    stage = data[0] if data else 0
    client, server = _pair(cookie=bool(stage & 0x80))
    machines = (client, server)
    for turn in range(stage % 5):
        machines[1 - turn % 2].receive_many(machines[turn % 2].poll_transmits(0.0), 0.0)
    victim = machines[1 - stage % 2]
    now = 0.1
    at = 1
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        victim.receive(data[at + 2 : at + 2 + size], now)
        victim.poll_transmits(now, 3)
        at += 2 + size
        now += 0.001
    for _ in range(60):
        due = victim.next_timeout()
        if due > 40.0:
            break
        now = max(now, due)
        victim.handle_timeout(now)
        victim.poll_transmits(now)
    ends = [event for event in victim.poll_events() if isinstance(event, Closed)]
    assert len(ends) <= 1
