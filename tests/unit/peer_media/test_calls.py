"""What a packet costs, in calls: the same on every machine. Limits are a fifth above what was measured."""

from __future__ import annotations

from tests.support.calls import count_calls
from webrtc_stack.peer.media import MediaSession, OutgoingFrame

from .support import AUDIO, VIDEO, opus_packet, pair, vp8_frame


def _warm() -> tuple[MediaSession, MediaSession, float]:
    """Two sessions in the middle of a call: reports exchanged, names no longer sent."""
    left, right = pair()
    now = 0.0
    for number in range(60):
        left.send_frame(VIDEO, OutgoingFrame(vp8_frame(number, keyframe=not number), now, keyframe=not number), now)
        left.send_frame(AUDIO, OutgoingFrame(opus_packet(number), now), now)
        right.receive_many(left.poll_transmits(now), now)
        left.receive_many(right.poll_transmits(now), now)
        for one in (left, right):
            one.handle_timeout(now)
            one.poll_events()
        now += 1 / 30
    return left, right, now


def test_a_burst_of_video_costs_few_calls_a_packet() -> None:
    left, right, now = _warm()
    frame = OutgoingFrame(vp8_frame(61, keyframe=False, size=60_000), now)
    giving = count_calls(left.send_frame, VIDEO, frame, now)
    sending = count_calls(left.poll_transmits, now, 500)
    packets = len(sending.result)
    assert packets > 50
    receiving = count_calls(right.receive_many, sending.result, now)
    polling = count_calls(right.poll_events)
    assert giving.python / packets <= 0.4 * 1.2
    assert sending.python / packets <= 10.5 * 1.2
    assert receiving.python / packets <= 9.6 * 1.2
    assert polling.python <= 4 * 1.2


def test_one_packet_of_sound_costs_a_fixed_number_of_calls() -> None:
    left, right, now = _warm()
    giving = count_calls(left.send_frame, AUDIO, OutgoingFrame(opus_packet(61), now), now)
    sending = count_calls(left.poll_transmits, now, 500)
    assert len(sending.result) == 1
    receiving = count_calls(right.receive_many, sending.result, now)
    waking = count_calls(right.next_timeout)
    assert giving.python <= 17 * 1.2
    assert sending.python <= 31 * 1.2
    assert receiving.python <= 31 * 1.2
    assert waking.python <= 37 * 1.2
