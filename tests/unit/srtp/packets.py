"""Packets and contexts for the tests of this room, and what a context remembers."""

from __future__ import annotations

from typing import Any

from webrtc_stack.srtp import Profile, SrtpContext
from webrtc_stack.srtp.window import ReplayWindow

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


Memory = tuple[
    dict[int, tuple[int, int]],
    list[tuple[int, tuple[int, int]]],
    dict[int, int],
    list[tuple[int, tuple[int, int]]],
    dict[int, int],
]


def memory(of: Any) -> Memory:
    """Everything that decides what happens to the next packet: streams sent and received, RTCP sent and received, and
    rollover counters told, by SSRC; received ones in the order of being forgotten. A window is its highest index and
    which of those before it were taken: bit n is `top - n`.
    """
    if hasattr(of, "_memory"):  # C
        sent, received, rtcp_sent, rtcp_received, joining = of._memory()
        return dict(sent), received, dict(rtcp_sent), rtcp_received, dict(joining)
    return (
        {ssrc: _window(stream) for ssrc, stream in of._sent.items()},
        [(ssrc, _window(stream)) for ssrc, stream in of._received.items()],
        dict(of._rtcp_sent),
        [(ssrc, _window(window)) for ssrc, window in of._rtcp_received.items()],
        dict(of._joining),
    )


def _window(window: ReplayWindow) -> tuple[int, int]:
    return window.top, window._mask() & (1 << window.size) - 1


def heard(of: SrtpContext) -> list[int]:
    """The SSRCs received, the one that is forgotten next first."""
    return [ssrc for ssrc, _ in memory(of)[1]]


def heard_rtcp(of: SrtpContext) -> list[int]:
    return [ssrc for ssrc, _ in memory(of)[3]]
