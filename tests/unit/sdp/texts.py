"""Every SDP text among the vectors, by name."""

from __future__ import annotations

from functools import cache

from tests.support import vectors


@cache
def all_texts() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in ("sdp_jsep", "sdp_aiortc", "sdp_transform"):
        for case in vectors.cases(f"sdp/{file}.json"):
            if "sdp" in case:
                found[f"{file}:{case['id']}"] = case["sdp"]
    for path in sorted((vectors.VECTORS / "sdp").rglob("*.sdp")):
        found[path.stem] = path.read_bytes().decode()
    return found


def with_crlf(text: str) -> str:
    """`text` as it is on the wire: CRLF behind every line, the last one included, no blank line in front."""
    text = text.replace("\r\n", "\n").lstrip("\n")
    if not text.endswith("\n"):
        text += "\n"
    return text.replace("\n", "\r\n")
