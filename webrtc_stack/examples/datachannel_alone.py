"""Data channels without ICE, DTLS or sockets: two `DataChannels` machines that hand each other SCTP packets.

A machine never reads a clock and never sends anything. This page is its driver: it carries packets across a wire of its
own with 20 ms of delay, and tells both machines what time it is. Shown: a channel opened by DCEP, one negotiated out of
band, strings and bytes, back-pressure by `message_consumed`, closing, and the end.

Run: `python -m webrtc_stack.examples.datachannel_alone`
"""

from __future__ import annotations

import heapq

from webrtc_stack.base import SeededEntropy
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelHandle,
    ChannelOpened,
    Closed,
    DataChannels,
    DataChannelsConfig,
    DataChannelsEvent,
    MessageReceived,
)

DELAY = 0.020


class Wire:
    """Both machines, the packets between them, and the time."""

    def __init__(self, alice: DataChannels, bob: DataChannels) -> None:
        self.names = ("alice", "bob")
        self.machines = (alice, bob)
        self.now = 0.0
        self.packets = 0
        self._flying: list[tuple[float, int, int, bytes]] = []

    def run(self, seconds: float) -> None:
        """Lets so much time pass, and shows what the machines report meanwhile."""
        end = self.now + seconds
        while True:
            for side, machine in enumerate(self.machines):
                for packet in machine.poll_transmits(self.now):
                    self.packets += 1
                    heapq.heappush(self._flying, (self.now + DELAY, self.packets, 1 - side, packet))
                for event in machine.poll_events():
                    show(self.now, self.names[side], event)
                    if isinstance(event, MessageReceived):
                        # Only now does the window open for as many bytes: a reader who stops, stops the sender.
                        machine.message_consumed(event.handle, event.size, self.now)
            due = min(machine.next_timeout() for machine in self.machines)
            if self._flying:
                due = min(due, self._flying[0][0])
            if due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, side, packet = heapq.heappop(self._flying)
                self.machines[side].receive(packet, self.now)
            for machine in self.machines:
                machine.handle_timeout(self.now)


def show(now: float, who: str, event: DataChannelsEvent) -> None:
    match event:
        case ChannelAnnounced(handle, label):
            line = f"hears of channel {handle}, {label!r}"
        case ChannelOpened(handle, stream_id):
            line = f"has channel {handle} open on stream {stream_id}"
        case MessageReceived(handle, data):
            text = repr(data) if len(data) < 40 else f"{len(data)} bytes"
            line = f"receives on channel {handle}: {text}"
        case ChannelClosing(handle, by_peer):
            line = f"has channel {handle} closing" + (", the other side began" if by_peer else "")
        case ChannelClosed(handle, error):
            line = f"has channel {handle} closed" + (f": {error}" if error else "")
        case Closed(reason):
            line = f"is done: {reason}"
        case _:
            line = f"reports {type(event).__name__}"
    print(f"{now:6.3f} s  {who:<5}  {line}")


def main() -> None:
    # Entropy is injected like time is: with seeds, every run is the same. Leave it out for real connections.
    alice = DataChannels(DataChannelsConfig(entropy=SeededEntropy("alice")))
    bob = DataChannels(DataChannelsConfig(entropy=SeededEntropy("bob")))
    wire = Wire(alice, bob)

    chat: ChannelHandle = alice.open_channel("chat", wire.now)
    game = alice.open_channel("game", wire.now, negotiated=True, id=10, ordered=False, max_retransmits=0)
    bob.open_channel("game", wire.now, negotiated=True, id=10, ordered=False, max_retransmits=0)
    alice.connect(wire.now, dtls_client=True)
    bob.connect(wire.now, dtls_client=False)
    wire.run(0.2)

    alice.send(chat, "hello", wire.now)
    alice.send(chat, "", wire.now)
    alice.send(chat, bytes(50_000), wire.now)
    alice.send(game, b"x=3 y=4", wire.now)
    wire.run(1.0)

    alice.close_channel(chat, wire.now)
    wire.run(0.5)
    snapshot = alice.channel(chat)
    print(f"           alice's chat: {snapshot.messages_sent} messages, {snapshot.bytes_sent} bytes, {snapshot.state}")

    alice.close(wire.now)
    wire.run(5.0)
    print(f"           {wire.packets} SCTP packets in all")


if __name__ == "__main__":
    main()
