"""Streams over bad links, on virtual time: repair within its deadline, a delay that follows the jitter, synchrony."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.streams import (
    Item,
    JitterBuffer,
    JitterBufferConfig,
    Lost,
    NackConfig,
    NackGenerator,
    ReceivedStream,
    ReceiverConfig,
    ReportConfig,
    Reporter,
    ReportScheduler,
    RtxConfig,
    RtxReceiver,
    RtxSender,
    SenderConfig,
    SentStream,
    TwccReceiver,
    TwccSender,
    XrConfig,
    XrReporter,
)
from webrtc_stack.sim import Link, LinkConfig

SEEDS = (1, 2, 3)


@dataclass
class Outcome:
    """What a run of `play` showed."""

    played: list[int] = field(default_factory=list)
    lost: int = 0
    delays: list[tuple[float, float]] = field(default_factory=list)
    most_missing: int = 0
    most_held: int = 0
    retransmitted: int = 0
    requested: int = 0
    stream: ReceivedStream | None = None
    sender: SentStream | None = None


def play(
    seed: int,
    phases: list[tuple[float, LinkConfig]],
    *,
    repair: bool = True,
    back: LinkConfig | None = None,
    interval: float = 0.01,
    config: JitterBufferConfig | None = None,
    repair_delay: float = 0.0,
) -> Outcome:
    """Sends a packet each `interval` through `phases` of (until when, which link), with NACKs on the way back."""
    entropy = SeededEntropy(seed)
    forth = Link(phases[0][1], entropy.fork("forth"))
    reverse = Link(back or LinkConfig(latency=0.03), entropy.fork("back"))
    sent = SentStream(1, SenderConfig(clock_rate=90_000, entropy=entropy))
    rtx = RtxSender(RtxConfig(ssrc=2, payload_types={96: 97}, entropy=entropy))
    rtx_in = RtxReceiver()
    rtx_in.associate(2, 1, {97: 96})
    stream = ReceivedStream(1, ReceiverConfig(clock_rate=90_000))
    nacks = NackGenerator(NackConfig(initial_rtt=0.07))
    buffer = JitterBuffer(config or JitterBufferConfig())
    buffer.set_repair_delay(repair_delay)
    outcome = Outcome(stream=stream, sender=sent)
    queue: list[tuple[float, int, str, object]] = []
    order = 0

    def later(at: float, kind: str, what: object) -> None:
        nonlocal order
        order += 1
        heapq.heappush(queue, (at, order, kind, what))

    def transmit(packet: RtpPacket, now: float) -> None:
        data = packet.serialize()
        for at in forth.admit(len(data), now):
            later(at, "rtp", data)

    end = phases[-1][0]
    later(0.0, "send", None)
    numbers: dict[int, int] = {}
    count = 0
    while queue:
        now, _, kind, what = heapq.heappop(queue)
        forth.config = next((link for until, link in phases if now < until), phases[-1][1])
        if kind == "send":
            packet = RtpPacket(payload_type=96, timestamp=sent.timestamp(now), payload=count.to_bytes(4, "big") * 100)
            transmit(sent.stamp(packet, now), now)
            rtx.sent(packet, now)
            count += 1
            if now + interval < end:
                later(now + interval, "send", None)
        elif kind == "rtp":
            assert isinstance(what, bytes)
            packet, repaired = RtpPacket.parse(what), False
            index: int | None
            if packet.ssrc == 2:
                original = rtx_in.unwrap(packet)
                assert original is not None
                packet, repaired = original, True
                index = stream.index_of(packet.sequence_number)
            else:
                index = stream.receive(packet, now)
            assert index is not None
            nacks.received(index, now)
            numbers[index] = int.from_bytes(packet.payload[:4], "big")
            buffer.push(Item(index, index, packet.timestamp, packet), now, repaired=repaired)
            outcome.delays.append((now, buffer.delay))
        elif kind == "nack":
            assert isinstance(what, tuple)
            for answer in rtx.answer(what, now, 0.07):
                transmit(answer, now)
        if repair and nacks.next_timeout() <= now:
            message = nacks.message(9, 1, now)
            if message is not None:
                for at in reverse.admit(len(message.serialize()), now):
                    later(at, "nack", message.lost)
        for found in buffer.pop(now):
            if isinstance(found, Lost):
                outcome.lost += found.last - found.first + 1
            else:
                outcome.played.append(numbers.pop(found.first))
        if buffer.next_index is not None:
            nacks.forget_before(buffer.next_index)
        outcome.most_missing = max(outcome.most_missing, len(nacks))
        outcome.most_held = max(outcome.most_held, len(buffer))
        wake = min(nacks.next_timeout() if repair else 1e9, buffer.next_timeout())
        if now < wake < 1e9 and (not queue or wake < queue[0][0]):
            later(wake, "wake", None)
    outcome.retransmitted = rtx.packets_sent
    outcome.requested = nacks.counters.requested
    assert outcome.played == sorted(set(outcome.played)), "order, each once"
    return outcome


@pytest.mark.parametrize("seed", SEEDS)
def test_five_percent_loss_is_repaired_within_a_quarter_of_a_second(seed: int) -> None:
    lossy = [(20.0, LinkConfig(latency=0.03, loss=0.05))]
    config = JitterBufferConfig(max_delay=0.25)
    bare = play(seed, lossy, repair=False, config=config, repair_delay=0.2)
    repaired = play(seed, lossy, config=config, repair_delay=0.2, back=LinkConfig(latency=0.03, loss=0.05))
    assert bare.lost > 60
    assert repaired.lost <= 4
    assert len(repaired.played) >= 1990
    assert repaired.most_missing < 30 and repaired.retransmitted < 250


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_reordering_and_duplicates_are_repaired_too(seed: int) -> None:
    link = LinkConfig(
        latency=0.03, jitter=0.01, burst_enter=0.005, burst_leave=0.3, reorder=0.05, reorder_delay=0.02, duplicate=0.02
    )
    outcome = play(seed, [(20.0, link)], config=JitterBufferConfig(max_delay=0.4), repair_delay=0.25)
    assert outcome.lost <= 6 and len(outcome.played) >= 1985
    assert outcome.most_held <= 60


@pytest.mark.parametrize("seed", SEEDS)
def test_the_delay_follows_the_jitter_up_and_down(seed: int) -> None:
    calm = LinkConfig(latency=0.03, jitter=0.004)
    wild = LinkConfig(latency=0.03, jitter=0.004, reorder=0.2, reorder_delay=0.12)
    outcome = play(seed, [(20.0, calm), (40.0, wild), (80.0, calm)], repair=False)

    def delay_at(when: float) -> float:
        return next(delay for at, delay in outcome.delays if at >= when)

    assert delay_at(19.0) < 0.03
    assert 0.11 < delay_at(24.0) < 0.16  # up within four seconds
    assert 0.11 < delay_at(39.0) < 0.16
    assert delay_at(79.0) < 0.03  # and down again
    drop = [(a, b) for a, b in zip(outcome.delays, outcome.delays[1:], strict=False) if b[1] < a[1]]
    assert all(a[1] - b[1] <= (b[0] - a[0]) * 0.05 + 1e-9 for a, b in drop)  # never faster than the ear allows


def test_on_a_calm_link_almost_everything_is_in_time() -> None:
    outcome = play(4, [(30.0, LinkConfig(latency=0.05, jitter=0.03))], repair=False)
    assert outcome.lost == 0 and len(outcome.played) == 3000
    assert outcome.delays[-1][1] < 0.06


def test_an_outage_leaves_no_queue_behind() -> None:
    up, down = LinkConfig(latency=0.03), LinkConfig(up=False)
    outcome = play(5, [(5.0, up), (12.0, down), (20.0, up)])
    assert outcome.most_missing <= 1000 and outcome.most_held < 300
    assert outcome.played[-1] == 1999
    assert outcome.stream is not None and outcome.sender is not None
    assert outcome.stream.packets_lost == outcome.sender.packets_sent - outcome.stream.packets_received


def test_a_run_depends_on_its_seed_alone() -> None:
    link = [(5.0, LinkConfig(latency=0.03, jitter=0.02, loss=0.1, reorder=0.1))]
    assert play(6, link).delays == play(6, link).delays


def test_transport_feedback_over_a_lossy_link_tells_the_truth() -> None:
    entropy = SeededEntropy(7)
    link = Link(LinkConfig(latency=0.02, jitter=0.03, loss=0.1, reorder=0.1), entropy)
    sender, receiver = TwccSender(first=65000), TwccReceiver()
    arrivals: list[tuple[float, int]] = []
    truth: dict[int, float] = {}
    for step in range(2000):
        number = sender.sent(1, 1200, step / 200)
        for at in link.admit(1200, step / 200):
            truth[number] = at
            arrivals.append((at, number))
    told: dict[int, float] = {}
    now = 0.0
    for at, number in [*sorted(arrivals), (99.0, -1)]:
        while receiver.next_timeout() <= at:
            now = receiver.next_timeout()
            for message in receiver.messages(1, now):
                for result in sender.receive(message):
                    if result.received:
                        assert result.arrival is not None
                        told[result.sequence_number] = result.arrival
        if number >= 0:
            receiver.receive(number, 1, at)
    assert told.keys() == truth.keys()
    shift = [told[number] - truth[number] for number in truth]
    assert max(shift) - min(shift) < 0.0003
    assert len(sender) <= 250  # what was lost


@pytest.mark.parametrize("seed", SEEDS)
def test_a_receiver_that_sends_nothing_measures_its_round_trip_over_a_lossy_link(seed: int) -> None:
    """Reports of both sides at their own random times; their clocks are 37 minutes apart."""
    entropy = SeededEntropy(seed)
    links = {
        "sender": Link(LinkConfig(latency=0.03, jitter=0.02, loss=0.2), entropy.fork("forth")),
        "receiver": Link(LinkConfig(latency=0.05, jitter=0.02, loss=0.2), entropy.fork("back")),
    }
    stream = SentStream(1, SenderConfig(wall_epoch=1.7e9, entropy=entropy))
    xr = {"sender": XrReporter(XrConfig(wall_epoch=1.7e9)), "receiver": XrReporter(XrConfig(wall_epoch=1.7e9 + 2220))}
    reporters = {"sender": Reporter(1, "sender"), "receiver": Reporter(9, "receiver")}
    schedulers = {side: ReportScheduler(ReportConfig(entropy=entropy.fork(side)), 0.0) for side in links}
    other = {"sender": "receiver", "receiver": "sender"}
    arrivals: list[tuple[float, int, str, bytes]] = []
    measured: list[float] = []
    order = 0
    while True:
        side, now = min(
            ((s, scheduler.next_timeout()) for s, scheduler in schedulers.items()), key=lambda pair: pair[1]
        )
        while arrivals and arrivals[0][0] <= now:
            at, _, to, data = heapq.heappop(arrivals)
            rtt = xr[to].receive_many(rtcp.parse_compound(data), at)
            if rtt is not None:
                measured.append(rtt)
        if now > 60.0:
            break
        if schedulers[side].due(now) != "regular":
            continue
        stream.stamp(RtpPacket(timestamp=stream.timestamp(now), payload=b"media"), now)
        sent = [stream] if side == "sender" else []
        packets = reporters[side].compound(now, sent=sent, xr=xr[side])
        rtcp.check_compound(packets)
        data = rtcp.serialize_compound(packets)
        schedulers[side].sent(len(data), now, regular=True)
        for at in links[side].admit(len(data), now):
            order += 1
            heapq.heappush(arrivals, (at, order, other[side], data))
    receiver = xr["receiver"]
    assert len(measured) == receiver.rtt_measurements > 40
    assert all(0.0799 <= rtt <= 0.1201 for rtt in measured)
    assert receiver.rtt is not None and 0.09 < receiver.rtt < 0.11
    assert xr["sender"].rtt is None and xr["sender"].counters.references_sent == 0
    assert receiver.counters.references_sent > xr["sender"].counters.answers_sent > receiver.rtt_measurements
    assert receiver.counters.answers_ignored == 0
