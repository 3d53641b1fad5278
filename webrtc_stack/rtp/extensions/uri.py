"""The names of header extensions, as SDP's `a=extmap` writes them."""

from __future__ import annotations

from enum import StrEnum


class Uri(StrEnum):
    """Extensions known by name; all but `ENCRYPTED` have a typed value here."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    TRANSMISSION_OFFSET = "urn:ietf:params:rtp-hdrext:toffset"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    CSRC_AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    TRANSPORT_CC_V2 = "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02"
    PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    VIDEO_CONTENT_TYPE = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
    VIDEO_TIMING = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
    COLOR_SPACE = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
    VIDEO_LAYERS_ALLOCATION = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
    DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    ENCRYPTED = "urn:ietf:params:rtp-hdrext:encrypt"
    """The wrapper of RFC 6904: in SDP the wrapped extension's URI follows it. `ExtensionMap` keeps which are so."""
