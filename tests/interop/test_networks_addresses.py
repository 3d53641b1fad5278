"""Real networks, further: what we announce of ourselves, and where nothing can come of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.lab import Nat
from tests.support.lab_call import LabCall, exchange
from tests.support.remote_media import RemoteMediaPeer
from tests.support.remote_peer import Remote

from .networks import CONNECTS, Networks

CONSENT = 6.0
"""Seconds: two of a browser's questions whether we still want what it sends."""
FAILED_BY = 36.0
"""Seconds in which we give up: 15 of patience beside the 20 that a check lives."""


class Ends:
    """Us with this configuration, and the far peer, in either role."""

    def __init__(self, networks: Networks, far: Remote, we_offer: bool, **ours: Any) -> None:
        ends: list[tuple[Remote, dict[str, Any]]] = [(networks.ours, {"ours": ours}), (far, {})]
        (left, left_config), (right, right_config) = ends if we_offer else ends[::-1]
        self._we_offer = we_offer
        self.call = LabCall(left, right, left_config=left_config, right_config=right_config)

    @property
    def ours(self) -> RemoteMediaPeer:
        return self.call.left if self._we_offer else self.call.right

    @property
    def our_candidates(self) -> list[str]:
        return self.call.candidates[0 if self._we_offer else 1]


@pytest.fixture(scope="module")
def neighbour(networks: Networks) -> Iterator[Remote]:
    """Our peer once more, on the far peer's network."""
    with ExitStack() as stack:
        yield networks.peer("neighbour", networks.b.host(), stack=stack)


both_roles = pytest.mark.parametrize("we_offer", [True, False], ids=["we offer", "they offer"])


class TestLite:
    """We are a server that everybody reaches, and answer checks alone."""

    @both_roles
    @pytest.mark.parametrize("b", [Nat.CONE, Nat.SYMMETRIC])
    async def test_a_peer_behind_a_nat_finds_us_and_keeps_us(
        self, networks: Networks, far: Remote, b: Nat, we_offer: bool
    ) -> None:
        networks.become(Nat.OPEN, b)
        ends = Ends(networks, far, we_offer, ice_lite=True)
        async with ends.call as call:
            left, right = await call.open(timeout=CONNECTS)
            stats = (await ends.ours.report())["stats"].values()
            (transport,) = (one for one in stats if one["type"] == "transport")
            assert transport["iceRole"] == "controlled"
            assert ends.our_candidates
            assert all(" typ host" in candidate for candidate in ends.our_candidates)
            if b is Nat.CONE:
                await asyncio.sleep(CONSENT)
                await exchange(left, right)
            if far.name != "aiortc" and not we_offer:
                await call.negotiate(restart=True)
                await exchange(left, right)


class TestOneToOne:
    """A machine in a cloud: its address is private, and a public one maps to it port by port."""

    @both_roles
    async def test_our_public_address_is_announced_and_the_private_one_stays_ours(
        self, networks: Networks, far: Remote, we_offer: bool
    ) -> None:
        networks.become(Nat.ONE_TO_ONE, Nat.SYMMETRIC)
        ends = Ends(networks, far, we_offer, nat_1to1=[networks.a.public], use_ipv6=False)
        async with ends.call as call:
            await call.open(timeout=CONNECTS)
            assert ends.our_candidates
            for candidate in ends.our_candidates:
                assert f" {networks.a.public} " in candidate
                assert networks.a.address(2) not in candidate


class TestHidden:
    """Our host candidates are names, which the peer asks the local network for."""

    @both_roles
    async def test_a_peer_on_the_same_network_reaches_us_by_name(
        self, networks: Networks, far: Remote, neighbour: Remote, we_offer: bool
    ) -> None:
        if far.name == "aiortc" and we_offer:
            pytest.skip("aiortc, offered a name, waits a second for it and answers without a candidate of its own")
        networks.become(Nat.CONE, Nat.CONE)
        hidden = {"ours": {"mdns_candidates": True, "use_ipv6": False}}
        ends: list[tuple[Remote, dict[str, Any]]] = [(neighbour, hidden), (far, {})]
        (left, left_config), (right, right_config) = ends if we_offer else ends[::-1]
        async with LabCall(left, right, left_config=left_config, right_config=right_config) as call:
            await call.open(timeout=CONNECTS)
            ours = call.candidates[0 if we_offer else 1]
            assert ours
            assert all(".local " in candidate for candidate in ours)


class TestNothingHelps:
    """Two networks that let nothing in, and no relay: it fails in stated time, and we say why."""

    @pytest.mark.parametrize(
        ("a", "b", "verdict"),
        [(Nat.SYMMETRIC, Nat.SYMMETRIC, "no-direct-path"), (Nat.UDP_BLOCKED, Nat.OPEN, "stun-server-silent")],
    )
    async def test_it_fails_and_is_explained(
        self, networks: Networks, far: Remote, a: Nat, b: Nat, verdict: str
    ) -> None:
        if far.name not in ("chromium", "firefox") or (b is Nat.OPEN) is (far.name == "firefox"):
            pytest.skip("what we find out does not depend on the far peer: one browser for each case")
        networks.become(a, b)
        config = {"iceServers": [networks.coturn.ice_server("stun")]}
        async with LabCall(networks.ours, far, left_config=config, right_config=config) as call:
            await call.left.create_channel("to nowhere")
            await call.negotiate()
            with pytest.raises(Exception, match="connection is failed"):
                await call.left.wait_state("connected", timeout=FAILED_BY)
            report = await call.left.report()
            assert json.loads(report["explanation"])["verdict"] == verdict, report["explanation"]
