"""What a call costs: CPU of a 720p30 relay and of an Opus echo, beside aiortc; and calls a packet at real pacing.

    python benchmarks/calls.py [--runs 3] [--seconds 10] [--json FILE]

The machine under test is a process of its own (`call_server.py`); this process is its source and its sink, with this
stack in both cases, so the load is the same. Relay: VP8 at 1280x720, 30 frames a second, some 2 Mbit/s, encoded once
beforehand; aiortc has no way to hand on encoded frames, so it decodes and encodes. Echo: 48 kHz Opus, decoded and
encoded again by both. The stacks take turns, medians are shown. Then the same two jobs run once more under a profile
function, for this stack alone: how many Python and C functions a packet takes, received or sent, all threads together.

aiortc offers no loopback candidates, so as root everything moves into a network namespace with a veth pair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from namespaces import move_into_namespace

from webrtc_stack.cli.bench.summary import machine

HERE = Path(__file__).resolve().parent
JOBS = ("relay", "echo")
STACKS = ("ours", "aiortc")
BITRATE = 2_000_000
SECONDS_OF_VIDEO = 4


def encoded_video() -> list[Any]:
    """Some seconds of 720p30 VP8 to be sent round and round; the first frame is a key frame."""
    from webrtc_stack import aio, devices
    from webrtc_stack.peer import Codec, CodecParameters

    codec = CodecParameters(payload_type=96, codec=Codec(mime_type="video/VP8", clock_rate=90_000))
    settings = aio.EncoderSettings(bitrate=BITRATE, framerate=30, width=1280, height=720)
    encoder = devices.engine().encoder(codec, settings)
    picture = devices.TestPicture(1280, 720, 30)
    chunks = []
    for number in range(30 * SECONDS_OF_VIDEO):
        chunks += encoder.encode(picture.draw(number), keyframe=number == 0)
    encoder.close()
    return chunks


class UnderTest:
    """The process under test, spoken to by JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, stack: str, job: str, *, profile: bool) -> UnderTest:
        arguments = [str(HERE / "call_server.py"), stack, job, *(["--profile"] if profile else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            limit=1 << 24,
        )
        return cls(process)

    async def do(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        if not line:
            raise SystemExit("the process under test ended early")
        reply: dict[str, Any] = json.loads(line)
        return reply

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 30)


async def connect(pc: Any, under_test: UnderTest, name: str) -> None:
    import webrtc_stack as rtc

    await pc.set_local_description()
    await pc.wait_gathering_complete()
    reply = await under_test.do(do="offer", connection=name, sdp=pc.local_description.sdp)
    await pc.set_remote_description(rtc.SessionDescription(type=rtc.SdpType.ANSWER, sdp=reply["sdp"]))
    await pc.connection_state.wait_for("connected", timeout=20)


async def measure(stack: str, job: str, seconds: float, video: list[Any], *, profile: bool = False) -> dict[str, Any]:
    """One run. Returns: CPU and wall seconds, packets, frames sent and come back, and calls if asked for."""
    import webrtc_stack as rtc
    from webrtc_stack import devices

    came = 0

    async def count(frames: Any) -> None:
        nonlocal came
        async for _ in frames:
            came += 1

    under_test = await UnderTest.start(stack, job, profile=profile)
    async with rtc.Client() as client:
        source = client.create_peer_connection()
        sent = 0
        if job == "relay":
            track = rtc.EncodedTrack("video", "video/VP8")
            source.add_transceiver(track, direction="sendonly")
            await connect(source, under_test, "in")
            sink = client.create_peer_connection()
            transceiver = sink.add_transceiver("video", direction="recvonly")
            await connect(sink, under_test, "out")
        else:
            transceiver = source.add_transceiver(devices.tone(440), direction="sendrecv")
            await connect(source, under_test, "in")
        counting = asyncio.create_task(count(transceiver.receiver.encoded_frames()))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        warm = 2.0  # encoders, jitter buffers and reports have settled
        measuring = False
        number = 0
        before = 0
        while True:
            now = loop.time() - begun
            if not measuring and now >= warm:
                measuring = True
                await under_test.do(do="begin")
                sent, before = 0, came
            if now >= warm + seconds:
                break
            if job == "relay":
                chunk = video[number % len(video)]
                frame = rtc.OutgoingFrame(data=chunk.data, media_time=number / 30, keyframe=chunk.keyframe)
                track.write(frame)
                number += 1
                sent += 1
                await asyncio.sleep(max(0.0, begun + number / 30 - loop.time()))
            else:
                await asyncio.sleep(0.02)
        reply = await under_test.do(do="end")
        reply["came"] = came - before
        reply["sent"] = sent if job == "relay" else round(seconds / 0.02)
        counting.cancel()
    await under_test.end()
    return reply


async def run(args: argparse.Namespace) -> None:
    report: dict[str, Any] = {"machine": machine(), "cpu": [], "calls": []}
    print(report["machine"])
    video = encoded_video()
    print(f"{'job':>6} {'stack':>7} {'CPU %':>7} {'frames':>12} {'ratio':>6}")
    for job in JOBS:
        runs: dict[str, list[dict[str, Any]]] = {stack: [] for stack in STACKS}
        for _ in range(args.runs):
            for stack in STACKS:
                runs[stack].append(await measure(stack, job, args.seconds, video))
        share = {stack: statistics.median(one["cpu"] / one["wall"] for one in runs[stack]) for stack in STACKS}
        for stack in STACKS:
            last = runs[stack][-1]
            report["cpu"].append({"job": job, "stack": stack, "cpu_share": share[stack], "runs": runs[stack]})
            frames = f"{last['came']}/{last['sent']}"
            print(f"{job:>6} {stack:>7} {share[stack] * 100:>7.1f} {frames:>12} {share[stack] / share['aiortc']:>6.2f}")
    print(f"{'job':>6} {'packets':>8} {'Python calls':>13} {'elsewhere':>10} {'C calls':>8}   (a packet)")
    for job in JOBS:
        result = await measure("ours", job, args.seconds, video, profile=True)
        packets, calls = result["packets"], result["calls"]
        row = [calls.get(kind, 0) / packets for kind in ("python", "python elsewhere", "native")]
        report["calls"].append({"job": job, "packets": packets, "per_packet": row})
        print(f"{job:>6} {packets:>8} {row[0]:>13.1f} {row[1]:>10.1f} {row[2]:>8.1f}")
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args()
    move_into_namespace()
    asyncio.run(run(args))


if __name__ == "__main__":
    main()
