"""The example page runs and says the same each time."""

from __future__ import annotations

import pytest

from webrtc_stack.examples import sdp_alone


def test_the_example_prints_what_it_read_and_refuses_what_it_must(capsys: pytest.CaptureFixture[str]) -> None:
    sdp_alone.main()
    first = capsys.readouterr().out
    assert "111 is opus/48000" in first and "a=something-new" in first
    assert "refused: line 2: expected a letter" in first and "refused: line 9" in first
    sdp_alone.main()
    assert capsys.readouterr().out == first
