"""A voice agent tested by seed: a caller who whistles, interrupts and presses a key, on a virtual network.

Nothing but the network is made up: the agent of `voice_echo_agent.py`, real Opus, 2 % loss. Time is virtual, so that
the talk takes less than it lasts, and comes out the same every time. Needs aiohttp (for that page) and PyAV
(`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import array
import asyncio

import webrtc_stack as rtc
from webrtc_stack import devices, sim
from webrtc_stack.examples.voice_echo_agent import FRAME, KEYS, RATE, Agent, beep


class Caller:
    """Whistles, and knows what it hears."""

    def __init__(self, pc: rtc.PeerConnection) -> None:
        self._pc = pc
        self.mouth = devices.Speech(RATE)
        self.sender = pc.add_track(self.mouth.track)

    async def expect(self, *frequencies: float) -> None:
        """Listens until one of the frequencies is what there is to hear."""
        recent = b""
        async for pcm in devices.pcm(self._pc.receivers[0].track, RATE):
            recent = (recent + pcm)[-10 * 2 * FRAME :]
            loudest = devices.dominant_frequency([sample / 32768 for sample in array.array("h", recent)], RATE)
            if any(abs(loudest - frequency) < 5 for frequency in frequencies):
                print(f"caller: hears {loudest:.0f} Hz, {asyncio.get_running_loop().time():.2f} s into the call")
                return

    async def talk(self) -> None:
        """Whistles, whistles into the answer, and presses a key."""
        self.mouth.say(beep(1.0, 440))
        await self.expect(440)
        self.mouth.say(beep(0.4, 880))
        await self.expect(880)
        assert self.sender.dtmf is not None
        await self.sender.dtmf.insert("5")
        await self.expect(*KEYS["5"])
        self.mouth.track.stop()


async def tell(source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
    """Signalling of the trial: one description, with all candidates in it."""
    await source.set_local_description()
    await source.wait_gathering_complete()
    assert source.local_description is not None
    await target.set_remote_description(source.local_description)


async def trial(net: sim.Network) -> None:
    here, there = net.host("10.0.0.1", name="caller"), net.host("10.0.0.2", name="agent")
    net.link(here, there, latency=0.03, jitter=0.005, loss=0.02)
    async with rtc.Client(runtime=here) as left, rtc.Client(runtime=there) as right:
        calling, called = left.create_peer_connection(), right.create_peer_connection()
        caller = Caller(calling)
        await tell(calling, called)
        agent = Agent(called)
        await tell(called, calling)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(agent.converse())
            await calling.connection_state.wait_for("connected")
            await caller.talk()
            await calling.close()


def main() -> None:
    sim.run(trial, seed=1)


if __name__ == "__main__":
    main()
