"""SCTP alone: two associations on a bad link, in virtual time.

No sockets, no DTLS, no event loop: an `Association` is told the time and what arrived, and says what is to be sent and
what happened. Here a `MachinePair` carries the packets, losing every tenth. One stream is reliable; another gives its
messages up after one try; then a stream is reset, and the association ends gracefully.

    python -m webrtc_stack.examples.sctp_alone
"""

from __future__ import annotations

from webrtc_stack import sctp
from webrtc_stack.base import Instant, SeededEntropy
from webrtc_stack.sim import LinkConfig, MachinePair

RELIABLE, LOSSY = 1, 2
BINARY = 53
"""The payload protocol identifier of binary data channel messages (RFC 8831 section 8)."""


def main() -> None:
    entropy = SeededEntropy("sctp alone")
    left = sctp.Association(sctp.SctpConfig(entropy=entropy.fork("left")))
    right = sctp.Association(sctp.SctpConfig(entropy=entropy.fork("right")))
    received = {RELIABLE: 0, LOSSY: 0}

    def happened(side: int, event: object, now: Instant) -> None:
        name = ("left", "right")[side]
        match event:
            case sctp.MessageReceived(stream_id=stream_id, data=data):
                received[stream_id] += 1
                right.release(len(data), now)  # the application is done with it: the window opens again
            case sctp.BufferedAmountDecreased() | sctp.MessageAbandoned():
                pass
            case _:
                print(f"{now:7.3f} s  {name:5}  {event}")

    pair = MachinePair(left, right, seed=1, link=LinkConfig(latency=0.03, loss=0.1), on_event=happened)
    left.connect(pair.now)
    right.connect(pair.now)  # both at once, as browsers do
    for number in range(200):
        left.send(RELIABLE, BINARY, b"kept %d " % number + bytes(2000), pair.now)
        left.send(LOSSY, BINARY, b"perhaps %d" % number, pair.now, ordered=False, max_retransmits=0)
    pair.run(until=30.0)

    counters = left.counters
    print(f"reliable: 200 sent, {received[RELIABLE]} arrived")
    print(f"lossy:    200 sent, {received[LOSSY]} arrived, {counters.messages_abandoned} given up by the sender")
    print(
        f"{counters.packets_sent} packets, {counters.data_chunks_retransmitted} chunks sent again: "
        f"{counters.fast_retransmits} fast recoveries, {counters.probes} probes, {counters.timeouts} time-outs"
    )
    snapshot = left.snapshot()
    round_trip = (snapshot.srtt or 0) * 1000
    print(f"window {snapshot.cwnd} bytes, round trip {round_trip:.1f} ms, {snapshot.flight_bytes} bytes in flight")

    left.reset_streams([LOSSY], pair.now)
    pair.run(until=pair.now + 5)
    left.shutdown(pair.now)
    pair.run(until=pair.now + 5)


if __name__ == "__main__":
    main()
