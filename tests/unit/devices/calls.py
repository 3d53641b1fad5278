"""What the tests of this room share: codecs as negotiated, and a way through the packetizers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from webrtc_stack.aio import EncodedChunk
from webrtc_stack.packetization import payload_format
from webrtc_stack.peer import Codec, CodecParameters
from webrtc_stack.rtp import RtpPacket

VIDEO_CODECS = ("video/VP8", "video/VP9", "video/H264", "video/H265", "video/AV1")
AUDIO_CODECS = ("audio/opus", "audio/PCMU", "audio/PCMA", "audio/G722")
FMTP = {"video/H264": "packetization-mode=1;profile-level-id=42e01f", "audio/opus": "minptime=10;useinbandfec=1"}


def codec(mime_type: str, fmtp: str | None = None) -> CodecParameters:
    rate = 90_000 if mime_type.startswith("video") else 48_000 if mime_type == "audio/opus" else 8_000
    channels = {"audio/opus": 2}.get(mime_type, 1) if mime_type.startswith("audio") else None
    line = FMTP.get(mime_type, "") if fmtp is None else fmtp
    return CodecParameters(
        payload_type=100, codec=Codec(mime_type=mime_type, clock_rate=rate, channels=channels, sdp_fmtp_line=line)
    )


class Received(NamedTuple):
    """As `aio.DecodableFrame`."""

    data: bytes
    codec: CodecParameters
    timestamp: int
    media_time: float
    keyframe: bool = True
    follows_loss: bool = False
    facts: Any = None


def received(chunk: EncodedChunk, parameters: CodecParameters) -> Received:
    timestamp = round(chunk.media_time * parameters.codec.clock_rate)
    return Received(chunk.data, parameters, timestamp, chunk.media_time, chunk.keyframe)


class Wire:
    """Carries encoded frames through a packetizer and a depacketizer."""

    def __init__(self, parameters: CodecParameters) -> None:
        self.parameters = parameters
        form = payload_format(parameters.codec.name)
        self._packetizer, self._depacketizer = form.packetizer(max_payload_bytes=400), form.depacketizer()
        self._sequence_number = 0

    def carry(self, chunk: EncodedChunk) -> list[Received]:
        rate = self.parameters.codec.clock_rate
        payloads = self._packetizer.packetize(chunk.data)
        frames = []
        for number, payload in enumerate(payloads):
            packet = RtpPacket(
                payload_type=self.parameters.payload_type,
                sequence_number=self._sequence_number & 0xFFFF,
                timestamp=round(chunk.media_time * rate) & 0xFFFFFFFF,
                ssrc=1,
                marker=number == len(payloads) - 1,
                payload=payload,
            )
            self._sequence_number += 1
            frames += self._depacketizer.push(packet)
        return [
            Received(f.data, self.parameters, f.timestamp, f.timestamp / rate, f.keyframe, f.follows_loss, f.facts)
            for f in frames
        ]


class Source:
    """Encoded frames for a recorder, as a receiver gives them: by any number of readers, with key frames asked for."""

    def __init__(self, kind: str, parameters: CodecParameters | None) -> None:
        self.kind, self.label = kind, f"a source of {kind}"
        self.codec = parameters.codec if parameters is not None else None
        self.codec_of_frames: CodecParameters | None = None
        self.keyframes_asked = 0
        self._frames: asyncio.Queue[Any] = asyncio.Queue()

    def write(self, chunk: EncodedChunk) -> None:
        self._frames.put_nowait(chunk if self.codec_of_frames is None else received(chunk, self.codec_of_frames))

    def end(self) -> None:
        self._frames.put_nowait(None)

    async def encoded_frames(self) -> AsyncIterator[Any]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    def request_keyframe(self) -> None:
        self.keyframes_asked += 1
