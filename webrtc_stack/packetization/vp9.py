"""VP9 over RTP, both directions: flexible and non-flexible mode, temporal and spatial layers.

A picture has one frame a spatial layer. `packetize` takes a picture of one layer, `packetize_picture` one of several;
out of the depacketizer comes the picture, its layer frames one behind the other as a decoder takes them. The
scalability structure goes with every key picture. After a loss a receiver goes on without a key frame where the
references (of the picture in flexible mode, of the announced group of pictures otherwise) or the temporal layers
(TL0PICIDX) prove that it can.

Left out: the layer refresh request (LRR), and cutting upper layers off (that is a forwarder's decision).

Spec: RFC 9628 sections 3, 4.1-4.4, 6; VP9 bitstream specification 6.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..base import SYSTEM_ENTROPY, Entropy, random_u16
from ..errors import InvalidArgumentError, ParseError
from .assembler import KEY_START, NO_START, START, FrameAssembler, Joined
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    DepacketizerConfig,
    Packetizer,
    PayloadFormat,
)
from .cutting import join_behind, split_evenly
from .vp9_descriptor import B_BIT, E_BIT, V_BIT, Vp9Descriptor, Vp9GroupPicture, Vp9ScalabilityStructure
from .vp9_header import Vp9FrameHeader, is_key_frame

_ALL_LAYERS = 7
# Pictures that later ones may refer to: P_DIFF has seven bits.
_REMEMBERED = 127


class Vp9Facts(NamedTuple):
    """What a picture's packets say. `layer_sizes` are the bytes of each spatial layer in `data`.

    `descriptor` is that of the first packet; `width` and `height` are 0 but on key frames.
    """

    descriptor: Vp9Descriptor
    layer_sizes: tuple[int, ...]
    references: tuple[int, ...] = ()
    width: int = 0
    height: int = 0


class Vp9Packetizer(Packetizer):
    """Cuts pictures. `structure` is what key pictures announce; the default is made from the first layer's header.

    With temporal layers in non-flexible mode give a structure whose group of pictures tells of them: after a loss, it
    is what receivers know of references.

    `first_picture_id` None writes none (allowed in non-flexible mode), the default is drawn from `entropy`.
    """

    def __init__(
        self,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        *,
        flexible: bool = False,
        first_picture_id: int | None = -1,
        structure: Vp9ScalabilityStructure | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        if first_picture_id == -1:
            first_picture_id = random_u16(entropy) & 0x7FFF
        if first_picture_id is None and flexible:
            raise InvalidArgumentError("flexible mode needs picture ids")
        if first_picture_id is not None and not 0 <= first_picture_id <= 0x7FFF:
            raise InvalidArgumentError(f"first_picture_id is {first_picture_id}, allowed are 0 to 32767")
        if max_payload_bytes < 4:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, too small for VP9")
        self._max = max_payload_bytes
        self._flexible = flexible
        self._structure = structure
        self._tl0picidx = 0
        self.picture_id = first_picture_id

    def packetize(
        self, frame: bytes, *, tid: int | None = None, u: bool = False, references: Sequence[int] = (1,)
    ) -> list[bytes]:
        """The payloads of a picture with one spatial layer, equal in size but for one byte."""
        return self.packetize_picture([frame], tid=tid, u=u, references=references)

    def packetize_picture(
        self,
        layers: Sequence[bytes],
        *,
        tid: int | None = None,
        u: bool = False,
        references: Sequence[int] = (1,),
        inter_layer: bool = True,
    ) -> list[bytes]:
        """The payloads of a picture, its spatial layers given from the lowest up.

        `tid` is the temporal layer, `u` marks a point where higher ones can be switched on. `references` (flexible
        mode, not on key pictures) are distances in picture ids. `inter_layer` says that each layer builds on the one
        below.
        """
        if not layers or not all(layers) or len(layers) > 8:
            raise InvalidArgumentError("a VP9 picture has 1 to 8 layers, none of them empty")
        if tid is not None and not 0 <= tid <= 7:
            raise InvalidArgumentError(f"tid is {tid}, allowed are 0 to 7")
        if not 1 <= len(references) <= 3 or not all(1 <= one <= 127 for one in references):
            raise InvalidArgumentError(f"references are {references!r}, allowed are 1 to 3 distances of 1 to 127")
        key = bool(is_key_frame(layers[0]))
        layered = tid is not None or len(layers) > 1
        tl0picidx = (self._tl0picidx + (tid in (0, None))) & 0xFF
        payloads: list[bytes] = []
        for sid, layer in enumerate(layers):
            descriptor = Vp9Descriptor(
                p=not key,
                f=self._flexible,
                b=True,
                z=sid == len(layers) - 1,
                picture_id=self.picture_id,
                tid=(tid or 0) if layered else None,
                u=u,
                sid=sid,
                d=inter_layer and sid > 0,
                tl0picidx=tl0picidx,
                p_diff=() if key else tuple(references),
            )
            head = descriptor.serialize()
            first = head
            if key and sid == 0:
                first = descriptor._replace(ss=self._structure or self._default_structure(layers, tid)).serialize()
            rest = head[1:]
            cut = split_evenly(
                layer,
                first,
                bytes((head[0] & ~B_BIT,)) + rest,
                self._max,
                bytes((head[0] & ~B_BIT | E_BIT,)) + rest,
            )
            if len(cut) == 1:
                cut[0] = bytes((cut[0][0] | E_BIT,)) + cut[0][1:]
            payloads += cut
        self._tl0picidx = tl0picidx
        if self.picture_id is not None:
            self.picture_id = (self.picture_id + 1) & 0x7FFF
        return payloads

    def _default_structure(self, layers: Sequence[bytes], tid: int | None) -> Vp9ScalabilityStructure:
        resolutions: tuple[tuple[int, int], ...] = ()
        if len(layers) == 1:
            try:
                header = Vp9FrameHeader.parse(layers[0])
                resolutions = ((min(header.width, 0xFFFF), min(header.height, 0xFFFF)),)
            except ParseError:
                pass  # a frame that only looks like a key frame: nothing is known of its size
        # Of temporal layers nobody but the caller knows the pattern.
        group = None if self._flexible or tid is not None else (Vp9GroupPicture(0, True, (1,)),)
        return Vp9ScalabilityStructure(spatial_layers=len(layers), resolutions=resolutions, pictures=group)


class Vp9Depacketizer(FrameAssembler):
    """Puts pictures together. `facts` of a frame are `Vp9Facts`."""

    def __init__(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> None:
        super().__init__(config)
        self._lowest_sid = 0
        self._last_tl0picidx: int | None = None
        self._layers = _ALL_LAYERS
        # Since a loss: references are checked against the pictures given out, by picture id (a dict keeps order).
        self._checking = False
        self._given: dict[int, None] = {}
        # The group of pictures that the stream repeats, the picture id where it last began, and the key picture's.
        self._group: tuple[Vp9GroupPicture, ...] = ()
        self._group_start = 0
        self._key_id: int | None = None

    def _start(self, payload: bytes) -> int:
        if not payload[0] & B_BIT:
            return NO_START
        try:
            descriptor, at, _ = Vp9Descriptor.parse(payload)
        except ParseError:
            return NO_START
        if descriptor.sid > self._lowest_sid and self._expected >= 0:
            return NO_START
        return KEY_START if _is_key(descriptor, payload[at : at + 1]) else START

    def _join(self, payloads: list[bytes]) -> Joined:
        first = payloads[0]
        descriptor, at, ss_at = Vp9Descriptor.parse(first)
        if not descriptor.b:
            raise ParseError("a picture begins inside a frame", field="VP9 payload descriptor")
        key = _is_key(descriptor, first[at : at + 1])
        references = dict.fromkeys(descriptor.p_diff)
        parts = [first[at:]]
        sizes: list[int] = []
        size = len(first) - at
        sid = descriptor.sid
        # Nearly always the other descriptors differ in the flags B, E and V alone.
        rest = first[1:ss_at]
        flags = first[0] & ~(B_BIT | E_BIT | V_BIT)
        middle, last = bytes((flags,)) + rest, bytes((flags | E_BIT,)) + rest
        data = join_behind(payloads, at, middle, last)
        if data is not None:
            return self._joined(data, descriptor, key, references, (len(data),))
        length = ss_at
        for payload in payloads[1:]:
            if payload.startswith((middle, last)):
                parts.append(payload[length:])
                size += len(payload) - length
                continue
            other, other_at, other_ss_at = Vp9Descriptor.parse(payload)
            if other.picture_id != descriptor.picture_id or (other.sid <= sid if other.b else other.sid != sid):
                raise ParseError("two pictures under one timestamp", field="VP9 payload descriptor")
            if other.b:
                sizes.append(size)
                size = 0
                sid = other.sid
                references.update(dict.fromkeys(other.p_diff))
                rest = payload[1:other_ss_at]
                flags = payload[0] & ~(B_BIT | E_BIT | V_BIT)
                middle, last = bytes((flags,)) + rest, bytes((flags | E_BIT,)) + rest
                length = other_ss_at
            parts.append(payload[other_at:])
            size += len(payload) - other_at
        sizes.append(size)
        return self._joined(b"".join(parts), descriptor, key, references, tuple(sizes))

    def _joined(
        self, data: bytes, descriptor: Vp9Descriptor, key: bool, references: Iterable[int], sizes: tuple[int, ...]
    ) -> Joined:
        if not data:
            raise ParseError("a picture without data", field="VP9 payload")
        width = height = 0
        if key:
            try:
                header = Vp9FrameHeader.parse(data)
                width, height = header.width, header.height
            except ParseError:
                pass  # the size is a courtesy; the decoder judges the bitstream
        return Joined(data, key, Vp9Facts(descriptor, sizes, tuple(references), width, height))

    def _admits(self, joined: Joined, lost: bool) -> bool:
        facts: Vp9Facts = joined.facts
        descriptor = facts.descriptor
        if joined.keyframe:
            self._layers = _ALL_LAYERS
            self._checking = False
            self._given.clear()
            self._key_id = descriptor.picture_id
            self._group = ()
            return True
        wanted = self._wanted(facts)
        if wanted is not None:
            if not lost and not self._checking:
                return True
            self._checking = True
            return bool(wanted) and all(one in self._given for one in wanted)
        tid, tl0picidx, last = descriptor.tid, descriptor.tl0picidx, self._last_tl0picidx
        if tid is None or tl0picidx is None:
            return not lost
        if lost:
            # A picture of layer 0 builds on layer 0 alone.
            if tid or last is None or tl0picidx != (last + 1) & 0xFF:
                return False
            self._layers = 0
        elif tid > self._layers:
            return False
        if descriptor.u:
            self._layers = _ALL_LAYERS
        return True

    def _wanted(self, facts: Vp9Facts) -> list[int] | None:
        """The picture ids that a picture refers to; None if that is not told."""
        descriptor = facts.descriptor
        picture_id = descriptor.picture_id
        if picture_id is None:
            return None
        mask = (1 << descriptor.picture_id_bits) - 1
        # What lies further back than half of the ids could be taken for something newer.
        reach = min(_REMEMBERED, mask >> 1)
        given = self._given
        while given and (picture_id - (oldest := next(iter(given)))) & mask > reach:
            del given[oldest]
        if self._key_id is not None and (picture_id - self._key_id) & mask > reach:
            self._key_id = None
        if descriptor.f:
            return [(picture_id - one) & mask for one in facts.references]
        if not self._group:
            return None
        member = self._group[((picture_id - self._group_start) & mask) % len(self._group)]
        if member.tid != (descriptor.tid or 0):
            return None  # the stream does not do what it announced
        distances = member.p_diff
        if self._key_id is not None:  # nothing reaches back behind the key picture
            since_key = (picture_id - self._key_id) & mask
            distances = tuple([one for one in distances if one <= since_key])
        return [(picture_id - one) & mask for one in distances]

    def _given_out(self, joined: Joined) -> None:
        descriptor: Vp9Descriptor = joined.facts.descriptor
        self._lowest_sid = descriptor.sid
        self._last_tl0picidx = descriptor.tl0picidx
        picture_id = descriptor.picture_id
        if picture_id is None:
            return
        if descriptor.ss is not None:
            self._group = descriptor.ss.pictures or ()
            self._group_start = picture_id
        mask = (1 << descriptor.picture_id_bits) - 1
        if descriptor.ss is None and self._group:
            # Kept near, as picture ids wrap at a number that need not be a multiple of the group.
            ahead = (picture_id - self._group_start) & mask
            self._group_start = (self._group_start + ahead - ahead % len(self._group)) & mask
        given = self._given
        given.pop(picture_id, None)
        given[picture_id] = None


def _is_key(descriptor: Vp9Descriptor, data: bytes) -> bool:
    # Some senders never set P in flexible mode: where the bitstream says otherwise, it is right.
    return not descriptor.p and not descriptor.sid and is_key_frame(data) is not False


class Vp9Format(PayloadFormat):
    """VP9. Parameter `profile_id` (default 0) tells formats apart; `max_fr` and `max_fs` limit what may be sent."""

    encoding_name = "VP9"

    def packetizer(
        self,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        *,
        flexible: bool = False,
        first_picture_id: int | None = -1,
        structure: Vp9ScalabilityStructure | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> Vp9Packetizer:
        return Vp9Packetizer(
            max_payload_bytes,
            flexible=flexible,
            first_picture_id=first_picture_id,
            structure=structure,
            entropy=entropy,
        )

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Vp9Depacketizer:
        return Vp9Depacketizer(config)
