"""The names of statistics: made of what identifies an object for its whole life, so nothing has to be remembered.

Numbers that are never used again (handles, SSRCs, generations) stand in them; what may be long or changes its form is
hashed. Applications must not read anything out of them.
"""

from __future__ import annotations

import hashlib
from typing import Final

from ...base import Address, Candidate, Fingerprint
from ...datachannel import ChannelHandle
from ...ice import PairSnapshot
from ..media.facts import StreamFacts
from ..parameters import CodecParameters, TransceiverHandle

PEER_CONNECTION: Final = "P"
TRANSPORT: Final = "T0"
"""There is one: everything is bundled."""


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:10]


def certificate(fingerprint: Fingerprint) -> str:
    return f"CF{fingerprint.value}"


def local_candidate(candidate: Candidate, generation: int) -> str:
    where = (candidate.transport, candidate.host, candidate.port, candidate.related_host, candidate.related_port)
    return f"L{generation}-{_digest(candidate.type.value, *where)}"


def remote_candidate(address: Address, transport: str, generation: int) -> str:
    """By where it is reached alone: a peer-reflexive candidate that is signalled later stays what it was."""
    return f"R{generation}-{_digest(transport, *address)}"


def pair(snapshot: PairSnapshot) -> str:
    return f"CP{snapshot.generation}-{snapshot.number}"


def data_channel(handle: ChannelHandle) -> str:
    return f"D{handle}"


def codec(parameters: CodecParameters, *, sent: bool) -> str:
    codec = parameters.codec
    what = _digest(codec.mime_type.lower(), codec.clock_rate, codec.channels, codec.sdp_fmtp_line)
    return f"C{'O' if sent else 'I'}{parameters.payload_type}-{what}"


def _stream(prefix: str, facts: StreamFacts) -> str:
    return f"{prefix}{facts.kind.value[0].upper()}{facts.handle}-{facts.ssrc}"


def inbound(facts: StreamFacts) -> str:
    return _stream("I", facts)


def outbound(facts: StreamFacts) -> str:
    return _stream("O", facts)


def remote_inbound(facts: StreamFacts) -> str:
    return _stream("RI", facts)


def remote_outbound(facts: StreamFacts) -> str:
    return _stream("RO", facts)


def media_source(handle: TransceiverHandle, track_identifier: str) -> str:
    """A replaced track is another source."""
    return f"S{handle}-{_digest(track_identifier)}"


def playout(handle: TransceiverHandle) -> str:
    return f"AP{handle}"
