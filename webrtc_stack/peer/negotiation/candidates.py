"""Candidates in descriptions: ours written into a local one, the peer's trickled ones taken in.

Spec: RFC 9429 sections 4.1.14, 4.1.19, 5.2.1; RFC 8839 section 4.2.1; RFC 8838; RFC 8840; W3C addIceCandidate.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...base import Candidate, CandidateType
from ...errors import InvalidArgumentError, InvalidStateError, NegotiationError
from ...sdp import Attribute, Connection, MediaDescription, SessionDescription, candidate_line
from .plan import bundles_of, exchange_of
from .remote import sections_sharing, speaker
from .sections import DISCARD_PORT, NO_ADDRESS, placed
from .values import Description, LocalTransport, NegotiationState, SdpType, SignalingState

_PREFERENCE = {CandidateType.RELAY: 2, CandidateType.SRFLX: 1, CandidateType.HOST: 0}


def with_candidates(sdp: SessionDescription, local: LocalTransport) -> SessionDescription:
    """A description of ours with the candidates gathered so far.

    Sections with the credentials of `local.ice` get its candidates, its default destination in `m=` and `c=`, and
    `a=end-of-candidates` once gathering is complete; all others stay as they are.
    """
    if not local.candidates and not local.gathering_complete:
        return sdp
    media = tuple(_with_candidates(section, local) for section in sdp.media)
    return replace(sdp, media=media)


def _with_candidates(section: MediaDescription, local: LocalTransport) -> MediaDescription:
    if section.rejected or section.ice_ufrag != local.ice.ufrag:
        return section
    fresh: list[Attribute] = [candidate_line(candidate) for candidate in local.candidates]
    if local.gathering_complete:
        fresh.append(Attribute("end-of-candidates"))
    section = section.without("candidate", "end-of-candidates").adding(*fresh)
    if section.port == 0:
        return section
    connection, port = default_destination(local.candidates)
    return placed(section, connection, port)


def default_destination(candidates: Sequence[Candidate]) -> tuple[Connection, int]:
    """The address and port for `c=` and `m=`: the candidate most likely to work for a peer without ICE.

    Relayed before reflexive before host, IPv4 before IPv6, then by priority; UDP with an address literal only, because
    an mDNS name means nothing there. Without one it is 0.0.0.0 and port 9.
    """
    best: tuple[int, bool, int] | None = None
    connection, port = Connection.parse(NO_ADDRESS), DISCARD_PORT
    for candidate in candidates:
        if candidate.transport != "udp" or candidate.component != 1:
            continue
        try:
            version = ipaddress.ip_address(candidate.host.partition("%")[0]).version
        except ValueError:
            continue  # a name: see above
        rank = (_PREFERENCE.get(candidate.type, -1), version == 4, candidate.priority)
        if best is None or rank > best:
            best = rank
            connection = Connection(address_type=f"IP{version}", address=candidate.host)
            port = candidate.port
    return connection, port


@dataclass(frozen=True, slots=True, kw_only=True)
class TrickledCandidate:
    """A remote candidate as signalling brings it (W3C RTCIceCandidateInit); without one it is end-of-candidates."""

    candidate: Candidate | None
    mid: str | None = None
    index: int | None = None
    ufrag: str | None = None

    @classmethod
    def parse(
        cls,
        candidate: str | None,
        *,
        mid: str | None = None,
        index: int | None = None,
        ufrag: str | None = None,
    ) -> TrickledCandidate:
        """Reads the members of the JSON form. Firefox sends an empty string before the final null; both mean the end.

        Errors: `ParseError`.
        """
        parsed = Candidate.parse(candidate) if candidate is not None and candidate.strip() else None
        if ufrag is None and parsed is not None:
            ufrag = parsed.ufrag
        return cls(candidate=parsed, mid=mid, index=index, ufrag=ufrag)


class CandidateAdded(NamedTuple):
    """What a trickled candidate amounts to."""

    state: NegotiationState
    transports: tuple[str, ...]
    """The transports that shall have it; none if it is `ignored`."""
    candidate: Candidate | None
    """None is end-of-candidates."""
    ignored: str = ""
    """Why nothing is done with it."""


def add_remote_candidate(state: NegotiationState, trickled: TrickledCandidate) -> CandidateAdded:
    """Takes in one trickled candidate, or the end of them, and notes it in the remote description.

    Errors: `InvalidStateError` without a remote description, `InvalidArgumentError` without mid and index,
    `NegotiationError` for a section or a generation that does not exist.
    """
    if state.signaling_state is SignalingState.CLOSED:
        raise InvalidStateError("add_remote_candidate after close")
    remote = state.remote
    if remote is None:
        raise InvalidStateError("add_remote_candidate before a remote description; keep the candidate until one is set")
    if trickled.mid is None and trickled.index is None:
        if trickled.candidate is not None:
            raise InvalidArgumentError("a candidate needs its mid or its section index")
        ended = bundles_of(state, exchange_of(state)).members
        return CandidateAdded(_ended_everywhere(state), tuple(ended), None)
    index = _section_index(state, remote, trickled)
    section = remote.sdp.media[index]
    theirs = remote.sdp.ice_parameters(section)
    if trickled.ufrag is not None and theirs is not None and theirs.ufrag != trickled.ufrag:
        if _is_old_generation(state, index, trickled.ufrag):
            return CandidateAdded(state, (), trickled.candidate, "it belongs to the generation before the ICE restart")
        raise NegotiationError(
            f"the candidate is of ufrag {trickled.ufrag[:32]!r}; section {state.mids[index]!r} has {theirs.ufrag!r}"
        )
    if trickled.candidate is not None and trickled.candidate.component != 1:
        return CandidateAdded(state, (), trickled.candidate, "component 2 is not used beside rtcp-mux")
    line = Attribute("end-of-candidates") if trickled.candidate is None else candidate_line(trickled.candidate)
    known = line in section.lines
    if not known and trickled.candidate and len(section.texts("candidate")) >= state.config.max_remote_candidates:
        return CandidateAdded(state, (), trickled.candidate, "the section has as many candidates as are allowed")
    transports = _transports_for(state, remote, index)
    if not known:
        state = _noted(state, remote, remote.sdp.with_media(index, section.adding(line)))
    return CandidateAdded(state, transports, trickled.candidate, "" if transports else "its section is not in use")


def _section_index(state: NegotiationState, remote: Description, trickled: TrickledCandidate) -> int:
    count = len(remote.sdp.media)
    if trickled.mid is not None:
        if trickled.mid in state.mids[:count]:
            return state.mids.index(trickled.mid)
        raise NegotiationError(f"no section has the mid {trickled.mid[:32]!r} that the candidate names")
    index = trickled.index if trickled.index is not None else -1
    if not 0 <= index < count:
        raise NegotiationError(f"the candidate names section {index}; there are {count}")
    return index


def _is_old_generation(state: NegotiationState, index: int, ufrag: str) -> bool:
    before = state.stable.current_remote
    if before is None or before is state.remote or index >= len(before.sdp.media):
        return False
    ice = before.sdp.ice_parameters(before.sdp.media[index])
    return ice is not None and ice.ufrag == ufrag


def _transports_for(state: NegotiationState, remote: Description, index: int) -> tuple[str, ...]:
    """The transports that a candidate of section `index` may belong to.

    That of the section itself, or one of its BUNDLE group with the same credentials: see `remote_candidates`.
    """
    mid = state.mids[index]
    _, carrier, members = bundles_of(state, exchange_of(state))
    if mid in carrier:
        return (carrier[mid],)
    answer = remote.type is not SdpType.OFFER
    found = []
    for id_ in members:
        at = state.mids.index(id_)
        if at >= len(remote.sdp.media):
            continue
        speaks = speaker(remote.sdp, remote.sdp.media[at], answer=answer)
        if remote.sdp.media[index] in sections_sharing(remote.sdp, speaks, remote.sdp.ice_parameters(speaks)):
            found.append(id_)
    return tuple(found)


def _ended_everywhere(state: NegotiationState) -> NegotiationState:
    remote = state.remote
    if remote is None:
        return state
    end = Attribute("end-of-candidates")
    media = tuple(
        section if section.rejected or end in section.lines else section.adding(end) for section in remote.sdp.media
    )
    return _noted(state, remote, replace(remote.sdp, media=media))


def _noted(state: NegotiationState, remote: Description, sdp: SessionDescription) -> NegotiationState:
    noted = replace(remote, sdp=sdp)
    if state.pending_remote is remote:
        return replace(state, pending_remote=noted)
    state = replace(state, current_remote=noted)
    if state.fallback is not None:
        state = replace(state, fallback=replace(state.fallback, current_remote=noted))
    return state
