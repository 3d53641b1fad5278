"""The demo's call: lines, echo, changes from either side, sound, loss on purpose. On the virtual network."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import webrtc_stack as rtc
from tests.support.programs import find_module
from webrtc_stack import sim
from webrtc_stack.cli.demo import studio as studio_module
from webrtc_stack.cli.demo.call import LINES, preferring
from webrtc_stack.cli.demo.studio import Music, Parrot, melody, open_studio

from .demo_page import Page, demo_with_page

ALL = {"camera": "sendrecv", "picture": "recvonly", "voice": "sendrecv", "music": "recvonly"}
CAMERA_OFF = {**ALL, "camera": "inactive", "voice": "inactive"}


def vp8(number: int) -> bytes:
    """A key frame by its head, with a number for a body."""
    return bytes.fromhex("1000009d012a4001f000") + struct.pack("!I", number) * 50


async def film(page: Page, seconds: float) -> list[int]:
    """Sends frames of a camera for a while. Returns: the numbers of those that came back."""
    line = page.lines["camera"]
    track = rtc.EncodedTrack("video", "video/VP8")
    await line.sender.replace_track(track)
    came: list[int] = []

    async def read() -> None:
        async for frame in line.receiver.encoded_frames():
            came.append(struct.unpack_from("!I", frame.data, 10)[0])

    reading = asyncio.create_task(read())
    start = asyncio.get_running_loop().time()
    for number in range(round(seconds * 30)):
        track.write(rtc.OutgoingFrame(vp8(number), number / 30, True))
        await asyncio.sleep(max(0.0, start + (number + 1) / 30 - asyncio.get_running_loop().time()))
    await asyncio.sleep(0.3)
    reading.cancel()
    track.stop()
    return came


def test_a_camera_comes_back_without_any_codec(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            assert page.of_kind("welcome")[0]["codecs"] is None
            await page.connect(lines=ALL)
            came = await film(page, 1)
            assert came == list(range(came[0], 30)) and len(came) > 20
            call = page.of_kind("panel")[-1]["panel"]["call"]
            assert call["lines"] == {
                "camera": "sendrecv",
                "picture": "inactive",
                "voice": "inactive",
                "music": "inactive",
            }
            assert call["codecs"] == []
            assert {one["type"] for one in page.of_kind("stats")[-1]["stats"].values()} >= {
                "inbound-rtp",
                "outbound-rtp",
            }

    sim.run(main)


def test_the_page_turns_its_camera_on_and_holds_the_call(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect(lines=CAMERA_OFF)
            link = page.visitor.link
            assert link is not None
            assert link.call.lines["camera"].current_direction == "inactive"
            for name, direction in ALL.items():
                page.lines[name].direction = direction
            await page.offer()
            assert link.call.lines["camera"].current_direction == "sendrecv"
            assert len(await film(page, 1)) > 20
            for line in page.lines.values():
                line.direction = "inactive"
            await page.offer()
            assert {str(line.current_direction) for line in link.call.lines.values()} == {"inactive"}

    sim.run(main)


def test_python_makes_the_changes_when_it_makes_the_offers(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect(python_offers=True, call={"camera": False, "codec": "VP9"})
            link = page.visitor.link
            assert link is not None
            assert list(link.call.lines) == list(LINES)
            page.lines = dict(zip(LINES, page.pc.transceivers, strict=True))
            page.lines["camera"].direction = "sendrecv"
            await page.ask(camera=True)
            await asyncio.sleep(1)
            assert page.lines["camera"].current_direction == "sendrecv"
            await page.ask(codec="VP8")
            await asyncio.sleep(1)
            offered = [one for one in page.of_kind("description") if one["description"]["type"] == "offer"]
            assert len(offered) == 3
            assert "VP8/90000" in offered[-1]["description"]["sdp"].partition("a=rtpmap:")[2][:20]
            assert "VP9/90000" in offered[0]["description"]["sdp"].partition("a=rtpmap:")[2][:20]
            assert len(await film(page, 1)) > 20
            await page.ask(hold=True)
            await asyncio.sleep(1)
            assert {str(line.current_direction) for line in page.lines.values()} == {"inactive"}
            await page.ask(hold=False, restart=True)
            await asyncio.sleep(2)
            assert page.lines["camera"].current_direction == "sendrecv"
            assert len({one["description"]["sdp"].partition("a=ice-ufrag:")[2][:4] for one in offered}) == 1
            restarted = page.of_kind("description")[-1]["description"]["sdp"]
            assert restarted.partition("a=ice-ufrag:")[2][:4] not in offered[0]["description"]["sdp"]
            assert page.pc.connection_state.value == "connected"

    sim.run(main)


def test_offers_that_meet_leave_a_call_that_works(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect(lines=ALL)
            link = page.visitor.link
            assert link is not None
            link.pc.restart_ice()
            await page.pc.set_local_description()
            await asyncio.sleep(0)  # Python's offer is on its way, too, and gives way
            assert page.pc.local_description is not None
            await link.described(page.pc.local_description)
            await page.pc.signaling_state.wait_for("stable", timeout=5)
            await asyncio.sleep(3)
            assert link.pc.signaling_state.value == page.pc.signaling_state.value == "stable"
            assert len(await film(page, 1)) > 20

    sim.run(main)


def test_loss_on_purpose_is_repaired_and_counted(tmp_path: Path) -> None:
    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path) as (_, page):
            await page.connect(lines=ALL)
            link = page.visitor.link
            assert link is not None
            link.loss._chance.seed(1)
            await page.ask(loss=10)
            came = await film(page, 3)
            call = page.of_kind("panel")[-1]["panel"]["call"]
            assert call["loss"] == pytest.approx(10)
            assert call["lostIncoming"] > 0 and call["lostOutgoing"] > 0
            assert len(came) > 80, "retransmissions filled the gaps"
            stats = page.of_kind("stats")[-1]["stats"].values()
            assert sum(one.get("nackCount", 0) for one in stats) > 0

    sim.run(main)


@given(
    st.dictionaries(
        st.sampled_from(["camera", "voice", "hold", "codec", "loss", "music", "talk", "restart"]),
        st.one_of(st.none(), st.text(max_size=5), st.floats(), st.integers(), st.lists(st.booleans(), max_size=2)),
    )
)
def test_what_a_page_asks_for_is_never_believed(asked: dict[str, Any]) -> None:
    from webrtc_stack.cli.demo.call import Call

    class Nothing:
        sending = receiving = 0.0

    said: list[str] = []
    call = Call(None, None, Nothing(), spawn=said.append, say=said.append, negotiate=None)  # type: ignore[arg-type]
    call.ask(asked)
    assert call.wishes.codec in ("VP8", "VP9", "H264", "AV1")
    assert 0 <= call.loss.sending <= 0.5
    assert (call.wishes.camera, call.wishes.voice, call.wishes.hold) == (False, False, False)


# --- with codecs ------------------------------------------------------------------------------------------------------


def test_without_pyav_there_is_no_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_module, "has", lambda package: False)
    assert open_studio() is None


def test_the_page_reads_pythons_picture_and_hears_its_tone(tmp_path: Path) -> None:
    find_module("av")
    from webrtc_stack import devices

    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path, studio=open_studio()) as (_, page):
            assert "VP8" in page.of_kind("welcome")[0]["codecs"]
            await page.connect(lines=ALL)
            await page.ask(music="tone")
            numbers: list[int | None] = []
            async for frame in page.lines["picture"].receiver.track.frames():
                numbers.append(devices.read_counter(frame))
                if len(numbers) == 10:
                    break
            assert None not in numbers
            assert numbers == sorted(set(numbers), key=lambda one: one or 0)
            samples: list[float] = []
            async for sound in page.lines["music"].receiver.track.frames():
                samples += devices.mono_samples(sound)
                if len(samples) > 30_000:
                    break
            assert devices.dominant_frequency(samples, 48_000) == pytest.approx(440, abs=2)
            await page.ask(music="off")
            await asyncio.sleep(1)
            assert page.of_kind("sound")[-1]["sound"]["frequency"] == 0
            assert page.of_kind("panel")[-1]["panel"]["call"]["drawn"] > 20

    sim.run(main)


def test_the_parrot_says_again_what_it_heard_and_only_then(tmp_path: Path) -> None:
    find_module("av")
    from webrtc_stack import devices

    async def main(net: sim.Network) -> None:
        async with demo_with_page(net, tmp_path, studio=open_studio()) as (_, page):
            await page.connect(lines=ALL)
            line = page.lines["voice"]
            microphone = devices.tone(700)
            await line.sender.replace_track(microphone)
            heard: list[float] = []

            async def listen() -> None:
                async for frame in line.receiver.track.frames():
                    heard.extend(devices.mono_samples(frame))

            listening = asyncio.create_task(listen())
            await asyncio.sleep(1)
            assert page.of_kind("sound")[-1]["sound"]["level"] > -20
            await page.ask(talk=True)
            await asyncio.sleep(1)
            assert page.of_kind("sound")[-1]["sound"]["parrot"] == "listening"
            assert not any(abs(one) > 0.01 for one in heard), "nothing is said while it listens"
            await page.ask(talk=False)
            microphone.stop()
            await asyncio.sleep(0.7)
            assert devices.dominant_frequency(heard, 48_000) == pytest.approx(700, abs=3)
            await asyncio.sleep(1)
            assert page.of_kind("sound")[-1]["sound"]["parrot"] == "idle"
            listening.cancel()

    sim.run(main)


def test_the_parrot_keeps_a_bounded_tape() -> None:
    studio = find_module("av") and open_studio()
    assert studio is not None

    async def main() -> None:
        parrot = Parrot(studio)
        parrot.hold(True)
        for number in range(5000):
            parrot._taped.append(number)
        assert len(parrot._taped) == 500
        parrot.hold(True)
        parrot.hold(False)
        assert parrot.state == "idle", "nothing was heard"
        music = Music()
        music.play("something else")
        assert music.playing == "off"

    asyncio.run(main())


def test_the_melody_lasts_and_is_in_range() -> None:
    notes = melody()
    assert len(notes) == 30
    assert all(190 < frequency < 450 and 0.1 < seconds < 1 for frequency, seconds in notes)


def test_a_preferred_codec_comes_first_and_none_is_lost() -> None:
    for name in ("VP8", "VP9", "H264", "AV1"):
        codecs = preferring(name)
        assert codecs[0].mime_type == f"video/{name}"
        assert set(codecs) == set(rtc.Sender.get_capabilities("video").codecs)
