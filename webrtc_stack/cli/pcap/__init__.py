"""`webrtc-stack pcap`: the packets of a capture, one line each, and counts."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...base import Address
from ...errors import ParseError
from .. import wording
from ..failures import CommandError
from .capture import Capture, CapturedPacket, read_capture
from .dissect import Part, describe
from .network import Payload, unwrap

MAX_FILE_BYTES: Final = 512 * 1024 * 1024

_EPILOG: Final = """examples:
  webrtc-stack demo --pcap call.pcapng     write a capture, then:
  webrtc-stack pcap call.pcapng
  webrtc-stack pcap call.pcapng --only DCEP --only SACK
  webrtc-stack pcap call.pcapng --counts

The first letter of a line tells the direction, where the file knows it: > sent, < received."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Explains a capture file (pcapng or pcap): STUN messages and attributes, DTLS records and handshake\n"
        "messages, SCTP chunks and data channel messages, one packet a line."
    )
    parser.epilog = _EPILOG
    parser.add_argument("file", type=Path, help="the capture file")
    parser.add_argument(
        "--only", metavar="WORD", action="append", default=[], help="show only packets whose line has this word"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N lines")
    parser.add_argument("--addresses", action="store_true", help="show both addresses in every line")
    parser.add_argument("--counts", action="store_true", help="only the counts at the end")


def load(path: Path) -> Capture:
    """Reads a capture from the disk. Errors: `CommandError`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path} is larger than {wording.size(MAX_FILE_BYTES)}; cut it first, with editcap -c")
        return read_capture(path.read_bytes())
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except ParseError as error:
        raise CommandError(f"{path}: {error}") from None


class Explained:
    """A packet, its parts, and its line."""

    __slots__ = ("packet", "parts", "payload")

    def __init__(self, packet: CapturedPacket) -> None:
        self.packet = packet
        self.payload: Payload | None = None
        try:
            self.payload = unwrap(packet.link_type, packet.data)
            self.parts = describe(self.payload)
        except ParseError as error:
            self.parts = [Part("not ours", wording.printable(str(error)))]

    def line(self, began: float, *, addresses: bool) -> str:
        """The line, with the time since `began`."""
        arrow = {True: ">", False: "<", None: " "}[self.packet.outgoing]
        text = f"{self.packet.time - began:10.6f} {arrow} "
        if self.payload is not None and (addresses or self.packet.outgoing is None):
            text += f"{_address(self.payload.source)} > {_address(self.payload.destination)}  "
        text += "; ".join(map(str, self.parts))
        if len(self.packet.data) < self.packet.original_length:
            text += f" (captured {len(self.packet.data)} of {self.packet.original_length} bytes)"
        return text + (f"  # {wording.printable(self.packet.comment)}" if self.packet.comment else "")


def _address(address: Address) -> str:
    if not address.port:
        return address.host
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def explain(capture: Capture) -> Iterator[Explained]:
    """Every packet of a capture, explained."""
    return (Explained(packet) for packet in capture.packets)


def run(options: argparse.Namespace) -> int:
    capture = load(options.file)
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    began = capture.packets[0].time if capture.packets else 0.0
    wanted = [word.lower() for word in options.only]
    shown = 0
    for one in explain(capture):
        for part in one.parts:
            counts[part.kind] += 1
        sizes[{True: "sent", False: "received", None: "seen"}[one.packet.outgoing]] += len(one.packet.data)
        if options.counts or (options.limit is not None and shown >= options.limit):
            continue
        line = one.line(began, addresses=options.addresses)
        if not wanted or any(word in line.lower() for word in wanted):
            print(line)
            shown += 1
    if shown:
        print()
    span = capture.packets[-1].time - began if capture.packets else 0.0
    total = ", ".join(f"{wording.size(count)} {what}" for what, count in sizes.items())
    print(f"{len(capture.packets):,} packets in {wording.duration(span)}{f'; {total}' if total else ''}")
    for kind, count in counts.most_common():
        print(f"{count:8,}  {kind}")
    if capture.secrets:
        print(f"{capture.secrets} blocks of DTLS keys are inside: Wireshark can decrypt this file, and so can others")
    for note in capture.notes:
        print(f"note: {note}")
    return 0
