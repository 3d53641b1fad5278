"""`webrtc-stack rtp`: the RTP streams of a recording, with loss and jitter, and rtpdump files in and out."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .. import rtp
from ..base import Address
from ..errors import InvalidArgumentError, ParseError
from . import wording
from .failures import CommandError
from .pcap import MAX_FILE_BYTES
from .pcap.capture import read_capture
from .pcap.network import UDP, unwrap
from .rtp_streams import STATIC_TYPES, Overview, Seen, Stream
from .rtpdump import DumpedPacket, RtpDump, is_rtpdump, read_rtpdump, write_rtpdump

_EPILOG: Final = """examples:
  webrtc-stack rtp call.pcapng
  webrtc-stack rtp call.pcapng --clock-rate 111=48000 --ssrc 0x1234abcd
  webrtc-stack rtp call.pcapng --write call.rtpdump
  webrtc-stack rtp call.rtpdump --packets

Protected streams (SRTP) are shown too: what is counted lies in the clear. A clock rate with a ~ is a guess from how
time stamps and arrivals run; say it with --clock-rate if you know better."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows the RTP streams of a capture (pcapng, pcap) or an rtpdump file: payload types, loss, reordering,\n"
        "doubles, jitter and bit rate of each, and what RTCP says. Converts captures to rtpdump files."
    )
    parser.epilog = _EPILOG
    parser.add_argument("file", type=Path, help="the recording")
    parser.add_argument("--ssrc", type=_number, action="append", default=[], metavar="SSRC", help="only this source")
    parser.add_argument("--port", type=_number, metavar="N", help="only datagrams from or to this UDP port")
    parser.add_argument(
        "--clock-rate",
        type=_clock_rate,
        action="append",
        default=[],
        metavar="PT=HZ",
        help="the clock of a payload type",
    )
    parser.add_argument("--packets", action="store_true", help="one line for each packet as well")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the packets to an rtpdump file")
    parser.add_argument("--force", action="store_true", help="let --write replace a file")


def _number(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text} is beyond 32 bits")
    return value


def _clock_rate(text: str) -> tuple[int, int]:
    kind, equals, rate = text.partition("=")
    if not (equals and kind.isdecimal() and rate.isdecimal() and int(kind) <= 127 and 0 < int(rate) <= 10_000_000):
        raise argparse.ArgumentTypeError(f"{text!r}; a payload type and a rate are wanted, such as 111=48000")
    return int(kind), int(rate)


# --- reading ---------------------------------------------------------------------------------------------------------


class Recording:
    """The datagrams of a file that are RTP or RTCP by their first bytes."""

    __slots__ = ("notes", "others", "seen", "start")

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.others = 0
        self.notes: list[str] = []
        self.start = 0.0


def read_recording(data: bytes, port: int | None = None) -> Recording:
    """Reads a capture or an rtpdump file. Errors: `ParseError`."""
    recording = Recording()
    if is_rtpdump(data):
        dump = read_rtpdump(data)
        recording.notes, recording.start = dump.notes, dump.start
        flow = wording.printable(f"{dump.host}:{dump.port}", 80)
        for one in dump.packets:
            recording.seen.append(Seen(dump.start + one.offset, flow, one.data, one.original_length, one.rtcp))
        return recording
    capture = read_capture(data)
    recording.notes = capture.notes
    recording.start = capture.packets[0].time if capture.packets else 0.0
    flows: dict[tuple[Address, Address], str] = {}
    for packet in capture.packets:
        try:
            payload = unwrap(packet.link_type, packet.data)
        except ParseError:
            recording.others += 1
            continue
        body = payload.data
        if payload.protocol != UDP or len(body) < 8 or body[0] & 0xC0 != 0x80:
            recording.others += 1
            continue
        if port is not None and port not in (payload.source.port, payload.destination.port):
            recording.others += 1
            continue
        ends = (payload.source, payload.destination)
        flow = flows.get(ends) or flows.setdefault(ends, f"{_address(ends[0])} > {_address(ends[1])}")
        cut = packet.original_length - len(packet.data)
        recording.seen.append(Seen(packet.time, flow, body, len(body) + max(0, cut), rtp.is_rtcp(body)))
    return recording


def _address(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def _chosen(seen: list[Seen], wanted: set[int]) -> Iterator[Seen]:
    for one in seen:
        at = 4 if one.rtcp else 8
        if not wanted or int.from_bytes(one.data[at : at + 4], "big") in wanted:
            yield one


# --- the command -----------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    path: Path = options.file
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path} is larger than {wording.size(MAX_FILE_BYTES)}; cut it first, with editcap -c")
        recording = read_recording(path.read_bytes(), options.port)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except ParseError as error:
        raise CommandError(f"{path}: {error}") from None
    overview = Overview(dict(options.clock_rate))
    chosen = list(_chosen(recording.seen, set(options.ssrc)))
    for one in chosen:
        overview.add(one)
    if options.write is not None:
        _write(options.write, chosen, force=options.force)
    if options.json:
        print(json.dumps(to_json(overview, recording), indent=2))
        return 0
    if options.packets:
        for one in chosen:
            print(packet_line(one, recording.start))
        print()
    print_overview(overview, recording)
    if options.write is not None:
        print(f"{len(chosen):,} packets written to {options.write}")
    return 0


def packet_line(seen: Seen, start: float) -> str:
    """One packet in one printable line."""
    head = f"{seen.time - start:10.6f}  {seen.flow}  "
    if seen.rtcp:
        try:
            names = ", ".join(type(one).__name__ for one in rtp.rtcp.parse_compound(seen.data))
        except ParseError:
            names = "not readable (SRTCP?)"
        return f"{head}RTCP {names}, {len(seen.data)} bytes"
    try:
        packet = rtp.RtpPacket.parse(seen.data)
    except ParseError as error:
        return f"{head}RTP, {wording.printable(str(error))}"
    marker = ", marker" if packet.marker else ""
    return (
        f"{head}RTP type {packet.payload_type}, sequence {packet.sequence_number}, time {packet.timestamp}, "
        f"ssrc {packet.ssrc:#010x}{marker}, {len(packet.payload)} bytes"
    )


def print_overview(overview: Overview, recording: Recording) -> None:
    """The tables."""
    streams = overview.confirmed()
    rows = [_row(stream, overview, recording.start) for stream in streams]
    head = ("SSRC", "payload type", "packets", "lost", "reordered", "duplicate", "jitter (max)", "bit rate", "seconds")
    if rows:
        wording.print_table("RTP streams", (*head, "flow"), rows)
    else:
        print("no RTP stream: nothing here has two RTP packets in sequence")
    if overview.senders:
        print()
        wording.print_table(
            "RTCP", ("sender", "packets", "CNAME"), [_rtcp_row(overview, ssrc) for ssrc in overview.senders]
        )
    if overview.receptions:
        print()
        clocks = {stream.key.ssrc: overview.clock(stream)[0] for stream in streams}
        lines = []
        for one in overview.receptions.values():
            clock = clocks.get(one.ssrc)
            jitter = f"{one.jitter / clock * 1000:.1f} ms" if clock else f"{one.jitter} ticks"
            lines.append(
                (
                    f"{one.reporter:#010x}",
                    f"{one.ssrc:#010x}",
                    str(one.reports),
                    f"{one.packets_lost} ({one.fraction_lost:.1%} lately)",
                    jitter,
                )
            )
        wording.print_table("What receivers reported last", ("reporter", "about", "reports", "lost", "jitter"), lines)
    print()
    strangers = sum(one.packets for one in overview.streams.values()) - sum(one.packets for one in streams)
    print(f"{len(recording.seen):,} RTP and RTCP packets, {recording.others:,} others")
    if strangers:
        print(f"note: {strangers} packets begin like RTP but belong to no stream")
    if overview.ignored:
        print(f"note: {overview.ignored} packets were left out: too short, or of too many sources")
    for note in recording.notes:
        print(f"note: {note}")


def _types(stream: Stream, overview: Overview) -> str:
    clock, guessed = overview.clock(stream)
    names = [
        f"{kind} {STATIC_TYPES[kind][0]}" if kind in STATIC_TYPES else str(kind)
        for kind, _ in stream.types.most_common(4)
    ]
    rate = "" if clock is None else f" {'~' if guessed else ''}{clock} Hz"
    return ", ".join(names) + (", …" if len(stream.types) > 4 else "") + rate


def _row(stream: Stream, overview: Overview, start: float) -> tuple[str, ...]:
    clock, _ = overview.clock(stream)
    if clock is None:
        jitter = "–"
    else:
        last, _, most = stream.jitter(clock)
        jitter = f"{last * 1000:.1f} ms ({most * 1000:.1f})"
    lost = f"{stream.lost} ({stream.lost / stream.expected:.1%})" if stream.lost else "0"
    bits = stream.bit_rate
    return (
        f"{stream.key.ssrc:#010x}",
        _types(stream, overview),
        str(stream.packets),
        lost,
        str(stream.reordered),
        str(stream.duplicates),
        jitter,
        "–" if bits is None else wording.rate(bits / 8),
        f"{stream.first_time - start:.3f} to {stream.last_time - start:.3f}",
        stream.key.flow,
    )


def _rtcp_row(overview: Overview, ssrc: int) -> tuple[str, str, str]:
    sender = overview.senders[ssrc]
    parts = [f"{count} {name}" for name, count in sender.kinds.most_common()]
    if sender.unreadable:
        parts.append(f"{sender.unreadable} not readable (SRTCP?)")
    return f"{ssrc:#010x}", ", ".join(parts), "–" if sender.cname is None else wording.printable(sender.cname, 60)


def to_json(overview: Overview, recording: Recording) -> dict[str, Any]:
    """The figures for programs. Units: seconds, ms for jitter, bit/s."""
    streams = []
    for stream in overview.confirmed():
        clock, guessed = overview.clock(stream)
        last, mean, most = (None, None, None) if clock is None else stream.jitter(clock)
        streams.append(
            {
                "ssrc": stream.key.ssrc,
                "flow": stream.key.flow,
                "payload_types": dict(stream.types.most_common()),
                "clock_rate": clock,
                "clock_rate_guessed": guessed,
                "packets": stream.packets,
                "expected": stream.expected,
                "lost": stream.lost,
                "reordered": stream.reordered,
                "duplicate": stream.duplicates,
                "far_off": stream.far,
                "restarts": stream.restarts,
                "jitter_ms": _ms(last),
                "jitter_mean_ms": _ms(mean),
                "jitter_max_ms": _ms(most),
                "payload_bytes": stream.payload_bytes,
                "bit_rate": stream.bit_rate,
                "first": stream.first_time - recording.start,
                "last": stream.last_time - recording.start,
            }
        )
    return {
        "start": recording.start,
        "streams": streams,
        "rtcp": [
            {"ssrc": one.ssrc, "packets": dict(one.kinds), "unreadable": one.unreadable, "cname": one.cname}
            for one in overview.senders.values()
        ],
        "reception": [one._asdict() for one in overview.receptions.values()],
        "other_packets": recording.others,
        "notes": recording.notes,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def to_rtpdump(seen: list[Seen]) -> RtpDump:
    """The packets as a file of the rtptools, in the order of their times."""
    ordered = sorted(seen, key=lambda one: one.time)
    start = max(0.0, ordered[0].time) if ordered else 0.0
    dump = RtpDump(start=start)
    if ordered:
        source = ordered[0].flow.partition(" > ")[0]
        host, _, port = source.rpartition(":")
        dump.host, dump.port = host.strip("[]") or dump.host, int(port) if port.isdecimal() else 0
    dump.packets = [
        DumpedPacket(max(0.0, one.time - start), one.data, one.original_length, one.rtcp) for one in ordered
    ]
    return dump


def _write(path: Path, seen: list[Seen], *, force: bool) -> None:
    try:
        data = write_rtpdump(to_rtpdump(seen))
    except InvalidArgumentError as error:
        raise CommandError(f"this recording does not fit an rtpdump file: {error}") from None
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        # Packets are somebody's conversation: for their owner's eyes.
        with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
            stream.write(data)
    except FileExistsError:
        raise CommandError(f"{path} is there already; --force replaces it") from None
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
