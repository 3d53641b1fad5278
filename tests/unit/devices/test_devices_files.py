"""Files out and in: what is recorded is read back with PyAV, frame by frame; what is played has its own time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from webrtc_stack import sim
from webrtc_stack.aio import AudioTrack, EncodedChunk, EncoderSettings, VideoTrack, media_time_of
from webrtc_stack.devices import (
    AudioEncoder,
    Recorder,
    Sine,
    TestPicture,
    VideoEncoder,
    dominant_frequency,
    mono_samples,
    play,
    read_counter,
    test_picture,
    tone,
)
from webrtc_stack.errors import DeviceError, DeviceNotFound, InvalidArgumentError, InvalidStateError, NotSupportedError

from .calls import Source, codec


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), f"{thread.name} goes on"


def pictures(path: Path) -> list[tuple[float, int | None, int]]:
    """Time, counter and width of every picture of a file."""
    with av.open(str(path)) as container:
        return [(frame.time, read_counter(frame), frame.width) for frame in container.decode(video=0)]


def sound(path: Path) -> tuple[float, float, float]:
    """Start, duration and loudest frequency of the sound of a file."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    samples = mono_samples(frames)
    rate = frames[0].sample_rate
    return frames[0].time or 0.0, len(samples) / rate, dominant_frequency(samples, rate)


def duration(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


async def record(
    recorder: Recorder, seconds: float, *, fps: float = 15, raw: bool = True, video: bool = True, audio: bool = True
) -> None:
    """Records the test picture and a tone, raw."""
    assert raw
    if video:
        recorder.add_track(picture := test_picture(160, 120, fps))
    if audio:
        recorder.add_track(sine := tone(440))
    await recorder.start()
    await asyncio.sleep(seconds)
    if video:
        picture.stop()
    if audio:
        sine.stop()
    await recorder.finished()
    await recorder.stop()


@pytest.mark.parametrize("name", ["call.mkv", "call.webm", "call.mp4"])
def test_raw_tracks_are_recorded_and_every_frame_is_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    sim.run(lambda _: record(Recorder(path), 4.0))
    shown = pictures(path)
    assert [counter for _, counter, _ in shown] == list(range(len(shown))) and 59 <= len(shown) <= 61
    assert [time for time, _, _ in shown] == pytest.approx([n / 15 for n in range(len(shown))], abs=0.02)
    start, length, frequency = sound(path)
    assert start == pytest.approx(0, abs=0.03) and length == pytest.approx(4, abs=0.06)
    assert frequency == pytest.approx(440, abs=2)
    assert duration(path) == pytest.approx(4, abs=0.1)


def test_sound_is_recorded_to_wav(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    sim.run(lambda _: record(Recorder(path), 2.0, video=False))
    start, length, frequency = sound(path)
    assert start == 0 and length == pytest.approx(2, abs=0.03) and frequency == pytest.approx(440, abs=1)


def test_a_recording_works_with_threads_too(tmp_path: Path) -> None:
    path = tmp_path / "real.mkv"
    asyncio.run(record(Recorder(path), 0.6, fps=30))
    assert len(pictures(path)) >= 5


def encoded_pictures(mime_type: str, count: int, *, fps: float = 15) -> list[EncodedChunk]:
    encoder = VideoEncoder(mime_type, {}, EncoderSettings(bitrate=150_000, framerate=fps))
    picture = TestPicture(160, 120, fps)
    return [encoder.encode(picture.draw(n), keyframe=n % 30 == 5)[0] for n in range(count)]


def encoded_sound(mime_type: str, count: int) -> list[EncodedChunk]:
    encoder, sine = AudioEncoder(mime_type, {}, EncoderSettings(), 1), Sine(440)
    return list(itertools.islice((c for _ in range(count + 5) for c in encoder.encode(sine.frame())), count))


async def feed(source: Source, chunks: list[EncodedChunk], *, after: float = 0.0, base: float = 0.0) -> None:
    """Writes frames when they are due, their media time counted from `base`."""
    start = asyncio.get_running_loop().time() + after
    for chunk in chunks:
        await asyncio.sleep(max(0.0, start + chunk.media_time - asyncio.get_running_loop().time()))
        source.write(chunk._replace(media_time=chunk.media_time + base))
    source.end()


async def record_encoded(path: Path, *feeds: tuple[Source, list[EncodedChunk], float, float]) -> Recorder:
    recorder = Recorder(path)
    for source, *_ in feeds:
        recorder.add_encoded(source)
    await recorder.start()
    await asyncio.gather(*(feed(source, chunks, after=after, base=base) for source, chunks, after, base in feeds))
    await recorder.finished()
    await recorder.stop()
    return recorder


@pytest.mark.parametrize(
    ("mime_type", "name"),
    [
        ("video/VP8", "a.webm"),
        ("video/VP8", "a.mkv"),
        ("video/VP9", "a.webm"),
        ("video/VP9", "a.mp4"),
        ("video/AV1", "a.webm"),
        ("video/AV1", "a.mp4"),
        ("video/H264", "a.mp4"),
        ("video/H264", "a.mkv"),
        ("video/H265", "a.mp4"),
        ("video/H265", "a.mkv"),
    ],
)
def test_encoded_frames_are_recorded_as_they_are_with_both_tracks_aligned(
    tmp_path: Path, mime_type: str, name: str
) -> None:
    """Video of one clock begins half a second after sound of another, at a frame that is no key frame."""
    path = tmp_path / name
    video, audio = Source("video", codec(mime_type)), Source("audio", codec("audio/opus"))
    chunks = encoded_pictures(mime_type, 65)
    recorder = sim.run(
        lambda _: record_encoded(
            path, (video, chunks[1:], 0.5, 7000.0), (audio, encoded_sound("audio/opus", 240), 0.0, 90.0)
        )
    )
    assert recorder.notes == [] and recorder.error is None
    assert recorder.counters.frames_dropped == 4 and video.keyframes_asked >= 1
    shown = pictures(path)
    assert [counter for _, counter, _ in shown] == list(range(5, 65))
    assert [time for time, _, _ in shown] == pytest.approx([0.5 + n / 15 for n in range(5, 65)], abs=0.03)
    start, length, frequency = sound(path)
    assert start == pytest.approx(0, abs=0.03) and length == pytest.approx(4.8, abs=0.05)
    assert frequency == pytest.approx(440, abs=2)
    assert duration(path) == pytest.approx(0.5 + 65 / 15, abs=0.5)


@pytest.mark.parametrize(
    ("mime_type", "name"), [("audio/PCMU", "a.wav"), ("audio/PCMA", "a.wav"), ("audio/PCMU", "b.wav")]
)
def test_a_telephones_sound_is_recorded_as_it_is(tmp_path: Path, mime_type: str, name: str) -> None:
    path = tmp_path / name
    source = Source("audio", codec(mime_type))
    chunks = encoded_sound(mime_type, 100)
    del chunks[40:50]  # lost on the way
    sim.run(lambda _: record_encoded(path, (source, chunks, 0.0, 3.0)))
    start, length, frequency = sound(path)
    assert start == pytest.approx(0, abs=0.01)
    assert length == pytest.approx(2.0, abs=0.03), "WAV has no gaps: they are silence"
    assert frequency == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("mime_type", "name"), [("video/VP8", "a.webm"), ("video/H264", "a.mp4"), ("video/AV1", "a.mkv")]
)
def test_a_recording_survives_losses_and_new_resolutions(tmp_path: Path, mime_type: str, name: str) -> None:
    path = tmp_path / name
    encoder = VideoEncoder(mime_type, {}, EncoderSettings(bitrate=200_000, framerate=15))
    small, large = TestPicture(160, 120, 15), TestPicture(320, 240, 15)
    chunks = []
    for number in range(60):
        (chunk,) = encoder.encode((large if 20 <= number < 40 else small).draw(number), keyframe=number == 50)
        if not 44 <= number < 50:
            chunks.append(chunk)
    source = Source("video", codec(mime_type))
    sim.run(lambda _: record_encoded(path, (source, chunks, 0.0, 0.0)))
    shown = pictures(path)
    assert [counter for _, counter, _ in shown] == [*range(44), *range(50, 60)]
    assert [width for _, _, width in shown] == [160] * 20 + [320] * 20 + [160] * 14
    assert shown[-1][0] - shown[0][0] == pytest.approx(59 / 15, abs=0.02)


def test_a_source_that_gives_nothing_is_left_out_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"

    async def main() -> Recorder:
        recorder = Recorder(path, start_timeout=1.0)
        silent, video = Source("audio", codec("audio/opus")), Source("video", codec("video/VP8"))
        recorder.add_encoded(silent)
        recorder.add_encoded(video)
        await recorder.start()
        await feed(video, encoded_pictures("video/VP8", 60)[5:])
        await asyncio.sleep(0.1)
        await recorder.stop()
        return recorder

    recorder = sim.run(lambda _: main())
    assert len(recorder.notes) == 1 and "audio" in recorder.notes[0]
    assert [counter for _, counter, _ in pictures(path)] == list(range(5, 60))


def test_what_a_container_does_not_carry_is_refused_at_once(tmp_path: Path) -> None:
    for name, mime_type in (
        ("a.mp4", "video/VP8"),
        ("a.webm", "video/H264"),
        ("a.wav", "audio/opus"),
        ("a.mp4", "audio/PCMU"),
    ):
        with pytest.raises(NotSupportedError, match=mime_type):
            Recorder(tmp_path / name).add_encoded(Source(mime_type.partition("/")[0], codec(mime_type)))
    with pytest.raises(InvalidArgumentError, match="txt"):
        Recorder(tmp_path / "a.txt")
    with pytest.raises(NotSupportedError, match="wav"):
        Recorder(tmp_path / "a.wav").add_track(VideoTrack())
    assert list(tmp_path.iterdir()) == []


def test_a_codec_that_changes_or_does_not_fit_is_noted(tmp_path: Path) -> None:
    async def main(name: str, declared: bool) -> Recorder:
        source = Source("video", codec("video/VP8") if declared else None)
        recorder = Recorder(tmp_path / name)
        recorder.add_encoded(source)
        await recorder.start()
        source.codec_of_frames = codec("video/VP8")
        for number, chunk in enumerate(encoded_pictures("video/VP8", 20)):
            if number == 10:
                source.codec_of_frames = codec("video/VP9")
            source.write(chunk)
            await asyncio.sleep(0.05)
        await recorder.stop()
        return recorder

    changed = sim.run(lambda _: main("a.mkv", True))
    assert "video/VP9" in changed.notes[0] and changed.counters.frames_written == 10
    unfit = sim.run(lambda _: main("a.mp4", False))
    assert "video/VP8" in unfit.notes[0] and not (tmp_path / "a.mp4").exists()


def test_a_file_that_cannot_be_written_ends_the_recording_with_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = Recorder(tmp_path / "nowhere" / "a.mkv")
        await record(recorder, 0.5)

    with pytest.raises(DeviceError):
        sim.run(lambda _: main())
    with pytest.raises(DeviceError):
        asyncio.run(main())


def test_a_recorder_is_used_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = Recorder(tmp_path / "a.wav")
        with pytest.raises(InvalidStateError):
            await recorder.start()
        recorder.add_track(AudioTrack())
        with pytest.raises(InvalidArgumentError):
            recorder.add_track(AudioTrack())
        await recorder.start()
        with pytest.raises(InvalidStateError):
            recorder.add_track(AudioTrack())
        await recorder.stop()
        await recorder.stop()
        with pytest.raises(InvalidStateError):
            await recorder.start()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == [], "nothing came, so there is no file"


# --- players --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mkv"
    sim.run(lambda _: record(Recorder(path), 3.0))
    return path


async def watch(track: Any, into: list[Any]) -> None:
    loop = asyncio.get_running_loop()
    async for frame in track.frames(limit=1000):
        into.append((loop.time(), media_time_of(frame), frame))


def test_a_file_plays_in_its_own_time(clip: Path) -> None:
    video: list[Any] = []
    audio: list[Any] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        player = await play(clip)
        start = loop.time()
        assert player.video is not None and player.audio is not None
        watchers = [asyncio.create_task(watch(player.video, video)), asyncio.create_task(watch(player.audio, audio))]
        await player.finished()
        await asyncio.gather(*watchers)
        assert {track.end_reason for track in player.tracks} == {"the file has ended"}
        return loop.time() - start

    assert sim.run(lambda _: main()) == pytest.approx(3.0, abs=0.1)
    assert [read_counter(frame) for _, _, frame in video] == [counter for _, counter, _ in pictures(clip)]
    for entries in (video, audio):
        offsets = [now - media for now, media, _ in entries]
        assert max(offsets) - min(offsets) < 0.001, "written when due"
    samples = mono_samples([frame for _, _, frame in audio])
    assert dominant_frequency(samples, 48_000) == pytest.approx(440, abs=2)


def test_a_file_loops_without_a_seam_in_time(clip: Path) -> None:
    video: list[Any] = []

    async def main() -> None:
        player = await play(clip, loop=True)
        assert player.video is not None
        watcher = asyncio.create_task(watch(player.video, video))
        await asyncio.sleep(7.5)
        player.stop()
        await player.finished()
        await watcher
        assert player.video.end_reason == "stopped"

    sim.run(lambda _: main())
    times = [media for _, media, _ in video]
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert times[-1] == pytest.approx(7.5, abs=0.15) and max(steps) < 0.12 and min(steps) > 0
    counters = [read_counter(frame) for _, _, frame in video]
    assert counters.count(0) == 3


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.webm"])
def test_a_file_plays_without_decoding(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    sim.run(lambda _: record(Recorder(path), 2.0))
    mime_type = "video/VP8" if name == "b.webm" else "video/H264"
    frames: list[Any] = []

    async def main() -> None:
        player = await play(path, encoded=True)
        video: Any = player.video
        assert video.codec.mime_type == mime_type and player.audio is not None
        async for frame in video.encoded_frames(limit=1000):
            frames.append(frame)

    sim.run(lambda _: main())
    assert 29 <= len(frames) <= 31 and frames[0].keyframe
    if mime_type == "video/H264":
        assert frames[0].data.startswith(b"\x00\x00\x00\x01"), "Annex B, with the parameter sets"
    from webrtc_stack.devices import VideoDecoder

    from .calls import received

    decoder = VideoDecoder(mime_type)
    shown = [
        read_counter(picture)
        for frame in frames
        for picture in decoder.decode(received(EncodedChunk(*frame[:3]), codec(mime_type)))
    ]
    assert shown == list(range(len(frames)))


def test_pictures_out_of_order_are_decoded_though_encoded_ones_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(30):
            container.mux(stream.encode(TestPicture(160, 120, 15).draw(number)))
        container.mux(stream.encode(None))

    async def main() -> list[int | None]:
        player = await play(path, encoded=True)
        assert isinstance(player.video, VideoTrack) and player.audio is None
        return [read_counter(frame) async for frame in player.video.frames(limit=100)]

    assert sim.run(lambda _: main()) == list(range(30))


def test_a_file_plays_with_threads_and_ends_them_when_stopped(clip: Path) -> None:
    async def main() -> None:
        player = await play(clip)
        assert player.video is not None and isinstance(player.video, VideoTrack)
        async with asyncio.timeout(30):
            async for frame in player.video.frames():
                assert read_counter(frame) is not None
                break
        player.stop()
        await player.finished()

    asyncio.run(main())


def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    (tmp_path / "words.mkv").write_text("no film at all")
    for name, kind in (("absent.mkv", DeviceNotFound), ("words.mkv", DeviceError)):
        with pytest.raises(kind, match=name):
            asyncio.run(play(tmp_path / name))
    with pytest.raises(InvalidArgumentError):
        asyncio.run(play(""))


def test_synthetic_tracks_keep_the_loops_time_and_leave_no_task() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        picture, sine = test_picture(160, 120, 10, first=5), tone(600, sample_rate=16_000, channels=2)
        video: list[Any] = []
        audio: list[Any] = []
        watchers = [asyncio.create_task(watch(picture, video)), asyncio.create_task(watch(sine, audio))]
        start = loop.time()
        await asyncio.sleep(2.05)
        picture.stop()
        sine.stop()
        await asyncio.gather(*watchers)
        assert [read_counter(frame) for _, _, frame in video] == list(range(5, 26))
        assert [now - start for now, _, _ in video] == pytest.approx([0.02 + n / 10 for n in range(21)], abs=0.001)
        assert len(audio) == 102 and audio[0][2].layout.name == "stereo"
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    sim.run(lambda _: main())


def test_a_busy_loop_costs_pictures_but_no_sound() -> None:
    async def main(net: sim.Network) -> None:
        picture, sine = test_picture(160, 120, 10), tone(600)
        video: list[Any] = []
        audio: list[Any] = []
        watchers = [asyncio.create_task(watch(picture, video)), asyncio.create_task(watch(sine, audio))]
        await asyncio.sleep(0.45)
        net.now += 0.4  # as if something had held up the loop
        await asyncio.sleep(0.4)
        picture.stop()
        sine.stop()
        await asyncio.gather(*watchers)
        counters = [read_counter(frame) for _, _, frame in video]
        assert counters == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
        assert [media for _, media, _ in audio] == pytest.approx([n / 50 for n in range(len(audio))])
        assert len(audio) == pytest.approx(62, abs=1)

    sim.run(main)


def test_players_and_recorders_hold_nothing_once_done(clip: Path, tmp_path: Path) -> None:
    async def once(number: int) -> None:
        player = await play(clip)
        assert isinstance(player.video, VideoTrack)
        recorder = Recorder(tmp_path / f"{number}.webm")
        recorder.add_track(player.video)
        await recorder.start()
        await player.finished()
        await recorder.stop()

    sim.run(lambda _: once(0))
    gc.collect()
    before = sum(isinstance(thing, (av.VideoFrame, av.AudioFrame)) for thing in gc.get_objects())
    for number in range(3):
        sim.run(lambda _, number=number: once(number))  # type: ignore[misc]
    gc.collect()
    assert sum(isinstance(thing, (av.VideoFrame, av.AudioFrame)) for thing in gc.get_objects()) <= before
