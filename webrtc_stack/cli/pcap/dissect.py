"""One packet in words: STUN, DTLS, SCTP with DCEP, and RTP by name only.

`describe` never raises: what cannot be read is said to be so, with the parser's reason. What is told apart how:
RFC 7983, by the first byte of a UDP payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ... import datachannel, dtls, sctp, stun
from ...base import Address
from ...errors import ParseError
from .. import wording
from .network import SCTP, Payload

MAX_PARTS: Final = 40
"""Records, attributes or chunks that one line names."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing inside a packet. `kind` is what the counts at the end are of."""

    kind: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.text}".rstrip()


def describe(payload: Payload) -> list[Part]:
    """What a packet holds, in order."""
    data = payload.data
    try:
        if payload.protocol == SCTP:
            return describe_sctp(data)
        if not data:
            return [Part("empty datagram")]
        first = data[0]
        if first < 4:
            return describe_stun(data)
        if 20 <= first < 64:
            return describe_dtls(data)
        if 64 <= first < 80:
            return [_channel_data(data)]
        if 128 <= first < 192:
            return [_rtp(data)]
    except ParseError as error:
        return [Part("unreadable", wording.printable(str(error)))]
    return [Part("unknown", f"{len(data)} bytes, first byte {first}")]


# --- STUN ------------------------------------------------------------------------------------------------------------


def describe_stun(data: bytes) -> list[Part]:
    """A STUN message. Errors: `ParseError`."""
    message = stun.Message.parse(data, check_fingerprint=False)
    method = message.method.name.replace("_", " ").title() if isinstance(message.method, stun.Method) else ""
    kind = message.message_class.name.replace("_", " ").lower()
    attributes = ", ".join(_attribute(one) for one in message.attributes[:MAX_PARTS])
    name = f"{method or f'method {message.method:#x}'} {kind}"
    return [Part(f"STUN {name}", f"{message.transaction_id.hex()[:8]} {attributes}".rstrip())]


_QUIET: Final = frozenset(
    {
        stun.AttributeType.MESSAGE_INTEGRITY,
        stun.AttributeType.MESSAGE_INTEGRITY_SHA256,
        stun.AttributeType.FINGERPRINT,
    }
)
"""Attributes whose value says nothing to people."""


def _attribute(attribute: stun.Attribute) -> str:
    known = isinstance(attribute.type, stun.AttributeType)
    name = attribute.type.name.replace("_", "-") if isinstance(attribute.type, stun.AttributeType) else ""
    value: Any = attribute.value
    if attribute.type in _QUIET or value is None:
        return name
    if isinstance(value, Address):
        return f"{name}={_address(value)}"
    if isinstance(value, bytes):
        shown = value.hex() if len(value) <= 8 else f"{len(value)} bytes"
        return f"{name if known else f'{int(attribute.type):#06x}'}={shown}"
    if isinstance(value, stun.ErrorCodeValue):
        return f"{name}={value.code} {wording.printable(value.reason, 60)}"
    return f"{name}={wording.printable(str(value), 80)}"


def _address(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def _channel_data(data: bytes) -> Part:
    if len(data) < 4:
        raise ParseError("a ChannelData header has 4 bytes", field="channel data")
    number, length = struct.unpack_from("!HH", data)
    return Part("TURN ChannelData", f"channel {number:#06x}, {length} bytes")


# --- DTLS ------------------------------------------------------------------------------------------------------------

_VERSIONS: Final = {0xFEFF: "1.0", 0xFEFD: "1.2", 0xFEFC: "1.3"}


def describe_dtls(data: bytes) -> list[Part]:
    """The records of a datagram. Errors: `ParseError` when the first one cannot be read."""
    parts: list[Part] = []
    at = 0
    while at < len(data) and len(parts) < MAX_PARTS:
        try:
            record, at = dtls.parse_record(data, at)
        except ParseError as error:
            if not parts:
                raise
            parts.append(Part("unreadable", wording.printable(str(error))))
            break
        if isinstance(record, dtls.UnifiedRecord):
            parts.append(Part("DTLS 1.3 record", f"epoch …{record.epoch_bits:02b}, {len(record.payload)} bytes sealed"))
            continue
        parts += _record(record)
    return parts


def _record(record: dtls.Record) -> Iterator[Part]:
    where = f"epoch {record.epoch} number {record.sequence}"
    size = f"{len(record.payload)} bytes"
    match record.content_type:
        case dtls.ContentType.HANDSHAKE if record.epoch == 0:
            for fragment in dtls.parse_fragments(record.payload)[:MAX_PARTS]:
                yield _handshake(fragment)
        case dtls.ContentType.HANDSHAKE:
            yield Part("DTLS handshake, sealed", f"{where}, {size}")
        case dtls.ContentType.ALERT if record.epoch == 0 and len(record.payload) == 2:
            level = "fatal" if record.payload[0] == 2 else "warning"
            yield Part("DTLS alert", f"{level} {dtls.alert_name(record.payload[1])}")
        case dtls.ContentType.ALERT:
            yield Part("DTLS alert, sealed", where)
        case dtls.ContentType.CHANGE_CIPHER_SPEC:
            yield Part("DTLS ChangeCipherSpec")
        case dtls.ContentType.APPLICATION_DATA:
            yield Part("DTLS application data", f"{where}, {size}")
        case 26:
            yield Part("DTLS ACK", where)
        case other:
            yield Part(f"DTLS content type {other}", f"{where}, {size}")


def _handshake(fragment: dtls.Fragment) -> Part:
    try:
        name = dtls.HandshakeType(fragment.type).name.title().replace("_", "")
    except ValueError:
        name = {8: "EncryptedExtensions", 24: "KeyUpdate", 25: "CompressedCertificate"}.get(
            fragment.type, f"handshake type {fragment.type}"
        )
    text = f"#{fragment.message_seq}"
    if len(fragment.data) != fragment.length:
        text += f", bytes {fragment.offset} to {fragment.offset + len(fragment.data)} of {fragment.length}"
        return Part(f"DTLS {name} fragment", text)
    try:
        if fragment.type == dtls.HandshakeType.CLIENT_HELLO:
            hello = dtls.ClientHello.parse(fragment.data)
            cookie = f", cookie of {len(hello.cookie)} bytes" if hello.cookie else ""
            text += f", version {_version(hello.version)}, {len(hello.cipher_suites)} suites{cookie}"
        elif fragment.type == dtls.HandshakeType.SERVER_HELLO:
            answer = dtls.ServerHello.parse(fragment.data)
            text += f", version {_version(answer.version)}, {_suite(answer.cipher_suite)}"
    except ParseError as error:
        text += f", {wording.printable(str(error))}"
    return Part(f"DTLS {name}", text)


def _version(number: int) -> str:
    return _VERSIONS.get(number, f"{number:#06x}")


def _suite(number: int) -> str:
    try:
        return dtls.CipherSuite(number).name
    except ValueError:
        return f"suite {number:#06x}"


# --- RTP -------------------------------------------------------------------------------------------------------------


def _rtp(data: bytes) -> Part:
    if len(data) < 12:
        raise ParseError("an RTP header has 12 bytes", field="rtp")
    if 192 <= data[1] < 224:
        return Part("RTCP", f"type {data[1]}, {len(data)} bytes")
    _, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    marker = ", marker" if kind & 0x80 else ""
    return Part("RTP", f"type {kind & 0x7F}, sequence {sequence}, time {timestamp}, ssrc {ssrc:#010x}{marker}")


# --- SCTP ------------------------------------------------------------------------------------------------------------

_PPIDS: Final = {
    50: "DCEP",
    51: "text",
    52: "binary, partial",
    53: "binary",
    54: "text, partial",
    56: "empty text",
    57: "empty binary",
}


def describe_sctp(data: bytes) -> list[Part]:
    """The chunks of an SCTP packet. Errors: `ParseError`."""
    packet = sctp.Packet.parse(data)
    if not packet.chunks:
        return [Part("SCTP packet without chunks")]
    return [_chunk(chunk) for chunk in packet.chunks[:MAX_PARTS]]


def _chunk(chunk: Any) -> Part:
    number = int(chunk.type)
    try:
        kind = f"SCTP {sctp.ChunkType(number).name.replace('_', '-')}"
    except ValueError:
        kind = f"SCTP chunk type {number}"
    match chunk:
        case sctp.DataChunk():
            return _data(chunk)
        case sctp.InitChunk():  # INIT-ACK too
            return Part(
                kind,
                f"tag {chunk.initiate_tag:#010x}, window {wording.size(chunk.advertised_receiver_window)}, "
                f"streams {chunk.outbound_streams} out {chunk.inbound_streams} in, tsn {chunk.initial_tsn}",
            )
        case sctp.SackChunk():
            text = f"up to {chunk.cumulative_tsn_ack}, window {wording.size(chunk.advertised_receiver_window)}"
            if chunk.gap_ack_blocks:
                blocks = " ".join(f"+{start}..+{end}" for start, end in chunk.gap_ack_blocks[:8])
                text += f", and {blocks}{' …' if len(chunk.gap_ack_blocks) > 8 else ''}"
            if chunk.duplicate_tsns:
                text += f", {len(chunk.duplicate_tsns)} duplicates"
            return Part(kind, text)
        case sctp.ForwardTsnChunk():
            return Part(kind, f"to {chunk.new_cumulative_tsn}, streams {[one for one, _ in chunk.streams]}")
        case sctp.ShutdownChunk():
            return Part(kind, f"up to {chunk.cumulative_tsn_ack}")
        case sctp.CookieEchoChunk():
            return Part(kind, f"{len(chunk.cookie)} bytes")
        case sctp.ReConfigChunk():
            return Part(kind, ", ".join(_reconfiguration(one.type, one.value) for one in chunk.parameters[:4]))
        case sctp.AbortChunk() | sctp.ErrorChunk():
            return Part(kind, ", ".join(_cause(one.type, one.value) for one in chunk.parameters[:4]))
    return Part(kind)


def _data(chunk: sctp.DataChunk) -> Part:
    begins, ends, unordered = chunk.flags & 2, chunk.flags & 1, chunk.flags & 4
    piece = {(2, 1): "", (2, 0): ", first piece", (0, 0): ", middle piece", (0, 1): ", last piece"}[begins, ends]
    order = "unordered" if unordered else f"#{chunk.stream_sequence_number}"
    where = f"tsn {chunk.tsn}, stream {chunk.stream_id} {order}{piece}"
    if chunk.ppid == 50 and begins and ends:
        return _dcep(chunk.data, where)
    what = _PPIDS.get(chunk.ppid, f"ppid {chunk.ppid}")
    text = f"{where}, {what}, {len(chunk.data)} bytes"
    if chunk.ppid == 51 and begins:
        text += f" “{wording.printable(chunk.data.decode('utf-8', 'replace'), 60)}”"
    return Part("SCTP DATA", text)


def _dcep(data: bytes, where: str) -> Part:
    try:
        message = datachannel.parse_message(data)
    except ParseError as error:
        return Part("DCEP unreadable", f"{where}, {wording.printable(str(error))}")
    if isinstance(message, datachannel.DataChannelAck):
        return Part("DCEP ACK", where)
    limit = ""
    if message.max_retransmits is not None:
        limit = f", at most {message.max_retransmits} retransmissions"
    elif message.max_packet_life_time is not None:
        limit = f", for at most {message.max_packet_life_time} ms"
    protocol = f", protocol “{wording.printable(message.protocol, 40)}”" if message.protocol else ""
    order = "ordered" if message.ordered else "unordered"
    return Part("DCEP OPEN", f"{where}, “{wording.printable(message.label, 60)}” {order}{limit}{protocol}")


def _reconfiguration(kind: int, value: bytes) -> str:
    try:
        name = sctp.ParameterType(kind).name.replace("_", " ").lower()
    except ValueError:
        return f"parameter {kind}"
    if kind == 13 and len(value) >= 12:
        streams = struct.unpack_from(f"!{(len(value) - 12) // 2}H", value, 12)
        return f"{name} of {list(streams[:16]) or 'all streams'}"
    if kind == 16 and len(value) >= 8:
        (result,) = struct.unpack_from("!I", value, 4)
        return f"{name} {result}"
    return name


def _cause(kind: int, value: bytes) -> str:
    try:
        name = sctp.CauseCode(kind).name.replace("_", " ").lower()
    except ValueError:
        return f"cause {kind}"
    text = value.decode("utf-8", "replace") if kind in (12, 13) and value else ""
    return f"{name} “{wording.printable(text, 80)}”" if text else name
