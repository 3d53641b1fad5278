"""Pictures and sounds that a far end can recognise, made and measured without any library.

A picture carries a frame counter in the layout of `webrtc_stack.devices.counter`, drawn and read here by code of its
own, on the luma plane alone; a sound is a sine, recognised by its frequency. Peers that run in another process or on
another Python use this file, so that what is sent and received does not pass through the code under test.
"""

from __future__ import annotations

import array
import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

MODULUS = 1 << 16
SILENCE = 0.003
"""Root mean square, of full scale, below which it is quiet."""
_DARK, _LIGHT, _GREY = 16, 235, 110


def _bits(counter: int) -> list[int]:
    check = 0b1010
    for shift in (0, 4, 8, 12):
        check ^= counter >> shift & 15
    return [0, 1, 1, 0, *(check >> n & 1 for n in (3, 2, 1, 0)), *(counter >> n & 1 for n in range(15, -1, -1))]


def draw_luma(counter: int, width: int, height: int) -> bytearray:
    """The luma plane of a picture with this counter, without padding; the rest of it moves a little."""
    across, down = width / 10, height / 7.5
    luma = bytearray(bytes([_GREY + counter % 32]) * (width * height))
    bits = _bits(counter % MODULUS)
    for row in range(3):
        line = bytearray()
        for column, bit in enumerate(bits[8 * row : 8 * row + 8]):
            line += bytes([_LIGHT if bit else _DARK]) * (round((column + 2) * across) - round((column + 1) * across))
        for y in range(round((row + 1) * down), round((row + 2) * down)):
            at = y * width + round(across)
            luma[at : at + len(line)] = line
    return luma


def read_luma(luma: bytes | bytearray | memoryview, width: int, height: int, stride: int) -> int | None:
    """The counter of a luma plane, or None where there is none to be read."""
    across, down = width / 10, height / 7.5
    values = []
    for cell in range(24):
        x, y = int((cell % 8 + 1.5) * across), int((cell // 8 + 1.5) * down)
        spot = [luma[(y + dy) * stride + x + dx] for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
        values.append(sum(spot) / len(spot))
    threshold = sum(values[:4]) / 4
    if values[1] - values[0] < 48 or any(abs(value - threshold) < 16 for value in values):
        return None
    bits = [int(value > threshold) for value in values]
    counter = int("".join(map(str, bits[8:])), 2)
    return counter if _bits(counter) == bits else None


def sine(frequency: float, rate: int, start: int, count: int) -> array.array[int]:
    """`count` samples of 16 bits from sample number `start` on."""
    step = 2 * math.pi * frequency / rate
    return array.array("h", [int(12_000 * math.sin(step * n)) for n in range(start, start + count)])


def measure(samples: Sequence[float], rate: int) -> dict[str, float]:
    """Frequency by counting where it crosses zero upwards, with hysteresis against noise, and the level."""
    if len(samples) < 2:
        return {"frequency": 0.0, "level": 0.0}
    level = math.sqrt(sum(s * s for s in samples) / len(samples))
    gate, armed, crossings = level / 3, False, []
    for at in range(1, len(samples)):
        before, now = samples[at - 1], samples[at]
        if now < -gate:
            armed = True
        if armed and before < 0 <= now:
            crossings.append(at - now / (now - before))
            armed = False
    cycles = len(crossings) - 1
    frequency = cycles * rate / (crossings[-1] - crossings[0]) if cycles > 0 else 0.0
    return {"frequency": frequency, "level": level / 32768}


class PictureMeter:
    """Keeps the counters of decoded pictures; `pictures` and `count` wait for more, as those of the browser's page."""

    def __init__(self) -> None:
        self.frames = self.unread = 0
        self.counters: list[int] = []
        self.size = (0, 0)
        self._more = asyncio.Event()

    def saw(self, counter: int | None, width: int, height: int) -> None:
        self.frames += 1
        self.size = (width, height)
        if counter is None:
            self.unread += 1
        else:
            self.counters.append(counter)
        self._more.set()

    async def pictures(self, distinct: int, least: int, most: int) -> dict[str, Any]:
        """Waits for so many different counters within the limits. Returns: them, and what was seen meanwhile."""
        start, frames, unread = len(self.counters), self.frames, self.unread
        while True:
            found = list(dict.fromkeys(c for c in self.counters[start:] if least <= c <= most))
            if len(found) >= distinct:
                break
            self._more.clear()
            await self._more.wait()
        width, height = self.size
        seen = {"frames": self.frames - frames, "unread": self.unread - unread}
        return {"counters": found, "width": width, "height": height, **seen}

    async def count(self, seconds: float) -> int:
        before = self.frames
        await asyncio.sleep(seconds)
        return self.frames - before

    def describe(self) -> dict[str, Any]:
        return {"frames": self.frames, "unread": self.unread, "size": self.size, "last": self.counters[-5:]}


class SoundMeter:
    """Keeps the last tenth of a second of one channel; when nothing comes any more, it is quiet."""

    def __init__(self) -> None:
        self.rate = 48_000
        self.frames = 0
        self._last: deque[float] = deque(maxlen=4_800)
        self._heard = 0.0

    def heard(self, samples: Sequence[float], rate: int) -> None:
        if rate != self.rate:
            self.rate, self._last = rate, deque(maxlen=rate // 10)
        self.frames += 1
        self._last.extend(samples)
        self._heard = time.monotonic()

    def measure(self) -> dict[str, float]:
        if time.monotonic() - self._heard > 0.1:
            return {"frequency": 0.0, "level": 0.0}
        return measure(self._last, self.rate)

    async def tone(self, frequency: float | None, tolerance: float, steady: int) -> dict[str, float]:
        """Waits until so many measurements in a row are this tone, or silence for None. Returns: the last one."""
        right = 0
        while True:
            now = self.measure()
            if frequency is None:
                fits = now["level"] < SILENCE
            else:
                fits = now["level"] > 0.01 and abs(now["frequency"] - frequency) <= tolerance * frequency
            right = right + 1 if fits else 0
            if right == steady:
                return now
            await asyncio.sleep(0.06)

    def describe(self) -> dict[str, Any]:
        return {"frames": self.frames, **self.measure()}
