"""Our statistics against the Web IDL: names, dictionaries, types, what is required; and the page's table."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tests.support import vectors
from tests.unit.peer_stats import webidl
from tests.unit.peer_stats.coverage import DICTIONARIES, NEVER_FILLED, implemented, table
from webrtc_stack.peer import stats

PLAIN = {
    "DOMString": str,
    "boolean": bool,
    "double": float,
    "long long": int,
    "long": int,
    "unsigned long long": int,
    "unsigned long": int,
    "unsigned short": int,
    "DOMHighResTimeStamp": float,
}
ABSTRACT: dict[type[stats.Stats], str] = {
    stats.RtpStreamStats: "RTCRtpStreamStats",
    stats.ReceivedRtpStreamStats: "RTCReceivedRtpStreamStats",
    stats.SentRtpStreamStats: "RTCSentRtpStreamStats",
    stats.MediaSourceStats: "RTCMediaSourceStats",
    stats.IceCandidateStats: "RTCIceCandidateStats",
    stats.Stats: "RTCStats",
}
ALL = ABSTRACT | DICTIONARIES
NARROWER = {"kind": {"audio", "video"}}
"""DOMStrings that the specification restricts in words."""


def own_fields(kind: type[stats.Stats]) -> list[Field[Any]]:
    """What a class adds to its base."""
    base = kind.__mro__[1]
    inherited = {one.name for one in fields(base)} if issubclass(base, stats.Stats) else set()
    return [one for one in fields(kind) if one.name not in inherited]


def bare(hint: Any) -> tuple[Any, bool]:
    """A type without its None, and whether it had one."""
    if isinstance(hint, types.UnionType):
        (only,) = (one for one in typing.get_args(hint) if one is not types.NoneType)
        return only, True
    return hint, False


CASES = [(kind, one) for kind in ALL for one in own_fields(kind)]


@pytest.mark.parametrize(("kind", "member"), CASES, ids=[f"{kind.__name__}.{one.name}" for kind, one in CASES])
def test_a_member_stands_in_its_dictionary_with_a_fitting_type(kind: type[stats.Stats], member: Field[Any]) -> None:
    declared = webidl.own_members(ALL[kind]).get(stats.camel_case(member.name))
    assert declared is not None, f"{ALL[kind]} declares no {stats.camel_case(member.name)}"
    ours, optional = bare(typing.get_type_hints(kind)[member.name])
    assert declared.required != optional, "required members have no None, others may be absent"
    assert (member.default is MISSING) == declared.required
    values = webidl.enum(declared.type.rstrip("?"))
    if values is not None:
        assert issubclass(ours, StrEnum) and {one.value for one in ours} == set(values)
    elif issubclass(ours, StrEnum):
        assert declared.type == "DOMString" and {one.value for one in ours} == NARROWER[member.name]
    else:
        assert ours is PLAIN[declared.type.rstrip("?")]


def test_inheritance_is_that_of_the_dictionaries() -> None:
    for kind, dictionary in ALL.items():
        ours = [ALL[one] for one in kind.__mro__ if one in ALL]
        # Two types of ours are one dictionary of W3C's: a candidate of either side.
        assert list(dict.fromkeys(ours)) == webidl.inheritance(dictionary)


def test_every_type_has_its_class_and_every_dictionary_its_counterpart() -> None:
    assert {one.value for one in stats.StatsType} == set(webidl.enum("RTCStatsType") or ())
    assert {kind.type for kind in DICTIONARIES} == set(stats.StatsType)
    assert set(ALL.values()) == set(vectors.load(webidl.VECTOR)["dictionaries"])


def test_required_members_are_all_implemented() -> None:
    for kind, dictionary in DICTIONARIES.items():
        required = {name for name, one in webidl.members(dictionary).items() if one.required}
        assert required <= implemented(kind)


def test_what_a_class_never_fills_it_has() -> None:
    for kind, names in NEVER_FILLED.items():
        assert names <= {stats.camel_case(one.name) for one in fields(kind)}


def test_overlays_have_the_members_that_they_become() -> None:
    pairs: list[tuple[type[Any], tuple[type[stats.Stats], ...]]] = [
        (stats.OutboundOverlay, (stats.OutboundRtpStreamStats,)),
        (stats.InboundOverlay, (stats.InboundRtpStreamStats,)),
        (stats.SourceOverlay, (stats.AudioSourceStats, stats.VideoSourceStats)),
        (stats.PlayoutOverlay, (stats.AudioPlayoutStats,)),
    ]
    for overlay, kinds in pairs:
        known = {one.name: str(one.type) for kind in kinds for one in fields(kind)}
        for one in fields(overlay):
            assert bare_text(known[one.name]) == bare_text(str(one.type)), f"{overlay.__name__}.{one.name}"


def bare_text(hint: str) -> str:
    return hint.removesuffix(" | None")


def test_the_page_of_the_room_has_the_present_table() -> None:
    page = Path(stats.__file__).with_name("README.md").read_text()
    assert table() in page, "run python -m tests.unit.peer_stats.coverage and put its output into the page"


def test_every_missing_member_has_its_reason_on_the_page() -> None:
    page = Path(stats.__file__).with_name("README.md").read_text()
    reasons = page.partition("## What is missing, and why")[2]
    for kind, dictionary in DICTIONARIES.items():
        for name in webidl.members(dictionary):
            if name not in implemented(kind):
                assert f"`{name}`" in reasons, f"{kind.type} lacks {name}: say why"


def test_the_vector_can_be_made_again_from_idl_text() -> None:
    text = """
dictionary RTCBaseStats {
    required DOMString id;
};
dictionary RTCMoreStats : RTCBaseStats {
    RTCKind?  kind;  unsigned long long count;
    record<DOMString, double> sums;
};
partial dictionary RTCMoreStats { double late; };
enum RTCKind { "one", "two-three", };
enum RTCUnused { "x" };
"""
    made = webidl.convert("1.0", text.replace("{ double", "{\n double").replace("late; }", "late;\n}"))
    assert made["dictionaries"]["RTCMoreStats"] == {
        "inherits": "RTCBaseStats",
        "members": {
            "kind": {"type": "RTCKind?", "required": False},
            "count": {"type": "unsigned long long", "required": False},
            "sums": {"type": "record<DOMString, double>", "required": False},
            "late": {"type": "double", "required": False},
        },
    }
    assert made["enums"] == {"RTCKind": ["one", "two-three"]}
    json.dumps(made)
