"""Packets forwarded from one call into another: numbers go on, gaps stay gaps, a new source continues the old one."""

from __future__ import annotations

from typing import Any

from tests.unit.peer_media.support import VIDEO, VP8, Call, pair, video
from webrtc_stack.peer.media import MediaSession, PacketsReceived
from webrtc_stack.rtp import RtpPacket
from webrtc_stack.sim import LinkConfig


class Relay:
    """A -> (relay) -> C: what the relay's first session receives, its second one sends."""

    def __init__(self, *, seed: int = 1, first: LinkConfig, second: LinkConfig) -> None:
        self.a, self.into = pair([video(0)], [video(1)], seed=seed)
        self.out, self.c = pair([video(0)], [video(1)], seed=seed + 50)
        self.into.set_delivery(VIDEO, 0.0, packets=True, frames=False)
        self.near = Call(self.a, self.into, seed=seed, link=first)
        self.far = Call(self.out, self.c, seed=seed + 1, link=second)
        self.forwarded: list[RtpPacket] = []
        self.seen = 0

    def run(self, seconds: float) -> None:
        source = self.near.add(0, VIDEO)
        self.source = source
        steps = int(seconds * 100)
        due = 0.0
        for step in range(steps + 100):
            now = step / 100
            while due <= now and step < steps:
                self.near.pair.run(until=due)
                source.tick(due)
                self.near.pair.settle()
                due += 1 / 30
            self.near.pair.run(until=now)
            self.far.pair.run(until=now)
            for event in self._new(self.near):
                if isinstance(event, PacketsReceived):
                    self.forwarded += event.packets
                    self.out.send_packets(VIDEO, event.packets, now)
            self.far.pair.settle()
            for side_event in self.far.events[0]:
                if type(side_event).__name__ == "KeyframeRequested":
                    self.into.request_keyframe(VIDEO, now)
            self.far.events[0].clear()

    def _new(self, call: Call) -> list[Any]:
        events = call.events[1][self.seen :]
        self.seen = len(call.events[1])
        return events


def test_on_good_links_every_frame_comes_through_two_hops() -> None:
    relay = Relay(first=LinkConfig(latency=0.01), second=LinkConfig(latency=0.01))
    relay.run(3)
    got = [frame.data for frame in relay.far.frames_of(1, "video")]
    assert got == list(relay.source.sent.values())


def test_losses_before_the_relay_stay_gaps_and_are_repaired_through_it() -> None:
    relay = Relay(
        first=LinkConfig(latency=0.02, loss=0.04),
        second=LinkConfig(latency=0.02, loss=0.04, reorder=0.02, duplicate=0.02),
    )
    relay.run(6)
    got = [frame.data for frame in relay.far.frames_of(1, "video")]
    sent = list(relay.source.sent.values())
    remaining = iter(sent)
    assert all(any(one == data for data in remaining) for one in got)
    assert len(got) > 0.9 * len(sent)
    assert relay.c.inbound()[0].nack_count > 10


def _raw(number: int, ssrc: int, timestamp: int, payload_type: int = 96) -> RtpPacket:
    return RtpPacket(
        payload_type=payload_type,
        sequence_number=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        ssrc=ssrc,
        marker=True,
        payload=bytes((0x10, number & 0xFF)) + bytes(20),
    )


def _forwarded(session: MediaSession, other: MediaSession, now: float) -> list[RtpPacket]:
    other.receive_many(session.poll_transmits(now), now)
    return [packet for event in other.poll_events() if isinstance(event, PacketsReceived) for packet in event.packets]


def test_numbers_keep_their_distances_and_a_new_source_goes_on() -> None:
    left, right = pair([video(0)], [video(1)])
    right.set_delivery(VIDEO, 0.0, packets=True, frames=False)
    assert left.send_packets(VIDEO, [_raw(65530, 7, 1000), _raw(65533, 7, 4000), _raw(2, 7, 7000)], 0.0) == 3
    first, second, third = _forwarded(left, right, 0.0)
    assert (second.sequence_number - first.sequence_number) & 0xFFFF == 3
    assert (third.sequence_number - second.sequence_number) & 0xFFFF == 5
    assert (third.timestamp - first.timestamp) & 0xFFFFFFFF == 6000
    assert first.ssrc == 2000
    left.send_packets(VIDEO, [_raw(65531, 7, 2000), _raw(65531, 7, 2000), _raw(65529, 7, 500)], 0.01)
    (late,) = _forwarded(left, right, 0.01)
    assert (late.sequence_number - first.sequence_number) & 0xFFFF == 1, "a late one fills its own gap, once"
    left.send_packets(VIDEO, [_raw(100, 8, 50)], 0.11)
    (other,) = _forwarded(left, right, 0.11)
    assert (other.sequence_number - third.sequence_number) & 0xFFFF == 1
    assert (other.timestamp - third.timestamp) & 0xFFFFFFFF == 9900  # what went by, at 90 kHz, since the last packet
    assert left.outbound()[0].packets_sent == 5


def test_the_payload_type_is_that_of_the_same_codec_here() -> None:
    left, right = pair([video(0)], [video(1)])
    right.set_delivery(VIDEO, 0.0, packets=True, frames=False)
    assert left.send_packets(VIDEO, [_raw(1, 7, 0, 120)], 0.0) == 0
    assert left.drops["not sent: codec not negotiated"] == 1
    assert left.send_packets(VIDEO, [_raw(1, 7, 0, 120)], 0.0, codec=VP8.codec) == 1
    (packet,) = _forwarded(left, right, 0.0)
    assert packet.payload_type == 96
