"""What is known, topic by topic, in the order in which a connection comes about."""

from __future__ import annotations

from typing import Final

from .values import ConnectionFacts, Finding, Moment, PairFacts, ServerFacts
from .wording import candidate, count, duration, fold, listing, pair, plain

_MAX_PAIRS: Final = 12
_SLOW_GATHERING: Final = 2.0
_SLOW_CHECKS: Final = 1.0
_SLOW_HANDSHAKE: Final = 1.0
_SLOW_SIGNALLING: Final = 3.0
_LONG_ROUND_TRIP: Final = 0.3


def find(facts: ConnectionFacts) -> tuple[Finding, ...]:
    """All findings."""
    return (
        *_signalling(facts),
        *_servers(facts),
        *_candidates(facts),
        *_checks(facts),
        *_dtls(facts),
        *_path(facts),
        *_timing(facts),
        *_drops(facts),
    )


def _signalling(facts: ConnectionFacts) -> list[Finding]:
    topic = "signalling"
    out = []
    for present, moment, name in (
        (facts.local_description, Moment.LOCAL_DESCRIPTION, "our description"),
        (facts.remote_description, Moment.REMOTE_DESCRIPTION, "the peer's description"),
    ):
        age = facts.age(moment)
        when = f" {duration(age)} ago" if age is not None else ""
        out.append(Finding(topic, f"{name} was set{when}" if present else f"{name} was not set", present))
    if facts.remote_description:
        ended = "end of candidates signalled" if facts.remote_end_of_candidates else "end of candidates not signalled"
        age = facts.age(Moment.REMOTE_CANDIDATE)
        latest = f", the latest trickled {duration(age)} ago" if age is not None else ""
        number = len(facts.signalled)
        out.append(Finding(topic, f"{count(number, 'candidate')} of the peer{latest}; {ended}", number > 0 or None))
    return out


def _servers(facts: ConnectionFacts) -> list[Finding]:
    return [_server(one, facts.gathering_state) for one in facts.servers]


def _server(server: ServerFacts, gathering: str) -> Finding:
    url = plain(server.url)
    if server.gave:
        lost = f", then failed: {server.code} {plain(server.reason)}" if server.code is not None else ""
        return Finding("servers", f"{url} gave {plain(listing(server.gave))}{lost}", not lost)
    if server.code is None:
        if gathering == "complete":
            return Finding("servers", f"{url} gave nothing new")
        return Finding("servers", f"{url} has not answered yet" if gathering == "gathering" else f"{url} not asked yet")
    code = "" if server.code == 701 else f"{server.code} "
    hint = f" ({plain(server.hint)})" if server.hint else ""
    return Finding("servers", f"{url} failed: {code}{plain(server.reason)}{hint}", False)


def _candidates(facts: ConnectionFacts) -> list[Finding]:
    topic = "candidates"
    out = []
    if facts.local_description or facts.local_candidates:
        ours = [candidate(one) for one in facts.local_candidates]
        only = " (only relays may be used)" if facts.relay_only else ""
        out.append(Finding(topic, f"ours: {listing(ours, 6) or 'none'}{only}", bool(ours)))
    if facts.remote_description:
        theirs = [candidate(one) for one in facts.remote_candidates]
        out.append(Finding(topic, f"the peer's: {listing(theirs, 6) or 'none'}", bool(theirs)))
    ignored = [
        f"{plain(_short(one.candidate), 60)}: {plain(one.reason)}"
        for one in facts.ignored_candidates
        if facts.local_candidates or "no local" not in one.reason  # without any of ours that goes without saying
    ]
    out += [Finding(topic, f"not used: {text}") for text in fold(ignored)[:_MAX_PAIRS]]
    return out


def _short(text: str) -> str:
    """`10.0.0.1:5000 (tcp host)` of a candidate line."""
    words = text.split()
    if len(words) < 8:
        return text
    return f"{words[4]}:{words[5]} ({words[2]} {words[7]})"


def _checks(facts: ConnectionFacts) -> list[Finding]:
    out = []
    shown = [one for one in facts.pairs if not one.selected]
    for one in shown[:_MAX_PAIRS]:
        out.append(Finding("checks", f"{pair(one)}: {_outcome(one)}", True if one.state == "succeeded" else None))
    if facts.selected is None:
        out = [one._replace(good=False) if one.good is None else one for one in out]
    if len(shown) > _MAX_PAIRS:
        out.append(Finding("checks", f"and {count(len(shown) - _MAX_PAIRS, 'more pair')}"))
    if facts.ice_state == "failed" and facts.ice_reason:
        out.append(Finding("checks", f"ICE gave up: {plain(facts.ice_reason)}", False))
    return out


def _outcome(one: PairFacts) -> str:
    if one.failure:
        text = plain(one.failure)
    elif one.state == "succeeded":
        text = "works" if one.rtt is None else f"works, round trip {duration(one.rtt)}"
    elif not one.requests_sent:
        text = "not checked yet"
    else:
        text = f"{count(one.requests_sent, 'check')} sent, {one.responses_received} answered"
    if one.requests_received and not one.responses_received:
        text += f"; {one.requests_received} of the peer's checks came"
    return text


def _dtls(facts: ConnectionFacts) -> list[Finding]:
    dtls, topic = facts.dtls, "dtls"
    if dtls.state == "new":
        return []
    if dtls.state == "connected":
        out = [Finding(topic, f"{dtls.version}, as {dtls.role}", True)]
        if facts.media_wanted:
            out.append(Finding(topic, f"SRTP profile {dtls.srtp_profile or 'none in common'}", bool(dtls.srtp_profile)))
    elif dtls.state == "failed":
        out = [Finding(topic, f"failed: {plain(dtls.error_text)}", False)]
        if dtls.error == "FingerprintMismatch":
            out += [Finding(topic, f"signalled: {plain(one)}") for one in dtls.remote_fingerprints]
    elif dtls.state == "closed":
        out = [Finding(topic, "closed in good order")]
    else:
        out = [Finding(topic, f"handshake as {dtls.role} not finished")]
    if dtls.state != "connected":
        out.append(Finding(topic, f"{count(dtls.datagrams_sent, 'datagram')} sent, {dtls.datagrams_received} received"))
    if facts.data_wanted and facts.sctp_state is not None and dtls.state == "connected":
        out.append(Finding("data", f"SCTP {facts.sctp_state}", facts.sctp_state == "established"))
    return out


def _path(facts: ConnectionFacts) -> list[Finding]:
    """Which path carries data, and why none that is better."""
    way = facts.selected
    if way is None:
        return []
    topic = "path"
    trip = "" if way.rtt is None else f", round trip {duration(way.rtt)}"
    out = [Finding(topic, f"{pair(way)}{trip}", True)]
    if way.local.relay_protocol not in (None, "udp"):
        out.append(
            Finding(topic, f"to the relay over {str(way.local.relay_protocol).upper()}: loss becomes delay there")
        )
    if way.rtt is not None and way.rtt > _LONG_ROUND_TRIP:
        out.append(Finding(topic, f"a long way: {duration(way.rtt)} to the peer and back", False))
    if not way.relayed:
        return out
    direct = [one for one in facts.pairs if not one.relayed]
    if facts.relay_only:
        out.append(Finding(topic, "not direct, because only relays may be used (ice_transport_policy)"))
    elif not direct:
        out.append(Finding(topic, "not direct, because no addresses of the two sides could be paired"))
    elif any(one.state == "succeeded" for one in direct):
        out.append(Finding(topic, "a direct pair works as well; the controlling side has not chosen it"))
    else:
        why = listing(fold([_outcome(one) for one in direct]), 3)
        out.append(Finding(topic, f"not direct, because {count(len(direct), 'direct pair')} did not work: {why}"))
    return out


def _timing(facts: ConnectionFacts) -> list[Finding]:
    """What took long, for a connection that stands or stood."""
    if Moment.CONNECTED not in facts.ages:
        return []
    topic = "timing"
    out = []
    described = facts.between(Moment.LOCAL_DESCRIPTION, Moment.REMOTE_DESCRIPTION)
    gathered = facts.between(Moment.GATHERING, Moment.GATHERED)
    checked = facts.between(Moment.CHECKING, Moment.ICE_CONNECTED)
    secured = facts.between(Moment.ICE_CONNECTED, Moment.DTLS_CONNECTED)
    if described is not None and described > _SLOW_SIGNALLING:
        out.append(Finding(topic, f"the answer took {duration(described)} to come", False))
    if gathered is not None and gathered > _SLOW_GATHERING:
        late = listing([plain(one.url) for one in facts.servers if one.failed])
        whose = f": {late} did not answer" if late else ""
        out.append(Finding(topic, f"gathering took {duration(gathered)}{whose}", False))
    if checked is not None and checked > _SLOW_CHECKS:
        out.append(Finding(topic, f"a working pair was found only after {duration(checked)}", False))
    if secured is not None and secured > _SLOW_HANDSHAKE:
        out.append(Finding(topic, f"the DTLS handshake took {duration(secured)}: packets were lost", False))
    if not out and checked is not None and secured is not None:
        out.append(Finding(topic, f"a path in {duration(checked)}, DTLS in {duration(secured)}", True))
    return out


def _drops(facts: ConnectionFacts) -> list[Finding]:
    if facts.connection_state in ("connected", "closed") or not facts.drops:
        return []
    worst = sorted(facts.drops.items(), key=lambda one: -one[1])[:6]
    text = listing([f"{plain(reason)} ({number})" for reason, number in worst], 6)
    return [Finding("dropped", text)]
