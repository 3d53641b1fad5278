"""SDP text: a description, or a `ParseError`; what was read comes back as it was, and reading it all never raises
anything else."""

from __future__ import annotations

from pathlib import Path

from webrtc_stack.errors import ParseError
from webrtc_stack.sdp import SdpFragment, SessionDescription

_VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "sdp" / "browsers"

SEEDS: list[bytes] = [
    (_VECTORS / "chromium_offer_data.sdp").read_bytes(),
    (_VECTORS / "firefox_offer_data.sdp").read_bytes(),
    (_VECTORS / "firefox_offer_simulcast.sdp").read_bytes(),
    b"v=0\no=- 1 1 IN IP4 0.0.0.0\nm=audio 9/2 X 0\na=rid:1 send pt=1;x=y\na=simulcast:send 1,~2;3 recv 4\n",
    b"a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\nm=audio 9 RTP/AVP 0\na=mid:0\na=end-of-candidates\n",
]

_ACCESSORS = (
    "candidates",
    "fingerprints",
    "setup",
    "rtpmaps",
    "fmtps",
    "rtcp_feedback",
    "extmaps",
    "ssrcs",
    "ssrc_groups",
    "msids",
    "rids",
    "simulcast",
    "sctp_parameters",
    "connection",
    "bandwidths",
    "direction",
)


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        fragment = SdpFragment.parse(text)
    except ParseError:
        pass
    else:
        assert SdpFragment.parse(fragment.serialize()) == fragment
    try:
        description = SessionDescription.parse(text)
    except ParseError:
        return
    assert SessionDescription.parse(description.serialize()) == description
    description.problems()
    for media in description.media:
        for name in _ACCESSORS:
            try:
                getattr(media, name)
            except ParseError:
                continue
        try:
            description.ice_parameters(media)
            description.dtls_parameters(media)
        except ParseError:
            continue
