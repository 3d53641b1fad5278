"""The clauses of the machine contract on two peers with channels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.base import SeededEntropy
from webrtc_stack.datachannel import Closed, DataChannels, DataChannelsConfig


def _make(seed: int) -> tuple[DataChannels, DataChannels]:
    entropy = SeededEntropy(seed)
    sides = [DataChannels(DataChannelsConfig(entropy=entropy.fork(side))) for side in ("left", "right")]
    for number, side in enumerate(sides):
        for label in ("a", "b"):
            side.open_channel(f"{label} of {number}", 0.0)
        side.open_channel("both", 0.0, negotiated=True, id=100)
        side.connect(0.0, dtls_client=number == 0)
    return sides[0], sides[1]


CASE = MachineCase(
    name="data channels",
    make=_make,
    close=lambda machine, now: machine.close(now),
    is_closed=lambda event: isinstance(event, Closed),
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_data_channels_keep_the_contract(clause: Callable[[MachineCase], None]) -> None:
    clause(CASE)
