"""What a context does with streams, orders of arrival, ends of indices, and misuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.calls import count_calls
from webrtc_stack.errors import (
    AuthenticationFailed,
    InvalidAccessError,
    InvalidArgumentError,
    InvalidStateError,
    KeyLimitReached,
    NotSupportedError,
    ParseError,
    ReplayDetected,
    TooManyStreams,
    WebRTCError,
)
from webrtc_stack.examples import srtp_alone
from webrtc_stack.srtp import Profile, Refused, SrtpContext

from .packets import EXTENSION, context, memory, pair, rtcp, rtp

pytestmark = pytest.mark.hot
PROFILES = pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.name)


@PROFILES
@pytest.mark.parametrize("mki", [None, b"\x07key"])
@pytest.mark.parametrize("cryptex", [False, True])
@pytest.mark.parametrize("ids", [(), (1, 5)])
def test_packets_of_every_shape_come_out_as_they_went_in(
    profile: Profile, mki: bytes | None, cryptex: bool, ids: tuple[int, ...]
) -> None:
    sender, receiver = pair(profile, mki=mki, cryptex=cryptex, encrypted_extensions=ids)
    burst = [
        rtp(1),
        rtp(2, payload=b""),
        rtp(3, payload=bytes(1188)),
        rtp(4, extension=EXTENSION),
        rtp(5, extension=EXTENSION, csrcs=3),
        rtp(6, extension=bytes.fromhex("1000000205020a0003010100"), csrcs=15),
        rtp(7, extension=b"\x12\x34\0\1abcd"),
        rtp(9, 0x99),
        rtp(8),
    ]
    sealed = sender.protect_many(burst)
    assert receiver.unprotect_many(sealed) == burst
    overhead = profile.rtp_overhead_bytes + len(mki or b"")
    assert [len(packet) for packet in sealed] == [len(packet) + overhead for packet in burst]
    alone, other = pair(profile, mki=mki, cryptex=cryptex, encrypted_extensions=ids)
    assert [alone.protect(packet) for packet in burst] == sealed
    assert [other.unprotect(packet) for packet in sealed] == burst
    assert memory(alone) == memory(sender)
    assert memory(other) == memory(receiver)
    reports = [rtcp(), rtcp(rest=b""), rtcp(0x99)]
    sealed = sender.protect_rtcp_many(reports)
    assert receiver.unprotect_rtcp_many(sealed) == reports
    overhead = profile.rtcp_overhead_bytes + len(mki or b"")
    assert [len(packet) for packet in sealed] == [len(packet) + overhead for packet in reports]
    assert [alone.protect_rtcp(packet) for packet in reports] == sealed
    assert receiver.counters.drops.total == 0
    assert receiver.counters.rtp_unprotected == sender.counters.rtp_protected == len(burst)


@PROFILES
def test_payload_and_chosen_extension_elements_are_not_readable(profile: Profile) -> None:
    hidden = profile not in (Profile.NULL_HMAC_SHA1_80, Profile.NULL_HMAC_SHA1_32)
    packet = rtp(1, payload=b"a secret of many bytes", extension=EXTENSION, csrcs=1)
    sealed = context(profile, encrypted_extensions=(3, 5)).protect(packet)
    assert (b"secret" in sealed) is not hidden
    assert sealed[:20] == packet[:20]
    assert sealed[20:22] == packet[20:22], "element 1 was not chosen"
    assert sealed[22] == packet[22], "an element's id and length stay readable"
    assert (sealed[23:25] == packet[23:25]) is not hidden
    whole = context(profile, cryptex=True).protect(packet)
    assert whole[16:18] == b"\xc0\xde"
    assert (b"csrc" in whole) is not hidden
    assert (EXTENSION[4:] in whole) is not hidden


def test_csrcs_without_an_extension_get_an_empty_one_so_that_cryptex_is_seen() -> None:
    sender, receiver = pair(cryptex=True)
    sealed = sender.protect(rtp(1, csrcs=2))
    assert sealed[0] == 0x92
    assert sealed[20:24] == b"\xc0\xde\0\0"
    assert receiver.unprotect(sealed) == rtp(1, csrcs=2, extension=b"\xbe\xde\0\0")


def test_a_receiver_with_cryptex_takes_packets_without_it() -> None:
    packet = rtp(1, extension=EXTENSION, csrcs=1)
    assert context(cryptex=True).unprotect(context().protect(packet)) == packet


def test_an_extension_that_claims_to_be_encrypted_is_not_sent() -> None:
    sender = context(cryptex=True)
    before = memory(sender)
    with pytest.raises(ParseError, match="means encrypted"):
        sender.protect(rtp(1, extension=b"\xc0\xde\0\1abcd"))
    assert memory(sender) == before


# --- indices --------------------------------------------------------------------------------------------------------


@PROFILES
def test_the_rollover_counter_goes_on_over_the_wrap_even_out_of_order(profile: Profile) -> None:
    sender, receiver = pair(profile)
    order = [65533, 65535, 0, 65534, 2, 1, 3]
    packets = [rtp(sequence) for sequence in order]
    sealed = sender.protect_many(packets)
    assert receiver.unprotect_many(sealed) == packets
    assert sender.rollover_counter(0x1234) == receiver.rollover_counter(0x1234) == 1
    assert receiver.unprotect_many(sealed) == [Refused.REPLAYED] * len(order)


@pytest.mark.parametrize("unprotect", ["unprotect", "unprotect_many"])
def test_late_packets_pass_up_to_the_window_and_once(unprotect: str) -> None:
    sender, receiver = context(replay_window=200), context(replay_window=100)
    sealed = [sender.protect(rtp(sequence)) for sequence in range(1000, 1200)]
    assert receiver.unprotect(sealed[199])
    result = receiver.unprotect_many(sealed[100:199])
    assert all(isinstance(packet, bytes) for packet in result)
    with pytest.raises(ReplayDetected, match="older"):
        receiver.unprotect(sealed[99])
    with pytest.raises(ReplayDetected, match="seen before"):
        receiver.unprotect(sealed[150])
    assert receiver.counters.drops.by_reason == {"too_old": 1, "replayed": 1}


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 128, 1024, 32768])
def test_a_window_of_any_size_is_exact(size: int) -> None:
    sender, receiver = context(replay_window=32768), context(replay_window=size)
    old, edge, top = sender.protect_many(
        [rtp(20), rtp(21), rtp(20 + size)] if size > 1 else [rtp(20), rtp(21), rtp(22)]
    )
    receiver.unprotect(top)
    if size > 1:
        receiver.unprotect(edge)
    assert receiver.unprotect_many([old]) == [Refused.TOO_OLD]


def test_a_late_joiner_is_told_the_rollover_counter() -> None:
    sender, receiver, lost = context(), context(), context()
    sender.set_rollover_counter(0x1234, 7)
    sealed = sender.protect_many([rtp(40000), rtp(40001), rtp(65535), rtp(0)])
    receiver.set_rollover_counter(0x1234, 7)
    assert receiver.rollover_counter(0x1234) == 7
    before = memory(receiver)
    assert receiver.unprotect_many([sealed[1][:-1] + b"x"])[0] is Refused.BAD_TAG
    assert memory(receiver) == before, "only an authentic packet uses up what was told"
    assert receiver.unprotect_many(sealed[1:]) == [rtp(40001), rtp(65535), rtp(0)]
    assert receiver.rollover_counter(0x1234) == 8
    assert lost.unprotect_many(sealed) == [Refused.BAD_TAG] * 4
    assert lost.rollover_counter(0x1234) is None


def test_a_rollover_counter_that_leads_back_cannot_make_a_sender_repeat_itself() -> None:
    sender = context()
    sender.set_rollover_counter(5, 3)
    sender.protect(rtp(10, 5))
    sender.set_rollover_counter(5, 2)
    with pytest.raises(ReplayDetected):
        sender.protect(rtp(11, 5))
    sender.set_rollover_counter(5, 3)
    with pytest.raises(ReplayDetected):
        sender.protect(rtp(10, 5))
    assert sender.protect(rtp(11, 5))


@pytest.mark.parametrize("many", [False, True])
def test_the_last_index_is_used_and_none_after_it(many: bool) -> None:
    sender, receiver = pair()
    for side in (sender, receiver):
        side.set_rollover_counter(0x1234, 0xFFFF_FFFF)
    sealed = sender.protect_many([rtp(65534), rtp(65535)])
    assert receiver.unprotect_many(sealed) == [rtp(65534), rtp(65535)]
    before, heard = memory(sender), memory(receiver)
    with pytest.raises(KeyLimitReached):
        _ = sender.protect_many([rtp(0)]) if many else sender.protect(rtp(0))
    with pytest.raises(KeyLimitReached):
        sender.protect_many([rtp(65535, 9), rtp(0)])
    assert memory(sender) == before
    made_up = context().protect(rtp(0))
    assert receiver.unprotect_many([made_up]) == [Refused.KEY_LIMIT]
    with pytest.raises(KeyLimitReached):
        receiver.unprotect(made_up)
    assert memory(receiver) == heard


def test_the_last_control_index_is_used_and_none_after_it() -> None:
    sender, receiver = pair()
    sender.set_rtcp_index(0x1234, 2**31 - 2)
    for _ in range(2):
        assert receiver.unprotect_rtcp(sender.protect_rtcp(rtcp())) == rtcp()
    before = memory(sender)
    with pytest.raises(KeyLimitReached):
        sender.protect_rtcp_many([rtcp(77), rtcp()])
    assert memory(sender) == before
    assert sender.protect_rtcp(rtcp(77))


def test_control_packets_are_replays_too() -> None:
    sender, receiver = pair(replay_window=4)
    sealed = [sender.protect_rtcp(rtcp()) for _ in range(6)]
    assert receiver.unprotect_rtcp(sealed[5]) == rtcp()
    assert receiver.unprotect_rtcp_many(sealed) == [Refused.TOO_OLD] * 2 + [rtcp()] * 3 + [Refused.REPLAYED]
    with pytest.raises(ReplayDetected):
        receiver.unprotect_rtcp(sealed[4])
    assert receiver.counters.rtcp_unprotected == 4


def test_control_packets_may_be_sent_authenticated_only() -> None:
    sender, receiver = context(encrypt_rtcp=False), context()
    sealed = sender.protect_rtcp(rtcp(rest=b"readable"))
    assert b"readable" in sealed
    assert receiver.unprotect_rtcp(sealed) == rtcp(rest=b"readable")


def test_the_same_index_is_sent_twice_only_if_asked_for() -> None:
    strict, lax = context(), context(allow_repeats=True)
    first = lax.protect(rtp(1))
    assert lax.protect_many([rtp(2), rtp(1)])[1] == first == strict.protect(rtp(1))
    before = memory(strict)
    with pytest.raises(ReplayDetected):
        strict.protect(rtp(1, payload=b"something else"))
    assert memory(strict) == before


# --- bursts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (b"", ParseError),
        (b"\x80" * 11, ParseError),
        (rtp(5)[:1].replace(b"\x80", b"\x40") + rtp(5)[1:], ParseError),
        (rtp(5, csrcs=3)[:20], ParseError),
        (rtp(5, extension=b"\xbe\xde\0\xff"), ParseError),
        (rtp(5, payload=bytes(65_536)), ParseError),
        (rtp(1), ReplayDetected),
        (rtp(1, 700), TooManyStreams),
    ],
)
def test_a_burst_out_is_protected_whole_or_not_at_all(bad: bytes, error: type[WebRTCError]) -> None:
    sender = context(max_ssrcs=3)
    sender.protect_many([rtp(1), rtp(50000, 2)])
    sender.set_rollover_counter(3, 9)
    before, counted = memory(sender), sender.counters.rtp_protected
    burst = [rtp(2), rtp(3), rtp(50001, 2), rtp(4), rtp(20), rtp(8, 3), rtp(9, 3)]
    for place in range(3, len(burst) + 1) if error is not TooManyStreams else (7,):
        with pytest.raises(error):
            sender.protect_many([*burst[:place], bad, *burst[place:]])
        assert memory(sender) == before, f"bad packet at {place}"
    assert sender.counters.rtp_protected == counted
    assert len(sender.protect_many(burst)) == 7


def test_a_burst_in_has_a_reason_where_a_packet_was_refused() -> None:
    sender, receiver = pair()
    a, b, c, d = sender.protect_many([rtp(1), rtp(2), rtp(3), rtp(1, 8)])
    damaged = b[:-1] + bytes((b[-1] ^ 1,))
    result = receiver.unprotect_many([a, damaged, b, b, b"\x80", c, d[:20], d, a])
    assert result == [
        *(rtp(1), Refused.BAD_TAG, rtp(2), Refused.REPLAYED, Refused.MALFORMED, rtp(3)),
        *(Refused.MALFORMED, rtp(1, 8), Refused.REPLAYED),
    ]
    assert receiver.counters.drops.by_reason == {"bad_tag": 1, "replayed": 2, "malformed": 2}
    assert receiver.counters.rtp_unprotected == 4
    assert receiver.unprotect_many([]) == sender.protect_many([]) == []


def test_packets_in_order_cost_a_fixed_small_number_of_calls() -> None:
    """Ciphers are keyed and streams set up once; what is left is counted, so that it cannot creep up."""
    for profile, python, native in ((Profile.AEAD_AES_128_GCM, 1, 5), (Profile.AES_CM_128_HMAC_SHA1_80, 1, 12)):
        sender, receiver = pair(profile)
        packets = [rtp(sequence) for sequence in range(300)]
        receiver.unprotect_many(sender.protect_many(packets[:100]))
        sent = count_calls(sender.protect_many, packets[100:])
        received = count_calls(receiver.unprotect_many, sent.result)
        assert received.result == packets[100:]
        for calls in (sent, received):
            assert calls.python <= 200 * python + 20
            assert calls.native <= 200 * native + 40


@PROFILES
def test_received_bursts_are_as_short_with_a_key_identifier(profile: Profile) -> None:
    counted = []
    for mki in (None, b"key1"):
        sender, receiver = pair(profile, mki=mki)
        sealed = sender.protect_many([rtp(sequence) for sequence in range(300)])
        receiver.unprotect_many(sealed[:100])
        counted.append(count_calls(receiver.unprotect_many, sealed[100:]))
    without, identified = counted
    assert identified.result == without.result
    assert identified.python <= without.python + 10
    assert identified.native <= without.native + 10


def test_a_burst_changes_keys_where_its_packets_do() -> None:
    sender, receiver = pair(Profile.AEAD_AES_128_GCM, mki=b"\0\1")
    for side in (sender, receiver):
        side.add_key(b"k" * 16, b"s" * 12, mki=b"\0\2")
    packets = [rtp(sequence) for sequence in range(30)]
    sealed = sender.protect_many(packets[:10])
    sender.use_key(b"\0\2")
    sealed += sender.protect_many(packets[10:20])
    sender.use_key(b"\0\1")
    sealed += sender.protect_many(packets[20:])
    unknown = sealed[25][:-1] + b"\3"
    wrong = sealed[26][:-1] + b"\2"
    received = receiver.unprotect_many([*sealed[:25], unknown, sealed[25], wrong, *sealed[26:]])
    assert received == [*packets[:25], Refused.UNKNOWN_KEY, packets[25], Refused.BAD_TAG, *packets[26:]]


# --- keys -----------------------------------------------------------------------------------------------------------


@PROFILES
def test_keys_change_by_their_identifier_and_indices_go_on(profile: Profile) -> None:
    sender, receiver = pair(profile, mki=b"\0\1")
    key, salt = bytes(profile.key_bytes), bytes(profile.salt_bytes)
    first = sender.protect_many([rtp(65534), rtp(65535)])
    control = sender.protect_rtcp(rtcp())
    for side in (sender, receiver):
        side.add_key(key, salt, mki=b"\0\2")
    sender.use_key(b"\0\2")
    second = sender.protect_many([rtp(0), rtp(1)])
    controls = [control, sender.protect_rtcp(rtcp())]
    mixed = [first[0], second[0], first[1], second[1]]
    assert receiver.unprotect_many(mixed) == [rtp(65534), rtp(0), rtp(65535), rtp(1)]
    assert receiver.unprotect_rtcp_many(controls) == [rtcp()] * 2
    sender.remove_key(b"\0\1")
    receiver.use_key(b"\0\2")
    receiver.remove_key(b"\0\1")
    assert receiver.unprotect_many(first) == [Refused.UNKNOWN_KEY] * 2
    with pytest.raises(AuthenticationFailed, match="identifier"):
        receiver.unprotect_rtcp(control)
    other = SrtpContext(profile, key, salt, mki=b"\0\2")
    other.set_rollover_counter(0x1234, 1)
    assert other.unprotect(second[0]) == rtp(0)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: SrtpContext(Profile.AEAD_AES_128_GCM, bytes(15), bytes(12)),
        lambda: SrtpContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(14)),
        lambda: context(replay_window=0),
        lambda: context(replay_window=40_000),
        lambda: context(max_ssrcs=0),
        lambda: context(mki=b""),
        lambda: context(mki=bytes(129)),
        lambda: context(encrypted_extensions=(0,)),
        lambda: context(encrypted_extensions=(256,)),
        lambda: context().set_rollover_counter(1, 1 << 32),
        lambda: context().set_rollover_counter(-1, 0),
        lambda: context().set_rtcp_index(1, 1 << 31),
        lambda: context().set_rtcp_index(1 << 32, 1),
        lambda: context().set_rtcp_index(-1, 1),
        lambda: context(mki=b"a").add_key(bytes(16), bytes(12), mki=b"ab"),
        lambda: context(mki=b"a").add_key(bytes(16), bytes(12), mki=b"a"),
        lambda: context(mki=b"a").add_key(bytes(16), bytes(11), mki=b"b"),
        lambda: context(mki=b"a").remove_key(b"a"),
    ],
)
def test_arguments_out_of_range_are_refused(misuse: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgumentError):
        misuse()


def test_keys_that_are_not_there_cannot_be_used() -> None:
    with pytest.raises(InvalidAccessError):
        context().add_key(bytes(16), bytes(12), mki=b"a")
    with pytest.raises(InvalidAccessError):
        context(mki=b"a").use_key(b"b")
    with pytest.raises(InvalidAccessError):
        context(mki=b"a").remove_key(b"b")


def test_a_control_index_does_not_go_back() -> None:
    sender = context(max_ssrcs=1)
    sender.set_rtcp_index(1, 5)
    sender.protect_rtcp(rtcp(1))
    assert sender.rtcp_index(1) == 6
    with pytest.raises(InvalidArgumentError):
        sender.set_rtcp_index(1, 5)
    with pytest.raises(TooManyStreams):
        sender.set_rtcp_index(2, 5)
    with pytest.raises(TooManyStreams):
        sender.protect_rtcp(rtcp(2))
    assert sender.rtcp_index(2) == 0


# --- DTLS -----------------------------------------------------------------------------------------------------------


class Endpoint:
    def __init__(self, role: str, profile: int | None) -> None:
        self.role = role
        self.srtp_profile = profile

    def export_keying_material(self, label: str, length: int, context: bytes | None = None) -> bytes:
        assert (label, context) == ("EXTRACTOR-dtls_srtp", None)
        return bytes(n * 7 & 0xFF for n in range(length))


@pytest.mark.parametrize("number", [1, 2, 5, 6, 7, 8])
def test_both_ends_of_a_handshake_understand_each_other(number: int) -> None:
    client_out, client_in = SrtpContext.pair_from_dtls(Endpoint("client", number))
    server_out, server_in = SrtpContext.pair_from_dtls(Endpoint("server", number), cryptex=True, replay_window=64)
    assert server_in.unprotect(client_out.protect(rtp(1))) == rtp(1)
    assert client_in.unprotect(server_out.protect(rtp(1))) == rtp(1)
    assert client_in.unprotect_rtcp(server_out.protect_rtcp(rtcp())) == rtcp()
    with pytest.raises(AuthenticationFailed):
        server_in.unprotect(server_out.protect(rtp(2)))


def test_a_handshake_without_srtp_gives_no_contexts() -> None:
    with pytest.raises(InvalidStateError):
        SrtpContext.pair_from_dtls(Endpoint("client", None))
    with pytest.raises(NotSupportedError):
        SrtpContext.pair_from_dtls(Endpoint("client", 0x0009))


def test_the_example_page_ends_by_itself_and_says_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    srtp_alone.main()
    first = capsys.readouterr().out
    assert "ReplayDetected" in first and "AuthenticationFailed" in first
    srtp_alone.main()
    assert capsys.readouterr().out == first
