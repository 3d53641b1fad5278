"""Capture files: what `PacketLog` writes comes back; any bytes give a capture or a `ParseError`."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.peers import connected_channels, two_peers
from webrtc_stack import ClientConfig, cli, sim
from webrtc_stack.base import Address
from webrtc_stack.cli.pcap import explain
from webrtc_stack.cli.pcap.capture import read_capture
from webrtc_stack.cli.pcap.network import UDP, Payload, unwrap
from webrtc_stack.errors import ParseError
from webrtc_stack.trace import KeyLog, PacketKind, PacketLog


def written() -> bytes:
    """A small log with every kind of packet."""
    stream = io.BytesIO()
    log = PacketLog(stream, wall_epoch=1_700_000_000)
    log.packet(1.5, PacketKind.UDP, b"\x80" + bytes(11), outgoing=True, comment="first")
    log.packet(1.75, PacketKind.SCTP, bytes(12), outgoing=False)
    log.packet(
        2.0,
        PacketKind.UDP,
        b"\x00\x01",
        outgoing=True,
        local=Address("10.0.0.1", 1111),
        remote=Address("2001:db8::1", 2222),
    )
    KeyLog(packet_log=log).write("CLIENT_RANDOM", bytes(32), bytes(48))
    return stream.getvalue()


def test_what_the_packet_log_writes_is_read_back() -> None:
    capture = read_capture(written())
    assert [packet.time for packet in capture.packets] == [1_700_000_001.5, 1_700_000_001.75, 1_700_000_002.0]
    assert [packet.outgoing for packet in capture.packets] == [True, False, True]
    assert capture.packets[0].comment == "first"
    assert capture.secrets == 1
    assert not capture.notes
    first, second, third = (unwrap(packet.link_type, packet.data) for packet in capture.packets)
    assert first == Payload(UDP, Address("192.0.2.1", 5000), Address("192.0.2.2", 5000), b"\x80" + bytes(11))
    assert second.protocol == 132
    assert second.data == bytes(12)
    assert third.source == Address("10.0.0.1", 1111)
    assert third.destination == Address("2001:db8::1", 2222)


def test_a_file_cut_anywhere_gives_what_is_whole() -> None:
    data = written()
    counts = []
    for length in range(28, len(data)):
        capture = read_capture(data[:length])
        counts.append(len(capture.packets))
    assert counts == sorted(counts)
    assert counts[-1] == 3
    assert read_capture(data[: len(data) - 4]).notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1_000_000), (0xA1B23C4D, 1_000_000_000)])
def test_the_older_format_is_read_in_both_orders_and_both_units(order: str, magic: int, unit: int) -> None:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    ethernet = bytes(12) + b"\x81\x00\x00\x07\x08\x00"  # with a VLAN tag
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 31, 0, 0, 64, 17, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
    frame = ethernet + ip + struct.pack("!HHHH", 1, 2, 11, 0) + b"abc" + b"padding"
    record = struct.pack(order + "IIII", 100, unit // 4, len(frame), 1000)
    packet = read_capture(head + record + frame).packets[0]
    assert packet.time == pytest.approx(100.25)
    assert (packet.outgoing, packet.original_length) == (None, 1000)
    assert unwrap(packet.link_type, packet.data).data == b"abc", "what Ethernet pads is not the datagram's"


def test_clock_units_of_an_interface_are_kept() -> None:
    def block(kind: int, body: bytes) -> bytes:
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack("<HHB3xHHqHH", 9, 1, 0x8A, 14, 8, 50, 0, 0)  # units of 2**-10 s, 50 s later
    interface = block(1, struct.pack("<HHI", 101, 0, 0) + options)
    packet = block(6, struct.pack("<IIIII", 0, 0, 2048, 4, 4) + b"abcd")
    assert read_capture(section + interface + packet).packets[0].time == 52.0


@pytest.mark.parametrize("data", [b"", b"hello", b"\x1f\x8b\x08", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a" + bytes(8)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_capture(data)


def test_a_whole_call_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "call.pcapng"
    with path.open("wb") as stream:
        config = ClientConfig(packet_log=PacketLog(stream))

        async def main(net: sim.Network) -> None:
            async with two_peers(net, config=config, answerer_config=ClientConfig()) as (left, right):
                ours, theirs = await connected_channels(left, right)
                await ours.send("good morning")
                assert await theirs.receive() == "good morning"

        sim.run(main)
    assert cli.main(["pcap", str(path)]) == 0
    text = capsys.readouterr().out
    for wanted in (
        "STUN Binding request",
        "USE-CANDIDATE",
        "XOR-MAPPED-ADDRESS=10.0.0.1",
        "DTLS ClientHello #0, version 1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "SCTP INIT tag",
        "SCTP COOKIE-ECHO",
        "“test” ordered",
        "DCEP ACK",
        "“good morning”",
    ):
        assert wanted in text
    assert "unreadable" not in text
    assert cli.main(["pcap", str(path), "--only", "dcep open", "--limit", "1"]) == 0
    assert capsys.readouterr().out.startswith(" "), "one line, then the counts"


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([b"", written()[:60], written()]), st.integers(0, 500))
def test_any_bytes_give_a_capture_or_a_parse_error(noise: bytes, head: bytes, cut: int) -> None:
    try:
        capture = read_capture(head[:cut] + noise)
    except ParseError:
        return
    for one in explain(capture):
        assert one.line(0.0, addresses=True).isprintable()


def test_hostile_blocks_do_not_make_it_grow() -> None:
    section, rest = written()[:48], b"\x06\x00\x00\x00\x0c\x00\x00\x00\x0c\x00\x00\x00"
    data = section + rest * 20_000 + b"\x01\x00\x00\x00\x0c\x00\x00\x00\x0c\x00\x00\x00" * 20_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        capture = read_capture(data)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 1024 * 1024
    assert len(capture.notes) < 30
