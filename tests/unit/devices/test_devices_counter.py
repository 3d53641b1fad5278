"""The frame counter: drawn, read, refused; in Python and in JavaScript; and the sound that is measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.devices import (
    COUNTER_MODULUS,
    Sine,
    TestPicture,
    counter_cells,
    counter_script,
    dominant_frequency,
    mono_samples,
    read_cells,
    read_counter,
    silence,
)
from webrtc_stack.devices import counter as layout
from webrtc_stack.errors import InvalidArgumentError

NODE = shutil.which("node")


@given(st.integers(0, COUNTER_MODULUS - 1), st.integers(60, 400), st.integers(46, 300))
@settings(max_examples=60)
def test_what_is_drawn_is_read(counter: int, width: int, height: int) -> None:
    assert read_counter(TestPicture(width, height).draw(counter)) == counter


@given(st.integers(0, COUNTER_MODULUS - 1), st.integers(4, 23))
def test_one_wrong_cell_is_noticed(counter: int, broken: int) -> None:
    cells = counter_cells(counter)
    cells[broken] ^= 1
    values = iter([235 if cell else 16 for cell in cells])
    assert read_cells(160, 120, lambda *box: next(values)) is None


@given(st.integers(0, COUNTER_MODULUS - 1), st.integers(4, 23), st.floats(-0.15, 0.15))
def test_a_cell_near_the_threshold_is_no_answer(counter: int, doubtful: int, offset: float) -> None:
    values = [235.0 if cell else 16.0 for cell in counter_cells(counter)]
    values[doubtful] = (235 + 16) / 2 + offset * (235 - 16)
    left = iter(values)
    assert read_cells(160, 120, lambda *box: next(left)) is None


def test_the_counter_wraps_at_its_modulus() -> None:
    assert read_counter(TestPicture(160, 120).draw(COUNTER_MODULUS + 5)) == 5


@pytest.mark.parametrize("size", [(80, 60), (320, 240), (213, 160), (1280, 720)])
def test_a_scaled_picture_is_read_all_the_same(size: tuple[int, int]) -> None:
    picture = TestPicture(160, 120).draw(0xBEEF)
    assert read_counter(picture.reformat(width=size[0], height=size[1])) == 0xBEEF


@pytest.mark.parametrize("form", ["rgb24", "bgra", "nv12", "yuvj420p", "yuv420p10le", "gray", "yuyv422"])
def test_a_picture_of_any_pixel_format_is_read(form: str) -> None:
    assert read_counter(TestPicture(160, 120).draw(0x1234).reformat(format=form)) == 0x1234


def test_a_picture_without_a_counter_is_none() -> None:
    for level in (0, 16, 128, 255):
        frame = av.VideoFrame(160, 120, "gray")
        frame.planes[0].update(bytes((level,)) * frame.planes[0].buffer_size)
        assert read_counter(frame) is None
    assert read_counter(av.VideoFrame(32, 32, "yuv420p")) is None
    blurred = TestPicture(160, 120).draw(5).reformat(width=8, height=8).reformat(width=160, height=120)
    assert read_counter(blurred) is None


def test_pictures_move_and_are_the_same_each_time() -> None:
    picture = TestPicture(160, 120, 15)
    first, again, second = picture.draw(1), TestPicture(160, 120, 15).draw(1), picture.draw(2)
    assert bytes(first.planes[0]) == bytes(again.planes[0]) != bytes(second.planes[0])
    assert second.pts == 12_000 and second.time_base is not None and second.time_base.denominator == 90_000
    with pytest.raises(InvalidArgumentError):
        TestPicture(40, 30)


def test_the_script_has_the_same_layout() -> None:
    numbers = dict(re.findall(r"([A-Z_]+) = ([\d. /]+)[,;]", counter_script()))
    assert (int(numbers["COLUMNS"]), int(numbers["ROWS"])) == (layout.COLUMNS, layout.ROWS)
    assert float(numbers["CELLS_ACROSS"]) == layout.CELLS_ACROSS
    assert float(numbers["CELLS_DOWN"]) == layout.CELLS_DOWN
    assert int(numbers["CHECKSUM_SALT"]) == layout.CHECKSUM_SALT
    assert (int(numbers["MINIMUM_WIDTH"]), int(numbers["MINIMUM_HEIGHT"])) == (60, 46)


@pytest.mark.skipif(NODE is None, reason="node is not installed; browsers run the script in the interop tests")
def test_the_script_reads_ours_and_draws_what_we_read(tmp_path: Path) -> None:
    counters, sizes = [0, 1, 0x8001, 0xBEEF, 65535], [(160, 120), (61, 47), (320, 180)]
    pictures = []
    for (width, height), counter in ((size, counter) for size in sizes for counter in counters):
        frame = TestPicture(width, height).draw(counter).reformat(format="rgba")
        plane, stride = bytes(frame.planes[0]), frame.planes[0].line_size
        data = b"".join(plane[y * stride :][: 4 * frame.width] for y in range(frame.height))
        pictures.append({"width": frame.width, "height": frame.height, "data": list(data)})
    (tmp_path / "pictures.json").write_text(json.dumps(pictures))
    (tmp_path / "counter.js").write_text(counter_script())
    (tmp_path / "run.js").write_text(
        """
        const counter = require("./counter.js"), pictures = require("./pictures.json");
        const drawn = [[160, 120, 77], [240, 180, 65535]].map(([width, height, number]) => {
          const luma = new Array(width * height).fill(0);
          const context = { fillStyle: "", fillRect(left, top, w, h) {
            const level = this.fillStyle === "#ffffff" ? 255 : this.fillStyle === "#000000" ? 0 : 120;
            for (let y = top; y < top + h; y++) for (let x = left; x < left + w; x++) luma[y * width + x] = level;
          } };
          counter.draw(context, width, height, number);
          return { width, height, number, luma };
        });
        const blank = { width: 160, height: 120, data: new Array(160 * 120 * 4).fill(90) };
        console.log(JSON.stringify({ read: pictures.map(counter.read), none: counter.read(blank), drawn }));
        """
    )
    assert NODE is not None
    done = subprocess.run([NODE, "run.js"], cwd=tmp_path, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["read"] == [counter for _ in sizes for counter in counters]
    assert answer["none"] is None
    for made in answer["drawn"]:
        frame = av.VideoFrame(made["width"], made["height"], "gray")
        assert frame.planes[0].line_size == made["width"]
        frame.planes[0].update(bytes(made["luma"]))
        assert read_counter(frame) == made["number"]


@pytest.mark.parametrize("frequency", [100, 440, 1000, 3333.3, 7000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_frequency_of_a_tone_is_found(frequency: float, channels: int) -> None:
    sine = Sine(frequency, channels=channels)
    samples = mono_samples(sine.frame() for _ in range(10))
    assert dominant_frequency(samples, 48_000) == pytest.approx(frequency, abs=1)


@pytest.mark.parametrize("form", ["u8", "s16", "s16p", "s32", "flt", "fltp", "dbl"])
def test_samples_of_any_format_are_read(form: str) -> None:
    (frame,) = av.AudioResampler(format=form, layout="stereo", rate=48_000).resample(Sine(440, channels=2).frame())
    samples = mono_samples(frame)
    assert len(samples) == 960
    assert max(samples) == pytest.approx(0.4, abs=0.01)


def test_silence_has_no_frequency_and_few_samples_have_none() -> None:
    assert dominant_frequency(mono_samples(silence(4800, 48_000)), 48_000) == 0.0
    with pytest.raises(InvalidArgumentError):
        dominant_frequency([0.0] * 10, 48_000)
    for wrong in (0, 24_000):
        with pytest.raises(InvalidArgumentError):
            Sine(wrong)
