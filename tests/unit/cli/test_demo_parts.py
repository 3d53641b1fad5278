"""The demo's small parts: names, who may connect, the line editor, the page's files, the screen."""

from __future__ import annotations

import asyncio
import io
import re
import stat
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.programs import find_module
from webrtc_stack import cli, sim
from webrtc_stack.cli.demo import files, port_number
from webrtc_stack.cli.demo.keyboard import LineEditor
from webrtc_stack.cli.demo.taps import Taps
from webrtc_stack.cli.failures import CommandError
from webrtc_stack.cli.wording import duration, plain_table, printable, rate, size

from .demo_page import demo_with_page

STATIC = resources.files("webrtc_stack.cli.demo") / "static"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.jpg", "cat.jpg"),
        ("..", "unnamed"),
        (".bashrc", "bashrc"),
        ("a\x00b\nc\u202e.txt", "abc.txt"),
        ("CON.txt", "_CON.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("x" * 500 + ".tar.gz", "x" * 117 + ".gz"),
        ("trailing. . ", "trailing"),
        ("", "unnamed"),
    ],
)
def test_names_of_strangers_become_plain_names(name: str, safe: str) -> None:
    assert files.safe_name(name) == safe


@given(st.text(max_size=400))
def test_a_safe_name_is_always_one_part_of_a_path(name: str) -> None:
    safe = files.safe_name(name)
    assert safe
    assert "/" not in safe and "\\" not in safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= 240
    assert Path("/folder", safe).parent == Path("/folder")


def test_generated_files_are_the_same_every_time() -> None:
    first, second = (b"".join(files.generated(1).read()) for _ in range(2))
    assert first == second
    assert len(first) == 1 << 20


def test_the_line_editor_edits() -> None:
    editor = LineEditor()
    assert editor.feed("hellø\x7fo wörld".encode()) == []
    assert editor.text == "hello wörld"
    assert editor.feed(b"\x17there\x1b[A\x1b[3~\x1bOP\r") == ["hello there"[:5] + "there"]
    assert editor.feed(b"abc\x15x\ny") == ["x"]
    assert editor.text == "y"
    assert editor.feed("é".encode()[:1]) == []
    assert editor.feed("é".encode()[1:] + b"\n") == ["yé"]


@given(st.binary(max_size=3000))
def test_the_line_editor_takes_any_bytes(data: bytes) -> None:
    editor = LineEditor()
    for line in editor.feed(data):
        assert line == "" or line.isprintable()
    assert len(editor.text) <= 1000


def test_ports_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert port_number("0") == 0
    for wrong in ("65536", "-1", "http"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["demo", "--port", wrong])
        assert ended.value.code == 2
        assert "0 to 65535" in capsys.readouterr().err


def test_files_with_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    with Taps(trace=tmp_path / "t", pcap=tmp_path / "p", keylog=tmp_path / "k") as taps:
        assert taps.trace
        assert taps.key_log is not None
        taps.key_log.write("CLIENT_RANDOM", b"\x01", b"\x02")
    for name in ("p", "k"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "k").read_text() == "CLIENT_RANDOM 01 02\n"
    with pytest.raises(CommandError, match="cannot write"):
        Taps(pcap=tmp_path / "no" / "where")


def test_words_for_numbers() -> None:
    assert [size(n) for n in (0, 1023, 1024, 5 << 20, 3 << 30)] == ["0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 GiB"]
    assert [rate(n) for n in (10, 1250, 125_000_000, 250_000_000)] == [
        "80 bit/s",
        "10.0 kbit/s",
        "1.00 Gbit/s",
        "2.00 Gbit/s",
    ]
    assert [duration(n) for n in (None, 1e-5, 0.0125, 1.5, 90, 125, 3720)] == [
        "–",
        "10 µs",
        "12.5 ms",
        "1.50 s",
        "90 s",
        "2 min 5 s",
        "1 h 2 min",
    ]
    assert printable("a\x1b[1m\u202eb") == "a\\x1b[1m\\u202eb"
    assert plain_table(("a", "b"), [("1", "22")]) == "a  b\n-  --\n1  22"


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for name in sorted(one.name for one in STATIC.iterdir()):
        text = (STATIC / name).read_text()
        found = [url for url in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org/2000/svg" not in url]
        assert not found or all(url.startswith("http://$") for url in found), (name, found)
        assert not re.search(r"\bstyle=|<style|\bon[a-z]+=\"|javascript:", text), f"{name} breaks its own policy"


def test_every_element_that_the_script_names_exists() -> None:
    html = (STATIC / "index.html").read_text()
    script = "".join((STATIC / name).read_text() for name in ("demo.js", "call.js"))
    named = set(re.findall(r'\$\("([a-z-]+)"\)', script)) | set(re.findall(r'facts\("([a-z-]+)"', script))
    assert named
    assert not named - set(re.findall(r'\bid="([a-z-]+)"', html))


def test_every_script_is_served_and_every_import_is_of_one() -> None:
    find_module("aiohttp")
    from webrtc_stack.cli.demo.server import _FILES

    served = {name for name, _ in _FILES.values()}
    assert served == {one.name for one in STATIC.iterdir()} | {"counter.js"}
    for name in served - {"counter.js"}:
        for imported in re.findall(r'(?:from|import) "/([a-z0-9.]+)"', (STATIC / name).read_text()):
            assert imported in served, (name, imported)


# --- the web server ---------------------------------------------------------------------------------------------------


def test_only_names_of_this_machine_are_served() -> None:
    find_module("aiohttp")
    from webrtc_stack.cli.demo.server import host_allowed, origin_allowed

    own = frozenset({"localhost", "box"})
    for host in ("127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "192.168.1.4:80", "box:8080"):
        assert host_allowed(host, own_names=own), host
    for host in ("", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "[x]"):
        assert not host_allowed(host, own_names=own), host
    assert origin_allowed("http://127.0.0.1:8080", "127.0.0.1:8080")
    for origin in (None, "null", "http://127.0.0.1:8081", "http://evil.example", "http://localhost:8080"):
        assert not origin_allowed(origin, "127.0.0.1:8080"), origin


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_the_screen_shows_pairs_dtls_sctp_and_transfers(tmp_path: Path) -> None:
    find_module("rich")
    from rich.console import Console

    from webrtc_stack.cli.demo.terminal import Screen

    async def main(net: sim.Network) -> str:
        async with demo_with_page(net, tmp_path) as (demo, page):
            editor = LineEditor()
            editor.feed(b"half a line")
            screen = Screen(demo, "http://127.0.0.1:1/", editor)
            console = Console(width=120, height=50, file=io.StringIO(), force_terminal=False)
            with console.capture() as empty:
                console.print(screen)
            assert "Nobody is here yet" in empty.get()
            await page.connect(lines={"camera": "sendrecv"})
            await page.ask(loss=5)
            transfer = files.Transfer("cat\x1b.jpg", 1000, outgoing=False, moved=250)
            assert page.visitor.link is not None
            page.visitor.link.transfers.append(transfer)
            demo.say("1", "a [bold]line[/bold] \x1b[2J")
            await asyncio.sleep(1)
            with console.capture() as captured:
                console.print(screen)
            return captured.get()

    text = sim.run(main)
    for wanted in (
        "connected",
        "10.0.0.1:",
        "10.0.0.2:",
        "succeeded",
        "TLS_ECDHE_ECDSA",
        "established",
        "250 B of",
        "camera",
        "loses 5% on purpose",
    ):
        assert wanted in text, wanted
    assert "chat #" in text
    assert "half a line" in text
    assert "[bold]line[/bold] \\x1b[2J" in text
    assert "\x1b" not in text
