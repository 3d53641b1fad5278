"""What an application asks of a device, as W3C constraints.

    rtc.VideoConstraints(width=1280, height=720)                                  # ideals: as near as possible
    rtc.VideoConstraints(width=rtc.Constraint(min=640, ideal=1280), device_id=rtc.Constraint(exact="/dev/video2"))

A bare value is an ideal; `exact`, `min` and `max` must hold, or no device fits. What fits best is decided by the
fitness distance, in the room `devices`.

Spec: W3C mediacapture-streams section 4.3 (constrainable properties), 11 (constraint types); screen-capture section 5.
Left out: `advanced` constraint sets, `applyConstraints` on a live track.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from ..errors import InvalidArgumentError

T = TypeVar("T", bound="bool | int | float | str")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint(Generic[T]):
    """A range, a wish or a demand; what is None is not asked.

    Errors: `InvalidArgumentError` for what nothing can meet.
    """

    min: T | None = None
    max: T | None = None
    ideal: T | None = None
    exact: T | None = None

    def __post_init__(self) -> None:
        low, high = _bound(self.min), _bound(self.max)
        if low is not None and high is not None and low > high:
            raise InvalidArgumentError(f"min {low} is above max {high}; nothing can meet that")

    @property
    def is_required(self) -> bool:
        """True when a setting that misses it rules a device out."""
        return self.exact is not None or self.min is not None or self.max is not None


def _bound(value: bool | int | float | str | None) -> float | None:
    if isinstance(value, (str, bool)):
        raise InvalidArgumentError(f"min and max are numbers, got {value!r}; use ideal or exact")
    return value


Constrained: TypeAlias = T | Constraint[T] | None
"""What a member of a constraint set may be: nothing, an ideal value, or a `Constraint`."""


def constraint_of(value: Constrained[T]) -> Constraint[T] | None:
    """The member in its long form: a bare value is an ideal."""
    if value is None or isinstance(value, Constraint):
        return value
    return Constraint(ideal=value)


class FacingMode(StrEnum):
    USER = "user"
    ENVIRONMENT = "environment"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConstraints:
    """What a microphone should be. Units: hertz, seconds, bits a sample."""

    device_id: Constrained[str] = None
    group_id: Constrained[str] = None
    sample_rate: Constrained[int] = None
    sample_size: Constrained[int] = None
    channel_count: Constrained[int] = None
    latency: Constrained[float] = None
    echo_cancellation: Constrained[bool] = None
    auto_gain_control: Constrained[bool] = None
    noise_suppression: Constrained[bool] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoConstraints:
    """What a camera should be. Units: pixels, frames a second."""

    device_id: Constrained[str] = None
    group_id: Constrained[str] = None
    width: Constrained[int] = None
    height: Constrained[int] = None
    frame_rate: Constrained[float] = None
    aspect_ratio: Constrained[float] = None
    facing_mode: Constrained[str] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenConstraints:
    """What should be captured of a screen. Units: pixels, frames a second.

    `device_id` names a display as `devices()` lists it (`:0.0`); `left`, `top`, `width`, `height` cut a part out of it;
    without a size, the whole display.
    """

    device_id: Constrained[str] = None
    left: int = 0
    top: int = 0
    width: Constrained[int] = None
    height: Constrained[int] = None
    frame_rate: Constrained[float] = None
    cursor: bool = True


class DeviceKind(StrEnum):
    """MediaDeviceKind, and the screens, which W3C lists nowhere."""

    AUDIO_INPUT = "audioinput"
    AUDIO_OUTPUT = "audiooutput"
    VIDEO_INPUT = "videoinput"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device as enumeration shows it; `device_id` is what constraints take."""

    device_id: str
    kind: DeviceKind
    label: str
    group_id: str = ""
