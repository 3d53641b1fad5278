"""Playout delivery of one source: in order, when its time has come, with markers for what did not come.

Sound goes through the jitter buffer packet by packet and is unpacked behind it, so that nothing waits but for its
playout time; pictures are put together first. Delays of the streams of one group are kept in step by `LipSync`, whose
owner is the session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ...base import NEVER, Instant
from ...errors import InvalidArgumentError
from ...packetization import Depacketizer, EncodedFrame
from ...rtp import RtpPacket, streams
from .codecs import Payload, Role
from .events import ReceivedFrame

if TYPE_CHECKING:
    from .inbound import Inbound


_SYNC_INTERVAL: Final = 1.0
"""Seconds between two looks at lip sync, as `LipSync.delays` wants it."""


class _Held(NamedTuple):
    content: RtpPacket | EncodedFrame
    payload: Payload
    arrival: Instant
    began: Instant
    """When the first packet came."""


class Playout:
    """The jitter buffer of one source, and what is counted of it."""

    def __init__(self, inbound: Inbound, clock_rate: int) -> None:
        config = inbound.config
        base = config.video_playout if inbound.video else config.audio_playout
        self._inbound = inbound
        self.clock = streams.StreamClock(clock_rate)
        """Replaced by the one that lip sync gives."""
        self.buffer = streams.JitterBuffer(_at_rate(base, clock_rate))
        self.rtt = inbound.rtt or inbound.config.nack.initial_rtt
        self.registered = False
        self._depacketizer: Depacketizer | None = None
        self._payload: Payload | None = None
        self._ticks = 960
        self._last_timestamp: int | None = None
        self.last_played: int | None = None
        """The timestamp of the last item that played."""
        self.delay_sum = 0.0
        self.target_sum = 0.0
        self.minimum_sum = 0.0
        self.emitted = 0

    @property
    def discarded(self) -> int:
        return self.buffer.counters.late

    def push_packet(self, packet: RtpPacket, payload: Payload, index: int, now: Instant, *, repaired: bool) -> None:
        """Sound: each packet is an item."""
        data = None if payload.role is Role.TONES or not packet.payload else _Held(packet, payload, now, now)
        if repaired:
            self.buffer.set_repair_delay(self.rtt * 1.5)
        self.buffer.push(streams.Item(index, index, packet.timestamp, data), now, repaired=repaired)

    def push_frame(self, frame: EncodedFrame, payload: Payload, now: Instant, began: Instant) -> None:
        """A picture: the range of its packets is an item."""
        received = self._inbound.received
        first = None if received is None else received.index_of(frame.first_sequence_number)
        if first is None:
            return
        item = streams.Item(first, first + frame.packet_count - 1, frame.timestamp, _Held(frame, payload, now, began))
        if self.buffer.push(item, now, repaired=self._inbound.retransmitted_packets > 0) is not streams.Pushed.ACCEPTED:
            self._inbound.frames_dropped += 1

    def pop(self, now: Instant) -> None:
        """Gives out everything whose time has come."""
        inbound = self._inbound
        for item in self.buffer.pop(now):
            if not isinstance(item, streams.Item):
                self._lost(item.first, item.last)
                continue
            self.last_played = item.timestamp
            held: _Held = item.data
            if isinstance(held.content, EncodedFrame):
                inbound.give_out(inbound.received_frame(held.content, held.payload, held.began))
                self._count(now - held.arrival, 1)
                self._last_timestamp = item.timestamp
                continue
            frames = self._unpacked(held.content, held.payload)
            if self._last_timestamp is not None:
                step = (item.timestamp - self._last_timestamp) & 0xFFFFFFFF
                if 0 < step < self.clock.clock_rate:
                    self._ticks = step
            self._last_timestamp = item.timestamp
            for frame in frames:
                inbound.frames_received += 1
                inbound.give_out(inbound.received_frame(frame, held.payload, held.began))
            self._count(now - held.arrival, self._ticks)

    def flush(self, now: Instant) -> None:
        """Gives out what is held, at once: the delivery has changed."""
        for item in self.buffer.flush():
            held: _Held = item.data
            if isinstance(held.content, EncodedFrame):
                frames = [held.content]
            else:
                frames = self._unpacked(held.content, held.payload)
            for frame in frames:
                self._inbound.give_out(self._inbound.received_frame(frame, held.payload, held.began))

    def _unpacked(self, packet: RtpPacket, payload: Payload) -> list[EncodedFrame]:
        if self._depacketizer is None or self._payload is not payload:
            self._depacketizer = self._inbound.make_depacketizer(payload, ordered=True)
            self._payload = payload
        return [] if self._depacketizer is None else self._depacketizer.push(packet)

    def _lost(self, first: int, last: int) -> None:
        """One marker for each lost packet of sound (which is a frame), one for a hole between pictures."""
        inbound = self._inbound
        payload = inbound.payload
        if payload is None or self._last_timestamp is None or payload.role is Role.RED:
            return  # RED fills holes itself
        count = 1 if inbound.video else min(last - first + 1, 64)
        for _ in range(count):
            step = 0 if inbound.video else self._ticks
            timestamp = self._last_timestamp = (self._last_timestamp + step) & 0xFFFFFFFF
            rate = payload.codec.codec.clock_rate
            media_time = inbound.media_time(timestamp, rate)
            inbound.give_out(
                ReceivedFrame(
                    *(b"", payload.codec, timestamp, media_time, False, True, None, None, inbound.rid, inbound.ssrc),
                    lost=True,
                )
            )

    def _count(self, waited: float, units: int) -> None:
        self.delay_sum += max(waited, 0.0) * units
        self.target_sum += self.buffer.target_delay * units
        self.minimum_sum += self.buffer.estimated_delay * units
        self.emitted += units


def _at_rate(config: streams.JitterBufferConfig, clock_rate: int) -> streams.JitterBufferConfig:
    return replace(config, clock_rate=clock_rate)


class PlayoutGroup:
    """The playing sources of a session: their timers, and lip sync between those of one stream."""

    def __init__(self, config: streams.SyncConfig) -> None:
        self._sync = streams.LipSync(config)
        self._playing: set[int] = set()
        self.sync_at: Instant = NEVER

    def forget(self, inbound: Inbound) -> None:
        """The source ended, or is delivered otherwise now."""
        self._playing.discard(inbound.ssrc)
        self._sync.remove(inbound.ssrc)
        if inbound.playout is not None:
            inbound.playout.registered = False
        if not self._playing:
            self.sync_at = NEVER

    def _register(self, inbound: Inbound, playout: Playout, now: Instant) -> None:
        streams = inbound.section.plan.remote_stream_ids
        group = streams[0] if streams else inbound.cname or f"transceiver {inbound.section.handle}"
        try:
            playout.clock = self._sync.add(inbound.ssrc, group, playout.clock.clock_rate)
        except InvalidArgumentError:
            return  # more streams than are kept in step: this one plays by itself
        playout.registered = True
        self._playing.add(inbound.ssrc)
        if inbound.received is not None and inbound.received.sender_clock is not None:
            playout.clock.sender_report(inbound.received.sender_clock)
        if self.sync_at == NEVER:
            self.sync_at = now + _SYNC_INTERVAL

    def pop(self, sources: Iterable[Inbound], now: Instant) -> None:
        """Gives out what is due."""
        for inbound in sources:
            playout = inbound.playout
            if playout is None or playout.buffer.next_timeout() > now:
                continue
            if not playout.registered:
                self._register(inbound, playout, now)
            playout.pop(now)
            if playout.last_played is not None and playout.registered:
                plays_at = playout.buffer.playout_time(playout.last_played, with_sync=False)
                if plays_at is not None:
                    self._sync.observe(inbound.ssrc, playout.last_played, plays_at)

    def synchronise(self, sources: Iterable[Inbound], now: Instant) -> None:
        """Moves the delays of streams that belong together towards each other."""
        delays = self._sync.delays()
        for inbound in sources:
            if inbound.playout is not None and inbound.ssrc in delays:
                inbound.playout.buffer.set_sync_delay(delays[inbound.ssrc])
        self.sync_at = now + _SYNC_INTERVAL if self._playing else NEVER

    def next_timeout(self, sources: Iterable[Inbound]) -> Instant:
        at = NEVER
        for inbound in sources:
            if inbound.playout is not None:
                at = min(at, inbound.playout.buffer.next_timeout())
        return at
