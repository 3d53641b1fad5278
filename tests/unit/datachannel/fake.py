"""An association that only takes notes, for events that a real one makes rarely or never on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from webrtc_stack import sctp
from webrtc_stack.base import NEVER
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelHandle,
    DataChannelOpen,
    DataChannels,
    DataChannelsConfig,
    DataChannelsEvent,
)
from webrtc_stack.errors import BufferFull, InvalidStateError

ACK = b"\x02"
OPEN = DataChannelOpen(label="theirs").serialize()


class Sent(NamedTuple):
    stream_id: int
    ppid: int
    data: bytes
    ordered: bool
    max_retransmits: int | None
    max_lifetime: float | None


class FakeAssociation:
    """Takes what `DataChannels` asks for, and reports what a test says."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.resets: list[int] = []
        self.released = 0
        self.received = 0
        self.ended: list[str] = []
        self.full = False
        self.ending = False
        self.buffered: dict[int, int] = {}
        self._events: list[Any] = []

    def connect(self, now: float) -> None: ...

    def send(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        now: float,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_lifetime: float | None = None,
    ) -> None:
        if self.ending:
            raise InvalidStateError("the association is ending")
        if self.full:
            raise BufferFull("the test says so")
        self.sent.append(Sent(stream_id, ppid, data, ordered, max_retransmits, max_lifetime))
        self.buffered[stream_id] = self.buffered.get(stream_id, 0) + len(data)

    def reset_streams(self, stream_ids: Iterable[int], now: float) -> None:
        if self.ending:
            raise InvalidStateError("the association is ending")
        self.resets.extend(stream_ids)

    def release(self, size: int, now: float) -> None:
        self.released += size

    def buffered_amount(self, stream_id: int) -> int:
        return self.buffered.get(stream_id, 0)

    def shutdown(self, now: float) -> None:
        self.ended.append("shutdown")

    def close(self, now: float) -> None:
        self.ended.append("close")

    def abort(self, now: float, reason: str = "") -> None:
        self.ended.append("abort")
        self._events.append(sctp.Closed(reason, None))

    def receive_many(self, burst: Sequence[bytes], now: float) -> None:
        self.received += len(burst)

    def handle_timeout(self, now: float) -> None: ...

    def poll_transmits(self, now: float, limit: int = 64) -> list[bytes]:
        return []

    def next_timeout(self) -> float:
        return NEVER

    def poll_events(self) -> list[Any]:
        events, self._events = self._events, []
        return events

    def happen(self, *events: Any) -> None:
        for event in events:
            if isinstance(event, sctp.MessageReceived):
                self.received += 1
            self._events.append(event)


class Bench:
    """A `DataChannels` on a `FakeAssociation`, connected as the DTLS client unless told otherwise."""

    def __init__(
        self, config: DataChannelsConfig | None = None, *, client: bool = True, streams: int = 65535, up: bool = True
    ) -> None:
        self.fake = FakeAssociation()
        self.channels = DataChannels(config, association=cast(sctp.Association, self.fake))
        self.now = 0.0
        if up:
            self.channels.connect(0.0, dtls_client=client)
            self.happen(sctp.AssociationEstablished(streams, streams))

    def happen(self, *events: Any) -> list[DataChannelsEvent]:
        """Lets these things happen in the association. Returns: what the channels report since the last call."""
        self.fake.happen(*events)
        self.channels.receive(b"", self.now)
        return self.channels.poll_events()

    def message(self, stream_id: int, ppid: int, data: bytes) -> list[DataChannelsEvent]:
        return self.happen(sctp.MessageReceived(stream_id, ppid, data))

    def drain(self, stream_id: int) -> list[DataChannelsEvent]:
        """Everything queued on a stream goes out."""
        amount = self.fake.buffered.pop(stream_id, 0)
        return self.happen(sctp.BufferedAmountDecreased(stream_id, amount))


def opened(bench: Bench, **arguments: Any) -> tuple[ChannelHandle, int]:
    """A channel of ours that the peer has acknowledged."""
    handle = bench.channels.open_channel("ours", bench.now, **arguments)
    stream_id = bench.channels.channel(handle).id
    assert stream_id is not None
    if not arguments.get("negotiated"):
        bench.message(stream_id, 50, ACK)
    bench.drain(stream_id)
    bench.channels.poll_events()
    return handle, stream_id


def accepted(bench: Bench, stream_id: int = 1, **arguments: Any) -> ChannelHandle:
    """A channel that the peer opened."""
    events = bench.message(stream_id, 50, DataChannelOpen(**arguments).serialize())
    announced = next(event for event in events if isinstance(event, ChannelAnnounced))
    bench.drain(stream_id)
    return announced.handle
