"""A connection may run on another runtime than its client's, for instance on one around it."""

from __future__ import annotations

import pytest

import webrtc_stack as rtc
from webrtc_stack import sim


def test_a_connection_runs_on_the_runtime_that_it_is_given() -> None:
    async def main(net: sim.Network) -> None:
        host, other = net.host("10.0.0.1"), net.host("10.0.0.2")
        async with rtc.Client(runtime=host) as client:
            assert client.runtime is host
            assert client.create_peer_connection().runtime is host
            assert client.create_peer_connection(runtime=other).runtime is other
        with pytest.raises(rtc.InvalidStateError):
            _ = client.runtime
        with pytest.raises(rtc.InvalidStateError):
            client.create_peer_connection(runtime=other)

    sim.run(main)
