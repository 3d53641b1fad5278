"""What decoders count beyond the words of the client API."""

from __future__ import annotations

from dataclasses import dataclass

from ..aio import DecoderCounters


@dataclass(slots=True)
class MediaDecoderCounters(DecoderCounters):
    """The totals of `aio`, and the received frames that gave nothing because they were broken."""

    frames_corrupted: int = 0
