"""Our statistics beside those that browsers were recorded to give."""

from __future__ import annotations

import re
import typing
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tests.support import vectors
from tests.unit.peer_stats import webidl
from tests.unit.peer_stats.coverage import DICTIONARIES, implemented
from tests.unit.peer_stats.test_webidl import bare
from webrtc_stack.peer import stats
from webrtc_stack.peer.stats.collect_connection import SRTP_CIPHERS, TLS_VERSIONS
from webrtc_stack.peer.stats.collect_media import AUDIO_ONLY, VIDEO_ONLY

VECTOR = "webidl/browser_members.json"
OBSOLETE = {"cancelled"}
"""Values that browsers still give and the specification has dropped."""
JSON_TYPES: dict[type, set[str]] = {float: {"int", "float"}, int: {"int"}, str: {"str"}, bool: {"bool"}}


def recorded() -> dict[str, dict[str, dict[str, str]]]:
    members: dict[str, dict[str, dict[str, str]]] = vectors.load(VECTOR)["members"]
    return members


def classes(name: str) -> list[type[stats.Stats]]:
    """Our classes for a type as the recording names it: `inbound-rtp:video`."""
    kind, _, media = name.partition(":")
    found = [one for one in DICTIONARIES if one.type == kind]
    if kind == "media-source":
        return [stats.AudioSourceStats if media == "audio" else stats.VideoSourceStats]
    return found


def lacking() -> set[str]:
    """Members that a browser gives and we do not: `type.member`."""
    return {
        f"{name.partition(':')[0]}.{member}"
        for given in recorded().values()
        for name, members in given.items()
        for member in members
        if not any(member in implemented(kind) for kind in classes(name))
    }


def test_browsers_give_no_type_that_we_lack() -> None:
    assert all(classes(name) for given in recorded().values() for name in given)


def test_every_member_that_browsers_give_and_we_do_not_has_its_reason_on_the_page() -> None:
    page = Path(stats.__file__).with_name("README.md").read_text()
    reasons = page.partition("## What is missing, and why")[2]
    silent = sorted(one for one in lacking() if f"`{one.partition('.')[2]}`" not in reasons)
    assert silent == []


def test_nothing_is_excused_on_the_page_that_we_have() -> None:
    page = Path(stats.__file__).with_name("README.md").read_text()
    reasons = page.partition("## What is missing, and why")[2]
    have = {name for kind in DICTIONARIES for name in implemented(kind)}
    rows = re.findall(r"^\| ([^|]*`[^|]*) \|", reasons, re.MULTILINE)
    names = {name for row in rows if " of " not in row for name in re.findall(r"`(\w+)`", row)}
    assert len(names) > 20
    assert names & have == set()
    for row in rows:  # missing in one type only
        if " of " in row:
            name, kind = row.strip("`").split("` of ")
            assert not any(name in implemented(one) for one in classes(kind))


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_the_types_in_json_are_those_of_the_browsers(browser: str) -> None:
    for name, members in recorded()[browser].items():
        for kind in classes(name):
            hints = {stats.camel_case(key): bare(hint)[0] for key, hint in typing.get_type_hints(kind).items()}
            for member, given in members.items():
                if member in implemented(kind):
                    ours: Any = hints[member]
                    assert given in JSON_TYPES[str if issubclass(ours, StrEnum) else ours], f"{name}.{member}"


def test_the_values_of_browsers_are_among_ours() -> None:
    values = vectors.load(VECTOR)["values"]
    transport = values["transport"]
    assert set(transport["tlsVersion"]) == set(TLS_VERSIONS.values())
    assert set(transport["srtpCipher"]) <= set(SRTP_CIPHERS.values())
    for kind, members in values.items():
        hints = typing.get_type_hints(next(one for one in DICTIONARIES if one.type == kind))
        names = {stats.camel_case(key): bare(hint)[0] for key, hint in hints.items()}
        for member, given in members.items():
            if issubclass(names[member], StrEnum):
                assert {names[member](value) for value in given if value not in OBSOLETE}


def test_members_outside_the_idl_are_the_browsers_own() -> None:
    """What we lack is either in the IDL, and a gap, or not, and an extension that nobody should count on."""
    defined = {f"{kind.type}.{name}" for kind, one in DICTIONARIES.items() for name in webidl.members(one)}
    extensions = lacking() - defined
    assert extensions == {
        *("candidate-pair.priority", "candidate-pair.readable", "candidate-pair.selected", "candidate-pair.writable"),
        *("codec.codecType", "inbound-rtp.discardedPackets", "inbound-rtp.googTimingFrameInfo"),
        *("inbound-rtp.mediaType", "local-candidate.ip", "local-candidate.isRemote", "local-candidate.networkType"),
        *("outbound-rtp.mediaType", "remote-candidate.ip", "remote-candidate.isRemote"),
        *("remote-inbound-rtp.mediaType", "remote-outbound-rtp.mediaType"),
    }


@pytest.mark.parametrize(
    ("kind", "foreign", "media"),
    [
        (stats.InboundRtpStreamStats, VIDEO_ONLY, "inbound-rtp:audio"),
        (stats.InboundRtpStreamStats, AUDIO_ONLY, "inbound-rtp:video"),
        (stats.OutboundRtpStreamStats, VIDEO_ONLY, "outbound-rtp:audio"),
        (stats.OutboundRtpStreamStats, AUDIO_ONLY, "outbound-rtp:video"),
    ],
)
def test_what_we_keep_from_one_kind_of_media_browsers_keep_too(
    kind: type[stats.Stats], foreign: frozenset[str], media: str
) -> None:
    given = {name for browser in recorded().values() for name in browser[media]}
    assert given.isdisjoint({stats.camel_case(one) for one in foreign})
    assert foreign & {one.name for one in fields(kind)} or kind is stats.OutboundRtpStreamStats
