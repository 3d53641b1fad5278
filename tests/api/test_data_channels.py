"""Data channels through the client API, on the virtual network."""

from __future__ import annotations

import asyncio

import pytest

import webrtc_stack as rtc
from tests.support.peers import Signalling, connected_channels, two_peers
from webrtc_stack import sim


def test_text_binary_and_empty_messages_arrive_as_what_they_are() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(left, right)
            for message in ("text", "", "grüße 🙂", b"", b"\x00\xff", bytes(200_000)):
                await ours.send(message)
                got = await theirs.receive()
                assert got == message
                assert type(got) is type(message)
            await ours.send(memoryview(b"view"))
            await ours.send(bytearray(b"array"))
            assert await theirs.receive_bytes() == b"view"
            assert await theirs.receive_bytes() == b"array"

    sim.run(main)


def test_the_peer_sees_the_channel_as_it_was_opened() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(
                left, right, ordered=False, max_retransmits=3, protocol="chess", priority="high"
            )
            for channel in (ours, theirs):
                assert (channel.label, channel.protocol, channel.ordered) == ("test", "chess", False)
                assert (channel.max_retransmits, channel.max_packet_life_time) == (3, None)
                assert channel.priority == "high"
            assert ours.id == theirs.id is not None

    sim.run(main)


def test_negotiated_channels_need_no_opening_message() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ours = left.create_data_channel("a", negotiated=True, id=7)
            theirs = right.create_data_channel("b", negotiated=True, id=7)
            await Signalling(left, right, delay=0.01, trickle=True).negotiate()
            await ours.send("hello")
            assert await theirs.receive() == "hello"
            assert not len(right._incoming)

    sim.run(main)


def test_either_side_may_open_channels_and_ids_do_not_collide() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            await connected_channels(left, right)
            lefts = [left.create_data_channel(f"l{n}") for n in range(10)]
            rights = [right.create_data_channel(f"r{n}") for n in range(10)]
            for channel in (*lefts, *rights):
                await channel.opened(timeout=5)
            ids = [channel.id for channel in (*lefts, *rights)]
            assert len(set(ids)) == 20
            arrived = [await anext(aiter(left.data_channels())) for _ in range(10)]
            assert [channel.label for channel in arrived] == [f"r{n}" for n in range(10)]

    sim.run(main)


@pytest.mark.parametrize("closer", [0, 1], ids=["opener closes", "other side closes"])
def test_closing_a_channel_closes_it_on_both_sides_after_all_messages(closer: int) -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ends = await connected_channels(left, right)
            near, far = ends[closer], ends[1 - closer]
            for number in range(50):
                await near.send(f"{number}" * 1000)
            await near.close()
            assert near.ready_state.value == "closed"
            assert [message async for message in far] == [f"{number}" * 1000 for number in range(50)]
            assert far.ready_state.value == "closed"
            assert far.error is None
            with pytest.raises(rtc.ConnectionLost):
                await far.receive()
            with pytest.raises(rtc.InvalidStateError, match="closed"):
                await near.send("late")
            await near.close()
            assert left.connection_state.value == "connected"

    sim.run(main)


def test_a_slow_reader_slows_the_sender_down() -> None:
    async def main(net: sim.Network) -> None:
        config = rtc.ClientConfig(receive_window_bytes=200_000)
        async with two_peers(net, config=config) as (left, right):
            ours, theirs = await connected_channels(left, right)
            ours.high_water_bytes = 100_000
            sent = 0

            async def flood() -> None:
                nonlocal sent
                for _ in range(100):
                    await ours.send(bytes(10_000))
                    sent += 1

            task = asyncio.create_task(flood())
            await asyncio.sleep(60)
            assert not task.done()
            assert sent < 45, "back-pressure did not reach the sender"
            received = 0
            while received < 100:
                assert len(await theirs.receive_bytes()) == 10_000
                received += 1
            await task

    sim.run(main)


def test_drained_and_the_low_event_tell_when_there_is_room() -> None:
    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.02, rate_bps=8_000_000)
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(left, right)
            ours.buffered_amount_low_threshold = 50_000
            events = left.data_channel_events()
            for _ in range(100):
                ours.send_nowait(bytes(5_000))
            assert ours.buffered_amount > 50_000
            await ours.drained(timeout=30)
            assert ours.buffered_amount <= 50_000
            assert isinstance(await anext(events), rtc.DataChannelOpened)
            assert await anext(events) == rtc.BufferedAmountLow(ours)
            for _ in range(100):
                await theirs.receive()

    sim.run(main)


def test_channel_events_tell_the_whole_story_in_order() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            story: list[str] = []

            async def follow() -> None:
                async for event in right.data_channel_events():
                    story.append(type(event).__name__)

            task = asyncio.create_task(follow())
            await asyncio.sleep(0)
            ours, theirs = await connected_channels(left, right)
            await ours.close()
            await right.close()
            await task
            assert story == ["DataChannelAnnounced", "DataChannelOpened", "DataChannelClosing", "DataChannelClosed"]
            assert theirs.ready_state.value == "closed"

    sim.run(main)


def test_misuse_is_told_what_to_do() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            channel = left.create_data_channel("early", negotiated=True, id=100)
            with pytest.raises(rtc.InvalidStateError, match=r"await channel\.opened"):
                channel.send_nowait("too early")
            with pytest.raises(rtc.InvalidArgumentError, match="both"):
                left.create_data_channel("x", max_retransmits=1, max_packet_life_time=1)
            with pytest.raises(rtc.InvalidArgumentError, match="priority is one of"):
                left.create_data_channel("x", priority="urgent")
            ours, theirs = await connected_channels(left, right)
            with pytest.raises(rtc.MessageTooLarge):
                await ours.send(bytes(300_000))
            await ours.send("text")
            with pytest.raises(rtc.InvalidStateError, match="text"):
                await theirs.receive_bytes()
            assert await theirs.receive_text() == "text"
            assert theirs.receive_nowait() is None

    sim.run(main)


def test_a_cancelled_receive_loses_nothing() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(left, right)
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await theirs.receive()
            first, second = asyncio.create_task(theirs.receive()), asyncio.create_task(theirs.receive())
            await asyncio.sleep(0)
            await ours.send("one")
            first.cancel()
            assert await second == "one"

    sim.run(main)
