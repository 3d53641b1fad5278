"""Encoding names and the classes that serve them, loaded when first asked for.

Names are compared without regard to case (RFC 4855 section 3). A class takes
`(parameters: Mapping[str, str], *, clock_rate: int | None, channels: int | None)` if its encoding exists at several
rates or numbers of channels (the table's last column), and `(parameters)` otherwise.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from ..errors import InvalidArgumentError, NotSupportedError
from .base import PayloadFormat


class _Entry(NamedTuple):
    module: str
    name: str
    takes_rate: bool = False


_TABLE: dict[str, _Entry] = {
    "av1": _Entry("av1", "Av1Format"),
    "cn": _Entry("comfort_noise", "ComfortNoiseFormat", True),
    "g722": _Entry("g722", "G722Format"),
    "h264": _Entry("h264", "H264Format"),
    "h265": _Entry("h265", "H265Format"),
    "l16": _Entry("l16", "L16Format", True),
    "opus": _Entry("opus", "OpusFormat"),
    "pcma": _Entry("g711", "PcmaFormat"),
    "pcmu": _Entry("g711", "PcmuFormat"),
    "red": _Entry("red", "RedFormat", True),
    "telephone-event": _Entry("telephone_event", "TelephoneEventFormat", True),
    "vp8": _Entry("vp8", "Vp8Format"),
    "vp9": _Entry("vp9", "Vp9Format"),
}


def encoding_names() -> list[str]:
    """Every encoding name that `payload_format` serves, in lower case, sorted."""
    return sorted(_TABLE)


def payload_format(
    name: str, *, clock_rate: int | None = None, channels: int | None = None, **fmtp: str | int
) -> PayloadFormat:
    """The payload format called `name`, with the parameters of its `a=fmtp` line.

    Parameter names may have `-` or `_` (`packetization_mode=1`, or `**{"packetization-mode": "1"}`).
    Errors: `NotSupportedError` for an unknown name, `InvalidArgumentError` for a parameter the format refuses.
    """
    entry = _TABLE.get(name.lower())
    if entry is None:
        raise NotSupportedError(f"no payload format is called {name!r}; known are {', '.join(encoding_names())}")
    parameters = {key.lower().replace("-", "_"): str(value) for key, value in fmtp.items()}
    factory: Any = getattr(import_module(f".{entry.module}", __package__), entry.name)
    if entry.takes_rate:
        made: PayloadFormat = factory(parameters, clock_rate=clock_rate, channels=channels)
        return made
    made = factory(parameters)
    if clock_rate not in (None, made.clock_rate):
        raise InvalidArgumentError(f"{name} runs at {made.clock_rate} Hz, not at {clock_rate}")
    return made
