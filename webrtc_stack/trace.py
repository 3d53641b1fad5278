"""What happened, written down: trace events, key log, plaintext packet log.

* `Trace` events are JSON lines in the manner of qlog: time, room, name, data. Every machine has one in its config;
  the default, `NO_TRACE`, is false, so a hot path asks `if trace:` and pays one truth test.
* `KeyLog` writes NSS key-log lines (RFC 9850), with which Wireshark opens DTLS.
* `PacketLog` writes packets *before* protection as pcapng (draft-ietf-opsawg-pcapng), each under a made-up IP header,
  so that tshark dissects SCTP, STUN and RTP without keys. `add_secrets` embeds a key log beside encrypted datagrams.

These are taps, not outputs: nothing a machine does depends on them, and a sink that fails takes itself out.
"""

from __future__ import annotations

import ipaddress
import json
import struct
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import IO, Any, Final, NamedTuple, Protocol

from .base.clock import Instant
from .base.datagram import Address


class TraceEvent(NamedTuple):
    """One line of a trace. `source` names the object (`pc1`), `room` the layer, `name` what happened, past tense."""

    time: Instant
    source: str
    room: str
    name: str
    data: dict[str, Any]

    def to_json(self) -> str:
        """One JSON object without a line end; bytes appear as hex."""
        return json.dumps(
            {
                "time": round(self.time, 6),
                "source": self.source,
                "room": self.room,
                "name": self.name,
                "data": self.data,
            },
            default=_jsonable,
            separators=(",", ":"),
        )


def _jsonable(value: object) -> object:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return str(value)


class TraceSink(Protocol):
    """Where trace events go."""

    def record(self, event: TraceEvent) -> None: ...


class MemorySink:
    """Keeps the last `limit` events: for tests, and for a ring that is written out when something fails."""

    def __init__(self, limit: int = 10_000) -> None:
        self.events: deque[TraceEvent] = deque(maxlen=limit)

    def record(self, event: TraceEvent) -> None:
        self.events.append(event)

    def named(self, name: str) -> list[TraceEvent]:
        """The kept events called `name`."""
        return [event for event in self.events if event.name == name]


class JsonLinesSink:
    """Writes one JSON object a line to a text stream; after a write error it stays silent and keeps the error."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: OSError | ValueError | None = None

    def record(self, event: TraceEvent) -> None:
        if self.error is not None:
            return
        try:
            self._stream.write(event.to_json() + "\n")
        except (OSError, ValueError) as error:  # a full disk or closed file must not end a call
            self.error = error


class TeeSink:
    """Hands every event to several sinks."""

    def __init__(self, sinks: Iterable[TraceSink]) -> None:
        self._sinks = tuple(sinks)

    def record(self, event: TraceEvent) -> None:
        for sink in self._sinks:
            sink.record(event)


class Trace:
    """A handle on a sink, bound to a source and a room. False when nobody listens."""

    __slots__ = ("_sink", "room", "source")

    def __init__(self, sink: TraceSink | None = None, *, source: str = "", room: str = "") -> None:
        self._sink = sink
        self.source = source
        self.room = room

    def __bool__(self) -> bool:
        return self._sink is not None

    def bind(self, *, source: str | None = None, room: str | None = None) -> Trace:
        """The same sink under another name."""
        if self._sink is None:
            return self
        return Trace(
            self._sink,
            source=self.source if source is None else source,
            room=self.room if room is None else room,
        )

    def event(self, now: Instant, name: str, **data: Any) -> None:
        """Records that `name` happened at `now`. Values: numbers, strings, bytes, lists and dicts of them."""
        if self._sink is not None:
            self._sink.record(TraceEvent(now, self.source, self.room, name, data))


NO_TRACE: Final = Trace()


class KeyLog:
    """NSS key-log lines: `LABEL client_random secret`, hex.

    Spec: RFC 9850. Whoever has this file can read the traffic; it is written only when asked for.
    """

    def __init__(self, stream: IO[str] | None = None, *, packet_log: PacketLog | None = None) -> None:
        self._stream = stream
        self._packet_log = packet_log
        self.lines: list[str] = []

    def write(self, label: str, client_random: bytes, secret: bytes) -> None:
        line = f"{label} {client_random.hex()} {secret.hex()}\n"
        self.lines.append(line)
        if self._stream is not None:
            self._stream.write(line)
            self._stream.flush()
        if self._packet_log is not None:
            self._packet_log.add_secrets(line)


class PacketKind(IntEnum):
    """What a logged packet is; each kind becomes the IP protocol that tshark dissects it by."""

    UDP = 17
    """A UDP payload as it is on the wire: STUN, DTLS, SRTP."""
    SCTP = 132
    """An SCTP packet, as it is inside DTLS."""
    RTP = 1
    """A plain RTP or RTCP packet, shown as UDP payload."""


class PacketLog:
    """A pcapng file with plaintext packets.

    `wall_epoch` is the wall-clock time (Unix seconds) of instant 0. Packets carry their direction; addresses that the
    logging layer does not know are shown as 192.0.2.1 (here) and 192.0.2.2 (there), documentation addresses.
    """

    _LINKTYPE_RAW_IP: Final = 101
    _HERE: Final = Address("192.0.2.1", 5000)
    _THERE: Final = Address("192.0.2.2", 5000)

    def __init__(self, stream: IO[bytes], *, wall_epoch: float = 0.0, application: str = "webrtc_stack") -> None:
        self._stream = stream
        self._wall_epoch = wall_epoch
        self.error: OSError | ValueError | None = None
        self._write(
            self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, application.encode()))
        )
        self._write(self._block(0x00000001, struct.pack("<HHI", self._LINKTYPE_RAW_IP, 0, 0) + _option(9, b"\x06")))

    def packet(
        self,
        now: Instant,
        kind: PacketKind,
        data: bytes,
        *,
        outgoing: bool,
        local: Address | None = None,
        remote: Address | None = None,
        comment: str = "",
    ) -> None:
        """Appends one packet seen at `now`."""
        here, there = local or self._HERE, remote or self._THERE
        source, destination = (here, there) if outgoing else (there, here)
        frame = _ip_packet(kind, source, destination, data)
        micros = int((now + self._wall_epoch) * 1_000_000)
        head = struct.pack("<IIIII", 0, micros >> 32 & 0xFFFFFFFF, micros & 0xFFFFFFFF, len(frame), len(frame))
        body = head + frame + bytes(-len(frame) % 4)
        options = _option(2, struct.pack("<I", 2 if outgoing else 1), last=not comment)
        if comment:
            options += _option(1, comment.encode())
        self._write(self._block(0x00000006, body + options))

    def add_secrets(self, key_log_lines: str) -> None:
        """Embeds NSS key-log lines, so that tshark decrypts the DTLS datagrams in this file."""
        data = key_log_lines.encode()
        body = struct.pack("<II", 0x544C534B, len(data)) + data + bytes(-len(data) % 4)
        self._write(self._block(0x0000000A, body))

    @staticmethod
    def _block(kind: int, body: bytes) -> bytes:
        length = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + length + body + length

    def _write(self, block: bytes) -> None:
        if self.error is not None:
            return
        try:
            self._stream.write(block)
        except (OSError, ValueError) as error:  # see JsonLinesSink
            self.error = error


def _option(code: int, value: bytes, *, last: bool = True) -> bytes:
    option = struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
    return option + bytes(4) if last else option


def _ip_packet(kind: PacketKind, source: Address, destination: Address, data: bytes) -> bytes:
    """`data` under a made-up IP header, and a UDP one unless it is SCTP. Checksums are left zero ("not computed")."""
    protocol = PacketKind.SCTP if kind is PacketKind.SCTP else PacketKind.UDP
    if protocol is PacketKind.UDP:
        data = struct.pack("!HHHH", source.port, destination.port, (len(data) + 8) & 0xFFFF, 0) + data
    from_ip, to_ip = ipaddress.ip_address(source.host), ipaddress.ip_address(destination.host)
    if from_ip.version == 4 and to_ip.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, (len(data) + 20) & 0xFFFF, 0, 0x4000, 64, protocol, 0)
        return head + from_ip.packed + to_ip.packed + data
    packed = [ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed for ip in (from_ip, to_ip)]
    return struct.pack("!IHBB", 0x60000000, len(data) & 0xFFFF, protocol, 64) + packed[0] + packed[1] + data
