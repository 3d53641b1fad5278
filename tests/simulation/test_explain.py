"""When it does not connect, `explain()` says why: every staged failure gets its own right diagnosis."""

from __future__ import annotations

import functools
import json

import pytest

from tests.support.failures import STAGES
from webrtc_stack import sim
from webrtc_stack.peer import Explanation, Verdict

CALM = {Verdict.CONNECTED, Verdict.CONNECTING, Verdict.NOT_STARTED, Verdict.CLOSED, Verdict.PEER_CLOSED}


@functools.cache
def explanation(name: str) -> Explanation:
    link = sim.LinkConfig(latency=0.01)
    return sim.run(STAGES[name][1], network=sim.Network(7, default_link=link), deadline=400)


@pytest.mark.parametrize("name", STAGES)
def test_each_failure_gets_its_diagnosis(name: str) -> None:
    found = explanation(name)
    assert found.verdict is STAGES[name][0], str(found)
    assert found.failed is (found.verdict not in CALM)


@pytest.mark.parametrize("name", STAGES)
def test_each_explanation_reads_as_text_and_as_json(name: str) -> None:
    found = explanation(name)
    text = str(found)
    assert text.isprintable() or "\n" in text
    assert len(text) < 6000
    assert found.summary in text
    assert json.loads(found.to_json())["verdict"] == found.verdict.value
    assert found.findings
    assert found.advice or found.verdict in CALM


def test_no_two_failures_are_told_alike() -> None:
    told: dict[Verdict, str] = {}
    for name in STAGES:
        found = explanation(name)
        if found.failed and found.verdict is not Verdict.WRONG_ICE_CREDENTIALS:  # staged twice
            assert found.verdict not in told, f"{name} and {told[found.verdict]}"
            told[found.verdict] = name
    summaries = {explanation(name).summary for name, (verdict, _) in STAGES.items() if verdict not in CALM}
    assert len(summaries) == sum(verdict not in CALM for verdict, _ in STAGES.values())


def test_nearly_every_verdict_is_staged() -> None:
    """The one that is not needs a STUN server that answers with an error; the rules have a test of their own."""
    assert set(Verdict) - {verdict for verdict, _ in STAGES.values()} == {
        Verdict.STUN_SERVER_REFUSED,
        Verdict.TURN_SERVER_REFUSED,
    }
