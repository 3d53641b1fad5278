"""STUN attributes: one tuple each, with a value in the attribute's own Python type.

`Attribute.type` is an `AttributeType` where the number is known, else an `int`; `value` is

| attributes | value |
|---|---|
| MAPPED-ADDRESS, ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS, all XOR-…-ADDRESS | `Address` |
| USERNAME, REALM, NONCE, SOFTWARE, ALTERNATE-DOMAIN | `str` |
| PRIORITY, FINGERPRINT, LIFETIME, CONNECTION-ID, CHANGE-REQUEST, ICE-CONTROLLED and -CONTROLLING | `int` |
| CHANNEL-NUMBER, RESPONSE-PORT | `int` (16 bits) |
| ERROR-CODE | `ErrorCodeValue` |
| UNKNOWN-ATTRIBUTES | `tuple[int, ...]` |
| PASSWORD-ALGORITHM, PASSWORD-ALGORITHMS | `PasswordAlgorithm`, a tuple of them |
| NETWORK-COST | `NetworkCost` |
| USE-CANDIDATE, DONT-FRAGMENT | None |
| all others, unknown ones included | `bytes`, untouched |

Text that is not UTF-8 survives through surrogate escapes, so that a message can be written again byte for byte.

Spec: RFC 8489 section 14, RFC 8445 section 16.1, RFC 8656 section 18, RFC 5780 section 7. Left out: values of RFC 8016
and of the RFC 5780 attributes that nobody sends (PADDING and the like), which stay bytes.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from ..base import Address
from ..errors import InvalidArgumentError, ParseError
from .registry import MAGIC_COOKIE, AttributeType

_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
_ADDRESS_HEAD = struct.Struct("!xBH")


class ErrorCodeValue(NamedTuple):
    """The value of ERROR-CODE."""

    code: int
    reason: str = ""


class PasswordAlgorithm(NamedTuple):
    """A password algorithm number (1 MD5, 2 SHA-256) and its parameters."""

    number: int
    parameters: bytes = b""


class NetworkCost(NamedTuple):
    """Chromium's number for a network interface, and its cost (0 wired to 999)."""

    network_id: int
    cost: int


AttributeValue: TypeAlias = (
    bytes
    | str
    | int
    | Address
    | ErrorCodeValue
    | NetworkCost
    | PasswordAlgorithm
    | tuple[int, ...]
    | tuple[PasswordAlgorithm, ...]
    | None
)


class Attribute(NamedTuple):
    """One attribute. `padding` is kept only when it is not zero bytes, which receivers ignore."""

    type: int
    value: AttributeValue = None
    padding: bytes = b""

    @property
    def comprehension_required(self) -> bool:
        return self.type < 0x8000


# --- values ---------------------------------------------------------------------------------------------------------


def _read_address(value: bytes, key: bytes) -> Address:
    """`key` is empty, or magic cookie and transaction id for the XOR forms."""
    if len(value) not in (8, 20):
        raise ParseError(f"an address has 8 or 20 bytes, got {len(value)}")
    family, port = _ADDRESS_HEAD.unpack_from(value)
    packed = value[4:]
    if (family, len(packed)) not in ((1, 4), (2, 16)):
        raise ParseError(f"address family {family} with {len(packed)} bytes")
    if key:
        port ^= MAGIC_COOKIE >> 16
        size = len(packed)
        packed = (int.from_bytes(packed, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")
    return Address(str(ipaddress.ip_address(packed)), port)


def _write_address(value: object, key: bytes) -> bytes:
    if not isinstance(value, Address):
        raise InvalidArgumentError(f"expected an Address, got {type(value).__name__}")
    try:
        packed = ipaddress.ip_address(value.host).packed
    except ValueError:
        raise InvalidArgumentError(f"not an IP address: {value.host[:64]!r}") from None
    port = value.port
    if not 0 <= port <= 65535:
        raise InvalidArgumentError(f"a port is from 0 to 65535, got {port}")
    size = len(packed)
    if key:
        port ^= MAGIC_COOKIE >> 16
        packed = (int.from_bytes(packed, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")
    return _ADDRESS_HEAD.pack(1 if size == 4 else 2, port) + packed


def _read_plain_address(value: bytes, transaction_id: bytes) -> AttributeValue:
    return _read_address(value, b"")


def _write_plain_address(value: object, transaction_id: bytes) -> bytes:
    return _write_address(value, b"")


def _read_xor_address(value: bytes, transaction_id: bytes) -> AttributeValue:
    return _read_address(value, _COOKIE + transaction_id)


def _write_xor_address(value: object, transaction_id: bytes) -> bytes:
    return _write_address(value, _COOKIE + transaction_id)


_Reader: TypeAlias = Callable[[bytes, bytes], AttributeValue]
_Writer: TypeAlias = Callable[[object, bytes], bytes]


def _text(limit: int) -> tuple[_Reader, _Writer]:
    def read(value: bytes, transaction_id: bytes) -> AttributeValue:
        if len(value) > limit:
            raise ParseError(f"{len(value)} bytes of text, at most {limit} are allowed")
        return value.decode("utf-8", "surrogateescape")

    def write(value: object, transaction_id: bytes) -> bytes:
        if not isinstance(value, str):
            raise InvalidArgumentError(f"expected str, got {type(value).__name__}")
        data = value.encode("utf-8", "surrogateescape")
        if len(data) > limit:
            raise InvalidArgumentError(f"{len(data)} bytes of text, at most {limit} are allowed")
        return data

    return read, write


def _number(size: int, padding: int = 0) -> tuple[_Reader, _Writer]:
    def read(value: bytes, transaction_id: bytes) -> AttributeValue:
        if len(value) != size + padding:
            raise ParseError(f"expected {size + padding} bytes, got {len(value)}")
        return int.from_bytes(value[:size], "big")

    def write(value: object, transaction_id: bytes) -> bytes:
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * size:
            raise InvalidArgumentError(f"expected a number of {8 * size} bits, got {value!r}")
        return value.to_bytes(size, "big") + bytes(padding)

    return read, write


def _read_flag(value: bytes, transaction_id: bytes) -> AttributeValue:
    if value:
        raise ParseError(f"a flag has no value, got {len(value)} bytes")
    return None


def _write_flag(value: object, transaction_id: bytes) -> bytes:
    if value is not None:
        raise InvalidArgumentError("a flag has no value")
    return b""


def _read_error(value: bytes, transaction_id: bytes) -> AttributeValue:
    if len(value) < 4:
        raise ParseError(f"expected at least 4 bytes, got {len(value)}")
    if len(value) > 767:
        raise ParseError("the reason phrase is longer than 763 bytes")
    code_class, number = value[2] & 7, value[3]
    if not 3 <= code_class <= 6 or number > 99:
        raise ParseError(f"error code {code_class * 100 + number} is not between 300 and 699")
    return ErrorCodeValue(code_class * 100 + number, value[4:].decode("utf-8", "surrogateescape"))


def _write_error(value: object, transaction_id: bytes) -> bytes:
    if not isinstance(value, ErrorCodeValue) or not 300 <= value.code <= 699:
        raise InvalidArgumentError(f"expected an ErrorCodeValue from 300 to 699, got {value!r}")
    return bytes((0, 0, value.code // 100, value.code % 100)) + value.reason.encode("utf-8", "surrogateescape")


def _read_unknown(value: bytes, transaction_id: bytes) -> AttributeValue:
    if len(value) % 2:
        raise ParseError("a list of attribute types has an even length")
    return struct.unpack(f"!{len(value) // 2}H", value)


def _write_unknown(value: object, transaction_id: bytes) -> bytes:
    if not isinstance(value, tuple):
        raise InvalidArgumentError("expected a tuple of attribute types")
    return struct.pack(f"!{len(value)}H", *value)


def _read_algorithms(value: bytes, transaction_id: bytes) -> AttributeValue:
    found = []
    at = 0
    while at < len(value):
        if at + 4 > len(value):
            raise ParseError("a password algorithm is cut off")
        number, length = struct.unpack_from("!HH", value, at)
        parameters = value[at + 4 : at + 4 + length]
        if len(parameters) != length:
            raise ParseError("the parameters of a password algorithm are cut off")
        found.append(PasswordAlgorithm(number, parameters))
        at += 4 + length + -length % 4
    return tuple(found)


def _write_algorithms(value: object, transaction_id: bytes) -> bytes:
    if not isinstance(value, tuple):
        raise InvalidArgumentError("expected a tuple of PasswordAlgorithm")
    return b"".join(_write_algorithm(one, transaction_id) for one in value)


def _read_algorithm(value: bytes, transaction_id: bytes) -> AttributeValue:
    found = _read_algorithms(value, transaction_id)
    if not isinstance(found, tuple) or len(found) != 1:
        raise ParseError("expected exactly one password algorithm")
    one = found[0]
    assert isinstance(one, PasswordAlgorithm)
    return one


def _write_algorithm(value: object, transaction_id: bytes) -> bytes:
    if not isinstance(value, PasswordAlgorithm):
        raise InvalidArgumentError(f"expected a PasswordAlgorithm, got {type(value).__name__}")
    length = len(value.parameters)
    return struct.pack("!HH", value.number, length) + value.parameters + bytes(-length % 4)


def _read_cost(value: bytes, transaction_id: bytes) -> AttributeValue:
    if len(value) != 4:
        raise ParseError(f"expected 4 bytes, got {len(value)}")
    return NetworkCost(*struct.unpack("!HH", value))


def _write_cost(value: object, transaction_id: bytes) -> bytes:
    if not isinstance(value, NetworkCost):
        raise InvalidArgumentError(f"expected a NetworkCost, got {type(value).__name__}")
    return struct.pack("!HH", *value)


def _digest(sizes: tuple[int, ...]) -> tuple[_Reader, _Writer]:
    def read(value: bytes, transaction_id: bytes) -> AttributeValue:
        if len(value) not in sizes:
            raise ParseError(f"expected {' or '.join(map(str, sizes))} bytes, got {len(value)}")
        return value

    def write(value: object, transaction_id: bytes) -> bytes:
        if not isinstance(value, bytes) or len(value) not in sizes:
            raise InvalidArgumentError(f"expected {' or '.join(map(str, sizes))} bytes")
        return value

    return read, write


def _read_response_port(value: bytes, transaction_id: bytes) -> AttributeValue:
    # RFC 5780 section 7.5 can be read so that the padding counts or does not; coturn's tools count it.
    if len(value) not in (2, 4):
        raise ParseError(f"expected 2 bytes, and perhaps 2 of padding, got {len(value)}")
    return int.from_bytes(value[:2], "big")


_PLAIN = (_read_plain_address, _write_plain_address)
_XOR = (_read_xor_address, _write_xor_address)
_FLAG = (_read_flag, _write_flag)

_A = AttributeType
_CODECS: Final[dict[int, tuple[_Reader, _Writer]]] = {
    _A.MAPPED_ADDRESS: _PLAIN,
    _A.ALTERNATE_SERVER: _PLAIN,
    _A.RESPONSE_ORIGIN: _PLAIN,
    _A.OTHER_ADDRESS: _PLAIN,
    _A.XOR_MAPPED_ADDRESS: _XOR,
    _A.XOR_PEER_ADDRESS: _XOR,
    _A.XOR_RELAYED_ADDRESS: _XOR,
    _A.USERNAME: _text(508),
    _A.REALM: _text(763),
    _A.NONCE: _text(763),
    _A.SOFTWARE: _text(763),
    _A.ALTERNATE_DOMAIN: _text(255),
    _A.PRIORITY: _number(4),
    _A.FINGERPRINT: _number(4),
    _A.LIFETIME: _number(4),
    _A.CONNECTION_ID: _number(4),
    _A.CHANGE_REQUEST: _number(4),
    _A.ICE_CONTROLLED: _number(8),
    _A.ICE_CONTROLLING: _number(8),
    _A.CHANNEL_NUMBER: _number(2, padding=2),
    _A.RESPONSE_PORT: (_read_response_port, _number(2)[1]),
    _A.USE_CANDIDATE: _FLAG,
    _A.DONT_FRAGMENT: _FLAG,
    _A.ERROR_CODE: (_read_error, _write_error),
    _A.UNKNOWN_ATTRIBUTES: (_read_unknown, _write_unknown),
    _A.PASSWORD_ALGORITHM: (_read_algorithm, _write_algorithm),
    _A.PASSWORD_ALGORITHMS: (_read_algorithms, _write_algorithms),
    _A.NETWORK_COST: (_read_cost, _write_cost),
    _A.MESSAGE_INTEGRITY: _digest((20,)),
    _A.MESSAGE_INTEGRITY_SHA256: _digest((16, 20, 24, 28, 32)),
    _A.USERHASH: _digest((32,)),
}
_KNOWN: Final[dict[int, AttributeType]] = {int(one): one for one in AttributeType}


def read_attribute(number: int, value: bytes, padding: bytes, transaction_id: bytes, offset: int) -> Attribute:
    """Decodes one attribute found at `offset`.

    Errors: `ParseError` for a known type whose value has the wrong form.
    """
    kind = _KNOWN.get(number, number)
    if padding and not any(padding):
        padding = b""
    codec = _CODECS.get(number)
    if codec is None:
        return Attribute(kind, value, padding)
    try:
        return Attribute(kind, codec[0](value, transaction_id), padding)
    except ParseError as error:
        name = _KNOWN[number].name.replace("_", "-")
        raise ParseError(str(error), offset=offset, field=name) from None


def write_attribute(attribute: Attribute, transaction_id: bytes) -> bytes:
    """Encodes one attribute with header and padding.

    Errors: `InvalidArgumentError` for a value that does not belong to the type.
    """
    number, value, padding = attribute
    codec = _CODECS.get(number)
    if codec is not None:
        data = codec[1](value, transaction_id)
    elif isinstance(value, bytes):
        data = value
    else:
        raise InvalidArgumentError(f"attribute {number:#06x} takes bytes, got {type(value).__name__}")
    missing = -len(data) % 4
    return struct.pack("!HH", number, len(data)) + data + (padding if len(padding) == missing else bytes(missing))
