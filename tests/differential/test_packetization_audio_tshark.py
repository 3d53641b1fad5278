"""The figures of `webrtc-stack rtp` against those of tshark for the same captures.

An rtpdump file made of a capture is held against what tshark says of the capture: the file itself tshark reads from
Wireshark 4.2 on, which Debian 12 does not have.
"""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import find_program
from webrtc_stack.base import Address, SeededEntropy, random_below
from webrtc_stack.cli.rtp import read_recording, to_json, to_rtpdump
from webrtc_stack.cli.rtp_streams import Overview
from webrtc_stack.cli.rtpdump import read_rtpdump, write_rtpdump
from webrtc_stack.rtp import RtpPacket
from webrtc_stack.trace import PacketKind, PacketLog


def noisy_stream(seed: int) -> list[tuple[float, bytes]]:
    """G.711 with losses and uneven delays; some overtake each other."""
    entropy = SeededEntropy(seed)
    packets = []
    for number in range(300):
        if number and random_below(entropy, 12) == 0:
            continue
        late = random_below(entropy, 30) / 1000
        packet = RtpPacket(
            payload_type=8,
            sequence_number=(65_400 + number) & 0xFFFF,
            timestamp=(1 << 32) - 10_000 + number * 160 & 0xFFFFFFFF,
            ssrc=0xABCD0000 + seed,
            payload=bytes(160),
        )
        packets.append((1 + number * 0.02 + late, packet.serialize()))
    return sorted(packets)


@pytest.mark.parametrize("seed", range(4))
def test_packets_losses_and_jitter_are_those_of_tshark(seed: int, tmp_path: Path) -> None:
    program = find_program("tshark")
    stream = io.BytesIO()
    log = PacketLog(stream)
    for time, data in noisy_stream(seed):
        log.packet(
            time, PacketKind.RTP, data, outgoing=True, local=Address("10.0.0.1", 4000), remote=Address("10.0.0.2", 5000)
        )
    path = tmp_path / "call.pcapng"
    path.write_bytes(stream.getvalue())
    command = [program, "-q", "-r", str(path), "-d", "udp.port==5000,rtp", "-z", "rtp,streams"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    row = re.search(
        r"0x[0-9A-F]{8}\s.*?\s(\d+)\s+(-?\d+) \(.*?%\)\s+(?:-?[\d.]+\s+){3}(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)",
        done.stdout,
    )
    assert row is not None, done.stdout
    ours = figures(path.read_bytes())
    assert ours["packets"] == int(row[1])
    assert ours["lost"] == int(row[2])
    assert ours["jitter_max_ms"] == pytest.approx(float(row[5]), abs=0.01)
    assert ours["jitter_mean_ms"] == pytest.approx(float(row[4]), rel=0.02)
    assert ours["reordered"] > 0
    # Through an rtpdump file, whose times are whole milliseconds.
    dumped = figures(write_rtpdump(to_rtpdump(read_recording(path.read_bytes()).seen)))
    assert (dumped["packets"], dumped["lost"]) == (int(row[1]), int(row[2]))
    assert dumped["jitter_max_ms"] == pytest.approx(float(row[5]), abs=0.5)
    assert dumped["jitter_mean_ms"] == pytest.approx(float(row[4]), abs=0.5)
    assert {name: dumped[name] for name in EXACT} == {name: ours[name] for name in EXACT}


EXACT = ("ssrc", "payload_types", "clock_rate", "expected", "reordered", "duplicate", "payload_bytes")


def figures(data: bytes) -> dict[str, Any]:
    """What `webrtc-stack rtp` says of the one stream in a file."""
    recording = read_recording(data)
    overview = Overview({})
    for seen in recording.seen:
        overview.add(seen)
    (stream,) = to_json(overview, recording)["streams"]
    assert isinstance(stream, dict)
    return stream


FIELDS = ("rtp.seq", "rtp.timestamp", "rtp.ssrc", "rtp.payload", "frame.time_relative")


def test_each_packet_of_an_rtpdump_file_is_the_one_that_tshark_sees_in_the_capture(tmp_path: Path) -> None:
    stream = io.BytesIO()
    log = PacketLog(stream)
    for time, data in noisy_stream(9):
        log.packet(
            time, PacketKind.RTP, data, outgoing=True, local=Address("10.0.0.1", 4000), remote=Address("10.0.0.2", 5000)
        )
    path = tmp_path / "call.pcapng"
    path.write_bytes(stream.getvalue())
    command = [find_program("tshark"), "-r", str(path), "-d", "udp.port==5000,rtp", "-T", "fields"]
    for name in FIELDS:
        command += ["-e", name]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    dump = read_rtpdump(write_rtpdump(to_rtpdump(read_recording(path.read_bytes()).seen)))
    assert len(dump.packets) == len(seen) > 200
    assert (dump.host, dump.port) == ("10.0.0.1", 4000)
    for one, line in zip(dump.packets, seen, strict=True):
        sequence, timestamp, ssrc, payload, offset = line.split("\t")
        packet = RtpPacket.parse(one.data)
        assert (packet.sequence_number, packet.timestamp, packet.ssrc) == (
            int(sequence),
            int(timestamp),
            int(ssrc, 16),
        )
        assert packet.payload == bytes.fromhex(payload.replace(":", ""))
        assert one.offset == pytest.approx(float(offset), abs=0.00051)
