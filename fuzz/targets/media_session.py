"""A media session under authentic nonsense: any RTP and RTCP content, rightly protected, at any time, in any order.

Layout: records of a kind byte, a length byte and so many bytes. Kind, by its low bits: a datagram as it is, the rest of
an RTP packet behind a sane first byte, an RTCP packet, a wait with polls, a command. Nothing may come out, no timer may
spin, what waits stays bounded, and in the end the session still closes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from webrtc_stack.base import NEVER, SeededEntropy
from webrtc_stack.errors import WebRTCError
from webrtc_stack.peer.media import Closed, MediaConfig, MediaSession, OutgoingFrame
from webrtc_stack.peer.negotiation.rtp_plan import RemoteSource, RtpPlan
from webrtc_stack.peer.parameters import Codec, CodecParameters, Encoding, SourceIds, TransceiverHandle
from webrtc_stack.rtp import RtpPacket, Uri
from webrtc_stack.sdp import Direction
from webrtc_stack.srtp import Profile, SrtpContext

COUNT = 400
_FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc")
_VIDEO = tuple(
    CodecParameters(
        payload_type=number,
        codec=Codec(mime_type=f"video/{name}", clock_rate=90_000, feedback=_FEEDBACK),
        rtx_payload_type=number + 1,
    )
    for number, name in ((96, "VP8"), (98, "VP9"), (100, "H264"), (102, "AV1"), (104, "H265"))
)
_AUDIO = (
    *(
        CodecParameters(payload_type=number, codec=Codec(mime_type=f"audio/{name}", clock_rate=rate, channels=channels))
        for number, name, rate, channels in (
            *((111, "opus", 48_000, 2), (0, "PCMU", 8000, 1), (9, "G722", 8000, 1), (13, "CN", 8000, 1)),
            *((110, "telephone-event", 48_000, 1), (63, "red", 48_000, 2)),
        )
    ),
)
_IDS: dict[int, str] = {
    1: Uri.MID,
    2: Uri.RID,
    3: Uri.REPAIRED_RID,
    4: Uri.TRANSPORT_CC,
    5: Uri.ABS_SEND_TIME,
    6: Uri.AUDIO_LEVEL,
    7: Uri.PLAYOUT_DELAY,
    8: Uri.ABS_CAPTURE_TIME,
    9: Uri.VIDEO_ORIENTATION,
}
_AUDIO_HANDLE, _VIDEO_HANDLE = TransceiverHandle(1), TransceiverHandle(2)


@dataclass(frozen=True)
class _Section:
    transceiver: TransceiverHandle | None
    mid: str
    kind: str
    rtp: RtpPlan | None


def _section(handle: TransceiverHandle, kind: str, codecs: tuple[CodecParameters, ...], base: int) -> _Section:
    plan = RtpPlan(
        direction=Direction.SENDRECV,
        send_codecs=codecs,
        receive_codecs=codecs,
        send_extensions=_IDS,
        receive_extensions=_IDS,
        reduced_size=True,
        sources=(SourceIds(ssrc=base, rtx_ssrc=base + 1),),
        encodings=(Encoding(),),
        remote_sources=(RemoteSource(base + 2, base + 3),),
        receive_rids=("h", "l") if kind == "video" else (),
        rtcp_xr_rcvr_rtt=True,
        cname="fuzz",
    )
    return _Section(handle, str(handle), kind, plan)


def _plain_rtp(ssrc: int, number: int, payload_type: int, payload: bytes, elements: bytes = b"") -> bytes:
    head = struct.pack(">BBHII", 0x90 if elements else 0x80, payload_type, number, number * 3000, ssrc)
    block = b"\xbe\xde" + (len(elements) // 4).to_bytes(2, "big") + elements if elements else b""
    return head + block + payload


def _record(kind: int, data: bytes) -> bytes:
    return bytes((kind, len(data))) + data


_NAMES = b"\x10" + b"2" + b"\x20" + b"h"  # mid 2, rid h
SEEDS: list[bytes] = [
    b"".join(
        _record(1, _plain_rtp(22, n, 0x80 | 96, b"\x10" + b"\x10\x00\x00\x9d\x01\x2a" + bytes(60))) for n in range(30)
    ),
    b"".join(
        _record(1, _plain_rtp(60 + n % 3, n, 0x80 | 96, b"\x10" + bytes(40), _NAMES)) + _record(3, b"\x05")
        for n in range(30)
    ),
    b"".join(_record(1, _plain_rtp(12, n, (111, 110, 13, 63, 0)[n % 5], bytes(20))) for n in range(40)),
    _record(4, b"\x00")
    + _record(3, b"\x10")
    + _record(2, b"\x81\xcd\x00\x03" + struct.pack(">IIHH", 5, 20, 1, 0xFFFF))
    + _record(3, b"\x40"),
    b"".join(_record(4, bytes((n,))) + _record(3, b"\x21") for n in range(12)),
    _record(2, b"\x81\xc8\x00\x0c" + struct.pack(">IQIII", 22, 1 << 60, 5, 5, 5) + bytes(24)) + _record(3, b"\xff"),
    _record(0, bytes(30)) + _record(2, b"\x81\xce\x00\x02" + struct.pack(">II", 5, 20)) + _record(3, b"\x01"),
]


def _command(session: MediaSession, choice: int, now: float) -> None:
    try:
        match choice % 8:
            case 0:
                session.send_frame(_VIDEO_HANDLE, OutgoingFrame(bytes(choice * 20 + 1), now, keyframe=True), now)
            case 1:
                session.send_frame(_AUDIO_HANDLE, OutgoingFrame(b"\xfc" + bytes(choice), now), now)
            case 2:
                packet = RtpPacket(
                    payload_type=96, sequence_number=choice * 257, timestamp=choice << 20, ssrc=choice & 3
                )
                session.send_packets(_VIDEO_HANDLE, [packet], now)
            case 3:
                session.insert_dtmf(_AUDIO_HANDLE, "1", now)
            case 4:
                session.request_keyframe(_VIDEO_HANDLE, now)
            case 5:
                session.set_delivery(_AUDIO_HANDLE, now, packets=True, playout=bool(choice & 8))
                session.set_delivery(_VIDEO_HANDLE, now, playout=bool(choice & 16))
            case 6:
                session.set_encodings(_VIDEO_HANDLE, [Encoding(active=bool(choice & 8))], now)
            case _:
                sections = [_section(_AUDIO_HANDLE, "audio", _AUDIO, 10), _section(_VIDEO_HANDLE, "video", _VIDEO, 20)]
                session.configure(sections[choice >> 3 & 1 :], now)
    except WebRTCError:
        pass  # the command does not fit what the others have made of the session


def fuzz_one(data: bytes) -> None:
    material = SeededEntropy("media fuzz").bytes(28)
    inbound, peer = (SrtpContext(Profile.AEAD_AES_128_GCM, material[:16], material[16:]) for _ in range(2))
    outbound = SrtpContext(Profile.AEAD_AES_128_GCM, material[4:20], material[16:])
    config = MediaConfig(
        entropy=SeededEntropy("media"), max_learned_sources=4, max_pending_packets=64, max_pending_frames=64
    )
    session = MediaSession(config)
    session.configure([_section(_AUDIO_HANDLE, "audio", _AUDIO, 10), _section(_VIDEO_HANDLE, "video", _VIDEO, 20)], 0.0)
    session.set_keys(outbound, inbound, 0.0)
    now, position, spins = 0.0, 0, 0
    while position + 2 <= len(data):
        kind, size = data[position] % 5, data[position + 1]
        chunk = data[position + 2 : position + 2 + size]
        position += 2 + size
        try:
            if kind == 0:
                session.receive(chunk, now)
            elif kind == 1:
                session.receive(peer.protect(bytes((0x80 | chunk[0] & 0x3F,)) + chunk[1:]) if chunk else b"", now)
            elif kind == 2:
                session.receive(peer.protect_rtcp(bytes((0x80 | chunk[0] & 0x3F,)) + chunk[1:]) if chunk else b"", now)
            elif kind == 3:
                now = max(now + (chunk[0] if chunk else 1) / 100, now)
                session.handle_timeout(now)
                session.poll_transmits(now)
                session.poll_events()
            elif chunk:
                _command(session, chunk[0], now)
        except WebRTCError:
            continue  # what the peer's own SRTP refuses to protect
        assert len(session.inbound()) <= 2 + 2 * 4
    for _ in range(600):
        due = session.next_timeout()
        if due > now + 30:
            break
        spins = spins + 1 if due <= now else 0
        assert spins < 100, "a timer spins"
        now = max(now, due)
        session.handle_timeout(now)
        session.poll_transmits(now)
        session.poll_events()
    session.inbound(), session.outbound(), session.remote_inbound(), session.remote_outbound()
    session.close(now)
    session.poll_transmits(now)
    assert isinstance(session.poll_events()[-1], Closed)
    assert session.next_timeout() == NEVER
