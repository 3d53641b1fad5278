"""The facts of a connection as one frozen value, and what is concluded from them as another.

Facts are plain: no machine, no live object, so that they can be kept, compared, sent and made up in tests.

Units: seconds, bytes; ages are "seconds ago".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Moment(StrEnum):
    """What is remembered with its time."""

    MADE = "made"
    LOCAL_DESCRIPTION = "local-description"
    REMOTE_DESCRIPTION = "remote-description"
    REMOTE_CANDIDATE = "remote-candidate"
    REMOTE_END = "remote-end-of-candidates"
    LOCAL_ADDRESS = "local-address"
    LOCAL_ADDRESS_LOST = "local-address-lost"
    GATHERING = "gathering"
    GATHERED = "gathered"
    CHECKING = "checking"
    ICE_CONNECTED = "ice-connected"
    ICE_DISCONNECTED = "ice-disconnected"
    ICE_FAILED = "ice-failed"
    DTLS_CONNECTED = "dtls-connected"
    CONNECTED = "connected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts:
    """A candidate of either side. `server` is the URL that a local one came from."""

    type: str
    host: str
    port: int
    transport: str = "udp"
    server: str | None = None
    relay_protocol: str | None = None

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host


class IgnoredCandidate(NamedTuple):
    """A candidate of the peer that is not used, and why."""

    candidate: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One configured URL. `code` is that of its error, 701 when it was not reached; None without one."""

    url: str
    code: int | None = None
    reason: str = ""
    hint: str = ""
    gave: tuple[str, ...] = ()
    """The addresses of the candidates it gave."""

    @property
    def is_turn(self) -> bool:
        return self.url.partition(":")[0].lower() in ("turn", "turns")

    @property
    def failed(self) -> bool:
        return self.code is not None and not self.gave


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """One candidate pair, what its checks did, and why it failed."""

    local: CandidateFacts
    remote: CandidateFacts
    state: str
    failure: str | None = None
    selected: bool = False
    nominated: bool = False
    rtt: float | None = None
    requests_sent: int = 0
    requests_received: int = 0
    responses_sent: int = 0
    responses_received: int = 0

    @property
    def relayed(self) -> bool:
        return "relay" in (self.local.type, self.remote.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class DtlsFacts:
    """`error` is the class of what ended it (`FingerprintMismatch`, `DtlsAlertError`, `TimedOut`)."""

    state: str = "new"
    role: str | None = None
    version: str | None = None
    srtp_profile: str | None = None
    """What media is protected with; None before the handshake has ended, or where no profile was in common."""
    error: str | None = None
    error_text: str = ""
    datagrams_sent: int = 0
    datagrams_received: int = 0
    messages_received: int = 0
    """Whole messages of the handshake: an alert after the end is none."""
    largest_bytes: int = 1200
    local_fingerprints: tuple[str, ...] = ()
    remote_fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """Everything that is known about one connection at one moment."""

    connection_state: str = "new"
    reason: str = ""
    """Why the connection state is what it is, as far as it was told."""
    signaling_state: str = "stable"
    gathering_state: str = "new"
    ice_state: str = "new"
    ice_reason: str = ""
    """What ICE says about its failure."""
    controlling: bool = False
    relay_only: bool = False
    local_description: bool = False
    remote_description: bool = False
    remote_parameters: bool = False
    """Whether the peer's ICE credentials are in use."""
    remote_end_of_candidates: bool = False
    local_candidates: tuple[CandidateFacts, ...] = ()
    local_addresses: int = 0
    """Sockets of ours; under relay-only there are some without a candidate."""
    remote_candidates: tuple[CandidateFacts, ...] = ()
    """Peer-reflexive ones included."""
    ignored_candidates: tuple[IgnoredCandidate, ...] = ()
    servers: tuple[ServerFacts, ...] = ()
    pairs: tuple[PairFacts, ...] = ()
    """The best first."""
    dtls: DtlsFacts = field(default_factory=DtlsFacts)
    data_wanted: bool = False
    media_wanted: bool = False
    sctp_state: str | None = None
    drops: Mapping[str, int] = field(default_factory=dict)
    datagrams_sent: int = 0
    datagrams_received: int = 0
    ages: Mapping[Moment, float] = field(default_factory=dict)
    """How long ago each moment was, the last time that it happened."""

    def age(self, moment: Moment) -> float | None:
        return self.ages.get(moment)

    def between(self, first: Moment, then: Moment) -> float | None:
        """The time from one moment to another one that came after it; None when it did not."""
        start, end = self.ages.get(first), self.ages.get(then)
        return None if start is None or end is None or start < end else start - end

    @property
    def selected(self) -> PairFacts | None:
        return next((pair for pair in self.pairs if pair.selected), None)

    @property
    def had_path(self) -> bool:
        """Whether ICE was connected since it last began to check."""
        connected, checking = self.ages.get(Moment.ICE_CONNECTED), self.ages.get(Moment.CHECKING)
        return connected is not None and (checking is None or connected <= checking)

    @property
    def relays(self) -> tuple[CandidateFacts, ...]:
        return tuple(one for one in self.local_candidates if one.type == "relay")

    @property
    def signalled(self) -> tuple[CandidateFacts, ...]:
        """The peer's candidates without those that we learned from its checks."""
        return tuple(one for one in self.remote_candidates if one.type != "prflx")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        values["ages"] = {moment.value: round(age, 3) for moment, age in self.ages.items()}
        values["drops"] = dict(self.drops)
        values["ignored_candidates"] = [one._asdict() for one in self.ignored_candidates]
        return values


class Verdict(StrEnum):
    """The conclusion, as a code that does not change. What each means stands in the README's table."""

    CONNECTED = "connected"
    CONNECTING = "connecting"
    NOT_STARTED = "not-started"
    NO_ANSWER = "no-remote-description"
    OFFER_NOT_ANSWERED = "offer-not-answered"
    CLOSED = "closed"
    PEER_CLOSED = "peer-closed"
    PEER_SILENT = "peer-silent"
    LOCAL_ADDRESS_LOST = "local-address-lost"
    NO_LOCAL_ADDRESS = "no-local-address"
    NO_REMOTE_CANDIDATES = "no-remote-candidates"
    MDNS_UNRESOLVED = "mdns-unresolved"
    ADDRESS_FAMILY_MISMATCH = "address-family-mismatch"
    REMOTE_CANDIDATES_UNUSABLE = "remote-candidates-unusable"
    WRONG_ICE_CREDENTIALS = "wrong-ice-credentials"
    ONE_WAY = "one-way"
    UDP_BLOCKED = "udp-blocked"
    STUN_SERVER_SILENT = "stun-server-silent"
    STUN_NAME_UNRESOLVED = "stun-name-unresolved"
    STUN_SERVER_REFUSED = "stun-server-refused"
    TURN_CREDENTIALS_REFUSED = "turn-credentials-refused"
    TURN_QUOTA_REACHED = "turn-quota-reached"
    TURN_PEER_FORBIDDEN = "turn-peer-forbidden"
    TURN_CERTIFICATE_INVALID = "turn-certificate-invalid"
    TURN_CONNECTION_REFUSED = "turn-connection-refused"
    TURN_NAME_UNRESOLVED = "turn-name-unresolved"
    TURN_SERVER_SILENT = "turn-server-silent"
    TURN_SERVER_REFUSED = "turn-server-refused"
    RELAY_ONLY_WITHOUT_RELAY = "relay-only-without-relay"
    NO_SERVERS = "no-servers"
    NO_DIRECT_PATH = "no-direct-path"
    CHECKS_UNANSWERED = "checks-unanswered"
    DTLS_FINGERPRINT_MISMATCH = "dtls-fingerprint-mismatch"
    DTLS_REFUSED = "dtls-refused"
    DTLS_UNANSWERED = "dtls-unanswered"
    DTLS_INTERRUPTED = "dtls-interrupted"
    DATA_CHANNELS_UNANSWERED = "data-channels-unanswered"
    MEDIA_UNPROTECTED = "media-unprotected"


_CALM = frozenset({Verdict.CONNECTED, Verdict.CONNECTING, Verdict.NOT_STARTED, Verdict.CLOSED, Verdict.PEER_CLOSED})


class Finding(NamedTuple):
    """One thing that is known. `good` is None where it is neither."""

    topic: str
    text: str
    good: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a connection is as it is. `str()` is for a terminal, `to_json()` for programs."""

    verdict: Verdict
    summary: str
    """One sentence."""
    findings: tuple[Finding, ...] = ()
    """What was tried and what became of it, in the order in which a connection comes about."""
    advice: tuple[str, ...] = ()
    """What to do, the most likely first."""

    @property
    def failed(self) -> bool:
        """Whether something is wrong."""
        return self.verdict not in _CALM

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "failed": self.failed,
            "summary": self.summary,
            "findings": [one._asdict() for one in self.findings],
            "advice": list(self.advice),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)

    def __str__(self) -> str:
        lines = [f"{self.summary}  [{self.verdict}]"]
        width = max((len(one.topic) for one in self.findings), default=0)
        last = ""
        for topic, text, good in self.findings:
            mark = " " if good is None else "+" if good else "!"
            lines.append(f"  {'' if topic == last else topic:<{width}} {mark} {text}")
            last = topic
        if self.advice:
            lines.append("  what to do")
            lines += [f"    - {one}" for one in self.advice]
        return "\n".join(lines)
