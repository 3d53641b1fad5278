"""Perfect negotiation: both sides at once, over a channel with delays, whatever the seed."""

from __future__ import annotations

import asyncio

import pytest

import webrtc_stack as rtc
from tests.support.fake_media import Background, FakeEngine, camera, microphone, take
from tests.support.peers import two_peers
from tests.support.signalling import signalling_pair
from webrtc_stack import sim
from webrtc_stack.base import SeededEntropy, random_unit


@pytest.mark.parametrize("seed", [n if n < 10 else pytest.param(n, marks=pytest.mark.slow) for n in range(50)])
def test_offers_that_cross_end_in_one_session_with_everything_in_it(seed: int) -> None:
    entropy = SeededEntropy(seed)

    async def main(net: sim.Network) -> None:
        ends = signalling_pair(lambda: random_unit(entropy) * 0.1)
        async with two_peers(net, engine=FakeEngine()) as peers:
            left, right = peers
            async with (
                rtc.PerfectNegotiator(left, ends[0], polite=True) as polite,
                rtc.PerfectNegotiator(right, ends[1], polite=False) as impolite,
            ):
                tracks: dict[rtc.PeerConnection, rtc.MediaTrack] = {left: camera(), right: microphone()}
                for pc, entropy_of in ((left, entropy.fork("left")), (right, entropy.fork("right"))):
                    await asyncio.sleep(random_unit(entropy_of) * 0.05)
                    pc.create_data_channel(f"from {'left' if pc is left else 'right'}")
                    await asyncio.sleep(random_unit(entropy_of) * 0.2)
                    pc.add_track(tracks[pc])
                for pc in peers:
                    await pc.connection_state.wait_for("connected", timeout=20)
                got = [(await anext(aiter(pc.data_channels()))).label for pc in peers]
                assert got == ["from right", "from left"]
                for pc in peers:
                    await pc.signaling_state.wait_for("stable", timeout=20)
                # Both restart ICE in the middle, as if both had changed their network.
                left.restart_ice()
                await asyncio.sleep(random_unit(entropy) * 0.1)
                right.restart_ice()
                await asyncio.sleep(5)
                assert [pc.signaling_state.value for pc in peers] == ["stable", "stable"]
                assert [pc.connection_state.value for pc in peers] == ["connected", "connected"]
                for pc, kind in ((left, "audio"), (right, "video")):
                    assert [one.receiver.track.kind for one in pc.transceivers if not one.receiver.track.muted] == []
                    added = await take(pc.track_events(), 1)
                    assert [event.track.kind for event in added] == [kind]
                async with Background() as background:
                    for track in tracks.values():
                        background.play(track)
                    for pc in peers:
                        (event,) = await take(pc.track_events(), 1)
                        await take(event.track.frames(), 2)
                assert polite.offers_ignored == 0
                assert impolite.offers_taken_back == 0
                assert impolite.offers_ignored == polite.offers_taken_back

    sim.run(main, seed=seed)


def test_a_side_that_hangs_up_ends_the_negotiation_of_both() -> None:
    async def main(net: sim.Network) -> None:
        ends = signalling_pair()
        async with two_peers(net) as (left, right), asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(rtc.PerfectNegotiator(left, ends[0], polite=True).run())
            group.create_task(rtc.PerfectNegotiator(right, ends[1], polite=False).run())
            left.create_data_channel("x")
            await right.connection_state.wait_for("connected", timeout=10)
            await left.close()
            await right.connection_state.wait_for("closed", timeout=10)

    sim.run(main)


def test_signalling_that_ends_ends_the_negotiator_and_not_the_call() -> None:
    async def main(net: sim.Network) -> None:
        ends = signalling_pair()
        async with two_peers(net) as (left, right):
            tasks = [
                asyncio.create_task(rtc.PerfectNegotiator(left, ends[0], polite=True).run()),
                asyncio.create_task(rtc.PerfectNegotiator(right, ends[1], polite=False).run()),
            ]
            left.create_data_channel("x")
            await right.connection_state.wait_for("connected", timeout=10)
            ends[0].close()
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks)
            assert left.connection_state.value == "connected"

    sim.run(main)


def test_what_the_other_side_sends_wrong_is_told_to_the_application() -> None:
    async def main(net: sim.Network) -> None:
        ends = signalling_pair()
        async with two_peers(net) as (left, _):
            with pytest.raises(rtc.ProtocolError):
                async with rtc.PerfectNegotiator(left, ends[0], polite=True):
                    await ends[1].send(rtc.SessionDescription(type=rtc.SdpType.OFFER, sdp="v=0\r\nnonsense"))
                    await asyncio.sleep(3600)
                assert net.now < 10

    sim.run(main)


def test_signalling_that_fails_is_told_to_the_application() -> None:
    class Broken:
        async def send(self, message: object) -> None:
            raise ConnectionError("the channel broke")

        async def receive(self) -> rtc.IceCandidate | None:
            await asyncio.sleep(3600)
            return None

    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, _):
            with pytest.raises(ConnectionError, match="broke"):
                async with rtc.PerfectNegotiator(left, Broken(), polite=True):
                    left.create_data_channel("x")
                    await asyncio.sleep(1)

    sim.run(main)
