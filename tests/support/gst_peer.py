"""GStreamer's webrtcbin as a remote peer: a program that executes the commands of `remote_peer.py`.

    /usr/bin/python3 -m tests.support.gst_peer

Needs Debian's Python with gi, and nothing else of this project but files beside it. It has audio, video and data
channels, offers and answers, and negotiates again; its descriptions are whole (webrtcbin gathers before they are handed
out) or trickled. webrtcbin has no way to stop a transceiver, to change a direction but to inactive, or to restart ICE.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402 - versions are chosen first

from .command_server import serve  # noqa: E402
from .gstreamer_media import CODECS, DEFAULTS, DIRECTIONS, Media, codec_named, known_codecs, rtp_caps, simulcast_caps  # noqa: E402

_BANDWIDTH = 4e6
"""Bits/s of the one RTP session; RTCP has 5 % of it. By itself it measures what is sent, which is so little here that
RFC 4585 section 3.5 would allow a NACK every other second only."""


class Channel:
    """A data channel with an inbox."""

    def __init__(self, dc: Any, later: Callable[..., None]) -> None:
        self.dc = dc
        self.inbox: asyncio.Queue[str] = asyncio.Queue()
        self.opened = asyncio.Event()
        dc.connect("on-open", lambda *_: later(self.opened.set))
        dc.connect("on-message-string", lambda _, text: later(self.inbox.put_nowait, text))
        if dc.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self.opened.set()

    def describe(self) -> dict[str, Any]:
        return {name: self.dc.get_property(name) for name in ("label", "ordered", "protocol", "negotiated", "id")}


class Peer:
    """One webrtcbin in a pipeline of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.pipe = Gst.Pipeline()
        self.bin = Gst.ElementFactory.make("webrtcbin")
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.bin.set_property("latency", 200)
        self.pipe.add(self.bin)
        self.media: dict[str, Media] = {}
        self.channels: dict[str, Channel] = {}
        self.arrived: defaultdict[str, asyncio.Queue[Channel]] = defaultdict(asyncio.Queue)
        self.offered: dict[str, int] = {}
        self.log: list[str] = []
        self.changed = asyncio.Event()
        self.local: str | None = None
        self.remote: str | None = None
        self.candidates: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.bin.connect("pad-added", self._pad_added)
        self.bin.connect("on-ice-candidate", lambda _, line, text: self._later(self._candidate_found, line, text))
        self.bin.connect("on-data-channel", lambda _, dc: self._later(self._channel_arrived, Channel(dc, self._later)))
        for name in ("connection-state", "ice-gathering-state", "ice-connection-state", "signaling-state"):
            self.bin.connect(f"notify::{name}", lambda _, spec: self._later(self._state_changed, spec.name))
        self.pipe.get_bus().set_sync_handler(self._message)
        self.pipe.set_state(Gst.State.PLAYING)

    def _later(self, callback: Callable[..., None], *arguments: Any) -> None:
        """webrtcbin calls back on threads of its own."""
        self.loop.call_soon_threadsafe(callback, *arguments)

    def _message(self, _: Any, message: Any) -> Any:
        if message.type in (Gst.MessageType.ERROR, Gst.MessageType.WARNING):
            parse = message.parse_error if message.type == Gst.MessageType.ERROR else message.parse_warning
            self._later(self.log.append, f"{message.src.get_name()}: {parse()}")
        return Gst.BusSyncReply.DROP

    def _state_changed(self, name: str) -> None:
        self.log.append(f"{name} {self.state(name)}")
        self.changed.set()

    def _candidate_found(self, line: int, text: str) -> None:
        mid = re.findall(r"^a=mid:(\S+)", self.local or "", re.MULTILINE)
        found = {"candidate": text, "sdpMLineIndex": line, "sdpMid": mid[line] if line < len(mid) else None}
        self.candidates.put_nowait(found if text else None)

    def _channel_arrived(self, channel: Channel) -> None:
        self.arrived[channel.dc.get_property("label")].put_nowait(channel)

    def state(self, name: str) -> str:
        nick: str = self.bin.get_property(name).value_nick
        return nick

    async def wait_for(self, name: str, wanted: str) -> None:
        while self.state(name) != wanted:
            if self.state(name) in ("failed", "closed"):
                raise ConnectionError(f"{name} is {self.state(name)}")
            self.changed.clear()
            await self.changed.wait()

    async def promise(self, signal: str, *arguments: Any) -> Any:
        """Emits a signal that ends in a promise. Returns: its reply."""
        done: asyncio.Future[Any] = self.loop.create_future()
        made = Gst.Promise.new_with_change_func(lambda promise: self._later(done.set_result, promise.get_reply()))
        self.bin.emit(signal, *arguments, made)
        reply = await done
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(f"{signal}: {reply.get_value('error')}")
        return reply

    def _pad_added(self, _: Any, pad: Any) -> None:
        """Something arrives. Runs on a streaming thread."""
        if pad.direction != Gst.PadDirection.SRC:
            return
        index = pad.get_property("transceiver").get_property("mlineindex")
        media = next(m for m in self.media.values() if m.transceiver.get_property("mlineindex") == index)
        media.receive(pad)

    async def add(self, a: dict[str, Any], *, adopt: bool) -> None:
        """A transceiver with a source, or one that only receives. One that is offered is matched by its kind and codec:
        webrtcbin does so when it makes its answer."""
        media = Media(a["kind"], self.pipe, self._later)
        mime = codec_named((a.get("codecs") or [DEFAULTS[media.kind]])[0])
        payload_type = self.payload_type(mime)
        caps = rtp_caps(mime, payload_type)
        direction = DIRECTIONS[a["direction"]]
        encodings = a.get("encodings")
        if encodings:
            caps = simulcast_caps(encodings, mime, payload_type)
        if a["source"] is not None:
            pad = self.bin.request_pad(self.bin.get_pad_template("sink_%u"), None, Gst.Caps.from_string(caps))
            media.transceiver = pad.get_property("transceiver")
            media.spec = a["source"]
            if encodings:
                media.send_simulcast(pad, encodings, mime, payload_type, mid=f"video{len(self.media)}")
            else:
                await media.send(pad, mime, payload_type)
        else:
            caps += ",encoding-params=(string)2" if mime == "audio/opus" else ""
            media.transceiver = self._free(media.kind) if adopt else None
            if media.transceiver is None:
                media.transceiver = self.bin.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
        media.transceiver.set_property("direction", direction)
        if media.kind == "video":
            media.transceiver.set_property("do-nack", True)
        self.media[a["media"]] = media

    def payload_type(self, mime: str) -> int:
        """The far end's, if it has named one."""
        return self.offered.get(mime, CODECS[mime][1])

    def _free(self, kind: str) -> Any:
        """A transceiver that nothing here belongs to."""
        taken = [media.transceiver for media in self.media.values()]
        for index in itertools.count():
            found = self.bin.emit("get-transceiver", index)
            if found is None or (found not in taken and found.get_property("kind").value_nick == kind):
                return found
        return None

    async def set_codecs(self, media: Media, codecs: list[str]) -> None:
        """Encodes with another codec from now on, and says so in the next description."""
        mime = codec_named(codecs[0])
        await media.send(media.target, mime, self.payload_type(mime))
        media.transceiver.set_property("codec-preferences", media.target.get_current_caps())

    async def set_local(self, kind: str, a: dict[str, Any]) -> dict[str, str]:
        options = Gst.Structure.from_string("options,ice-restart=(boolean)true")[0] if a.get("restart") else None
        reply = await self.promise(f"create-{kind}", options)
        await self.promise("set-local-description", reply.get_value(kind))
        if not a["trickle"]:
            await self.wait_for("ice-gathering-state", "complete")
        self.local = self.bin.get_property("local-description").sdp.as_text()
        session = self.bin.get_by_name("rtpbin").emit("get-internal-session", 0)
        if session is not None:
            session.set_property("bandwidth", _BANDWIDTH)
        return {"type": kind, "sdp": self.local}

    async def set_remote(self, description: dict[str, str]) -> None:
        self.remote = description["sdp"]
        for payload_type, name in re.findall(r"^a=rtpmap:(\d+) (\w+)/", self.remote, re.MULTILINE):
            for mime in CODECS:
                if mime.lower().endswith(f"/{name.lower()}"):
                    self.offered.setdefault(mime, int(payload_type))
        _, message = GstSdp.SDPMessage.new_from_text(self.remote)
        form = getattr(GstWebRTC.WebRTCSDPType, description["type"].upper())
        await self.promise("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(form, message))

    async def stats(self) -> dict[str, Any]:
        """webrtcbin's statistics, their members spelt as in JavaScript."""
        reply = await self.promise("get-stats", None)
        names = [reply.nth_field_name(n) for n in range(reply.n_fields())]
        return {name: entry(reply.get_value(name)) for name in names}

    async def close(self) -> None:
        for media in self.media.values():
            media.stop()
        await asyncio.to_thread(self.pipe.set_state, Gst.State.NULL)


def entry(structure: Any) -> dict[str, Any]:
    """One of the statistics."""
    found: dict[str, Any] = {}
    for name in (structure.nth_field_name(n) for n in range(structure.n_fields())):
        value = structure.get_value(name)
        if isinstance(value, Gst.Structure):
            value = entry(value)
        head, *rest = name.split("-")
        found[head + "".join(word.capitalize() for word in rest)] = getattr(value, "value_nick", value)
    return found


class Commands:
    """One method per command; arguments as in `browser_peer.js` and `browser_media.js`."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}

    def peer(self, a: dict[str, Any]) -> Peer:
        return self.peers[a["pc"]]

    def found(self, a: dict[str, Any]) -> Media:
        return self.peer(a).media[a["media"]]

    def channel(self, a: dict[str, Any]) -> Channel:
        return self.peer(a).channels[a["channel"]]

    async def create(self, a: dict[str, Any]) -> None:
        self.peers[a["pc"]] = Peer()

    async def add_media(self, a: dict[str, Any]) -> None:
        await self.peer(a).add(a, adopt=False)

    async def adopt_media(self, a: dict[str, Any]) -> None:
        await self.peer(a).add(a, adopt=True)

    async def set_direction(self, a: dict[str, Any]) -> None:
        self.found(a).transceiver.set_property("direction", DIRECTIONS[a["direction"]])

    async def set_codecs(self, a: dict[str, Any]) -> None:
        await self.peer(a).set_codecs(self.found(a), a["codecs"])

    async def replace(self, a: dict[str, Any]) -> None:
        self.found(a).replace(a["source"])

    async def offer(self, a: dict[str, Any]) -> dict[str, str]:
        return await self.peer(a).set_local("offer", a)

    async def local_answer(self, a: dict[str, Any]) -> dict[str, str]:
        return await self.peer(a).set_local("answer", a)

    async def set_remote(self, a: dict[str, Any]) -> None:
        await self.peer(a).set_remote(a["description"])

    async def add_candidate(self, a: dict[str, Any]) -> None:
        given = a["candidate"]
        if given is not None and given["candidate"]:
            self.peer(a).bin.emit("add-ice-candidate", given["sdpMLineIndex"], given["candidate"])

    async def next_candidate(self, a: dict[str, Any]) -> dict[str, Any] | None:
        return await self.peer(a).candidates.get()

    async def create_channel(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        peer.channels[a["channel"]] = Channel(peer.bin.emit("create-data-channel", a["label"], None), peer._later)

    async def wait_channel(self, a: dict[str, Any]) -> dict[str, Any]:
        peer = self.peer(a)
        channel = peer.channels[a["channel"]] = await peer.arrived[a["label"]].get()
        await channel.opened.wait()
        return channel.describe()

    async def wait_open(self, a: dict[str, Any]) -> dict[str, Any]:
        await self.channel(a).opened.wait()
        return self.channel(a).describe()

    async def send_text(self, a: dict[str, Any]) -> None:
        self.channel(a).dc.emit("send-string", a["text"])

    async def next_message(self, a: dict[str, Any]) -> dict[str, Any]:
        return {"text": await self.channel(a).inbox.get()}

    async def wait_state(self, a: dict[str, Any]) -> None:
        await self.peer(a).wait_for("connection-state", a["state"])

    async def media_state(self, a: dict[str, Any]) -> dict[str, Any]:
        return self.found(a).describe()

    async def wait_pictures(self, a: dict[str, Any]) -> dict[str, Any]:
        return await self.found(a).pictures.pictures(a["distinct"], a["least"], a["most"])

    async def count_frames(self, a: dict[str, Any]) -> int:
        return await self.found(a).pictures.count(a["seconds"])

    async def wait_tone(self, a: dict[str, Any]) -> dict[str, float]:
        return await self.found(a).sounds.tone(a["frequency"], a["tolerance"], a["steady"])

    async def request_keyframe(self, a: dict[str, Any]) -> None:
        self.found(a).request_keyframe()

    async def media_capabilities(self, a: dict[str, Any]) -> list[str]:
        return known_codecs(a["kind"])

    async def report(self, a: dict[str, Any]) -> dict[str, Any]:
        peer = self.peer(a)
        states = ("connection-state", "ice-connection-state", "ice-gathering-state", "signaling-state")
        return {
            "states": {name.removesuffix("-state"): peer.state(name) for name in states},
            "log": peer.log,
            "media": {name: media.describe() for name, media in peer.media.items()},
            "stats": await peer.stats(),
            "local": peer.local,
            "remote": peer.remote,
        }

    async def close(self, a: dict[str, Any]) -> None:
        peer = self.peers.pop(a["pc"], None)
        if peer is not None:
            await peer.close()


async def main() -> None:
    """Executes commands until standard input ends."""
    Gst.init(None)
    commands = Commands()
    await serve(commands)
    for peer in list(commands.peers.values()):
        await peer.close()


if __name__ == "__main__":
    asyncio.run(main())
