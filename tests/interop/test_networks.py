"""Real networks: our stack behind real NATs, with real peers behind others, and real servers between them.

The laboratory is in `tests/support/lab.py`. We are at site A, the other peer is at site B; what the sites are changes
from case to case, the programs stay.
"""

from __future__ import annotations

import pytest

from tests.support.lab import Nat
from tests.support.lab_call import Route
from tests.support.remote_peer import Remote

from .networks import Networks


class TestWithoutServers:
    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            (Nat.OPEN, Nat.OPEN, Route("host", "host", "udp")),
            (Nat.FIREWALL, Nat.FIREWALL, Route("host", "host", "udp")),
            (Nat.CONE, Nat.OPEN, Route("prflx", "host", "udp")),
            (Nat.OPEN, Nat.SYMMETRIC, Route("host", "prflx", "udp")),
        ],
    )
    async def test_one_side_that_can_be_reached_is_enough(
        self, networks: Networks, far: Remote, a: Nat, b: Nat, expected: Route
    ) -> None:
        assert await networks.connects(far, a, b) == expected


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
