"""SRTP in C against SRTP in Python: the same calls, the same results, errors, counters and memory, whatever comes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.srtp.packets import EXTENSION, memory, rtcp, rtp
from webrtc_stack import hot, srtp
from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.srtp import Profile, Refused
from webrtc_stack.srtp.context import SrtpContext as PythonContext

pytestmark = [
    pytest.mark.hot,
    pytest.mark.skipif(
        hot.capabilities().libcrypto is None, reason=f"there is no C twin here: {hot.capabilities().reason}"
    ),
]
NativeContext: Final[Any] = srtp.SrtpContext

PROFILES: Final = st.sampled_from(list(Profile))
MKIS: Final = st.sampled_from([None, None, b"k", b"\x00\x01", b"an identifier of the largest kind" * 3])
IDS: Final = st.sampled_from([(), (), (1, 3), (5,), (15, 255)])
SSRCS: Final = st.sampled_from([0, 1, 2, 3, 0x1234, 0xFFFF_FFFF])
EXTENSIONS: Final = st.sampled_from(
    [
        b"",
        b"",
        EXTENSION,
        b"\xbe\xde\0\0",
        b"\x10\0\0\1\5\2hi",
        b"\x10\0\0\2\1\0\3\1h\5\1i",
        b"\x10\3\0\1\1\2hi",
        b"\xbe\xde\0\1\x1f\0\0\0",  # cut short
        b"\xbe\xde\0\2\x10a\x3f\0\0\0\0\0",  # cut short behind one that is not
        b"\x10\0\0\1\0\0\0\1",  # cut short after its id
        b"\x10\0\0\1\1\x09ab",
        b"\xbe\xde\0\1\x13abc",  # by one byte
        b"\x10\0\0\1\1\3ab",
        b"\xbe\xde\0\1\xf0\x10ab",  # reserved: readers stop
        b"\xc0\xde\0\1abcd",
        b"\xc2\xde\0\0",
        b"\x12\x34\0\1abcd",
        b"\xbe\xde\xff\xff",  # longer than the packet
    ]
)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    packet = rtp(
        draw(st.sampled_from([0, 1, 2, 3, 100, 101, 102, 0x7FFF, 0x8000, 0x8001, 65533, 65534, 65535])),
        draw(SSRCS),
        payload=draw(st.binary(max_size=30)),
        csrcs=draw(st.sampled_from([0, 0, 0, 1, 15])),
        extension=draw(EXTENSIONS),
    )
    if draw(st.integers(0, 20)) == 0:
        packet = packet[: draw(st.integers(0, len(packet)))]
    if draw(st.integers(0, 20)) == 0:
        packet = bytes((draw(st.integers(0, 255)),)) + packet[1:]
    return packet


@st.composite
def trains(draw: st.DrawFn) -> list[bytes]:
    """Packets that follow each other, as media does."""
    first, ssrc, payload = draw(st.sampled_from([0, 7, 65530])), draw(SSRCS), draw(st.binary(max_size=40))
    extension = draw(st.sampled_from([b"", EXTENSION]))
    return [
        rtp(first + n & 0xFFFF, ssrc, payload=payload, extension=extension) for n in range(draw(st.integers(1, 12)))
    ]


BURSTS: Final = st.lists(st.one_of(packets().map(lambda one: [one]), trains()), max_size=6).map(
    lambda parts: [packet for part in parts for packet in part]
)
CONTROLS: Final = st.lists(
    st.builds(lambda ssrc, words: rtcp(ssrc, rest=words * 4), SSRCS, st.binary(max_size=8)) | st.binary(max_size=12),
    max_size=8,
)


def outcome(call: Callable[[], Any]) -> object:
    """What came of a call: its result, or its exception's type, words and attributes."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error), vars(error)


class Twins:
    """Two contexts that are told the same."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.native = NativeContext(*arguments, **options)
        self.python = PythonContext(*arguments, **options)

    def call(self, name: str, *arguments: Any, **options: Any) -> object:
        native = outcome(lambda: getattr(self.native, name)(*arguments, **options))
        python = outcome(lambda: getattr(self.python, name)(*arguments, **options))
        assert native == python, name
        if isinstance(native, list):
            assert [type(one) for one in native] == [type(one) for one in python]  # type: ignore[attr-defined]
        return native

    def compare(self) -> None:
        assert memory(self.native) == memory(self.python)
        assert repr(self.native.counters) == repr(self.python.counters)


class Comparison(RuleBasedStateMachine):
    """A sender and a receiver, each of both kinds."""

    @initialize(
        profile=PROFILES,
        mki=MKIS,
        cryptex=st.booleans(),
        ids=IDS,
        window=st.sampled_from([1, 2, 63, 64, 65, 100, 1024, 32768]),
        max_ssrcs=st.sampled_from([1, 2, 4, 1024]),
        encrypt_rtcp=st.booleans(),
        allow_repeats=st.booleans(),
        plain_receiver=st.booleans(),
    )
    def begin(
        self,
        profile: Profile,
        mki: bytes | None,
        cryptex: bool,
        ids: tuple[int, ...],
        window: int,
        max_ssrcs: int,
        encrypt_rtcp: bool,
        allow_repeats: bool,
        plain_receiver: bool,
    ) -> None:
        self.profile, self.mkis = profile, [mki or b""]
        keys = bytes(range(profile.key_bytes)), bytes(range(50, 50 + profile.salt_bytes))
        options: dict[str, Any] = {"replay_window": window, "mki": mki}
        header: dict[str, Any] = {"cryptex": cryptex, "encrypted_extensions": ids}
        self.sender = Twins(
            profile,
            *keys,
            max_ssrcs=max_ssrcs,
            encrypt_rtcp=encrypt_rtcp,
            allow_repeats=allow_repeats,
            **options,
            **({} if plain_receiver else header),
        )
        self.receiver = Twins(profile, *keys, max_ssrcs=max_ssrcs, **options, **header)
        self.sealed: list[bytes] = []
        self.controls: list[bytes] = []

    @invariant()
    def nothing_differs(self) -> None:
        if hasattr(self, "sender"):
            self.sender.compare()
            self.receiver.compare()

    # --- sending ----------------------------------------------------------------------------------------------------

    @rule(packet=packets())
    def protect(self, packet: bytes) -> None:
        sealed = self.sender.call("protect", packet)
        if isinstance(sealed, bytes):
            self.sealed.append(sealed)

    @rule(burst=BURSTS, deliver=st.booleans())
    def protect_many(self, burst: list[bytes], deliver: bool) -> None:
        sealed = self.sender.call("protect_many", burst)
        if isinstance(sealed, list):
            self.sealed += sealed
            if deliver:
                self.receiver.call("unprotect_many", sealed)

    @rule(burst=BURSTS, place=st.integers(0, 20), wrong=st.sampled_from([None, 5, 1.5]))
    def a_burst_with_what_is_no_packet(self, burst: list[bytes], place: int, wrong: object) -> None:
        mixed = [*burst[:place], wrong, *burst[place:]]
        before = memory(self.receiver.native)
        for name in ("protect_many", "protect_rtcp_many", "unprotect_many", "unprotect_rtcp_many"):
            with pytest.raises(TypeError):
                getattr(self.receiver.native, name)(mixed)
        assert memory(self.receiver.native) == before
        self.receiver.compare()

    @rule(burst=CONTROLS, single=st.booleans())
    def protect_rtcp(self, burst: list[bytes], single: bool) -> None:
        if single:
            for packet in burst:
                sealed = self.sender.call("protect_rtcp", packet)
                if isinstance(sealed, bytes):
                    self.controls.append(sealed)
            return
        many = self.sender.call("protect_rtcp_many", burst)
        if isinstance(many, list):
            self.controls += many

    # --- receiving --------------------------------------------------------------------------------------------------

    def chosen(self, data: st.DataObject, pool: list[bytes]) -> list[bytes]:
        """Some of `pool` in any order, now and then damaged."""
        burst = data.draw(st.lists(st.sampled_from(pool), max_size=14)) if pool else []
        for place in data.draw(st.lists(st.integers(0, 60), max_size=2)):
            if place < len(burst) and burst[place]:
                damaged = bytearray(burst[place])
                damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.sampled_from([1, 0x10, 0x80]))
                burst[place] = bytes(damaged)
        return burst + data.draw(st.lists(st.binary(max_size=50), max_size=1))

    @rule(data=st.data())
    def unprotect_many(self, data: st.DataObject) -> None:
        self.receiver.call("unprotect_many", self.chosen(data, self.sealed))

    @rule(data=st.data())
    def unprotect(self, data: st.DataObject) -> None:
        for packet in self.chosen(data, self.sealed):
            self.receiver.call("unprotect", packet)

    @rule(data=st.data(), single=st.booleans())
    def unprotect_rtcp(self, data: st.DataObject, single: bool) -> None:
        burst = self.chosen(data, self.controls)
        if not single:
            self.receiver.call("unprotect_rtcp_many", burst)
            return
        for packet in burst:
            self.receiver.call("unprotect_rtcp", packet)

    # --- keys and numbers -------------------------------------------------------------------------------------------

    @rule(
        number=st.integers(0, 3),
        what=st.sampled_from(["add", "add", "use", "remove"]),
        sender=st.booleans(),
        short=st.integers(0, 9),
    )
    def keys(self, number: int, what: str, sender: bool, short: int) -> None:
        mki = (bytes((number,)) + self.mkis[0][1:])[: len(self.mkis[0])] if short else b"other"
        twins = self.sender if sender else self.receiver
        if what != "add":
            twins.call(f"{what}_key", mki)
            return
        key, salt = bytes((number,)) * self.profile.key_bytes, bytes((number,)) * self.profile.salt_bytes
        twins.call("add_key", key if short != 1 else key[1:], salt, mki=mki)

    @rule(
        ssrc=st.one_of(SSRCS, st.sampled_from([-1, 1 << 32])),
        roc=st.sampled_from([0, 0, 1, 2, 0xFFFF_FFFE, 0xFFFF_FFFF, -1, 1 << 32, 1 << 70]),
        both=st.booleans(),
    )
    def rollover(self, ssrc: int, roc: int, both: bool) -> None:
        self.receiver.call("set_rollover_counter", ssrc, roc)
        if both:
            self.sender.call("set_rollover_counter", ssrc, roc)
        self.receiver.call("rollover_counter", ssrc)
        self.sender.call("rollover_counter", ssrc)

    @rule(
        ssrc=st.one_of(SSRCS, st.sampled_from([-1, 1 << 32])),
        index=st.sampled_from([0, 1, 5, 2**31 - 3, 2**31 - 1, 2**31, -1, 1 << 70]),
    )
    def rtcp_index(self, ssrc: int, index: int) -> None:
        self.sender.call("set_rtcp_index", ssrc, index)
        self.sender.call("rtcp_index", ssrc)


Comparison.TestCase.settings = settings(max_examples=500, stateful_step_count=25)
TestTwins = Comparison.TestCase


# --- making one -----------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    profile=st.one_of(PROFILES, st.sampled_from([0, 7, 3, 1 << 40])),
    key=st.sampled_from([14, 16, 24, 32]),
    salt=st.sampled_from([12, 14, 16]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "replay_window": st.sampled_from([0, 1, 32768, 32769, -1, 1 << 80]),
            "max_ssrcs": st.sampled_from([0, 1, 1 << 80, -1]),
            "mki": st.sampled_from([None, b"", b"x", bytes(128), bytes(129)]),
            "encrypted_extensions": st.sampled_from([(), (1, 2), [0], {256, 3, 300}, (255,), range(1, 15)]),
            "cryptex": st.booleans(),
        },
    ),
)
def test_what_cannot_be_made_is_refused_in_the_same_words(
    profile: Any, key: int, salt: int, options: dict[str, Any]
) -> None:
    made = [
        outcome(lambda make=make: make(profile, bytes(key), bytes(salt), **options))  # type: ignore[misc]
        for make in (NativeContext, PythonContext)
    ]
    if isinstance(made[0], tuple):
        assert made[0] == made[1]
    else:
        assert [type(one) for one in made] == [NativeContext, PythonContext]
        assert made[0].profile is made[1].profile is Profile(profile)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["protect", "unprotect", "protect_rtcp", "unprotect_rtcp"])
@pytest.mark.parametrize("wrong", [None, 5, "text" * 10, object(), [1, 2]])
def test_what_is_no_packet_is_a_type_error(name: str, wrong: object) -> None:
    """Python notices text and lists where their length is one of packets; C does always."""
    twins = Twins(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
    for one in (twins.native, twins.python) if not hasattr(wrong, "__len__") else (twins.native,):
        with pytest.raises(TypeError):
            getattr(one, name)(wrong)
        with pytest.raises(TypeError):
            getattr(one, f"{name}_many")([wrong])
        with pytest.raises(TypeError):
            getattr(one, f"{name}_many")(wrong)
    twins.compare()


def test_other_buffers_than_bytes_are_copied() -> None:
    native = NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
    other = NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
    burst = [rtp(1), rtp(2)]
    sealed = native.protect_many((bytearray(burst[0]), memoryview(burst[1])))
    assert sealed == other.protect_many(iter(burst))
    assert native.unprotect_many([bytearray(sealed[0]), sealed[1]]) == burst


def test_arguments_that_are_missing_or_of_a_wrong_kind_are_type_errors() -> None:
    native = NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12), mki=b"a")
    misuses: tuple[Callable[[], object], ...] = (
        lambda: NativeContext(Profile.AEAD_AES_128_GCM, bytes(16)),
        lambda: NativeContext(Profile.AEAD_AES_128_GCM, "k" * 16, bytes(12)),
        lambda: NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12), 64),
        lambda: NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12), window=64),
        lambda: NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12), encrypted_extensions=5),
        lambda: native.add_key(bytes(16), bytes(12)),
        lambda: native.add_key(bytes(16), bytes(12), b"b"),
        lambda: native.set_rollover_counter(1),
        lambda: native.set_rollover_counter("1", 1),
        lambda: native.rollover_counter(None),
        lambda: native.use_key("a"),
    )
    for misuse in misuses:
        with pytest.raises(TypeError):
            misuse()
    with pytest.raises(AttributeError, match="without __init__"):
        NativeContext.__new__(NativeContext).protect(rtp(1))


def test_a_context_may_be_derived_from_and_made_anew() -> None:
    class Derived(NativeContext):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            super().__init__(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
            self.name = name

    one: Any = Derived("x")
    assert one.protect(rtp(1)) == NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12)).protect(rtp(1))
    one.__init__("y")
    assert one.counters.rtp_protected == 0
    assert one.protect(rtp(1))


def test_counters_are_live_and_those_of_the_room() -> None:
    one = NativeContext(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
    counters = one.counters
    one.protect_many([rtp(1), rtp(2)])
    one.unprotect_many([b"", rtp(1)])
    assert counters is one.counters
    assert isinstance(counters, srtp.SrtpCounters)
    assert (counters.rtp_protected, counters.drops.by_reason) == (2, {"malformed": 2})


# --- bursts ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(profile=PROFILES, mki=MKIS, parts=st.lists(trains(), max_size=5), data=st.data())
def test_where_a_burst_is_cut_and_how_streams_alternate_changes_nothing(
    profile: Profile, mki: bytes | None, parts: list[list[bytes]], data: st.DataObject
) -> None:
    def context() -> Any:
        return NativeContext(profile, bytes(profile.key_bytes), bytes(profile.salt_bytes), mki=mki, allow_repeats=True)

    by_ssrc: dict[bytes, list[bytes]] = {}
    for part in parts:
        by_ssrc.setdefault(part[0][8:12], []).extend(part)
    sealed: dict[bytes, list[bytes]] = {}
    whole = context()
    for ssrc, stream in by_ssrc.items():
        result = outcome(lambda stream=stream: whole.protect_many(stream))  # type: ignore[misc]
        if not isinstance(result, list):
            return  # a window's end; the machine above compares those
        sealed[ssrc] = result
    order = data.draw(st.permutations([ssrc for ssrc, stream in by_ssrc.items() for _ in stream]))
    at = {ssrc: iter(stream) for ssrc, stream in by_ssrc.items()}
    mixed = [next(at[ssrc]) for ssrc in order]
    cut = data.draw(st.integers(0, len(mixed)))
    other = context()
    results = other.protect_many(mixed[:cut]) + other.protect_many(mixed[cut:])
    at = {ssrc: iter(stream) for ssrc, stream in sealed.items()}
    assert results == [next(at[ssrc]) for ssrc in order]
    assert memory(other)[0] == memory(whole)[0]
    one, two = context(), context()
    assert one.unprotect_many(results[:cut]) + one.unprotect_many(results[cut:]) == two.unprotect_many(results)
    assert memory(one) == memory(two)


@pytest.mark.parametrize("window", [1, 2, 63, 64, 65, 127, 128, 200, 1024, 5000, 32768])
def test_windows_of_any_size_are_the_same_over_gaps_repeats_and_late_packets(window: int) -> None:
    twins = Twins(Profile.NULL_HMAC_SHA1_32, bytes(16), bytes(14), replay_window=window, allow_repeats=True)
    entropy, at, burst = SeededEntropy(window), 0, []
    for _ in range(1500):
        kind = random_below(entropy, 8)
        step = 1 if kind < 3 else 1 + random_below(entropy, (3, 70, 2 * window + 2, 9000, 1)[kind - 3])
        at += step
        burst.append(at if kind < 7 else max(at - random_below(entropy, window + 3), 0))
    for index in burst:  # one by one, as a burst would end with the first that is too old
        sealed = twins.call("protect", rtp(index & 0xFFFF))
        if isinstance(sealed, bytes):
            twins.call("unprotect_many", [sealed])
            if random_below(entropy, 4) == 0:
                twins.call("unprotect", sealed)
    twins.compare()
    assert twins.native.rollover_counter(0x1234)
    counted = twins.native.counters
    assert counted.rtp_unprotected > 1000 and counted.drops["replayed"] > 100


@pytest.mark.parametrize("count", [63, 64, 65, 1000])
def test_bursts_of_any_length_and_size(count: int) -> None:
    twins = Twins(Profile.AES_CM_128_HMAC_SHA1_80, bytes(16), bytes(14))
    for size in (0, 300, 1188):
        burst = [rtp(n, size, payload=bytes(size)) for n in range(count)]
        sealed = twins.call("protect_many", burst)
        assert twins.call("unprotect_many", sealed) == burst
        assert isinstance(sealed, list)
        twins.call("unprotect_many", [packet[:-1] for packet in sealed])
    twins.compare()


def test_the_largest_packets_are_protected_and_larger_ones_refused() -> None:
    for profile in Profile:
        twins = Twins(profile, bytes(profile.key_bytes), bytes(profile.salt_bytes), cryptex=True)
        largest = rtp(1, payload=bytes(65_535 - 16), csrcs=1)
        sealed = twins.call("protect", largest)
        twins.call("unprotect", sealed)
        twins.call("protect", largest + b"x")
        twins.call("protect_many", [rtp(2), largest + b"x"])
        control = twins.call("protect_rtcp", rtcp(rest=bytes(65_527)))
        twins.call("unprotect_rtcp", control)
        twins.call("protect_rtcp", rtcp(rest=bytes(65_528)))
        twins.call("unprotect_many", [bytes(70_000)])
        twins.call("unprotect_rtcp_many", [b"\x80" * 70_000])
        twins.compare()


# --- memory and threads ---------------------------------------------------------------------------------------------

LEAK: Final = """
import gc, resource, sys
from webrtc_stack.errors import WebRTCError
from webrtc_stack.srtp import Profile, SrtpContext

class Endpoint:
    role, srtp_profile = "client", 7
    def export_keying_material(self, label, length, context=None):
        return bytes(length)

def rtp(n, ssrc, size):
    return b"\\x80\\x60" + (n & 0xFFFF).to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + bytes(size)

def attempt(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except (WebRTCError, TypeError, ValueError):
        pass

def work(turn):
    sender, receiver = SrtpContext.pair_from_dtls(Endpoint(), max_ssrcs=8, encrypted_extensions=(1,))
    keyed = SrtpContext(Profile(1 + turn % 2), bytes(16), bytes(14), mki=b"a", max_ssrcs=8)
    keyed.add_key(bytes(16), bytes(14), mki=b"b")
    keyed.use_key(b"b")
    keyed.remove_key(b"a")
    burst = [rtp(n, ssrc, 900) for ssrc in range(8) for n in range(4)]
    for one in (sender, keyed):
        sealed = one.protect_many(burst)
        one.unprotect_many(sealed + sealed + [packet[:-1] for packet in sealed] + [b""])
        one.unprotect_rtcp_many(one.protect_rtcp_many([b"\\x80" + bytes(30)] * 9))
        attempt(one.protect_many, [*burst, rtp(1, 99, 0)])
        attempt(one.protect_many, [rtp(9, 1, 0), rtp(9, 1, 0)])
        attempt(one.protect_many, [rtp(10, 1, 0), None])
        attempt(one.protect_rtcp_many, [b"\\x80" + n.to_bytes(7, "big") for n in range(20)])
        attempt(one.protect, b"")
        attempt(one.unprotect, sealed[0])
        attempt(one.unprotect, bytearray(sealed[0]))
        attempt(one.set_rollover_counter, 1, 1 << 32)
        attempt(one.set_rollover_counter, 1, 5)
        attempt(one.add_key, bytes(3), bytes(14), mki=b"a")
        attempt(one.use_key, b"z")
        one._memory()
        one.__init__(Profile.AEAD_AES_128_GCM, bytes(16), bytes(12))
        attempt(one.__init__, Profile.AEAD_AES_128_GCM, bytes(16), bytes(14))
        attempt(one.__init__, Profile.AEAD_AES_128_GCM, bytes(16), bytes(12), encrypted_extensions=(0,))
        one._memory()
    sender = SrtpContext.pair_from_dtls(Endpoint())[0]
    for n in range(20):
        receiver.set_rollover_counter(n % 8, 1)
        attempt(receiver.unprotect_many, sender.protect_many([rtp(50 + n, n % 8, 10)]))
    receiver.counters.drops.by_reason["self"] = receiver  # a cycle

def grown(turns):
    before = resident()
    for turn in range(turns):
        work(turn)
    gc.collect()
    return resident() - before

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

grown(500)
print(min(grown(1500) for _ in range(3)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read as Linux tells it")
def test_nothing_leaks() -> None:
    """Contexts made and thrown away, bursts that work and that fail, in a process of their own."""
    done = subprocess.run([sys.executable, "-c", LEAK], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500_000, "the best of three times 1500 turns: less than a lost packet a turn"


def test_threads_may_share_a_context() -> None:
    """Large bursts let go of the interpreter; whatever the order, each index is used once and each packet opens."""
    sender = NativeContext(Profile.AES_CM_128_HMAC_SHA1_80, bytes(16), bytes(14), mki=b"k")
    receiver = NativeContext(Profile.AES_CM_128_HMAC_SHA1_80, bytes(16), bytes(14), mki=b"k", replay_window=32768)
    opened: list[list[bytes | Refused]] = [[] for _ in range(4)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(300):
                burst = [rtp(turn * 30 + n, number, payload=bytes(1200)) for n in range(30)]
                opened[number] += receiver.unprotect_many(sender.protect_many(burst))
                receiver.unprotect_many([bytes(1300)] * 20)
                sender.protect_rtcp_many([rtcp(number)] * 3)
                other = bytes((number,))
                sender.add_key(bytes(16), bytes(14), mki=other)
                sender.remove_key(other)
                assert sender.rollover_counter(number) == 0
                memory(receiver)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(len(one) == 9000 and set(map(type, one)) == {bytes} for one in opened)
    assert sender.counters.rtp_protected == receiver.counters.rtp_unprotected == 4 * 9000
    assert receiver.counters.drops.by_reason == {"malformed": 4 * 300 * 20}
    assert sender.rtcp_index(3) == 900
