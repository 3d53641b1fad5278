"""The clauses of the machine contract, for the association."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy


def _make(seed: int) -> tuple[Any, Any]:
    sides = []
    for name in ("left", "right"):
        association = sctp.Association(sctp.SctpConfig(entropy=SeededEntropy(seed).fork(name)))
        association.connect(0.0)
        for at in range(20):
            association.send(at % 3, 51, f"{name} {at} ".encode() * (1 + 90 * (at % 7)), 0.0, ordered=at % 4 != 0)
        association.reset_streams([2], 0.0)
        association.send(1, 51, b"last", 0.0, max_retransmits=0)
        sides.append(association)
    return sides[0], sides[1]


CASE = MachineCase(
    name="sctp.Association",
    make=_make,
    close=lambda machine, now: machine.close(now),
    is_closed=lambda event: isinstance(event, sctp.Closed),
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__.removeprefix("clause_"))
def test_the_contract_holds(clause: Any) -> None:
    clause(CASE)
