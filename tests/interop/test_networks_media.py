"""Real networks: sound and pictures through relays, and through a move in the middle of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.lab import Nat
from tests.support.lab_call import end, exchange, route
from tests.support.lab_servers import Transport
from tests.support.remote_media import RemoteMediaPeer
from tests.support.remote_peer import Remote

from .call import LABEL, Call
from .networks import Networks, ServerName


class Configured(RemoteMediaPeer):
    """A remote peer that is made with this configuration."""

    def __init__(self, remote: Remote, config: dict[str, Any]) -> None:
        super().__init__(remote)
        self._config = config

    async def create(self, config: dict[str, Any] | None = None) -> None:
        await super().create({**self._config, **(config or {})})


def call_between(networks: Networks, far: Remote, config: dict[str, Any]) -> tuple[Call, RemoteMediaPeer]:
    ours = Configured(networks.ours, config)
    return Call(ours, Configured(far, config), name=f"over the internet with {far.name}"), ours


@asynccontextmanager
async def connected(call: Call) -> AsyncIterator[None]:
    """Trickles for as long as it takes: a browser may ask a server that nobody can reach for half a minute."""
    negotiating = asyncio.create_task(call.negotiate(trickle=True))
    try:
        await call.connected()
        yield
    finally:
        await end([negotiating])


@pytest.mark.parametrize(
    ("server", "transport"), [("coturn", "udp"), ("ours", "tcp"), ("coturn", "tls")], ids=["udp", "tcp", "tls"]
)
async def test_sound_and_pictures_go_through_relays(
    networks: Networks, far: Remote, server: ServerName, transport: Transport
) -> None:
    if far.name == "aiortc":
        pytest.skip("aiortc has no relay-only policy; its relayed data channels are in test_networks.py")
    networks.become(Nat.SYMMETRIC, Nat.SYMMETRIC)
    config = {"iceServers": [networks.server(server).ice_server(transport)], "iceTransportPolicy": "relay"}
    call, ours = call_between(networks, far, config)
    async with call:
        await call.add("audio")
        await call.add("video")
        await call.open_channel("left")
        async with connected(call):
            await call.flow()
            arrived = await call.peers["right"].wait_channel(LABEL)
            await exchange(call.channel[1], arrived)
            found = await route(ours)
            assert found is not None
            assert found.local == "relay"
            assert found.remote in ("relay", "prflx")  # a check may come before its candidate has been signalled
            assert found.protocol == transport


async def test_a_call_goes_on_when_our_site_gets_another_address(networks: Networks, far: Remote) -> None:
    networks.become(Nat.CONE, Nat.OPEN)
    call, _ = call_between(networks, far, {"iceServers": [networks.coturn.ice_server("stun")]})
    async with call:
        await call.add("audio")
        await call.add("video")
        async with connected(call):
            await call.flow()
            networks.a.new_public_address()
            await call.flow(distinct=40)
