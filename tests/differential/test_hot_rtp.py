"""RtpPacket in C beside RtpPacket in Python: the same packets, values, errors, and bytes afterwards."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import hot
from webrtc_stack.rtp import AudioLevel, ExtensionMap, HeaderExtensions, PlayoutDelay, Uri
from webrtc_stack.rtp import RtpPacket as Running
from webrtc_stack.rtp.packet import RtpPacket as Python

if hot.capabilities().core != "c":
    pytest.skip(f"the C core does not run here: {hot.capabilities().reason}", allow_module_level=True)
Native: Any = import_module("webrtc_stack.hot._core").RtpPacket

URIS = [Uri.MID, Uri.RID, Uri.AUDIO_LEVEL, Uri.ABS_SEND_TIME, Uri.TRANSPORT_CC, Uri.TRANSPORT_CC_V2, Uri.PLAYOUT_DELAY]
IDS = {number: str(uri) for number, uri in enumerate(URIS, 1)}
MAPS = [
    {},
    IDS,
    {number * 2: uri for number, uri in IDS.items()},
    {number * 3: uri for number, uri in IDS.items() if number != 5},
]
FIELDS = ("payload_type", "sequence_number", "timestamp", "ssrc", "marker", "csrcs", "payload", "padding", "size")

elements = st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=5)
blocks = st.one_of(
    elements.map(HeaderExtensions),
    st.dictionaries(st.integers(1, 255), st.binary(max_size=20), max_size=5).map(
        lambda found: HeaderExtensions(found, two_byte=True)
    ),
    st.tuples(st.sampled_from([0xBEDE, 0xBEDE, 0x1000, 0x100F, 0x1234]), st.binary(max_size=40)).map(
        lambda one: HeaderExtensions.from_block(one[0], one[1][: len(one[1]) & ~3])
    ),
)
packets = st.builds(
    lambda extensions, **fields: Python(extensions=extensions, **fields).serialize(),
    blocks,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=3).map(tuple),
    payload=st.binary(max_size=30),
    padding=st.sampled_from([0, 0, 1, 9]),
)
damaged = st.builds(
    lambda data, at, byte, cut: (data[: at % len(data)] + bytes((byte,)) + data[at % len(data) + 1 :])[:cut],
    packets,
    st.integers(0, 40),
    st.integers(0, 255),
    st.one_of(st.none(), st.integers(0, 60)),
)
inputs = st.one_of(packets, damaged, st.binary(max_size=40))
values = st.one_of(
    st.integers(-1, 0x1000000),
    st.integers(0, 0xFFFF),
    st.text(max_size=18),
    st.builds(AudioLevel, st.integers(-1, 128), st.booleans()),
    st.just(PlayoutDelay(10, 20)),
    st.sampled_from([None, True, 1.5, b"1", (3, True), AudioLevel(3, 7)]),  # type: ignore[arg-type]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("get"), st.sampled_from([*URIS, "urn:x"])),
        st.tuples(st.just("set"), st.sampled_from([*URIS, "urn:x"]), values),
        st.tuples(st.just("extensions")),
        st.tuples(st.just("write")),
        st.tuples(st.just("forward"), st.integers(0, 3)),
        st.tuples(st.just("copy")),
        st.tuples(
            st.just("field"),
            st.sampled_from(["payload_type", "sequence_number", "ssrc", "marker", "padding", "csrcs", "payload"]),
            st.sampled_from([0, 1, 127, 128, 255, 256, -1, 1 << 40, None, True, (), (1, 2), b"ab", bytearray(b"c")]),
        ),
    ),
    max_size=8,
)


def outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:  # whatever it is, it must be the same
        return type(error), str(error)


def shown(packet: Any) -> Any:
    return (
        {name: outcome(lambda name=name: getattr(packet, name)) for name in FIELDS},  # type: ignore[misc]
        outcome(packet.serialize),
        outcome(lambda: repr(packet)),
    )


def step(packet: Any, action: tuple[Any, ...], mappings: list[ExtensionMap]) -> Any:
    match action:
        case ("get", uri):
            return packet.get(uri)
        case ("set", uri, value):
            return packet.set(uri, value)
        case ("extensions",):
            return dict(packet.extensions.elements)
        case ("forward", index):
            return packet.serialize(mappings[index])
        case ("copy",):
            copied = packet.copy()
            assert copied == packet and type(copied) is type(packet)
            return shown(copied)
        case ("field", name, value):
            return setattr(packet, name, value)
    return packet.serialize()


@settings(max_examples=400, deadline=None)
@given(inputs, st.one_of(st.none(), st.integers(0, 3)), steps)
def test_whatever_is_done_to_any_bytes_is_the_same(data: bytes, index: int | None, actions: list[Any]) -> None:
    kept = []
    for packet_class in (Python, Native):
        mappings = [ExtensionMap(ids) for ids in MAPS]
        packet = outcome(lambda: packet_class.parse(data, None if index is None else mappings[index]))  # noqa: B023
        if isinstance(packet, tuple):
            kept.append([packet])
            continue
        assert type(packet) is packet_class
        trail = [shown(packet)]
        for action in actions:
            trail += [outcome(lambda: step(packet, action, mappings)), shown(packet)]  # noqa: B023
        kept.append(trail)
    assert kept[0] == kept[1]


@given(packets, packets)
def test_equality_is_the_same(one: bytes, other: bytes) -> None:
    for left, right in ((one, other), (one, one)):
        assert (Native.parse(left) == Native.parse(right)) is (Python.parse(left) == Python.parse(right))
        assert (Native.parse(left) != Native.parse(right)) is (Python.parse(left) != Python.parse(right))
    assert Native.parse(one) != Python.parse(one)


@pytest.mark.parametrize(
    "arguments", [(), (b"", None, 1), (None,), (7,), ("text",), (bytearray(16),), (bytearray(b"\x80" * 20),)]
)
def test_wrong_arguments_are_refused_alike(arguments: tuple[Any, ...]) -> None:
    results = [outcome(lambda: shown(kind.parse(*arguments))) for kind in (Python, Native)]  # noqa: B023
    assert results[0] == results[1]


def test_construction_takes_the_same_names_and_defaults() -> None:
    fields: dict[str, Any] = {
        "payload_type": 96,
        "sequence_number": 7,
        "timestamp": 9,
        "ssrc": 11,
        "marker": True,
        "csrcs": (5,),
        "extensions": HeaderExtensions({1: b"a"}),
        "payload": b"media",
        "padding": 4,
        "extension_map": ExtensionMap(IDS),
    }
    assert shown(Native(**fields)) == shown(Python(**fields)) and shown(Native()) == shown(Python())
    assert Native(**fields).extension_map is fields["extension_map"]
    for name, value in fields.items():
        fresh = "".join(list(name))  # not interned
        assert shown(Native(**{fresh: value})) == shown(Native(**{name: value})) == shown(Python(**{name: value}))


def test_named_arguments_subclasses_and_what_a_packet_is_not() -> None:
    data = Python(payload=b"x").serialize()
    mapping = ExtensionMap(IDS)
    packet = Native.parse(data=data, extension_map=mapping)
    packet.set(uri=Uri.MID, value="a")
    assert packet.get(uri=Uri.MID) == "a" and packet.extension_map is mapping
    assert packet.serialize(extension_map=mapping) == packet.serialize()
    subclass: Any = type("Subclass", (Native,), {})
    assert type(subclass.parse(data)) is subclass and type(subclass.parse(data).copy()) is Native
    for wrong in (lambda: hash(packet), lambda: Native(1), lambda: Native(wrong=1)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        packet.other = 1
    assert Running is Native


def test_a_payload_that_is_exchanged_while_the_packet_is_written_is_judged_again() -> None:
    class Meddling:
        def __init__(self, packet: Any) -> None:
            self.packet = packet

        @property
        def raw(self) -> bytes:
            self.packet.payload = 5
            return b""

    kept = []
    for kind in (Python, Native):
        packet = kind(payload=b"x")
        packet.extensions = Meddling(packet)
        kept.append(outcome(packet.serialize)[0])
    assert kept == [TypeError, TypeError]


@pytest.mark.parametrize("kind", [Python, Native], ids=["python", "c"])
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda packet: pickle.loads(pickle.dumps(packet))])
def test_packets_are_copied_and_pickled(kind: Any, way: Callable[[Any], Any]) -> None:
    data = bytes.fromhex("90e01234000102030a0b0c0dbede00023112344030000000") + b"payload"
    packet = kind.parse(data)
    packet.extensions[5] = b"set"
    made = way(packet)
    assert type(made) is kind and made == packet and made is not packet
    assert made.serialize() == packet.serialize()
    plain = way(kind(payload=b"x", sequence_number=3))
    assert (plain.payload, plain.sequence_number) == (b"x", 3)


@pytest.mark.parametrize("shared", [False, True], ids=["packets of their own", "one packet for all"])
def test_threads_may_work_on_packets(shared: bool) -> None:
    """What they write into one packet may come out in any order; it is a whole packet whatever they do."""
    mapping = ExtensionMap({3: Uri.TRANSPORT_CC, 4: Uri.MID})
    data = bytes.fromhex("90e01234000102030a0b0c0dbede00023112344030000000") + bytes(200)
    common = Running.parse(data, mapping)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(3000):
                packet = common if shared else Running.parse(data, mapping)
                packet.set(Uri.TRANSPORT_CC, turn & 0xFFFF)
                packet.set(Uri.MID, str(number))
                packet.sequence_number = turn
                again = Running.parse(packet.copy().serialize(), mapping)
                assert again.payload == data[24:]
                if not shared:
                    assert (again.get(Uri.MID), again.get(Uri.TRANSPORT_CC)) == (str(number), turn)
                    assert again.sequence_number == turn
        except BaseException as error:  # a thread's own is lost
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def test_nothing_is_leaked_in_any_path() -> None:
    code = """
import resource
from webrtc_stack.rtp import AudioLevel, ExtensionMap, RtpPacket, Uri
mapping = ExtensionMap({1: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC, 4: Uri.MID, 5: Uri.RID})
other = ExtensionMap({2: Uri.MID})
data = bytes.fromhex("91e01234000102030a0b0c0d00000001bede00023112344030000000") + bytes(1000)
def work(times):
    for number in range(times):
        packet = RtpPacket.parse(data, mapping)
        packet.get(Uri.MID), packet.get(Uri.RID), packet.get("x"), packet.size, repr(packet)
        packet.set(Uri.TRANSPORT_CC, number & 0xFFFF)
        packet.set(Uri.AUDIO_LEVEL, AudioLevel(5, True))
        packet.get(Uri.AUDIO_LEVEL)
        packet.serialize(), packet.copy() == packet, packet.serialize(other)
        for wrong in (lambda: packet.set(Uri.TRANSPORT_CC, -1), lambda: packet.set("x", 1),
                      lambda: RtpPacket.parse(data[:13]), lambda: RtpPacket.parse(None), lambda: RtpPacket(x=1)):
            try:
                wrong()
            except Exception:
                pass
            else:
                raise SystemExit("no error")
        made = RtpPacket(payload=data, extension_map=mapping)
        made.set(Uri.MID, "1")
        made.csrcs = (made,)  # a cycle
work(3000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work(20000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1500, "KiB grown; one leaked object a round would be more"
