"""What one RTP section amounts to, read from both descriptions, from our point of view.

Spec: RFC 3264 section 6 and 7, RFC 9429 sections 5.10 and 5.11, RFC 5576 (sources), RFC 8285 (header extensions).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ...sdp import Direction
from ..parameters import CodecParameters, Encoding, SourceIds, TransceiverHandle


class RemoteSource(NamedTuple):
    """A source that the peer announced."""

    ssrc: int
    rtx_ssrc: int | None = None
    cname: str = ""
    stream_id: str = ""
    track_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPlan:
    """One section, everything from our point of view."""

    direction: Direction = Direction.INACTIVE
    """What is agreed; before an answer, what our offer makes possible already: we may receive what it allows."""
    send_codecs: tuple[CodecParameters, ...] = ()
    """Payload types that the peer wants, in its order, codecs before telephone-event and comfort noise; the first is
    what we send."""
    receive_codecs: tuple[CodecParameters, ...] = ()
    """Payload types that may arrive."""
    send_extensions: dict[int, str] = field(default_factory=dict)
    """Header extensions that we may write: URI by id."""
    receive_extensions: dict[int, str] = field(default_factory=dict)
    """Header extensions that may arrive: URI by id."""
    allow_mixed: bool = False
    """Both sides take one-byte and two-byte header extensions in one stream."""
    reduced_size: bool = False
    """Both sides take RTCP packets that are not compound (RFC 5506)."""
    sources: tuple[SourceIds, ...] = ()
    """Ours, one an encoding."""
    encodings: tuple[Encoding, ...] = ()
    send_rids: tuple[str, ...] = ()
    """The layers that the peer accepted, in the order of `encodings`; empty without simulcast."""
    remote_sources: tuple[RemoteSource, ...] = ()
    receive_rids: tuple[str, ...] = ()
    """Layers that the peer may send; empty without simulcast."""
    remote_stream_ids: tuple[str, ...] = ()
    remote_track_id: str = ""
    max_bitrate: int | None = None
    """What the peer takes at most, in bits a second (b=TIAS, b=AS); None without a limit."""
    rtcp_xr_rcvr_rtt: bool = False
    """Both sides take receiver reference times (RFC 3611)."""
    cname: str = ""
    """Ours."""


class TrackChange(NamedTuple):
    """A remote track begins or ends: W3C's addition and removal of a remote track."""

    transceiver: TransceiverHandle
    added: bool
    stream_ids: tuple[str, ...]
    track_id: str
