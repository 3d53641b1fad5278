"""The media half of one peer: SRTP datagrams on one side, frames and packets on the other.

```
 datagrams -> early buffer -> unprotect -> RTP  by SSRC -> Router -> Inbound -> frames, packets, tones
                                       -> RTCP -> RtcpReader -> sources, encodings
 frames, packets, tones -> Outbound -> queue --+
 reports, NACK, PLI, transport-cc (RtcpWriter) +-> poll_transmits: numbers, protect -> datagrams
```
Transport-wide numbers and SRTP indices are given in `poll_transmits`, never earlier. What streams deliver is collected
until `poll_events`, so that a burst and single packets bring about the same events.

Spec: RFC 5761 (RTP and RTCP on one port), RFC 8834 (RTP in WebRTC), and those named in the other files of this folder.
Left out: congestion control and pacing (`PacketResults` is their food), FEC, RTCP of its own for each section.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ...base import NEVER, Deadlines, Instant
from ...errors import ParseError, ResourceError, SecurityError
from ...rtp import abs_send_time, streams
from ...srtp import Refused, SrtpContext
from . import snapshots
from .commands import MediaCommands
from .config import MediaConfig
from .events import (
    BitrateSuggested,
    Closed,
    FramesReceived,
    KeyframeRequested,
    MediaEvent,
    PacketResults,
    PacketsReceived,
    ToneReceived,
    ToneSent,
)
from .facts import InboundFacts, OutboundFacts, RemoteInboundFacts, RemoteOutboundFacts
from .inbound import Inbound
from .router import Repair
from .rtcp_in import Told


class Timer(Enum):
    """Why a session wants to be woken."""

    RTCP = "rtcp"
    TONES = "tones"
    KEYFRAME = "keyframe"
    """A key frame request that came too soon after another is handed up."""
    PLAYOUT = "playout"
    SYNC = "sync"
    SILENCE = "silence"


class MediaSession(MediaCommands):
    """Machine over bytes: one SRTP or SRTCP datagram each. See the module's docstring."""

    def __init__(self, config: MediaConfig | None = None) -> None:
        super().__init__(config)
        self._deadlines: Deadlines[Timer] = Deadlines()

    # --- in ---------------------------------------------------------------------------------------------------------

    def _take_early(self, burst: list[bytes], now: Instant) -> None:
        self.receive_many(burst, now)

    def receive(self, data: bytes, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[bytes], now: Instant) -> None:
        now = self._advance(now)
        if self._over:
            return
        keys = self._inbound_keys
        if keys is None:
            room = max(self.config.max_early_datagrams - len(self._early), 0)
            self._early += burst[:room]
            if len(burst) > room:
                self.drops.add("before the keys", len(burst) - room)
            return
        self.counters.datagrams_received += len(burst)
        rtp: list[bytes] = []
        rtcp: list[bytes] = []
        for data in burst:
            if len(data) < 12:
                self.drops.add("too short")
            elif 192 <= data[1] <= 223:  # RFC 5761 section 4
                rtcp.append(data)
            else:
                rtp.append(data)
        if rtp:
            self._receive_rtp(keys, rtp, now)
        if rtcp:
            self._receive_rtcp(keys, rtcp, now)

    def _receive_rtp(self, keys: SrtpContext, burst: list[bytes], now: Instant) -> None:
        groups: dict[int, list[bytes]] = {}
        for plain in keys.unprotect_many(burst):
            if isinstance(plain, Refused):
                self.drops.add(f"srtp {plain.value}")
                continue
            ssrc = int.from_bytes(plain[8:12], "big")
            group = groups.get(ssrc)
            if group is None:
                groups[ssrc] = [plain]
            else:
                group.append(plain)
        for ssrc, group in groups.items():
            self.counters.rtp_received += len(group)
            self._receive_group(ssrc, group, now)

    def _receive_group(self, ssrc: int, group: list[bytes], now: Instant) -> None:
        """Packets of one SSRC. Each round takes some away: those of a section, or one that belongs nowhere."""
        router, table = self._router, self._table
        if ssrc in table.by_ssrc or ssrc in table.by_rtx_ssrc:
            self._used_by_peer(ssrc, now)
        stranger = False
        while group:
            found: Inbound | Repair | None = None
            if not stranger:
                found = router.sources.get(ssrc) or router.repairs.get(ssrc)
            routed = found is None
            if found is None:
                found = router.route(ssrc, group[0], now)
            stranger = False
            if found is None:
                group = group[1:]
                continue
            section = found.section
            if not section.may_receive:
                self.drops.add("direction", len(group))
                return
            twcc = self._twcc_in if section.transport_cc else None
            if isinstance(found, Repair):
                rest = found.receive(group, now, twcc, self.drops)
            else:
                if not found.active:
                    self._source_began(found, now)
                rest = found.receive(group, now, twcc)
            if routed and len(rest) == len(group):
                self.drops.add("mid")  # sections that number their extensions differently: there is no telling
                rest = rest[1:]
            else:
                stranger = bool(rest)  # they belong to another section, or are of another kind
            group = rest

    def _source_began(self, inbound: Inbound, now: Instant) -> None:
        inbound.active = True
        self._reader.source_began(inbound)
        self._happenings.source_began(inbound)
        self._happenings.unmuted(inbound.section)
        if self.rtt is not None:
            inbound.set_rtt(self.rtt)
        inbound.heard_at = now

    def _receive_rtcp(self, keys: SrtpContext, burst: list[bytes], now: Instant) -> None:
        told = Told()
        for plain in keys.unprotect_rtcp_many(burst):
            if isinstance(plain, Refused):
                self.drops.add(f"srtcp {plain.value}")
                continue
            self.counters.rtcp_received += 1
            if self._writer is not None:
                self._writer.scheduler.received(len(plain))
            self._reader.receive(plain, now, told)
        for inbound in told.byes:
            self._source_ended(inbound, "bye")
        for ssrc in told.reporters:
            self._used_by_peer(ssrc, now)
        if self._writer is not None:
            for report in told.extended:
                answered = self._writer.extended.receive(report, now)
                if answered is not None:
                    told.rtts.append(answered)
                    for inbound in self._router.sources.values():
                        inbound.answered(answered)
        if told.rtts:
            self.rtt = told.rtts[-1]
            for inbound in self._router.sources.values():
                inbound.set_rtt(self.rtt)
        if told.bitrate is not None:
            self._bitrate = told.bitrate
        if told.results and self.config.report_packet_results:
            self._happenings.told(PacketResults(told.results))
        self._hand_up_keyframes(now)

    def _hand_up_keyframes(self, now: Instant) -> None:
        for outbound in self._table.ordered:
            if (
                outbound.video
                and outbound.demand.next_timeout() <= now
                and outbound.demand.take(now)
                and outbound.active
            ):
                self._happenings.happened(KeyframeRequested(outbound.section.handle, outbound.rid))

    # --- time -------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if self._over:
            return
        self._arm(now)
        for timer in self._deadlines.pop_due(now):
            if timer is Timer.KEYFRAME:
                self._hand_up_keyframes(now)
            elif timer is Timer.PLAYOUT:
                self._playout.pop(self._router.sources.values(), now)
            elif timer is Timer.SYNC:
                self._playout.synchronise(self._router.sources.values(), now)
            elif timer is Timer.SILENCE:
                self._router.sweep(now)

    def next_timeout(self) -> Instant:
        if self._closed:
            return NEVER
        if self._closing is not None or self._pending_output():
            return self._now
        self._arm(self._now)
        return self._deadlines.next()

    def _pending_output(self) -> bool:
        if self._ready:
            return True
        return any(outbound.pending for outbound in self._table.ordered)

    def _arm(self, now: Instant) -> None:
        """Brings the table of deadlines up to date with what streams wait for."""
        sources = list(self._router.sources.values())
        writer = self._writer
        if not sources and writer is None and not self._table.ordered and not self._deadlines:
            return  # a connection of data channels alone asks on each of its packets
        if writer is not None:
            self._set(Timer.RTCP, writer.next_timeout(writer.feedback_at(sources, self._twcc_in), now))
        tones = keyframe = silence = NEVER
        for outbound in self._table.ordered:
            tones = min(tones, outbound.tones.next_timeout())
            keyframe = min(keyframe, outbound.demand.next_timeout())
        for inbound in sources:
            if inbound.active:
                silence = min(silence, inbound.heard_at + self.config.silence_timeout)
        self._set(Timer.TONES, tones)
        self._set(Timer.KEYFRAME, keyframe)
        self._set(Timer.SILENCE, silence)
        self._set(Timer.PLAYOUT, self._playout.next_timeout(sources))
        self._set(Timer.SYNC, self._playout.sync_at)

    def _set(self, timer: Timer, at: Instant) -> None:
        if at == NEVER:
            self._deadlines.clear(timer)
        elif self._deadlines.get(timer) != at:
            self._deadlines.set(timer, at)

    # --- out --------------------------------------------------------------------------------------------------------

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[bytes]:
        now = self._advance(now)
        keys = self._outbound_keys
        if self._closed or keys is None or limit < 1:
            return []
        if self._closing is not None:
            return self._goodbye(keys, now, limit)
        if self._writer is None and not self._ready and not self._table.ordered:
            return []
        self._build_reports(keys, now)
        out = self._ready[:limit]
        del self._ready[:limit]
        room = limit - len(out)
        if room:
            out += self._build_media(keys, now, room)
        self.counters.datagrams_sent += len(out)
        return out

    def _build_reports(self, keys: SrtpContext, now: Instant) -> None:
        writer = self._writer
        if writer is None:
            return
        sources = list(self._router.sources.values())
        due = writer.next_timeout(writer.feedback_at(sources, self._twcc_in), now)
        if due > now:
            return
        received: list[streams.ReceivedStream] = []
        for inbound in sources:
            if inbound.active and inbound.received is not None:
                received.append(inbound.received)
                if inbound.rtx_received is not None:
                    received.append(inbound.rtx_received)
        sent = [outbound.sent for outbound in self._table.ordered]
        ordered = self._table.ordered
        writer.scheduler.we_sent = any(one.sent.last_packet_at is not None for one in ordered)
        plain = writer.build(sources, received, sent, self._twcc_in, now)
        if plain:
            self.counters.rtcp_sent += len(plain)
            self._ready += self._protect_rtcp(keys, plain)

    def _protect_rtcp(self, keys: SrtpContext, plain: list[bytes]) -> list[bytes]:
        try:
            return keys.protect_rtcp_many(plain)
        except (SecurityError, ResourceError, ParseError):
            self.drops.add("rtcp not protected", len(plain))
            return []

    def _build_media(self, keys: SrtpContext, now: Instant, room: int) -> list[bytes]:
        plain: list[bytes] = []
        send_time = b""
        for outbound in self._table.ordered:
            if not outbound.pending and outbound.tones.next_timeout() > now:
                continue
            if len(plain) >= room:
                break
            if not send_time:
                send_time = abs_send_time(self.config.wall_epoch + now).to_bytes(3, "big")
            outbound.build(plain, now, room, send_time, self._twcc_out, self._tag_bytes)
            if outbound.digits:
                for digit in outbound.digits:
                    self._happenings.told(ToneSent(outbound.section.handle, digit))
                outbound.digits.clear()
        if not plain:
            return plain
        self.counters.rtp_sent += len(plain)
        try:
            return keys.protect_many(plain)
        except (SecurityError, ResourceError, ParseError):
            return self._protect_each(keys, plain)

    def _protect_each(self, keys: SrtpContext, plain: list[bytes]) -> list[bytes]:
        """One of them cannot be protected (a key limit, too many streams); the others shall not suffer."""
        out = []
        for packet in plain:
            try:
                out.append(keys.protect(packet))
            except (SecurityError, ResourceError, ParseError):
                self.drops.add("rtp not protected")
        return out

    def poll_events(self) -> list[MediaEvent]:
        happenings = self._happenings
        events: list[MediaEvent] = []
        if happenings.started:
            events, happenings.started = happenings.started, []
        if self._router.sources:
            events += self._delivered()
        if happenings.others:
            events += happenings.others
            happenings.others = []
        if self._bitrate is not None:
            events.append(BitrateSuggested(self._bitrate))
            self._bitrate = None
        if happenings.ended:
            events += happenings.ended
            happenings.ended = []
        return events + super().poll_events()

    def _delivered(self) -> list[MediaEvent]:
        waiting = [one for one in self._router.sources.values() if one.packets or one.frames or one.tones]
        if len(waiting) > 1:
            waiting.sort(key=_order)
        events: list[MediaEvent] = []
        for inbound in waiting:
            handle, rid = inbound.section.handle, inbound.rid
            if inbound.packets:
                events.append(PacketsReceived(handle, rid, inbound.packets))
                inbound.packets = []
            if inbound.frames:
                events.append(FramesReceived(handle, rid, inbound.frames))
                inbound.frames = []
            if inbound.tones:
                events += [ToneReceived(handle, digit, duration) for digit, duration in inbound.tones]
                inbound.tones = []
        return events

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self, now: Instant, reason: str = "") -> None:
        """Says BYE at the next poll, then `Closed`; without keys there is nobody to tell. Later calls do nothing."""
        now = self._advance(now)
        if self._over:
            return
        self._closing = reason
        for outbound in self._table.ordered:
            outbound.clear()
        self._early.clear()
        self._ready.clear()
        if self._outbound_keys is None or self._writer is None:
            self._end()

    def _goodbye(self, keys: SrtpContext, now: Instant, limit: int) -> list[bytes]:
        out: list[bytes] = []
        if self._writer is not None:
            sent = [outbound.sent for outbound in self._table.ordered]
            out = self._protect_rtcp(keys, [self._writer.goodbye(sent, now, self._closing or "")])
            self.counters.rtcp_sent += len(out)
            self.counters.datagrams_sent += len(out)
        self._end()
        return out

    def _end(self) -> None:
        self._closed = True
        self._deadlines.clear_all()
        self._emit(Closed(self._closing or ""))
        if self._trace:
            self._trace.event(self._now, "closed", reason=self._closing or "")

    # --- facts ------------------------------------------------------------------------------------------------------

    def inbound(self) -> list[InboundFacts]:
        """Facts of every received source, ended ones of living sections included."""
        return [snapshots.inbound(one) for one in self._router.sources.values()]

    def outbound(self) -> list[OutboundFacts]:
        """Facts of every encoding."""
        return [snapshots.outbound(one) for encodings in self._table.encodings.values() for one in encodings]

    def remote_inbound(self) -> list[RemoteInboundFacts]:
        """What the peer's reports say of our streams."""
        return [
            snapshots.remote_inbound(one)
            for encodings in self._table.encodings.values()
            for one in encodings
            if one.last_report_at is not None
        ]

    def remote_outbound(self) -> list[RemoteOutboundFacts]:
        """What the peer's sender reports say of its streams."""
        return [snapshots.remote_outbound(one) for one in self._router.sources.values() if one.last_report is not None]


def _order(inbound: Inbound) -> tuple[int, int]:
    return inbound.order
