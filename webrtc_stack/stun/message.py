"""A STUN message as a value: parse, serialize, verify.

`parse` is total: a `Message` or a `ParseError`. Unknown attributes survive parse and serialize byte for byte and in
place. Attributes behind MESSAGE-INTEGRITY that it does not cover are put aside in `ignored`, where nobody looks.

Spec: RFC 8489 sections 5, 6.3, 14.5, 14.6, 14.7. Left out: RFC 3489 messages without the magic cookie.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from ..base import Address
from ..errors import InvalidArgumentError, ParseError
from .attributes import Attribute, AttributeValue, ErrorCodeValue, read_attribute, write_attribute
from .integrity import fingerprint as _fingerprint
from .integrity import integrity_of, with_length
from .registry import HEADER_BYTES, MAGIC_COOKIE, REASONS, AttributeType, MessageClass, Method

_HEADER: Final = struct.Struct("!HHI12s")
_TLV: Final = struct.Struct("!HH")
_COOKIE: Final = MAGIC_COOKIE.to_bytes(4, "big")
_MI: Final = AttributeType.MESSAGE_INTEGRITY
_MI256: Final = AttributeType.MESSAGE_INTEGRITY_SHA256
_FP: Final = AttributeType.FINGERPRINT
_METHODS: Final[dict[int, Method]] = {int(one): one for one in Method}
_CLASSES: Final = tuple(MessageClass)

T = TypeVar("T")


def is_stun(data: bytes) -> bool:
    """Whether a datagram looks like STUN: the quick test in front of the parser.

    Spec: RFC 8489 section 5, RFC 7983 (first byte 0 to 3).
    """
    return len(data) >= HEADER_BYTES and data[0] < 4 and data[4:8] == _COOKIE


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One STUN message. `method` is a `Method` where the number is known.

    Equality is of header and attributes; `raw`, the bytes that were parsed, and `ignored` do not count.
    """

    method: int = Method.BINDING
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[Attribute, ...] = ()
    ignored: tuple[Attribute, ...] = field(default=(), compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.transaction_id) != 12:
            raise InvalidArgumentError(f"a transaction id has 12 bytes, got {len(self.transaction_id)}")
        if not 0 <= self.method < 0x1000:
            raise InvalidArgumentError(f"a method has 12 bits, got {self.method}")

    @classmethod
    def parse(cls, data: bytes, *, check_fingerprint: bool = True) -> Message:
        """Reads one message, which must fill `data`.

        A FINGERPRINT that is present must be right, unless `check_fingerprint` is False.
        Errors: `ParseError`.
        Cost: O(bytes).
        """
        size = len(data)
        if size < HEADER_BYTES:
            raise ParseError(f"a header has 20 bytes, got {size}", offset=size, field="header")
        kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
        if kind & 0xC000:
            raise ParseError("the first two bits are not zero", offset=0, field="type")
        if cookie != MAGIC_COOKIE:
            raise ParseError("the magic cookie is missing", offset=4, field="cookie")
        if length % 4 or length + HEADER_BYTES != size:
            raise ParseError(f"the header announces {length} bytes, {size - HEADER_BYTES} follow", offset=2)
        method = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
        attributes: list[Attribute] = []
        ignored: list[Attribute] = []
        protected = 0  # the integrity attribute seen last
        ended = False
        at = HEADER_BYTES
        while at < size:
            if ended:
                raise ParseError("FINGERPRINT must be the last attribute", offset=at)
            number, value_length = _TLV.unpack_from(data, at)
            start = at + 4
            end = start + value_length
            following = end + (-value_length & 3)
            if following > size:
                raise ParseError(f"attribute {number:#06x} of {value_length} bytes is cut off", offset=at)
            if protected and not (number == _FP or (number == _MI256 and protected == _MI)):
                # Whoever is on the path can append these: not even their form is looked at.
                ignored.append(Attribute(number, bytes(data[start:end])))
                at = following
                continue
            attribute = read_attribute(number, bytes(data[start:end]), bytes(data[end:following]), transaction_id, at)
            attributes.append(attribute)
            if number in (_MI, _MI256):
                protected = number
            elif number == _FP:
                ended = True
                if check_fingerprint and attribute.value != _fingerprint(data[:at]):
                    raise ParseError("the checksum does not match", offset=at, field="FINGERPRINT")
            at = following
        return cls(
            method=_METHODS.get(method, method),
            message_class=_CLASSES[(kind & 0x10) >> 4 | (kind & 0x100) >> 7],
            transaction_id=transaction_id,
            attributes=tuple(attributes),
            ignored=tuple(ignored),
            raw=bytes(data),
        )

    def serialize(
        self,
        integrity_key: bytes | None = None,
        integrity: Literal["sha1", "sha256", "both"] = "sha1",
        fingerprint: bool = True,
        *,
        sha256_length: int = 32,
    ) -> bytes:
        """The message as bytes.

        With `integrity_key`, integrity attributes are computed anew; without it, those that the message carries are
        written as they are. `fingerprint` appends a FINGERPRINT computed anew, else one that is carried is kept.
        Errors: `InvalidArgumentError` for a value that does not fit its attribute.
        """
        parts = [b""]
        length = 0
        for attribute in self.attributes:
            number = attribute.type
            if (integrity_key is not None and number in (_MI, _MI256)) or (fingerprint and number == _FP):
                continue
            data = write_attribute(attribute, self.transaction_id)
            parts.append(data)
            length += len(data)
        method = self.method
        kind = method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2
        kind |= (self.message_class & 1) << 4 | (self.message_class & 2) << 7
        parts[0] = _HEADER.pack(kind, length & 0xFFFF, MAGIC_COOKIE, self.transaction_id)
        out = b"".join(parts)
        if integrity_key is not None:
            if integrity in ("sha1", "both"):
                out += _TLV.pack(_MI, 20) + integrity_of(out, integrity_key, "sha1", 24)
            if integrity in ("sha256", "both"):
                if sha256_length not in (16, 20, 24, 28, 32):
                    raise InvalidArgumentError(f"16 to 32 bytes, in steps of 4, got {sha256_length}")
                tag = integrity_of(out, integrity_key, "sha256", 4 + sha256_length)
                out += _TLV.pack(_MI256, sha256_length) + tag[:sha256_length]
        if fingerprint:
            out = with_length(out, len(out) - HEADER_BYTES + 8)
            out += struct.pack("!HHI", _FP, 4, _fingerprint(out))
        if len(out) > HEADER_BYTES + 0xFFFF:
            raise InvalidArgumentError(f"{len(out)} bytes are too many for a STUN message")
        return with_length(out, len(out) - HEADER_BYTES)

    def verify(self, key: bytes, *, allow_truncated: bool = False) -> bool:
        """Whether the message carries integrity, and all that it carries is right under `key`.

        A shortened MESSAGE-INTEGRITY-SHA256 counts only with `allow_truncated`. Comparison takes constant time. For a
        message that was not parsed the answer is False: there are no bytes to judge.
        """
        raw = self.raw
        found = False
        at = HEADER_BYTES
        while at < len(raw):
            number, value_length = _TLV.unpack_from(raw, at)
            if number in (_MI, _MI256) and not (found and number == _MI):
                if number == _MI256 and value_length != 32 and not allow_truncated:
                    return False
                value = raw[at + 4 : at + 4 + value_length]
                tag = integrity_of(raw[:at], key, "sha1" if number == _MI else "sha256", 4 + value_length)
                if not hmac.compare_digest(tag[:value_length], value):
                    return False
                found = True
                if number == _MI256:
                    break
            at += 4 + value_length + (-value_length & 3)
        return found

    # --- reading ------------------------------------------------------------------------------------------------

    def _has(self, number: int) -> bool:
        return any(attribute.type == number for attribute in self.attributes)

    def get(self, number: int) -> AttributeValue:
        """The value of the first attribute of this type; None when there is none, and for flags."""
        for attribute in self.attributes:
            if attribute.type == number:
                return attribute.value
        return None

    def __contains__(self, number: object) -> bool:
        return any(attribute.type == number for attribute in self.attributes)

    def _typed(self, number: int, kind: type[T]) -> T | None:
        value = self.get(number)
        return value if isinstance(value, kind) else None

    @property
    def has_integrity(self) -> bool:
        return self._has(_MI) or self._has(_MI256)

    @property
    def has_fingerprint(self) -> bool:
        return self._has(_FP)

    @property
    def username(self) -> str | None:
        return self._typed(AttributeType.USERNAME, str)

    @property
    def realm(self) -> str | None:
        return self._typed(AttributeType.REALM, str)

    @property
    def nonce(self) -> str | None:
        return self._typed(AttributeType.NONCE, str)

    @property
    def software(self) -> str | None:
        return self._typed(AttributeType.SOFTWARE, str)

    @property
    def priority(self) -> int | None:
        return self._typed(AttributeType.PRIORITY, int)

    @property
    def use_candidate(self) -> bool:
        return self._has(AttributeType.USE_CANDIDATE)

    @property
    def ice_controlling(self) -> int | None:
        return self._typed(AttributeType.ICE_CONTROLLING, int)

    @property
    def ice_controlled(self) -> int | None:
        return self._typed(AttributeType.ICE_CONTROLLED, int)

    @property
    def error(self) -> ErrorCodeValue | None:
        return self._typed(AttributeType.ERROR_CODE, ErrorCodeValue)

    @property
    def mapped_address(self) -> Address | None:
        """XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS where only that was sent."""
        return self._typed(AttributeType.XOR_MAPPED_ADDRESS, Address) or self._typed(
            AttributeType.MAPPED_ADDRESS, Address
        )

    def unknown_required(self, understood: Iterable[int] = ()) -> tuple[int, ...]:
        """Comprehension-required types that are in no registry known here, nor in `understood`.

        Spec: RFC 8489 section 6.3.1: a request that has any is answered with 420.
        """
        also = frozenset(understood)
        return tuple(
            dict.fromkeys(
                one.type
                for one in self.attributes
                if one.type < 0x8000 and not isinstance(one.type, AttributeType) and one.type not in also
            )
        )

    def unknown_optional(self) -> tuple[Attribute, ...]:
        """Comprehension-optional attributes of types not known here, with their bytes."""
        return tuple(one for one in self.attributes if one.type >= 0x8000 and not isinstance(one.type, AttributeType))

    # --- answering ----------------------------------------------------------------------------------------------

    def success(self, attributes: Sequence[Attribute] = ()) -> Message:
        """The success response to this request."""
        return Message(
            method=self.method,
            message_class=MessageClass.SUCCESS_RESPONSE,
            transaction_id=self.transaction_id,
            attributes=tuple(attributes),
        )

    def failure(self, code: int, attributes: Sequence[Attribute] = (), reason: str | None = None) -> Message:
        """The error response to this request; the reason phrase is the registry's unless given."""
        phrase = REASONS.get(code, "") if reason is None else reason
        return Message(
            method=self.method,
            message_class=MessageClass.ERROR_RESPONSE,
            transaction_id=self.transaction_id,
            attributes=(Attribute(AttributeType.ERROR_CODE, ErrorCodeValue(code, phrase)), *attributes),
        )
