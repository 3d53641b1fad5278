"""The pure function: what the stages on the network do not reach, any facts at all, and strangers' words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.peer import (
    CandidateFacts,
    ConnectionFacts,
    DtlsFacts,
    IgnoredCandidate,
    Moment,
    PairFacts,
    ServerFacts,
    Verdict,
    explain,
)

OURS = CandidateFacts(type="host", host="192.168.1.2", port=4000)
THEIRS = CandidateFacts(type="host", host="10.0.0.9", port=5000)
SILENT = PairFacts(local=OURS, remote=THEIRS, state="failed", failure="no answer to 11 checks", requests_sent=11)
FAILED = ConnectionFacts(
    connection_state="failed",
    ice_state="failed",
    gathering_state="complete",
    local_description=True,
    remote_description=True,
    remote_parameters=True,
    local_addresses=1,
    local_candidates=(OURS,),
    remote_candidates=(THEIRS,),
    pairs=(SILENT,),
)


def server(url: str, code: int, reason: str) -> ServerFacts:
    return ServerFacts(url=url, code=code, reason=reason)


@pytest.mark.parametrize(
    ("servers", "verdict"),
    [
        ((server("stun:a", 420, "Unknown Attribute"),), Verdict.STUN_SERVER_REFUSED),
        ((server("turn:a", 508, "Insufficient Capacity"),), Verdict.TURN_SERVER_REFUSED),
        ((server("turn:a", 701, "silent"), server("turn:b", 401, "Unauthenticated")), Verdict.TURN_CREDENTIALS_REFUSED),
        ((server("turns:a", 701, "the certificate has expired"),), Verdict.TURN_CERTIFICATE_INVALID),
        ((server("stun:a", 701, "silent"), server("turn:a", 701, "silent")), Verdict.UDP_BLOCKED),
        ((server("stun:a", 701, "silent"), server("turns:a", 701, "silent")), Verdict.TURN_SERVER_SILENT),
        ((server("stun:a", 701, "silent"), ServerFacts(url="stun:b", gave=("192.0.2.1:5",))), Verdict.NO_DIRECT_PATH),
    ],
)
def test_the_server_that_says_most_decides(servers: tuple[ServerFacts, ...], verdict: Verdict) -> None:
    assert explain(replace(FAILED, servers=servers)).verdict is verdict


def test_a_path_through_a_relay_says_why_it_is_not_direct() -> None:
    relay = CandidateFacts(type="relay", host="203.0.113.1", port=6, relay_protocol="tcp")
    way = PairFacts(local=relay, remote=THEIRS, state="succeeded", selected=True, rtt=0.4)
    facts = replace(FAILED, connection_state="connected", ice_state="connected", pairs=(way, SILENT))
    texts = [one.text for one in explain(facts).findings if one.topic == "path"]
    assert any("not direct, because 1 direct pair did not work: no answer to 11 checks" in one for one in texts)
    assert any("over TCP" in one for one in texts)
    assert any("a long way" in one for one in texts)
    only = explain(replace(facts, relay_only=True))
    assert any("only relays may be used" in one.text for one in only.findings)


def test_what_took_long_is_said() -> None:
    ages = {
        Moment.GATHERING: 20.0,
        Moment.GATHERED: 14.9,
        Moment.LOCAL_DESCRIPTION: 20.0,
        Moment.REMOTE_DESCRIPTION: 10.0,
        Moment.CHECKING: 9.0,
        Moment.ICE_CONNECTED: 6.0,
        Moment.DTLS_CONNECTED: 3.0,
        Moment.CONNECTED: 3.0,
    }
    facts = ConnectionFacts(connection_state="connected", ages=ages, servers=(server("stun:a", 701, "silent"),))
    texts = [one.text for one in explain(facts).findings if one.topic == "timing"]
    assert len(texts) == 4
    assert "gathering took 5.1 s: stun:a did not answer" in texts


def test_the_words_of_strangers_cannot_steer_a_terminal() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\n" * 100
    facts = replace(
        FAILED,
        servers=(ServerFacts(url="turn:a", code=500, reason=evil, hint=evil),),
        ignored_candidates=(IgnoredCandidate(evil, evil),),
        ice_reason=evil,
        dtls=DtlsFacts(state="failed", error="DtlsAlertError", error_text=evil),
        drops={evil: 3},
        pairs=(replace(SILENT, failure=evil),),
        reason=evil,
    )
    for state in ("failed", "closed"):
        text = str(explain(replace(facts, connection_state=state)))
        assert "\x1b" not in text
        assert "\x07" not in text
        assert len(text) < 6000


def test_an_explanation_stays_short_with_very_many_pairs() -> None:
    found = explain(replace(FAILED, pairs=(SILENT,) * 500, ignored_candidates=(IgnoredCandidate("x", "y"),) * 500))
    assert len(str(found)) < 6000


_words = st.text(max_size=20)
_candidates = st.builds(
    CandidateFacts,
    type=st.sampled_from(["host", "srflx", "prflx", "relay", "other"]),
    host=st.sampled_from(["10.0.0.1", "fd00::1", "x.local", ""]),
    port=st.integers(0, 65535),
)
_pairs = st.builds(
    PairFacts,
    local=_candidates,
    remote=_candidates,
    state=st.sampled_from(["failed", "succeeded", "in-progress"]),
    failure=st.none() | st.sampled_from(["the peer refused: 401", "the relay refused", "no answer"]),
    selected=st.booleans(),
    rtt=st.none() | st.floats(0, 5),
    requests_sent=st.integers(0, 9),
    requests_received=st.integers(0, 9),
    responses_received=st.integers(0, 9),
)
_servers = st.builds(
    ServerFacts,
    url=st.sampled_from(["stun:a", "turn:b", "turns:c", "turn:d?transport=tcp"]),
    code=st.none() | st.integers(300, 701),
    reason=_words,
    gave=st.sampled_from([(), ("192.0.2.1:1",)]),
)
_facts = st.builds(
    ConnectionFacts,
    connection_state=st.sampled_from(["new", "connecting", "connected", "disconnected", "failed", "closed"]),
    signaling_state=st.sampled_from(["stable", "have-local-offer", "have-remote-offer"]),
    gathering_state=st.sampled_from(["new", "gathering", "complete"]),
    ice_state=st.sampled_from(["new", "checking", "connected", "disconnected", "failed"]),
    relay_only=st.booleans(),
    local_description=st.booleans(),
    remote_description=st.booleans(),
    remote_parameters=st.booleans(),
    local_candidates=st.lists(_candidates, max_size=3).map(tuple),
    local_addresses=st.integers(0, 2),
    remote_candidates=st.lists(_candidates, max_size=3).map(tuple),
    servers=st.lists(_servers, max_size=3).map(tuple),
    pairs=st.lists(_pairs, max_size=3).map(tuple),
    dtls=st.builds(
        DtlsFacts,
        state=st.sampled_from(["new", "connecting", "connected", "closed", "failed"]),
        error=st.none() | st.sampled_from(["TimedOut", "FingerprintMismatch", "DtlsAlertError"]),
        messages_received=st.integers(0, 3),
    ),
    data_wanted=st.booleans(),
    sctp_state=st.none() | st.sampled_from(["cookie-wait", "established"]),
    drops=st.dictionaries(st.sampled_from(["ice: response integrity", "ice: malformed"]), st.integers(1, 5)),
    ages=st.dictionaries(st.sampled_from(list(Moment)), st.floats(0, 100)),
)


@settings(max_examples=150, deadline=None)
@given(_facts)
def test_any_facts_are_explained_and_always_alike(facts: ConnectionFacts) -> None:
    found = explain(facts)
    assert found == explain(facts)
    assert found.summary
    assert "\n" not in found.summary
    assert str(found).startswith(found.summary)
    assert found.to_json()
    facts.to_dict()
