"""SRTP alone: keys from a DTLS handshake, packets protected and opened, and what is refused.

A context is one direction with every SSRC in it. It knows no socket and no clock: RTP packets in, SRTP packets out, or
the other way round, one by one (errors are exceptions) or in bursts (errors are values in the list).

Run it: `python -m webrtc_stack.examples.srtp_alone`
"""

from __future__ import annotations

from webrtc_stack import dtls, srtp
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import SecurityError

NOW = 0.0
WALL_TIME = 1_750_000_000.0


def handshake() -> tuple[dtls.DtlsEndpoint, dtls.DtlsEndpoint]:
    """Two connected endpoints; see `dtls_alone`. Seeded entropy makes every run the same; leave it out for real use."""
    alice, bob = (dtls.Certificate.generate(wall_time=WALL_TIME, entropy=SeededEntropy(name)) for name in ("a", "b"))
    client, server = endpoint("client", alice, bob), endpoint("server", bob, alice)
    while forth := client.poll_transmits(NOW):
        server.receive_many(forth, NOW)
        client.receive_many(server.poll_transmits(NOW), NOW)
    return client, server


def endpoint(role: dtls.Role, own: dtls.Certificate, peer: dtls.Certificate) -> dtls.DtlsEndpoint:
    fingerprints = (peer.fingerprint("sha-256"),)
    made = dtls.DtlsEndpoint(
        dtls.DtlsConfig(role=role, certificate=own, remote_fingerprints=fingerprints, entropy=SeededEntropy(role))
    )
    made.connect(NOW)
    return made


def rtp(sequence: int, payload: bytes, ssrc: int = 0xDECAFBAD) -> bytes:
    """A minimal RTP packet; the `rtp` room makes real ones."""
    return b"\x80\x60" + (sequence & 0xFFFF).to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + payload


def show(opened: bytes | srtp.Refused) -> str:
    return f"refused, {opened.value}" if isinstance(opened, srtp.Refused) else repr(opened[12:].decode())


def attempt(receiver: srtp.SrtpContext, packet: bytes) -> None:
    try:
        receiver.unprotect(packet)
    except SecurityError as error:
        print(f"  {type(error).__name__}: {error}")


def main() -> None:
    print("keys from a handshake:")
    client, server = handshake()
    outbound, _ = srtp.SrtpContext.pair_from_dtls(client)
    _, inbound = srtp.SrtpContext.pair_from_dtls(server)
    print(f"  {outbound.profile.name}, {outbound.profile.rtp_overhead_bytes} bytes more a packet")

    print("a burst over the wrap of the sequence number:")
    sealed = outbound.protect_many([rtp(65534 + n, f"frame {n}".encode()) for n in range(4)])
    for packet, opened in zip(sealed, inbound.unprotect_many(sealed), strict=True):
        print(f"  {packet[12:].hex()[:16]}... {len(packet)} bytes -> {show(opened)}")
    print(f"  rollover counter: {inbound.rollover_counter(0xDECAFBAD)}")

    print("the same packet again, and one with a flipped bit:")
    attempt(inbound, sealed[0])
    fresh = outbound.protect(rtp(2, b"frame 4"))
    attempt(inbound, fresh[:-1] + bytes((fresh[-1] ^ 1,)))
    print(f"  and as it was: {show(inbound.unprotect(fresh))}")

    print("control packets:")
    report = b"\x80\xc9\x00\x01\xde\xca\xfb\xad"
    print(f"  {outbound.protect_rtcp(report).hex()} -> {report.hex()}")

    print("header extensions and contributing sources hidden (Cryptex):")
    key, salt = bytes(range(16)), bytes(range(12))
    sender, receiver = (srtp.SrtpContext(srtp.Profile.AEAD_AES_128_GCM, key, salt, cryptex=True) for _ in range(2))
    packet = bytes((0x91,)) + rtp(1, b"csrc" + b"\xbe\xde\x00\x01\x10level"[:8] + b"sound")[1:]
    hidden = sender.protect(packet)
    print(f"  {packet.hex()}\n  {hidden.hex()}\n  opened: {receiver.unprotect(hidden) == packet}")
    print(f"counted: {inbound.counters}")


if __name__ == "__main__":
    main()
