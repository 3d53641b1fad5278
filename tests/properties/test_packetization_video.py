"""Video formats: what is cut joins again, whatever the sizes, the disorder and the losses."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.packetization.streams import VIDEO, Packet, make_frames, push_all, to_packets
from webrtc_stack.packetization import DepacketizerConfig, payload_format

STREAMS = st.tuples(
    st.sampled_from(VIDEO),
    st.lists(st.integers(1, 900), min_size=1, max_size=12),
    st.sets(st.integers(0, 11), max_size=4),
    st.integers(40, 300),
    st.integers(0, 65535),
)


def make(stream: Any) -> tuple[str, list[bytes], set[int], list[Packet]]:
    name, sizes, keys, limit, first = stream
    keys = {0} | keys
    frames = make_frames(name, sizes, sorted(keys))
    packets = to_packets(frames, payload_format(name).packetizer(limit), first=first, timestamp=first << 16)
    assert max(len(packet.payload) for packet in packets) <= limit
    return name, frames, keys, packets


def index_of(timestamp: int, packets: list[Packet]) -> int:
    return ((timestamp - packets[0].timestamp) & 0xFFFFFFFF) // 3000


@settings(max_examples=150)
@given(STREAMS)
def test_what_was_cut_joins_to_the_same_frames(stream: Any) -> None:
    name, frames, _, packets = make(stream)
    assert [frame.data for frame in push_all(payload_format(name).depacketizer(), packets)] == frames


@settings(max_examples=150)
@given(STREAMS, st.data())
def test_whatever_happens_on_the_way_only_whole_frames_come_out_in_order(stream: Any, data: st.DataObject) -> None:
    name, frames, keys, packets = make(stream)
    arriving: list[Packet] = []
    lost: set[int] = set()
    config = DepacketizerConfig(wait_for_keyframe=data.draw(st.booleans()))
    for packet in packets:
        fate = data.draw(st.sampled_from("kkkkkkkklds"))
        if len(arriving) < 2 and (fate == "s" or not config.wait_for_keyframe):
            fate = "k"  # where a stream begins nobody knows but from its first packet
        if fate == "l":
            lost.add(index_of(packet.timestamp, packets))
        elif fate == "d":
            arriving += [packet, packet]
        elif fate == "s" and arriving:
            arriving.insert(len(arriving) - 1, packet)
        else:
            arriving.append(packet)
    depacketizer = payload_format(name).depacketizer(config)
    out = push_all(depacketizer, arriving) + depacketizer.flush()
    got = [index_of(frame.timestamp, packets) for frame in out]
    assert got == sorted(set(got))
    assert not lost & set(got)
    assert [frame.data for frame in out] == [frames[index] for index in got]
    if config.wait_for_keyframe and got:
        previous = got[0]
        for index in got[1:]:
            assert index == previous + 1 or index in keys, "a frame that builds on a missing one"
            previous = index
    if not lost:
        assert len(got) == len(frames)
