"""What one contender does in one process, and how it is timed.

A `Task` belongs to a row. It is prepared (fresh contexts, not timed), then run; a figure is the median over the runs
of one turn, and contenders take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...packetization import payload_format
from ...rtp import ExtensionMap, HeaderRewrite, RtpPacket, Uri, parse_many, serialize_many
from ...srtp import Profile, SrtpContext
from . import workloads

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Task:
    """`prepare()` returns what is timed; a run of it does `operations`."""

    row: str
    operations: int
    prepare: Callable[[], Run]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds an operation."""

    wall: float
    cpu: float


def timed(task: Task, seconds: float) -> Timing:
    """Runs a task until `seconds` are over, three times at least."""
    walls: list[float] = []
    cpus: list[float] = []
    end = time.perf_counter() + seconds
    while len(walls) < 3 or time.perf_counter() < end:
        run = task.prepare()
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        walls.append((time.perf_counter() - wall) / task.operations)
        cpus.append((time.process_time() - cpu) / task.operations)
    return Timing(statistics.median(walls), statistics.median(cpus))


def each(function: Callable[[Any], object], items: list[Any]) -> Run:
    """One call an item."""

    def run() -> None:
        for item in items:
            function(item)

    return run


def repeated(row: str, operations: int, run: Run) -> Task:
    """A task without anything to prepare."""
    return Task(row, operations, lambda: run)


def in_bursts(function: Callable[[list[Any]], object], items: list[Any]) -> Run:
    """One call a burst."""
    size = workloads.BURST
    bursts = [items[n : n + size] for n in range(0, len(items), size)]
    return each(function, bursts)


# --- this stack -------------------------------------------------------------------------------------------------------

_PACKETS = 1024
_FRAMES = 16


def our_tasks() -> list[Task]:
    """Everything, under the core that this process chose."""
    return [*_srtp(), *_rtp(), *_packetization()]


def _srtp() -> list[Task]:
    tasks = []
    for name in workloads.PROFILES:
        profile = Profile[name]

        def context(profile: Profile = profile) -> SrtpContext:
            return SrtpContext(profile, bytes(profile.key_bytes), bytes(profile.salt_bytes))

        for size in workloads.SIZES:
            plain = workloads.rtp_packets(size, _PACKETS)
            sealed = context().protect_many(plain)
            row = f"srtp/{name}/{size}"
            tasks += _srtp_forms(row, context, plain, sealed)
    return tasks


def _srtp_forms(row: str, context: Callable[[], SrtpContext], plain: list[Any], sealed: list[Any]) -> list[Task]:
    forms: dict[str, Callable[[], Run]] = {
        "protect": lambda: each(context().protect, plain),
        "unprotect": lambda: each(context().unprotect, sealed),
        "protect burst": lambda: in_bursts(context().protect_many, plain),
        "unprotect burst": lambda: in_bursts(context().unprotect_many, sealed),
    }
    return [Task(f"{row}/{form}", _PACKETS, prepare) for form, prepare in forms.items()]


def _rtp() -> list[Task]:
    transport_cc, mid = Uri.TRANSPORT_CC, Uri.MID  # bound once: reading an enum's member costs as much as `get`
    mapping = ExtensionMap({workloads.TRANSPORT_CC_ID: transport_cc, workloads.MID_ID: mid})
    data, numbers = workloads.RTP_PACKET, range(_PACKETS)

    def relay() -> None:
        for _ in numbers:
            RtpPacket.parse(data, mapping).serialize()

    def change() -> None:
        for number in numbers:
            packet = RtpPacket.parse(data, mapping)
            packet.get(transport_cc)
            packet.set(transport_cc, number)
            packet.set(mid, "1")
            packet.serialize()

    def make() -> None:
        payload = data[24:]
        for number in numbers:
            packet = RtpPacket(
                payload_type=96, sequence_number=7, timestamp=9, ssrc=11, payload=payload, extension_map=mapping
            )
            packet.set(transport_cc, number)
            packet.set(mid, "1")
            packet.serialize()

    target = ExtensionMap({7: transport_cc, 9: mid})
    rewrite = HeaderRewrite(ssrc=7, maps=(mapping, target), values={mid: "1"}, transport_sequence_number=0)
    packets = [data] * _PACKETS

    def relay_burst(burst: list[bytes]) -> None:
        serialize_many(parse_many(burst, mapping))  # type: ignore[arg-type]  # all of them are packets

    runs: dict[str, Run] = {"relay": relay, "change": change, "make": make}
    runs["relay burst"] = in_bursts(relay_burst, packets)
    runs["rewrite burst"] = in_bursts(rewrite.rewrite_many, packets)
    return [repeated(f"rtp/{name}", _PACKETS, run) for name, run in runs.items()]


def _packetization() -> list[Task]:
    tasks = []
    for codec in workloads.CODECS:
        form = payload_format(codec)
        frame = workloads.frame_of(codec)

        def packetize(form: Any = form, frame: bytes = frame) -> Run:
            return each(form.packetizer(1200).packetize, [frame] * _FRAMES)

        def depacketize(form: Any = form, frame: bytes = frame) -> Run:
            packetizer = form.packetizer(1200)
            depacketizer = form.depacketizer()
            packets: list[Any] = []
            for number in range(_FRAMES):
                payloads = packetizer.packetize(frame)
                packets += workloads.arrived(payloads, len(packets), number * 3000)

            def run() -> None:
                came = 0
                for packet in packets:
                    came += len(depacketizer.push(packet))
                if came != _FRAMES:
                    raise AssertionError(f"{came} frames of {_FRAMES} came back")

            return run

        tasks.append(Task(f"packetization/{codec}/packetize", _FRAMES, packetize))
        tasks.append(Task(f"packetization/{codec}/depacketize", _FRAMES, depacketize))
    return tasks
