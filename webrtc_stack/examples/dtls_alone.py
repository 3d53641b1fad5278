"""DTLS alone: two endpoints in one process, a handshake, data, keys for SRTP, and a wrong certificate.

No socket and no clock: an endpoint is a machine that takes datagrams (`receive_many`), gives datagrams
(`poll_transmits`), tells what happened (`poll_events`), and says when it wants to be woken (`next_timeout`). Here the
"network" is a list, and time stands still. With sockets, the same four calls sit in an event loop.

Run it: `python -m webrtc_stack.examples.dtls_alone`
"""

from __future__ import annotations

from webrtc_stack import dtls
from webrtc_stack.base import SeededEntropy

NOW = 0.0
WALL_TIME = 1_750_000_000.0


def make(role: dtls.Role, own: dtls.Certificate, peer: dtls.Certificate) -> dtls.DtlsEndpoint:
    """An endpoint that expects exactly `peer`. Seeded entropy makes every run the same; leave it out for real use."""
    config = dtls.DtlsConfig(
        role=role,
        certificate=own,
        remote_fingerprints=(peer.fingerprint("sha-256"),),
        entropy=SeededEntropy(f"example {role}"),
    )
    endpoint = dtls.DtlsEndpoint(config)
    endpoint.connect(NOW)
    return endpoint


def carry(client: dtls.DtlsEndpoint, server: dtls.DtlsEndpoint) -> None:
    """Moves datagrams until both are silent."""
    flight = 0
    while True:
        forth = client.poll_transmits(NOW)
        server.receive_many(forth, NOW)
        back = server.poll_transmits(NOW)
        client.receive_many(back, NOW)
        if not forth and not back:
            return
        flight += 1
        print(f"  round {flight}: client {[len(d) for d in forth]} bytes -> server {[len(d) for d in back]} bytes")


def report(name: str, endpoint: dtls.DtlsEndpoint) -> None:
    for event in endpoint.poll_events():
        match event:
            case dtls.HandshakeCompleted():
                profile = event.srtp_profile.name if event.srtp_profile is not None else "no SRTP"
                print(f"  {name}: DTLS {event.version}, {event.cipher_suite.name}, {event.group.name}, {profile}")
                print(f"  {name}: peer is {event.peer_fingerprints[0].value[:23]}...")
            case dtls.DataReceived(data):
                print(f"  {name}: received {data.decode()!r}")
            case dtls.Closed():
                print(f"  {name}: {event.reason}" + (f" [{type(event.error).__name__}]" if event.error else ""))


def main() -> None:
    alice, bob, mallory = (
        dtls.Certificate.generate(wall_time=WALL_TIME, entropy=SeededEntropy(name)) for name in ("a", "b", "m")
    )

    print("handshake:")
    client, server = make("client", alice, bob), make("server", bob, alice)
    carry(client, server)
    report("client", client)
    report("server", server)

    print("data, one datagram a record:")
    client.send(b"hello", NOW)
    server.send(b"world", NOW)
    carry(client, server)
    report("client", client)
    report("server", server)

    print("keys for SRTP, equal on both sides:")
    keys = [endpoint.export_keying_material("EXTRACTOR-dtls_srtp", 56).hex() for endpoint in (client, server)]
    print(f"  {keys[0][:32]}... equal: {keys[0] == keys[1]}")

    print("goodbye:")
    client.close(NOW)
    carry(client, server)
    report("client", client)
    report("server", server)

    print("somebody else's certificate:")
    client, server = make("client", alice, bob), make("server", mallory, alice)
    carry(client, server)
    report("client", client)
    report("server", server)


if __name__ == "__main__":
    main()
