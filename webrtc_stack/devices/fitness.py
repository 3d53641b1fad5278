"""Which device and mode fits constraints best: the fitness distance of W3C.

A *candidate* is a mapping from the members of a constraint set to what a device would then have (`width`: 640). Its
distance is infinite if it misses what must hold; otherwise the sum over the wishes of how far each is missed. The
smallest distance wins, the first among equals.

A setting that a device can take over a range (a screen's frame rate, a microphone's sample rate) is a `Range`, which
becomes the value nearest to the wish before distances are measured.

Spec: W3C mediacapture-streams section 4.3 (fitness distance), 4.3.4 (SelectSettings). Left out: `advanced`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ..aio import Constraint, constraint_of
from ..errors import DeviceNotFound
from .failures import OverconstrainedError

Setting = bool | int | float | str
INFINITE = math.inf
_CLOSE = 5e-4
"""Numbers that differ by less, relatively, are one: 30 and 29.99 frames a second, but not 29.97."""


@dataclass(frozen=True, slots=True)
class Range:
    """A setting that may be anything from `low` to `high`, and is `default` if nobody cares."""

    low: float
    high: float
    default: float


Capability = Setting | Range
Candidate = TypeVar("Candidate")


def demands(constraints: object) -> dict[str, Constraint[Any]]:
    """The members of a constraint dataclass that ask for something, in their long form."""
    asked = {}
    for field in fields(constraints):  # type: ignore[arg-type]
        value = getattr(constraints, field.name)
        if field.type is not None and value is not None and _is_constrainable(field.type):
            constraint = constraint_of(value)
            if constraint is not None:
                asked[field.name] = constraint
    return asked


def _is_constrainable(annotation: object) -> bool:
    """Plain members (`cursor: bool`, `left: int`) are parameters, not constraints."""
    return "Constrained" in str(annotation)


def settle(capabilities: Mapping[str, Capability], asked: Mapping[str, Constraint[Any]]) -> dict[str, Setting]:
    """The settings nearest to what is asked: each `Range` becomes a number within it."""
    settled: dict[str, Setting] = {}
    for name, capability in capabilities.items():
        if not isinstance(capability, Range):
            settled[name] = capability
            continue
        constraint = asked.get(name) or Constraint()
        value = next((wish for wish in (constraint.exact, constraint.ideal) if wish is not None), capability.default)
        if constraint.min is not None:
            value = max(value, constraint.min)
        if constraint.max is not None:
            value = min(value, constraint.max)
        value = min(max(value, capability.low), capability.high)
        settled[name] = value if value != int(value) else int(value)
    if "width" in settled and "height" in settled:
        settled["aspect_ratio"] = float(settled["width"]) / float(settled["height"])
    return settled


def distance_of(setting: Setting | None, constraint: Constraint[Any]) -> float:
    """How far one setting is from one constraint; None: the device does not have it."""
    if constraint.is_required and (setting is None or not _satisfies(setting, constraint)):
        return INFINITE
    if constraint.ideal is None:
        return 0.0
    if setting is None:
        return 1.0
    if isinstance(setting, (bool, str)):
        return 0.0 if setting == constraint.ideal else 1.0
    ideal = constraint.ideal
    if setting == ideal:
        return 0.0
    return float(abs(setting - ideal) / max(abs(setting), abs(ideal)))


def _satisfies(setting: Setting, constraint: Constraint[Any]) -> bool:
    exact = constraint.exact
    if isinstance(setting, (bool, str)):
        return exact is None or setting == exact
    slack = abs(setting) * _CLOSE
    if exact is not None and (isinstance(exact, (bool, str)) or abs(setting - exact) > slack):
        return False
    if constraint.min is not None and setting < constraint.min - slack:
        return False
    return not (constraint.max is not None and setting > constraint.max + slack)


def fitness_distance(settings: Mapping[str, Setting], asked: Mapping[str, Constraint[Any]]) -> float:
    """The sum of the distances of all members; infinite if one of them is."""
    return sum(distance_of(settings.get(name), constraint) for name, constraint in asked.items())


def ranked(
    candidates: Sequence[tuple[Candidate, Mapping[str, Capability]]], constraints: object, what: str
) -> list[tuple[Candidate, dict[str, Setting]]]:
    """The candidates that fit with their settings, the best first.

    Errors: `DeviceNotFound` when there is no candidate at all; `OverconstrainedError`, which names the member, when
    none fits.
    """
    if not candidates:
        raise DeviceNotFound(f"there is no {what} on this machine")
    asked = demands(constraints)
    fitting: list[tuple[float, int, Candidate, dict[str, Setting]]] = []
    settled = [(candidate, settle(capabilities, asked)) for candidate, capabilities in candidates]
    for number, (candidate, settings) in enumerate(settled):
        distance = fitness_distance(settings, asked)
        if distance != INFINITE:
            fitting.append((distance, number, candidate, settings))
    if not fitting:
        name, seen = _culprit([settings for _, settings in settled], asked)
        raise OverconstrainedError(
            f"no {what} meets {name}={_shown(asked[name])}; there is {', '.join(seen) or 'none that tells'}",
            constraint=name,
        )
    return [(candidate, settings) for _, _, candidate, settings in sorted(fitting, key=lambda entry: entry[:2])]


def _culprit(
    candidates: Iterable[Mapping[str, Setting]], asked: Mapping[str, Constraint[Any]]
) -> tuple[str, list[str]]:
    """The member that rules out the most candidates, and what those have instead."""
    candidates = list(candidates)
    missed = {
        name: [settings.get(name) for settings in candidates if distance_of(settings.get(name), constraint) == INFINITE]
        for name, constraint in asked.items()
    }
    name = max(missed, key=lambda member: len(missed[member]))
    return name, sorted({str(value) for value in missed[name] if value is not None})[:8]


def _shown(constraint: Constraint[Any]) -> str:
    parts = (("exact", constraint.exact), ("min", constraint.min), ("max", constraint.max))
    return ", ".join(f"{word} {value}" for word, value in parts if value is not None)
