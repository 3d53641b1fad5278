"""The pure function: facts in, explanation out."""

from __future__ import annotations

from .findings import find
from .rules import diagnose
from .values import ConnectionFacts, Explanation


def explain(facts: ConnectionFacts) -> Explanation:
    """Why this connection is as it is, in words. Same facts, same explanation; never raises.

    Cost: O(candidates + pairs).
    """
    diagnosis = diagnose(facts)
    return Explanation(
        verdict=diagnosis.verdict, summary=diagnosis.summary, findings=find(facts), advice=diagnosis.advice
    )
