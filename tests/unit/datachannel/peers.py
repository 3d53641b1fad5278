"""Two peers with data channels on real associations, a lossy link between them, and virtual time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from webrtc_stack.base import SeededEntropy
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelHandle,
    ChannelOpened,
    ChannelState,
    DataChannels,
    DataChannelsConfig,
    DataChannelsEvent,
    MessageReceived,
)
from webrtc_stack.sim import LinkConfig, MachinePair

LOSSY = LinkConfig(latency=0.02, jitter=0.005, loss=0.05, reorder=0.02, duplicate=0.01)
CALM = LinkConfig(latency=0.02)


class Peers:
    """Side 0 is the DTLS client. What arrives is consumed at once on sides in `consuming`."""

    def __init__(
        self,
        seed: int = 1,
        *,
        link: LinkConfig = CALM,
        config: DataChannelsConfig | None = None,
        connect: bool = True,
        roles: tuple[bool, bool] = (True, False),
        keep_log: bool = False,
    ) -> None:
        config = DataChannelsConfig() if config is None else config
        entropy = SeededEntropy(seed)
        self.sides = tuple(DataChannels(replace(config, entropy=entropy.fork(f"side {side}"))) for side in range(2))
        self.roles = roles
        self.consuming = {0, 1}
        self.names: tuple[dict[ChannelHandle, str], dict[ChannelHandle, str]] = ({}, {})
        self.handles: tuple[dict[str, ChannelHandle], dict[str, ChannelHandle]] = ({}, {})
        self.received: tuple[dict[str, list[str | bytes]], dict[str, list[str | bytes]]] = (
            defaultdict(list),
            defaultdict(list),
        )
        self.events: tuple[list[DataChannelsEvent], list[DataChannelsEvent]] = ([], [])
        self.pair: MachinePair[bytes] = MachinePair(
            *self.sides, seed=seed, link=link, on_event=self._on_event, keep_log=keep_log
        )
        if connect:
            self.connect()

    @property
    def now(self) -> float:
        return self.pair.now

    def connect(self) -> None:
        for side, client in zip(self.sides, self.roles, strict=True):
            side.connect(self.now, dtls_client=client)

    def _on_event(self, side: int, event: Any, now: float) -> None:
        self.events[side].append(event)
        match event:
            case ChannelAnnounced():
                self._name(side, event.handle, event.label)
            case MessageReceived():
                self.received[side][self.names[side][event.handle]].append(event.data)
                if side in self.consuming:
                    self.sides[side].message_consumed(event.handle, event.size, now)

    def _name(self, side: int, handle: ChannelHandle, label: str) -> None:
        self.names[side][handle] = label
        self.handles[side][label] = handle

    def open(self, side: int, label: str, **arguments: Any) -> ChannelHandle:
        handle = self.sides[side].open_channel(label, self.now, **arguments)
        self._name(side, handle, label)
        return handle

    def open_both(self, label: str, side: int = 0, **arguments: Any) -> None:
        """Opens a channel from one side and waits until both have it open."""
        self.open(side, label, **arguments)
        self.until(lambda: self.state(0, label) == self.state(1, label) == ChannelState.OPEN)

    def send(self, side: int, label: str, data: Any) -> None:
        self.sides[side].send(self.handles[side][label], data, self.now)

    def close(self, side: int, label: str) -> None:
        self.sides[side].close_channel(self.handles[side][label], self.now)

    def state(self, side: int, label: str) -> ChannelState | None:
        handle = self.handles[side].get(label)
        return None if handle is None else self.sides[side].channel(handle).state

    def id(self, side: int, label: str) -> int | None:
        return self.sides[side].channel(self.handles[side][label]).id

    def both(self, label: str, state: ChannelState) -> bool:
        return self.state(0, label) is state and self.state(1, label) is state

    def until(self, condition: Any, timeout: float = 60.0) -> None:
        assert self.pair.run(until=self.now + timeout, condition=condition), f"not by {self.now}"

    def rest(self, seconds: float = 60.0) -> None:
        self.pair.run(until=self.now + seconds)

    def ends(self, side: int, label: str) -> list[ChannelClosed]:
        handle = self.handles[side][label]
        return [event for event in self.events[side] if isinstance(event, ChannelClosed) and event.handle == handle]

    def times_opened(self, side: int, label: str) -> int:
        handle = self.handles[side].get(label)
        return sum(isinstance(event, ChannelOpened) and event.handle == handle for event in self.events[side])
