"""Audio and video of the aiortc peer: the commands of browser_media.js, as a part of `aiortc_peer.Commands`."""

from __future__ import annotations

import array
import asyncio
import time
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError

from .signals import MODULUS, PictureMeter, SoundMeter, draw_luma, read_luma, sine


class Source(MediaStreamTrack):
    """A track that makes frames at their time. Frames that nobody took in time are left out."""

    def __init__(self, interval: float) -> None:
        super().__init__()
        self._interval = interval
        self._begin: float | None = None
        self._number = -1

    async def _next(self) -> int:
        """Waits for the next frame. Returns: its number since the beginning."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._begin is None:
            self._begin = time.monotonic()
        elapsed = time.monotonic() - self._begin
        self._number = max(self._number + 1, int(elapsed / self._interval) - 2)
        await asyncio.sleep(max(0.0, self._number * self._interval - elapsed))
        return self._number


class Tone(Source):
    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__(0.02)
        self.frequency = frequency

    async def recv(self) -> av.AudioFrame:
        start = await self._next() * 960
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(sine(self.frequency, 48_000, start, 960).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = start, 48_000, Fraction(1, 48_000)
        return frame


class Picture(Source):
    kind = "video"

    def __init__(self, start: int, width: int = 160, height: int = 120, rate: int = 15) -> None:
        super().__init__(1 / rate)
        self._start, self._width, self._height, self._rate = start, width, height, rate

    async def recv(self) -> av.VideoFrame:
        number = await self._next()
        luma = draw_luma((self._start + number) % MODULUS, self._width, self._height)
        frame = av.VideoFrame(self._width, self._height, "yuv420p")
        for plane in frame.planes:
            rows = [bytearray([128]) * plane.width] * plane.height
            if plane is frame.planes[0] or plane.width == self._width:
                rows = [luma[y * self._width : (y + 1) * self._width] for y in range(self._height)]
            plane.update(b"".join(row + bytes(plane.line_size - plane.width) for row in rows))
        frame.pts, frame.time_base = number * 90_000 // self._rate, Fraction(1, 90_000)
        return frame


def open_source(spec: dict[str, Any] | None) -> Source | None:
    if spec is None:
        return None
    return Tone(**spec) if "frequency" in spec else Picture(**spec)


def _samples(frame: av.AudioFrame) -> array.array[int]:
    """The first channel of a frame, 16 bits."""
    channels = 1 if frame.format.is_planar else len(frame.layout.channels)
    whole = array.array("h", bytes(frame.planes[0])[: 2 * channels * frame.samples])
    return whole[::channels]


class Media:
    """One transceiver under the name that the test gave it, its source and its meter."""

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self.transceiver = transceiver
        self.kind: str = transceiver.kind
        self.source: Source | None = None
        self.pictures = PictureMeter()
        self.sounds = SoundMeter()
        self._watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Decodes what arrives, once there is something that may arrive."""
        if self._watching is None and self.transceiver.receiver.track is not None:
            self._watching = asyncio.create_task(self._watch(self.transceiver.receiver.track))

    async def _watch(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, av.VideoFrame):
                plane = frame.planes[0]
                counter = read_luma(bytes(plane), frame.width, frame.height, plane.line_size)
                self.pictures.saw(counter, frame.width, frame.height)
            elif isinstance(frame, av.AudioFrame):
                self.sounds.heard(_samples(frame), frame.sample_rate)

    def set_codecs(self, wanted: list[str] | None) -> None:
        if wanted is None:
            return
        every = RTCRtpSender.getCapabilities(self.kind).codecs
        chosen = [codec for name in wanted for codec in every if codec.mimeType.lower() == name.lower()]
        if not chosen:
            raise ValueError(f"no {wanted} among {sorted({codec.mimeType for codec in every})}")
        chosen += [codec for codec in every if codec.mimeType.lower() == f"{self.kind}/rtx"]
        self.transceiver.setCodecPreferences(chosen)

    def replace(self, spec: dict[str, Any] | None) -> None:
        former, self.source = self.source, open_source(spec)
        self.transceiver.sender.replaceTrack(self.source)
        if former is not None:
            former.stop()

    def describe(self) -> dict[str, Any]:
        found = self.transceiver
        meter = self.pictures if self.kind == "video" else self.sounds
        return {
            "kind": self.kind,
            "mid": found.mid,
            "direction": found.direction,
            "currentDirection": found.currentDirection,
            "meter": meter.describe(),
        }

    async def close(self) -> None:
        if self.source is not None:
            self.source.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])


class MediaPart:
    """What a peer knows of its transceivers."""

    pc: RTCPeerConnection

    def __init__(self) -> None:
        self.media: dict[str, Media] = {}

    def watch_all(self) -> None:
        for media in self.media.values():
            media.watch()

    async def close_media(self) -> None:
        for media in self.media.values():
            await media.close()


class MediaCommands:
    """One method per command; arguments as in browser_media.js."""

    def peer(self, a: dict[str, Any]) -> MediaPart:
        raise NotImplementedError

    def found(self, a: dict[str, Any]) -> Media:
        return self.peer(a).media[a["media"]]

    async def add_media(self, a: dict[str, Any]) -> None:
        source = open_source(a["source"])
        if a.get("encodings"):
            raise ValueError("aiortc has no simulcast")
        peer = self.peer(a)
        made = Media(peer.pc.addTransceiver(source or a["kind"], direction=a["direction"]))
        made.source = source
        made.set_codecs(a.get("codecs"))
        peer.media[a["media"]] = made

    async def adopt_media(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        taken = [media.transceiver for media in peer.media.values()]
        free = [t for t in peer.pc.getTransceivers() if t not in taken and t.kind == a["kind"] and not t.stopped]
        if not free:
            raise ValueError(f"no {a['kind']} transceiver to adopt")
        made = peer.media[a["media"]] = Media(free[0])
        if a["source"] is not None:
            made.replace(a["source"])
        made.transceiver.direction = a["direction"]
        made.set_codecs(a.get("codecs"))

    async def set_direction(self, a: dict[str, Any]) -> None:
        self.found(a).transceiver.direction = a["direction"]

    async def set_codecs(self, a: dict[str, Any]) -> None:
        self.found(a).set_codecs(a["codecs"])

    async def replace(self, a: dict[str, Any]) -> None:
        self.found(a).replace(a["source"])

    async def stop(self, a: dict[str, Any]) -> None:
        await self.found(a).transceiver.stop()

    async def media_state(self, a: dict[str, Any]) -> dict[str, Any]:
        return self.found(a).describe()

    async def wait_pictures(self, a: dict[str, Any]) -> dict[str, Any]:
        self.found(a).watch()
        return await self.found(a).pictures.pictures(a["distinct"], a["least"], a["most"])

    async def count_frames(self, a: dict[str, Any]) -> int:
        return await self.found(a).pictures.count(a["seconds"])

    async def wait_tone(self, a: dict[str, Any]) -> dict[str, float]:
        self.found(a).watch()
        return await self.found(a).sounds.tone(a["frequency"], a["tolerance"], a["steady"])

    async def measure_audio(self, a: dict[str, Any]) -> dict[str, float]:
        return self.found(a).sounds.measure()

    async def request_keyframe(self, a: dict[str, Any]) -> None:
        receiver: Any = self.found(a).transceiver.receiver
        for ssrc in list(receiver._RTCRtpReceiver__active_ssrc):
            await receiver._send_rtcp_pli(ssrc)

    async def media_capabilities(self, a: dict[str, Any]) -> list[str]:
        return sorted({codec.mimeType for codec in RTCRtpSender.getCapabilities(a["kind"]).codecs})
