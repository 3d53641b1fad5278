"""Web IDL of W3C's statistics as data: how the vector file is made, and how the tests read it.

The vector is made of two files of the npm package `@webref/idl`; a newer one replaces it by
`python -m tests.unit.peer_stats.webidl VERSION webrtc-stats.idl webrtc.idl > tests/vectors/webidl/webrtc_stats.json`.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import vectors

VECTOR = "webidl/webrtc_stats.json"

_DICTIONARY = re.compile(
    r"^(partial )?dictionary (RTC\w*Stats)\s*(?::\s*(\w+))?\s*\{(.*?)^\};", re.MULTILINE | re.DOTALL
)
_ENUM = re.compile(r"^enum (\w+)\s*\{(.*?)\};", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r"^(required\s+)?(.+?)\s+(\w+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    type: str
    required: bool


def convert(version: str, *texts: str) -> dict[str, Any]:
    """The vector file from IDL text."""
    dictionaries: dict[str, dict[str, Any]] = {}
    enums: dict[str, list[str]] = {}
    for text in texts:
        for partial, name, parent, body in _DICTIONARY.findall(text):
            entry = dictionaries.setdefault(name, {"inherits": None, "members": {}})
            if not partial:
                entry["inherits"] = parent or None
            for line in body.split(";"):
                words = " ".join(line.split())
                if words:
                    found = _MEMBER.match(words)
                    assert found is not None, words
                    entry["members"][found[3]] = {"type": found[2], "required": bool(found[1])}
        for name, body in _ENUM.findall(text):
            enums[name] = re.findall(r'"([^"]+)"', body)
    used = {member["type"].rstrip("?") for one in dictionaries.values() for member in one["members"].values()}
    return {
        "title": "Web IDL of the WebRTC statistics: dictionaries with their members, and the enumerations they use",
        "origin": f"npm @webref/idl {version}: webrtc-stats.idl (W3C Identifiers for WebRTC's Statistics API) and "
        "webrtc.idl (W3C WebRTC), read from the specifications' editor's drafts",
        "version": version,
        "licence": "@webref/idl: MIT; the IDL is W3C's, under the W3C Software and Document License (2023)",
        "dictionaries": dictionaries,
        "enums": {name: values for name, values in enums.items() if name in used},
    }


def inheritance(name: str) -> list[str]:
    """A dictionary and what it inherits from, the most derived first."""
    chain = []
    current: str | None = name
    while current is not None:
        chain.append(current)
        current = vectors.load(VECTOR)["dictionaries"][current]["inherits"]
    return chain


def own_members(name: str) -> dict[str, Member]:
    """The members that a dictionary declares itself."""
    return {key: Member(**value) for key, value in vectors.load(VECTOR)["dictionaries"][name]["members"].items()}


def members(name: str) -> dict[str, Member]:
    """All members of a dictionary, inherited ones first."""
    return {key: value for one in reversed(inheritance(name)) for key, value in own_members(one).items()}


def enum(name: str) -> list[str] | None:
    values: list[str] | None = vectors.load(VECTOR)["enums"].get(name)
    return values


if __name__ == "__main__":
    print(json.dumps(convert(sys.argv[1], *(Path(name).read_text() for name in sys.argv[2:])), indent=1))
