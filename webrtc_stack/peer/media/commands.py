"""What an application tells a media session: sections, keys, frames, packets, tones, and what to hand up.

`MediaCommands` is the half of `MediaSession` that is not the machine: it keeps the state and takes commands.

Spec: W3C webrtc-pc section 7 (insertDTMF), section 5.2 (setParameters: `active`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...base import Drops, Instant, MachineBase, random_u32
from ...errors import InvalidArgumentError, InvalidStateError, NotSupportedError
from ...packetization import event_of
from ...rtp import RtpPacket, streams
from ...srtp import SrtpContext
from ..parameters import Codec, Encoding, MediaKind, SourceIds, TransceiverHandle
from .config import MediaConfig
from .events import KeyframeRequested, MediaEvent, OutgoingFrame
from .happenings import Happenings
from .inbound import Inbound
from .outbound import Outbound
from .plan import MediaSectionPlan
from .playout import PlayoutGroup
from .router import Router
from .rtcp_in import RtcpReader
from .rtcp_out import RtcpWriter
from .sections import SectionTable


@dataclass(slots=True)
class MediaCounters:
    """What a session did."""

    datagrams_received: int = 0
    datagrams_sent: int = 0
    rtp_received: int = 0
    rtp_sent: int = 0
    rtcp_received: int = 0
    rtcp_sent: int = 0
    drops: Drops = field(default_factory=Drops)


class MediaCommands(MachineBase[MediaEvent]):
    """State and commands of a session."""

    def __init__(self, config: MediaConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MediaConfig()
        self._trace = config.trace
        self.counters = MediaCounters()
        self.drops = self.counters.drops
        entropy = config.entropy.fork("media session")
        self._table = SectionTable(config)
        self._router = Router(config, config.trace, self._source_ended, self.drops)
        self._twcc_in = streams.TwccReceiver(config.twcc)
        self._twcc_out = streams.TwccSender(config.twcc, first=random_u32(entropy) & 0x7FFF)
        self._own_ssrc = random_u32(entropy) or 1
        self._entropy = entropy.fork("collisions")
        self._collisions = 0
        self._reader = RtcpReader(
            self._router.sources, self._table.by_ssrc, self._table.by_rtx_ssrc, self._twcc_out, self.drops
        )
        self._writer: RtcpWriter | None = None
        self._playout = PlayoutGroup(config.sync)
        self._outbound_keys: SrtpContext | None = None
        self._inbound_keys: SrtpContext | None = None
        self._tag_bytes = 16
        self._early: list[bytes] = []
        self._ready: list[bytes] = []
        """Protected RTCP that did not fit the last poll."""
        self._happenings = Happenings(config.max_pending_events, self.drops)
        self._bitrate: int | None = None
        self.rtt: float | None = None
        """The last round-trip time, of whatever stream, in seconds."""
        self._closing: str | None = None
        self._closed = False

    # --- configuration ----------------------------------------------------------------------------------------------

    def configure(self, media: Sequence[MediaSectionPlan], now: Instant) -> None:
        """Says the whole truth about the sections; what is missing is gone. Data sections are passed over.

        Errors: `InvalidArgumentError` for more sections than `max_sections`.
        """
        now = self._advance(now)
        if self._over:
            return
        for outbound in self._table.configure(media):
            if outbound.sent.last_packet_at is not None and self._writer is not None:
                self._writer.leave([outbound.ids.ssrc])
        self._router.configure(self._table)
        for section in self._table:
            for source in section.plan.remote_sources:
                self._used_by_peer(source.ssrc, now)
                if source.rtx_ssrc is not None:
                    self._used_by_peer(source.rtx_ssrc, now)
        for section in self._table:
            if not section.may_receive:
                self._happenings.muted(section)
        self._prepare_reports(now)
        self._ask_again()
        if self._trace:
            self._trace.event(now, "configured", sections=len(self._table.sections), encodings=len(self._table.ordered))

    @property
    def wanted(self) -> bool:
        """Whether any media section is agreed on."""
        return bool(self._table.sections)

    def set_keys(self, outbound: SrtpContext, inbound: SrtpContext, now: Instant) -> None:
        """The keys that DTLS agreed on; packets that came before them are taken now.

        Errors: `InvalidStateError` if there are keys already.
        """
        now = self._advance(now)
        if self._outbound_keys is not None:
            raise InvalidStateError("this session has its keys; a new handshake needs a new session")
        if self._over:
            return
        self._outbound_keys, self._inbound_keys = outbound, inbound
        self._tag_bytes = outbound.profile.rtp_overhead_bytes
        self._prepare_reports(now)
        self._ask_again()
        early, self._early = self._early, []
        if early:
            self._take_early(early, now)

    def _take_early(self, burst: list[bytes], now: Instant) -> None:
        """What came before the keys: the machine's to take."""

    def _source_ended(self, inbound: Inbound, reason: str) -> None:
        """A source has left: said once, and its section is mute if it was the last."""
        if not inbound.active:
            return
        inbound.stop()
        self._playout.forget(inbound)
        self._happenings.source_ended(inbound, reason)
        if self._trace:
            self._trace.event(self._now, "source_ended", ssrc=inbound.ssrc, reason=reason)
        if not any(one.active for one in self._router.of(inbound.section.handle)):
            self._happenings.muted(inbound.section)

    def _used_by_peer(self, ssrc: int, now: Instant) -> None:
        """The peer uses an SSRC. If it is ours we leave it: BYE, and another one (RFC 3550 section 8.2).

        Nothing is signalled: who goes by mid and rid follows. What remains: descriptions go on naming the old SSRC, so
        a peer that goes by `a=ssrc` alone loses the stream; contributing sources are not looked at. Beyond
        `max_collisions` ours stays as it is: directions have keys of their own, so nothing is confused here.
        """
        repairs = False
        outbound = self._table.by_ssrc.get(ssrc)
        if outbound is None:
            outbound = self._table.by_rtx_ssrc.get(ssrc)
            repairs = outbound is not None
        if outbound is None and ssrc != self._own_ssrc:
            return
        if self._collisions >= self.config.max_collisions:
            self.drops.add("ssrc collision")
            return
        self._collisions += 1
        if self._trace:
            self._trace.event(now, "ssrc_collision", ssrc=ssrc)
        if outbound is None:
            self._own_ssrc = self._fresh_ssrc()
        else:
            ids = outbound.ids
            rtx_ssrc = None if ids.rtx_ssrc is None else self._fresh_ssrc()
            if not repairs and outbound.sent.last_packet_at is not None and self._writer is not None:
                self._writer.leave([ssrc])
            self._table.rename(outbound, SourceIds(ssrc=ids.ssrc if repairs else self._fresh_ssrc(), rtx_ssrc=rtx_ssrc))
            self._ask_again()
        self._prepare_reports(now)

    def _fresh_ssrc(self) -> int:
        while True:
            ssrc = random_u32(self._entropy)
            if ssrc and ssrc != self._own_ssrc and not self._router.knows(ssrc) and not self._table.knows(ssrc):
                return ssrc

    @property
    def _over(self) -> bool:
        return self._closed or self._closing is not None

    def _prepare_reports(self, now: Instant) -> None:
        """The RTCP sender as the sections of now want it."""
        if not self._table.sections or self._outbound_keys is None:
            return
        plans = [section.plan for section in self._table]
        cname = next((plan.cname for plan in plans if plan.cname), "-")
        reduced = all(plan.reduced_size for plan in plans)
        video = any(section.kind is MediaKind.VIDEO for section in self._table)
        ssrc = self._table.ordered[0].ids.ssrc if self._table.ordered else self._own_ssrc
        writer = self._writer
        ask_rtt = any(plan.rtcp_xr_rcvr_rtt for plan in plans)
        same = writer is not None and (writer.reduced_size, writer.video, writer.ask_rtt) == (reduced, video, ask_rtt)
        if writer is not None and same:
            writer.renamed(ssrc, cname)
            return
        self._writer = RtcpWriter(self.config, ssrc, cname, reduced_size=reduced, video=video, ask_rtt=ask_rtt, now=now)
        if writer is not None:
            self._writer.take_over(writer)

    def _ask_again(self) -> None:
        """Sending may have become possible: frames refused meanwhile are made up for by a key frame."""
        if self._outbound_keys is None:
            return
        for outbound in self._table.ordered:
            if outbound.needs_keyframe and outbound.active:
                self._happenings.happened(KeyframeRequested(outbound.section.handle, outbound.rid))

    # --- commands: sending ------------------------------------------------------------------------------------------

    def _sender(self, handle: TransceiverHandle, rid: str | None) -> Outbound | None:
        """The encoding to send by; None (counted) while it may not send."""
        if self._over:
            self.drops.add("not sent: closed")
            return None
        outbound = self._table.encoding(handle, rid)
        if outbound is None:
            self.drops.add("not sent: not negotiated")
        elif self._outbound_keys is None:
            outbound.refuse()
            self.drops.add("not sent: no keys yet")
        elif not outbound.active:
            outbound.refuse()
            self.drops.add("not sent: direction or paused")
        else:
            return outbound
        return None

    def send_frame(self, handle: TransceiverHandle, frame: OutgoingFrame, now: Instant, rid: str | None = None) -> bool:
        """Sends one encoded frame.

        Returns: whether it was taken. It is refused (and counted) before the keys, while the direction allows no
        sending, when the queue is full, and after that until a key frame comes; then `KeyframeRequested` says when one
        is wanted.
        Errors: `InvalidAccessError` for an unknown handle or rid, `InvalidArgumentError` if the data is not what the
        codec carries, `NotSupportedError` if frames of this codec cannot be cut here.
        """
        now = self._advance(now)
        outbound = self._sender(handle, rid)
        if outbound is None:
            return False
        payload = outbound.section.send.media(frame.codec)
        if payload is None:
            outbound.refuse()
            self.drops.add("not sent: codec not negotiated")
            return False
        if payload.format is None:
            raise NotSupportedError(f"no payload format for {payload.codec.codec.mime_type}; send packets instead")
        if outbound.tones.active:
            self.drops.add("not sent: replaced by a tone")
            return True
        return outbound.send_frame(frame, payload, now, self._tag_bytes)

    def send_packets(
        self,
        handle: TransceiverHandle,
        packets: Sequence[RtpPacket],
        now: Instant,
        rid: str | None = None,
        *,
        codec: Codec | None = None,
    ) -> int:
        """Forwards RTP packets: SSRC and transport extensions are ours, numbers and timestamps go on from ours.

        With `codec` the packets' payload type becomes that of the same codec here; without it their own must have been
        negotiated. The packets are not changed. Returns: how many were taken.
        Errors: `InvalidAccessError` for an unknown handle or rid.
        """
        now = self._advance(now)
        outbound = self._sender(handle, rid)
        if outbound is None:
            return 0
        table = outbound.section.send
        chosen = None if codec is None else table.matching(codec)
        taken = 0
        for packet in packets:
            payload = chosen if codec is not None else table.by_type.get(packet.payload_type)
            if payload is None:
                self.drops.add("not sent: codec not negotiated")
            else:
                taken += outbound.send_packet(packet, payload, now)
        return taken

    def set_encodings(self, handle: TransceiverHandle, encodings: Sequence[Encoding], now: Instant) -> None:
        """Parameters of the encodings, in their order: `active` is what matters here, and names stay.

        Errors: `InvalidAccessError`; `InvalidArgumentError` if there are more than were negotiated.
        """
        self._advance(now)
        self._table.section(handle)
        outbound = self._table.encodings.get(handle, [])
        if len(encodings) > len(outbound):
            raise InvalidArgumentError(f"{len(encodings)} encodings, the section has {len(outbound)}")
        for one, encoding in zip(outbound, encodings, strict=False):
            one.renegotiated(replace(encoding, rid=one.rid))
        self._ask_again()

    def set_paused(self, handle: TransceiverHandle, paused: bool, now: Instant, rid: str | None = None) -> None:
        """Stops or resumes an encoding (None: all of the section) without a word to the peer. Errors: as above."""
        self._advance(now)
        chosen = self._table.encoding(handle, rid)
        for outbound in self._table.encodings.get(handle, []):
            if rid is None or outbound is chosen:
                outbound.paused = paused
                outbound.renegotiated(outbound.encoding)
        self._ask_again()

    def insert_dtmf(
        self, handle: TransceiverHandle, tones: str, now: Instant, duration: float = 0.1, gap: float = 0.07
    ) -> None:
        """Queues tones behind those that wait. `ToneSent` tells of each as it begins.

        Units: seconds, clamped as W3C's `insertDTMF` has it. Errors: `InvalidStateError` while the section may not send
        tones, `InvalidArgumentError` for another character, `BufferFull`.
        """
        now = self._advance(now)
        for character in tones:
            if character != ",":
                event_of(character)
        outbound = self._table.encoding(handle, None)
        if self._over or outbound is None or not outbound.active or self._outbound_keys is None:
            raise InvalidStateError("tones cannot be sent now: not connected, or the direction does not allow it")
        rate = outbound.sent.clock_rate
        payload = outbound.section.send.tones(rate)
        if payload is None:
            raise NotSupportedError("telephone-event was not negotiated")
        timestamp = outbound.tone_timestamp(now)
        outbound.tones.insert(payload, tones, now, timestamp=timestamp, duration=duration, gap=gap)

    def cancel_dtmf(self, handle: TransceiverHandle, now: Instant) -> None:
        """Forgets the tones that wait; the one being sent goes on to its end. Errors: `InvalidAccessError`."""
        self._advance(now)
        outbound = self._table.encoding(handle, None)
        if outbound is not None:
            outbound.tones.clear()

    def can_insert_dtmf(self, handle: TransceiverHandle) -> bool:
        """W3C canInsertDTMF. Errors: `InvalidAccessError`."""
        outbound = self._table.encoding(handle, None)
        return (
            outbound is not None
            and outbound.active
            and self._outbound_keys is not None
            and outbound.section.send.tones(outbound.sent.clock_rate) is not None
        )

    # --- commands: receiving ----------------------------------------------------------------------------------------

    def request_keyframe(self, handle: TransceiverHandle, now: Instant, rid: str | None = None) -> None:
        """Asks the peer for a key frame of the section's sources; repeated until one comes, and rate-limited.

        Without a source it is asked for at the first packet. Errors: `InvalidAccessError`.
        """
        now = self._advance(now)
        section = self._table.section(handle)
        sources = [one for one in self._router.of(handle, rid) if one.active]
        section.keyframe_wanted = not sources
        for inbound in sources:
            inbound.want_keyframe(now)

    def set_delivery(
        self,
        handle: TransceiverHandle,
        now: Instant,
        *,
        packets: bool = False,
        frames: bool = True,
        playout: bool = False,
    ) -> None:
        """What is handed up of a section: packets as they come, and frames either at once or at their playout time.

        With `playout`, `frames` says nothing more. Errors: `InvalidAccessError`.
        """
        now = self._advance(now)
        section = self._table.section(handle)
        began = (frames or playout) and not (section.deliver_frames or section.deliver_playout)
        section.deliver_packets, section.deliver_frames, section.deliver_playout = packets, frames, playout
        for inbound in self._router.of(handle):
            if began:
                inbound.restart_frames(now)
            if playout:
                inbound.use_playout(now)
            else:
                self._playout.forget(inbound)
                inbound.leave_playout(now)
