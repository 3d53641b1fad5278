"""The part of the self-test that is a call: a picture whose counter is read at the other end and after its way back,
and a tone that is recognised."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass, field
from typing import Any, Final

from ...aio import PeerConnection, Receiver, Transceiver, VideoTrack
from ...peer import MediaKind
from ...sdp import Direction
from ..wording import duration

TONE_HZ: Final = 440.0
TOLERANCE_HZ: Final = 3.0
PICTURES: Final = 30
SIZE: Final = (320, 240, 30)
SOUND_SECONDS: Final = 0.4
PART_SECONDS: Final = 10.0


class MediaFailed(Exception):
    """What did not work, in words."""


@dataclass(slots=True)
class MediaFindings:
    """What the call measured."""

    codecs: list[str] = field(default_factory=list)
    pictures: int = 0
    one_way: list[float] = field(default_factory=list)
    round_trip: list[float] = field(default_factory=list)
    heard: float = 0.0
    sent: int = 0
    received: int = 0

    def rows(self) -> list[tuple[str, str]]:
        """The summary, line by line."""
        width, height, rate = SIZE
        there, back = (duration(statistics.median(delays)) for delays in (self.one_way, self.round_trip))
        what = f"{self.codecs[0]} {width}x{height} at {rate} a second"
        return [
            ("Picture", f"{what}; {self.pictures} numbers read off the pixels, {there} after they were drawn"),
            ("Relay", f"the same encoded frames came back {back} after the drawing"),
            ("Sound", f"{self.codecs[1]}; a tone of {TONE_HZ:g} Hz was heard as {self.heard:.1f} Hz"),
            ("Statistics", f"{self.sent} packets sent as one end counts, {self.received} received as the other does"),
        ]


async def call(left: PeerConnection, right: PeerConnection, findings: MediaFindings) -> None:
    """Adds a call to a connection that stands. Errors: `MediaFailed`, `WebRTCError`."""
    from ... import devices

    picture, tone = devices.test_picture(*SIZE), devices.tone(TONE_HZ)
    try:
        left.add_track(picture, "call")
        left.add_track(tone, "call")
        await _negotiate(left, right)
        (video,) = (one for one in right.transceivers if one.kind is MediaKind.VIDEO)
        (audio,) = (one for one in right.transceivers if one.kind is MediaKind.AUDIO)
        (back,) = (one for one in left.transceivers if one.kind is MediaKind.VIDEO)
        drawn: dict[int, float] = {}
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_note_times(picture, drawn))
            reads = [
                group.create_task(_in_time(_read(video.receiver, drawn, findings.one_way), "reading the picture")),
                group.create_task(_in_time(_read(back.receiver, drawn, findings.round_trip), "reading what came back")),
                group.create_task(_in_time(_hear(audio.receiver, findings), "listening to the tone")),
            ]
            await asyncio.wait(reads)
            watching.cancel()
        findings.pictures = len(findings.one_way)
        findings.codecs = [_codec(video), _codec(audio)]
        await _count(left, right, findings)
    finally:
        picture.stop()
        tone.stop()


async def _negotiate(left: PeerConnection, right: PeerConnection) -> None:
    """One more offer and answer; the answerer hands back what it sees."""
    await left.set_local_description()
    assert left.local_description is not None
    await right.set_remote_description(left.local_description)
    for transceiver in right.transceivers:
        if transceiver.kind is MediaKind.VIDEO:
            transceiver.direction = Direction.SENDRECV
            await transceiver.sender.replace_track(transceiver.receiver.relay())
    await right.set_local_description()
    assert right.local_description is not None
    await left.set_remote_description(right.local_description)


async def _in_time(work: Any, what: str) -> None:
    try:
        async with asyncio.timeout(PART_SECONDS):
            await work
    except TimeoutError:
        raise MediaFailed(f"{what} took more than {PART_SECONDS:g} s") from None


async def _note_times(picture: VideoTrack, drawn: dict[int, float]) -> None:
    from ...devices import read_counter

    clock = asyncio.get_running_loop().time
    async for frame in picture.frames(limit=30):
        number = read_counter(frame)
        if number is not None:
            drawn[number] = clock()


async def _read(receiver: Receiver, drawn: dict[int, float], delays: list[float]) -> None:
    """Until enough numbers have been read, none of them before it was drawn, and all in order."""
    from ...devices import read_counter

    clock = asyncio.get_running_loop().time
    last = -1
    async for frame in receiver.track.frames():
        number = read_counter(frame)
        if number is None:
            raise MediaFailed("a picture came without a number that could be read")
        if number <= last or number not in drawn:
            raise MediaFailed(f"picture {number} came after {last}")
        last = number
        delays.append(clock() - drawn[number])
        if len(delays) == PICTURES:
            return
    raise MediaFailed(f"the pictures ended after {len(delays)}: {receiver.track.end_reason}")


async def _hear(receiver: Receiver, findings: MediaFindings) -> None:
    from ...devices import dominant_frequency, mono_samples

    samples: list[float] = []
    async for frame in receiver.track.frames():
        samples += mono_samples(frame)
        if len(samples) >= SOUND_SECONDS * frame.sample_rate:
            findings.heard = dominant_frequency(samples, frame.sample_rate)
            if abs(findings.heard - TONE_HZ) <= TOLERANCE_HZ:
                return
            samples.clear()  # it may have begun in the middle of the first frame
    raise MediaFailed(f"no tone of {TONE_HZ:g} Hz was heard, but {findings.heard:.1f} Hz")


def _codec(transceiver: Transceiver) -> str:
    codecs = transceiver.receiver.get_parameters().codecs
    return codecs[0].codec.mime_type.partition("/")[2] if codecs else "?"


async def _count(left: PeerConnection, right: PeerConnection, findings: MediaFindings) -> None:
    sent, received = (await left.get_stats()).of_type("outbound-rtp"), (await right.get_stats()).of_type("inbound-rtp")
    findings.sent = sum(one.packets_sent or 0 for one in sent)
    findings.received = sum(one.packets_received or 0 for one in received)
    if not 0 < findings.received <= findings.sent or findings.sent - findings.received > 50:
        raise MediaFailed(f"one end counts {findings.sent} packets sent, the other {findings.received} received")
