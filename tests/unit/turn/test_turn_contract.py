"""Client and server keep the machine contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy
from webrtc_stack.turn import Closed, ServerClosed, TurnClient

from .harness import PEER, RelayingServer, client_config, server_config


def make_pair(seed: int, transport: str = "udp") -> tuple[TurnClient, RelayingServer]:
    client = TurnClient(client_config(entropy=SeededEntropy(seed).fork("client"), transport=transport))
    server = RelayingServer(server_config(entropy=SeededEntropy(seed).fork("server")))
    if transport != "udp":
        server.stream_opened(PathId(1), 0.0)
    client.allocate(0.0)
    client.permit((Address("203.0.113.51", 1),), 0.0)
    client.bind(PEER, 0.0)
    client.send_many(PEER, [b"early " * 10, b"bird"], 0.0)
    return client, server


def make_reversed(seed: int) -> tuple[RelayingServer, TurnClient]:
    client, server = make_pair(seed)
    return server, client


CASES = [
    MachineCase(
        name="turn client",
        make=make_pair,
        close=lambda machine, now: machine.close(now),
        is_closed=lambda event: isinstance(event, Closed),
        to_input=lambda data: Datagram(PathId(1), data),
        bytes_of=lambda transmit: transmit.data,
        cross=lambda transmit: Datagram(PathId(1), transmit.data),
    ),
    MachineCase(
        name="turn client over a stream",
        make=lambda seed: make_pair(seed, "tcp"),
        close=lambda machine, now: machine.close(now),
        is_closed=lambda event: isinstance(event, Closed),
        to_input=lambda data: Datagram(PathId(1), data),
        bytes_of=lambda transmit: transmit.data,
        cross=lambda transmit: Datagram(PathId(1), transmit.data),
    ),
    MachineCase(
        name="turn server",
        make=make_reversed,
        close=lambda machine, now: machine.close(now),
        is_closed=lambda event: isinstance(event, ServerClosed),
        to_input=lambda data: Datagram(PathId(1), data),
        bytes_of=lambda transmit: transmit.data,
        cross=lambda transmit: Datagram(PathId(1), transmit.data),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_the_machines_keep_the_contract(clause: Callable[[MachineCase], None], case: MachineCase) -> None:
    clause(case)
