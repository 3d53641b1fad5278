"""Bursts and single packets, senders and receivers: the same packets, the same verdicts, the same memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.srtp.packets import EXTENSION, context, memory, rtp
from webrtc_stack.errors import WebRTCError
from webrtc_stack.srtp import Profile, Refused, SrtpContext

pytestmark = pytest.mark.hot
PROFILES = st.sampled_from([Profile.AEAD_AES_128_GCM, Profile.AES_CM_128_HMAC_SHA1_80, Profile.NULL_HMAC_SHA1_32])
OPTIONS = st.sampled_from(
    [
        {},
        {"mki": b"k"},
        {"cryptex": True},
        {"encrypted_extensions": (1, 3)},
        {"cryptex": True, "encrypted_extensions": (5,), "mki": b"id"},
    ]
)
WINDOWS = st.sampled_from([1, 3, 64, 1024])


@st.composite
def packets(draw: st.DrawFn) -> list[bytes]:
    """Packets of a few streams, mostly in order, with jumps, wraps, late ones and repeated ones; some are broken."""
    at = {ssrc: draw(st.sampled_from([0, 30, 65530])) for ssrc in (1, 2, 3)}
    made = []
    for _ in range(draw(st.integers(0, 25))):
        ssrc = draw(st.sampled_from([1, 1, 1, 2, 3]))
        at[ssrc] += draw(st.sampled_from([1, 1, 1, 1, 1, 2, 0, -1, -3, 60, 40000]))
        extension = draw(st.sampled_from([b"", EXTENSION, b"\x10\0\0\1\5\2hi"]))
        packet = rtp(at[ssrc] & 0xFFFF, ssrc, payload=draw(st.binary(max_size=20)), extension=extension)
        if draw(st.integers(0, 15)) == 0:
            packet = packet[: draw(st.integers(0, len(packet)))]
        made.append(packet)
    return made


def one_by_one(sender: SrtpContext, burst: list[bytes]) -> list[bytes]:
    sealed = []
    for packet in burst:
        try:
            sealed.append(sender.protect(packet))
        except WebRTCError:
            continue
    return sealed


@settings(max_examples=250)
@given(profile=PROFILES, options=OPTIONS, window=WINDOWS, burst=packets(), data=st.data())
def test_a_burst_is_the_same_as_its_packets_one_by_one(
    profile: Profile, options: dict[str, object], window: int, burst: list[bytes], data: st.DataObject
) -> None:
    single, many = (context(profile, replay_window=window, **options) for _ in range(2))
    sealed = one_by_one(single, burst)
    try:
        assert many.protect_many(burst) == sealed
    except WebRTCError:
        assert len(sealed) < len(burst)
        assert memory(many) == ({}, [], {}, [], {})
    else:
        assert memory(many) == memory(single)

    order = data.draw(st.lists(st.sampled_from(sealed), max_size=40)) if sealed else []
    order = [packet[:-1] if data.draw(st.integers(0, 12)) == 0 else packet for packet in sealed + order]
    single, many = (context(profile, replay_window=window, max_ssrcs=2, **options) for _ in range(2))
    cut = data.draw(st.integers(0, len(order)))
    results = many.unprotect_many(order[:cut]) + many.unprotect_many(order[cut:])
    for packet, result in zip(order, results, strict=True):
        before = memory(single)
        try:
            assert single.unprotect(packet) == result
        except WebRTCError as error:
            assert isinstance(result, Refused)
            assert (type(error), str(error)) == (type(result.error()), str(result.error()))
            assert memory(single) == before
    assert memory(single) == memory(many)
    assert single.counters.drops.by_reason == many.counters.drops.by_reason
    assert single.counters.rtp_unprotected == many.counters.rtp_unprotected
