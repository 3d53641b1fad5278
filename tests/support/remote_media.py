"""Audio and video at a peer, in words that every peer understands: a browser page, aiortc, webrtcbin, and ours.

A `Source` names what is sent so that the far end can tell: a tone by its frequency, a picture by the range of its frame
counters. The waiting commands come back once the far end has really decoded it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from .remote_peer import CEILING, Description, RemotePeer

Kind = Literal["audio", "video"]
Flow = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

RANGE = 4_000
"""Counters that belong to one picture source: minutes of frames, and sixteen sources side by side."""
TOLERANCE = 0.05
"""Of a tone's frequency: what a measurement may be beside it."""


@dataclass(frozen=True, slots=True)
class Tone:
    frequency: float

    kind: Kind = "audio"

    def to_json(self) -> dict[str, Any]:
        return {"frequency": self.frequency}


@dataclass(frozen=True, slots=True)
class Picture:
    """Frames whose counters run from `start` on; sources are `RANGE` apart."""

    start: int
    width: int = 160
    height: int = 120
    rate: int = 15

    kind: Kind = "video"

    def to_json(self) -> dict[str, Any]:
        return {"start": self.start, "width": self.width, "height": self.height, "rate": self.rate}


Source = Tone | Picture


class Pictures(TypedDict):
    """What was decoded while waiting: the counters looked for, and all frames, readable or not."""

    counters: list[int]
    width: int
    height: int
    frames: int
    unread: int


class Media(Protocol):
    """One transceiver of a peer."""

    kind: Kind

    async def set_direction(self, direction: Flow) -> None: ...

    async def set_codecs(self, codecs: list[str]) -> None:
        """Which codecs from the next negotiation on, by MIME type."""
        ...

    async def replace(self, source: Source | None) -> None: ...

    async def stop(self) -> None: ...

    async def state(self) -> dict[str, Any]:
        """`mid`, `direction`, `currentDirection` and what helps people."""
        ...

    async def wait_pictures(self, source: Picture, distinct: int = 5, *, timeout: float = CEILING) -> Pictures:
        """Waits until so many different frames of `source`, sent by the far side, are decoded from now on."""
        ...

    async def count_frames(self, seconds: float) -> int:
        """How many frames are decoded in that time."""
        ...

    async def wait_tone(self, source: Tone | None, *, timeout: float = CEILING) -> dict[str, float]:
        """Waits until `source` is heard, or silence. Returns: frequency and level."""
        ...

    async def prepare_keyframe_requests(self) -> None: ...

    async def request_keyframe(self) -> None: ...

    async def insert_dtmf(self, tones: str) -> None: ...


class MediaPeer(Protocol):
    """What a call needs of either side."""

    async def create(self) -> None: ...

    async def add_media(
        self,
        kind: Kind,
        source: Source | None,
        direction: Flow = "sendrecv",
        *,
        codecs: list[str] | None = None,
        encodings: list[dict[str, Any]] | None = None,
    ) -> Media:
        """A new transceiver, to be offered. `encodings` in JavaScript's spelling."""
        ...

    async def adopt_media(
        self, kind: Kind, source: Source | None, direction: Flow = "sendrecv", *, codecs: list[str] | None = None
    ) -> Media:
        """The first transceiver of this kind that the last remote offer made, to be answered with this."""
        ...

    async def offer(self, *, trickle: bool, restart: bool = False) -> Description: ...

    async def set_remote(self, description: Description) -> None: ...

    async def local_answer(self, *, trickle: bool) -> Description: ...

    async def next_candidate(self) -> dict[str, Any] | None: ...

    async def add_candidate(self, candidate: dict[str, Any] | None) -> None: ...

    async def create_channel(self, label: str, **options: Any) -> Any: ...

    async def wait_channel(self, label: str) -> Any: ...

    async def wait_state(self, state: str, *, timeout: float = CEILING) -> None: ...

    async def report(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...


class RemoteMedia:
    """One transceiver at a remote peer."""

    _numbers = itertools.count(1)

    def __init__(self, peer: RemotePeer, kind: Kind) -> None:
        self.peer = peer
        self.kind: Kind = kind
        self.name = f"{kind} {next(self._numbers)}"

    async def call(self, method: str, *, timeout: float = CEILING, **arguments: Any) -> Any:
        arguments = {"pc": self.peer.handle, "media": self.name, **arguments}
        return await self.peer.remote.call(method, arguments, timeout=timeout)

    async def set_direction(self, direction: Flow) -> None:
        await self.call("set_direction", direction=direction)

    async def set_codecs(self, codecs: list[str]) -> None:
        await self.call("set_codecs", codecs=codecs)

    async def replace(self, source: Source | None) -> None:
        await self.call("replace", source=source and source.to_json())

    async def stop(self) -> None:
        await self.call("stop")

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = await self.call("media_state")
        return state

    async def wait_pictures(self, source: Picture, distinct: int = 5, *, timeout: float = CEILING) -> Pictures:
        limits = {"least": source.start, "most": source.start + RANGE - 1}
        seen: Pictures = await self.call("wait_pictures", distinct=distinct, **limits, timeout=timeout)
        return seen

    async def count_frames(self, seconds: float) -> int:
        count: int = await self.call("count_frames", seconds=seconds)
        return count

    async def wait_tone(self, source: Tone | None, *, timeout: float = CEILING) -> dict[str, float]:
        frequency = source and source.frequency
        heard: dict[str, float] = await self.call(
            "wait_tone", frequency=frequency, tolerance=TOLERANCE, steady=3, timeout=timeout
        )
        return heard

    async def prepare_keyframe_requests(self) -> None:
        """A browser needs it before media flows; others do without."""
        if self.peer.remote.name in ("chromium", "firefox"):
            await self.call("prepare_keyframe_requests")

    async def request_keyframe(self) -> None:
        await self.call("request_keyframe")

    async def insert_dtmf(self, tones: str) -> None:
        await self.call("insert_dtmf", tones=tones, duration=0.1, gap=0.07)


class RemoteMediaPeer(RemotePeer):
    """A remote peer with audio and video."""

    async def add_media(
        self,
        kind: Kind,
        source: Source | None,
        direction: Flow = "sendrecv",
        *,
        codecs: list[str] | None = None,
        encodings: list[dict[str, Any]] | None = None,
    ) -> RemoteMedia:
        made = RemoteMedia(self, kind)
        await made.call(
            "add_media",
            kind=kind,
            source=source and source.to_json(),
            direction=direction,
            codecs=codecs,
            encodings=encodings,
        )
        return made

    async def adopt_media(
        self, kind: Kind, source: Source | None, direction: Flow = "sendrecv", *, codecs: list[str] | None = None
    ) -> RemoteMedia:
        made = RemoteMedia(self, kind)
        await made.call(
            "adopt_media", kind=kind, source=source and source.to_json(), direction=direction, codecs=codecs
        )
        return made
