"""How a call goes, second by second: a table made of `pc.stats()`, the statistics of W3C in their own words.

A video call on a virtual network, whose link loses every tenth packet for four seconds in the middle: retransmissions
fill the gaps, so that pictures still come. Real time would do as well: nothing but the network is made up. Needs PyAV
(`pip install 'webrtc-stack[media]'`).
"""

from __future__ import annotations

import asyncio

import webrtc_stack as rtc
from webrtc_stack import devices, sim

COLUMNS = ("second", "kbit/s", "pictures/s", "lost", "asked again", "repaired", "key frames asked", "round trip")


async def table(sending: rtc.PeerConnection, receiving: rtc.PeerConnection, seconds: int) -> None:
    """A line a second, from the statistics of both sides."""
    print("  ".join(COLUMNS))
    bytes_before = frames_before = 0
    async for report in receiving.stats(interval=1.0):
        now = asyncio.get_running_loop().time()
        far = await sending.get_stats()
        for video in report.of_type("inbound-rtp"):
            received, decoded = video.bytes_received or 0, video.frames_decoded or 0
            pair = far.selected_candidate_pair
            cells = (
                f"{now:.0f}",
                f"{(received - bytes_before) * 8 / 1000:.0f}",
                f"{decoded - frames_before}",
                f"{video.packets_lost}",
                f"{video.nack_count}",
                f"{video.retransmitted_packets_received}",
                f"{video.pli_count}",
                f"{pair.current_round_trip_time * 1000:.0f} ms" if pair and pair.current_round_trip_time else "",
            )
            print("  ".join(cell.rjust(len(name)) for cell, name in zip(cells, COLUMNS, strict=True)))
            bytes_before, frames_before = received, decoded
        if now >= seconds:
            return


async def watch(pc: rtc.PeerConnection) -> None:
    """Decodes what comes: what nobody looks at is not decoded, and has no statistics of decoding."""
    async for event in pc.track_events():
        if isinstance(event, rtc.TrackAdded):
            async for _ in event.track.frames():
                pass


async def call(net: sim.Network) -> None:
    here, there = net.host("10.0.0.1", name="here"), net.host("10.0.0.2", name="there")
    net.link(here, there, latency=0.04, jitter=0.005)
    async with rtc.Client(runtime=here) as left, rtc.Client(runtime=there) as right:
        sending, receiving = left.create_peer_connection(), right.create_peer_connection()
        picture = devices.test_picture(320, 240, 15)
        sending.add_track(picture)
        for source, target in ((sending, receiving), (receiving, sending)):
            await source.set_local_description()
            await source.wait_gathering_complete()
            assert source.local_description is not None
            await target.set_remote_description(source.local_description)

        async def storm() -> None:
            await asyncio.sleep(3)
            net.link(here, there, loss=0.1)
            await asyncio.sleep(4)
            net.link(here, there, loss=0)

        async with asyncio.TaskGroup() as group:
            group.create_task(watch(receiving))
            group.create_task(storm())
            await table(sending, receiving, seconds=10)
            picture.stop()
            await receiving.close()


def main() -> None:
    sim.run(call, seed=5)


if __name__ == "__main__":
    main()
