"""Streams of the virtual network: their round trips, their words when they fail, and that bytes come whole."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from webrtc_stack import io, sim
from webrtc_stack.base import Address, SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError

LATENCY = 0.05


class End:
    """One end of a stream and all that its owner was told."""

    def __init__(self, net: sim.Network, echo: bool = False) -> None:
        self.net = net
        self.stream: sim.SimStream | None = None
        self.failure: str | None = None
        self.told_at: float | None = None
        self.received = b""
        self.chunks = 0
        self.closed: list[str] = []
        self.writable = 0
        self.echo = echo

    def opened(self, result: Any) -> None:
        assert self.told_at is None, "told twice"
        self.told_at = self.net.now
        if isinstance(result, str):
            self.failure = result
            return
        stream = self.stream = result
        stream.start(on_bytes=self.on_bytes, on_writable=self.on_writable, on_closed=self.closed.append)

    def on_bytes(self, data: bytes) -> None:
        assert not self.closed
        self.received += data
        self.chunks += 1
        if self.echo:
            self.up.write(data)

    def on_writable(self) -> None:
        self.writable += 1

    @property
    def up(self) -> sim.SimStream:
        assert self.stream is not None, self.failure
        return self.stream


class Rig:
    """Two hosts, a listener on one of them, and a client's end."""

    def __init__(self, seed: int = 1, *, tls: object | None = None, echo: bool = False, **link: Any) -> None:
        self.net = sim.Network(seed)
        self.a, self.b = self.net.host("10.0.0.1"), self.net.host("10.0.0.2")
        self.net.link(self.a, self.b, None, **{"latency": LATENCY, **link})
        self.client, self.server = End(self.net), End(self.net, echo)
        self.accepted = 0
        self.listener = self.b.listen(self.b.local_addresses()[0], port=443, tls=tls, on_accept=self.on_accept)

    def on_accept(self, stream: sim.SimStream) -> None:
        self.accepted += 1
        self.server = End(self.net, self.server.echo)
        self.server.opened(stream)

    def connect(self, protocol: str = "tcp", port: int = 443, name: str | None = None) -> Any:
        remote = Address("10.0.0.2", port)
        return self.a.open_stream(remote, protocol=protocol, server_name=name, on_result=self.client.opened)


def test_a_host_is_a_runtime_of_io() -> None:
    runtime: io.Runtime = sim.Network(1).host("10.0.0.1")
    assert runtime.time() == 0.0


def test_tcp_takes_one_round_trip_and_tls_two() -> None:
    for protocol, tls, trips in (("tcp", None, 1), ("tls", sim.VirtualCertificate(("example.org",)), 2)):
        rig = Rig(tls=tls)
        rig.connect(protocol, name="example.org")
        rig.net.run_until(1.0)
        assert rig.client.told_at == pytest.approx(2 * LATENCY * trips)
        assert rig.accepted == 1
        assert rig.server.up.remote == rig.client.up.local
        assert rig.client.up.remote == rig.server.up.local == rig.listener.address


def test_what_is_written_in_one_instant_arrives_as_one_chunk_after_the_latency() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.client.up.write(b"one ")
    rig.client.up.write(b"two")
    rig.net.run_until(1.0 + LATENCY - 0.001)
    assert rig.server.received == b""
    rig.net.run_until(1.0 + LATENCY)
    assert (rig.server.received, rig.server.chunks) == (b"one two", 1)


@pytest.mark.parametrize("seed", range(6))
def test_bytes_arrive_whole_and_in_order_whatever_the_link_does(seed: int) -> None:
    payload = SeededEntropy(seed).bytes(60_000)
    rig = Rig(seed, echo=True, loss=0.05, jitter=0.02, reorder=0.05, duplicate=0.05, rate_bps=4_000_000)
    rig.connect()
    rig.net.run(until=20.0, condition=lambda: rig.client.stream is not None)
    for at in range(0, len(payload), 10_000):
        rig.client.up.write(payload[at : at + 10_000])
    rig.net.run(until=120.0, condition=lambda: len(rig.client.received) >= len(payload))
    assert hashlib.sha256(rig.client.received).digest() == hashlib.sha256(payload).digest()
    assert rig.client.up.retransmissions > 0
    rig.client.up.close()
    rig.net.run_until(rig.net.now + 30.0)
    assert rig.server.closed == ["closed by the peer"]
    assert not rig.a.tcp.streams and not rig.b.tcp.streams


def test_a_lost_segment_is_a_delay_and_not_a_gap() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.net.link(rig.a, rig.b, up=False)
    rig.client.up.write(b"lost at first")
    rig.net.run_until(1.1)
    rig.net.link(rig.a, rig.b, up=True)
    rig.client.up.write(b", then this")
    rig.net.run_until(3.0)
    assert rig.server.received == b"lost at first, then this"
    assert rig.client.up.retransmissions >= 1


def test_a_rate_limit_bounds_the_throughput_and_most_of_it_is_used() -> None:
    rig = Rig(rate_bps=8_000_000, latency=0.01)
    rig.connect()
    rig.net.run_until(1.0)
    rig.client.up.write(bytes(1_000_000))
    rig.net.run(until=60.0, condition=lambda: len(rig.server.received) == 1_000_000)
    assert 1.0 < rig.net.now - 1.0 < 1.5, "a million bytes at a million bytes a second"


@pytest.mark.parametrize(
    ("reason", "after", "how"),
    [
        ("connection refused", 2 * LATENCY, {"port": 444}),
        ("timed out", 10.0, {"up": False}),
        ("timed out", 10.0, {"down": True}),
        ("the certificate is not for example.org", 4 * LATENCY, {"tls": sim.VirtualCertificate(("example.com",))}),
        (
            "the certificate has expired",
            4 * LATENCY,
            {"tls": sim.VirtualCertificate(("example.org",), expired=True)},
        ),
        (
            "the certificate is signed by an unknown issuer",
            4 * LATENCY,
            {"tls": sim.VirtualCertificate(("*.org",), trusted=False)},
        ),
        ("timed out", 10.0, {"tls": None, "protocol": "tls"}),
    ],
)
def test_a_connection_that_fails_says_why_and_when(reason: str, after: float, how: dict[str, Any]) -> None:
    rig = Rig(tls=how.get("tls"))
    if "up" in how:
        rig.net.link(rig.a, rig.b, up=False)
    if "down" in how:
        rig.b.down.add("10.0.0.2")
    protocol = how.get("protocol", "tls" if how.get("tls") else "tcp")
    rig.connect(protocol, how.get("port", 443), "example.org")
    rig.net.run_until(30.0)
    assert rig.client.failure == reason
    assert rig.client.told_at == pytest.approx(after)
    assert rig.accepted == (1 if how.get("protocol") else 0), "a TCP listener cannot know"
    assert not rig.a.tcp.streams


def test_one_who_speaks_no_tls_is_not_accepted_and_hears_it() -> None:
    rig = Rig(tls=sim.VirtualCertificate())
    rig.connect("tcp")
    rig.net.run_until(1.0)
    rig.client.up.write(b"GET / HTTP/1.1\r\n")
    rig.net.run_until(2.0)
    assert rig.client.closed == ["closed by the peer"]
    assert rig.accepted == 0


def test_a_certificate_covers_one_label_by_a_star_and_addresses_by_themselves() -> None:
    certificate = sim.VirtualCertificate(("*.example.org", "10.0.0.2"))
    assert certificate.complaint("turn.example.org") is None
    assert certificate.complaint("TURN.example.org") is None
    assert certificate.complaint("example.org") == "the certificate is not for example.org"
    assert certificate.complaint("a.b.example.org") is not None
    assert certificate.complaint("10.0.0.2") is None
    rig = Rig(tls=certificate)
    rig.connect("tls", name=None)
    rig.net.run_until(1.0)
    assert rig.client.stream is not None, "without a name the address counts"


def test_what_was_written_before_close_is_still_sent_and_nothing_is_heard_after_it() -> None:
    rig = Rig(echo=True)
    rig.connect()
    rig.net.run_until(1.0)
    rig.client.up.write(bytes(50_000))
    rig.client.up.close()
    rig.client.up.close()
    rig.client.up.write(b"too late")
    rig.net.run_until(10.0)
    assert len(rig.server.received) == 50_000
    assert rig.server.closed == ["closed by the peer"]
    assert (rig.client.received, rig.client.closed) == (b"", [])
    assert not rig.a.tcp.streams and not rig.b.tcp.streams


def test_a_server_that_closes_is_noticed_with_all_its_bytes_first() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.server.up.write(b"goodbye")
    rig.server.up.close()
    rig.net.run_until(5.0)
    assert (rig.client.received, rig.client.closed) == (b"goodbye", ["closed by the peer"])
    assert not rig.a.tcp.streams and not rig.b.tcp.streams


def test_an_abort_is_a_reset_for_the_other_side() -> None:
    for side in (0, 1):
        rig = Rig()
        rig.connect()
        rig.net.run_until(1.0)
        one, other = (rig.client, rig.server) if side == 0 else (rig.server, rig.client)
        one.up.abort()
        rig.net.run_until(2.0)
        assert (one.closed, other.closed) == ([], ["connection reset"])
        assert not rig.a.tcp.streams and not rig.b.tcp.streams


def test_writable_says_when_to_wait_and_a_flood_ends_the_stream() -> None:
    rig = Rig(rate_bps=1_000_000)
    rig.connect()
    rig.net.run_until(1.0)
    stream = rig.client.up
    told = [stream.writable]
    stream.write(bytes(200_000))
    told.append(stream.writable)
    rig.net.run(until=30.0, condition=lambda: rig.client.writable > 0)
    told.append(stream.writable)
    assert (told, rig.client.writable) == ([True, False, True], 1)
    while not rig.client.closed and rig.net.now < 40.0:
        stream.write(bytes(300_000))
        rig.net.run_until(rig.net.now + 0.01)
    assert rig.client.closed == ["the other side does not read: more than 1048576 bytes wait"]
    rig.net.run_until(60.0)
    assert rig.server.closed == ["connection reset"]


def test_an_interface_that_dies_is_noticed_only_by_those_who_wait_for_an_acknowledgement() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.a.down.add("10.0.0.1")
    rig.net.run_until(400.0)
    assert rig.server.closed == []
    rig.server.up.write(b"are you there?")
    rig.net.run_until(500.0)
    assert rig.server.closed == []
    rig.net.run_until(600.0)
    assert rig.server.closed == ["timed out"]
    assert rig.client.closed == []


def test_a_stream_survives_an_interface_that_is_dead_for_a_while() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.b.down.add("10.0.0.2")
    rig.client.up.write(b"patience")
    rig.net.run_until(20.0)
    rig.b.down.clear()
    rig.net.run_until(60.0)
    assert rig.server.received == b"patience"


def test_a_cancelled_connect_says_nothing_and_leaves_nothing() -> None:
    for after in (0.0, LATENCY * 1.5, 1.0):
        rig = Rig(tls=sim.VirtualCertificate())
        handle = rig.connect("tls")
        rig.net.run_until(after)
        told = rig.client.told_at
        handle.cancel()
        rig.net.run_until(30.0)
        assert rig.client.told_at == told
        assert bool(rig.a.tcp.streams) is (after == 1.0), "too late, it is open"


def test_a_closed_listener_accepts_no_more_and_leaves_its_streams_alone() -> None:
    rig = Rig(echo=True)
    rig.connect()
    rig.net.run_until(1.0)
    rig.listener.close()
    rig.listener.close()
    late = End(rig.net)
    rig.a.open_stream(rig.listener.address, protocol="tcp", on_result=late.opened)
    rig.client.up.write(b"still here")
    rig.net.run_until(2.0)
    assert late.failure == "connection refused"
    assert rig.client.received == b"still here"


def test_a_port_is_listened_on_once_and_only_on_own_addresses() -> None:
    rig = Rig()
    where = rig.b.local_addresses()[0]
    with pytest.raises(OSError, match="in use"):
        rig.b.listen(where, port=443, on_accept=rig.on_accept)
    with pytest.raises(OSError, match="not an address"):
        rig.a.listen(where, on_accept=rig.on_accept)
    assert rig.b.listen(where, on_accept=rig.on_accept).address.port >= 49152


def test_misuse_and_what_cannot_be_reached_are_told_in_words() -> None:
    rig = Rig()
    with pytest.raises(InvalidArgumentError, match="tcp or tls"):
        rig.connect("quic")
    for remote, local, reason in (
        (Address("2001:db8::1", 443), None, "network is unreachable"),
        (Address("10.0.0.2", 443), "10.0.0.9", "the address to connect from is not on this machine"),
    ):
        end = End(rig.net)
        rig.a.open_stream(remote, protocol="tcp", local=local, on_result=end.opened)
        assert end.told_at is None, "never from inside the call"
        rig.net.run_until(rig.net.now + 1.0)
        assert end.failure == reason
    rig.connect()
    rig.net.run_until(20.0)
    with pytest.raises(InvalidStateError, match="once"):
        rig.client.up.start(on_bytes=print, on_writable=print, on_closed=print)


def test_bytes_wait_for_a_reader_that_starts_late() -> None:
    rig = Rig()
    kept: list[sim.SimStream] = []
    rig.b.listen(rig.b.local_addresses()[0], port=80, on_accept=kept.append)
    rig.connect(port=80)
    rig.net.run_until(1.0)
    rig.client.up.write(b"early")
    rig.client.up.close()
    rig.net.run_until(2.0)
    end = End(rig.net)
    end.opened(kept[0])
    assert (end.received, end.closed) == (b"", [])
    rig.net.run_until(3.0)
    assert (end.received, end.closed) == (b"early", ["closed by the peer"])


def test_same_seed_same_digest_and_the_log_has_the_segments() -> None:
    def play(seed: int) -> tuple[str, list[sim.Sent]]:
        rig = Rig(seed, echo=True, tls=sim.VirtualCertificate(), loss=0.1, jitter=0.01)
        rig.connect("tls")
        rig.net.run_until(10.0)
        if rig.client.stream is not None:
            rig.client.up.write(bytes(20_000))
        rig.net.run_until(30.0)
        return rig.net.digest(), rig.net.log

    digest, log = play(1)
    assert play(1) == (digest, log)
    assert play(2)[0] != digest
    assert log[0].note == "SYN" and {entry.transport for entry in log} == {"tcp"}


def test_a_host_talks_to_itself_without_a_link() -> None:
    net = sim.Network(1)
    host = net.host("10.0.0.1")
    server, client = End(net, echo=True), End(net)
    host.listen(host.local_addresses()[0], port=80, on_accept=server.opened)
    host.open_stream(Address("10.0.0.1", 80), protocol="tcp", on_result=client.opened)
    net.run_until(1.0)
    client.up.write(b"me")
    net.run_until(2.0)
    assert client.received == b"me"


def test_later_segments_bring_a_lost_one_again_without_waiting_for_the_timer() -> None:
    rig = Rig()
    rig.net.streams = sim.StreamConfig(min_timeout=20.0)
    rig.connect()
    rig.net.run_until(1.0)
    rig.client.up.write(bytes(30_000))
    rig.net.run_until(2.0)
    rig.net.link(rig.a, rig.b, up=False)
    rig.client.up.write(b"lost" * 300)
    rig.net.link(rig.a, rig.b, up=True)
    rig.client.up.write(bytes(6_000))
    rig.net.run_until(2.0 + 4.1 * LATENCY)
    assert len(rig.server.received) == 37_200
    assert rig.client.up.retransmissions == 1


def test_each_silence_is_waited_for_twice_as_long() -> None:
    rig = Rig()
    rig.net.link(rig.a, rig.b, up=False)
    rig.connect()
    rig.net.run_until(30.0)
    assert [entry.time for entry in rig.net.log] == [0.0, 1.0, 3.0, 7.0]


def test_a_handshake_whose_last_acknowledgement_is_lost_is_finished_all_the_same() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(LATENCY * 1.5)
    rig.net.link_one_way(rig.a, rig.b, up=False)
    rig.net.run_until(LATENCY * 3)
    rig.net.link_one_way(rig.a, rig.b, up=True)
    assert (rig.client.stream is not None, rig.accepted) == (True, 0)
    rig.net.run_until(2.0)
    assert rig.accepted == 1


def test_a_listener_that_closes_resets_those_it_has_not_accepted() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(LATENCY * 1.5)
    rig.listener.close()
    rig.net.run_until(1.0)
    assert (rig.accepted, rig.client.closed) == (0, ["connection reset"])
    assert not rig.a.tcp.streams and not rig.b.tcp.streams


def test_clients_that_never_finish_their_handshake_are_bounded_and_forgotten() -> None:
    rig = Rig()
    rig.net.link_one_way(rig.b, rig.a, up=False)
    for _ in range(400):
        rig.a.open_stream(rig.listener.address, protocol="tcp", on_result=lambda result: None)
    rig.net.run_until(1.0)
    assert rig.listener.half_open == len(rig.b.tcp.streams) == 256
    assert rig.b.drops["backlog full"] > 0
    rig.net.run_until(30.0)
    assert rig.listener.half_open == len(rig.b.tcp.streams) == len(rig.a.tcp.streams) == 0
