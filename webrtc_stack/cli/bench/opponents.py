"""The same work done by libraries that people use today, and what this machine can do at all.

Imported by a worker of its own only, which says what is missing.
"""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable
from typing import Any, Final

from . import workloads
from .tasks import Run, Task, each, repeated

_PACKETS: Final = 1024
_FRAMES: Final = 16


def libsrtp_tasks() -> list[Task]:
    """libsrtp through its Python binding; it has no burst form, so both rows get its only one."""
    pylibsrtp = importlib.import_module("pylibsrtp")
    numbers = {"AES_CM_128_HMAC_SHA1_80": 1, "AEAD_AES_128_GCM": 7, "AEAD_AES_256_GCM": 8}  # RFC 5764, RFC 7714
    sizes = {"AES_CM_128_HMAC_SHA1_80": 30, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}
    tasks = []
    for name in workloads.PROFILES:

        def session(direction: int, name: str = name) -> Any:
            policy = pylibsrtp.Policy(key=bytes(sizes[name]), ssrc_type=direction, srtp_profile=numbers[name])
            return pylibsrtp.Session(policy=policy)

        out, inward = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND
        for size in workloads.SIZES:
            plain = workloads.rtp_packets(size, _PACKETS)
            sending = session(out)
            sealed = [sending.protect(packet) for packet in plain]
            for suffix in ("", " burst"):
                row = f"srtp/{name}/{size}"
                tasks.append(_session_task(f"{row}/protect{suffix}", session, out, "protect", plain))
                tasks.append(_session_task(f"{row}/unprotect{suffix}", session, inward, "unprotect", sealed))
    return tasks


def _session_task(row: str, session: Callable[[int], Any], direction: int, method: str, packets: list[bytes]) -> Task:
    return Task(row, len(packets), lambda: each(getattr(session(direction), method), packets))


def aiortc_tasks() -> list[Task]:
    """aiortc's RTP packets, payload formats and jitter buffer, which are Python."""
    return [*_aiortc_rtp(), *_aiortc_packetization()]


def _aiortc_rtp() -> list[Task]:
    rtp = importlib.import_module("aiortc.rtp")
    parameters = importlib.import_module("aiortc.rtcrtpparameters")
    mapping = rtp.HeaderExtensionsMap()
    uris = {
        workloads.TRANSPORT_CC_ID: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        workloads.MID_ID: "urn:ietf:params:rtp-hdrext:sdes:mid",
    }
    extensions = [parameters.RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in uris.items()]
    mapping.configure(parameters.RTCRtpParameters(headerExtensions=extensions))
    packet_class: Any = rtp.RtpPacket
    data, numbers = workloads.RTP_PACKET, range(_PACKETS)

    def relay() -> None:
        for _ in numbers:
            packet_class.parse(data, mapping).serialize(mapping)

    def change() -> None:
        for number in numbers:
            packet = packet_class.parse(data, mapping)
            _ = packet.extensions.transport_sequence_number
            packet.extensions.transport_sequence_number = number
            packet.extensions.mid = "1"
            packet.serialize(mapping)

    def make() -> None:
        payload = data[24:]
        for number in numbers:
            packet = packet_class(payload_type=96, sequence_number=7, timestamp=9, ssrc=11, payload=payload)
            packet.extensions.transport_sequence_number = number
            packet.extensions.mid = "1"
            packet.serialize(mapping)

    runs: dict[str, Run] = {"relay": relay, "change": change, "make": make}
    runs["relay burst"], runs["rewrite burst"] = relay, change  # it has one form
    return [repeated(f"rtp/{name}", _PACKETS, run) for name, run in runs.items()]


def _aiortc_packetization() -> list[Task]:
    h264 = importlib.import_module("aiortc.codecs.h264")
    vpx = importlib.import_module("aiortc.codecs.vpx")
    jitterbuffer = importlib.import_module("aiortc.jitterbuffer")
    rtp = importlib.import_module("aiortc.rtp")
    cutters: dict[str, Callable[[bytes], list[bytes]]] = {
        "H264": lambda frame: h264.H264Encoder._packetize(h264.H264Encoder._split_bitstream(frame)),
        "VP8": lambda frame: vpx.Vp8Encoder._packetize(frame, 7),
    }
    joiners = {"H264": h264.h264_depayload, "VP8": vpx.vp8_depayload}
    tasks = []
    for codec, cut in cutters.items():
        frame = workloads.frame_of(codec)

        def depacketize(codec: str = codec, cut: Any = cut, frame: bytes = frame) -> Run:
            packets: list[Any] = []
            for number in range(_FRAMES + 1):  # a frame comes out when the next one begins
                for one in workloads.arrived(cut(frame), len(packets), number * 3000):
                    packet = rtp.RtpPacket(
                        sequence_number=one.sequence_number, timestamp=one.timestamp, payload=one.payload
                    )
                    packet.marker = int(one.marker)
                    packets.append(packet)
            buffer = jitterbuffer.JitterBuffer(capacity=128, is_video=True)
            join = joiners[codec]

            def run() -> None:
                came = 0
                for packet in packets:
                    packet._data = join(packet.payload)
                    came += buffer.add(packet)[1] is not None
                if came != _FRAMES:
                    raise AssertionError(f"{came} frames of {_FRAMES} came back")

            return run

        def packetize(cut: Any = cut, frame: bytes = frame) -> Run:
            return each(cut, [frame] * _FRAMES)

        tasks.append(Task(f"packetization/{codec}/packetize", _FRAMES, packetize))
        tasks.append(Task(f"packetization/{codec}/depacketize", _FRAMES, depacketize))
    return tasks


def limit_tasks() -> list[Task]:
    """The machine's own limits from Python: a cipher that is keyed once, a copy, a datagram through loopback."""
    aead = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
    tasks = []
    for size in workloads.SIZES:
        data = bytes(size)
        cipher = aead.AESGCM(bytes(16))
        nonce = bytes(12)

        def seal(cipher: Any = cipher, data: bytes = data, nonce: bytes = nonce) -> Run:
            return each(lambda _: cipher.encrypt(nonce, data, None), [None] * _PACKETS)

        tasks.append(Task(f"limits/AES-128-GCM/{size}", _PACKETS, seal))
    source = bytearray(1200)
    tasks.append(repeated("limits/copy/1200", _PACKETS, each(bytes, [source] * _PACKETS)))
    tasks.append(Task("limits/datagram/1200", 64, _datagrams))
    return tasks


def _datagrams() -> Run:
    """64 datagrams sent, then read, one call each."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    data = bytes(1200)

    def run() -> None:
        with sender, receiver:
            for _ in range(64):
                sender.send(data)
            for _ in range(64):
                receiver.recv(2048)

    return run


CONTENDERS: Final[dict[str, Callable[[], list[Task]]]] = {
    "libsrtp": libsrtp_tasks,
    "aiortc": aiortc_tasks,
    "limits": limit_tasks,
}
