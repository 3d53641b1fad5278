"""Whole frames from packets that come late, twice or never: the part that all video formats share.

Packets are taken in the order of their sequence numbers. One that comes early is held until the gap before it is
filled or given up; a gap is given up when the newest packet is too far ahead of it, or when a whole key frame waits
behind it. A frame is a run of packets without a gap from one that begins a frame to the marker (or to a packet with
another timestamp: not every sender sets markers). Everything else is dropped and counted.

After a loss `_lost` stays set until a frame comes that needs nothing of what is missing: a key frame, or one that the
format proves independent (`_admits`). With `wait_for_keyframe` nothing is given out in between. A stream that
begins at a clean frame start counts as one without loss, whatever its first frame is.

Invariants: at most `reorder_packets` are held and the frame in progress stays within its limits, so memory is bounded
whatever arrives; `push` never raises.

Spec: RFC 3550 section 5.1 (marker, sequence number), appendix A.1 (a source that restarts).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, NamedTuple

from ..base import Drops
from ..errors import ParseError
from .base import Depacketizer, DepacketizerConfig, DepacketizerCounters, EncodedFrame, RtpPacketLike
from .cutting import PacketRun

NO_START: Final = 0
START: Final = 1
KEY_START: Final = 2

# A packet this far from where the stream is belongs to a sender that restarted, or is a stray (RFC 3550 A.1 has 3000
# and 100; one number for both serves retransmissions that come late in bursts).
_MAX_JUMP: Final = 1024
# Packets behind a gap before anything but the full window may give it up, as in QUIC and SACK loss detection.
_REORDER_THRESHOLD: Final = 3


class Joined(NamedTuple):
    """What the payloads of one frame make together."""

    data: bytes
    keyframe: bool
    facts: Any


class FrameAssembler(PacketRun, Depacketizer):
    """A depacketizer of a format whose frames span packets. Formats say what begins a frame and how to join it."""

    def __init__(self, config: DepacketizerConfig, clock_rate: int = 90_000) -> None:
        super().__init__(config)
        self.config = config
        self._counters = DepacketizerCounters()
        self.drops = Drops()
        self._trace = config.trace
        self._clock_rate = clock_rate
        self._time_limit = int(config.reorder_time * clock_rate)
        self._window = config.reorder_packets
        self._newest = 0
        self._newest_timestamp = 0
        self._stray: RtpPacketLike | None = None
        self._run_first = 0
        # What was lost. `_adrift`: the packet before the next one is unknown, so it must prove to begin a frame.
        self._adrift = True
        self._skipping = False
        self._skipped_timestamp = 0
        self._lost = False

    # --- what a format says -----------------------------------------------------------------------------------------

    @abstractmethod
    def _start(self, payload: bytes) -> int:
        """Whether a payload (never empty) surely begins a frame, and a key frame: for packets behind a gap.

        The very first packet of a stream is asked too, while `_expected` is -1: there a guess will do.
        """

    @abstractmethod
    def _join(self, payloads: list[bytes]) -> Joined:
        """One frame from its payloads. Errors: `ParseError`, and nothing has changed then."""

    def _admits(self, joined: Joined, lost: bool) -> bool:
        """Whether a decoder that got what was given out so far can decode this frame.

        `lost` says that frames since the last one given out are missing, nobody knows which.
        """
        return joined.keyframe or not lost

    def _given_out(self, joined: Joined) -> None:
        """Takes note of a frame that is being given out and can be decoded."""

    # --- taking packets ---------------------------------------------------------------------------------------------

    @property
    def needs_keyframe(self) -> bool:
        return self._lost

    @property
    def counters(self) -> DepacketizerCounters:
        self._counters.packets = self._packets
        return self._counters

    def _push(self, packet: RtpPacketLike) -> list[EncodedFrame]:
        sequence = packet.sequence_number
        frames: list[EncodedFrame] = []
        if sequence == self._expected:
            self._expected = (sequence + 1) & 0xFFFF
            self._take(packet, frames)
            if self._held:
                self._settle(frames)
            return frames
        if self._expected < 0:
            payload = packet.payload
            starts = bool(payload) and self._start(payload) != NO_START
            if starts or self._window < _REORDER_THRESHOLD:
                self._adrift = not starts
                self._expected = (sequence + 1) & 0xFFFF
                self._take(packet, frames)
                return frames
            # The first packet is inside a frame: the beginning may only have been overtaken.
            self._expected = (sequence - _REORDER_THRESHOLD) & 0xFFFF
            self._timestamp = packet.timestamp
        self._take_out_of_order(packet, sequence, frames)
        return frames

    def flush(self) -> list[EncodedFrame]:
        frames: list[EncodedFrame] = []
        while self._held:
            self._jump(min(self._held, key=self._distance))
            self._advance(frames)
        return frames

    def _distance(self, sequence: int) -> int:
        return (sequence - self._expected) & 0xFFFF

    def _take_out_of_order(self, packet: RtpPacketLike, sequence: int, frames: list[EncodedFrame]) -> None:
        distance = (sequence - self._expected) & 0xFFFF
        if distance > _MAX_JUMP and 0x10000 - distance > _MAX_JUMP:
            # Two in sequence are a sender that restarted; one alone is a stray.
            stray, self._stray = self._stray, packet
            if stray is None or (stray.sequence_number + 1) & 0xFFFF != sequence:
                self.drops.add("far off")
                return
            self._stray = None
            self._counters.resets += 1
            self.drops.add("before a restart", len(self._held))
            self._held.clear()
            self._jump(stray.sequence_number)
            for one in (stray, packet):
                self._expected = (one.sequence_number + 1) & 0xFFFF
                self._take(one, frames)
            return
        if distance > 0x8000:
            self.drops.add("late or doubled")
            return
        held = self._held
        if sequence in held:
            self.drops.add("late or doubled")
            return
        if not held or ((sequence - self._newest) & 0xFFFF) < 0x8000:
            self._newest = sequence
            self._newest_timestamp = packet.timestamp
        held[sequence] = packet
        if self._window == 0:
            self._settle(frames)
            return
        if packet.marker or (sequence + 1) & 0xFFFF in held:
            key = self._whole_key_frame()
            if key >= 0:
                self._jump(key)
                self._advance(frames)
        self._settle(frames)

    def _settle(self, frames: list[EncodedFrame]) -> None:
        """Takes held packets as far as they go, and gives up gaps that are overdue."""
        self._advance(frames)
        while self._held:
            reach = self._distance(self._newest)
            if reach <= self._window:
                elapsed = (self._newest_timestamp - self._timestamp) & 0xFFFFFFFF
                if reach < _REORDER_THRESHOLD or not self._time_limit < elapsed < 0x80000000:
                    return
            self._jump(min(self._held, key=self._distance))
            self._advance(frames)

    def _advance(self, frames: list[EncodedFrame]) -> None:
        held = self._held
        while held:
            packet = held.pop(self._expected, None)
            if packet is None:
                return
            self._expected = (self._expected + 1) & 0xFFFF
            self._take(packet, frames)

    def _whole_key_frame(self) -> int:
        """The sequence number where a whole key frame begins behind the gap, or -1."""
        if not self.config.wait_for_keyframe or self._distance(self._newest) < _REORDER_THRESHOLD:
            return -1
        start = previous = -1
        key = False
        for sequence in sorted(self._held, key=self._distance):
            packet = self._held[sequence]
            if start >= 0 and sequence != (previous + 1) & 0xFFFF:
                start = -1
            kind = self._start(packet.payload) if packet.payload else NO_START
            if start < 0 and kind != NO_START:
                start, key = sequence, False
            key = key or kind == KEY_START
            if packet.marker:
                if key and start >= 0:
                    return start
                start = -1
            previous = sequence
        return -1

    def _jump(self, sequence: int) -> None:
        """Gives up everything before `sequence`."""
        self._counters.gaps += 1
        before = [one for one in self._held if self._distance(one) < self._distance(sequence)]
        for one in before:
            del self._held[one]
        if before:
            self.drops.add("before a key frame", len(before))
        if self._run:
            self._break("incomplete frame")
        self._expected = sequence
        self._adrift = True
        self._lost = True

    # --- frames -----------------------------------------------------------------------------------------------------

    def _take(self, packet: RtpPacketLike, frames: list[EncodedFrame]) -> None:
        """The packet next in sequence."""
        payload = packet.payload
        if not payload:
            return  # padding alone: it probes the path and belongs to no frame
        timestamp = packet.timestamp
        run = self._run
        if run and timestamp != self._timestamp:
            self._finish(frames)
            run = self._run
        if not run:
            if self._skipping and timestamp == self._skipped_timestamp:
                self._skip(packet)
                return
            self._skipping = False
            if self._adrift and self._start(payload) == NO_START:
                self._lost = True
                self._skip(packet)
                return
            self._adrift = False
            self._timestamp = timestamp
            self._run_first = packet.sequence_number
        run.append(payload)
        self._run_bytes += len(payload)
        if self._run_bytes > self._max_bytes or len(run) > self._max_packets:
            self._break("frame too large")
            self._skipping = not packet.marker
        elif packet.marker:
            self._finish(frames)

    def _skip(self, packet: RtpPacketLike) -> None:
        """Passes over a packet of a frame whose beginning is missing; its marker ends that."""
        self.drops.add("beginning lost")
        self._skipped_timestamp = packet.timestamp
        self._skipping = not packet.marker
        self._adrift = False

    def _break(self, reason: str) -> None:
        """Drops the frame in progress, and what may still come of it."""
        self._skipping = True
        self._skipped_timestamp = self._timestamp
        self._drop_run(reason)

    def _drop_run(self, reason: str) -> None:
        self.drops.add(reason, len(self._run))
        if self._trace:
            self._trace.event(
                self._timestamp / self._clock_rate, "frame_dropped", reason=reason, packets=len(self._run)
            )
        self._run = []
        self._run_bytes = 0
        self._lost = True

    def _finish(self, frames: list[EncodedFrame]) -> None:
        run = self._run
        try:
            joined = self._join(run)
        except ParseError as error:
            self._drop_run("malformed")
            if self._trace:
                self._trace.event(self._timestamp / self._clock_rate, "frame_malformed", error=str(error))
            return
        if len(joined.data) > self._max_bytes:
            self._drop_run("frame too large")
            return
        lost = self._lost
        if self._admits(joined, lost):
            self._lost = False
            self._given_out(joined)
        elif self.config.wait_for_keyframe:
            self._drop_run("waiting for a key frame" if lost else "waiting for its layer")
            # A frame of a layer that is out of step takes nothing from the layers below it.
            self._lost = lost or joined.keyframe
            return
        counters = self._counters
        counters.frames += 1
        counters.keyframes += joined.keyframe
        frames.append(
            EncodedFrame(joined.data, self._timestamp, joined.keyframe, lost, self._run_first, len(run), joined.facts)
        )
        self._run = []
        self._run_bytes = 0
