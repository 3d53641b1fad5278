"""`DataChannels` against a peer that speaks perfect SCTP and says anything on it.

The input is a program: each step is `op stream ppid length payload`. Ops send a message, reset streams, let time pass,
let the application under test open, send and close. Afterwards both sides close, and every channel must have ended
exactly once, before the one `Closed`.
"""

from __future__ import annotations

from collections import Counter

from webrtc_stack import sctp
from webrtc_stack.base import NEVER, SeededEntropy
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelHandle,
    ChannelOpened,
    Closed,
    DataChannelOpen,
    DataChannels,
    DataChannelsConfig,
    DataChannelsEvent,
    MessageReceived,
)
from webrtc_stack.errors import ResourceError, UsageError

COUNT = 300

_PPIDS = (50, 51, 52, 53, 54, 56, 57, 0)


def _step(op: int, stream_id: int, ppid: int, payload: bytes) -> bytes:
    return bytes((op, stream_id, ppid, len(payload))) + payload


_OPEN = DataChannelOpen(label="x").serialize()

SEEDS: list[bytes] = [
    _step(0, 1, 0, _OPEN) + _step(0, 1, 1, b"hello") + _step(2, 1, 0, b""),
    _step(0, 1, 1, b"early") + _step(0, 1, 0, _OPEN) + _step(0, 1, 0, _OPEN) + _step(3, 20, 0, b""),
    _step(4, 0, 0, b"") + _step(0, 0, 0, b"\x02") + _step(5, 0, 1, b"x") + _step(6, 0, 0, b"") + _step(2, 0, 0, b""),
    _step(4, 1, 0, b"") + _step(2, 0, 0, b"") + _step(4, 0, 0, b"") + _step(0, 0, 2, b"part") + _step(0, 0, 3, b"ial"),
    _step(0, 2, 0, _OPEN) + _step(0, 3, 0, _OPEN[:-1]) + _step(0, 5, 4, b"\xff") + _step(3, 255, 0, b""),
]


class _Bench:
    def __init__(self) -> None:
        self.now = 0.0
        entropy = SeededEntropy("datachannels")
        self.channels = DataChannels(
            DataChannelsConfig(
                sctp=sctp.SctpConfig(entropy=entropy.fork("left")),
                max_remote_channels=4,
                max_refused_streams=4,
                max_early_messages=4,
                max_early_bytes=100,
                max_message_size=50,
            )
        )
        self.peer = sctp.Association(sctp.SctpConfig(entropy=entropy.fork("right")))
        self.events: list[DataChannelsEvent] = []
        self.channels.connect(self.now, dtls_client=True)
        self.peer.connect(self.now)
        self.settle()

    def settle(self) -> None:
        for _ in range(100):
            out = self.channels.poll_transmits(self.now)
            self.events += self.channels.poll_events()
            if out:
                self.peer.receive_many(out, self.now)
            for event in self.peer.poll_events():
                if isinstance(event, sctp.MessageReceived):
                    self.peer.release(len(event.data), self.now)
            back = self.peer.poll_transmits(self.now)
            if back:
                self.channels.receive_many(back, self.now)
            if not out and not back:
                return
        raise AssertionError("the two never come to rest")

    def advance(self, until: float) -> None:
        for _ in range(1000):
            due = min(self.channels.next_timeout(), self.peer.next_timeout())
            if due > until:
                break
            self.now = max(self.now, due)
            self.channels.handle_timeout(self.now)
            self.peer.handle_timeout(self.now)
            self.settle()
        else:
            raise AssertionError("a timer spins")
        if until < NEVER:
            self.now = max(self.now, until)


def fuzz_one(data: bytes) -> None:
    bench = _Bench()
    channels, peer = bench.channels, bench.peer
    position = 0
    for _ in range(64):
        if position + 4 > len(data):
            break
        op, stream_id, ppid, length = data[position : position + 4]
        payload = data[position + 4 : position + 4 + length]
        position += 4 + length
        handles = [ChannelHandle(snapshot.handle) for snapshot in channels.channels()]
        handle = handles[stream_id % len(handles)] if handles else None
        try:
            match op % 8:
                case 0 | 1:
                    peer.send(stream_id, _PPIDS[ppid % 8], payload or b"\0", bench.now, ordered=op % 8 == 0)
                case 2:
                    peer.reset_streams([stream_id], bench.now)
                case 3:
                    bench.advance(bench.now + stream_id / 10)
                case 4:
                    channels.open_channel(
                        "ours", bench.now, negotiated=bool(stream_id & 1), id=ppid, ordered=bool(stream_id & 2)
                    )
                case 5 if handle is not None:
                    channels.send(handle, payload, bench.now)
                case 6 if handle is not None:
                    channels.close_channel(handle, bench.now)
                case 7 if handle is not None:
                    channels.discard_unread(handle, bench.now)
        except (UsageError, ResourceError):
            pass  # the program asked for what cannot be had; nothing changed
        if ppid & 1:
            bench.settle()
    bench.settle()
    channels.close(bench.now)
    bench.advance(bench.now + 10)
    if not any(isinstance(event, Closed) for event in bench.events):
        channels.abort(bench.now)
        bench.settle()
    _check(bench.events)
    assert channels.next_timeout() == NEVER


def _check(events: list[DataChannelsEvent]) -> None:
    assert isinstance(events[-1], Closed)
    assert sum(isinstance(event, Closed) for event in events) == 1
    closed = Counter(event.handle for event in events if isinstance(event, ChannelClosed))
    assert set(closed.values()) <= {1}
    known = {event.handle for event in events if isinstance(event, (ChannelAnnounced, ChannelOpened))}
    assert known <= set(closed)
    open_now: set[ChannelHandle] = set()
    for event in events:
        if isinstance(event, ChannelOpened):
            assert event.handle not in open_now
            open_now.add(event.handle)
        elif isinstance(event, ChannelClosed):
            open_now.discard(event.handle)
        elif isinstance(event, MessageReceived):
            assert event.handle in open_now
            assert len(event.data.encode() if isinstance(event.data, str) else event.data) <= 150
