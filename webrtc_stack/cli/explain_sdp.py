"""`webrtc-stack sdp`: a session description in words, section by section."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from .. import sdp
from ..base import Candidate, SetupRole
from ..errors import SdpParseError
from . import wording
from .failures import CommandError

MAX_BYTES: Final = 4 * 1024 * 1024

_EPILOG: Final = """examples:
  webrtc-stack sdp offer.sdp
  pbpaste | webrtc-stack sdp -

The text may also be JSON as browsers write it: {"type": "offer", "sdp": "v=0..."}"""

_SETUP: Final = {
    SetupRole.ACTPASS: "DTLS: either side may begin; the answer decides",
    SetupRole.ACTIVE: "DTLS: this side is the client, it begins the handshake",
    SetupRole.PASSIVE: "DTLS: this side is the server, it waits for the handshake",
    SetupRole.HOLDCONN: "DTLS: no connection for now",
}
_DIRECTIONS: Final = {
    "sendrecv": "sends and receives",
    "sendonly": "sends, does not receive",
    "recvonly": "receives, does not send",
    "inactive": "neither sends nor receives",
}
_KINDS: Final = {"audio": "Audio", "video": "Video", "application": "Data channels"}
_ICE_OPTIONS: Final = {
    "trickle": "candidates may follow later",
    "ice2": "follows RFC 8445",
    "renomination": "the pair may be nominated anew",
}
_CANDIDATES: Final = {
    "host": "an address of the machine itself",
    "srflx": "how a STUN server sees it",
    "prflx": "learned from the peer's checks",
    "relay": "a TURN server that relays",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Explains a session description (an offer or answer of WebRTC) in words."
    parser.epilog = _EPILOG
    parser.add_argument("file", help="a file with the text, or - for standard input")


def run(options: argparse.Namespace) -> int:
    text = read_text(options.file)
    try:
        lines = list(explain(text))
    except SdpParseError as error:
        raise CommandError(f"this is not a session description: {error}") from None
    print("\n".join(lines))
    return 0


def read_text(name: str) -> str:
    """The description's text from a file or standard input; JSON around it is taken off. Errors: `CommandError`."""
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else _read(Path(name))
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise CommandError(f"{name} has more than {wording.size(MAX_BYTES)}: that is no session description")
    text = data.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            inner = json.loads(text).get("sdp")
        except ValueError as error:
            raise CommandError(f"the JSON around the description cannot be read: {error}") from None
        if not isinstance(inner, str):
            raise CommandError("the JSON has no text member 'sdp'")
        return inner
    return text


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def explain(text: str) -> Iterator[str]:
    """The explanation, line by line. Errors: `SdpParseError` when the text is no description at all."""
    description = sdp.SessionDescription.parse(text)
    yield from _session(description)
    for index, media in enumerate(description.media):
        yield ""
        yield from _media(description, media, index)
    problems = description.problems()
    if problems:
        yield ""
        yield "Lines that cannot be read (they are passed on as they are)"
        for problem in problems:
            yield f"  {_clean(str(problem))}"


def _clean(text: str) -> str:
    return wording.printable(text)


def _safely(make: Callable[[], Iterator[str]]) -> Iterator[str]:
    """The lines that `make` gives; a broken attribute ends them, and is told at the end by `problems`."""
    try:
        yield from list(make())
    except SdpParseError as error:
        yield f"  cannot be read: {_clean(str(error))}"


def _session(description: sdp.SessionDescription) -> Iterator[str]:
    origin = description.origin
    yield "Session"
    yield f"  made by {_clean(origin.username)!s}, id {origin.session_id}, version {origin.session_version}"
    count = len(description.media)
    yield f"  {count} media section{'' if count == 1 else 's'}"
    yield from _safely(lambda: _groups(description))
    if description.ice_lite:
        yield "  ICE lite: this side only answers checks"
    if description.has("extmap-allow-mixed"):
        yield "  one- and two-byte header extensions may be mixed"
    streams = description.value(sdp.MsidSemantic) if description.has("msid-semantic") else None
    if streams is not None and streams.streams:
        yield f"  media streams: {', '.join(map(_clean, streams.streams))}"


def _groups(description: sdp.SessionDescription) -> Iterator[str]:
    for group in description.groups:
        mids = ", ".join(map(_clean, group.mids)) or "no section"
        if group.semantics == "BUNDLE":
            yield f"  one transport carries the sections {mids} (BUNDLE)"
        elif group.semantics == "LS":
            yield f"  played in lip sync: {mids}"
        else:
            yield f"  group {_clean(group.semantics)}: {mids}"


def _media(description: sdp.SessionDescription, media: sdp.MediaDescription, index: int) -> Iterator[str]:
    kind = _KINDS.get(media.kind, _clean(media.kind).capitalize())
    mid = f", called “{_clean(media.mid)}”" if media.mid else ", without a mid"
    yield f"Section {index + 1}: {kind}{mid}"
    yield f"  {_clean(media.protocol)} ({_protocol(media.protocol)})"
    if media.rejected:
        yield "  rejected or stopped: its port is 0"
        return
    if media.bundle_only:
        yield "  exists only inside its bundle"
    yield from _safely(lambda: _ice(description, media))
    yield from _safely(lambda: _dtls(description, media))
    if media.kind == "application":
        yield from _safely(lambda: _data(media))
    else:
        yield from _safely(lambda: _rtp(description, media))


def _protocol(protocol: str) -> str:
    words = []
    parts = protocol.upper()
    if "DTLS/SCTP" in parts:
        words.append("SCTP inside DTLS")
    elif "TLS/RTP/SAVP" in parts:
        words.append("RTP, encrypted with keys from DTLS")
    elif "SAVP" in parts:
        words.append("RTP, encrypted with keys from this text: WebRTC forbids it")
    elif "AVP" in parts:
        words.append("RTP without encryption: WebRTC forbids it")
    words.append("over TCP" if "TCP" in parts else "over UDP" if "UDP" in parts or "TLS" in parts else "not of WebRTC")
    return " ".join(words)


def _ice(description: sdp.SessionDescription, media: sdp.MediaDescription) -> Iterator[str]:
    parameters = description.ice_parameters(media)
    if parameters is None:
        yield "  ICE: no user name and password here; a bundled section uses those of another one"
    else:
        yield f"  ICE: user {_clean(parameters.ufrag)}, password of {len(parameters.pwd)} characters"
        for option in parameters.options:
            meaning = _ICE_OPTIONS.get(option)
            yield f"    option {_clean(option)}{f': {meaning}' if meaning else ''}"
    for candidate in media.candidates:
        yield f"    {_candidate(candidate)}"
    unread = len(media.texts("candidate")) - len(media.candidates)
    if unread:
        yield f"    {unread} more that cannot be read, and are ignored"
    if media.end_of_candidates:
        yield "    no more candidates follow"
    elif not media.candidates and parameters is not None:
        yield "    no candidates yet: they follow by signalling (trickle)"


def _candidate(candidate: Candidate) -> str:
    host = f"[{candidate.host}]" if ":" in candidate.host else candidate.host
    meaning = _CANDIDATES[candidate.type.value]
    if candidate.is_mdns:
        meaning = "an address hidden behind a name that only this network can resolve"
    transport = candidate.transport + (f" {candidate.tcp_type.value}" if candidate.tcp_type else "")
    related = f", from {candidate.related_host}:{candidate.related_port}" if candidate.related_port else ""
    component = ", RTCP" if candidate.component == 2 else ""
    return _clean(f"{candidate.type.value:<6}{host}:{candidate.port} {transport}{component}: {meaning}{related}")


def _dtls(description: sdp.SessionDescription, media: sdp.MediaDescription) -> Iterator[str]:
    parameters = description.dtls_parameters(media)
    if parameters is None:
        yield "  DTLS: no certificate fingerprint, so nothing can be trusted"
        return
    yield f"  {_SETUP[parameters.setup]}"
    for fingerprint in parameters.fingerprints:
        yield f"    certificate with {_clean(fingerprint.algorithm)} {fingerprint.value[:29]}…"
    if parameters.tls_id:
        yield f"    association {_clean(parameters.tls_id)}"


def _data(media: sdp.MediaDescription) -> Iterator[str]:
    parameters = media.sctp_parameters
    limit = parameters.max_message_size
    stated = "" if media.has("max-message-size") else ", which is what its absence means"
    yield f"  SCTP: port {parameters.port}"
    yield f"    takes messages of {'any size' if not limit else f'up to {wording.size(limit)}'}{stated}"
    if media.has("sctp-init"):
        yield "    brings its SCTP INIT along, which saves a round trip"


def _rtp(description: sdp.SessionDescription, media: sdp.MediaDescription) -> Iterator[str]:
    yield f"  {_DIRECTIONS[description.direction_of(media).value]}"
    yield f"  RTCP {'shares the port of RTP' if media.rtcp_mux else 'has a port of its own: WebRTC wants rtcp-mux'}"
    for msid in media.msids:
        yield f"  media stream {_clean(msid.stream)}{f', track {_clean(msid.track)}' if msid.track else ''}"
    formats = {one.format: one.text for one in media.fmtps}
    feedback: dict[int | None, list[str]] = {}
    for one in media.rtcp_feedback:
        feedback.setdefault(one.payload_type, []).append(f"{one.kind} {one.parameter}".strip())
    if media.rtpmaps:
        yield "  codecs, the preferred one first"
    for codec in media.rtpmaps:
        channels = f", {codec.channels} channels" if codec.channels > 1 else ""
        details = formats.get(str(codec.payload_type))
        extra = f"; {_clean(details)}" if details else ""
        yield f"    {codec.payload_type:>3} {_clean(codec.encoding)} at {codec.clock_rate} Hz{channels}{extra}"
        if codec.payload_type in feedback:
            yield f"        feedback: {_clean(', '.join(feedback[codec.payload_type]))}"
    if None in feedback:
        yield f"    feedback for all: {_clean(', '.join(feedback[None]))}"
    if media.extmaps:
        yield "  header extensions"
    for extension in media.extmaps:
        yield f"    {extension.id:>3} {_clean(extension.uri)}"
    for rid in media.rids:
        yield f"  layer {_clean(rid.id)}, {'sent' if rid.direction == 'send' else 'received'}"
    if media.simulcast is not None:
        for direction, streams in (("sends", media.simulcast.send), ("receives", media.simulcast.recv)):
            if streams:
                names = "; ".join(",".join(one.rid for one in alternatives) for alternatives in streams)
                yield f"  {direction} in several layers at once (simulcast): {_clean(names)}"
    sources = dict.fromkeys(one.ssrc for one in media.ssrcs)
    if sources:
        yield f"  sources {', '.join(map(str, sources))}"
    for group in media.ssrc_groups:
        meaning = {"FID": "a stream and its retransmissions", "SIM": "layers", "FEC-FR": "a stream and its repair"}
        members = ", ".join(map(str, group.ssrcs))
        yield f"    {meaning.get(group.semantics, f'group {_clean(group.semantics)}')}: {members}"
