"""Video layers allocation: which layers a sender sends at which rate, on all of its streams.

Spec: the page of the webrtc.org experiment video-layers-allocation00. With resolutions the value is mostly longer
than 16 bytes, so it needs the two-byte form.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import InvalidArgumentError, ParseError
from .values import in_range, parse_leb128, serialize_leb128


class SpatialLayer(NamedTuple):
    """One active spatial layer of one RTP stream.

    `target_kbps` has a rate for each temporal layer (1 to 4), each including the ones below it. `width`, `height`
    (1 to 65536) and `framerate` (0 to 255) are all zero where the sender does not tell them.
    """

    stream: int
    spatial: int
    target_kbps: tuple[int, ...]
    width: int = 0
    height: int = 0
    framerate: int = 0


class VideoLayersAllocation(NamedTuple):
    """All active layers, in order of stream and spatial layer; `stream` is the index of the stream that says so.

    Resolutions are told for all layers or for none. Without layers nothing is sent.
    """

    stream: int
    streams: int
    layers: tuple[SpatialLayer, ...]


EMPTY = VideoLayersAllocation(0, 1, ())


def parse_layers(data: bytes) -> VideoLayersAllocation:
    """Errors: `ParseError`."""
    if not data:
        raise ParseError("empty", offset=0, field="video-layers-allocation")
    if data == b"\0":
        return EMPTY
    first = data[0]
    stream, streams, shared = first >> 6, (first >> 4 & 3) + 1, first & 15
    if stream >= streams:
        raise ParseError(f"stream {stream} of {streams}", offset=0, field="video-layers-allocation")
    position = 1
    if shared:
        masks = [shared] * streams
    else:
        position += (streams + 1) // 2
        if position > len(data):
            raise ParseError("layer masks do not fit", offset=1, field="video-layers-allocation")
        masks = [data[1 + index // 2] >> (4 if index % 2 == 0 else 0) & 15 for index in range(streams)]
    active = [(index, spatial) for index in range(streams) for spatial in range(4) if masks[index] >> spatial & 1]
    counts_at = position
    position += (len(active) + 3) // 4
    if position > len(data):
        raise ParseError("temporal layers do not fit", offset=counts_at, field="video-layers-allocation")
    rates: list[tuple[int, ...]] = []
    for index in range(len(active)):
        count = (data[counts_at + index // 4] >> (6 - 2 * (index % 4)) & 3) + 1
        values = []
        for _ in range(count):
            rate, position = parse_leb128(data, position)
            values.append(rate)
        rates.append(tuple(values))
    left = len(data) - position
    layers = []
    if left and left == 5 * len(active):
        for (index, spatial), rate_list in zip(active, rates, strict=True):
            width = (data[position] << 8 | data[position + 1]) + 1
            height = (data[position + 2] << 8 | data[position + 3]) + 1
            layers.append(SpatialLayer(index, spatial, rate_list, width, height, data[position + 4]))
            position += 5
    elif left:
        raise ParseError(f"{left} bytes left, resolutions take 0 or {5 * len(active)}", offset=position, field="layers")
    else:
        layers = [SpatialLayer(*place, rate_list) for place, rate_list in zip(active, rates, strict=True)]
    return VideoLayersAllocation(stream, streams, tuple(layers)) if layers else EMPTY


def serialize_layers(value: VideoLayersAllocation) -> bytes:
    """Errors: `InvalidArgumentError`."""
    layers = value.layers
    if not layers:
        return b"\0"
    streams = in_range(value.streams, 1, 4, "the number of streams")
    first = in_range(value.stream, 0, streams - 1, "the index of the stream") << 6 | (streams - 1) << 4
    places = [(layer.stream, layer.spatial) for layer in layers]
    if places != sorted(set(places)):
        raise InvalidArgumentError("layers are listed once each, by stream and spatial layer")
    masks = [0] * streams
    for stream, spatial in places:
        masks[in_range(stream, 0, streams - 1, "a layer's stream")] |= 1 << in_range(spatial, 0, 3, "a spatial layer")
    out = bytearray()
    if masks == [masks[0]] * streams:
        out.append(first | masks[0])
    else:
        out.append(first)
        masks += [0] * (streams % 2)
        for index in range(0, len(masks), 2):
            out.append(masks[index] << 4 | masks[index + 1])
    counts = [in_range(len(layer.target_kbps), 1, 4, "the number of temporal layers") - 1 for layer in layers]
    counts += [0] * (-len(counts) % 4)
    for index in range(0, len(counts), 4):
        a, b, c, d = counts[index : index + 4]
        out.append(a << 6 | b << 4 | c << 2 | d)
    for layer in layers:
        for rate in layer.target_kbps:
            out += serialize_leb128(rate)
    sized = [layer for layer in layers if layer.width or layer.height or layer.framerate]
    if sized and len(sized) != len(layers):
        raise InvalidArgumentError("resolutions are told for all layers or for none")
    for layer in sized:
        out += (in_range(layer.width, 1, 65536, "a width") - 1).to_bytes(2, "big")
        out += (in_range(layer.height, 1, 65536, "a height") - 1).to_bytes(2, "big")
        out.append(in_range(layer.framerate, 0, 255, "a frame rate"))
    return bytes(out)
