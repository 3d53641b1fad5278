"""What the connections of a client share for media: the engine, and the threads that it works in."""

from __future__ import annotations

from .engine import MediaEngine, load_engine
from .offload import Offload


class MediaResources:
    """The engine (loaded when first needed, unless one is given) and the threads."""

    def __init__(self, engine: MediaEngine | None = None) -> None:
        self._engine = engine
        self.offload = Offload()

    @property
    def engine(self) -> MediaEngine:
        """Errors: `NotSupportedError` when none is installed."""
        if self._engine is None:
            self._engine = load_engine()
        return self._engine

    def close(self) -> None:
        """Ends the threads. Idempotent."""
        self.offload.close()
