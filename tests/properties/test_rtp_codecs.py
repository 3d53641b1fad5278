"""RTP and RTCP under Hypothesis: every value survives its bytes, any bytes are a value or a `ParseError`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import (
    CODECS,
    AudioLevel,
    DependencyReader,
    DependencyStructure,
    DependencyWriter,
    ExtensionMap,
    FrameTemplate,
    HeaderExtensions,
    RtpPacket,
    SpatialLayer,
    Uri,
    VideoLayersAllocation,
    ntp_to_unix,
    rtcp,
    unix_to_ntp,
)

_u8, _u16, _u32, _u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
_elements = st.dictionaries(st.integers(1, 255), st.binary(max_size=40), max_size=6)
_MAP = ExtensionMap(
    {1: Uri.MID, 2: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC, 4: Uri.VIDEO_LAYERS_ALLOCATION}, allow_mixed=True
)


@settings(max_examples=200)
@given(
    payload_type=st.integers(0, 127),
    sequence_number=_u16,
    timestamp=_u32,
    ssrc=_u32,
    marker=st.booleans(),
    csrcs=st.lists(_u32, max_size=15).map(tuple),
    elements=_elements,
    payload=st.binary(max_size=60),
    padding=st.integers(0, 255),
)
def test_a_packet_survives_its_bytes(elements: dict[int, bytes], **fields: Any) -> None:
    packet = RtpPacket(extensions=HeaderExtensions(elements), **fields)
    data = packet.serialize()
    got = RtpPacket.parse(data)
    assert got == packet
    assert got.extensions.elements == elements
    assert got.serialize() == data
    assert packet.size == len(data)


@settings(max_examples=200)
@given(data=st.binary(max_size=120), first=st.integers(0x80, 0xBF))
def test_any_bytes_are_a_packet_or_a_parse_error(data: bytes, first: int) -> None:
    data = bytes((first,)) + data
    try:
        packet = RtpPacket.parse(data, _MAP)
    except ParseError:
        return
    assert RtpPacket.parse(packet.serialize(), _MAP) == packet
    for uri in _MAP.by_uri:
        packet.get(uri)


@settings(max_examples=300)
@given(uri=st.sampled_from(sorted(CODECS)), data=st.binary(max_size=32))
def test_any_bytes_are_a_value_of_an_extension_or_a_parse_error(uri: str, data: bytes) -> None:
    codec = CODECS[uri]
    try:
        value = codec.parse(data)
    except ParseError:
        return
    assert codec.parse(codec.serialize(value)) == value


@settings(max_examples=100)
@given(mid=st.text(min_size=1, max_size=30), level=st.integers(0, 127), voice=st.booleans(), number=_u16)
def test_typed_values_come_back(mid: str, level: int, voice: bool, number: int) -> None:
    packet = RtpPacket(extension_map=_MAP)
    packet.set(Uri.MID, mid)
    packet.set(Uri.AUDIO_LEVEL, AudioLevel(level, voice))
    packet.set(Uri.TRANSPORT_CC, number)
    got = RtpPacket.parse(packet.serialize(), _MAP)
    assert (got.get(Uri.MID), got.get(Uri.AUDIO_LEVEL)) == (mid, (level, voice))
    assert got.get(Uri.TRANSPORT_CC) == number


@st.composite
def _allocations(draw: st.DrawFn) -> VideoLayersAllocation:
    streams = draw(st.integers(1, 4))
    places = draw(st.sets(st.tuples(st.integers(0, streams - 1), st.integers(0, 3)), min_size=1, max_size=8))
    sized = draw(st.booleans())
    rates = st.lists(st.integers(0, 2**40), min_size=1, max_size=4).map(tuple)
    side = st.integers(1, 65536) if sized else st.just(0)
    frames = _u8 if sized else st.just(0)
    layers = [SpatialLayer(*place, draw(rates), draw(side), draw(side), draw(frames)) for place in sorted(places)]
    return VideoLayersAllocation(draw(st.integers(0, streams - 1)), streams, tuple(layers))


@settings(max_examples=150)
@given(_allocations())
def test_allocations_of_layers_come_back(value: VideoLayersAllocation) -> None:
    codec = CODECS[Uri.VIDEO_LAYERS_ALLOCATION]
    assert codec.parse(codec.serialize(value)) == value


@st.composite
def _structures(draw: st.DrawFn) -> DependencyStructure:
    targets = draw(st.integers(1, 32))
    chains = draw(st.integers(0, targets))

    def many(values: st.SearchStrategy[int], count: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(values, min_size=count, max_size=count)))

    spatial = temporal = 0
    templates = []
    for step in (0, *draw(st.lists(st.integers(0, 2), max_size=8))):
        if step == 1 and temporal < 7:
            temporal += 1
        elif step == 2 and spatial < 3:
            spatial, temporal = spatial + 1, 0
        diffs = tuple(draw(st.lists(st.integers(1, 16), max_size=3)))
        indications = many(st.integers(0, 3), targets)
        templates.append(FrameTemplate(spatial, temporal, indications, diffs, many(st.integers(0, 15), chains)))
    return DependencyStructure(
        template_id_offset=draw(st.integers(0, 63)),
        decode_target_count=targets,
        templates=tuple(templates),
        chain_count=chains,
        protected_by=many(st.integers(0, chains - 1), targets) if chains else (),
        resolutions=((1, 65536),) * (spatial + 1) if draw(st.booleans()) else (),
    )


@settings(max_examples=60)
@given(st.data(), _structures())
def test_frames_of_any_structure_come_back(data: st.DataObject, structure: DependencyStructure) -> None:
    writer, reader = DependencyWriter(structure), DependencyReader()
    for number in range(3):
        frame = data.draw(st.sampled_from(structure.templates))
        if data.draw(st.booleans()):
            frame = frame._replace(frame_diffs=tuple(data.draw(st.lists(st.integers(1, 4096), max_size=4))))
        got = reader.read(writer.write(number, frame, with_structure=number == 0))
        assert (got.spatial_id, got.temporal_id, got.indications, got.frame_diffs, got.chain_diffs) == frame
    assert reader.structure == structure


@settings(max_examples=300)
@given(
    kind=st.integers(199, 210), count=st.integers(0, 31), body=st.binary(max_size=80), padded=st.booleans(), more=_u8
)
def test_any_rtcp_is_packets_or_a_parse_error(kind: int, count: int, body: bytes, padded: bool, more: int) -> None:
    body = body[: len(body) // 4 * 4]
    data = bytes((0x80 | padded << 5 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body
    try:
        packets = rtcp.parse_compound(data + bytes(more % 2 * 4))
    except ParseError:
        try:
            packets = rtcp.parse_compound(data)
        except ParseError:
            return
    rtcp.parse_compound(rtcp.serialize_compound(packets))


@settings(max_examples=200)
@given(st.data(), _u16, st.integers(0, 2000))
def test_transport_feedback_comes_back(data: st.DataObject, base: int, count: int) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=60))) if count else []
    deltas = st.one_of(st.integers(0, 255), st.integers(-32768, 32767))
    packet = rtcp.TransportCc(
        sender_ssrc=1,
        media_ssrc=2,
        base_sequence_number=base,
        status_count=count,
        reference_time=data.draw(st.integers(-(2**23), 2**23 - 1)),
        feedback_count=data.draw(_u8),
        received=tuple(((base + offset) & 0xFFFF, data.draw(deltas)) for offset in offsets),
    )
    assert rtcp.parse_compound(packet.serialize()) == [packet]


@settings(max_examples=100)
@given(st.sets(st.integers(0, 400), min_size=1), _u16)
def test_what_is_asked_for_again_is_what_was_lost(lost: set[int], base: int) -> None:
    numbers = [(base + offset) & 0xFFFF for offset in sorted(lost)]
    nack = rtcp.Nack.from_lost(1, 2, numbers)
    assert list(nack.lost) == numbers
    assert rtcp.parse_compound(nack.serialize()) == [nack]


@settings(max_examples=100)
@given(st.floats(0, 4e9))
def test_ntp_time_comes_back_to_the_microsecond(seconds: float) -> None:
    assert ntp_to_unix(unix_to_ntp(seconds)) == pytest.approx(seconds, abs=1e-6)
