"""Wycheproof's cases for what SRTP is composed of, put through the transforms: clear part, payload, tag and index.

There are none for AES in counter mode alone; its key stream has the vectors of RFC 3711 and 6188.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack.srtp.key_derivation import SessionKeys
from webrtc_stack.srtp.transforms import CounterMode, Gcm, Null


def cases(name: str) -> list[Any]:
    return [
        pytest.param(
            {"tagSize": group["tagSize"]}
            | {
                key: bytes.fromhex(value) if key in ("key", "iv", "aad", "msg", "ct", "tag") else value
                for key, value in case.items()
            },
            id=f"{group['keySize']}-{group['tagSize']}-{case['tcId']}",
        )
        for group in vectors.load(f"srtp/wycheproof_{name}.json")["testGroups"]
        for case in group["tests"]
    ]


@pytest.mark.parametrize("case", cases("aes_gcm"))
def test_gcm_seals_and_opens_as_wycheproof_says(case: dict[str, Any]) -> None:
    """The additional data is a packet's clear part. With SSRC and index 0 the nonce is the session's salt."""
    transform = Gcm(SessionKeys(case["key"], case["iv"], b""), b"")
    clear, head = case["aad"] + case["msg"], len(case["aad"])
    sealed = case["aad"] + case["ct"] + case["tag"]
    if case["result"] == "valid":
        assert transform.sealer(0)(clear, head, 0) == sealed
        assert transform.opener(0)(sealed, head, 0) == clear
    else:
        assert transform.opener(0)(sealed, head, 0) is None


@pytest.mark.parametrize("case", cases("hmac_sha1"))
def test_hmac_sha1_tags_are_those_of_wycheproof(case: dict[str, Any]) -> None:
    """What is authenticated is the packet and behind it the rollover counter, so a message's last bytes are that."""
    tag_bytes = case["tagSize"] // 8
    null = Null(SessionKeys(b"", b"", case["key"]), tag_bytes, b"")
    counter_mode = CounterMode(SessionKeys(bytes(16), bytes(14), case["key"]), tag_bytes, b"")
    valid = case["result"] == "valid"
    assert (null._tag(case["msg"]) == case["tag"]) is valid
    if len(case["msg"]) < 4:
        return
    packet, index = case["msg"][:-4], int.from_bytes(case["msg"][-4:], "big") << 16
    assert (null.sealer(0)(packet, 0, index) == packet + case["tag"]) is valid
    assert null.opener(0)(packet + case["tag"], 0, index) == (packet if valid else None)
    opened = counter_mode.opener(0)(packet + case["tag"], len(packet), index)
    assert opened == (packet if valid else None)
    # All of it in the clear: an encrypting transform then adds nothing but the tag.
    assert (counter_mode.sealer(0)(packet, len(packet), index) == packet + case["tag"]) is valid
