"""The agent keeps the machine contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.base import Address, Datagram, PathId, PathTable, SeededEntropy, SocketId
from webrtc_stack.ice import Closed, IceAgent, IceConfig, StunServer

HERE, THERE = Address("10.0.0.1", 4001), Address("10.0.0.2", 4002)


def _agent(seed: int, name: str, controlling: bool, own: Address, other: Address) -> IceAgent:
    paths = PathTable()
    assert paths.intern(SocketId(1), other) == 1  # so that both sides call their only path 1
    agent = IceAgent(
        IceConfig(
            paths=paths,
            controlling=controlling,
            entropy=SeededEntropy(seed).fork(name),
            stun_servers=(StunServer("192.0.2.7"),),
        )
    )
    agent.gather(0.0)
    agent.add_local(own, SocketId(1), 0.0)
    agent.locals_complete(0.0)
    return agent


def make(seed: int) -> tuple[IceAgent, IceAgent]:
    left = _agent(seed, "left", True, HERE, THERE)
    right = _agent(seed, "right", False, THERE, HERE)
    for one, other in ((left, right), (right, left)):
        one.set_remote_parameters(other.local_parameters, 0.0)
        for candidate in other.local_candidates:
            one.add_remote_candidate(candidate, 0.0)
        one.add_remote_candidate(None, 0.0)
    return left, right


CASE = MachineCase(
    name="ice agent",
    make=make,
    close=lambda machine, now: machine.close(now),
    is_closed=lambda event: isinstance(event, Closed),
    to_input=lambda data: Datagram(PathId(1), data),
    bytes_of=lambda transmit: transmit.data,
    cross=lambda transmit: Datagram(PathId(1), transmit.data),
    duration=8.0,
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_the_agent_keeps_the_contract(clause: Callable[[MachineCase], None]) -> None:
    clause(CASE)
