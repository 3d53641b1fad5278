"""What the demo does for a page: signalling, chat, files, the panel. On the virtual network, without a web server."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from webrtc_stack import sim
from webrtc_stack.cli.demo.files import SharedFile, on_disk

from .demo_page import Page, demo_with_page


@pytest.mark.parametrize("python_offers", [False, True])
def test_a_page_connects_and_is_greeted_whoever_offers(tmp_path: Path, python_offers: bool) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            assert page.of_kind("welcome")[0]["files"] == [
                {"id": "generated-1", "name": "noise-1MiB.bin", "size": 1 << 20}
            ]
            await page.connect(python_offers=python_offers)
            assert "visitor 1" in (await page.hear())["text"]
            assert await page.say("Grüße") == {"text": "Grüße", "by": "echo"}
            assert "Commands:" in (await page.say("help"))["text"]
            assert "10.0.0.1" in (await page.say("path"))["text"]
            assert "DTLS" in (await page.say("/dtls"))["text"]
            assert "10.0.0.2" in (await page.say("whoami"))["text"]
            assert (await page.say("send"))["text"].startswith("Say how many MiB")

    sim.run(main)


def test_pings_come_back_as_they_were(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            await page.channels["ping"].send("17")
            assert await page.channels["ping"].receive() == "17"

    sim.run(main)


def test_the_panel_tells_what_the_page_draws(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            await asyncio.sleep(2)
            panel = page.of_kind("panel")[-1]["panel"]
            assert panel["connectionState"] == "connected"
            chosen = [pair for pair in panel["ice"]["pairs"] if pair["selected"]]
            assert len(chosen) == 1
            assert chosen[0]["local"].startswith("10.0.0.1:")
            assert chosen[0]["remoteType"] in ("host", "prflx")
            assert panel["dtls"]["version"]
            assert panel["dtls"]["suite"].startswith("TLS_ECDHE")
            assert panel["sctp"]["state"] == "established"
            assert {one["label"] for one in panel["channels"]} == {"chat", "ping"}

    sim.run(main)


async def send_file(page: Page, header: dict[str, Any], pieces: list[bytes | str], digest: str) -> dict[str, Any]:
    """Sends as the page's script does. Returns: the last word of the other side."""
    channel = await page.open("file")
    await channel.send(json.dumps(header))
    for piece in pieces:
        await channel.send(piece)
    await channel.send(json.dumps({"sha256": digest}))
    while True:
        told = json.loads(await asyncio.wait_for(channel.receive_text(), 10))
        if "received" not in told:
            await channel.close()
            assert isinstance(told, dict)
            return told


def test_a_file_arrives_under_a_safe_name_with_its_checksum(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    digest = hashlib.sha256(data).hexdigest()

    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (demo, page):
            await page.connect()
            pieces: list[bytes | str] = [data[at : at + 60_000] for at in range(0, len(data), 60_000)]
            header = {"name": "../../etc/cat.jpg", "size": len(data)}
            assert await send_file(page, header, pieces, digest) == {"sha256": digest, "saved": "cat.jpg"}
            assert (await send_file(page, header, pieces, digest))["saved"] == "cat (2).jpg"
            empty = hashlib.sha256(b"").hexdigest()
            assert (await send_file(page, {"name": "", "size": 0}, [], empty))["saved"] == "unnamed"
            assert page.visitor.link is not None
            assert [one.state for one in page.visitor.link.transfers] == ["done"] * 3
            assert any("received cat.jpg" in line for _, line in demo.log)

    sim.run(main)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat (2).jpg", "cat.jpg", "unnamed"]
    assert (tmp_path / "cat.jpg").read_bytes() == data


@pytest.mark.parametrize(
    ("header", "pieces", "words"),
    [
        ({"name": "x", "size": 2 << 20}, [], "at most 1.0 MiB"),
        ({"name": "x", "size": 3}, [b"abcd"], "longer than it said"),
        ({"name": "x", "size": 3}, ["abc"], "text came"),
        ({"name": "x", "size": 3}, [b"abc"], "checksums differ"),
        ({"name": "x", "size": -1}, [], "needs a name and a size"),
        ({"name": "x", "size": True}, [], "needs a name and a size"),
        ({"size": 3}, [], "needs a name and a size"),
        ([1], [], "no file header"),
    ],
)
def test_a_file_that_is_not_what_it_says_leaves_nothing_behind(
    tmp_path: Path, header: Any, pieces: list[bytes | str], words: str
) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            assert words in (await send_file(page, header, pieces, "0" * 64))["error"]
            assert (await page.say("still there?"))["by"] in ("echo", "python")

    sim.run(main)
    assert not list(tmp_path.iterdir())


def test_a_cancelled_file_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            channel = await page.open("file")
            await channel.send(json.dumps({"name": "half", "size": 1000}))
            await channel.send(bytes(500))
            await asyncio.sleep(1)
            assert [path.name for path in tmp_path.iterdir()] == ["half.part"]
            await channel.close()
            await asyncio.sleep(1)
            assert page.visitor.link is not None
            assert page.visitor.link.transfers[0].state == "failed"

    sim.run(main)
    assert not list(tmp_path.iterdir())


def test_python_sends_a_file_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "shared.txt"
    path.write_bytes(b"words\n" * 20_000)
    shared: list[SharedFile] = [on_disk("shared-1", path)]

    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path, shared=shared) as (demo, page):
            await page.connect()
            await page.channels["chat"].send(json.dumps({"send": "shared-1"}))
            await asyncio.sleep(1)
            channel = page.channels["file"]
            header = json.loads(await channel.receive_text())
            assert header == {"name": "shared.txt", "size": 120_000}
            data = b""
            while len(data) < header["size"]:
                data += await channel.receive_bytes()
            digest = hashlib.sha256(data).hexdigest()
            assert json.loads(await channel.receive_text()) == {"sha256": digest}
            await channel.send(json.dumps({"sha256": digest}))
            await asyncio.sleep(1)
            assert any("sent shared.txt: done" in line for _, line in demo.log)
            assert data == path.read_bytes()

    sim.run(main)


def test_an_unknown_file_is_not_sent(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            await page.hear()
            await page.channels["chat"].send(json.dumps({"send": "../../etc/passwd"}))
            await page.channels["chat"].send("not json")
            await page.channels["chat"].send(b"bytes")
            assert (await page.say("and now?"))["by"] == "echo"
            assert "file" not in page.channels

    sim.run(main)


def test_the_upload_test_counts_what_arrives(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            channel = await page.open("speed")
            await channel.send("nonsense")
            assert "error" in json.loads(await channel.receive_text())
            await channel.send(json.dumps({"direction": "up"}))
            for _ in range(10):
                await channel.send(bytes(1000))
            await channel.send(json.dumps({"done": True}))
            assert json.loads(await channel.receive_text())["bytes"] == 10_000

    sim.run(main)


def test_a_channel_that_nobody_knows_is_closed(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            channel = await page.open("mystery")
            await channel.ready_state.wait_for(lambda state: state == "closed", timeout=10)

    sim.run(main)


def test_what_is_said_to_all_reaches_the_other_pages(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (demo, page):
            other = Page(demo, page.client)
            await page.connect()
            await other.connect()
            await page.hear()
            await other.hear()
            assert (await page.say("say hi"))["text"] == "Said to 1 other page."
            assert await other.hear() == {"text": "Visitor 1: hi", "by": "visitor"}
            assert demo.broadcast("from the keyboard", "terminal") == 2
            assert (await page.hear())["by"] == "terminal"
            await other.close()
            assert list(demo.visitors) == ["1"]

    sim.run(main)


def test_signalling_that_makes_no_sense_is_answered(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.tell("description", description={"type": "offer", "sdp": "v=0"})
            assert not page.of_kind("error"), "there is no session to which it could belong"
            page.session = 1
            await page.tell("start")
            for description in ({"type": "offer", "sdp": "v=0"}, {"type": "dance"}, {}, None):
                await page.tell("description", description=description)
            await page.tell("candidate", candidate={"candidate": 5})
            await page.tell("candidate", candidate="x")
            await page.tell("unheard of")
            errors = page.of_kind("error")
            assert len(errors) == 6
            assert all(error["text"] for error in errors)

    sim.run(main)


def test_a_new_session_ends_the_one_before_and_its_late_words_are_ignored(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect()
            first = page.visitor.link
            await page.connect()
            await page.hear()
            await asyncio.sleep(3)
            assert first is not None
            assert first.pc.connection_state.value == "closed"
            await page.visitor.receive({"kind": "stop", "session": 1})
            assert page.visitor.link is not None
            assert page.visitor.link.session == 2
            await page.tell("stop")
            assert page.visitor.link is None

    sim.run(main)
