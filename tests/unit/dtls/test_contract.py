"""The clauses of the machine contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.contract import CLAUSES, MachineCase
from tests.support.dtls_peers import endpoint, pair
from webrtc_stack.dtls import Closed, DtlsEndpoint, HandshakeCompleted
from webrtc_stack.sim import LinkConfig, MachinePair

_CASES = [
    MachineCase(
        name="dtls",
        make=pair,
        close=lambda machine, now: machine.close(now),
        is_closed=lambda event: isinstance(event, Closed),
        corpus=(b"\x2e\x00\x01\x00\x04abcd", b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"),
        duration=2.0,
    ),
    MachineCase(
        name="dtls with cookies, RSA, small datagrams",
        make=lambda seed: (
            endpoint("client", seed, mtu=200, peer="rsa"),
            endpoint("server", seed, own="rsa", mtu=200, cookie=True),
        ),
        close=lambda machine, now: machine.close(now),
        is_closed=lambda event: isinstance(event, Closed),
        duration=2.0,
    ),
]


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_the_endpoint_keeps_the_contract(case: MachineCase, clause: Callable[[MachineCase], None]) -> None:
    clause(case)


def test_a_run_with_data_is_repeated_byte_for_byte() -> None:
    digests = []
    for seed in (1, 1, 2):
        client, server = pair(seed)
        run = MachinePair[bytes](
            client, server, seed=seed, link=LinkConfig(latency=0.01, loss=0.1, reorder=0.1, duplicate=0.1)
        )

        def speak(side: int, event: object, now: float, run: MachinePair[bytes] = run) -> None:
            if isinstance(event, HandshakeCompleted):
                machine = run.machines[side]
                assert isinstance(machine, DtlsEndpoint)
                machine.send_many([b"%d" % n for n in range(100)], now)

        run.on_event = speak
        run.run(until=20.0)
        digests.append(run.digest())
    assert digests[0] == digests[1] != digests[2]
