"""RTP and RTCP alone: packets, header extensions and feedback as values.

No sockets, no keys, no event loop. A sender's packet gets typed header extensions by URI; a forwarder renumbers them
for another session; a receiver reports what came, in a compound packet and in transport-wide feedback; and a
dependency descriptor tells a forwarder what it may leave out without looking into the video.

    python -m webrtc_stack.examples.rtp_alone
"""

from __future__ import annotations

from webrtc_stack import rtp
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri, rtcp


def main() -> None:
    # What `a=extmap` lines of an SDP say: identifiers of this session.
    ours = ExtensionMap({1: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC, 4: Uri.MID})
    packet = RtpPacket(
        payload_type=111, sequence_number=7, timestamp=960, ssrc=0x1234, payload=b"opus", extension_map=ours
    )
    packet.set(Uri.MID, "0")
    packet.set(Uri.AUDIO_LEVEL, rtp.AudioLevel(level=23, voice=True))
    packet.set(Uri.TRANSPORT_CC, 500)
    data = packet.serialize()
    print(f"sent       {data.hex(' ', -4)}")

    received = RtpPacket.parse(data, ours)
    print(f"received   {received}: mid {received.get(Uri.MID)!r}, {received.get(Uri.AUDIO_LEVEL)}")

    theirs = ExtensionMap({5: Uri.AUDIO_LEVEL, 2: Uri.MID})
    forwarded = received.serialize(theirs)
    print(f"forwarded  {forwarded.hex(' ', -4)}")

    # A compound packet: report, name, wish for what was lost.
    now = rtp.unix_to_ntp(1_800_000_000.25)
    compound: list[rtcp.RtcpPacket] = [
        rtcp.SenderReport(
            ssrc=0x1234,
            ntp_timestamp=now,
            rtp_timestamp=960,
            packet_count=8,
            octet_count=32,
            reports=(rtcp.ReportBlock(0x5678, fraction_lost=12, packets_lost=3, highest_sequence_number=90),),
        ),
        rtcp.SourceDescription.with_cname(0x1234, "somebody"),
        rtcp.Nack.from_lost(0x1234, 0x5678, [65535, 0, 4]),
    ]
    rtcp.check_compound(compound)
    wire = rtcp.serialize_compound(compound)
    print(f"compound   {len(wire)} bytes, RTCP: {rtp.is_rtcp(wire)}, RTP: {not rtp.is_rtcp(data)}")
    for item in rtcp.parse_compound(wire):
        print(f"           {item}")

    feedback = rtcp.TransportCc.from_arrivals(
        sender_ssrc=0x5678,
        media_ssrc=0x1234,
        feedback_count=0,
        base_sequence_number=500,
        status_count=5,
        arrivals=[(500, 10.000), (501, 10.002), (504, 10.013)],
    )
    print(f"feedback   {feedback.serialize().hex(' ', -4)}: lost {feedback.lost}")

    # Two temporal layers; decode target 0 is the lower one alone, target 1 both.
    key = rtp.FrameTemplate(0, 0, (2, 2))
    lower = rtp.FrameTemplate(0, 0, (2, 2), (2,))
    upper = rtp.FrameTemplate(0, 1, (0, 1), (1,))
    structure = rtp.DependencyStructure(decode_target_count=2, templates=(key, lower, upper))
    writer, reader = rtp.DependencyWriter(structure), rtp.DependencyReader()
    for number, frame in enumerate((key, upper, lower, upper)):
        descriptor = writer.write(number, frame, with_structure=number == 0)
        seen = reader.read(descriptor)
        needed = "needed" if seen.indications[0] else "left out"
        print(f"frame {number}    {descriptor.hex()}: temporal layer {seen.temporal_id}, for target 0 {needed}")


if __name__ == "__main__":
    main()
