"""One call with Chromium in which everything happens that our statistics count, and what they said of it.

    python -m tests.interop.stats_call        prints the table of members and values

Nothing is made up: real sockets, real codecs, datagrams that a network really loses. Three things are arranged between
the two, since no browser does them by itself: the second picture section has lost `nack pli` and `transport-cc` in the
offer, so that key frames are asked for by FIR and bandwidth is told by REMB; Chromium's answer says that it takes both
layers of our simulcast; and the STUN server sees an address that is not our own, as behind a NAT.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from typing import Any

import webrtc_stack as rtc
from tests.support.mapping import MappedStunServer
from tests.support.our_media import OurMedia
from tests.support.remote_peer import CEILING, Remote
from tests.unit.peer_stats.call import chained_certificate
from tests.unit.peer_stats.coverage import DICTIONARIES, implemented, shown
from webrtc_stack.peer import stats as w3c

from .call import SIDES, Side, with_ours

DELAY = 0.1
"""Seconds that what we receive is late."""
LOSS = 0.08
OUTAGE = 0.9
"""Seconds without anything received: pictures freeze, sound is made up and fades into silence."""
LAYERS: list[dict[str, Any]] = [{"rid": "h"}, {"rid": "l", "scaleResolutionDownBy": 2}]
HARDWARE = {"outbound-rtp.powerEfficientEncoder", "inbound-rtp.powerEfficientDecoder"}
"""Members whose `false` is the news: true is for codecs in hardware, which machines for tests have not."""


NEVER_BY_CHROMIUM = "outbound-rtp.firCount"
"""Chromium asks by PLI even where only FIR is agreed; Firefox asks by FIR then (`test_stats_members.py`)."""
NOT_OVER_UDP = {"local-candidate.relayProtocol", "local-candidate.tcpType", "remote-candidate.tcpType"}
"""This call goes directly and over UDP; `simulation/test_peer_relays.py` sees these over a relay and over TCP."""


def sections(sdp: str) -> list[str]:
    """The session's part, then each section."""
    return re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)


def without_pli(sdp: str) -> str:
    """Takes from the third section (the second of pictures) what replaces FIR and REMB."""
    parts = sections(sdp)
    gone = re.compile(r"a=rtcp-fb:\d+ (nack pli|transport-cc)|a=extmap:\d+ \S+transport-wide-cc")
    parts[3] = "".join(line for line in parts[3].splitlines(keepends=True) if not gone.match(line))
    return "".join(parts)


def with_layers(sdp: str) -> str:
    """Has the last section, which comes with the second offer, take both layers."""
    parts = sections(sdp)
    if len(parts) == 6:
        parts[5] += "a=rid:h recv\r\na=rid:l recv\r\na=simulcast:recv h;l\r\n"
    return "".join(parts)


class Seen:
    """The members seen to say something, with the last such value."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = defaultdict(dict)

    def take(self, report: w3c.StatsReport) -> None:
        for stats in report.values():
            row = shown(type(stats))
            for name, value in stats.to_json().items():
                if value not in (0, "", False, None) or f"{row}.{name}" in HARDWARE:
                    self.values[row][name] = value

    def missing(self) -> list[str]:
        """Members that are implemented and were never seen."""
        return [
            f"{shown(kind)}.{name}"
            for kind in DICTIONARIES
            for name in sorted(implemented(kind))
            if name not in self.values[shown(kind)]
        ]

    def table(self) -> str:
        lines = ["| statistics | member | value |", "|---|---|---|"]
        for kind in DICTIONARIES:
            row = shown(kind)
            for name in sorted(implemented(kind)):
                value = self.values[row].get(name, "never seen")
                lines.append(f"| {row} | {name} | {str(value)[:60]} |")
        return "\n".join(lines)


class StatsCall:
    """The call, act by act; `seen` is what our statistics said in the course of it."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.seen = Seen()
        self.ended = False
        self.chromium: dict[str, dict[str, Any]] = {}
        """Chromium's own statistics, at the end."""
        self.ours: dict[str, dict[str, Any]] = {}

    async def run(self) -> None:
        async with MappedStunServer("10.77.0.1") as server:
            silent = "stun:10.77.0.1:9"
            self.call = call = with_ours(
                self.remote,
                name="all statistics",
                certificates=(chained_certificate(1),),
                ice_servers=(rtc.IceServer(server.url), rtc.IceServer(silent)),
            )
            call.edits = {"left": without_pli, "right": with_layers}
            await call.peers["left"].create()
            await call.peers["right"].create({"iceServers": [{"urls": server.url}]})  # type: ignore[call-arg]
            try:
                await self._acts()
            except Exception as error:
                error.add_note(self.seen.table())
                error.add_note(await call.describe())
                raise
            finally:
                await call.close()

    async def _acts(self) -> None:
        call = self.call
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await self._we_only_listen()
            await self._both_talk()
            await self._loss()
            await self._key_frames()
            await self._late_and_never()
            await self._a_pause_with_tones_and_other_paths()
            await self._the_end()
            watching.cancel()
        assert {(error.url, error.code) for error in call.ours.pc.ice_candidate_errors} == {("stun:10.77.0.1:9", 701)}

    async def _watch(self) -> None:
        while True:
            self.seen.take(await self.call.ours.pc.get_stats())
            await asyncio.sleep(0.25)

    async def until(self, *members: str) -> None:
        """Waits until those members (`type.name`) have been seen."""
        try:
            async with asyncio.timeout(CEILING):
                while set(members) & set(self.seen.missing()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            missing = set(members) & set(self.seen.missing())
            raise AssertionError(f"never seen: {sorted(missing)}") from None

    async def _we_only_listen(self) -> None:
        """Who sends nothing measures round trips by extended reports."""
        call = self.call
        self.audio = await call.add("audio", flow="recvonly")
        self.video = await call.add("video", flow="recvonly", size=(640, 480), rate=30)
        self.fir = await call.add("video", flow="recvonly", size=(320, 240))
        self.channels = [
            await call.peers["left"].create_channel(label, protocol="raw") for label in ("first", "second")
        ]
        call.ours.network.delay = DELAY
        await call.negotiate()
        await call.connected()
        for channel in self.channels:
            arrived = await call.peers["right"].wait_channel(channel.channel.label)
            await channel.wait_open()
            await channel.send("over")
            await arrived.next_message()
            await arrived.send_text("and out")
            await channel.receive()
        await call.flow()
        await self.until("remote-outbound-rtp.roundTripTime")

    async def _both_talk(self) -> None:
        call = self.call
        for line in call.lines:
            await line.set_flow("sendrecv", by="left")
            await line.ends["right"].set_direction("sendrecv")
            await line.ends["left"].replace(line.sources["left"])
        await call.add("video", flow="sendonly", encodings=LAYERS, size=(320, 240))
        await call.negotiate()
        for line in (self.video, self.fir):
            await line.ends["right"].prepare_keyframe_requests()
        await call.flow()

    async def _loss(self) -> None:
        network = self.call.ours.network
        network.sending = network.receiving = LOSS
        await self.until(
            *("inbound-rtp.nackCount", "inbound-rtp.packetsLost", "inbound-rtp.retransmittedPacketsReceived"),
            *("outbound-rtp.nackCount", "outbound-rtp.retransmittedPacketsSent"),
            *("remote-inbound-rtp.packetsLost", "remote-inbound-rtp.fractionLost", "remote-inbound-rtp.jitter"),
            "inbound-rtp.concealedSamples",
        )
        # Large frames, of which a part comes late.
        await self._asking_for_key_frames("left", "inbound-rtp.totalAssemblyTime")
        network.sending = network.receiving = 0.0

    async def _asking_for_key_frames(self, side: Side, member: str) -> None:
        """`until`, with a key frame asked for by `side` every second."""

        async def ask() -> None:
            while True:
                await self.video.ends[side].request_keyframe()
                await asyncio.sleep(1)

        asking = asyncio.create_task(ask())
        try:
            await self.until(member)
        finally:
            asking.cancel()

    async def _key_frames(self) -> None:
        for line in (self.video, self.fir):
            for side in SIDES:
                await line.ends[side].request_keyframe()
        await self.until("inbound-rtp.pliCount", "outbound-rtp.pliCount", "inbound-rtp.firCount")
        await self._asking_for_key_frames("right", "outbound-rtp.hugeFramesSent")

    async def _late_and_never(self) -> None:
        network = self.call.ours.network
        network.delay = 0.8  # what comes now is overtaken by what comes after
        await asyncio.sleep(0.15)
        network.delay = DELAY
        await self.until("inbound-rtp.packetsDiscarded")
        network.receiving = 1.0
        await asyncio.sleep(OUTAGE)
        network.receiving = 0.0
        await self.call.flow()
        await self.until("inbound-rtp.freezeCount", "inbound-rtp.silentConcealedSamples", "inbound-rtp.framesDropped")

    async def _a_pause_with_tones_and_other_paths(self) -> None:
        """More than five seconds without pictures of theirs: a pause. Meanwhile keys are pressed, and ICE restarts."""
        call = self.call
        await self.video.ends["right"].replace(None)
        paused = asyncio.get_running_loop().time()
        ours = self.audio.left
        assert isinstance(ours, OurMedia)
        assert ours.sender.dtmf is not None
        await ours.sender.dtmf.insert("5")
        await call.negotiate(restart=True)
        await self.until("transport.selectedCandidatePairChanges")
        await asyncio.sleep(max(0.0, paused + 5.5 - asyncio.get_running_loop().time()))
        await self.video.ends["right"].replace(self.video.sources["right"])
        await call.flow()
        await self.until("inbound-rtp.pauseCount")

    async def _the_end(self) -> None:
        call = self.call
        await self.channels[1].close()
        await asyncio.sleep(1.5)  # each side reports once more
        for line in call.lines:
            for side in SIDES:
                await line.ends[side].replace(None)
        await asyncio.sleep(2 * DELAY + 0.5)
        report = await call.ours.pc.get_stats()
        self.seen.take(report)
        self.ours = report.to_json()
        self.chromium = (await call.peers["right"].report())["stats"]


async def main() -> None:
    from .conftest import open_remote

    async with open_remote("chromium") as remote:
        made = StatsCall(remote)
        try:
            await made.run()
        finally:
            print(made.seen.table())
            print("never seen:", ", ".join(made.seen.missing()) or "nothing")


if __name__ == "__main__":
    asyncio.run(main())
