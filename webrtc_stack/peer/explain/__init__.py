"""Why a connection is as it is, in words: facts as a value, and a pure function that explains them. See README.md."""

from .explain import explain
from .facts import collect
from .history import History
from .values import (
    CandidateFacts,
    ConnectionFacts,
    DtlsFacts,
    Explanation,
    Finding,
    IgnoredCandidate,
    Moment,
    PairFacts,
    ServerFacts,
    Verdict,
)

__all__ = [
    "CandidateFacts",
    "ConnectionFacts",
    "DtlsFacts",
    "Explanation",
    "Finding",
    "History",
    "IgnoredCandidate",
    "Moment",
    "PairFacts",
    "ServerFacts",
    "Verdict",
    "collect",
    "explain",
]
