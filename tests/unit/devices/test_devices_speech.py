"""Speech: PCM out at the pace of sound, PCM in in exact pieces."""

from __future__ import annotations

import array
import asyncio
from typing import Any

import pytest

import webrtc_stack as rtc
from webrtc_stack import devices, sim
from webrtc_stack.errors import BufferFull, InvalidArgumentError, InvalidStateError


def samples(frame: Any) -> list[int]:
    return array.array("h", bytes(frame.planes[0]))[: frame.samples * len(frame.layout.channels)].tolist()


def ramp(count: int) -> bytes:
    return array.array("h", range(1, count + 1)).tobytes()


def test_what_is_said_comes_out_once_in_order_and_in_time() -> None:
    async def main(net: sim.Network) -> None:
        speech = devices.Speech(16_000)
        frames = speech.track.frames(limit=100)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        pcm = ramp(1000)
        for at in range(0, len(pcm), 333):  # pieces that end inside samples
            speech.say(pcm[at : at + 333])
        states = [speech.speaking]
        assert speech.unsaid == pytest.approx(1000 / 16_000)
        await speech.finished()
        states.append(speech.speaking)
        assert states == [True, False]
        assert loop.time() - begun == pytest.approx(0.02 + 3 * 0.02), "four frames, the first after a lead"
        await asyncio.sleep(0.1)
        speech.track.stop()
        got = [frame async for frame in frames]
        assert [frame.pts for frame in got] == [320 * number for number in range(len(got))], "no gap in time"
        heard = [value for frame in got for value in samples(frame)]
        assert heard[:1000] == list(range(1, 1001)) and not any(heard[1000:])

    sim.run(main)


def test_a_sample_may_come_in_two_pieces_with_a_pause_between() -> None:
    async def main(net: sim.Network) -> None:
        speech = devices.Speech(16_000)
        frames = speech.track.frames(limit=100)
        pcm = ramp(1000)
        speech.say(pcm[:333])
        await asyncio.sleep(0.2)
        assert not speech.speaking and speech.unsaid == 0, "half a sample cannot be said"
        speech.say(pcm[333:])
        await speech.finished()
        speech.track.stop()
        heard = [value for frame in [frame async for frame in frames] for value in samples(frame)]
        assert [value for value in heard if value] == list(range(1, 1001))

    sim.run(main)


def test_a_rate_that_20_ms_do_not_divide_keeps_its_pace() -> None:
    async def main(net: sim.Network) -> None:
        speech = devices.Speech(11_025)
        frames = speech.track.frames(limit=100)
        speech.say(ramp(11_025))
        await asyncio.sleep(1.03)
        speech.track.stop()
        got = [frame async for frame in frames]
        assert [frame.pts for frame in got] == [number * 11_025 // 50 for number in range(len(got))]
        assert sum(frame.samples for frame in got[:50]) == 11_025

    sim.run(main)


def test_a_hush_forgets_the_rest_and_says_how_much() -> None:
    async def main(net: sim.Network) -> None:
        speech = devices.Speech(8_000, channels=2)
        speech.say(bytes(8_000 * 4))
        await asyncio.sleep(0.25)
        left = speech.hush()
        assert 0.7 < left < 0.8 and not speech.speaking
        await speech.finished()
        speech.track.stop()

    sim.run(main)


def test_too_much_or_too_late_is_refused_and_the_end_of_the_track_ends_the_waiting() -> None:
    async def main(net: sim.Network) -> None:
        speech = devices.Speech(8_000, max_seconds=1.0)
        speech.say(bytes(15_000))
        with pytest.raises(BufferFull, match="wait"):
            speech.say(bytes(1_002))
        assert speech.unsaid == pytest.approx(15_000 / 16_000)
        asyncio.get_running_loop().call_later(0.1, speech.track.stop)
        await speech.finished()
        with pytest.raises(InvalidStateError):
            speech.say(bytes(2))
        with pytest.raises(InvalidArgumentError):
            devices.Speech(1_000)

    sim.run(main)


@pytest.mark.parametrize(("rate", "channels", "frame_time"), [(16_000, 1, 0.02), (48_000, 2, 0.01), (8_000, 1, 0.03)])
def test_a_track_is_heard_in_exact_pieces(rate: int, channels: int, frame_time: float) -> None:
    async def main(net: sim.Network) -> None:
        tone: rtc.AudioTrack = devices.tone(440)
        asyncio.get_running_loop().call_later(1.0, tone.stop)
        pieces = [piece async for piece in devices.pcm(tone, rate, channels, frame_time=frame_time)]
        assert {len(piece) for piece in pieces} == {round(rate * frame_time) * 2 * channels}
        assert len(pieces) == pytest.approx(0.98 / frame_time, abs=2)
        values = array.array("h", b"".join(pieces))[::channels]
        assert devices.dominant_frequency([value / 32768 for value in values], rate) == pytest.approx(440, rel=0.02)

    sim.run(main)
