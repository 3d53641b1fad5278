"""The example page runs, ends, and says the same each time."""

from __future__ import annotations

import pytest

from webrtc_stack.examples import datachannel_alone


def test_the_example_shows_a_whole_life_of_channels_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    datachannel_alone.main()
    first = capsys.readouterr().out
    datachannel_alone.main()
    assert capsys.readouterr().out == first
    for line in ("bob    hears of channel 2, 'chat'", "receives on channel 2: 'hello'", "bob    is done"):
        assert line in first
