"""Our side of a call: audio and video of the client API behind the words of `remote_media.py`.

Beside `our_peer.py` the only file of the interop tests that spells the client API.
"""

from __future__ import annotations

import array
import asyncio
import random
from typing import Any

import av

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.io import AsyncioRuntime, LossyRuntime

from .our_peer import OurPeer
from .remote_media import RANGE, TOLERANCE, Flow, Kind, Picture, Pictures, Source, Tone
from .remote_peer import CEILING, Description
from .signals import PictureMeter, SoundMeter, read_luma


def open_track(source: Source | None) -> rtc.MediaTrack | None:
    if source is None:
        return None
    if isinstance(source, Picture):
        return devices.test_picture(source.width, source.height, source.rate, first=source.start)
    return devices.tone(source.frequency)


class OurMedia:
    """One of our transceivers, the track it sends, and a meter of what it receives."""

    def __init__(self, transceiver: rtc.Transceiver, track: rtc.MediaTrack | None) -> None:
        self.transceiver = transceiver
        self.kind: Kind = "audio" if transceiver.kind == "audio" else "video"
        self.track = track
        self.pictures = PictureMeter()
        self.sounds = SoundMeter()
        self.sent_tones: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def sender(self) -> rtc.Sender:
        return self.transceiver.sender

    @property
    def receiver(self) -> rtc.Receiver:
        return self.transceiver.receiver

    def watch(self) -> None:
        """Decodes what arrives from now on."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.receiver.track.frames():
            if isinstance(frame, av.VideoFrame):
                plane = frame.planes[0]
                counter = read_luma(bytes(plane), frame.width, frame.height, plane.line_size)
                self.pictures.saw(counter, frame.width, frame.height)
            else:
                self.sounds.heard(_samples(frame), frame.sample_rate)

    async def _wait(self, work: Any, timeout: float) -> Any:
        """The result of `work`, unless reading fails before."""
        self.watch()
        assert self._reading is not None
        waiting = asyncio.ensure_future(work)
        done, _ = await asyncio.wait([waiting, self._reading], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            return waiting.result()
        waiting.cancel()
        await asyncio.wait([waiting])
        if self._reading in done:
            self._reading.result()
            raise AssertionError(f"the {self.kind} track ended: {self.receiver.track.end_reason}")
        raise TimeoutError(f"ours: not within {timeout} s; {self.describe()}")

    async def set_direction(self, direction: Flow) -> None:
        self.transceiver.direction = direction

    async def set_codecs(self, codecs: list[str]) -> None:
        self.prefer(codecs)

    def prefer(self, codecs: list[str]) -> None:
        every = rtc.Sender.get_capabilities(self.kind).codecs
        wanted = [name.lower() for name in [*codecs, f"{self.kind}/rtx"]]
        chosen = [codec for name in wanted for codec in every if codec.mime_type.lower() == name]
        assert any(codec.mime_type.lower() in wanted[:-1] for codec in chosen), f"no {codecs} in {every}"
        self.transceiver.set_codec_preferences(chosen)

    async def replace(self, source: Source | None) -> None:
        former, self.track = self.track, open_track(source)
        await self.sender.replace_track(self.track)
        if former is not None:
            former.stop()

    async def stop(self) -> None:
        self.transceiver.stop()

    async def state(self) -> dict[str, Any]:
        return self.describe()

    def describe(self) -> dict[str, Any]:
        found = self.transceiver
        meter = self.pictures if self.kind == "video" else self.sounds
        return {
            "kind": self.kind,
            "mid": found.mid,
            "direction": str(found.direction),
            "currentDirection": found.current_direction and str(found.current_direction),
            "stopped": found.stopped,
            "stoppedReason": found.sender.stopped_reason,
            "rids": found.receiver.rids,
            "muted": found.receiver.track.muted,
            "failures": found.receiver.track.decode_failures,
            "meter": meter.describe(),
        }

    async def wait_pictures(self, source: Picture, distinct: int = 5, *, timeout: float = CEILING) -> Pictures:
        limits = (source.start, source.start + RANGE - 1)
        seen: Pictures = await self._wait(self.pictures.pictures(distinct, *limits), timeout)
        return seen

    async def count_frames(self, seconds: float) -> int:
        self.watch()
        return await self.pictures.count(seconds)

    async def wait_tone(self, source: Tone | None, *, timeout: float = CEILING) -> dict[str, float]:
        heard: dict[str, float] = await self._wait(
            self.sounds.tone(source.frequency if source else None, TOLERANCE, 3), timeout
        )
        return heard

    async def prepare_keyframe_requests(self) -> None:
        """Nothing to prepare."""

    async def request_keyframe(self) -> None:
        self.receiver.request_keyframe()

    async def insert_dtmf(self, tones: str) -> None:
        assert self.sender.dtmf is not None
        await self.sender.dtmf.insert(tones)

    async def close(self) -> None:
        if self.track is not None:
            self.track.stop()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


def _samples(frame: av.AudioFrame) -> list[float]:
    """The first channel of a frame, 16 bits, whatever its format."""
    name = frame.format.name.removesuffix("p")
    letter, scale = {"s16": ("h", 1.0), "flt": ("f", 32767.0), "s32": ("i", 1 / 65536)}[name]
    width = array.array(letter).itemsize
    channels = 1 if frame.format.is_planar else len(frame.layout.channels)
    whole = array.array(letter, bytes(frame.planes[0])[: width * channels * frame.samples])
    return [sample * scale for sample in whole[::channels]]


class OurMediaPeer(OurPeer):
    """`OurPeer` with audio and video, whose network loses RTP when told to."""

    def __init__(self, seed: int, **config: Any) -> None:
        super().__init__(seed, **config)
        self.media: list[OurMedia] = []

    async def create(self) -> None:
        self._inner = AsyncioRuntime()
        self.network = LossyRuntime(self._inner, random.Random(self.seed))
        self.client = rtc.Client(self.client.config, runtime=self.network)
        await super().create()

    async def add_media(
        self,
        kind: Kind,
        source: Source | None,
        direction: Flow = "sendrecv",
        *,
        codecs: list[str] | None = None,
        encodings: list[dict[str, Any]] | None = None,
    ) -> OurMedia:
        track = open_track(source)
        given = [
            rtc.Encoding(rid=one["rid"], scale_resolution_down_by=one.get("scaleResolutionDownBy"))
            for one in encodings or ()
        ]
        streams = ["ours"] if track is not None else []
        made = OurMedia(
            self.pc.add_transceiver(track or kind, direction=direction, streams=streams, send_encodings=given), track
        )
        if codecs is not None:
            made.prefer(codecs)
        self.media.append(made)
        return made

    async def adopt_media(
        self, kind: Kind, source: Source | None, direction: Flow = "sendrecv", *, codecs: list[str] | None = None
    ) -> OurMedia:
        taken = [media.transceiver for media in self.media]
        found = next(one for one in self.pc.transceivers if one not in taken and one.kind == kind)
        made = OurMedia(found, open_track(source))
        if made.track is not None:
            await found.sender.replace_track(made.track)
        await made.set_direction(direction)
        if codecs is not None:
            made.prefer(codecs)
        self.media.append(made)
        return made

    async def local_answer(self, *, trickle: bool) -> Description:
        return await self._local(trickle)

    async def report(self) -> dict[str, Any]:
        """As `OurPeer`, with statistics in the browser's spelling."""
        stats: Any
        try:
            stats = (await self.pc.get_stats()).to_json()
        except Exception as error:  # a report of a failure must not hide the failure
            stats = {"none": {"type": "error", "error": repr(error)}}
        lost = {"sending": self.network.lost_sending, "receiving": self.network.lost_receiving}
        media = [one.describe() for one in self.media]
        return {**await super().report(), "stats": stats, "media": media, "lost": lost}

    async def close(self) -> None:
        for media in self.media:
            await media.close()
        try:
            await super().close()
        finally:
            await self._inner.aclose()
