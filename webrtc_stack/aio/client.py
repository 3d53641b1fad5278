"""A client: defaults, and the lifetime of everything made with it.

    async with rtc.Client(rtc.ClientConfig(ice_servers=[rtc.IceServer("stun:192.0.2.1")])) as client:
        async with client.create_peer_connection() as pc: ...

The engine is a runtime: asyncio by default (uvloop works), or a host of a virtual network (`runtime=net.host(...)`),
so that an application is tested by seed without a line changed.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self, TypeVar

from ..errors import InvalidStateError
from ..io import AsyncioRuntime, Runtime
from ..peer import Codec, Encoding
from .config import ClientConfig
from .constraints import AudioConstraints, DeviceInfo, ScreenConstraints, VideoConstraints
from .encoded_track import EncodedTrack, codec_of
from .engine import MediaEngine
from .peer_connection import PeerConnection
from .relay import SharedEncoder
from .resources import MediaResources
from .tasks import TaskScope
from .tracks import AudioTrack, MediaTrack, RawTrack, VideoTrack

T = TypeVar("T", bound=MediaTrack)


class Client:
    """Makes peer connections and closes all that it made. `close()` is idempotent and takes bounded time."""

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        runtime: Runtime | None = None,
        engine: MediaEngine | None = None,
    ) -> None:
        self.config = config if config is not None else ClientConfig()
        self._runtime = runtime
        self._own_runtime: AsyncioRuntime | None = None
        self._connections: set[PeerConnection] = set()
        self._failures: list[Exception] = []
        self._closed = False
        self._made = 0
        self._media = MediaResources(engine)
        self._tasks = TaskScope(self._failures.append)
        self._tracks: list[MediaTrack] = []

    @property
    def connections(self) -> frozenset[PeerConnection]:
        """The connections that are not closed yet."""
        return frozenset(self._connections)

    @property
    def runtime(self) -> Runtime:
        """What its connections run on. Errors: `InvalidStateError` when the client is closed."""
        if self._closed:
            raise InvalidStateError("the client is closed; make a new one")
        if self._runtime is None:
            self._runtime = self._own_runtime = AsyncioRuntime()
        return self._runtime

    def create_peer_connection(
        self, config: ClientConfig | None = None, *, runtime: Runtime | None = None
    ) -> PeerConnection:
        """A new connection with the client's configuration and runtime, or with others: a runtime around
        `client.runtime` sees, and may change, what this one connection sends and receives.

        Errors: `InvalidStateError` when the client is closed.
        """
        own = self.runtime
        chosen = config if config is not None else self.config
        self._made += 1
        connection = PeerConnection(
            chosen.with_source(f"pc{self._made}"),
            runtime=own if runtime is None else runtime,
            on_closed=self._connections.discard,
            on_failure=self._failures.append,
            media=self._media,
        )
        self._connections.add(connection)
        return connection

    # --- devices ----------------------------------------------------------------------------------------------------

    async def create_audio_track(self, constraints: AudioConstraints | None = None) -> AudioTrack:
        """Opens the microphone that fits best; the track ends with the client. Errors: `DeviceError` kinds;
        `NotSupportedError` without the extra `media`."""
        return self._opened(await self._engine().open_audio(constraints or AudioConstraints()))

    async def create_video_track(self, constraints: VideoConstraints | None = None) -> VideoTrack:
        """Opens the camera that fits best. Errors: as `create_audio_track`."""
        return self._opened(await self._engine().open_video(constraints or VideoConstraints()))

    async def create_screen_track(self, constraints: ScreenConstraints | None = None) -> VideoTrack:
        """Captures a screen, or a part of it. Errors: as `create_audio_track`."""
        return self._opened(await self._engine().open_screen(constraints or ScreenConstraints()))

    async def devices(self) -> list[DeviceInfo]:
        """The microphones, cameras and screens of this machine. Errors: `NotSupportedError`."""
        return list(await self._engine().devices())

    def encode_once(
        self,
        track: RawTrack[Any],
        codec: Codec | str,
        *,
        max_bitrate: int | None = None,
        max_framerate: float | None = None,
        scale_resolution_down_by: float | None = None,
    ) -> EncodedTrack:
        """Encodes a raw track once, for any number of senders of any of this client's connections, while one of them
        sends. Ends with the track, or with the client.

        Errors: `NotSupportedError` when the engine does not encode `codec`; `InvalidArgumentError` for another kind.
        """
        encoding = Encoding(
            max_bitrate=max_bitrate, max_framerate=max_framerate, scale_resolution_down_by=scale_resolution_down_by
        )
        shared = SharedEncoder(self._engine(), self._media.offload, track, codec_of(codec), encoding)
        self._tasks.start(shared.run(), name=f"encode {track.label or track.id} once")
        return shared.output

    def _engine(self) -> MediaEngine:
        if self._closed:
            raise InvalidStateError("the client is closed; make a new one")
        return self._media.engine

    def _opened(self, track: T) -> T:
        if self._closed:
            track.end("its client closed")
        self._tracks = [*(one for one in self._tracks if not one.ended), track]
        return track

    # --- the end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Closes every connection, side by side, and what it opened."""
        self._closed = True
        self._tasks.cancel()
        for track in self._tracks:
            track.end("its client closed")
        await asyncio.gather(
            self._tasks.close(self.config.close_timeout),
            *(connection.close() for connection in list(self._connections)),
        )
        self._media.close()
        if self._own_runtime is not None:
            await self._own_runtime.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if self._failures and error is None:
            failures, self._failures = self._failures, []
            raise ExceptionGroup("failures in the background of a client", failures)
