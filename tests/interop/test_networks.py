"""Real networks: our stack behind real NATs, with real peers behind others, and real servers between them.

The laboratory is in `tests/support/lab.py`. We are at site A, the other peer is at site B; what the sites are changes
from case to case, the programs stay.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lab import Nat
from tests.support.lab_call import LabCall, Route, route
from tests.support.lab_servers import Transport
from tests.support.remote_peer import Remote

from .networks import CONNECTS, Networks, ServerName


class TestWithoutServers:
    @pytest.mark.parametrize(
        ("a", "b", "local", "remote"),
        [
            (Nat.OPEN, Nat.OPEN, "host", "host"),
            (Nat.FIREWALL, Nat.FIREWALL, "host", "host"),
            (Nat.CONE, Nat.OPEN, "prflx", "host"),
            (Nat.OPEN, Nat.SYMMETRIC, "host", "prflx"),
        ],
    )
    async def test_one_side_that_can_be_reached_is_enough(
        self, networks: Networks, far: Remote, a: Nat, b: Nat, local: str, remote: str
    ) -> None:
        found = await networks.connects(far, a, b)
        # A check may come before the candidate that it comes from has been signalled.
        assert found in (Route(local, remote, "udp"), Route(local, "prflx", "udp"))


class TestWithStun:
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            (Nat.CONE, Nat.CONE),
            (Nat.DOUBLE, Nat.CONE),
            (Nat.SYMMETRIC, Nat.ONE_TO_ONE),
            (Nat.ONE_TO_ONE, Nat.SYMMETRIC),
        ],
    )
    async def test_holes_are_punched(self, networks: Networks, far: Remote, a: Nat, b: Nat) -> None:
        server = networks.our_server if a is Nat.DOUBLE else networks.coturn
        found = await networks.connects(far, a, b, iceServers=[server.ice_server("stun")])
        assert found is not None
        assert found.local in ("srflx", "prflx")
        assert found.remote in ("srflx", "prflx")


class TestTheirRelay:
    """The far peer is reached through its relay alone, since its site lets nothing else out, or it wants nothing else.
    We know where we are from STUN: a relay lets in only whom its client expects."""

    @pytest.mark.parametrize(
        ("server", "transport", "a", "b"),
        [
            ("coturn", "udp", Nat.SYMMETRIC, Nat.CONE),
            ("ours", "udp", Nat.CONE, Nat.SYMMETRIC),
            ("ours", "tcp", Nat.CONE, Nat.UDP_BLOCKED),
            ("coturn", "tcp-443", Nat.CONE, Nat.TCP_443),
            ("coturn", "tls", Nat.OPEN, Nat.TCP_443),
            ("ours", "tls", Nat.SYMMETRIC, Nat.TCP_443),
        ],
    )
    async def test_we_reach_a_peer_at_its_relay(
        self, networks: Networks, far: Remote, server: ServerName, transport: Transport, a: Nat, b: Nat
    ) -> None:
        networks.become(a, b)
        relayed: dict[str, Any] = {"iceServers": [networks.server(server).ice_server(transport)]}
        if far.name != "aiortc":  # it has no such policy; where nothing else gets out it needs none
            relayed["iceTransportPolicy"] = "relay"
        stun = {"iceServers": [networks.coturn.ice_server("stun")]}
        async with LabCall(networks.ours, far, left_config=stun, right_config=relayed) as call:
            await call.open(timeout=CONNECTS)
            assert (found := await route(call.left)) is not None
            assert found.local in ("host", "srflx", "prflx")
            if far.name != "aiortc" or b in (Nat.UDP_BLOCKED, Nat.TCP_443):
                assert found.remote == "relay"
            theirs = await route(call.right)
            if theirs is not None:
                assert theirs.local == "relay"
                assert theirs.protocol == transport.partition("-")[0]


class TestOurRelay:
    """Whatever lies between, a relay gets us through: ours alone, or one on either side."""

    @pytest.mark.parametrize(
        ("server", "transport", "a", "b"),
        [
            ("coturn", "udp", Nat.SYMMETRIC, Nat.SYMMETRIC),
            ("ours", "udp", Nat.SYMMETRIC, Nat.CONE),
            ("coturn", "tcp", Nat.UDP_BLOCKED, Nat.SYMMETRIC),
            ("ours", "tcp", Nat.UDP_BLOCKED, Nat.UDP_BLOCKED),
            ("coturn", "tls", Nat.TCP_443, Nat.TCP_443),
            ("ours", "tls", Nat.TCP_443, Nat.CONE),
        ],
    )
    @pytest.mark.parametrize("policy", ["relay", "all"])
    async def test_both_sides_have_a_server(
        self, networks: Networks, far: Remote, server: ServerName, transport: Transport, a: Nat, b: Nat, policy: str
    ) -> None:
        networks.become(a, b)
        config = {"iceServers": [networks.server(server).ice_server(transport)], "iceTransportPolicy": policy}
        async with LabCall(networks.ours, far, left_config=config, right_config=config) as call:
            await call.open(timeout=CONNECTS)
            found = await route(call.left)
            assert found is not None
            if policy == "relay":
                assert found.local == "relay"
                assert all(" typ relay " in candidate for candidate in call.candidates[0]), call.candidates[0]
                assert all(" raddr 0.0.0.0 rport 0" in candidate for candidate in call.candidates[0]), (
                    "an address that the policy hides stands beside the relay"
                )
            else:
                assert "relay" in (found.local, found.remote)
            if found.local == "relay":
                assert found.protocol == transport

    async def test_many_servers_are_asked_at_once_and_the_one_that_can_be_reached_serves(
        self, networks: Networks, far: Remote
    ) -> None:
        """As an application lists them: both servers by every transport. Only TLS to port 443 gets out here."""
        networks.become(Nat.TCP_443, Nat.CONE)
        servers = [networks.server(name).ice_server("stun", "udp", "tcp", "tls") for name in ("coturn", "ours")]
        if far.name == "aiortc":
            servers_there = servers[:1]  # it takes no more than one of a kind
        else:
            servers_there = servers
        async with LabCall(
            networks.ours, far, left_config={"iceServers": servers}, right_config={"iceServers": servers_there}
        ) as call:
            await call.open(timeout=CONNECTS)
            assert (found := await route(call.left)) is not None
            assert (found.local, found.protocol) == ("relay", "tls")


class TestTcp:
    """ICE over TCP (RFC 6544) where no UDP gets out: we listen, the peer connects."""

    @pytest.mark.parametrize("we_offer", [True, False], ids=["we offer", "they offer"])
    async def test_a_peer_connects_to_our_listener(self, networks: Networks, far: Remote, we_offer: bool) -> None:
        if far.name == "aiortc":
            pytest.skip("aiortc has no ICE-TCP")
        networks.become(Nat.OPEN, Nat.UDP_BLOCKED)
        ends = [(networks.ours, {"ours": {"ice_tcp": "passive"}}), (far, {})]
        (left, left_config), (right, right_config) = ends if we_offer else ends[::-1]
        async with LabCall(left, right, left_config=left_config, right_config=right_config) as call:
            await call.open(timeout=CONNECTS)
            found = await route(call.left if we_offer else call.right)
            assert found == Route("host", "prflx", "tcp")
