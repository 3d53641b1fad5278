"""Encoders and decoders: through the packets and back, key frames, bitrates, sizes, broken data."""

from __future__ import annotations

import gc
import math
import tracemalloc
from fractions import Fraction
from random import Random

import av
import pytest

from webrtc_stack.aio import EncodedChunk, EncoderSettings
from webrtc_stack.devices import (
    AudioDecoder,
    Sine,
    TestPicture,
    VideoDecoder,
    VideoEncoder,
    dominant_frequency,
    engine,
    mono_samples,
    read_counter,
)
from webrtc_stack.errors import DeviceError, InvalidArgumentError, InvalidStateError, NotSupportedError, ParseError

from .calls import AUDIO_CODECS, VIDEO_CODECS, Received, Wire, codec, received

SMALL = EncoderSettings(bitrate=150_000, framerate=15)


def video_encoder(mime_type: str, settings: EncoderSettings = SMALL, fmtp: str | None = None) -> VideoEncoder:
    made = engine().encoder(codec(mime_type, fmtp), settings)
    assert isinstance(made, VideoEncoder)
    return made


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_every_counter_is_readable_at_160x120_and_150_kilobits(mime_type: str) -> None:
    picture, wire = TestPicture(160, 120, 15), Wire(codec(mime_type))
    encoder, decoder = video_encoder(mime_type), engine().decoder(codec(mime_type))
    read: list[int | None] = []
    size = 0
    for number in range(45):
        chunks = encoder.encode(picture.draw(1000 + 7 * number))
        assert len(chunks) == 1, "one in, one out"
        size += len(chunks[0].data)
        for frame in wire.carry(chunks[0]):
            for shown in decoder.decode(frame):
                read.append(read_counter(shown))
                assert float(shown.pts * shown.time_base) == pytest.approx(frame.media_time, abs=1e-4)
    assert read == [1000 + 7 * number for number in range(45)]
    assert size * 8 / 3 < 150_000 * 1.5, "the bitrate is kept, but for the first key frame"
    assert encoder.counters.frames_encoded == decoder.counters.frames_decoded == 45
    assert encoder.counters.key_frames_encoded == decoder.counters.key_frames_decoded == 1
    assert encoder.counters.total_encode_time > 0 and decoder.counters.total_decode_time > 0
    assert (decoder.counters.frame_width, decoder.counters.frame_height) == (160, 120)
    encoder.close()
    decoder.close()


@pytest.mark.parametrize("mime_type", AUDIO_CODECS)
@pytest.mark.parametrize(("rate", "channels", "frame_time"), [(48_000, 1, 0.02), (44_100, 2, 0.01), (8_000, 1, 0.033)])
def test_a_tone_keeps_its_frequency_and_its_time(mime_type: str, rate: int, channels: int, frame_time: float) -> None:
    parameters = codec(mime_type)
    sine, wire = Sine(700, sample_rate=rate, channels=channels, frame_time=frame_time), Wire(parameters)
    encoder, decoder = engine().encoder(parameters, EncoderSettings()), engine().decoder(parameters)
    frames: list[av.AudioFrame] = []
    times: list[float] = []
    for _ in range(round(1 / frame_time)):
        frame = sine.frame()
        assert frame.pts is not None
        frame.pts += 5 * rate  # a source does not begin at zero
        for chunk in encoder.encode(frame):
            times.append(chunk.media_time)
            for packet in wire.carry(chunk):
                for shown in decoder.decode(packet):
                    assert float(shown.pts * shown.time_base) == pytest.approx(packet.media_time, abs=2e-4)
                    frames.append(shown)
    assert len(times) in (48, 49, 50)
    assert times == pytest.approx([5 + 0.02 * number for number in range(len(times))])
    assert {frame.samples / frame.sample_rate for frame in frames} == {0.02}
    samples = mono_samples(frames)[len(frames) // 4 * frames[0].samples :]
    assert dominant_frequency(samples, frames[0].sample_rate) == pytest.approx(700, abs=2)


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_a_key_frame_comes_with_the_picture_it_was_asked_for(mime_type: str) -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder(mime_type)
    kinds = [encoder.encode(picture.draw(n), keyframe=n == 6)[0].keyframe for n in range(12)]
    assert kinds == [True] + [False] * 5 + [True] + [False] * 5
    fresh = engine().decoder(codec(mime_type))
    chunk = encoder.encode(picture.draw(12), keyframe=True)[0]
    (shown,) = fresh.decode(received(chunk, codec(mime_type)))
    assert read_counter(shown) == 12, "it needs nothing that went before"


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_a_new_size_begins_with_a_key_frame(mime_type: str) -> None:
    encoder, decoder = video_encoder(mime_type), engine().decoder(codec(mime_type))
    small, large = TestPicture(160, 120, 15), TestPicture(320, 240, 15)
    for number in range(12):
        source = large if 4 <= number < 8 else small
        (chunk,) = encoder.encode(source.draw(number))
        assert chunk.keyframe == (number in (0, 4, 8))
        (shown,) = decoder.decode(received(chunk, codec(mime_type)))
        assert (shown.width, shown.height) == (source.width, source.height)
        assert read_counter(shown) == number
    assert encoder.restarts == 2


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_a_lower_bitrate_is_kept_from_then_on(mime_type: str) -> None:
    settings = EncoderSettings(bitrate=600_000, framerate=15)
    picture, encoder = TestPicture(320, 240, 15), video_encoder(mime_type, settings)
    sizes = []
    for number in range(75):
        if number == 30:
            encoder.set_bitrate(100_000)
        frame = noisy(picture.draw(number), number)
        sizes.append(len(encoder.encode(frame)[0].data))
    before, after = (sum(part) * 8 * 15 / len(part) for part in (sizes[15:30], sizes[45:75]))
    assert after < before / 2, f"{before:.0f} bit/s became {after:.0f}"
    assert after < 160_000
    assert encoder.bitrate == 100_000


def noisy(frame: av.VideoFrame, seed: int) -> av.VideoFrame:
    """Something to spend bits on: stripes that change everywhere in each picture."""
    plane = frame.planes[0]
    luma = bytearray(plane)
    for y in range(frame.height // 2, frame.height):
        at = y * plane.line_size
        luma[at : at + frame.width] = bytes((x * x * (y + seed) >> 3) & 0xFF for x in range(frame.width))
    plane.update(bytes(luma))
    return frame


def test_small_changes_of_bitrate_cost_no_key_frame_and_rises_wait() -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder("video/VP8")
    kinds = []
    for number in range(70):
        if number == 5:
            encoder.set_bitrate(160_000)
        if number == 10:
            encoder.set_bitrate(400_000)
        if number == 60:
            encoder.set_bitrate(120_000)
        kinds.append(encoder.encode(picture.draw(number))[0].keyframe)
    assert [number for number, keyframe in enumerate(kinds) if keyframe] == [0, 45, 60]


def test_x264_takes_a_lower_bitrate_without_a_key_frame() -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder("video/H264")
    kinds = []
    for number in range(20):
        if number == 10:
            encoder.set_bitrate(60_000)
        kinds.append(encoder.encode(picture.draw(number))[0].keyframe)
    assert kinds == [True] + [False] * 19 and encoder.restarts == 0


def test_x264_is_opened_anew_for_a_higher_bitrate_and_then_spends_it() -> None:
    picture, encoder = (
        TestPicture(320, 240, 15),
        video_encoder("video/H264", EncoderSettings(bitrate=60_000, framerate=15)),
    )
    sizes, kinds = [], []
    for number in range(90):
        if number == 5:
            encoder.set_bitrate(600_000)
        (chunk,) = encoder.encode(noisy(picture.draw(number), number))
        sizes.append(len(chunk.data))
        kinds.append(chunk.keyframe)
    assert [number for number, keyframe in enumerate(kinds) if keyframe] == [0, 45]
    assert sum(sizes[60:90]) > 3 * sum(sizes[10:40])


@pytest.mark.parametrize("bitrate", [160_000, 140_000])
def test_a_tenth_more_or_less_is_no_reason_to_begin_anew(bitrate: int) -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder("video/VP8")
    encoder.encode(picture.draw(0))
    encoder.set_bitrate(bitrate)
    assert not any(encoder.encode(picture.draw(number))[0].keyframe for number in range(1, 61))


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_a_new_scene_is_no_key_frame_that_nobody_asked_for(mime_type: str) -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder(mime_type)
    kinds = []
    for number in range(12):
        frame = picture.draw(number)
        if number >= 6:
            frame.planes[0].update(bytes(255 - level for level in bytes(frame.planes[0])))
        kinds.append(encoder.encode(frame)[0].keyframe)
    assert kinds == [True] + [False] * 11


@pytest.mark.parametrize(
    ("profile_level_id", "profile_idc"),
    [("42e01f", 66), ("42001f", 66), ("4d001f", 77), ("640c1f", 100), ("64001f", 100)],
)
def test_h264_has_the_profile_that_was_negotiated(profile_level_id: str, profile_idc: int) -> None:
    encoder = video_encoder("video/H264", fmtp=f"profile-level-id={profile_level_id};packetization-mode=1")
    (chunk,) = encoder.encode(TestPicture(160, 120, 15).draw(0))
    at = chunk.data.index(b"\x00\x00\x01\x67") + 4
    assert chunk.data[at] == profile_idc
    if profile_level_id == "42e01f":
        assert chunk.data[at + 1] & 0x40, "constrained"


def test_frames_of_any_format_and_odd_sizes_are_taken() -> None:
    encoder, decoder = video_encoder("video/VP8"), engine().decoder(codec("video/VP8"))
    for number, form in enumerate(("rgb24", "bgra", "nv12", "yuv444p", "gray", "yuyv422", "yuv420p10le")):
        frame = TestPicture(160, 120, 15).draw(number).reformat(format=form)
        (chunk,) = encoder.encode(frame)
        (shown,) = decoder.decode(received(chunk, codec("video/VP8")))
        assert read_counter(shown) == number, form
    odd = av.VideoFrame(161, 121, "rgb24")
    (chunk,) = encoder.encode(odd)
    (shown,) = decoder.decode(received(chunk, codec("video/VP8")))
    assert (shown.width, shown.height) == (160, 120)


def test_an_encoder_leaves_the_callers_frame_as_it_was() -> None:
    frame = TestPicture(160, 120, 15).draw(3)
    before = (frame.pts, frame.time_base, frame.pict_type, bytes(frame.planes[0]))
    video_encoder("video/VP8").encode(frame, keyframe=True)
    assert (frame.pts, frame.time_base, frame.pict_type, bytes(frame.planes[0])) == before


def test_a_size_and_a_scale_can_be_asked_for() -> None:
    picture = TestPicture(320, 240, 15)
    scaled = video_encoder("video/VP8", EncoderSettings(scale_resolution_down_by=2.0))
    scaled.encode(picture.draw(0))
    assert (scaled.counters.frame_width, scaled.counters.frame_height) == (160, 120)
    fixed = video_encoder("video/VP8", EncoderSettings(width=176, height=144))
    fixed.encode(picture.draw(0))
    assert (fixed.counters.frame_width, fixed.counters.frame_height) == (176, 144)


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_times_that_stand_still_or_go_back_do_not_stop_the_encoder(mime_type: str) -> None:
    picture, encoder = TestPicture(160, 120, 15), video_encoder(mime_type)
    times = [0.0, 0.1, 0.1, 0.05, 1e6, 1e6 + 0.1, 0.0]
    seen = []
    for time in times:
        frame = picture.draw(1)
        frame.pts = round(time * 90_000)
        seen += [chunk.media_time for chunk in encoder.encode(frame)]
    assert seen == pytest.approx(times, abs=1e-4)


def test_frames_without_time_are_counted() -> None:
    encoder = video_encoder("video/VP8")
    times = []
    for number in range(3):
        frame = TestPicture(160, 120, 15).draw(number)
        frame.pts = None
        times += [chunk.media_time for chunk in encoder.encode(frame)]
    assert times == pytest.approx([0, 1 / 15, 2 / 15])


def test_a_gap_in_the_sound_is_a_gap_in_the_packets() -> None:
    encoder = engine().encoder(codec("audio/opus"), EncoderSettings())
    sine, times = Sine(440, frame_time=0.03), []
    for number in range(6):
        frame = sine.frame()
        assert frame.pts is not None
        if number >= 3:
            frame.pts += 48_000
        times += [chunk.media_time for chunk in encoder.encode(frame)]
    assert times == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 1.09, 1.11, 1.13, 1.15])


@pytest.mark.parametrize("mime_type", VIDEO_CODECS + AUDIO_CODECS)
def test_broken_data_is_counted_and_the_decoder_goes_on(mime_type: str) -> None:
    parameters = codec(mime_type)
    decoder = engine().decoder(parameters)
    assert isinstance(decoder, (VideoDecoder, AudioDecoder))
    for number, data in enumerate((b"", b"\x00", b"\xff" * 3, bytes(range(256)) * 4, b"\x00\x00\x00\x01" * 30)):
        frame = Received(data, parameters, 0, number / 10)
        if mime_type.startswith("audio"):
            decoder.decode(frame)
            continue
        try:
            decoder.decode(frame)
        except ParseError:
            assert decoder.decode(frame._replace(keyframe=False)) == [], "it waits for a key frame, in silence"
    if mime_type.startswith("video"):
        assert decoder.counters.frames_corrupted > 0
        encoder, source = video_encoder(mime_type), TestPicture(160, 120, 15)
        shown = [
            read_counter(picture)
            for number in range(3)
            for picture in decoder.decode(received(encoder.encode(source.draw(number))[0], parameters))
        ]
        assert shown == [0, 1, 2]


@pytest.mark.parametrize("mime_type", VIDEO_CODECS + AUDIO_CODECS)
def test_damaged_frames_are_a_parse_error_or_nothing_worse(mime_type: str) -> None:
    """Each frame with a bit turned, a piece cut off, or bytes put in; and the next whole key frame is shown."""
    parameters, chance = codec(mime_type), Random(mime_type)
    video = mime_type.startswith("video")
    encoder, decoder = engine().encoder(parameters, SMALL), engine().decoder(parameters)
    picture, sine = TestPicture(160, 120, 15), Sine(440)
    errors = 0
    for number in range(150):
        frame = picture.draw(number) if video else sine.frame()
        for chunk in encoder.encode(frame, keyframe=number % 10 == 0):
            data = bytearray(chunk.data)
            at = chance.randrange(len(data))
            match number % 3:
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at:]
                case _:
                    data[at:at] = chance.randbytes(20)
            try:
                decoder.decode(received(chunk._replace(data=bytes(data)), parameters))
            except ParseError:
                errors += 1
    assert isinstance(decoder, (VideoDecoder, AudioDecoder))
    assert errors == decoder.counters.frames_corrupted if video else errors == 0
    if video:
        (chunk,) = encoder.encode(picture.draw(777), keyframe=True)
        (shown,) = decoder.decode(received(chunk, parameters))
        assert read_counter(shown) == 777


@pytest.mark.parametrize("mime_type", AUDIO_CODECS)
def test_lost_sound_is_concealed_by_as_much_sound(mime_type: str) -> None:
    parameters = codec(mime_type)
    encoder, decoder, sine = engine().encoder(parameters, EncoderSettings()), engine().decoder(parameters), Sine(440)
    shown = []
    for _ in range(5):
        for chunk in encoder.encode(sine.frame()):
            shown += decoder.decode(received(chunk, parameters))
    made = [piece for _ in range(5) for piece in decoder.conceal(0.02)]
    rate = shown[0].sample_rate
    assert [piece.samples for piece in made] == [rate // 50] * 5
    end = 0.02 * len(shown)
    assert [float(piece.pts * piece.time_base) for piece in made] == pytest.approx([end + 0.02 * n for n in range(5)])
    loudness = [max(map(abs, mono_samples(piece))) for piece in made]
    assert loudness[0] > loudness[1] > loudness[2] > loudness[3] == loudness[4] == 0
    assert decoder.counters.concealed_samples == rate // 10
    assert decoder.counters.concealment_events == 1
    assert sum(piece.samples for piece in decoder.conceal(3600)) == rate


def test_what_this_ffmpeg_lacks_is_said_before_any_frame() -> None:
    with pytest.raises(NotSupportedError, match="video/theora"):
        engine().encoder(codec("video/theora"), SMALL)
    with pytest.raises(NotSupportedError, match="audio/speex"):
        engine().decoder(codec("audio/speex"))
    with pytest.raises(DeviceError, match="h264_of_nobody"):
        engine().encoder(codec("video/H264"), EncoderSettings(implementation="h264_of_nobody"))
    assert engine().can_encode("video/vp8") and engine().can_decode("AUDIO/OPUS")
    assert not engine().can_encode("video/theora") and not engine().can_decode("video/theora")


@pytest.mark.parametrize("name", ["h264_v4l2m2m", "h264_nvenc", "h264_vaapi"])
def test_a_hardware_encoder_that_is_not_here_is_a_device_error(name: str) -> None:
    try:
        encoder = engine().encoder(codec("video/H264"), EncoderSettings(implementation=name))
    except DeviceError as error:
        assert name in str(error)
    else:
        assert encoder.implementation_name == name, "then this machine has one"


def test_another_encoder_is_taken_by_its_name() -> None:
    encoder = video_encoder("video/AV1", EncoderSettings(implementation="libsvtav1", options={"preset": "11"}))
    assert encoder.implementation_name == "libsvtav1"
    assert len(encoder.encode(TestPicture(160, 120, 15).draw(0))) == 1
    encoder.close()


def test_a_closed_codec_says_so() -> None:
    encoder, decoder = video_encoder("video/VP8"), engine().decoder(codec("video/VP8"))
    for machine in (encoder, decoder):
        machine.close()
        machine.close()
    with pytest.raises(InvalidStateError):
        encoder.encode(TestPicture(160, 120).draw(0))
    with pytest.raises(InvalidStateError):
        decoder.decode(received(EncodedChunk(b"", 0.0), codec("video/VP8")))
    with pytest.raises(InvalidArgumentError):
        video_encoder("video/VP8").set_bitrate(0)


def test_opus_follows_its_bitrate_and_its_parameters() -> None:
    def octets(bitrate: int, fmtp: str = "") -> int:
        encoder = engine().encoder(codec("audio/opus", fmtp), EncoderSettings())
        encoder.set_bitrate(bitrate)
        sine = Sine(440, channels=2)
        return sum(len(chunk.data) for _ in range(50) for chunk in encoder.encode(sine.frame()))

    assert octets(12_000, "cbr=1") == pytest.approx(1500, rel=0.05)
    assert octets(64_000, "cbr=1") == pytest.approx(8000, rel=0.05)
    assert octets(64_000, "cbr=1;maxaveragebitrate=16000") == pytest.approx(2000, rel=0.05)


def test_stereo_is_sent_when_it_is_negotiated() -> None:
    for fmtp, stereo in (("", False), ("stereo=1", True)):
        (chunk,) = engine().encoder(codec("audio/opus", fmtp), EncoderSettings()).encode(Sine(channels=2).frame())
        assert bool(chunk.data[0] & 4) is stereo, "the s bit of the TOC octet"


def test_a_blank_frame_has_the_form_and_the_time_of_the_other() -> None:
    picture = TestPicture(160, 120, 15).draw(30)
    black = engine().blank(picture)
    assert (black.width, black.height, black.pts, black.time_base) == (160, 120, picture.pts, picture.time_base)
    assert set(bytes(black.planes[0])) == {16}
    sound = Sine(440, channels=2).frame()
    quiet = engine().blank(sound)
    assert (quiet.samples, quiet.sample_rate, quiet.layout.name) == (960, 48_000, "stereo")
    assert set(bytes(quiet.planes[0])) == {0}
    with pytest.raises(InvalidArgumentError):
        engine().blank("a frame")


@pytest.mark.parametrize("mime_type", ["video/VP8", "video/H264", "audio/opus"])
def test_memory_stays_where_it_is_over_500_frames(mime_type: str) -> None:
    parameters = codec(mime_type)
    encoder, decoder = engine().encoder(parameters, SMALL), engine().decoder(parameters)
    picture, sine = TestPicture(160, 120, 15), Sine(440)
    sounds = [sine.frame() for _ in range(10)]

    def run(first: int, last: int) -> None:
        for number in range(first, last):
            frame = picture.draw(number) if mime_type.startswith("video") else sounds[number % 10]
            for chunk in encoder.encode(frame):
                decoder.decode(received(chunk, parameters))
            if mime_type.startswith("audio") and number % 10 == 0:
                decoder.conceal(0.02)

    run(0, 50)
    gc.collect()
    tracemalloc.start()
    try:
        run(50, 550)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 1 << 18


def test_a_packet_without_sound_is_silence_and_no_damage() -> None:
    parameters = codec("audio/PCMU")
    decoder = engine().decoder(parameters)
    assert isinstance(decoder, AudioDecoder)
    (shown,) = decoder.decode(Received(b"", parameters, 8000, 1.0))
    assert (shown.samples, float(shown.pts * shown.time_base), set(bytes(shown.planes[0]))) == (160, 1.0, {0})
    assert decoder.counters.frames_corrupted == 0


def test_comfort_noise_has_the_level_that_was_told() -> None:
    parameters = codec("audio/CN")
    decoder = engine().decoder(parameters)
    for level, loudness in ((40, 0.01), (20, 0.1), (127, 0.0)):
        (shown,) = decoder.decode(Received(bytes((level, 1, 2)), parameters, 8000, 1.0))
        assert (shown.samples, shown.sample_rate, float(shown.pts * shown.time_base)) == (160, 8000, 1.0)
        values = mono_samples(shown)
        assert math.sqrt(sum(value * value for value in values) / 160) == pytest.approx(loudness, rel=0.2, abs=1e-4)
        assert sum(piece.samples for piece in decoder.conceal(0.1)) == 800
    assert engine().can_decode("audio/CN") and not engine().can_encode("audio/CN")
    decoder.close()
    with pytest.raises(InvalidStateError):
        decoder.conceal(0.02)


def test_the_media_clock_of_g722_is_its_rtp_clock() -> None:
    parameters = codec("audio/G722")
    (chunk,) = engine().encoder(parameters, EncoderSettings()).encode(Sine(440, sample_rate=16_000).frame())
    (shown,) = engine().decoder(parameters).decode(received(chunk._replace(media_time=1.0), parameters))
    assert (shown.time_base, shown.pts, shown.sample_rate, shown.samples) == (Fraction(1, 8000), 8000, 16_000, 320)
