"""Our packetizers into FFmpeg's RTP demuxer, over loopback: real encoders' frames arrive there unit by unit."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.differential.test_packetization_ffmpeg import ENCODERS, encoded, units_of
from tests.support.programs import find_module
from tests.unit.packetization.streams import to_packets
from webrtc_stack.packetization import payload_format

av = find_module("av")

CEILING = 30.0
PAYLOAD_TYPE = 96
SSRC = b"ssrc"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def send(datagrams: list[bytes], port: int) -> None:
    """Sends once FFmpeg has opened its port, slowly enough for its socket's buffer."""
    end = time.monotonic() + CEILING
    while not taken(port) and time.monotonic() < end:
        time.sleep(0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for datagram in datagrams:
            out.sendto(datagram, ("127.0.0.1", port))
            time.sleep(0.0005)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_ffmpeg_joins_what_we_cut(name: str, tmp_path: Path) -> None:
    sent, _ = encoded(name)
    # The demuxer's parser gives an access unit out when it sees the next one, so there are some more behind.
    packets = to_packets([*sent, *sent[:3]], payload_format(name).packetizer(1200), first=65530)
    datagrams = [
        bytes((0x80, packet.marker << 7 | PAYLOAD_TYPE))
        + packet.sequence_number.to_bytes(2, "big")
        + packet.timestamp.to_bytes(4, "big")
        + SSRC
        + packet.payload
        for packet in packets
    ]
    port = free_port()
    description = tmp_path / "stream.sdp"
    description.write_text(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=video {port} RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} {name}/90000\r\n"
        + (f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1\r\n" if name == "H264" else "")
    )
    sender = threading.Thread(target=send, args=(datagrams, port))
    sender.start()
    arrived: list[bytes] = []
    options = {"protocol_whitelist": "file,udp,rtp", "probesize": "32", "analyzeduration": "0"}
    with av.open(str(description), format="sdp", options=options, timeout=(CEILING, CEILING)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                arrived.append(bytes(packet))
            if len(arrived) == len(sent):
                break
    sender.join()
    assert [units_of(name, data) for data in arrived] == [units_of(name, data) for data in sent]
