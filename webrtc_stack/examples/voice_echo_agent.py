"""The skeleton of a voice agent: hears a caller, knows when it has finished speaking, answers, and can be interrupted.

    python -m webrtc_stack.examples.voice_echo_agent --port 8080    open http://localhost:8080 and talk to it
    python -m webrtc_stack.examples.voice_echo_agent                is tried by a caller, see voice_agent_by_seed.py

Sound is PCM both ways: 16-bit mono at 16 kHz, as speech models like it, in pieces of 20 ms. Put your own thoughts into
`Agent.think`: this one says again what it heard, so an echo comes back. Whoever speaks while it speaks interrupts it
(barge-in). Telephone keys are read out as their tones. Needs aiohttp and PyAV
(`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import argparse
import array
import asyncio
import math

from aiohttp import web

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.examples import _signalling as signalling

RATE = 16_000
FRAME = RATE // 50
"""Samples in 20 ms."""
LOUD = 700
"""The mean amplitude from which sound counts as speech, of 32,767; real agents ask a voice activity detector."""
PAUSE = 25
"""Quiet frames after which the caller has finished: half a second."""
ROWS, COLUMNS = {697: "123A", 770: "456B", 852: "789C", 941: "*0#D"}, (1209, 1336, 1477, 1633)
KEYS = {key: (low, high) for low, row in ROWS.items() for key, high in zip(row, COLUMNS, strict=True)}
"""The two tones of each telephone key."""


class Agent:
    """One conversation."""

    def __init__(self, pc: rtc.PeerConnection) -> None:
        self._pc = pc
        self._mouth = devices.Speech(RATE)
        self._answering: asyncio.Task[None] | None = None
        pc.add_track(self._mouth.track, "agent")

    async def think(self, heard: bytes) -> bytes:
        """The answer to what was said; takes its time, and is cancelled by an interruption. Here: the same again."""
        print(f"agent: heard {len(heard) / 2 / RATE:.1f} s")
        return heard

    async def converse(self) -> None:
        """Until the caller has left."""
        receiver = next(one for one in self._pc.receivers if one.kind == "audio")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(receiver.track, group))
            group.create_task(self._read_keys(receiver))
            await signalling.over(self._pc)
            self._mouth.track.stop()

    async def _answer(self, heard: bytes) -> None:
        self._mouth.say(await self.think(heard))

    def _interrupt(self) -> None:
        if self._mouth.speaking or (self._answering is not None and not self._answering.done()):
            print("agent: is interrupted")
            self._mouth.hush()
            if self._answering is not None:
                self._answering.cancel()

    async def _listen(self, track: rtc.RemoteTrack, group: asyncio.TaskGroup) -> None:
        heard, quiet = bytearray(), 0
        async for pcm in devices.pcm(track, RATE):
            if sum(map(abs, array.array("h", pcm))) > LOUD * FRAME:
                if not heard:
                    self._interrupt()
                heard += pcm
                quiet = 0
            elif heard:
                heard += pcm
                quiet += 1
                if quiet == PAUSE:
                    self._answering = group.create_task(self._answer(bytes(heard[: -2 * FRAME * PAUSE])))
                    heard.clear()

    async def _read_keys(self, receiver: rtc.Receiver) -> None:
        async for tone in receiver.dtmf():
            print(f"agent: key {tone.digit}")
            self._mouth.say(beep(0.4, *KEYS[tone.digit]))


def beep(seconds: float, *frequencies: float) -> bytes:
    """PCM of some sines together."""
    turns = [2 * math.pi * frequency / RATE for frequency in frequencies]
    volume = 12_000 / len(turns)
    count = round(seconds * RATE)
    return array.array("h", [int(sum(volume * math.sin(t * n) for t in turns)) for n in range(count)]).tobytes()


async def serve(options: argparse.Namespace) -> None:
    conversations: set[asyncio.Task[None]] = set()

    async def offer(request: web.Request) -> web.Response:
        pc = await signalling.take_offer(request, client)
        task = asyncio.create_task(Agent(pc).converse())
        conversations.add(task)
        task.add_done_callback(conversations.discard)
        return await signalling.answer(pc)

    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        page = signalling.page("Voice agent", send=("audio",))
        async with signalling.serving({"/": page}, {"/offer": offer}, host=options.host, port=options.port) as url:
            print(f"open {url} and say something")
            await asyncio.Event().wait()


def main() -> None:
    options = signalling.arguments(__doc__).parse_args()
    if options.port:
        signalling.run(serve(options))
    else:
        from webrtc_stack.examples import voice_agent_by_seed  # which imports this page

        voice_agent_by_seed.main()


if __name__ == "__main__":
    main()
