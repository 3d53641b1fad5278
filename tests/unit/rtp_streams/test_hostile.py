"""Nothing grows: many packets with hostile numbers, and tables stay at their limits."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from types import FunctionType, ModuleType

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.extensions import TransportSequence
from webrtc_stack.rtp.streams import (
    CcfbConfig,
    CcfbReceiver,
    CcfbSender,
    HistoryConfig,
    Item,
    JitterBuffer,
    JitterBufferConfig,
    KeyframeConfig,
    KeyframeDemand,
    NackConfig,
    NackGenerator,
    Receivers,
    ReceiversConfig,
    RtxConfig,
    RtxSender,
    SentHistory,
    TwccConfig,
    TwccReceiver,
    TwccSender,
    Verdict,
    XrConfig,
    XrReporter,
)


class Session:
    """Every part that the network can fill, with small limits, never polled."""

    def __init__(self) -> None:
        self.table = Receivers(ReceiversConfig(max_unexpected=8, unexpected_timeout=0.01, max_conflicts=4))
        self.table.set_own([0])
        self.nacks = NackGenerator(NackConfig(max_missing=100))
        self.twcc = TwccReceiver(TwccConfig(max_pending=100, history=50))
        self.ccfb = CcfbReceiver(CcfbConfig(max_streams=4, max_pending=50))
        self.ccfb_sender = CcfbSender(CcfbConfig(max_streams=4, max_in_flight=50))
        self.twcc_sender = TwccSender(TwccConfig(max_in_flight=50))
        self.buffer = JitterBuffer(JitterBufferConfig(max_items=50))
        rtx = RtxConfig(ssrc=2, payload_types={0: 97})
        self.rtx = RtxSender(rtx, SentHistory(HistoryConfig(max_packets=50)))
        self.demand = KeyframeDemand(1, KeyframeConfig(max_requesters=8))
        self.xr = XrReporter(XrConfig(max_waiting=8))

    def feed(self, chance: bytes, now: float) -> None:
        ssrc, number, small = chance[0], int.from_bytes(chance[1:3], "big"), chance[3] & 7
        timestamp = int.from_bytes(chance[4:8], "big")
        packet = RtpPacket(ssrc=ssrc, sequence_number=number, timestamp=timestamp, payload=chance)
        arrival = self.table.receive(packet, now, source=chance[2])
        if arrival.verdict is Verdict.ACCEPTED:
            self.nacks.received(arrival.index, now)
            self.buffer.push(Item(arrival.index, arrival.index + small, timestamp, chance), now)
        self.nacks.received(number + small * 65536, now)
        self.buffer.push(Item(number, number + small, timestamp, chance), now)
        self.twcc.receive(number, ssrc, now)
        self.twcc.receive_v2(TransportSequence(number, small, True), ssrc, now)
        self.ccfb.receive(ssrc, number, now)
        self.ccfb_sender.sent(ssrc, number, 100, now)
        self.twcc_sender.sent(ssrc, 100, now)
        self.rtx.sent(packet, now)
        self.rtx.answer([number, number ^ 1], now)
        self.demand.receive(rtcp.Fir(sender_ssrc=timestamp, items=(rtcp.FirItem(1, small),)))
        blocks = (
            rtcp.ReceiverReferenceTime(ntp_timestamp=timestamp),
            rtcp.DelaySinceLastRr(items=(rtcp.DlrrItem(number, 1, 1),)),
        )
        self.xr.receive(rtcp.ExtendedReport(ssrc=number, blocks=blocks), now)

    def assert_bounded(self) -> None:
        assert len(self.table) <= 8
        assert len(self.nacks) <= 100
        assert len(self.ccfb) <= 4
        assert len(self.ccfb_sender) <= 50 and len(self.twcc_sender) <= 50
        assert len(self.buffer) <= 50
        assert len(self.rtx.history) <= 50
        assert len(self.xr) <= 8


def feed(session: Session, count: int, offset: int = 0) -> None:
    chance = SeededEntropy(5).bytes(8 * 2000)
    for step in range(offset, offset + count):
        at = step % 2000 * 8
        session.feed(bytes((chance[at], (chance[at + 1] + step) & 0xFF, *chance[at + 2 : at + 8])), step / 1000)


def held(root: object) -> int:
    """Bytes of everything that `root` keeps alive, code and classes aside."""
    seen: set[int] = set()
    waiting, total = [root], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting += gc.get_referents(one)
    return total


def test_hostile_packets_leave_every_table_at_its_limit() -> None:
    session = Session()
    feed(session, 2000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        feed(session, 20_000, 2000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    session.assert_bounded()
    assert after - before < 1 << 20


@pytest.mark.slow
def test_a_million_hostile_packets_leave_every_table_at_its_limit() -> None:
    # Each packet goes through all parts, which tracemalloc makes five times as slow: beyond a minute for a million.
    # So the bytes that the parts keep alive are counted before and after, and all blocks of the interpreter.
    session = Session()
    feed(session, 2000)
    gc.collect()
    blocks, before = sys.getallocatedblocks(), held(session)
    assert before > 20_000
    feed(session, 1_000_000, 2000)
    gc.collect()
    session.assert_bounded()
    assert held(session) - before < 1 << 20
    assert sys.getallocatedblocks() - blocks < 20_000
