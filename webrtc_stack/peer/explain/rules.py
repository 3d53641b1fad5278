"""From facts to a verdict: rules in order, each a function of the facts, the first that speaks wins.

The order is that of certainty: what has ended, what the last layer said, what worked before, what never came, and only
then what silence may mean. A rule says nothing rather than guess while something may still come: see `PATIENCE`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from .servers import all_silent, turn_trouble
from .values import ConnectionFacts, Moment, Verdict
from .wording import count, duration, listing, pair, plain

PATIENCE: Final = 5.0
"""Seconds: most connections stand within one, slow ones within five; before that, silence means nothing."""


class Diagnosis(NamedTuple):
    """What a rule concludes."""

    verdict: Verdict
    summary: str
    advice: tuple[str, ...] = ()


def diagnose(facts: ConnectionFacts) -> Diagnosis:
    """The first rule that has something to say; there always is one."""
    for rule in RULES:
        found = rule(facts)
        if found is not None:
            return found
    return Diagnosis(Verdict.CONNECTING, "connecting")


# --- ended ----------------------------------------------------------------------------------------------------------


def _closed(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.connection_state != "closed":
        return None
    if facts.reason == "the peer closed the connection":
        return Diagnosis(
            Verdict.PEER_CLOSED, "the peer closed the connection", ("nothing went wrong: it said goodbye",)
        )
    why = "" if facts.reason in ("", "closed") else f": {plain(facts.reason)}"
    return Diagnosis(Verdict.CLOSED, f"the connection was closed here{why}")


def _dtls_failed(facts: ConnectionFacts) -> Diagnosis | None:
    dtls = facts.dtls
    if dtls.state != "failed":
        return None
    if dtls.error == "FingerprintMismatch":
        return Diagnosis(
            Verdict.DTLS_FINGERPRINT_MISMATCH,
            "the peer shows another certificate than the one that signalling announced",
            (
                "see that both descriptions belong to the same attempt: a stale or mixed-up answer does this",
                "a middlebox that rewrites SDP, or somebody in between, does this too: do not switch the check off",
            ),
        )
    if dtls.error == "TimedOut":
        return _dtls_silence(facts)
    return Diagnosis(
        Verdict.DTLS_REFUSED,
        f"the DTLS handshake was refused: {plain(dtls.error_text)}",
        ("compare what both sides offer (versions, cipher suites, certificates); a key log and a capture show more",),
    )


def _dtls_silence(facts: ConnectionFacts) -> Diagnosis:
    dtls = facts.dtls
    way = facts.selected
    where = "" if way is None else f" on {pair(way)}"
    if not dtls.messages_received:
        return Diagnosis(
            Verdict.DTLS_UNANSWERED,
            f"ICE checks are answered{where}, but nothing of DTLS came back",
            (
                f"checks are small, DTLS is not: if the way does not carry {dtls.largest_bytes} bytes, lower dtls_mtu",
                "a firewall may let STUN through and nothing else; TURN over TLS (turns:) gets around it",
                "see that the peer has our description too: without it, it does not begin DTLS",
            ),
        )
    return Diagnosis(
        Verdict.DTLS_INTERRUPTED,
        f"the DTLS handshake began{where} and never came to its end: {count(dtls.datagrams_received, 'datagram')} "
        f"came, {dtls.datagrams_sent} were sent",
        (
            "the flights with certificates are the largest: if the MTU is small, lower dtls_mtu on both sides",
            "a path that loses nearly everything does this too: look at the counters of the pair",
        ),
    )


# --- it stands ------------------------------------------------------------------------------------------------------


def _connected(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.connection_state != "connected":
        return None
    secured = facts.age(Moment.DTLS_CONNECTED) or 0.0
    if facts.data_wanted and facts.sctp_state in ("cookie-wait", "cookie-echoed") and secured > PATIENCE:
        return Diagnosis(
            Verdict.DATA_CHANNELS_UNANSWERED,
            f"the connection stands, but the peer has not answered SCTP for {duration(secured)}: no data channel opens",
            ("see that the peer's description has the data section (m=application) and that it was not rejected",),
        )
    if facts.media_wanted and facts.dtls.state == "connected" and facts.dtls.srtp_profile is None:
        return Diagnosis(
            Verdict.MEDIA_UNPROTECTED,
            "the connection stands, but DTLS agreed on no SRTP profile: no audio or video can be sent or taken",
            (
                "compare srtp_profiles of both sides: one must be in common (browsers take all three of the defaults)",
                "see that the peer's DTLS speaks use_srtp (RFC 5764) at all",
            ),
        )
    way = facts.selected
    if way is None:
        return Diagnosis(Verdict.CONNECTED, "connected")
    if way.relayed:
        side = "our" if way.local.type == "relay" else "the peer's"
        return Diagnosis(Verdict.CONNECTED, f"connected through {side} relay: {pair(way)}")
    return Diagnosis(Verdict.CONNECTED, f"connected directly: {pair(way)}")


def _path_lost(facts: ConnectionFacts) -> Diagnosis | None:
    if not facts.had_path or facts.ice_state not in ("disconnected", "failed"):
        return None
    lost, silent = facts.age(Moment.LOCAL_ADDRESS_LOST), facts.age(Moment.ICE_DISCONNECTED)
    if lost is not None and (not facts.local_addresses or (silent is not None and abs(lost - silent) < 0.5)):
        return Diagnosis(
            Verdict.LOCAL_ADDRESS_LOST,
            f"the address that the connection used went away {duration(lost)} ago",
            ("the network changed (Wi-Fi off, cable out, VPN): call restart_ice() once there is an address again",),
        )
    since = "" if silent is None else f" {duration(silent)} ago"
    if facts.ice_state == "disconnected":
        ended, then = "", "it may come back by itself; restart_ice() finds another path sooner"
    else:
        ended, then = "; its consent to receive has run out", "restart_ice() finds another path, if there is one"
    return Diagnosis(
        Verdict.PEER_SILENT,
        f"the connection stood, then the peer stopped answering{since}{ended}",
        (then, "the peer's program may have ended without a word, its network changed, or a NAT forgotten the path"),
    )


def _dtls_pending(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.selected is None or facts.dtls.state not in ("new", "connecting"):
        return None
    if (facts.age(Moment.ICE_CONNECTED) or 0.0) > PATIENCE:
        return _dtls_silence(facts)
    return Diagnosis(Verdict.CONNECTING, "a path is there, the DTLS handshake is on its way")


# --- signalling -----------------------------------------------------------------------------------------------------


def _signalling(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.signaling_state == "have-remote-offer" and not facts.remote_parameters:
        return Diagnosis(
            Verdict.OFFER_NOT_ANSWERED,
            f"the peer's offer came{_ago(facts, Moment.REMOTE_DESCRIPTION)} and was not answered here",
            ("call set_local_description() and send the answer",),
        )
    if facts.remote_parameters:
        return None
    if facts.local_description:
        return Diagnosis(
            Verdict.NO_ANSWER,
            f"our description was set{_ago(facts, Moment.LOCAL_DESCRIPTION)} and the peer's has never come",
            (
                "see that the offer reaches the peer and that its answer is given to set_remote_description()",
                "signalling is the application's: look at the WebSocket or HTTP exchange that carries it",
            ),
        )
    return Diagnosis(
        Verdict.NOT_STARTED,
        "no description has been set: nothing was tried yet",
        ("make an offer, or give the peer's to set_remote_description()",),
    )


def _ago(facts: ConnectionFacts, moment: Moment) -> str:
    age = facts.age(moment)
    return "" if age is None else f" {duration(age)} ago"


# --- our side -------------------------------------------------------------------------------------------------------


def _local_side(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.local_candidates:
        return None
    if facts.gathering_state != "complete" and (facts.age(Moment.GATHERING) or 0.0) < PATIENCE:
        return Diagnosis(Verdict.CONNECTING, "gathering: no candidate of ours is known yet")
    if not facts.local_addresses:
        if Moment.LOCAL_ADDRESS_LOST in facts.ages:
            return Diagnosis(
                Verdict.LOCAL_ADDRESS_LOST,
                f"every local address went away, the last one{_ago(facts, Moment.LOCAL_ADDRESS_LOST)}",
                ("the network changed: call restart_ice() once there is an address again",),
            )
        return Diagnosis(
            Verdict.NO_LOCAL_ADDRESS,
            "this machine has no address to connect from",
            ("see that a network is up, and that the address policy does not exclude it (loopback must be asked for)",),
        )
    if not facts.relay_only:
        return None
    trouble = turn_trouble(facts)
    if trouble is not None and trouble[0] not in (Verdict.TURN_SERVER_SILENT, Verdict.TURN_NAME_UNRESOLVED):
        return Diagnosis(*trouble)
    why = "" if trouble is None else f": {trouble[1]}"
    return Diagnosis(
        Verdict.RELAY_ONLY_WITHOUT_RELAY,
        f"only relays may be used (ice_transport_policy), and no TURN server gave one{why}",
        (
            *(() if trouble is None else trouble[2]),
            "allow direct paths (ice_transport_policy all), or add a TURN server that can be reached",
        ),
    )


# --- the peer's side ------------------------------------------------------------------------------------------------


def _patience(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.ice_state == "failed":
        return None
    moments = (Moment.REMOTE_DESCRIPTION, Moment.REMOTE_CANDIDATE, Moment.LOCAL_ADDRESS, Moment.CHECKING)
    latest = min((age for moment in moments if (age := facts.age(moment)) is not None), default=0.0)
    if latest >= PATIENCE:
        return None
    tried = sum(one.requests_sent > 0 for one in facts.pairs)
    return Diagnosis(Verdict.CONNECTING, f"connecting: {count(tried, 'pair')} tried, no path yet")


def _remote_side(facts: ConnectionFacts) -> Diagnosis | None:
    if facts.pairs:
        return None
    if not facts.remote_candidates:
        ignored = facts.ignored_candidates
        if not ignored:
            ended = "it said that there are none" if facts.remote_end_of_candidates else "signalling may have stopped"
            return Diagnosis(
                Verdict.NO_REMOTE_CANDIDATES,
                f"the descriptions are exchanged, but no candidate of the peer has ever come ({ended})",
                (
                    "see that each of the peer's candidates is sent and given to add_ice_candidate()",
                    "or send the description only when gathering is complete: then it contains them",
                ),
            )
        hidden = [one for one in ignored if ".local" in one.candidate and "name" in one.reason]
        if hidden:
            return Diagnosis(
                Verdict.MDNS_UNRESOLVED,
                f"the peer hides its addresses behind {count(len(hidden), 'name')} ending in .local, and nobody on "
                "this network knows them",
                (
                    "such names work within one network only, and with zeroconf installed (webrtc-stack[mdns])",
                    "give the peer a STUN or TURN server: then it has an address that others can use",
                    "a page that has camera or microphone permission does not hide its addresses",
                ),
            )
        reasons = listing(list(dict.fromkeys(plain(one.reason) for one in ignored)))
        return Diagnosis(
            Verdict.REMOTE_CANDIDATES_UNUSABLE,
            f"none of the peer's {count(len(ignored), 'candidate')} can be used: {reasons}",
            ("give the peer a STUN or TURN server, and let it gather UDP candidates",),
        )
    ours = {one.is_ipv6 for one in facts.local_candidates}
    theirs = {one.is_ipv6 for one in facts.remote_candidates}
    if not ours & theirs:
        have, want = ("IPv6", "IPv4") if True in ours else ("IPv4", "IPv6")
        return Diagnosis(
            Verdict.ADDRESS_FAMILY_MISMATCH,
            f"we have {have} only and the peer has {want} only: the two cannot meet",
            ("a TURN server that relays both families joins them (RFC 8656)", f"or get an {want} address here"),
        )
    return Diagnosis(
        Verdict.REMOTE_CANDIDATES_UNUSABLE,
        "none of the peer's addresses can be paired with one of ours (loopback and link-local meet only their like)",
        ("give both sides a STUN or TURN server",),
    )


# --- checks ---------------------------------------------------------------------------------------------------------


def _wrong_credentials(facts: ConnectionFacts) -> Diagnosis | None:
    refused = any("peer refused: 401" in (one.failure or "") for one in facts.pairs)
    strange = (
        "ice: request refused with 401",
        "ice: check of another remote ufrag",
        "ice: early check of another peer",
        "ice: response integrity",
    )
    seen = [one for one in strange if facts.drops.get(one)]
    if any(one.state == "succeeded" for one in facts.pairs) or not (refused or seen):
        return None
    if refused:
        whose = "the peer refuses our checks (401)"
    elif "ice: response integrity" in seen:
        whose = "what the peer answers is not signed with the password that its description has"
    else:
        whose = "the checks that come are those of another attempt"
    return Diagnosis(
        Verdict.WRONG_ICE_CREDENTIALS,
        f"the two sides hold different ICE credentials: {whose}",
        (
            "the offer and the answer do not belong together: a stale answer, or one of another connection, was given",
            "after an ICE restart the new offer must be answered before its candidates are used",
        ),
    )


def _forbidden(facts: ConnectionFacts) -> Diagnosis | None:
    refused = [one for one in facts.pairs if "relay refused" in (one.failure or "")]
    if not refused:
        return None
    hosts = listing(list(dict.fromkeys(one.remote.host for one in refused)))
    return Diagnosis(
        Verdict.TURN_PEER_FORBIDDEN,
        f"our TURN server refuses to relay to the peer's addresses ({plain(hosts)}): {plain(refused[0].failure or '')}",
        (
            "servers mostly forbid private ranges: let the peer gather a public address (STUN), or a relay of its own",
            "on a server of your own, allow the range (coturn: allowed-peer-ip; webrtc-stack turn: --allow-peer)",
        ),
    )


def _one_way(facts: ConnectionFacts) -> Diagnosis | None:
    heard = [one for one in facts.pairs if one.requests_received and not one.responses_received]
    if not heard or any(one.responses_received for one in facts.pairs):
        return None
    way = heard[0]
    return Diagnosis(
        Verdict.ONE_WAY,
        f"the path works in one direction only: the peer's checks reach us ({way.requests_received} on {pair(way)}), "
        f"nothing that we send is answered ({sum(one.requests_sent for one in facts.pairs)} checks)",
        (
            "a firewall here lets nothing out, or one at the peer lets nothing in: look there first",
            "routing that differs by direction does this too (several interfaces, a VPN)",
        ),
    )


def _silence(facts: ConnectionFacts) -> Diagnosis | None:
    """Nothing was answered: what the servers tell is the best hint."""
    checks = sum(one.requests_sent for one in facts.pairs)
    tried = f"none of {count(checks, 'check')} on {count(len(facts.pairs), 'pair')} was answered"
    udp = [one for one in facts.servers if not one.is_turn or "transport=tcp" not in one.url.lower()]
    udp = [one for one in udp if not one.url.lower().startswith("turns:")]
    if len(udp) > 1 and all_silent(udp) and not facts.datagrams_received:
        return Diagnosis(
            Verdict.UDP_BLOCKED,
            f"UDP seems to be blocked: {tried}, and {count(len(udp), 'server')} did not answer either",
            (
                "use a TURN server over TCP or TLS, best on port 443: turns:host:443?transport=tcp",
                "`webrtc-stack doctor --connect URL` tells for each server what comes back",
            ),
        )
    if facts.relays:
        return Diagnosis(
            Verdict.CHECKS_UNANSWERED,
            f"{tried}, not even through our relay",
            (
                "the peer may be gone, or its addresses old: exchange descriptions anew",
                "two relays that forbid each other's addresses do this: try another TURN server",
            ),
        )
    trouble = turn_trouble(facts)
    if trouble is not None:
        verdict, text, advice = trouble
        return Diagnosis(verdict, f"there is no direct path ({tried}), and no relay: {text}", advice)
    stun = [one for one in facts.servers if not one.is_turn]
    failed = [one for one in stun if one.failed]
    if stun and len(failed) == len(stun):
        return _stun_trouble(facts, tried)
    if not facts.servers:
        return Diagnosis(
            Verdict.NO_SERVERS,
            f"{tried}, and no STUN or TURN server is configured: that serves within one network only",
            (
                "configure a STUN server on both sides, and a TURN server for networks that need one",
                "within one network: a firewall on one of the machines, or isolated Wi-Fi clients",
            ),
        )
    if any(one.type == "relay" for one in facts.remote_candidates):
        return Diagnosis(
            Verdict.CHECKS_UNANSWERED,
            f"{tried}, not even by the peer's relay",
            ("the peer may be gone, or its TURN server refuses our address: exchange descriptions anew",),
        )
    return Diagnosis(
        Verdict.NO_DIRECT_PATH,
        f"no direct path: {tried}, though both sides know their outside addresses; their NATs or firewalls let only "
        "known places answer, and no TURN server is configured",
        (
            "configure a TURN server: about one connection in six needs one",
            "`webrtc-stack doctor --connect stun:...` says how this NAT behaves (RFC 5780)",
        ),
    )


def _stun_trouble(facts: ConnectionFacts, tried: str) -> Diagnosis:
    stun = [one for one in facts.servers if not one.is_turn]
    first = stun[0]
    if all("name" in one.reason and "resolved" in one.reason for one in stun):
        return Diagnosis(
            Verdict.STUN_NAME_UNRESOLVED,
            f"no outside address is known, because the name of the STUN server was not resolved "
            f"({plain(first.url)}); {tried}",
            ("check the name in the URL, and the DNS of this machine",),
        )
    refused = next((one for one in stun if one.code != 701), None)
    if refused is not None:
        return Diagnosis(
            Verdict.STUN_SERVER_REFUSED,
            f"no outside address is known, because {plain(refused.url)} refused with {refused.code} "
            f"{plain(refused.reason)}; {tried}",
            ("use another STUN server",),
        )
    return Diagnosis(
        Verdict.STUN_SERVER_SILENT,
        f"no outside address is known, because the STUN server did not answer ({plain(first.url)}); {tried}",
        (
            "the server may be down or the port wrong; if other servers are silent too, UDP is blocked here",
            "configure a second STUN server, and a TURN server over TLS for networks without UDP",
        ),
    )


RULES: Final[tuple[Callable[[ConnectionFacts], Diagnosis | None], ...]] = (
    _closed,
    _dtls_failed,
    _connected,
    _path_lost,
    _dtls_pending,
    _signalling,
    _local_side,
    _patience,
    _remote_side,
    _wrong_credentials,
    _forbidden,
    _one_way,
    _silence,
)
