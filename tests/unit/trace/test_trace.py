"""Trace events, key log and packet log, and that tshark opens what is written."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
from pathlib import Path

import crc32c
import pytest

from tests.support.programs import find_program
from webrtc_stack.base import Address
from webrtc_stack.trace import (
    NO_TRACE,
    JsonLinesSink,
    KeyLog,
    MemorySink,
    PacketKind,
    PacketLog,
    TeeSink,
    Trace,
    TraceEvent,
)


class BrokenStream(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("disk full")


class BrokenFile(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError("disk full")


def test_nobody_listening_is_false_and_costs_nothing() -> None:
    assert not NO_TRACE
    NO_TRACE.event(1.0, "ignored", x=1)
    assert NO_TRACE.bind(source="a", room="b") is NO_TRACE


def test_an_event_becomes_one_json_line_with_bytes_as_hex() -> None:
    stream = io.StringIO()
    trace = Trace(JsonLinesSink(stream), source="pc1").bind(room="dtls")
    assert trace
    trace.event(1.23456789, "record_dropped", data=b"\x01\xff", peers={"b", "a"}, count=2, what=memoryview(b"z"))
    trace.event(2.0, "closed")
    lines = stream.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "time": 1.234568,
            "source": "pc1",
            "room": "dtls",
            "name": "record_dropped",
            "data": {"data": "01ff", "peers": ["a", "b"], "count": 2, "what": "7a"},
        },
        {"time": 2.0, "source": "pc1", "room": "dtls", "name": "closed", "data": {}},
    ]


def test_a_memory_sink_keeps_the_last_events() -> None:
    sink = MemorySink(limit=3)
    trace = Trace(sink)
    for number in range(5):
        trace.event(float(number), "even" if number % 2 == 0 else "odd")
    assert [event.time for event in sink.events] == [2.0, 3.0, 4.0]
    assert [event.time for event in sink.named("even")] == [2.0, 4.0]


def test_a_tee_hands_every_event_to_all() -> None:
    sinks = [MemorySink(), MemorySink()]
    Trace(TeeSink(sinks), room="ice").event(0.0, "started")
    assert [list(sink.events) for sink in sinks] == [[TraceEvent(0.0, "", "ice", "started", {})]] * 2


def test_a_sink_that_fails_takes_itself_out() -> None:
    sink = JsonLinesSink(BrokenStream())
    Trace(sink).event(0.0, "started")
    Trace(sink).event(1.0, "again")
    assert isinstance(sink.error, OSError)
    log = PacketLog(BrokenFile())
    log.packet(0.0, PacketKind.UDP, b"x", outgoing=True)
    assert isinstance(log.error, OSError)


def test_key_log_lines_go_to_file_list_and_packet_log() -> None:
    stream, packets = io.StringIO(), io.BytesIO()
    log = KeyLog(stream, packet_log=PacketLog(packets))
    log.write("CLIENT_RANDOM", b"\x01" * 32, b"\x02" * 48)
    line = f"CLIENT_RANDOM {'01' * 32} {'02' * 48}\n"
    assert stream.getvalue() == line
    assert log.lines == [line]
    assert line.encode() in packets.getvalue()


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """The blocks of a little-endian pcapng file; both lengths of each must agree."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


@pytest.mark.parametrize("size", range(5))
def test_every_block_is_padded_and_says_its_length_twice(size: int) -> None:
    file = io.BytesIO()
    log = PacketLog(file, wall_epoch=1_700_000_000)
    log.packet(0.5, PacketKind.UDP, bytes(size), outgoing=False, comment="x" * size)
    log.add_secrets("y" * size)
    kinds = [kind for kind, _ in blocks(file.getvalue())]
    assert kinds == [0x0A0D0D0A, 1, 6, 10]
    interface, high, low, captured, original = struct.unpack_from("<IIIII", blocks(file.getvalue())[2][1])
    assert (interface, captured, original) == (0, 28 + size, 28 + size)
    assert high << 32 | low == 1_700_000_000_500_000


def sctp_init() -> bytes:
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 0x1234, 65536, 10, 10, 1)
    packet = struct.pack("!HHII", 5000, 5000, 0, 0) + chunk
    return packet[:8] + struct.pack("<I", crc32c.crc32c(packet)) + packet[12:]


def tshark(file: Path, *fields: str, rules: tuple[str, ...] = ()) -> list[list[str]]:
    program = find_program("tshark")
    command = [program, "-r", str(file), "-T", "fields", "-E", "separator=|", *rules]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(file.parent)}
    )
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


def test_tshark_dissects_plaintext_sctp_stun_and_rtp(tmp_path: Path) -> None:
    path = tmp_path / "log.pcapng"
    stun = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"abcdefghijkl")
    rtp = struct.pack("!BBHII", 0x80, 111, 7, 960, 0xCAFE) + b"opus"
    six = Address("2001:db8::5", 4000)
    with path.open("wb") as file:
        log = PacketLog(file, wall_epoch=1_700_000_000)
        log.packet(0.25, PacketKind.SCTP, sctp_init(), outgoing=True, comment="the first packet")
        log.packet(0.5, PacketKind.UDP, stun, outgoing=False, remote=Address("192.0.2.77", 3478))
        log.packet(0.75, PacketKind.RTP, rtp, outgoing=True)
        log.packet(1.0, PacketKind.UDP, stun, outgoing=True, local=six, remote=Address("192.0.2.9", 9))
    fields = ("frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "frame.comment", "_ws.malformed")
    rows = tshark(path, "frame.protocols", *fields)
    assert [row[0] for row in rows] == ["raw:ip:sctp", "raw:ip:udp:stun", "raw:ip:udp:data", "raw:ipv6:udp:stun"]
    assert [float(row[1]) - 1_700_000_000 for row in rows] == [0.25, 0.5, 0.75, 1.0]
    assert rows[0][2:4] == ["192.0.2.1", "192.0.2.2"]
    assert rows[0][6] == "the first packet"
    assert rows[1][2:4] == ["192.0.2.77", "192.0.2.1"], "an incoming packet comes from there"
    assert rows[3][4:6] == ["2001:db8::5", "::ffff:192.0.2.9"]
    assert not any(row[7] for row in rows)
    (init, *_) = tshark(path, "sctp.chunk_type", "sctp.checksum.status", rules=("-o", "sctp.checksum:crc-32c"))
    assert init == ["1", "1"], "an INIT, and tshark finds its checksum good"
    seen = tshark(path, "rtp.seq", "rtp.ssrc", rules=("-d", "udp.port==5000,rtp"))
    assert seen[2] == ["7", "0x0000cafe"]


def test_tshark_opens_a_file_with_embedded_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secrets.pcapng"
    with path.open("wb") as file:
        log = PacketLog(file)
        KeyLog(packet_log=log).write("CLIENT_RANDOM", bytes(32), bytes(48))
        log.packet(0.0, PacketKind.UDP, b"\x16\xfe\xfd" + bytes(10), outgoing=True)
    rows = tshark(path, "frame.protocols", "frame.number")
    assert len(rows) == 1
