"""SRTP and SRTCP packets from strangers: refused, counted, and without a trace in the context's state.

The first byte chooses the context (profile, MKI, header protection) and what the rest is: bytes as they are, or an
authentic packet made of them, which must come out as it went in.
"""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.srtp import Profile, Refused, SrtpContext

_PROFILES = tuple(Profile)


def _context(choice: int) -> SrtpContext:
    profile = _PROFILES[choice % len(_PROFILES)]
    return SrtpContext(
        profile,
        bytes(range(profile.key_bytes)),
        bytes(range(profile.salt_bytes)),
        replay_window=64,
        mki=b"key1" if choice & 0x10 else None,
        cryptex=bool(choice & 0x20),
        encrypted_extensions=(1, 3) if choice & 0x40 else (),
        max_ssrcs=4,
    )


def _rtp(sequence: int, *, first: int = 0x80, rest: bytes = b"payload") -> bytes:
    return bytes((first, 96)) + sequence.to_bytes(2, "big") + b"\0\0\0\1\0\0\0\2" + rest


_EXTENSION = b"\xbe\xde\0\2\x10\xaa\x31\xbb\xcc\0\0\0media"
_PLAIN = (
    _rtp(1),
    _rtp(65535, first=0x90, rest=_EXTENSION),
    _rtp(7, first=0x92, rest=b"csrccsrc" + _EXTENSION),
    _rtp(9, first=0x81, rest=b"csrcmedia"),
)
_RTCP = b"\x81\xc8\0\6\0\0\0\1" + bytes(20)
SEEDS: list[bytes] = [
    *(bytes((choice, 1)) + packet for choice in range(0, 128, 7) for packet in (*_PLAIN, _RTCP)),
    *(bytes((choice, 0)) + _context(choice).protect(_PLAIN[1]) for choice in range(0, 128, 5)),
    *(bytes((choice, 0)) + _context(choice).protect_rtcp(_RTCP) for choice in range(0, 128, 5)),
]


def _round_trip(choice: int, packet: bytes) -> None:
    sender, receiver = _context(choice), _context(choice)
    try:
        sealed = sender.protect(packet)
    except ParseError:
        assert sender.rollover_counter(int.from_bytes(packet[8:12], "big")) is None
    else:
        opened = receiver.unprotect(sealed)
        if opened != packet:
            assert choice & 0x20, "only Cryptex adds an extension, behind CSRCs"
            end = 12 + 4 * (packet[0] & 0x0F)
            assert opened == bytes((packet[0] | 0x10,)) + packet[1:end] + b"\xbe\xde\0\0" + packet[end:]
        assert receiver.unprotect_many([sealed]) == [Refused.REPLAYED]
    try:
        sealed = sender.protect_rtcp(packet)
    except ParseError:
        return
    assert receiver.unprotect_rtcp(sealed) == packet
    assert receiver.unprotect_rtcp_many([sealed]) == [Refused.REPLAYED]


def fuzz_one(data: bytes) -> None:
    if len(data) < 2:
        return
    choice, packet = data[0], data[2:]
    if data[1] & 1:
        _round_trip(choice, packet)
        return
    context = _context(choice)
    authentic = context.protect(_PLAIN[1])
    for result in (*context.unprotect_many([packet]), *context.unprotect_rtcp_many([packet])):
        assert isinstance(result, (bytes, Refused))
        if isinstance(result, bytes):
            assert packet in SEEDS_SEALED, "something was believed that was never made"
    assert isinstance(context.unprotect_many([authentic])[0], bytes) or packet == authentic
    assert context.counters.drops.total >= 1


SEEDS_SEALED = frozenset(seed[2:] for seed in SEEDS if not seed[1] & 1)
