"""The client API on one page: two peer connections in one process talk over real sockets.

Signalling here is two function calls; in an application it is whatever carries JSON between the two sides.
"""

from __future__ import annotations

import asyncio

import webrtc_stack as rtc


async def signal(source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
    """Carries one description over, then candidates as they are found (trickle)."""
    assert source.local_description is not None
    await target.set_remote_description(source.local_description)


async def trickle(source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
    """Ends by itself when the source has no more candidates."""
    async for candidate in source.ice_candidates():
        await target.add_ice_candidate(candidate)
    await target.add_ice_candidate(None)


async def answering_side(pc: rtc.PeerConnection) -> None:
    """Answers every message on every channel until the connection ends."""
    async for channel in pc.data_channels():
        print(f"the peer opened {channel.label!r} (stream {channel.id})")
        async for message in channel:
            match message:
                case str(text):
                    await channel.send(text.upper())
                case bytes(data):
                    await channel.send(data[::-1])
        print(f"{channel.label!r} is closed")


async def run() -> None:
    async with (
        rtc.Client(rtc.ClientConfig(include_loopback=True)) as client,
        client.create_peer_connection() as caller,
        client.create_peer_connection() as callee,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(answering_side(callee))
        chat = caller.create_data_channel("chat")

        await caller.set_local_description()  # the offer; returns at once, gathering goes on
        await signal(caller, callee)
        await callee.set_local_description()  # the answer
        await signal(callee, caller)
        group.create_task(trickle(caller, callee))
        group.create_task(trickle(callee, caller))

        await caller.connection_state.wait_for("connected", timeout=10)
        pair = caller.snapshot().ice.selected_pair
        assert pair is not None
        print(f"connected: {pair.local.type} {pair.local.host} to {pair.remote.type} {pair.remote.host}")
        print(f"DTLS {caller.snapshot().dtls.version}, {caller.snapshot().dtls.cipher_suite}")

        await chat.send("hello")  # waits until the channel is open, and while too much is buffered
        print("answer:", await chat.receive())
        await chat.send(b"\x01\x02\x03")
        print("answer:", await chat.receive())
        await chat.close()
        await callee.close()


def main() -> None:
    asyncio.run(run())


if __name__ == "__main__":
    main()
