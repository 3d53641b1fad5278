"""Playout delivery: frames in order at their time, markers for what is lost, pictures in step with their sound."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from tests.unit.peer_media.support import AUDIO, VIDEO, Call, audio, pair
from webrtc_stack.peer.media import FramesReceived, ReceivedFrame
from webrtc_stack.sim import LinkConfig


def _played(call: Call, handle: int) -> list[tuple[float, ReceivedFrame]]:
    return [
        (at, frame)
        for at, event in call.pair.events[1]
        if isinstance(event, FramesReceived) and event.handle == handle
        for frame in event.frames
    ]


def test_sound_plays_evenly_whatever_the_jitter() -> None:
    left, right = pair([audio(0)], [audio(1)])
    right.set_delivery(AUDIO, 0.0, playout=True)
    call = Call(left, right, link=LinkConfig(latency=0.02, jitter=0.03, reorder=0.05))
    source = call.add(0, AUDIO)
    call.run(6)
    played = [(at, frame) for at, frame in _played(call, AUDIO) if not frame.lost]
    assert [frame.data for _, frame in played] == list(source.sent.values())
    late = [at - frame.media_time for at, frame in played[100:]]
    assert max(late) - min(late) < 0.03, "less than the jitter"
    (facts,) = right.inbound()
    assert facts.jitter_buffer_emitted_count == pytest.approx(6 * 48_000, rel=0.02)
    assert 0.01 < facts.jitter_buffer_delay / facts.jitter_buffer_emitted_count < 0.2


def test_what_is_lost_leaves_a_marker_in_its_place() -> None:
    left, right = pair([audio(0)], [audio(1)])
    right.set_delivery(AUDIO, 0.0, playout=True)
    call = Call(left, right, link=LinkConfig(latency=0.02, loss=0.1))
    source = call.add(0, AUDIO)
    call.run(6)
    played = [frame for _, frame in _played(call, AUDIO)]
    lost = [frame for frame in played if frame.lost]
    assert len(lost) + (len(played) - len(lost)) == pytest.approx(len(source.sent), abs=5)
    assert 0.05 < len(lost) / len(played) < 0.2
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(played)]
    assert set(steps) == {960}
    assert all(not frame.data for frame in lost)


def test_pictures_wait_for_sound_that_is_slower() -> None:
    left, right = pair()
    right.set_delivery(AUDIO, 0.0, playout=True)
    right.set_delivery(VIDEO, 0.0, playout=True)
    call = Call(left, right, link=LinkConfig(latency=0.02, jitter=0.002))
    call.add(0, AUDIO)
    pictures = call.add(0, VIDEO)

    def deepen(now: float) -> None:
        for one in right._router.sources.values():
            if one.section.handle == AUDIO and one.playout is not None:
                one.playout.buffer.set_repair_delay(0.3)

    call.at(1.0, deepen)
    call.run(12)
    played = [(at, frame) for at, frame in _played(call, VIDEO) if not frame.lost]
    assert len(played) > 0.9 * len(pictures.sent)
    picture = [at - frame.capture_time for at, frame in played[-30:] if frame.capture_time is not None]
    heard = [at - frame.capture_time for at, frame in _played(call, AUDIO)[-30:] if frame.capture_time is not None]
    assert picture and heard
    assert sum(picture) / len(picture) == pytest.approx(sum(heard) / len(heard), abs=0.04)


def test_delivery_can_be_changed_in_the_middle() -> None:
    left, right = pair()
    call = Call(left, right)
    sources = [call.add(0, AUDIO), call.add(0, VIDEO)]
    for handle in (AUDIO, VIDEO):
        call.at(1.0, partial(right.set_delivery, handle, playout=True))
        call.at(2.0, partial(right.set_delivery, handle))
    call.run(3)
    for kind, source in zip(("audio", "video"), sources, strict=True):
        got = [frame.data for frame in call.frames_of(1, kind) if not frame.lost]
        sent = list(source.sent.values())
        remaining = iter(sent)
        assert all(any(one == data for data in remaining) for one in got), kind
        assert len(got) >= len(sent) - 1, kind


def test_frames_that_begin_in_the_middle_begin_with_a_key_frame() -> None:
    left, right = pair()
    right.set_delivery(VIDEO, 0.0, packets=True, frames=False)
    call = Call(left, right)
    source = call.add(0, VIDEO)
    call.at(1.0, partial(right.set_delivery, VIDEO))
    call.run(2)
    got = call.frames_of(1, "video")
    number = next(number for number, data in source.sent.items() if data == got[0].data)
    assert got[0].keyframe and 30 <= number <= 36
    assert len(got) > 25
