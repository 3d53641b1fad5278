"""Networks that change under a living connection, while files go both ways: not a byte may be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.content import content, sha256
from tests.support.lab import Nat, Site
from tests.support.lab_call import LabCall, exchange
from tests.support.remote_peer import Remote

from .networks import CONNECTS, Networks

SIZE = 4_000_000
MOVES = 25.0
"""Seconds for a transfer over which the network changes; most is waiting until somebody notices."""


@asynccontextmanager
async def transferring(networks: Networks, far: Remote, a: Nat, b: Nat) -> AsyncIterator[LabCall]:
    """Within the block files are on their way; at its end they arrive, whole, and the channel works."""
    networks.become(a, b)
    config = {"iceServers": [networks.coturn.ice_server("stun")]}
    async with LabCall(networks.ours, far, left_config=config, right_config=config) as call:
        left, right = await call.open(timeout=CONNECTS)
        arriving = [await end.receive_file(SIZE, timeout=MOVES) for end in (left, right)]
        sending = [asyncio.create_task(end.send_file(SIZE, 5, timeout=MOVES)) for end in (left, right)]
        await asyncio.sleep(0.1)  # some of it is on its way
        yield call
        async with asyncio.timeout(MOVES):
            for one in arriving:
                assert (await one)["sha256"] == sha256(content(SIZE, 5))
            await asyncio.gather(*sending)
            await exchange(left, right)


def replace_address(site: Site) -> None:
    """The first host of a site gets another address: what DHCP does after a change of networks."""
    host = site.hosts[0]
    had = host.run("ip", "-4", "-o", "address", "show", "dev", "eth0").split()[3]
    gets = next(one for last in (2, 77) if (one := f"{site.address(last)}/24") != had)
    host.ip(f"addr del {had} dev eth0", f"addr add {gets} dev eth0", f"route replace default via {site.address(1)}")


@pytest.mark.parametrize("moving", ["our site", "their site"])
async def test_a_site_gets_another_public_address(networks: Networks, far: Remote, moving: str) -> None:
    ours = moving == "our site"
    async with transferring(networks, far, Nat.CONE if ours else Nat.OPEN, Nat.OPEN if ours else Nat.CONE):
        (networks.a if ours else networks.b).new_public_address()


async def test_a_nat_forgets_its_mappings(networks: Networks, far: Remote) -> None:
    """We keep on asking, so the peer sees where we are now. Firefox does not follow but restarts."""
    async with transferring(networks, far, Nat.SYMMETRIC, Nat.OPEN) as call:
        networks.a.forget()
        if far.name == "firefox":
            await call.negotiate(restart=True)


async def test_our_machine_gets_another_address(networks: Networks, far: Remote) -> None:
    """The old one is gone at once. Candidates from the new one are signalled; a restart makes it quick."""
    if far.name == "aiortc":
        pytest.skip("aiortc has no ICE restart")
    async with transferring(networks, far, Nat.CONE, Nat.CONE) as call:
        replace_address(networks.a)
        await call.negotiate(restart=True)
