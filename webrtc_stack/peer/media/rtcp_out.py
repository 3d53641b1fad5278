"""What this side reports: regular compound packets, early feedback, goodbyes.

One RTCP sender a session, as all sections share a transport (RFC 8843 section 9.1): its reports cover every source
received and every stream sent, in turns where they do not fit one packet.

Spec: RFC 3550 sections 6.1 to 6.6; RFC 4585 section 3.5; RFC 5506; RFC 3611 sections 4.4, 4.5. Left out: RTCP of
its own for each section (`rtcp-mux-only` bundles have none), APP packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...base import Instant
from ...rtp import rtcp, streams
from .config import MediaConfig
from .inbound import Inbound

_MAX_SENDERS: Final = 6
"""Sender reports in one packet: with 31 report blocks and their names it stays below 1,200 bytes."""


class RtcpWriter:
    """Builds RTCP packets, in plain."""

    def __init__(
        self,
        config: MediaConfig,
        ssrc: int,
        cname: str,
        *,
        reduced_size: bool,
        video: bool,
        ask_rtt: bool,
        now: Instant,
    ):
        self._config = config
        self.reduced_size = reduced_size
        self.video = video
        self.ask_rtt = ask_rtt
        report = streams.ReportConfig(
            session_bandwidth_bps=config.rtcp_bandwidth_bps * 20,
            minimum_interval=config.video_report_interval if video else config.audio_report_interval,
            reduced_minimum=False,
            reduced_size=reduced_size,
            max_report_packets=1,
            entropy=config.entropy.fork("rtcp"),
        )
        self.reporter = streams.Reporter(ssrc, cname, report)
        self.scheduler = streams.ReportScheduler(report, now)
        self.extended = streams.XrReporter(
            streams.XrConfig(wall_epoch=config.wall_epoch, ask=ask_rtt, trace=config.trace)
        )
        self._farewells: list[int] = []
        self._turn = 0
        self.reports_sent = 0

    def take_over(self, before: RtcpWriter) -> None:
        """Goes on where another one ended."""
        self._farewells = before._farewells
        self.reports_sent = before.reports_sent

    def renamed(self, ssrc: int, cname: str) -> None:
        """Reports come from another SSRC, or under another name, from now on."""
        self.reporter.ssrc = ssrc
        self.reporter.cname = cname

    def leave(self, ssrcs: Sequence[int]) -> None:
        """These streams of ours have ended: the next packet says BYE for them."""
        self._farewells.extend(ssrcs)

    def feedback_at(self, inbounds: Sequence[Inbound], twcc: streams.TwccReceiver) -> Instant:
        """When there is something to feed back."""
        if self._farewells:
            return 0.0
        at = twcc.next_timeout()
        for inbound in inbounds:
            due = inbound.feedback_at()
            if due < at:
                at = due
        return at

    def next_timeout(self, feedback_at: Instant, now: Instant) -> Instant:
        """When to call `build`."""
        scheduler = self.scheduler
        if feedback_at <= now:
            scheduler.request_feedback()
            return scheduler.next_timeout()
        scheduler.withdraw_feedback()
        return min(feedback_at, scheduler.next_timeout())

    def build(
        self,
        inbounds: Sequence[Inbound],
        received: Sequence[streams.ReceivedStream],
        sent: Sequence[streams.SentStream],
        twcc: streams.TwccReceiver,
        now: Instant,
    ) -> list[bytes]:
        """What is due now, one entry a datagram."""
        due = self.feedback_at(inbounds, twcc)
        scheduler = self.scheduler
        if due <= now:
            scheduler.request_feedback()
        else:
            scheduler.withdraw_feedback()
        kind = scheduler.due(now)
        if not kind:
            return []
        datagrams = []
        if kind == "regular":
            compound = self.reporter.compound(now, sent=self._in_turn(sent), received=received, xr=self.extended)
            datagrams.append(rtcp.serialize_compound(compound))
            self.reports_sent += 1
        if due <= now:
            datagrams += self._feedback(self._collect(inbounds, twcc, now))
        if self._farewells:
            gone, self._farewells = tuple(self._farewells[:31]), self._farewells[31:]
            datagrams.append(rtcp.serialize_compound(self.reporter.compound(now, feedback=[rtcp.Bye(ssrcs=gone)])))
        for number, data in enumerate(datagrams):
            scheduler.sent(len(data), now, regular=kind == "regular" and not number)
        return datagrams

    def _in_turn(self, sent: Sequence[streams.SentStream]) -> Sequence[streams.SentStream]:
        active = [stream for stream in sent if stream.last_packet_at is not None]
        if len(active) <= _MAX_SENDERS:
            return active
        start = self._turn % len(active)
        self._turn = start + _MAX_SENDERS
        return (active[start:] + active[:start])[:_MAX_SENDERS]

    def _collect(self, inbounds: Sequence[Inbound], twcc: streams.TwccReceiver, now: Instant) -> list[rtcp.RtcpPacket]:
        ssrc = self.reporter.ssrc
        found: list[rtcp.RtcpPacket] = []
        for inbound in inbounds:
            nack = inbound.nack
            if nack is not None and nack.next_timeout() <= now:
                message = nack.message(ssrc, inbound.ssrc, now)
                if message is not None:
                    inbound.nack_count += 1
                    found.append(message)
            if inbound.requester.next_timeout() <= now:
                request = inbound.requester.message(ssrc, now)
                if isinstance(request, rtcp.Pli):
                    inbound.pli_count += 1
                elif request is not None:
                    inbound.fir_count += 1
                if request is not None:
                    found.append(request)
        if twcc.next_timeout() <= now:
            found += twcc.messages(ssrc, now)
        return found

    def _feedback(self, packets: list[rtcp.RtcpPacket]) -> list[bytes]:
        """Packs messages into datagrams that fit."""
        room = self._config.max_datagram_bytes - 96  # SRTCP's trailer; RR and SDES where reduced size is not agreed
        datagrams: list[list[rtcp.RtcpPacket]] = []
        size = 0
        for packet in packets:
            length = len(packet.serialize())
            if not datagrams or size + length > room:
                datagrams.append([])
                size = 0
            datagrams[-1].append(packet)
            size += length
        return [rtcp.serialize_compound(self.reporter.feedback(group)) for group in datagrams]

    def goodbye(self, sent: Sequence[streams.SentStream], now: Instant, reason: str) -> bytes:
        """The last packet."""
        active = [stream for stream in sent if stream.last_packet_at is not None][:_MAX_SENDERS]
        rest = [stream.ssrc for stream in sent if stream.last_packet_at is not None][_MAX_SENDERS:31]
        bye = self.reporter.bye(now, sent=active, reason=reason)
        if rest:
            bye.append(rtcp.Bye(ssrcs=tuple(rest)))
        return rtcp.serialize_compound(bye)
