"""The rows of the table: what each is, in which unit, and whether more or less of it is better."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Final, NamedTuple

from . import workloads

Ends = dict[str, dict[str, float]]
"""What both ends of a pair measured: {"offer": ..., "answer": ...}."""


class Row(NamedTuple):
    """`key` is `group/...`. Values and CPU time are shown in `unit` and `cpu_unit`."""

    key: str
    title: str
    unit: str
    more_is_better: bool = False
    cpu_unit: str = ""

    @property
    def group(self) -> str:
        return self.key.partition("/")[0]


class Figure(NamedTuple):
    """One value of one run, and the CPU time that it took in the row's own unit; None where the value is CPU time."""

    value: float
    cpu: float | None = None


class Live(NamedTuple):
    """A measurement between two processes: the words for `ends`, and the rows that come of it."""

    mode: tuple[str, ...]
    rows: tuple[Row, ...]
    figures: Callable[[Ends], list[Figure]]


GROUPS: Final = {
    "srtp": "SRTP, µs a packet",
    "rtp": "RTP packets with two header extensions, µs a packet",
    "packetization": f"payloads of a frame of {workloads.FRAME_BYTES // 1000} kB, µs a frame",
    "media": "video between two processes",
    "channel": "data channel between two processes",
    "connection": "connections between two processes",
    "limits": "what this machine does at all",
}

_PROFILE_TITLES: Final = {
    "AEAD_AES_128_GCM": "AES-128-GCM",
    "AEAD_AES_256_GCM": "AES-256-GCM",
    "AES_CM_128_HMAC_SHA1_80": "AES-CM, HMAC-SHA1-80",
}
_RTP_TITLES: Final = {
    "relay": "parse, write as it is",
    "change": "parse, read one, set two, write",
    "make": "make, set two, write",
    "relay burst": "bursts of 32: parse, write as it is",
    "rewrite burst": "bursts of 32: headers rewritten for forwarding",
}


def in_process_rows() -> list[Row]:
    """What one process does alone."""
    rows = [
        Row(f"srtp/{profile}/{size}/{form}", f"{_PROFILE_TITLES[profile]}, {size:,} B, {form}", "µs")
        for profile in workloads.PROFILES
        for size in workloads.SIZES
        for form in ("protect", "protect burst", "unprotect", "unprotect burst")
    ]
    rows += [Row(f"rtp/{name}", title, "µs") for name, title in _RTP_TITLES.items()]
    rows += [
        Row(f"packetization/{codec}/{way}", f"{codec}, {way}", "µs")
        for codec in workloads.CODECS
        for way in ("packetize", "depacketize")
    ]
    rows += [Row(f"limits/AES-128-GCM/{size}", f"AES-128-GCM alone, {size:,} B", "µs") for size in workloads.SIZES]
    rows += [
        Row("limits/copy/1200", "copying 1,200 B", "µs"),
        Row("limits/datagram/1200", "a datagram of 1,200 B through loopback", "µs"),
    ]
    return rows


# --- between two processes --------------------------------------------------------------------------------------------


def _throughput(size: int, seconds: float) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        offer, answer = ends["offer"], ends["answer"]
        if answer["messages"] != answer["expected"]:
            raise AssertionError("messages were lost on a reliable channel")
        cpu = (offer["cpu"] + answer["cpu"]) / (answer["bytes"] / 1e9)
        return [Figure(answer["bytes"] / answer["wall"] / 1e6, cpu)]

    title = f"messages of {size:,} B" if size < 1024 else f"messages of {size // 1024} KiB"
    row = Row(f"channel/{size}", title, "MB/s", True, "CPU s/GB")
    return Live(("throughput", str(size), str(seconds)), (row,), figures)


def _connect(count: int, signalling: str) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        times: list[float] = ends["offer"]["times"]  # type: ignore[assignment]
        cpu = (ends["offer"]["cpu"] + ends["answer"]["cpu"]) / len(times)
        return [Figure(statistics.median(times) * 1e3, cpu * 1e3)]

    row = Row(f"connection/{signalling}", f"time to an open channel, {signalling}", "ms", False, "CPU ms")
    return Live(("connect", str(count), signalling), (row,), figures)


def _ping(count: int) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        times: list[float] = ends["offer"]["times"]  # type: ignore[assignment]
        cpu = (ends["offer"]["cpu"] + ends["answer"]["cpu"]) / len(times)
        return [Figure(statistics.median(times) * 1e6, cpu * 1e6)]

    return Live(("ping", str(count)), (Row("channel/ping", "64 B there and back", "µs", False, "CPU µs"),), figures)


def _media(seconds: float) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        offer, answer = ends["offer"], ends["answer"]
        packets = answer["packets"]
        return [Figure(packets / answer["wall"], (offer["cpu"] + answer["cpu"]) / packets * 1e6)]

    row = Row("media/rate", "packets received, as fast as it goes", "1/s", True, "CPU µs")
    return Live(("media", str(seconds), "0"), (row,), figures)


def _paced(seconds: float, frames: int) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        return [Figure(ends[end]["cpu"] / ends[end]["packets"] * 1e6) for end in ("offer", "answer")]

    rows = tuple(
        Row(f"media/{way}", f"{way} {frames} frames/s of 60 kB, CPU a packet", "µs") for way in ("sending", "receiving")
    )
    return Live(("media", str(seconds), str(frames)), rows, figures)


def _fanout(copies: int, frames: int, seconds: float) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        offer, answer = ends["offer"], ends["answer"]
        delivered = offer["received"] / (offer["sent"] * copies)
        return [Figure(answer["cpu"] / answer["sent"] * 1e6), Figure(delivered * 100)]

    rows = (
        Row(f"media/fanout {copies}", f"forwarding {frames} frames/s to {copies}, CPU a packet sent", "µs"),
        Row(f"media/delivered {copies}", f"forwarding {frames} frames/s to {copies}, delivered", "%", True),
    )
    return Live(("fanout", str(copies), str(frames), str(seconds)), rows, figures)


def _idle(count: int, seconds: float) -> Live:
    def figures(ends: Ends) -> list[Figure]:
        answer = ends["answer"]
        return [Figure(answer["kilobytes"]), Figure(answer["process_kilobytes"] / 1e3), Figure(answer["cpu"] * 1e3)]

    rows = (
        Row("connection/memory", "memory of one more idle connection", "kB"),
        Row("connection/process", "memory of a process with one connection", "MB"),
        Row("connection/cpu", "CPU of an idle connection, a second", "ms"),
    )
    return Live(("idle", str(count), str(seconds)), rows, figures)


def live_rows(scale: float = 1.0) -> list[Live]:
    """What two processes do together; `scale` makes each measurement longer or shorter."""
    return [
        _media(1.5 * scale),
        _paced(2 * scale, 50),
        _fanout(8, 20, 2 * scale),
        *(_throughput(size, 1.5 * scale) for size in (100, 1024, 16 << 10, 64 << 10)),
        _ping(round(500 * scale)),
        _connect(max(3, round(10 * scale)), "trickle"),
        _connect(max(3, round(10 * scale)), "vanilla"),
        _idle(round(20 * scale), 1.5 * scale),
    ]
