"""Two associations on a virtual link, with an application that takes what arrives."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy
from webrtc_stack.sim import LinkConfig, MachinePair


class Pair:
    """`left` and `right`, both connected unless told otherwise; `got[side][stream]` are the messages that arrived."""

    def __init__(
        self,
        seed: int | str = 1,
        link: LinkConfig | None = None,
        *,
        connect: tuple[bool, bool] = (True, True),
        release: bool = True,
        keep_log: bool = True,
        left: dict[str, Any] | None = None,
        right: dict[str, Any] | None = None,
        **both: Any,
    ) -> None:
        entropy = SeededEntropy(seed)
        self.sides = tuple(
            sctp.Association(sctp.SctpConfig(entropy=entropy.fork(name), **both, **(own or {})))
            for name, own in (("left", left), ("right", right))
        )
        self.left, self.right = self.sides
        self.got: tuple[dict[int, list[bytes]], dict[int, list[bytes]]] = (defaultdict(list), defaultdict(list))
        self.release = release
        self.buffered: tuple[dict[int, int], dict[int, int]] = (defaultdict(int), defaultdict(int))
        self.net: MachinePair[bytes] = MachinePair(
            self.left,
            self.right,
            seed=int.from_bytes(entropy.fork("link").bytes(4), "big"),
            link=link or LinkConfig(latency=0.01),
            on_event=self._on_event,
            keep_log=keep_log,
        )
        for side, wanted in zip(self.sides, connect, strict=True):
            if wanted:
                side.connect(0.0)

    @property
    def now(self) -> float:
        return self.net.now

    def _on_event(self, side: int, event: Any, now: float) -> None:
        if isinstance(event, sctp.MessageReceived):
            self.got[side][event.stream_id].append(event.data)
            if self.release:
                self.sides[side].release(len(event.data), now)

    def run(self, duration: float) -> None:
        self.net.run(until=self.net.now + duration)

    def run_until(self, condition: Any, within: float = 600.0) -> bool:
        return self.net.run(until=self.net.now + within, condition=condition)

    def events(self, side: int, kind: type) -> list[Any]:
        return [event for _, event in self.net.events[side] if isinstance(event, kind)]

    def at_rest(self) -> None:
        """Nothing in flight, nothing queued, windows as at the beginning."""
        for side in self.sides:
            snapshot = side.snapshot()
            assert snapshot.flight_bytes == 0, snapshot
            assert snapshot.outstanding_chunks == 0, snapshot
            assert snapshot.buffered_bytes == 0, snapshot
            assert snapshot.reassembly_bytes == 0, snapshot
            assert snapshot.unreleased_bytes == 0, snapshot
            assert snapshot.local_rwnd == side.config.receive_window_bytes, snapshot
