"""Finding, choosing and opening devices: with made-up systems, FFmpeg's own test sources, and openers that fail."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from av.container import InputContainer

from webrtc_stack.aio import (
    AudioConstraints,
    Constraint,
    DeviceKind,
    ScreenConstraints,
    VideoConstraints,
    VideoTrack,
    media_time_of,
)
from webrtc_stack.devices import (
    Capture,
    CaptureRequest,
    Engine,
    OverconstrainedError,
    System,
    dominant_frequency,
    list_devices,
    mono_samples,
    open_input,
)
from webrtc_stack.devices import v4l2 as kernel
from webrtc_stack.errors import DeviceBusy, DeviceError, DeviceNotFound, PermissionDenied

pytestmark = pytest.mark.filterwarnings("error")


class Driver:
    """Answers the ioctls of cameras: the first node captures, the second carries metadata."""

    MODES = (("YUYV", ((640, 480, (30, 15)), (320, 240, (30,)))), ("MJPG", ((1280, 720, (30,)),)), ("ABCD", ()))

    def __init__(self) -> None:
        self.refuse = 0

    def __call__(self, descriptor: int, request: int, buffer: bytearray) -> int:
        if self.refuse:
            raise OSError(self.refuse, os.strerror(self.refuse))
        metadata = Path(f"/proc/self/fd/{descriptor}").readlink().name == "video1"
        if request == kernel.VIDIOC_QUERYCAP:
            buffer[16:48] = b"A camera".ljust(32, b"\0")
            buffer[48:80] = b"usb-0:1".ljust(32, b"\0")
            struct.pack_into("=II", buffer, 84, 0x80000001, 0x00800000 if metadata else 1)
            return 0
        index, second, width, height = struct.unpack_from("=4I", buffer)
        try:
            if request == kernel.VIDIOC_ENUM_FMT:
                buffer[44:48] = self.MODES[index][0].encode()
                return 0
            sizes = dict(self.MODES)[struct.pack("=I", second).decode()]
            if request == kernel.VIDIOC_ENUM_FRAMESIZES:
                struct.pack_into("=3I", buffer, 8, 1, *sizes[index][:2])
                return 0
            rates = next(rates for w, h, rates in sizes if (w, h) == (width, height))
            struct.pack_into("=3I", buffer, 16, 1, 1, rates[index])
            return 0
        except IndexError:
            raise OSError(errno.EINVAL, "the list has ended") from None


@pytest.fixture
def machine(tmp_path: Path) -> System:
    """A Linux machine in a folder: a camera of two nodes, a sound card that records, a display."""
    for number, name in ((0, "Front camera"), (1, "Front camera")):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / f"dev/video{number}").touch()
        about = tmp_path / f"sys/class/video4linux/video{number}"
        about.mkdir(parents=True)
        (about / "name").write_text(name + "\n")
        (about / "index").write_text(f"{number}\n")
    (tmp_path / "proc/asound").mkdir(parents=True)
    (tmp_path / "proc/asound/cards").write_text(
        " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0xf7310000 irq 33\n"
        " 1 [Webcam         ]: USB-Audio - USB webcam\n"
    )
    (tmp_path / "proc/asound/pcm").write_text(
        "00-00: ALC892 Analog : ALC892 Analog : playback 1 : capture 1\n00-03: HDMI 0 : HDMI 0 : playback 1\n"
        "01-00: USB Audio : USB Audio : capture 1\n"
    )
    (tmp_path / "tmp/.X11-unix").mkdir(parents=True)
    (tmp_path / "tmp/.X11-unix/X0").touch()
    return System(platform="linux", root=tmp_path, environment={"DISPLAY": ":0"}, ioctl=Driver())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), f"{thread.name} goes on"


def test_what_a_machine_has_is_listed(machine: System) -> None:
    devices = list_devices(machine)
    assert [(device.info.kind, device.info.device_id, device.info.label) for device in devices] == [
        (DeviceKind.VIDEO_INPUT, "/dev/video0", "Front camera"),
        (DeviceKind.AUDIO_INPUT, "default", "Default"),
        (DeviceKind.AUDIO_INPUT, "hw:0,0", "HDA Intel PCH: ALC892 Analog"),
        (DeviceKind.AUDIO_INPUT, "hw:1,0", "USB webcam: USB Audio"),
        (DeviceKind.SCREEN, ":0.0", "Display :0"),
    ]
    modes = {
        (mode["width"], mode["height"], mode["frame_rate"], options["input_format"])
        for mode, options in devices[0].modes
    }
    assert modes == {
        (640, 480, 30.0, "yuyv422"),
        (640, 480, 15.0, "yuyv422"),
        (320, 240, 30.0, "yuyv422"),
        (1280, 720, 30.0, "mjpeg"),
    }
    assert devices[0].info.group_id == "usb-0:1"


def test_a_camera_that_cannot_be_asked_is_listed_all_the_same(machine: System) -> None:
    assert isinstance(machine.ioctl, Driver)
    machine.ioctl.refuse = errno.EBUSY
    cameras = [device for device in list_devices(machine) if device.info.kind is DeviceKind.VIDEO_INPUT]
    assert [camera.info.device_id for camera in cameras] == ["/dev/video0"], "the metadata node is known by its index"


def test_a_machine_with_nothing_has_no_devices(tmp_path: Path) -> None:
    assert list_devices(System(platform="linux", root=tmp_path, environment={})) == []
    assert list_devices(System(platform="plan9")) == []
    for other in ("darwin", "win32"):
        list_devices(System(platform=other))  # FFmpeg's enumeration, absent here


class Opener:
    """Opens FFmpeg's test sources in place of devices, and keeps what was asked for."""

    def __init__(self, refuse: Callable[[CaptureRequest], BaseException | None] = lambda _: None) -> None:
        self.requests: list[CaptureRequest] = []
        self._refuse = refuse

    def __call__(self, request: CaptureRequest) -> InputContainer:
        self.requests.append(request)
        if (error := self._refuse(request)) is not None:
            raise error
        graph = (
            "testsrc=size=160x120:rate=30,realtime"
            if request.video
            else "sine=frequency=500:sample_rate=48000,arealtime"
        )
        return open_input(CaptureRequest(format="lavfi", url=graph, video=request.video))


async def first_frames(track: Any, count: int) -> list[Any]:
    frames: list[Any] = []
    async with asyncio.timeout(30):
        async for frame in track.frames(limit=100):
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


def test_a_camera_is_opened_in_the_mode_that_fits_and_its_frames_have_the_loops_time(machine: System) -> None:
    opener = Opener()

    async def main() -> None:
        track = await Engine(system=machine, opener=opener).open_video(VideoConstraints(width=1280, height=720))
        assert track.label == "Front camera"
        now = asyncio.get_running_loop().time()
        times = [media_time_of(frame) for frame in await first_frames(track, 5)]
        assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([1 / 30] * 4, abs=0.001)
        assert abs(times[0] - now) < 5
        track.stop()

    asyncio.run(main())
    (request,) = opener.requests
    assert (request.format, request.url) == ("v4l2", str(machine.root / "dev/video0"))
    assert request.options == {"video_size": "1280x720", "framerate": "30", "input_format": "mjpeg"}


def test_a_microphone_is_opened_and_heard(machine: System) -> None:
    opener = Opener()

    async def main() -> None:
        constraints = AudioConstraints(device_id=Constraint(exact="hw:1,0"), sample_rate=16_000, channel_count=2)
        track = await Engine(system=machine, opener=opener).open_audio(constraints)
        frames = await first_frames(track, 10)
        assert dominant_frequency(mono_samples(frames), 48_000) == pytest.approx(500, abs=2)
        track.stop()

    asyncio.run(main())
    assert opener.requests[0].url == "hw:1,0"
    assert opener.requests[0].options == {"sample_rate": "16000", "channels": "2"}


def test_a_part_of_a_screen_is_opened(machine: System) -> None:
    opener = Opener()

    async def main() -> None:
        engine = Engine(system=machine, opener=opener)
        track = await engine.open_screen(ScreenConstraints(left=5, top=6, width=320, height=200, frame_rate=10))
        await first_frames(track, 1)
        track.stop()
        whole = await engine.open_screen(ScreenConstraints(cursor=False))
        whole.stop()

    asyncio.run(main())
    assert opener.requests[0].url == ":0.0"
    assert opener.requests[0].options == {
        "video_size": "320x200",
        "framerate": "10",
        "draw_mouse": "1",
        "grab_x": "5",
        "grab_y": "6",
    }
    assert "video_size" not in opener.requests[1].options and opener.requests[1].options["draw_mouse"] == "0"


def test_devices_are_enumerated_for_the_client(machine: System) -> None:
    infos = asyncio.run(Engine(system=machine).devices())
    assert [info.device_id for info in infos] == ["/dev/video0", "default", "hw:0,0", "hw:1,0", ":0.0"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(errno.EACCES, "permission denied"), PermissionDenied),
        (av.error.PermissionError(errno.EPERM, "not permitted"), PermissionDenied),
        (OSError(errno.EBUSY, "device or resource busy"), DeviceBusy),
        (av.error.OSError(errno.EBUSY, "busy"), DeviceBusy),
        (av.error.FileNotFoundError(errno.ENOENT, "no such file"), DeviceNotFound),
        (OSError(errno.ENODEV, "no such device"), DeviceNotFound),
        (OSError(errno.EIO, "input/output error"), DeviceError),
        (ValueError("no such format"), DeviceError),
        (KeyError("an opener's own mistake"), DeviceError),
    ],
)
def test_what_goes_wrong_has_a_type(machine: System, error: BaseException, expected: type[DeviceError]) -> None:
    engine = Engine(system=machine, opener=Opener(lambda _: error))
    with pytest.raises(DeviceError, match="camera Front camera") as caught:
        asyncio.run(engine.open_video(VideoConstraints()))
    assert type(caught.value) is expected


def test_an_opener_may_say_itself_what_is_wrong(machine: System) -> None:
    engine = Engine(system=machine, opener=Opener(lambda _: DeviceBusy("the lid is closed")))
    with pytest.raises(DeviceBusy, match="the lid is closed"):
        asyncio.run(engine.open_video(VideoConstraints()))


def test_a_busy_microphone_gives_way_to_the_next(machine: System) -> None:
    opener = Opener(lambda request: OSError(errno.EBUSY, "busy") if request.url == "default" else None)

    async def main() -> None:
        track = await Engine(system=machine, opener=opener).open_audio(AudioConstraints())
        assert track.label == "HDA Intel PCH: ALC892 Analog"
        track.stop()

    asyncio.run(main())
    only = AudioConstraints(device_id=Constraint(exact="default"))
    with pytest.raises(DeviceBusy):
        asyncio.run(Engine(system=machine, opener=opener).open_audio(only))


def test_what_no_device_has_is_named(machine: System) -> None:
    engine = Engine(system=machine, opener=Opener())
    with pytest.raises(OverconstrainedError, match="width"):
        asyncio.run(engine.open_video(VideoConstraints(width=Constraint(min=1920))))
    with pytest.raises(OverconstrainedError, match="echo_cancellation"):
        asyncio.run(engine.open_audio(AudioConstraints(echo_cancellation=Constraint(exact=True))))
    nothing = Engine(system=System(platform="plan9"))
    with pytest.raises(DeviceNotFound):
        asyncio.run(nothing.open_video(VideoConstraints()))
    with pytest.raises(DeviceNotFound):
        asyncio.run(nothing.open_screen(ScreenConstraints()))


def test_a_source_that_ends_ends_its_track_with_the_reason() -> None:
    async def main() -> str:
        track = VideoTrack()
        request = CaptureRequest(format="lavfi", url="testsrc=duration=0.2:size=64x64:rate=30", label="the camera")
        await Capture(request, track).start()
        async with asyncio.timeout(30):
            async for _ in track.frames():
                pass
        return track.end_reason

    assert asyncio.run(main()) == "the camera gives no more"


class Vanishing:
    """A container whose device is pulled out after some packets."""

    def __init__(self, inner: InputContainer) -> None:
        self._inner = inner
        self.streams = inner.streams
        self.closed = False

    def demux(self, stream: Any) -> Iterator[Any]:
        for number, packet in enumerate(self._inner.demux(stream)):
            if number == 3:
                raise OSError(errno.ENODEV, "No such device")
            yield packet

    def close(self) -> None:
        self.closed = True
        self._inner.close()


def test_a_device_that_vanishes_ends_its_track_with_the_reason() -> None:
    made: list[Vanishing] = []

    def opener(request: CaptureRequest) -> Any:
        made.append(Vanishing(open_input(request)))
        return made[0]

    async def main() -> str:
        track = VideoTrack()
        request = CaptureRequest(format="lavfi", url="testsrc=size=64x64:rate=30,realtime", label="the camera")
        await Capture(request, track, opener).start()
        async with asyncio.timeout(30):
            async for _ in track.frames():
                pass
        return track.end_reason

    assert "the camera is not there (No such device)" in asyncio.run(main())
    assert made[0].closed


def test_a_source_without_pictures_is_no_camera() -> None:
    request = CaptureRequest(format="lavfi", url="sine", label="the camera")
    with pytest.raises(DeviceError, match="gives no pictures"):
        asyncio.run(Capture(request, VideoTrack()).start())


def test_a_busy_loop_loses_the_oldest_frames_and_counts_them() -> None:
    async def main() -> None:
        track = VideoTrack()
        capture = Capture(CaptureRequest(format="lavfi", url="testsrc=size=64x64:rate=100:duration=1"), track)
        frames = track.frames(limit=200)
        await capture.start()
        for thread in threading.enumerate():
            if thread.name.startswith("webrtc-capture"):
                thread.join(30)  # the loop does nothing meanwhile
        async with asyncio.timeout(30):
            seen = [frame async for frame in frames]
        assert len(seen) + capture.dropped == 100 and capture.dropped > 0 and len(seen) >= 8

    asyncio.run(main())


def test_stopping_while_it_opens_leaves_no_thread() -> None:
    gate = threading.Event()

    def opener(request: CaptureRequest) -> InputContainer:
        gate.wait(30)
        return open_input(request)

    async def main() -> None:
        track = VideoTrack()
        task = asyncio.create_task(
            Capture(CaptureRequest(format="lavfi", url="testsrc=size=64x64"), track, opener).start()
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()

    asyncio.run(main())
