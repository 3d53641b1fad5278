"""DTMF between two sessions: each key once, whatever is lost, and sound goes on behind it."""

from __future__ import annotations

import pytest

from tests.unit.peer_media.support import AUDIO, OPUS, PCMU, Call, audio, pair
from webrtc_stack.errors import InvalidAccessError, InvalidArgumentError, InvalidStateError, NotSupportedError
from webrtc_stack.peer.media import ToneReceived, ToneSent
from webrtc_stack.peer.parameters import TransceiverHandle
from webrtc_stack.sdp import Direction
from webrtc_stack.sim import LinkConfig


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_tones_go_both_ways_while_sound_goes_on(loss: float) -> None:
    sessions = pair([audio(0)], [audio(1)])
    call = Call(*sessions, link=LinkConfig(latency=0.02, loss=loss))
    sources = [call.add(side, AUDIO) for side in (0, 1)]
    call.at(0.5, lambda now: sessions[0].insert_dtmf(AUDIO, "12,#", now, duration=0.2))
    call.at(0.7, lambda now: sessions[1].insert_dtmf(AUDIO, "9D", now))
    call.run(5)
    assert [event.digit for event in call.of(0, ToneSent)] == ["1", "2", "#", ""]
    assert [event.digit for event in call.of(1, ToneReceived)] == ["1", "2", "#"]
    assert [event.digit for event in call.of(0, ToneReceived)] == ["9", "D"]
    if not loss:
        assert [event.duration for event in call.of(1, ToneReceived)] == pytest.approx([0.2, 0.2, 0.2])
        assert [event.duration for event in call.of(0, ToneReceived)] == pytest.approx([0.1, 0.1])
        for side in (0, 1):
            got = [frame.data for frame in call.frames_of(1 - side, "audio")]
            assert got == list(sources[side].sent.values())[: len(got)] or set(got) <= set(sources[side].sent.values())
            assert not any(frame.follows_loss for frame in call.frames_of(1 - side, "audio")), "tones are no loss"
            replaced = sessions[side].drops["not sent: replaced by a tone"]
            assert replaced and len(got) == len(sources[side].sent) - replaced


def test_the_tone_clock_follows_the_sound() -> None:
    left, right = pair([audio(0)], [audio(1)])
    right.set_delivery(AUDIO, 0.0, packets=True)
    call = Call(left, right)
    call.add(0, AUDIO)
    call.at(1.0, lambda now: left.insert_dtmf(AUDIO, "5", now))
    call.run(2)
    packets = [
        packet for event in call.events[1] if type(event).__name__ == "PacketsReceived" for packet in event.packets
    ]
    sound = [packet for packet in packets if packet.payload_type == 111]
    tone = next(packet for packet in packets if packet.payload_type == 110)
    assert tone.marker
    assert ((tone.timestamp - sound[0].timestamp) & 0xFFFFFFFF) / 48_000 == pytest.approx(1.0, abs=0.03)
    assert tone.ssrc == sound[0].ssrc


def test_cancelled_tones_are_not_sent() -> None:
    left, right = pair([audio(0)], [audio(1)])
    call = Call(left, right)
    call.at(0.1, lambda now: left.insert_dtmf(AUDIO, "123", now))
    call.at(0.15, lambda now: left.cancel_dtmf(AUDIO, now))
    call.run(2)
    assert [event.digit for event in call.of(0, ToneSent)] == ["1", ""]
    assert [event.digit for event in call.of(1, ToneReceived)] == ["1"]


def test_misuse_is_refused() -> None:
    left, right = pair([audio(0)], [audio(1, direction=Direction.RECVONLY, send_codecs=(OPUS, PCMU))])
    assert left.can_insert_dtmf(AUDIO) and not right.can_insert_dtmf(AUDIO)
    with pytest.raises(InvalidArgumentError):
        left.insert_dtmf(AUDIO, "12x", 0.0)
    with pytest.raises(InvalidAccessError):
        left.insert_dtmf(TransceiverHandle(9), "1", 0.0)
    with pytest.raises(InvalidStateError):
        right.insert_dtmf(AUDIO, "1", 0.0)
    right.configure([audio(1, send_codecs=(OPUS, PCMU))], 0.0)
    with pytest.raises(NotSupportedError):
        right.insert_dtmf(AUDIO, "1", 0.0)
    assert not left.poll_transmits(0.0) or not left.poll_events()
