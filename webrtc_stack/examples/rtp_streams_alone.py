"""RTP streams alone: a stream over a lossy link, repaired, played in time, and reported on.

No sockets, no keys, no event loop: two ends, and a simulated link each way, on a virtual clock. The sender keeps what
it sent; the receiver asks for what is missing (NACK) and gets it again in a stream of its own (RTX); a jitter buffer
decides when each packet plays and when to wait no longer; reports carry loss, jitter and round-trip times, also to the
end that sends no media (RRTR and DLRR). The same seed gives the same run.

    python -m webrtc_stack.examples.rtp_streams_alone
"""

from __future__ import annotations

import heapq

from webrtc_stack.base import Instant, SeededEntropy
from webrtc_stack.rtp import RtpPacket, is_rtcp, rtcp
from webrtc_stack.rtp import streams as s
from webrtc_stack.sim import Link, LinkConfig

MEDIA, RTX, RECEIVER = 0x1001, 0x1002, 0x2001
OPUS, OPUS_RTX, CLOCK_RATE = 111, 112, 48_000
SECONDS, STEP = 20.0, 0.02


class Sender:
    """Sends a packet each 20 ms, keeps it for a while, answers NACKs, reports."""

    def __init__(self, entropy: SeededEntropy) -> None:
        self.stream = s.SentStream(MEDIA, s.SenderConfig(clock_rate=CLOCK_RATE, wall_epoch=1.8e9, entropy=entropy))
        self.rtx = s.RtxSender(s.RtxConfig(ssrc=RTX, payload_types={OPUS: OPUS_RTX}, entropy=entropy))
        self.reporter, self.xr = s.Reporter(MEDIA, "sender"), s.XrReporter(s.XrConfig(wall_epoch=1.8e9))
        self.schedule = s.ReportScheduler(s.ReportConfig(entropy=entropy.fork("sender")), 0.0)
        self.next_packet: Instant = 0.0

    def next_timeout(self) -> Instant:
        return min(self.next_packet, self.schedule.next_timeout())

    def handle_timeout(self, now: Instant) -> list[bytes]:
        out = []
        if now >= self.next_packet:
            self.next_packet += STEP
            packet = RtpPacket(payload_type=OPUS, timestamp=self.stream.timestamp(now), payload=bytes(100))
            out.append(self.stream.stamp(packet, now).serialize())
            self.rtx.sent(packet, now)
        if self.schedule.due(now) == "regular":
            out.append(rtcp.serialize_compound(self.reporter.compound(now, sent=[self.stream], xr=self.xr)))
            self.schedule.sent(len(out[-1]), now, regular=True)
        return out

    def receive(self, data: bytes, now: Instant) -> list[bytes]:
        out = []
        for item in rtcp.parse_compound(data):
            if isinstance(item, rtcp.Nack):
                out += [packet.serialize() for packet in self.rtx.answer(item.lost, now, self.stream.rtt)]
            elif isinstance(item, rtcp.ReceiverReport):
                for block in item.reports:
                    self.stream.receive_report_block(block, now)
            elif isinstance(item, rtcp.ExtendedReport):
                self.xr.receive(item, now)
        return out


class Receiver:
    """Numbers and counts what comes, asks for the rest, plays in order and in time."""

    def __init__(self, entropy: SeededEntropy) -> None:
        self.stream = s.ReceivedStream(MEDIA, s.ReceiverConfig(clock_rate=CLOCK_RATE))
        self.nacks, self.rtx = s.NackGenerator(), s.RtxReceiver()
        self.rtx.associate(RTX, MEDIA, {OPUS_RTX: OPUS})
        self.buffer = s.JitterBuffer(s.JitterBufferConfig(clock_rate=CLOCK_RATE))
        self.reporter, self.xr = s.Reporter(RECEIVER, "receiver"), s.XrReporter()
        self.schedule = s.ReportScheduler(s.ReportConfig(entropy=entropy.fork("receiver")), 0.0)
        self.played = self.lost = 0

    def next_timeout(self) -> Instant:
        return min(self.nacks.next_timeout(), self.buffer.next_timeout(), self.schedule.next_timeout())

    def handle_timeout(self, now: Instant) -> list[bytes]:
        for found in self.buffer.pop(now):
            if isinstance(found, s.Lost):
                self.lost += found.last - found.first + 1
            else:
                self.played += 1  # a player decodes found.data.payload now
        if self.buffer.next_index is not None:
            self.nacks.forget_before(self.buffer.next_index)
        out = []
        nack = self.nacks.message(RECEIVER, MEDIA, now)
        if nack is not None:
            out.append(rtcp.serialize_compound(self.reporter.feedback([nack])))
        if self.schedule.due(now) == "regular":
            out.append(rtcp.serialize_compound(self.reporter.compound(now, received=[self.stream], xr=self.xr)))
            self.schedule.sent(len(out[-1]), now, regular=True)
        return out

    def receive(self, data: bytes, now: Instant) -> list[bytes]:
        if is_rtcp(data):
            for item in rtcp.parse_compound(data):
                if isinstance(item, rtcp.SenderReport):
                    self.stream.receive_sender_report(item, now)
                elif isinstance(item, rtcp.ExtendedReport) and self.xr.receive(item, now) is not None:
                    self.nacks.set_rtt(self.xr.rtt or 0.0)
                    self.buffer.set_repair_delay(2.5 * (self.xr.rtt or 0.0))  # room for two requests and answers
            return []
        packet = RtpPacket.parse(data)
        repaired = packet.ssrc == RTX
        media = self.rtx.unwrap(packet) if repaired else packet
        if media is not None:
            number = media.sequence_number
            index = self.stream.index_of(number) if repaired else self.stream.receive(media, now)
            if index is not None:
                self.nacks.received(index, now)
                self.buffer.push(s.Item(index, index, media.timestamp, media), now, repaired=repaired)
        return []


def run(loss: float) -> None:
    entropy = SeededEntropy(7)
    sender, receiver = Sender(entropy), Receiver(entropy)
    forth = Link(LinkConfig(latency=0.03, jitter=0.015, loss=loss), entropy.fork("forth"))
    back = Link(LinkConfig(latency=0.03, jitter=0.015, loss=loss), entropy.fork("back"))
    ends: dict[str, tuple[Sender | Receiver, Link, str]]
    ends = {"sender": (sender, forth, "receiver"), "receiver": (receiver, back, "sender")}
    travelling: list[tuple[Instant, int, str, bytes]] = []
    order = 0
    while True:
        wakes = {name: end.next_timeout() for name, (end, _, _) in ends.items()}
        name = min(wakes, key=lambda key: wakes[key])
        if travelling and travelling[0][0] <= wakes[name]:
            now, _, name, data = heapq.heappop(travelling)
            end, link, other = ends[name]
            out = end.receive(data, now)
        else:
            now = wakes[name]
            end, link, other = ends[name]
            out = end.handle_timeout(now)
        if now > SECONDS:
            break
        for data in out:
            for at in link.admit(len(data), now):
                order += 1
                heapq.heappush(travelling, (at, order, other, data))

    sent, got = sender.stream, receiver.stream
    print(f"{loss:.0%} loss each way, {SECONDS:.0f} s")
    print(f"  sent       {sent.packets_sent} packets, {sender.rtx.packets_sent} of them again for NACKs")
    print(f"  received   {got.packets_received}, {got.packets_lost} lost on the way, jitter {got.jitter_seconds:.4f} s")
    print(f"  played     {receiver.played}, {receiver.lost} given up, with a delay of {receiver.buffer.delay:.3f} s")
    print(
        f"  reported   {sent.remote_packets_lost} lost, {sent.remote_fraction_lost:.1%} in the last report's interval"
    )
    print(f"  round trip {sent.rtt or 0:.3f} s by the sender's reports, {receiver.xr.rtt or 0:.3f} s by the receiver's")


def main() -> None:
    for loss in (0.0, 0.05, 0.2):
        run(loss)


if __name__ == "__main__":
    main()
