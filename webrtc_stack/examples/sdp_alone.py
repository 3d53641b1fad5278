"""SDP alone: read an offer, look around in it, change it, write it again.

A session description is an ordered run of lines. Nothing is lost by reading one: what this library does not know stays
where it was. Typed values are read from the lines on demand; a change makes a new description.

Run it: `python -m webrtc_stack.examples.sdp_alone`
"""

from __future__ import annotations

from webrtc_stack import sdp
from webrtc_stack.base import Candidate, CandidateType, IceParameters
from webrtc_stack.errors import SdpParseError

OFFER = """\
v=0
o=- 4962303333179871722 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=ice-options:trickle ice2
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
a=setup:actpass
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=mid:0
a=ice-ufrag:ETEn
a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=rtcp-mux
a=something-new:that nobody knows yet
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=ice-ufrag:ETEn
a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl
a=sctp-port:5000
a=max-message-size:262144
"""


def main() -> None:
    offer = sdp.SessionDescription.parse(OFFER)
    print(f"session {offer.origin.session_id}, version {offer.origin.session_version}, bundles {offer.bundles}")
    for media in offer.media:
        print(f"\nsection {media.mid}: {media.kind} over {media.protocol}")
        ice, dtls = offer.ice_parameters(media), offer.dtls_parameters(media)
        if ice is not None and dtls is not None:
            print(f"  ICE   ufrag {ice.ufrag}, options {' '.join(ice.options)}")
            print(f"  DTLS  setup {dtls.setup}, {dtls.fingerprints[0].algorithm} {dtls.fingerprints[0].value[:11]}...")
        if media.kind == "application":
            print(
                f"  SCTP  port {media.sctp_parameters.port}, messages to {media.sctp_parameters.max_message_size} bytes"
            )
        for codec in media.values(sdp.RtpMap):
            fmtp = next((one for one in media.fmtps if one.format == str(codec.payload_type)), None)
            print(
                f"  RTP   {codec.payload_type} is {codec.encoding}/{codec.clock_rate}", fmtp.parameters if fmtp else ""
            )
        for name in ("something-new",):
            if media.has(name):
                print(f"  kept  a={name}:{media.text(name)}")

    # A candidate was gathered: a new description with one more line. The old one is as it was.
    candidate = Candidate(foundation="1", priority=2130706431, host="192.0.2.7", port=40000, type=CandidateType.HOST)
    section = offer.media[1].adding(sdp.candidate_line(candidate)).with_port(candidate.port)
    section = section.with_field("c", sdp.Connection(address=candidate.host).serialize())
    fuller = offer.with_media(1, section)
    print("\nthe data section with a candidate:")
    print("  " + fuller.media[1].serialize().replace("\r\n", "\n  ").rstrip())
    assert sdp.SessionDescription.parse(fuller.serialize()) == fuller
    assert offer.serialize() == OFFER.replace("\n", "\r\n")

    # The same candidate alone, as it goes over HTTP (RFC 8840).
    fragment = sdp.SdpFragment.of(IceParameters(ufrag="ETEn", pwd="OtSK0WpNtpUjkY4+86js7ZQl"), "1", (candidate,))
    print(f"\nas a {sdp.MEDIA_TYPE}:")
    print("  " + fragment.serialize().replace("\r\n", "\n  ").rstrip())

    # Text that is no SDP says where it stops being so.
    for text in ("v=0\r\nhello\r\n", OFFER.replace("m=audio 9", "m=audio nine")):
        try:
            sdp.SessionDescription.parse(text)
        except SdpParseError as error:
            print(f"\nrefused: {error}")


if __name__ == "__main__":
    main()
