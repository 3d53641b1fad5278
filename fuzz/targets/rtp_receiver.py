"""`rtp.streams` of the receiving side: any RTP packets at any time leave tables bounded and reports that serialize.

The input is cut into records: milliseconds to wait, then the header fields that matter.
"""

from __future__ import annotations

import struct

from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.extensions import TransportSequence
from webrtc_stack.rtp.streams import (
    CcfbReceiver,
    NackConfig,
    NackGenerator,
    Receivers,
    ReceiversConfig,
    RtxReceiver,
    TwccConfig,
    TwccReceiver,
    Verdict,
    XrConfig,
    XrReporter,
)

_RECORD = struct.Struct(">HBHIB")
COUNT = 2000
SEEDS: list[bytes] = [
    b"".join(_RECORD.pack(20, 1, number, number * 960, 0) for number in range(40)),
    b"".join(_RECORD.pack(5, number % 40, 65530 + number & 0xFFFF, number * 3000, number) for number in range(60)),
    b"".join(_RECORD.pack(9000, 1, number * 7001 & 0xFFFF, number << 27 & 0xFFFFFFFF, 3) for number in range(30)),
]


def fuzz_one(data: bytes) -> None:
    now = 0.0
    table = Receivers(ReceiversConfig(max_unexpected=4, check_csrcs=True))
    table.set_own([3])
    nacks, twcc, ccfb, rtx = NackGenerator(NackConfig(max_missing=50)), TwccReceiver(), CcfbReceiver(), RtxReceiver()
    rtx.associate(5, 1, {97: 96})
    asking, xr = TwccReceiver(TwccConfig(history=16)), XrReporter(XrConfig(max_waiting=8))
    for wait, ssrc, number, timestamp, kind in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        now += wait / 1000
        packet = RtpPacket(
            ssrc=ssrc, sequence_number=number, timestamp=timestamp, payload_type=kind & 127, payload=bytes(kind & 3)
        )
        packet.csrcs = (ssrc ^ 1, kind) if kind & 4 else ()
        arrival = table.receive(packet, now, source=kind & 1)
        if arrival.verdict is Verdict.ACCEPTED:
            nacks.received(arrival.index, now)
        rtx.unwrap(packet)
        twcc.receive(number, ssrc, now)
        ccfb.receive(ssrc, number, now, kind & 3)
        asking.receive_v2(TransportSequence(number, kind, bool(kind & 1)), ssrc, now)
        answer = rtcp.DelaySinceLastRr(items=(rtcp.DlrrItem(1, timestamp, number),))
        asked = rtcp.ReceiverReferenceTime(ntp_timestamp=timestamp << 16)
        xr.receive(rtcp.ExtendedReport(ssrc=number, blocks=(asked, answer)), now)
        assert len(xr) <= 8 and (xr.rtt is None or xr.rtt >= 0)
        assert len(nacks) <= 50 and len(table) <= 5 and len(ccfb) <= 64
        out: list[rtcp.RtcpPacket] = [*twcc.messages(1, now), *ccfb.messages(1, now), *asking.messages(1, now)]
        nack = nacks.message(1, 2, now)
        if nack is not None:
            out.append(nack)
        blocks = tuple(stream.report_block(now) for stream in table.streams())
        out.append(rtcp.ReceiverReport(ssrc=1, reports=blocks))
        extended = xr.report(1, now, sending=bool(kind & 8))
        if extended is not None:
            out.append(extended)
        for message in out:
            assert rtcp.parse_compound(message.serialize())
