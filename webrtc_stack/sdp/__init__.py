"""SDP: session descriptions as values. See README.md."""

from .description import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_SCTP_PORT,
    MediaDescription,
    SessionDescription,
)
from .fields import Bandwidth, Connection, MediaLine, Origin, Timing
from .fragment import MEDIA_TYPE, SdpFragment
from .line import Attribute, Field, Line, SdpLimits
from .rtp_values import (
    Crypto,
    Direction,
    ExtMap,
    Fmtp,
    Msid,
    MsidSemantic,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    SimulcastRid,
    Ssrc,
    SsrcGroup,
)
from .section import Section, candidate_line, ice_lines
from .transport_values import (
    Group,
    RemoteCandidate,
    RemoteCandidates,
    Rtcp,
    SctpMap,
    parse_fingerprint,
    serialize_fingerprint,
)
from .values import AttributeValue

__all__ = [
    "Attribute",
    "AttributeValue",
    "Bandwidth",
    "Connection",
    "Crypto",
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_SCTP_PORT",
    "Direction",
    "ExtMap",
    "Field",
    "Fmtp",
    "Group",
    "Line",
    "MEDIA_TYPE",
    "MediaDescription",
    "MediaLine",
    "Msid",
    "MsidSemantic",
    "Origin",
    "RemoteCandidate",
    "RemoteCandidates",
    "Rid",
    "Rtcp",
    "RtcpFeedback",
    "RtpMap",
    "SctpMap",
    "SdpFragment",
    "SdpLimits",
    "Section",
    "SessionDescription",
    "Simulcast",
    "SimulcastRid",
    "Ssrc",
    "SsrcGroup",
    "Timing",
    "candidate_line",
    "ice_lines",
    "parse_fingerprint",
    "serialize_fingerprint",
]
