"""The values that negotiation takes and gives.

Spec: RFC 9429 sections 3.2 (states), 4.1.8 to 4.1.11 (descriptions), W3C webrtc-pc section 4.7.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from ...base import (
    SYSTEM_ENTROPY,
    Candidate,
    Entropy,
    Fingerprint,
    IceParameters,
    SctpParameters,
    random_u64,
    random_word,
)
from ...errors import InvalidArgumentError
from ...sdp import SessionDescription
from ..config import BundlePolicy
from ..parameters import TransceiverHandle
from .rtp_plan import RtpPlan, TrackChange
from .transceivers import Transceiver

DEFAULT_SCTP = SctpParameters(max_message_size=262144)
"""256 KiB messages, what Chromium announces: large enough for every use seen, small enough to buffer a few."""


class SdpType(StrEnum):
    """W3C RTCSdpType."""

    OFFER = "offer"
    PRANSWER = "pranswer"
    ANSWER = "answer"
    ROLLBACK = "rollback"


class SignalingState(StrEnum):
    """W3C RTCSignalingState."""

    STABLE = "stable"
    HAVE_LOCAL_OFFER = "have-local-offer"
    HAVE_REMOTE_OFFER = "have-remote-offer"
    HAVE_LOCAL_PRANSWER = "have-local-pranswer"
    HAVE_REMOTE_PRANSWER = "have-remote-pranswer"
    CLOSED = "closed"


class DtlsRole(StrEnum):
    """Who sends the ClientHello: the active side is the client (RFC 8842 section 4)."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A typed session description, as signalling carries it."""

    type: SdpType
    sdp: SessionDescription

    @classmethod
    def parse(cls, type: SdpType | str, text: str) -> Description:
        """Reads the text of a description; a rollback needs none.

        Errors: `SdpParseError`; `InvalidArgumentError` for a type that does not exist.
        """
        try:
            kind = SdpType(type)
        except ValueError:
            raise InvalidArgumentError(f"unknown type {type[:20]!r}; allowed are {', '.join(SdpType)}") from None
        return cls(type=kind, sdp=SessionDescription() if kind is SdpType.ROLLBACK else SessionDescription.parse(text))

    @property
    def text(self) -> str:
        """The SDP as text."""
        return self.sdp.serialize()


ROLLBACK = Description(type=SdpType.ROLLBACK, sdp=SessionDescription())


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationConfig:
    """What negotiation accepts."""

    ice_lite: bool = False
    """True announces `a=ice-lite`; then a full peer always controls."""
    fingerprint_algorithms: tuple[str, ...] = ("sha-256", "sha-384", "sha-512")
    """Hash functions by which a peer's certificate is checked. MD and SHA-1 are left out: they no longer bind."""
    max_remote_candidates: int = 200
    """Remote candidates kept for a section; browsers with many interfaces and relays send some 50."""
    bundle_policy: BundlePolicy = BundlePolicy.BALANCED
    """How our offers bundle. There is one transport, so `balanced` and `max-compat` write the same; see README.md."""
    max_remote_sources: int = 64
    """Announced sources (`a=ssrc`) kept for a section; a simulcast of three layers has six."""
    max_receive_rids: int = 16
    """Simulcast layers taken from an offer; browsers send three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTransport:
    """What our side says about its transport, at the moment of the call."""

    ice: IceParameters
    """The credentials in use, to which `candidates` belong. Without options, `trickle ice2` is written."""
    next_ice: IceParameters | None = None
    """Fresh credentials, written when ICE restarts. May stay None if `ice` is renewed before a description is made."""
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...] = ()
    gathering_complete: bool = False
    sctp: SctpParameters = DEFAULT_SCTP
    """What we announce: port and the largest message that we take."""
    tls_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the application wants that may need a negotiation."""

    data_channel: bool = False
    """A data channel was created, so there must be a section for it."""
    ice_restart: bool = False
    """The next offer brings new ICE credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationState:
    """Where offer/answer stands. A value: every function returns a new one.

    Local descriptions are kept without candidates; `with_candidates` adds what has been gathered.
    """

    config: NegotiationConfig = NegotiationConfig()
    signaling_state: SignalingState = SignalingState.STABLE
    session_id: int
    session_version: int = 0
    """The version of the local description applied last, 0 before the first."""
    current_local: Description | None = None
    current_remote: Description | None = None
    pending_local: Description | None = None
    pending_remote: Description | None = None
    mids: tuple[str, ...] = ()
    """The mid of each section by index, those made up for a peer that writes none included."""
    created_offer: Description | None = None
    created_answer: Description | None = None
    controlling: bool | None = None
    """The ICE role hint: None before anything is known."""
    dtls_role: DtlsRole | None = None
    """Our role, from the first answer on."""
    fallback: NegotiationState | None = None
    """The stable state that a rollback returns to."""
    transceivers: tuple[Transceiver, ...] = ()
    """In the order in which they were made. Those that are stopped leave when that is negotiated."""
    next_handle: int = 1
    """The handle of the next transceiver; handles are never used again."""
    next_mid: int = 0
    """The number of the next mid that we make; mids are not used again even when a section is."""
    carried: tuple[str, ...] = ()
    """The mids of the sections that our transport carries since the last answer."""
    offered: tuple[TransceiverHandle | None, ...] = ()
    """The transceiver of each section of `created_offer`."""
    seed: bytes = b""
    """From which the SSRCs of our transceivers are hashed."""
    cname: str = ""
    """Our canonical name in RTCP and `a=ssrc`: one a session, and a random one (RFC 7022)."""

    @classmethod
    def start(cls, entropy: Entropy = SYSTEM_ENTROPY, config: NegotiationConfig | None = None) -> NegotiationState:
        """A new session. Spec: RFC 9429 section 5.2.1: 63 random bits as its id."""
        return cls(
            session_id=random_u64(entropy) >> 1,
            config=config or NegotiationConfig(),
            seed=entropy.fork("sources").bytes(32),
            cname=random_word(entropy.fork("cname"), 16),
        )

    @property
    def local(self) -> Description | None:
        """W3C localDescription: the pending one, else the current one."""
        return self.pending_local or self.current_local

    @property
    def remote(self) -> Description | None:
        """W3C remoteDescription: the pending one, else the current one."""
        return self.pending_remote or self.current_remote

    @property
    def stable(self) -> NegotiationState:
        """The state as it was when it was last stable."""
        return self.fallback if self.fallback is not None else self


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlan:
    """What became of one section."""

    index: int
    mid: str
    kind: str
    alive: bool
    """False: rejected by a side, or of a kind that is not served."""
    transport: str | None
    """The `TransportPlan.id` that carries it; None if not alive."""
    transceiver: TransceiverHandle | None = None
    """The transceiver of an RTP section."""
    rtp: RtpPlan | None = None
    """What is agreed for an RTP section that is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportPlan:
    """What one transport (a bundle: ICE, DTLS, SCTP) shall do, as far as it is known by now."""

    id: str
    """The mid of its first section."""
    mids: tuple[str, ...]
    controlling: bool
    local_ice: IceParameters | None
    """The credentials that the local description names; None before there is one."""
    remote_ice: IceParameters | None
    local_ice_restart: bool = False
    """`local_ice` differs from what the last stable state had."""
    remote_ice_restart: bool = False
    """`remote_ice` differs from what the last stable state had."""
    remote_candidates: tuple[Candidate, ...] = ()
    """Those written in the remote description, component 1 only."""
    remote_end_of_candidates: bool = False
    dtls_role: DtlsRole | None = None
    remote_fingerprints: tuple[Fingerprint, ...] = ()
    """Those whose hash function is accepted; a certificate must match one of them."""
    remote_tls_id: str | None = None
    new_dtls_association: bool = False
    """The peer changed its tls-id or fingerprints: the old association ends (RFC 8842 section 4)."""
    sctp: SctpParameters | None = None
    """The peer's port and message limit; None before it is known, or if no data section is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the transports shall do after a description was applied."""

    signaling_state: SignalingState
    media: tuple[MediaPlan, ...] = ()
    transports: tuple[TransportPlan, ...] = ()
    gather: bool = False
    """A local description with a live section is set: gathering may run."""
    answered: bool = False
    """Both sides are known: checks may run with `remote_ice`, and DTLS with `dtls_role`."""
    rolled_back: bool = False
    """The offer was taken back: go on with exactly what stands here."""
    tracks: tuple[TrackChange, ...] = ()
    """Remote tracks that begin or end with this description, in W3C's order: removals first."""
    created_transceivers: tuple[TransceiverHandle, ...] = ()
    """Those that this remote offer made."""
    removed_transceivers: tuple[TransceiverHandle, ...] = ()
    """Those that vanish because the offer that made them was taken back."""
    stopped_transceivers: tuple[TransceiverHandle, ...] = ()
    """Those that ended with this description: stopped by us or rejected by the peer."""

    @property
    def main_transport(self) -> TransportPlan | None:
        """The transport that we run: there is one, and everything alive is on it."""
        return self.transports[0] if self.transports else None

    def transport_of(self, mid: str) -> TransportPlan | None:
        """The transport that carries section `mid`."""
        return next((transport for transport in self.transports if mid in transport.mids), None)

    @property
    def data_transport(self) -> TransportPlan | None:
        """The transport of the data section."""
        for media in self.media:
            if media.alive and media.kind == "application":
                return self.transport_of(media.mid)
        return None


class Created(NamedTuple):
    """A description was made, and is remembered as the one that may be applied."""

    state: NegotiationState
    description: Description


class Applied(NamedTuple):
    """A description was applied."""

    state: NegotiationState
    plan: Plan


def renewed(state: NegotiationState, session_version: int) -> NegotiationState:
    """`state` with a version that never goes back, so that two contents never share one."""
    return replace(state, session_version=max(session_version, state.session_version))
