"""Compound packets: several RTCP packets in one datagram, and the rules for what belongs together.

Spec: RFC 3550 sections 6.1 and A.2, RFC 5506 section 3.4.2 (reduced-size). Parsing does not insist on the rules:
browsers send reduced-size packets, padded alone, whatever was negotiated. `check_compound` is for what we send.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ...errors import InvalidArgumentError, ParseError
from .ccfb import Ccfb
from .feedback import (
    ApplicationFeedback,
    EcnFeedback,
    Fir,
    Nack,
    Pli,
    RapidResynchronizationRequest,
    Remb,
    Rpsi,
    Sli,
    Tmmbn,
    Tmmbr,
)
from .packet import PacketType, PayloadFormat, RtcpPacket, TransportFormat
from .reports import ReceiverReport, SenderReport
from .sources import App, Bye, SourceDescription, UnknownPacket
from .transport_cc import TransportCc
from .xr import ExtendedReport

_BY_TYPE: Final[dict[int, Callable[[int, bytes, int], RtcpPacket]]] = {
    PacketType.SR: SenderReport.read,
    PacketType.RR: ReceiverReport.read,
    PacketType.SDES: SourceDescription.read,
    PacketType.BYE: Bye.read,
    PacketType.APP: App.read,
    PacketType.XR: ExtendedReport.read,
}
_BY_FORMAT: Final[dict[tuple[int, int], Callable[[bytes, int], RtcpPacket]]] = {
    (PacketType.RTPFB, TransportFormat.NACK): Nack.read,
    (PacketType.RTPFB, TransportFormat.TMMBR): Tmmbr.read,
    (PacketType.RTPFB, TransportFormat.TMMBN): Tmmbn.read,
    (PacketType.RTPFB, TransportFormat.RAPID_RESYNCHRONIZATION): RapidResynchronizationRequest.read,
    (PacketType.RTPFB, TransportFormat.ECN): EcnFeedback.read,
    (PacketType.RTPFB, TransportFormat.CCFB): Ccfb.read,
    (PacketType.RTPFB, TransportFormat.TRANSPORT_CC): TransportCc.read,
    (PacketType.PSFB, PayloadFormat.PLI): Pli.read,
    (PacketType.PSFB, PayloadFormat.SLI): Sli.read,
    (PacketType.PSFB, PayloadFormat.RPSI): Rpsi.read,
    (PacketType.PSFB, PayloadFormat.FIR): Fir.read,
    (PacketType.PSFB, PayloadFormat.APPLICATION): ApplicationFeedback.read,
}
_PADDED_BY_BYTES: Final = (PacketType.RTPFB, TransportFormat.TRANSPORT_CC)
"""Chromium counts as padding what fills the last word of transport-cc; everywhere else padding is of whole words."""
_WHOLE_WORDS: Final = frozenset(PacketType)
_FEEDBACK: Final = (
    *(ApplicationFeedback, Ccfb, EcnFeedback, Fir, Nack, Pli, RapidResynchronizationRequest, Remb, Rpsi, Sli),
    *(Tmmbn, Tmmbr, TransportCc),
)


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Every packet of a datagram. Unknown types and formats come as `UnknownPacket`.

    Errors: `ParseError` if any of them is damaged: then nothing of the datagram is to be believed (RFC 3550 A.2).
    """
    packets: list[RtcpPacket] = []
    position, end = 0, len(data)
    if not end:
        raise ParseError("empty", offset=0, field="rtcp")
    while position < end:
        if position + 4 > end:
            raise ParseError(f"{end - position} bytes left, a packet has at least 4", offset=position, field="rtcp")
        first, packet_type = data[position], data[position + 1]
        if first & 0xC0 != 0x80:
            raise ParseError(f"version {first >> 6}, expected 2", offset=position, field="rtcp.version")
        after = position + 4 + (data[position + 2] << 8 | data[position + 3]) * 4
        if after > end:
            raise ParseError(f"{after - end} bytes are missing", offset=position + 2, field="rtcp.length")
        padding = 0
        if first & 0x20:
            padding = data[after - 1]
            if not padding or padding > after - position - 4:
                raise ParseError(f"{padding} bytes of padding do not fit", offset=after - 1, field="rtcp.padding")
        body = data[position + 4 : after - padding]
        count = first & 31
        read = _BY_TYPE.get(packet_type)
        if padding & 3 and (packet_type, count) != _PADDED_BY_BYTES and packet_type in _WHOLE_WORDS:
            raise ParseError(f"{padding} bytes of padding, not whole words", offset=after - 1, field="rtcp.padding")
        if read is not None:
            packets.append(read(count, body, padding))
        else:
            read_format = _BY_FORMAT.get((packet_type, count))
            if read_format is not None:
                packets.append(read_format(body, padding))
            else:
                packets.append(UnknownPacket(packet_type=packet_type, count=count, body=body, padding=padding))
        position = after
    return packets


def serialize_compound(packets: Sequence[RtcpPacket]) -> bytes:
    """The packets in one datagram, in this order. Errors: `InvalidArgumentError`."""
    if not packets:
        raise InvalidArgumentError("a datagram has at least one RTCP packet")
    return b"".join([packet.serialize() for packet in packets])


def compound_problems(packets: Sequence[RtcpPacket], *, reduced_size: bool = False) -> list[str]:
    """What about these packets breaks the rules; empty if nothing does.

    A full compound packet begins with SR or RR and has an SDES with a CNAME; with `reduced_size` neither is needed,
    but there must be feedback or APP that is worth a packet of its own.
    """
    problems = []
    if not packets:
        return ["no packet at all"]
    if any(packet.padding for packet in packets[:-1]):
        problems.append("only the last packet may be padded")
    byes = [index for index, packet in enumerate(packets) if isinstance(packet, Bye)]
    if byes and any(not isinstance(packet, Bye) for packet in packets[byes[0] :]):
        problems.append("BYE stands last")
    full = isinstance(packets[0], SenderReport | ReceiverReport)
    if reduced_size and not full:
        if not any(isinstance(packet, (*_FEEDBACK, App, UnknownPacket, ExtendedReport)) for packet in packets):
            problems.append("a reduced-size packet carries feedback")
        return problems
    if not full:
        problems.append("the first packet is neither SR nor RR")
    chunks = [chunk for packet in packets if isinstance(packet, SourceDescription) for chunk in packet.chunks]
    if not any(chunk.cname for chunk in chunks):
        problems.append("no SDES with a CNAME")
    return problems


def check_compound(packets: Sequence[RtcpPacket], *, reduced_size: bool = False) -> None:
    """Errors: `InvalidArgumentError` naming every rule that these packets break."""
    problems = compound_problems(packets, reduced_size=reduced_size)
    if problems:
        raise InvalidArgumentError("; ".join(problems))
