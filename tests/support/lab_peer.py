"""Our stack as a remote peer: a program that executes the commands of `remote_peer.py`, JSON lines in and out.

    python -m tests.support.lab_peer

So ours can stand on a network of its own, as every other peer does. `config` is what a browser is given; its member
`ours` holds further members of `ClientConfig` under their own names.
"""

from __future__ import annotations

import asyncio
from typing import Any

import webrtc_stack as rtc

from .command_server import serve
from .content import content, sha256
from .our_media import OurMedia, OurMediaPeer
from .our_peer import OurChannel, OurPeer
from .remote_media import Picture, Source, Tone
from .remote_peer import Description


def client_config(config: dict[str, Any]) -> dict[str, Any]:
    """Members of `ClientConfig` for a browser's configuration."""
    members: dict[str, Any] = {"ice_servers": [rtc.IceServer(**server) for server in config.get("iceServers", [])]}
    if "iceTransportPolicy" in config:
        members["ice_transport_policy"] = config["iceTransportPolicy"]
    members |= config.get("ours", {})
    return members


class LabPeer(OurMediaPeer):
    """One connection with its channels, on the runtime that an application gets."""

    def __init__(self, seed: int, config: dict[str, Any]) -> None:
        super().__init__(seed, **client_config(config))
        self.channels: dict[str, LabChannel] = {}
        self.lines: dict[str, OurMedia] = {}
        self.log: list[str] = []
        self._watching: asyncio.Task[None] | None = None

    async def create(self) -> None:
        await OurPeer.create(self)
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for state in self.pc.connection_state.changes():
            self.log.append(str(state))

    async def report(self) -> dict[str, Any]:
        report = await OurPeer.report(self)
        if self.pc.connection_state.value != "closed":
            report["stats"] = (await self.pc.get_stats()).to_json()
        media = [one.describe() for one in self.media]
        told = {"explanation": self.pc.explain().to_json(), "log": self.log, "media": media}
        return report | told | {"trace": self.trace_lines()}

    async def close(self) -> None:
        for media in self.media:
            await media.close()
        await OurPeer.close(self)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])


class LabChannel:
    """A channel whose messages are taken one by one, or added up to a file."""

    def __init__(self, channel: OurChannel) -> None:
        self.ours = channel
        self.file: asyncio.Task[dict[str, Any]] | None = None

    def describe(self) -> dict[str, Any]:
        channel = self.ours.channel
        return {
            "label": channel.label,
            "ordered": channel.ordered,
            "protocol": channel.protocol,
            "negotiated": channel.negotiated,
            "id": channel.id,
            "maxRetransmits": channel.max_retransmits,
            "readyState": str(channel.ready_state.value),
        }


class Commands:
    """One method per command; arguments as in `browser_peer.js`."""

    def __init__(self) -> None:
        self.peers: dict[str, LabPeer] = {}

    def peer(self, a: dict[str, Any]) -> LabPeer:
        return self.peers[a["pc"]]

    def channel(self, a: dict[str, Any]) -> LabChannel:
        return self.peers[a["pc"]].channels[a["channel"]]

    def line(self, a: dict[str, Any]) -> OurMedia:
        return self.peers[a["pc"]].lines[a["media"]]

    async def create(self, a: dict[str, Any]) -> None:
        made = LabPeer(int(a["config"].get("seed", 0)), a["config"])
        await made.create()
        self.peers[a["pc"]] = made

    async def create_channel(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        peer.channels[a["channel"]] = LabChannel(await peer.create_channel(a["label"], **a["options"]))

    async def wait_channel(self, a: dict[str, Any]) -> dict[str, Any]:
        made = self.peer(a).channels[a["channel"]] = LabChannel(await self.peer(a).wait_channel(a["label"]))
        await made.ours.wait_open()
        return made.describe()

    async def offer(self, a: dict[str, Any]) -> Description:
        return await self.peer(a).offer(trickle=a["trickle"], restart=a["restart"])

    async def answer(self, a: dict[str, Any]) -> Description:
        return await self.peer(a).answer(a["description"], trickle=a["trickle"])

    async def local_answer(self, a: dict[str, Any]) -> Description:
        return await self.peer(a).local_answer(trickle=a["trickle"])

    async def set_remote(self, a: dict[str, Any]) -> None:
        await self.peer(a).set_remote(a["description"])

    async def add_candidate(self, a: dict[str, Any]) -> None:
        await self.peer(a).add_candidate(a["candidate"])

    async def next_candidate(self, a: dict[str, Any]) -> dict[str, Any] | None:
        return await self.peer(a).next_candidate()

    async def wait_state(self, a: dict[str, Any]) -> None:
        states = self.peer(a).pc.connection_state
        state = await states.wait_for(lambda value: value in (a["state"], "failed", "closed"))
        if state != a["state"]:
            raise ConnectionError(f"connection is {state.value}: {states.reason}")

    async def wait_open(self, a: dict[str, Any]) -> dict[str, Any]:
        await self.channel(a).ours.wait_open()
        return self.channel(a).describe()

    async def send_text(self, a: dict[str, Any]) -> None:
        await self.channel(a).ours.send(a["text"])

    async def send_bytes(self, a: dict[str, Any]) -> None:
        await self.channel(a).ours.send(content(a["size"], a["seed"]))

    async def send_file(self, a: dict[str, Any]) -> str:
        await self.channel(a).ours.send_file(a["size"], a["seed"], chunk=a["chunk"])
        return sha256(content(a["size"], a["seed"]))

    async def next_message(self, a: dict[str, Any]) -> dict[str, Any]:
        data = await self.channel(a).ours.receive()
        return {"text": data} if isinstance(data, str) else {"size": len(data), "sha256": sha256(data)}

    async def receive_file(self, a: dict[str, Any]) -> None:
        channel = self.channel(a)
        channel.file = asyncio.create_task(channel.ours.receive_file(a["size"]))

    async def file_received(self, a: dict[str, Any]) -> dict[str, Any]:
        file = self.channel(a).file
        assert file is not None
        return await file

    async def close_channel(self, a: dict[str, Any]) -> None:
        await self.channel(a).ours.close()

    async def add_media(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        peer.lines[a["media"]] = await peer.add_media(
            a["kind"], _source(a["source"]), a["direction"], codecs=a["codecs"], encodings=a["encodings"]
        )

    async def adopt_media(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        peer.lines[a["media"]] = await peer.adopt_media(
            a["kind"], _source(a["source"]), a["direction"], codecs=a["codecs"]
        )

    async def wait_pictures(self, a: dict[str, Any]) -> Any:
        return await self.line(a).wait_pictures(Picture(a["least"]), a["distinct"])

    async def wait_tone(self, a: dict[str, Any]) -> dict[str, float]:
        return await self.line(a).wait_tone(Tone(a["frequency"]) if a["frequency"] else None)

    async def report(self, a: dict[str, Any]) -> dict[str, Any]:
        return await self.peer(a).report()

    async def close(self, a: dict[str, Any]) -> None:
        peer = self.peers.pop(a["pc"], None)
        if peer is not None:
            await peer.close()


def _source(given: dict[str, Any] | None) -> Source | None:
    if given is None:
        return None
    return Tone(**given) if "frequency" in given else Picture(**given)


async def main() -> None:
    """Executes commands, many at once, until standard input ends."""
    commands = Commands()
    await serve(commands)
    for peer in list(commands.peers.values()):
        await peer.close()


if __name__ == "__main__":
    asyncio.run(main())
