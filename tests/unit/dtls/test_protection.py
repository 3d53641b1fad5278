"""Sealing, opening, the replay window; and that the fast loops do what the single-record form does."""

from __future__ import annotations

import pytest

from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.dtls.ciphers import SUITES, SuiteParameters, make_opener, make_sealer
from webrtc_stack.dtls.constants import CipherSuite
from webrtc_stack.dtls.protection import Opener, Refused, Sealer
from webrtc_stack.dtls.record import Record, parse_record

_SUITES = [pytest.param(SUITES[suite], id=suite.name) for suite in CipherSuite]


def _keys(suite: SuiteParameters, window: int = 64) -> tuple[Sealer, Opener]:
    key, iv = bytes(range(suite.key_bytes)), bytes(range(100, 100 + suite.iv_bytes))
    return make_sealer(suite, key, iv, epoch=1), make_opener(suite, key, iv, epoch=1, window=window)


def _open(opener: Opener, datagram: bytes) -> bytes | Refused:
    record, end = parse_record(datagram)
    assert end == len(datagram)
    assert isinstance(record, Record)
    return opener.open(record)


@pytest.mark.parametrize("suite", _SUITES)
def test_what_is_sealed_is_opened(suite: SuiteParameters) -> None:
    sealer, opener = _keys(suite)
    payloads = [b"", b"x", bytes(1200), bytes(1 << 14)]
    sealed = sealer.seal_many(payloads)
    assert [len(datagram) - len(payload) for datagram, payload in zip(sealed, payloads, strict=True)] == [
        sealer.overhead
    ] * 4
    assert [_open(opener, datagram) for datagram in sealed] == payloads
    assert _open(opener, sealer.seal(21, b"\x01\x00")) == b"\x01\x00"


@pytest.mark.parametrize("suite", _SUITES)
def test_the_run_and_the_single_form_agree(suite: SuiteParameters) -> None:
    """The same shuffled, duplicated, damaged datagrams through both; results and state are equal."""
    entropy = SeededEntropy(f"run {suite}")
    sealer, single = _keys(suite)
    _, run = _keys(suite)
    sealed = sealer.seal_many([bytes([n % 256]) * (n * 3 % 70) for n in range(300)])
    assert sealed == [_keys_at(suite, n).seal(23, bytes([n % 256]) * (n * 3 % 70)) for n in range(300)]
    datagrams = []
    for position in range(600):
        datagram = sealed[min(299, max(0, position // 2 + random_below(entropy, 90) - 45))]
        if random_below(entropy, 7) == 0:
            at = 3 + 2 + random_below(entropy, len(datagram) - 5)
            if 11 <= at < 13:
                continue  # the length: another kind of damage, left to the general path
            datagram = datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1 :]
        datagrams.append(datagram)
    expected = [_open(single, datagram) for datagram in datagrams]
    plains: list[bytes] = []
    at = 0
    while at < len(datagrams):
        before = at
        opened, at = run.open_run(datagrams, at)
        assert at > before, "the run stopped at a data record"
        plains += opened
    assert plains == [plain for plain in expected if isinstance(plain, bytes)]
    assert run.bad_tags == expected.count(Refused.BAD_TAG) > 0
    assert run.replays == expected.count(Refused.REPLAYED) > 0
    assert run.opened == single.opened == len(plains)


def _keys_at(suite: SuiteParameters, sequence: int) -> Sealer:
    sealer, _ = _keys(suite)
    sealer.next_sequence = sequence
    return sealer


@pytest.mark.parametrize("suite", _SUITES[:1] + _SUITES[-1:])
def test_a_run_ends_at_whatever_is_not_one_data_record(suite: SuiteParameters) -> None:
    sealer, opener = _keys(suite)
    first, second = sealer.seal_many([b"one", b"two"])
    alert = sealer.seal(21, b"\x01\x00")
    other_epoch = first[:4] + b"\x02" + first[5:]
    for odd in (
        alert,
        first + second,
        b"",
        b"\x17",
        other_epoch,
        b"\x00" + first[1:],
        first[:1] + b"\xfe\xff" + first[3:],
    ):
        opener_, at = opener.open_run([odd], 0)
        assert (opener_, at) == ([], 0)
    assert opener.open_run([first, alert, second], 0) == ([b"one"], 1)
    assert opener.open_run([first, alert, second], 2) == ([b"two"], 3)


@pytest.mark.parametrize("suite", _SUITES[:1] + _SUITES[-1:])
def test_the_replay_window_takes_each_number_once(suite: SuiteParameters) -> None:
    sealer, opener = _keys(suite, window=64)
    sealed = sealer.seal_many([b"%d" % n for n in range(200)])
    assert _open(opener, sealed[100]) == b"100"
    assert _open(opener, sealed[100]) is Refused.REPLAYED
    assert _open(opener, sealed[37]) == b"37"
    assert _open(opener, sealed[36]) is Refused.REPLAYED, "64 behind is outside"
    assert _open(opener, sealed[199]) == b"199"
    assert _open(opener, sealed[101]) is Refused.REPLAYED
    assert _open(opener, sealed[136]) == b"136"


def test_a_forged_number_does_not_move_the_window() -> None:
    sealer, opener = _keys(SUITES[CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256])
    first = sealer.seal(23, b"first")
    forged = first[:5] + b"\xff\xff\xff\xff\xff\xff" + first[11:]
    assert _open(opener, forged) is Refused.BAD_TAG
    assert opener.open_run([forged], 0) == ([], 1)
    assert _open(opener, first) == b"first"


@pytest.mark.parametrize("suite", _SUITES[:1] + _SUITES[-1:])
def test_records_too_short_and_too_long_are_refused(suite: SuiteParameters) -> None:
    _, opener = _keys(suite)
    assert opener.open(Record(23, 0xFEFD, 1 << 48, bytes(15))) is Refused.TOO_SHORT
    assert opener.open(Record(23, 0xFEFD, 1 << 48, bytes((1 << 14) + 25))) is Refused.OVERFLOW


@pytest.mark.parametrize("suite", _SUITES[:1] + _SUITES[-1:])
def test_content_type_and_version_are_protected(suite: SuiteParameters) -> None:
    sealer, opener = _keys(suite)
    record, _ = parse_record(sealer.seal(23, b"data"))
    assert isinstance(record, Record)
    assert opener.open(record._replace(content_type=22)) is Refused.BAD_TAG
    assert opener.open(record._replace(version=0xFEFF)) is Refused.BAD_TAG
    assert opener.open(record) == b"data"


@pytest.mark.parametrize("suite", _SUITES[:1] + _SUITES[-1:])
@pytest.mark.parametrize("fast", [False, True])
def test_a_huge_step_forward_is_taken_in_its_stride(suite: SuiteParameters, fast: bool) -> None:
    """The window is one integer; shifting it by a number from the wire would eat all memory."""
    sealer, opener = _keys(suite)
    first = sealer.seal(23, b"first")
    sealer.next_sequence = (1 << 48) - 2
    last = sealer.seal(23, b"last")
    if fast:
        assert opener.open_run([first, last, last, first], 0) == ([b"first", b"last"], 4)
    else:
        assert [_open(opener, datagram) for datagram in (first, last, last)] == [b"first", b"last", Refused.REPLAYED]
