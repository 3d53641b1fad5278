"""What the peer reports and asks for: each RTCP packet to whom it concerns.

Every message is authenticated, so what it says of streams that exist is believed; what names others is counted.

Spec: RFC 3550 sections 6.4 to 6.6; RFC 4585; RFC 5104 section 4.3.1; RFC 3611 sections 4.4, 4.5;
draft-alvestrand-rmcat-remb-03; transport-wide feedback.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...base import Drops, Instant
from ...errors import ParseError
from ...rtp import rtcp, streams
from .inbound import Inbound
from .outbound import Outbound

_MAX_EARLY: Final = 32
"""Sender reports kept of sources from which nothing came yet."""


@dataclass(slots=True)
class Told:
    """What a burst of RTCP brought that the session acts upon."""

    rtts: list[float] = field(default_factory=list)
    byes: list[Inbound] = field(default_factory=list)
    bitrate: int | None = None
    results: list[streams.PacketResult] = field(default_factory=list)
    extended: list[rtcp.ExtendedReport] = field(default_factory=list)
    reporters: set[int] = field(default_factory=set)
    """The SSRCs that reports came from."""


class RtcpReader:
    """Hands messages to streams. The tables are the session's own, looked at anew for each message."""

    def __init__(
        self,
        sources: dict[int, Inbound],
        outbound: dict[int, Outbound],
        repairs: dict[int, Outbound],
        twcc: streams.TwccSender,
        drops: Drops,
    ) -> None:
        self._sources = sources
        self._outbound = outbound
        self._repairs = repairs
        self._twcc = twcc
        self._drops = drops
        self._early: dict[int, tuple[rtcp.SenderReport, Instant]] = {}
        self.packets_received = 0

    def source_began(self, inbound: Inbound) -> None:
        """A report may have overtaken the first packet of its source: its clocks are of use from the first frame on."""
        early = self._early.pop(inbound.ssrc, None)
        if early is not None:
            inbound.receive_report(*early)

    def receive(self, data: bytes, now: Instant, told: Told) -> None:
        try:
            packets = rtcp.parse_compound(data)
        except ParseError:
            self._drops.add("malformed rtcp")
            return
        self.packets_received += 1
        for packet in packets:
            self._take(packet, now, told)

    def _take(self, packet: rtcp.RtcpPacket, now: Instant, told: Told) -> None:
        if isinstance(packet, rtcp.SenderReport):
            told.reporters.add(packet.ssrc)
            inbound = self._sources.get(packet.ssrc)
            if inbound is not None:
                inbound.receive_report(packet, now)
            else:
                self._early.pop(packet.ssrc, None)
                self._early[packet.ssrc] = (packet, now)
                if len(self._early) > _MAX_EARLY:
                    del self._early[next(iter(self._early))]
            self._blocks(packet.reports, now, told)
        elif isinstance(packet, rtcp.ReceiverReport):
            told.reporters.add(packet.ssrc)
            self._blocks(packet.reports, now, told)
        elif isinstance(packet, rtcp.TransportCc):
            told.results += self._twcc.receive(packet)
        elif isinstance(packet, rtcp.Nack):
            outbound = self._outbound.get(packet.media_ssrc)
            if outbound is not None:
                outbound.receive_nack(packet)
            else:
                self._drops.add("feedback for no stream")
        elif isinstance(packet, rtcp.Pli):
            outbound = self._outbound.get(packet.media_ssrc)
            if outbound is not None:
                outbound.receive_keyframe_request(packet)
            else:
                self._drops.add("feedback for no stream")
        elif isinstance(packet, rtcp.Fir):
            for item in packet.items[:64]:
                outbound = self._outbound.get(item.ssrc)
                if outbound is not None:
                    outbound.receive_keyframe_request(packet)
        elif isinstance(packet, rtcp.SourceDescription):
            for chunk in packet.chunks:
                inbound = self._sources.get(chunk.ssrc)
                if inbound is not None:
                    inbound.cname = chunk.cname or inbound.cname
        elif isinstance(packet, rtcp.Bye):
            told.byes += [self._sources[ssrc] for ssrc in packet.ssrcs if ssrc in self._sources]
        elif isinstance(packet, rtcp.Remb):
            told.bitrate = packet.bitrate_bps
        elif isinstance(packet, rtcp.ExtendedReport):
            told.extended.append(packet)

    def _blocks(self, blocks: tuple[rtcp.ReportBlock, ...], now: Instant, told: Told) -> None:
        for block in blocks:
            outbound = self._outbound.get(block.ssrc)
            if outbound is None:
                repaired = self._repairs.get(block.ssrc)
                if repaired is not None:
                    repaired.rtx_identified = True
                continue
            outbound.identified = True
            outbound.last_report_at = now
            rtt = outbound.sent.receive_report_block(block, now)
            if rtt is not None:
                outbound.total_round_trip_time += rtt
                told.rtts.append(rtt)
