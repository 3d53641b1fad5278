"""The command line itself: help, exit codes, missing packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from webrtc_stack import cli
from webrtc_stack.cli import failures
from webrtc_stack.version import __version__


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: webrtc-stack {command}" in text
    assert text.count("\n\n") >= 2, "a description, and options below it"


def test_without_a_command_the_help_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in cli.COMMANDS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert __version__ in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["dance"])
    assert ended.value.code == 2
    assert "dance" in capsys.readouterr().err


def test_a_missing_package_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "has", lambda package: package != "aiohttp")
    assert cli.main(["demo", "--no-browser"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pip install 'webrtc-stack[demo]'" in error
    assert "aiohttp" in error
    assert "rich" not in error


def test_failures_go_to_standard_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("sdp", "trace", "pcap"):
        assert cli.main([command, str(tmp_path / "nowhere")]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"webrtc-stack {command}: ")
        assert "nowhere" in captured.err


def test_low_commands_load_no_web_server_and_no_terminal_library() -> None:
    code = (
        "import sys, webrtc_stack.cli as c; c.main(['doctor']); "
        "assert not {'aiohttp', 'rich'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path) -> None:
    trace = tmp_path / "long.jsonl"
    trace.write_text('{"time":1,"source":"pc1","room":"ice","name":"check_sent","data":{}}\n' * 20_000)
    code = f"import sys; from webrtc_stack.cli import main; sys.exit(main(['trace', {str(trace)!r}]))"
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline().startswith("pc1")
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()
    assert running.wait(30) == 0
    assert error == ""
