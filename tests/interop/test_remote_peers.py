"""The remote peers among themselves: when this is red, the fault is not ours."""

from __future__ import annotations

import asyncio

from tests.support.content import content, sha256
from tests.support.remote_peer import Remote, RemotePeer


async def test_two_connections_of_one_program_reach_each_other(remote: Remote) -> None:
    left, right = RemotePeer(remote), RemotePeer(remote)
    await left.create()
    await right.create()
    made = await left.create_channel("control", protocol="p")
    await left.set_remote(await right.answer(await left.offer(trickle=False), trickle=False))
    arrived = await right.wait_channel("control")
    await made.wait_open()
    assert arrived.properties["protocol"] == "p"
    await made.send_text("")
    assert await arrived.next_message() == {"text": ""}
    arriving = await arrived.receive_file(1_000_000)
    assert await made.send_file(1_000_000, 1) == (await arriving)["sha256"] == sha256(content(1_000_000, 1))
    await arrived.close()
    assert (await made.wait_closed())[-1] == "close"
    assert (await left.report())["states"]["connection"] == "connected"
    await asyncio.gather(left.close(), right.close())
