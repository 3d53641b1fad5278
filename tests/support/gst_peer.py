"""GStreamer's webrtcbin as a remote peer: a program that executes the commands of `remote_peer.py`.

    /usr/bin/python3 -m tests.support.gst_peer

Needs Debian's Python with gi, and nothing else of this project but files beside it. It has audio and video, offers and
answers, each description whole (webrtcbin gathers before it is handed out); no renegotiation is tried.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402 - versions are chosen first

from .command_server import serve  # noqa: E402
from .signals import MODULUS, PictureMeter, SoundMeter, draw_luma, read_luma, sine  # noqa: E402

_DIRECTIONS = {name: getattr(GstWebRTC.WebRTCRTPTransceiverDirection, name.upper()) for name in
               ("sendrecv", "sendonly", "recvonly", "inactive")}  # fmt: skip
_RATE = 48_000

_CODECS = {
    # MIME type: encoding name, default payload type, clock rate, encoder and payloader, depayloader and decoder
    "audio/opus": ("OPUS", 111, 48_000, "opusenc ! rtpopuspay", "rtpopusdepay ! opusdec"),
    "audio/pcmu": ("PCMU", 0, 8_000, "mulawenc ! rtppcmupay", "rtppcmudepay ! mulawdec"),
    "video/vp8": (
        *("VP8", 96, 90_000, "vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=300000 ! rtpvp8pay"),
        "rtpvp8depay request-keyframe=true wait-for-keyframe=true ! vp8dec",
    ),
    "video/h264": (
        *("H264", 102, 90_000),
        (
            "x264enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=60 ! "
            "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
        ),
        "rtph264depay request-keyframe=true wait-for-keyframe=true ! avdec_h264",
    ),
}
_DEFAULT = {"audio": "audio/opus", "video": "video/vp8"}


class Media:
    """One m-line: its source, if any, and the meter of what arrives."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pictures = PictureMeter()
        self.sounds = SoundMeter()
        self.transceiver: Any = None
        self.sink: Any = None
        self.feeding: asyncio.Task[None] | None = None

    async def feed(self, appsrc: Any, spec: dict[str, Any]) -> None:
        """Pushes frames at their time, with the timestamps that they should have."""
        begin = time.monotonic()
        interval = 0.02 if self.kind == "audio" else 1 / spec["rate"]
        number = 0
        while True:
            await asyncio.sleep(max(0.0, begin + number * interval - time.monotonic()))
            if self.kind == "audio":
                data = sine(spec["frequency"], _RATE, number * 960, 960).tobytes()
            else:
                width, height = spec["width"], spec["height"]
                luma = draw_luma((spec["start"] + number) % MODULUS, width, height)
                data = bytes(luma) + bytes([128]) * (width * height // 2)
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.duration = int(interval * Gst.SECOND)
            appsrc.emit("push-buffer", buffer)  # do-timestamp: stamped with the running time
            number += 1

    def describe(self) -> dict[str, Any]:
        meter = self.pictures if self.kind == "video" else self.sounds
        found = self.transceiver
        return {
            "kind": self.kind,
            "meter": meter.describe(),
            "mid": found and found.get_property("mid"),
            "direction": found and found.get_property("direction").value_nick,
            "currentDirection": found and found.get_property("current-direction").value_nick,
        }


class Peer:
    """One webrtcbin in a pipeline of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.pipe = Gst.Pipeline()
        self.bin = Gst.ElementFactory.make("webrtcbin")
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.bin.set_property("latency", 60)
        self.pipe.add(self.bin)
        self.media: dict[str, Media] = {}
        self.offered: dict[str, int] = {}
        self.log: list[str] = []
        self.changed = asyncio.Event()
        self.local: str | None = None
        self.remote: str | None = None
        self.bin.connect("pad-added", self._pad_added)
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
        """Something arrives: depayload, decode, and look at it. Runs on a streaming thread."""
        if pad.direction != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        kind, name = caps.get_string("media"), caps.get_string("encoding-name")
        mime = f"{kind}/{name.lower()}"
        index = pad.get_property("transceiver").get_property("mlineindex")
        media = next(m for m in self.media.values() if m.transceiver.get_property("mlineindex") == index)
        form = f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate={_RATE}"
        if kind == "video":
            form = "videoconvert ! video/x-raw,format=I420"
        text = f"{_CODECS[mime][4]} ! {form} ! appsink name=out emit-signals=true sync=false max-buffers=50 drop=true"
        part = Gst.parse_bin_from_description(text, True)
        part.get_by_name("out").connect("new-sample", self._sample, media)
        media.sink = part.get_by_name("out").get_static_pad("sink")
        self.pipe.add(part)
        part.sync_state_with_parent()
        pad.link(part.get_static_pad("sink"))

    def _sample(self, sink: Any, media: Media) -> Any:
        sample = sink.emit("pull-sample")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        if media.kind == "audio":
            self._later(media.sounds.heard, array.array("h", data), _RATE)
        else:
            caps = sample.get_caps().get_structure(0)
            width, height = caps.get_value("width"), caps.get_value("height")
            stride = (width + 3) // 4 * 4
            self._later(media.pictures.saw, read_luma(data, width, height, stride), width, height)
        return Gst.FlowReturn.OK

    def add(self, name: str, a: dict[str, Any]) -> None:
        """A transceiver with a source, or one that only receives; one that was offered is taken if it fits."""
        media = Media(a["kind"])
        mime = (a.get("codecs") or [_DEFAULT[media.kind]])[0].lower()
        encoding, payload_type, clock, chain, _ = _CODECS[mime]
        payload_type = self.offered.get(mime, payload_type)
        text = (
            f"application/x-rtp,media={media.kind},encoding-name={encoding},payload={payload_type},clock-rate={clock}"
        )
        if a["source"] is None:
            caps = Gst.Caps.from_string(text + (",encoding-params=(string)2" if encoding == "OPUS" else ""))
            free = self._free(media.kind)
            media.transceiver = free or self.bin.emit("add-transceiver", _DIRECTIONS[a["direction"]], caps)
            media.transceiver.set_property("direction", _DIRECTIONS[a["direction"]])
        else:
            media.transceiver = self._send(media, a["source"], chain, payload_type, text)
            media.transceiver.set_property("direction", _DIRECTIONS[a["direction"]])
        if media.kind == "video":
            media.transceiver.set_property("do-nack", True)
        self.media[name] = media

    def _free(self, kind: str) -> Any:
        taken = [media.transceiver for media in self.media.values()]
        for index in itertools.count():
            found = self.bin.emit("get-transceiver", index)
            if found is None:
                break
            if found not in taken and found.get_property("kind").value_nick == kind:
                return found
        return None

    def _send(self, media: Media, spec: dict[str, Any], chain: str, payload_type: int, caps: str) -> Any:
        if media.kind == "audio":
            raw = f"audio/x-raw,format=S16LE,channels=1,rate={_RATE},layout=interleaved"
            convert = "audioconvert ! audioresample"
        else:
            raw = f"video/x-raw,format=I420,width={spec['width']},height={spec['height']},framerate={spec['rate']}/1"
            convert = "videoconvert"
        source = f'appsrc name=in is-live=true do-timestamp=true format=time caps="{raw}"'
        text = f'{source} ! queue ! {convert} ! {chain} pt={payload_type} ! capsfilter caps="{caps}"'
        part = Gst.parse_bin_from_description(text, True)
        self.pipe.add(part)
        template = self.bin.get_pad_template("sink_%u")
        sink = self.bin.request_pad(template, None, Gst.Caps.from_string(caps))
        part.get_static_pad("src").link(sink)
        part.sync_state_with_parent()
        media.feeding = asyncio.create_task(media.feed(part.get_by_name("in"), spec))
        return sink.get_property("transceiver")

    async def set_local(self, kind: str) -> dict[str, str]:
        reply = await self.promise(f"create-{kind}", None)
        await self.promise("set-local-description", reply.get_value(kind))
        await self.wait_for("ice-gathering-state", "complete")
        self.local = self.bin.get_property("local-description").sdp.as_text()
        return {"type": kind, "sdp": self.local}

    async def set_remote(self, description: dict[str, str]) -> None:
        self.remote = description["sdp"]
        for payload_type, name in re.findall(r"^a=rtpmap:(\d+) (\w+)/", self.remote, re.MULTILINE):
            for mime in _CODECS:
                if mime.endswith(f"/{name.lower()}"):
                    self.offered.setdefault(mime, int(payload_type))
        _, message = GstSdp.SDPMessage.new_from_text(self.remote)
        form = getattr(GstWebRTC.WebRTCSDPType, description["type"].upper())
        await self.promise("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(form, message))

    async def close(self) -> None:
        for media in self.media.values():
            if media.feeding is not None:
                media.feeding.cancel()
        await asyncio.to_thread(self.pipe.set_state, Gst.State.NULL)


class Commands:
    """One method per command; arguments as in `browser_peer.js` and `browser_media.js`."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}

    def peer(self, a: dict[str, Any]) -> Peer:
        return self.peers[a["pc"]]

    def found(self, a: dict[str, Any]) -> Media:
        return self.peer(a).media[a["media"]]

    async def create(self, a: dict[str, Any]) -> None:
        self.peers[a["pc"]] = Peer()

    async def add_media(self, a: dict[str, Any]) -> None:
        self.peer(a).add(a["media"], a)

    async def adopt_media(self, a: dict[str, Any]) -> None:
        self.peer(a).add(a["media"], a)

    async def offer(self, a: dict[str, Any]) -> dict[str, str]:
        return await self.peer(a).set_local("offer")

    async def local_answer(self, a: dict[str, Any]) -> dict[str, str]:
        return await self.peer(a).set_local("answer")

    async def set_remote(self, a: dict[str, Any]) -> None:
        await self.peer(a).set_remote(a["description"])

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
        wanted, _ = Gst.Structure.from_string("GstForceKeyUnit, all-headers=(boolean)true")
        self.found(a).sink.push_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, wanted))

    async def report(self, a: dict[str, Any]) -> dict[str, Any]:
        peer = self.peer(a)
        stats = await peer.promise("get-stats", None)
        states = ("connection-state", "ice-connection-state", "ice-gathering-state", "signaling-state")
        return {
            "states": {name.removesuffix("-state"): peer.state(name) for name in states},
            "log": peer.log,
            "media": {name: media.describe() for name, media in peer.media.items()},
            "stats": {"all": {"type": "text", "text": stats.to_string()}},
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
