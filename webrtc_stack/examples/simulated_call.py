"""An application tested by seed: the same client API on a virtual network, where a minute takes no time.

Two peers exchange numbered messages over a link that loses every tenth packet, breaks down for five seconds in the
middle, and heals. Nothing here knows that it is simulated but the three lines that make the network. Run it twice:
it prints the same digest, byte for byte the same conversation.
"""

from __future__ import annotations

import asyncio

import webrtc_stack as rtc
from webrtc_stack import sim

MESSAGES = 200


async def call(net: sim.Network) -> None:
    alice, bob = net.host("10.0.0.1", name="alice"), net.host("10.0.0.2", "fd00::2", name="bob")
    net.link(alice, bob, latency=0.04, jitter=0.01, loss=0.1, reorder=0.02)
    async with rtc.Client(runtime=alice) as left, rtc.Client(runtime=bob) as right:
        caller, callee = left.create_peer_connection(), right.create_peer_connection()
        numbers = caller.create_data_channel("numbers")

        for source, target in ((caller, callee), (callee, caller)):
            await source.set_local_description()
            await source.wait_gathering_complete(timeout=5)
            assert source.local_description is not None
            await target.set_remote_description(source.local_description)
        await numbers.opened(timeout=20)
        print(f"{net.now:7.3f} s  open")

        async def talk() -> None:
            for number in range(MESSAGES):
                await numbers.send(str(number))
                await asyncio.sleep(0.1)

        async def storm() -> None:
            await asyncio.sleep(8)
            net.link(alice, bob, up=False)
            print(f"{net.now:7.3f} s  the cable is cut")
            await asyncio.sleep(5)
            net.link(alice, bob, up=True)
            print(f"{net.now:7.3f} s  the cable is back")

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            group.create_task(storm())
            channel = await anext(aiter(callee.data_channels()))
            received = [int(await channel.receive()) for _ in range(MESSAGES)]
        assert received == list(range(MESSAGES)), "a reliable ordered channel delivers each once, in order"
        print(f"{net.now:7.3f} s  all {MESSAGES} messages arrived in order; {len(net.log)} datagrams were sent")
    print("digest", net.digest()[:16])


def main() -> None:
    sim.run(call, seed=7)


if __name__ == "__main__":
    main()
