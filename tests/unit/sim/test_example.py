"""The example page says of each kind of NAT what is known of it, the same each time."""

from __future__ import annotations

import pytest

from webrtc_stack import sim
from webrtc_stack.examples import nat_alone


def test_the_example_shows_each_kind_and_which_of_them_let_peers_meet(capsys: pytest.CaptureFixture[str]) -> None:
    nat_alone.main()
    first = capsys.readouterr().out
    nat_alone.main()
    assert capsys.readouterr().out == first
    for kind in sim.NAT_KINDS:
        assert sum(line.startswith(f"{kind} ") for line in first.splitlines()) == 2


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("full-cone", "symmetric", True),
        ("address-restricted", "symmetric", True),
        ("port-restricted", "port-restricted", True),
        ("port-restricted", "symmetric", False),
        ("symmetric", "symmetric", False),
        ("udp-blocked", "full-cone", False),
    ],
)
def test_which_peers_meet_without_a_relay_is_as_everybody_knows(left: str, right: str, meet: bool) -> None:
    assert nat_alone.meet(left, right) is nat_alone.meet(right, left) is meet
