"""`trace` renders what `webrtc_stack.trace` writes, and survives what it does not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.peers import connected_channels, two_peers
from webrtc_stack import ClientConfig, cli, sim
from webrtc_stack.cli.timeline import drops, milestones, parse_line, read_trace
from webrtc_stack.trace import JsonLinesSink, Trace


@pytest.fixture(scope="module")
def recorded() -> str:
    """The trace of two peers that connect on the virtual network."""
    stream = io.StringIO()

    async def main(net: sim.Network) -> None:
        config = ClientConfig(trace=Trace(JsonLinesSink(stream), source="left"))
        other = ClientConfig(trace=Trace(JsonLinesSink(stream), source="right"))
        async with two_peers(net, config=config, answerer_config=other) as (left, right):
            await connected_channels(left, right)

    sim.run(main)
    return stream.getvalue()


def test_the_steps_of_a_real_connection_are_all_found(recorded: str) -> None:
    reading = read_trace(recorded.splitlines())
    assert set(reading.stories) == {"left", "right"}
    assert not reading.unreadable
    for story in reading.stories.values():
        titles = [title for _, title in milestones(story.events)]
        for wanted in ("a pair is selected", "DTLS handshake begins", "DTLS is connected", "SCTP is established"):
            assert wanted in titles
        assert titles[-1] == "first channel opens"
        assert titles.index("a pair is selected") < titles.index("DTLS is connected")


def test_filters_choose_rooms_names_and_sources(
    recorded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(recorded)
    assert cli.main(["trace", str(path), "--source", "left", "--room", "ice", "--name", "pair"]) == 0
    text = capsys.readouterr().out
    assert "right:" not in text
    timeline = text.partition("  Connecting")[0].splitlines()[1:]
    assert timeline
    assert all(" ice " in line and "pair" in line for line in timeline)
    assert cli.main(["trace", str(path), "--summary"]) == 0
    assert "check sent" not in capsys.readouterr().out.replace("first check sent", "")


def test_drops_are_summed_by_room_and_reason() -> None:
    lines = [
        '{"time":1,"source":"a","room":"dtls","name":"record_dropped","data":{"reason":"replayed","count":3}}',
        '{"time":2,"source":"a","room":"dtls","name":"record_dropped","data":{"reason":"replayed","count":1}}',
        '{"time":2,"source":"a","room":"ice","name":"dropped","data":{"reason":"no integrity"}}',
        '{"time":2,"source":"a","room":"ice","name":"pair_selected","data":{"reason":"best"}}',
    ]
    counts = drops(read_trace(lines).stories["a"].events)
    assert counts == {"dtls: replayed": 4, "ice: no integrity": 1}


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "{}", '{"time":"x"}', '{"time":true,"source":1,"room":2,"name":3}', "[" * 100_000]
)
def test_a_line_that_is_no_event_is_none(line: str) -> None:
    assert parse_line(line) is None


def test_a_cut_off_trace_is_read_up_to_the_cut(recorded: str) -> None:
    whole = read_trace(recorded.splitlines())
    cut = read_trace(recorded[: len(recorded) // 2].splitlines())
    assert 0 < cut.events < whole.events
    assert cut.unreadable <= 1


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"time":1,"source":"\\u001b[2J","room":"\\u0007","name":"x\\u001b","data":{"a":"\\u001b[1m"}}\n')
    assert cli.main(["trace", str(path)]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()


@settings(max_examples=200)
@given(st.text())
def test_any_text_is_an_event_or_none(text: str) -> None:
    parse_line(text)
