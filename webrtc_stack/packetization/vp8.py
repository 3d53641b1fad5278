"""VP8 over RTP, both directions.

A frame is cut into parts of equal size without regard to its partitions, as browsers do (partition 0 in every
descriptor); partitions of other senders are read. With temporal layers (`tid`, `y`, `tl0picidx`) a receiver goes on
after a loss in an upper layer without a key frame.

Left out: fragments aligned to partitions when sending (section 4.4's recommendation), RPSI and SLI feedback.

Spec: RFC 7741 sections 4.1-4.5, 6.1; RFC 6386 section 9.1 (frame header).
"""

from __future__ import annotations

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

_X, _N, _S = 0x80, 0x20, 0x10
_I, _L, _T, _K = 0x80, 0x40, 0x20, 0x10
_ALL_LAYERS = 0b1111


class Vp8Descriptor(NamedTuple):
    """The VP8 payload descriptor. Optional fields are None where absent; `picture_id_bits` is 7 or 15.

    Spec: RFC 7741 section 4.2.
    """

    start: bool
    partition: int = 0
    non_reference: bool = False
    picture_id: int | None = None
    picture_id_bits: int = 15
    tl0picidx: int | None = None
    tid: int | None = None
    y: bool = False
    keyidx: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> tuple[Vp8Descriptor, int]:
        """The descriptor at the beginning of `data`, and its length. Errors: `ParseError`."""
        try:
            first = data[0]
            at = 1
            picture_id = tl0picidx = tid = keyidx = None
            bits = 15
            y = False
            if first & _X:
                extended = data[1]
                at = 2
                if extended & _I:
                    picture_id = data[2]
                    at = 3
                    if picture_id & 0x80:
                        picture_id = (picture_id & 0x7F) << 8 | data[3]
                        at = 4
                    else:
                        bits = 7
                if extended & _L:
                    tl0picidx = data[at]
                    at += 1
                if extended & (_T | _K):
                    octet = data[at]
                    at += 1
                    if extended & _T:
                        tid, y = octet >> 6, bool(octet & 0x20)
                    if extended & _K:
                        keyidx = octet & 0x1F
        except IndexError:
            raise ParseError("truncated", offset=len(data), field="VP8 payload descriptor") from None
        start, non_reference = bool(first & _S), bool(first & _N)
        return cls(start, first & 0x07, non_reference, picture_id, bits, tl0picidx, tid, y, keyidx), at

    def serialize(self) -> bytes:
        first = (_S if self.start else 0) | (_N if self.non_reference else 0) | self.partition
        extended = 0
        rest = bytearray()
        if self.picture_id is not None:
            extended |= _I
            if self.picture_id_bits == 15:
                rest += (0x8000 | self.picture_id).to_bytes(2, "big")
            else:
                rest.append(self.picture_id)
        if self.tl0picidx is not None:
            extended |= _L
            rest.append(self.tl0picidx)
        if self.tid is not None or self.keyidx is not None:
            octet = 0
            if self.tid is not None:
                extended |= _T
                octet = self.tid << 6 | (0x20 if self.y else 0)
            if self.keyidx is not None:
                extended |= _K
                octet |= self.keyidx
            rest.append(octet)
        return bytes((first | _X, extended)) + rest if extended else bytes((first,))


class Vp8Facts(NamedTuple):
    """What the descriptor of a frame's first packet says; `width` and `height` are 0 but on key frames."""

    descriptor: Vp8Descriptor
    width: int = 0
    height: int = 0


class Vp8Packetizer(Packetizer):
    """Cuts VP8 frames; picture ids count up by one a frame.

    `first_picture_id` None writes none, the default is drawn from `entropy`.
    """

    def __init__(
        self,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        *,
        first_picture_id: int | None = -1,
        picture_id_bits: int = 15,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        if picture_id_bits not in (7, 15):
            raise InvalidArgumentError(f"picture_id_bits is {picture_id_bits}, allowed are 7 and 15")
        self._mask = (1 << picture_id_bits) - 1
        if first_picture_id == -1:
            first_picture_id = random_u16(entropy) & self._mask
        if first_picture_id is not None and not 0 <= first_picture_id <= self._mask:
            raise InvalidArgumentError(f"first_picture_id is {first_picture_id}, allowed are 0 to {self._mask}")
        if max_payload_bytes < 2:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, too small for VP8")
        self._bits = picture_id_bits
        self._max = max_payload_bytes
        self.picture_id = first_picture_id
        self._tl0picidx = 0

    def packetize(
        self,
        frame: bytes,
        *,
        non_reference: bool = False,
        tid: int | None = None,
        y: bool = False,
        keyidx: int | None = None,
    ) -> list[bytes]:
        """The payloads of one frame, equal in size but for one byte.

        `tid` (0 to 3) with `y` (layer sync) puts the frame into a temporal layer, and writes TL0PICIDX, which counts
        the frames of layer 0.
        """
        if not frame:
            raise InvalidArgumentError("a VP8 frame is never empty")
        if not (tid is None or 0 <= tid <= 3) or not (keyidx is None or 0 <= keyidx <= 31):
            raise InvalidArgumentError(f"tid is {tid}, allowed are 0 to 3; keyidx is {keyidx}, allowed are 0 to 31")
        tl0picidx = None
        if tid is not None:
            tl0picidx = (self._tl0picidx + (tid == 0)) & 0xFF
        descriptor = Vp8Descriptor(
            True, 0, non_reference, self.picture_id, self._bits, tl0picidx, tid, y, keyidx
        ).serialize()
        payloads = split_evenly(frame, descriptor, bytes((descriptor[0] & ~_S,)) + descriptor[1:], self._max)
        if tl0picidx is not None:
            self._tl0picidx = tl0picidx
        if self.picture_id is not None:
            self.picture_id = (self.picture_id + 1) & self._mask
        return payloads


class Vp8Depacketizer(FrameAssembler):
    """Puts VP8 frames together. `facts` of a frame are `Vp8Facts`."""

    def __init__(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> None:
        super().__init__(config)
        self._last_tl0picidx: int | None = None
        # Bit n: temporal layer n is in step, nothing of it is missing since a frame that built on layer 0 alone.
        self._in_step = _ALL_LAYERS

    def _start(self, payload: bytes) -> int:
        if payload[0] & 0x17 != _S:
            return NO_START
        try:
            at = Vp8Descriptor.parse(payload)[1]
        except ParseError:
            return NO_START
        return START if at == len(payload) or payload[at] & 1 else KEY_START

    def _join(self, payloads: list[bytes]) -> Joined:
        first = payloads[0]
        descriptor, at = Vp8Descriptor.parse(first)
        if not descriptor.start or descriptor.partition:
            raise ParseError("a frame begins inside a partition", field="VP8 payload descriptor")
        # Nearly always the descriptors differ in the S bit alone.
        data = join_behind(payloads, at, bytes((first[0] & ~_S,)) + first[1:at])
        if data is None:
            parts = [first[at:]]
            for payload in payloads[1:]:
                other, other_at = Vp8Descriptor.parse(payload)
                if other.picture_id != descriptor.picture_id or (other.start and not other.partition):
                    raise ParseError("two frames under one timestamp", field="VP8 payload descriptor")
                parts.append(payload[other_at:])
            data = b"".join(parts)
        if not data:
            raise ParseError("a frame without data", field="VP8 payload")
        if data[0] & 1:
            return Joined(data, False, Vp8Facts(descriptor))
        width = height = 0
        if data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10:
            width = int.from_bytes(data[6:8], "little") & 0x3FFF
            height = int.from_bytes(data[8:10], "little") & 0x3FFF
        return Joined(data, True, Vp8Facts(descriptor, width, height))

    def _admits(self, joined: Joined, lost: bool) -> bool:
        if joined.keyframe:
            self._in_step = _ALL_LAYERS
            return True
        descriptor: Vp8Descriptor = joined.facts.descriptor
        tid, tl0picidx, last = descriptor.tid, descriptor.tl0picidx, self._last_tl0picidx
        if tid is None or tl0picidx is None:
            return not lost
        if lost:
            # A frame of layer 0 builds on layer 0 alone, a sync frame on the last one of layer 0.
            if last is None:
                return False
            if tid == 0:
                if tl0picidx != (last + 1) & 0xFF:
                    return False
                self._in_step = 1
                return True
            if not descriptor.y or tl0picidx != last:
                return False
            self._in_step = 1 | 1 << tid
            return True
        if descriptor.y:
            self._in_step |= 1 << tid
            return True
        below = (2 << tid) - 1
        return self._in_step & below == below

    def _given_out(self, joined: Joined) -> None:
        self._last_tl0picidx = joined.facts.descriptor.tl0picidx


class Vp8Format(PayloadFormat):
    """VP8. Parameters `max_fr` and `max_fs` limit what may be sent to the side that stated them."""

    encoding_name = "VP8"

    def packetizer(
        self,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        *,
        first_picture_id: int | None = -1,
        picture_id_bits: int = 15,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> Vp8Packetizer:
        return Vp8Packetizer(
            max_payload_bytes, first_picture_id=first_picture_id, picture_id_bits=picture_id_bits, entropy=entropy
        )

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Vp8Depacketizer:
        return Vp8Depacketizer(config)
