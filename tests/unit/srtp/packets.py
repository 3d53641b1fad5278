"""Packets and contexts for the tests of this room, and what a context remembers."""

from __future__ import annotations

from typing import Any

from webrtc_stack.srtp import Profile, SrtpContext

EXTENSION = bytes.fromhex("bede0003 10aa 31bbcc 00 5204dd 000000".replace(" ", ""))
"""One-byte elements: 1 (aa), 3 (bbcc), padding, 5 (04dd and one more byte)."""


def rtp(
    sequence: int, ssrc: int = 0x1234, *, payload: bytes = b"payload", csrcs: int = 0, extension: bytes = b""
) -> bytes:
    first = 0x80 | csrcs | (0x10 if extension else 0)
    front = bytes((first, 96)) + sequence.to_bytes(2, "big") + b"\0\1\2\3" + ssrc.to_bytes(4, "big")
    return front + b"".join(b"csrc" for _ in range(csrcs)) + extension + payload


def rtcp(ssrc: int = 0x1234, *, rest: bytes = bytes(20)) -> bytes:
    return b"\x81\xc8" + (len(rest) // 4 + 1).to_bytes(2, "big") + ssrc.to_bytes(4, "big") + rest


def context(profile: Profile = Profile.AEAD_AES_128_GCM, **options: Any) -> SrtpContext:
    return SrtpContext(profile, bytes(range(profile.key_bytes)), bytes(range(100, 100 + profile.salt_bytes)), **options)


def pair(profile: Profile = Profile.AEAD_AES_128_GCM, **options: Any) -> tuple[SrtpContext, SrtpContext]:
    return context(profile, **options), context(profile, **options)


def memory(of: SrtpContext) -> object:
    """Everything that decides what happens to the next packet."""
    return (
        {ssrc: stream.state for ssrc, stream in of._sent.items()},
        [(ssrc, stream.state) for ssrc, stream in of._received.items()],
        dict(of._rtcp_sent),
        [(ssrc, window.state) for ssrc, window in of._rtcp_received.items()],
        dict(of._joining),
    )
