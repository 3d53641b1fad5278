"""Why something did not work, in words for people: of a whole session, and of candidates that met nobody."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..base import Candidate, TcpType
from .candidates import Remote
from .locals import LocalCandidates

if TYPE_CHECKING:
    from .session import Session


def explain_failure(session: Session, local: LocalCandidates) -> str:
    """Why a session ends that never had a valid pair, or lost the last one with its address."""
    if session.ever_selected:
        return "the address or stream that carried the data is gone, and no other pair works"
    if not local.bases:
        return "there is no local address to check from"
    pairs = session.checklist.pairs.values()
    if pairs:
        reasons = Counter(pair.failure or "no answer yet" for pair in pairs)
        told = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
        return f"none of {len(pairs)} candidate pairs works: {told}"
    ignored = ignored_candidates(session, local)
    if ignored:
        reasons = Counter(reason for _, reason in ignored)
        told = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
        return f"none of the peer's {len(ignored)} candidates can be used: {told}"
    if session.remote_complete:
        return "the peer has no candidates"
    return "no candidate of the peer came, and none of its checks"


def why_unusable(candidate: Candidate, ufrag: str) -> tuple[str, str] | None:
    """Why a candidate of the peer is of no use, whatever its address: in words, and for counting."""
    if candidate.transport not in ("udp", "tcp"):
        return f"its transport is {candidate.transport}", "remote candidate transport"
    if candidate.transport == "tcp" and candidate.tcp_type is not TcpType.PASSIVE:
        if candidate.tcp_type is TcpType.ACTIVE:
            return "it is an active TCP candidate: its owner connects to us", "remote candidate transport"
        return "it is a TCP candidate that does not listen", "remote candidate transport"
    if candidate.component != 1:  # Firefox offers one for RTCP in spite of rtcp-mux
        return f"it is of component {candidate.component}, and all runs over the first", "remote candidate component"
    if candidate.ufrag is not None and candidate.ufrag != ufrag:
        return "it is of another generation", "remote candidate of another generation"
    return None


def ignored_candidates(session: Session, local: LocalCandidates) -> list[tuple[Candidate, str]]:
    """Signalled candidates that are in no pair, and why."""
    ignored = list(session.remotes.ignored)
    if session.remote is None or not session.pairs_up:
        return ignored
    paired = {pair.remote for pair in session.checklist.pairs.values()}
    for remote in session.remotes.all:
        if not remote.learned and remote not in paired:
            ignored.append((remote.candidate, _why_alone(remote, local)))
    return ignored


def _why_alone(remote: Remote, local: LocalCandidates) -> str:
    transport = remote.candidate.transport
    bases = [base for base in local.bases.values() if base.origin.transport == transport]
    if transport == "tcp" and not any(base.origin.tcp_type is TcpType.ACTIVE for base in bases):
        return "nothing here connects over TCP"
    family = "IPv6" if remote.address.is_ipv6 else "IPv4"
    bases = [base for base in bases if base.address.is_ipv6 == remote.address.is_ipv6]
    if not bases:
        return f"there is no local {family} address"
    if remote.link_local:
        return "there is no local link-local address"
    if remote.loopback:
        return "it is the loopback address of another machine"
    if all(base.link_local for base in bases):
        return f"the local {family} addresses are link-local"
    if all(base.loopback for base in bases):
        return f"the local {family} addresses are loopback"
    return "there are too many pairs"
