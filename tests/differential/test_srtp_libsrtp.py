"""Against libsrtp, by way of pylibsrtp: the same bytes and the same verdicts, whatever order packets come in."""

from __future__ import annotations

from typing import Final

import pylibsrtp
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.srtp.packets import context, rtcp, rtp
from webrtc_stack.errors import AuthenticationFailed, ReplayDetected, SecurityError
from webrtc_stack.srtp import Profile, SrtpContext

pytestmark = pytest.mark.hot
WINDOW: Final = 128
"""libsrtp's SRTCP window is of this size and cannot be changed."""
PROFILES: Final = (
    Profile.AES_CM_128_HMAC_SHA1_80,
    Profile.AES_CM_128_HMAC_SHA1_32,
    Profile.NULL_HMAC_SHA1_80,
    Profile.AEAD_AES_128_GCM,
    Profile.AEAD_AES_256_GCM,
)
VERDICTS: Final = {
    "authentication failure": (AuthenticationFailed, "tag is wrong"),
    "replay check failed (bad index)": (ReplayDetected, "seen before"),
    "replay check failed (index too old)": (ReplayDetected, "older"),
}


def libsrtp(profile: Profile, kind: int) -> pylibsrtp.Session:
    key = bytes(range(profile.key_bytes)) + bytes(range(100, 100 + profile.salt_bytes))
    policy = pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=int(profile))
    policy.window_size = WINDOW
    return pylibsrtp.Session(policy=policy)


def outcome(function: object, packet: bytes) -> bytes | tuple[type[Exception], str]:
    """What came of it, libsrtp's words for a refusal translated."""
    assert callable(function)
    try:
        result = function(packet)
    except pylibsrtp.Error as error:
        return VERDICTS[str(error)]
    except SecurityError as error:
        word = next(word for kind, word in VERDICTS.values() if kind is type(error) and word in str(error))
        return type(error), word
    assert isinstance(result, bytes)
    return result


class Comparison(RuleBasedStateMachine):
    """Four ends under one key: a sender and a receiver of each implementation."""

    @initialize(profile=st.sampled_from(PROFILES))
    def begin(self, profile: Profile) -> None:
        self.our_sender: SrtpContext = context(profile, replay_window=WINDOW)
        self.our_receiver: SrtpContext = context(profile, replay_window=WINDOW)
        self.their_sender = libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.their_receiver = libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.at: dict[int, int] = {}
        self.sealed: list[bytes] = []
        self.controls: list[bytes] = []

    def send(self, packet: bytes) -> None:
        ours = outcome(self.our_sender.protect, packet)
        assert ours == outcome(self.their_sender.protect, packet)
        if isinstance(ours, bytes):
            self.sealed.append(ours)

    def arrive(self, packet: bytes) -> None:
        assert outcome(self.our_receiver.unprotect, packet) == outcome(self.their_receiver.unprotect, packet)

    @rule(
        ssrc=st.integers(0, 5),
        first=st.sampled_from([0, 1, 100, 32767, 32768, 32769, 65530, 65535]),
        steps=st.lists(
            st.sampled_from([1, 1, 1, 1, 2, 5, 0, -1, -4, 127, 128, -127, -128, 30000]), min_size=1, max_size=12
        ),
        csrcs=st.integers(0, 2),
        extension=st.sampled_from([b"", b"\xbe\xde\0\1\x10a\0\0", b"\x12\x34\0\0"]),
        payload=st.binary(min_size=1, max_size=40),
        deliver=st.booleans(),
    )
    def media(
        self, ssrc: int, first: int, steps: list[int], csrcs: int, extension: bytes, payload: bytes, deliver: bool
    ) -> None:
        for step in steps:
            self.at[ssrc] = self.at[ssrc] + step if ssrc in self.at else first
            known = len(self.sealed)
            self.send(rtp(self.at[ssrc] & 0xFFFF, ssrc, payload=payload, csrcs=csrcs, extension=extension))
            if deliver and len(self.sealed) > known:
                self.arrive(self.sealed[-1])

    @rule(ssrc=st.integers(0, 5), strides=st.integers(1, 6))
    def far(self, ssrc: int, strides: int) -> None:
        """Strides just below half of the sequence numbers: rollovers come quickly."""
        for _ in range(strides):
            self.at[ssrc] = self.at.get(ssrc, 0) + 0x7000
            known = len(self.sealed)
            self.send(rtp(self.at[ssrc] & 0xFFFF, ssrc))
            if len(self.sealed) > known:
                self.arrive(self.sealed[-1])

    @precondition(lambda self: self.sealed)
    @rule(data=st.data())
    def any_order_and_again(self, data: st.DataObject) -> None:
        for packet in data.draw(st.lists(st.sampled_from(self.sealed), max_size=12)):
            self.arrive(packet)

    @precondition(lambda self: self.sealed)
    @rule(data=st.data(), bit=st.integers(0, 10_000))
    def damaged(self, data: st.DataObject, bit: int) -> None:
        packet = bytearray(data.draw(st.sampled_from(self.sealed)))
        # Not the first byte: header lengths that do not fit are refused on both sides, in other words.
        bit = 8 + bit % (8 * (len(packet) - 1))
        packet[bit // 8] ^= 1 << bit % 8
        if packet[0] & 0x10 and bit // 8 in range(12 + 4 * (packet[0] & 0x0F), 16 + 4 * (packet[0] & 0x0F)):
            return
        self.arrive(bytes(packet))

    @rule(ssrc=st.integers(0, 5), rest=st.binary(max_size=10), count=st.integers(1, 140), deliver=st.booleans())
    def control(self, ssrc: int, rest: bytes, count: int, deliver: bool) -> None:
        if not self.our_sender.rtcp_index(ssrc):
            self.our_sender.set_rtcp_index(ssrc, 1)  # where libsrtp begins
        for _ in range(count):
            packet = rtcp(ssrc, rest=rest * 4)
            sealed = self.our_sender.protect_rtcp(packet)
            assert sealed == self.their_sender.protect_rtcp(packet)
            if deliver:
                self.control_arrives(sealed)
        self.controls.append(sealed)

    def control_arrives(self, packet: bytes) -> None:
        ours = outcome(self.our_receiver.unprotect_rtcp, packet)
        assert ours == outcome(self.their_receiver.unprotect_rtcp, packet)

    @precondition(lambda self: self.controls)
    @rule(data=st.data(), damage=st.integers(-200, 30))
    def controls_again(self, data: st.DataObject, damage: int) -> None:
        for packet in data.draw(st.lists(st.sampled_from(self.controls), max_size=8)):
            if damage > 3 and damage < len(packet) - 14:  # the index and E have words of their own in libsrtp
                packet = packet[:damage] + bytes((packet[damage] ^ 0x40,)) + packet[damage + 1 :]
            self.control_arrives(packet)


Comparison.TestCase.settings = settings(max_examples=120, stateful_step_count=25)
TestAgainstLibsrtp = Comparison.TestCase


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_hundred_thousand_packets_of_one_stream_are_those_of_libsrtp(profile: Profile) -> None:
    """Every sequence number, over the wrap, in bursts."""
    theirs, back = (
        libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_OUTBOUND),
        libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_INBOUND),
    )
    sender, receiver = context(profile), context(profile)
    for start in range(0, 100_000, 1000):
        burst = [rtp(sequence & 0xFFFF) for sequence in range(start, start + 1000)]
        sealed = sender.protect_many(burst)
        assert sealed == [theirs.protect(packet) for packet in burst]
        assert receiver.unprotect_many(sealed) == burst
        assert back.unprotect(sealed[0]) == burst[0]
    assert sender.rollover_counter(0x1234) == receiver.rollover_counter(0x1234) == 1


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_thousand_streams_are_those_of_libsrtp(profile: Profile) -> None:
    theirs, back = (
        libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_OUTBOUND),
        libsrtp(profile, pylibsrtp.Policy.SSRC_ANY_INBOUND),
    )
    sender, receiver = context(profile), context(profile)
    for turn in range(3):
        burst = [rtp(65535 + turn & 0xFFFF, ssrc * 2654435761 & 0xFFFF_FFFF) for ssrc in range(1000)]
        sealed = sender.protect_many(burst)
        assert sealed == [theirs.protect(packet) for packet in burst]
        assert receiver.unprotect_many(sealed) == burst == [back.unprotect(packet) for packet in sealed]
