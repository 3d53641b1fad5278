"""Packets of strangers, of a peer gone mad, and of a sender with many streams: refused or bounded, never a trace."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.errors import TooManyStreams
from webrtc_stack.srtp import Profile, Refused, SrtpContext

from .packets import EXTENSION, context, heard, heard_rtcp, memory, pair, rtcp, rtp

pytestmark = pytest.mark.hot
PROFILES = pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.name)
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"mki": b"key1"}, {"cryptex": True}, {"encrypted_extensions": (1, 3)})


@PROFILES
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_bit_of_a_packet_can_be_flipped_and_nothing_moves(profile: Profile, options: dict[str, Any]) -> None:
    sender, receiver = pair(profile, **options)
    receiver.unprotect_many(sender.protect_many([rtp(1), rtp(2)]))
    receiver.unprotect_rtcp(sender.protect_rtcp(rtcp()))
    before = memory(receiver)
    sealed = sender.protect(rtp(3, extension=EXTENSION, csrcs=1, payload=b"pay"))
    control = sender.protect_rtcp(rtcp(rest=b"info"))
    for packet, open_many in ((sealed, receiver.unprotect_many), (control, receiver.unprotect_rtcp_many)):
        for bit in range(len(packet) * 8):
            damaged = bytearray(packet)
            damaged[bit // 8] ^= 1 << bit % 8
            assert type(open_many([bytes(damaged)])[0]) is Refused, f"bit {bit}"
        for size in range(len(packet)):
            assert type(open_many([packet[:size]])[0]) is Refused, f"cut to {size}"
        assert type(open_many([packet + b"\0"])[0]) is Refused
    assert memory(receiver) == before
    assert type(receiver.unprotect(sealed)) is type(receiver.unprotect_rtcp(control)) is bytes


def test_an_authentic_packet_with_an_unreadable_extension_is_refused_and_nothing_moves() -> None:
    """A sender without header encryption may carry what a receiver with it cannot walk through."""
    sender, receiver = context(), context(encrypted_extensions=(1,))
    for body in (b"\x0f\0\0\0"[::-1], b"\x1f" + bytes(3)):
        sealed = sender.protect(rtp(sender.counters.rtp_protected, extension=b"\xbe\xde\0\1" + body))
        before = memory(receiver)
        assert receiver.unprotect_many([sealed]) == [Refused.MALFORMED]
        assert memory(receiver) == before


def test_an_unreadable_extension_inside_a_burst_is_refused_alone() -> None:
    sender, receiver = context(), context(encrypted_extensions=(1,))
    bad = rtp(1, extension=b"\xbe\xde\0\1" + b"\x0f\0\0\0"[::-1])
    sealed = sender.protect_many([rtp(0), bad, rtp(2), rtp(3)])
    assert receiver.unprotect_many(sealed) == [rtp(0), Refused.MALFORMED, rtp(2), rtp(3)]
    assert receiver.counters.drops.by_reason == {Refused.MALFORMED.value: 1}


def test_streams_unheard_for_longest_are_forgotten_and_strangers_push_nobody_out() -> None:
    sender, receiver = context(), context(max_ssrcs=3)
    receiver.unprotect_many(sender.protect_many([rtp(1, ssrc) for ssrc in (1, 2, 3)]))
    receiver.unprotect_many([rtp(1, ssrc) + bytes(16) for ssrc in range(100, 200)])
    receiver.unprotect(sender.protect(rtp(2, 1)))
    assert heard(receiver) == [2, 3, 1]
    receiver.unprotect_many(sender.protect_many([rtp(1, 4), rtp(2, 4), rtp(3, 1)]))
    assert heard(receiver) == [3, 4, 1]
    assert receiver.rollover_counter(2) is None
    assert receiver.counters.ssrcs_evicted == 1
    for ssrc in (1, 2, 3, 1, 4, 1, 5):
        receiver.unprotect_rtcp(sender.protect_rtcp(rtcp(ssrc)))
    assert heard_rtcp(receiver) == [4, 1, 5]


def test_one_stream_is_enough_for_a_context_that_keeps_one() -> None:
    sender, receiver = context(), context(max_ssrcs=1)
    burst = [rtp(sequence, ssrc) for ssrc in (1, 2) for sequence in range(1, 5)]
    assert receiver.unprotect_many(sender.protect_many(burst)) == burst
    assert heard(receiver) == [2]


def test_a_sender_refuses_a_stream_too_many_and_keeps_the_others() -> None:
    sender = context(max_ssrcs=2)
    sender.protect_many([rtp(1, 1), rtp(1, 2)])
    before = memory(sender)
    with pytest.raises(TooManyStreams):
        sender.protect(rtp(1, 3))
    assert memory(sender) == before
    assert sender.protect(rtp(2, 1))
    for ssrc in (7, 8):
        sender.set_rollover_counter(ssrc, 1)
    with pytest.raises(TooManyStreams):
        sender.set_rollover_counter(9, 1)


def _hostile(seed: str, count: int) -> Iterator[bytes]:
    entropy = SeededEntropy(seed)
    strange = SrtpContext(Profile.AEAD_AES_256_GCM, b"k" * 32, b"s" * 12, max_ssrcs=10_000)
    for number in range(count):
        kind = random_below(entropy, 4)
        if kind == 0:
            yield entropy.bytes(random_below(entropy, 200))
        elif kind == 1:
            yield rtp(number & 0xFFFF, number) + entropy.bytes(16)
        elif kind == 2:
            yield strange.protect(rtp(number & 0xFFFF, random_below(entropy, 9000)))
        else:
            yield rtcp(number) + entropy.bytes(16) + b"\x80" + entropy.bytes(3)


def _flood(count: int) -> None:
    """`count` hostile packets, the same ten thousand again and again, as RTP and as RTCP to receivers of every kind."""
    receivers = [context(profile, **options) for profile in Profile for options in OPTIONS]
    target = context(max_ssrcs=256)
    hostile = list(_hostile("flood", 10_000))
    share = len(hostile) // len(receivers)
    for receiver in receivers:
        receiver.unprotect_many(hostile[:50])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for part in range(count // len(hostile)):
        for number, receiver in enumerate(receivers):
            at = (number + part) % len(receivers) * share  # every packet comes to every receiver in the end
            mine = hostile[at : at + share]
            assert {type(packet) for packet in receiver.unprotect_many(mine)} == {Refused}
            assert {type(packet) for packet in receiver.unprotect_rtcp_many(mine)} == {Refused}
            assert memory(receiver) == ({}, [], {}, [], {})
        # Authentic packets of ever new streams: a peer may do that, and still gets no more room than others.
        one_by_one = context(max_ssrcs=300)
        churn = [rtp(number * 977 & 0xFFFF, part * 300 + number) for number in range(300)]
        target.unprotect_many(one_by_one.protect_many(churn))
        assert len(heard(target)) == 256
    del one_by_one, churn, mine
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1 << 20, f"{grown} bytes more"


def test_a_flood_of_hostile_packets_and_streams_leaves_nothing_behind() -> None:
    _flood(20_000)


@pytest.mark.slow
def test_a_million_hostile_packets_leave_nothing_behind() -> None:
    _flood(1_000_000)


def test_a_window_of_the_largest_size_is_bounded_whatever_arrives() -> None:
    sender, receiver = context(replay_window=32768), context(replay_window=32768)
    entropy = SeededEntropy("jumps")
    sent = [sender.protect(rtp(number * 21 + random_below(entropy, 20) & 0xFFFF)) for number in range(9000)]
    while sent:
        receiver.unprotect_many([sent.pop(random_below(entropy, len(sent)))])
    assert memory(receiver)[1][0][1][1].bit_length() <= 32768
