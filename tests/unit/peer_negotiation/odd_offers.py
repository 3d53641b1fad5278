"""The odd offers whose answers by two browsers are recorded, each one edit away from a plain offer of Chromium."""

from __future__ import annotations

import re

from .support import sdp_file

PLAIN = sdp_file("browsers/chromium_offer_data.sdp")
MEDIA = sdp_file("browsers/chromium_offer_av_data.sdp")


def _drop(text: str, pattern: str) -> str:
    return re.sub(rf"(?m)^{pattern}.*\r\n", "", text)


def _fingerprint(line: str, text: str = PLAIN) -> str:
    return re.sub(r"a=fingerprint:.*?\r\n", line, text)


_SHA_512 = "a=fingerprint:sha-512 " + ":".join(["AA"] * 64) + "\r\n"
_SHA_1 = "a=fingerprint:sha-1 " + ":".join(["AA"] * 20) + "\r\n"
_OLD = _drop(_drop(PLAIN, "a=sctp-port"), "a=max-message").replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")
_TEXT_SECTION = "m=text 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:zz\r\na=rtpmap:98 t140/1000\r\n"
_DEAD_VIDEO = re.sub(r"m=video \d+", "m=video 0", MEDIA)

ODD_OFFERS = {
    "actpass": PLAIN,
    "active": PLAIN.replace("setup:actpass", "setup:active"),
    "passive": PLAIN.replace("setup:actpass", "setup:passive"),
    "no setup": _drop(PLAIN, "a=setup"),
    "holdconn": PLAIN.replace("setup:actpass", "setup:holdconn"),
    "no max-message-size": _drop(PLAIN, "a=max-message-size"),
    "max-message-size:0": PLAIN.replace("max-message-size:262144", "max-message-size:0"),
    "max 100000": PLAIN.replace("max-message-size:262144", "max-message-size:100000"),
    "old sctpmap": _OLD + "a=sctpmap:5000 webrtc-datachannel 1024\r\n",
    "no fingerprint": _drop(PLAIN, "a=fingerprint"),
    "sha-1 fingerprint": _fingerprint(_SHA_1),
    "sha-512 fp": _fingerprint(_SHA_512),
    "two fps": re.sub(r"(a=fingerprint:.*?\r\n)", r"\1" + _SHA_512, PLAIN),
    "no ufrag": _drop(PLAIN, "a=ice-ufrag"),
    "short ufrag": re.sub(r"a=ice-ufrag:.*?\r\n", "a=ice-ufrag:ab\r\n", PLAIN),
    "LF only": PLAIN.replace("\r\n", "\n"),
    "no mid": _drop(_drop(MEDIA, "a=mid"), "a=group"),
    "no rtcp-mux": _drop(MEDIA, "a=rtcp-mux"),
    "no bundle": _drop(MEDIA, "a=group"),
    "no ice-options": _drop(PLAIN, "a=ice-options"),
    "ice-lite": PLAIN.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
    "ice2": PLAIN.replace("ice-options:trickle", "ice-options:trickle ice2 renomination"),
    "bundle-only": _DEAD_VIDEO.replace("a=mid:1\r\n", "a=bundle-only\r\na=mid:1\r\n"),
    "m=video 0 rejected": _DEAD_VIDEO,
    "SAVP profile": MEDIA.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"),
    "TCP/TLS profile": MEDIA.replace("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF"),
    "TCP/DTLS/SCTP": PLAIN.replace("UDP/DTLS/SCTP", "TCP/DTLS/SCTP"),
    "DTLS/SCTP 5000 w sctp-port": PLAIN.replace("UDP/DTLS/SCTP", "DTLS/SCTP"),
    "mid long": PLAIN.replace("a=mid:0", "a=mid:" + "x" * 40).replace("BUNDLE 0", "BUNDLE " + "x" * 40),
    "unknown attrs": PLAIN + "a=foo:bar\r\na=zed\r\n",
    "m=text unknown": PLAIN + _TEXT_SECTION,
}
