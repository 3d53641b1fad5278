"""The room's example page runs, and shows what it says."""

from __future__ import annotations

import pytest

from webrtc_stack.examples import packetization_alone


def test_the_example_shows_what_a_loss_costs(capsys: pytest.CaptureFixture[str]) -> None:
    packetization_alone.main()
    shown = capsys.readouterr().out
    assert "K0 d1 d2 K8! d9 d10 d11" in shown
    assert "K0 d1 d2 d4! d6 K8 d9 d10 d11" in shown
    assert "an answer says 42e01f" in shown
