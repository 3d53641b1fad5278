"""Audio and video of a webrtcbin: what it encodes and sends, and what arrives and is decoded, one m-line each.

Runs under Debian's Python with gi, as `gst_peer.py`.
"""

from __future__ import annotations

import array
import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstRtp, GstWebRTC  # noqa: E402 - versions are chosen first

from .signals import MODULUS, PictureMeter, SoundMeter, draw_luma, read_luma, sine  # noqa: E402

DIRECTIONS = {name: getattr(GstWebRTC.WebRTCRTPTransceiverDirection, name.upper()) for name in
              ("sendrecv", "sendonly", "recvonly", "inactive")}  # fmt: skip
_RATE = 48_000
_SOURCE = "appsrc name=in is-live=true do-timestamp=true format=time"
_SDES = "urn:ietf:params:rtp-hdrext:sdes:"
_EXTENSIONS = {1: "mid", 2: "rtp-stream-id"}

CODECS = {
    # MIME type: encoding name, default payload type, clock rate, encoder and payloader, depayloader and decoder
    "audio/opus": ("OPUS", 111, 48_000, "opusenc ! rtpopuspay", "rtpopusdepay ! opusdec"),
    "audio/PCMU": ("PCMU", 0, 8_000, "mulawenc ! rtppcmupay", "rtppcmudepay ! mulawdec"),
    "audio/PCMA": ("PCMA", 8, 8_000, "alawenc ! rtppcmapay", "rtppcmadepay ! alawdec"),
    "audio/G722": ("G722", 9, 8_000, "avenc_g722 ! rtpg722pay", "rtpg722depay ! avdec_g722"),
    "video/VP8": (
        *("VP8", 96, 90_000, "vp8enc deadline=1 keyframe-max-dist=600 target-bitrate=300000 ! rtpvp8pay"),
        "rtpvp8depay request-keyframe=true wait-for-keyframe=true ! vp8dec",
    ),
    "video/VP9": (
        *("VP9", 98, 90_000),
        "vp9enc deadline=1 cpu-used=8 lag-in-frames=0 keyframe-max-dist=600 target-bitrate=300000 ! rtpvp9pay",
        "rtpvp9depay request-keyframe=true wait-for-keyframe=true ! vp9dec",
    ),
    "video/H264": (
        *("H264", 102, 90_000),
        (
            "x264enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=600 ! "
            "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
        ),
        "rtph264depay request-keyframe=true wait-for-keyframe=true ! avdec_h264",
    ),
    "video/AV1": ("AV1", 45, 90_000, "av1enc usage-profile=realtime ! rtpav1pay", "rtpav1depay ! av1dec"),
}
"""Key frames come when asked for: the intervals are far apart."""
DEFAULTS = {"audio": "audio/opus", "video": "video/VP8"}


def codec_named(name: str) -> str:
    """The MIME type as it is spelt here."""
    return next(mime for mime in CODECS if mime.lower() == name.lower())


def known_codecs(kind: str) -> list[str]:
    """Those whose elements this GStreamer has, every one of them."""
    known = []
    for mime, (*_, encode, decode) in CODECS.items():
        elements = [part.split()[0] for part in f"{encode} ! {decode}".split(" ! ") if "/" not in part]
        if mime.startswith(kind) and all(Gst.ElementFactory.find(name) for name in elements):
            known.append(mime)
    return sorted(known)


def rtp_caps(mime: str, payload_type: int) -> str:
    encoding, _, clock, *_ = CODECS[mime]
    kind = mime.partition("/")[0]
    return f"application/x-rtp,media={kind},encoding-name={encoding},payload={payload_type},clock-rate={clock}"


def simulcast_caps(encodings: list[dict[str, Any]], mime: str, payload_type: int) -> str:
    """Caps that webrtcbin makes `a=simulcast` and `a=rid` of."""
    rids = [one["rid"] for one in encodings]
    lines = {"a-simulcast": f"send {';'.join(rids)}", **{f"rid-{rid}": "send" for rid in rids}}
    lines |= {f"extmap-{identifier}": f"{_SDES}{name}" for identifier, name in _EXTENSIONS.items()}
    return rtp_caps(mime, payload_type) + "".join(f',{name}=(string)"{value}"' for name, value in lines.items())


class Media:
    """One m-line: its source, if any, and the meter of what arrives. `later` runs a call on the loop's thread."""

    def __init__(self, kind: str, pipe: Any, later: Callable[..., None]) -> None:
        self.kind = kind
        self.pictures = PictureMeter()
        self.sounds = SoundMeter()
        self.transceiver: Any = None
        self.codec = DEFAULTS[kind]
        self.spec: dict[str, Any] | None = None
        self.number = 0
        self.receiving: dict[Any, Any] = {}
        self._pipe = pipe
        self._later = later
        self._sending: Any = None
        self.target: Any = None
        self._appsrc: Any = None
        self._feeding: asyncio.Task[None] | None = None

    # What is sent

    async def send(self, target: Any, mime: str, payload_type: int) -> None:
        """Encodes what `spec` says into a pad of webrtcbin; in place of what was encoded before, if anything.

        Ends when the pad knows the codec: webrtcbin leaves out of its descriptions what it does not know yet.
        """
        spec = self.spec
        assert spec is not None
        if self._sending is not None:
            self._drop_sending()
        self.codec = mime
        if self.kind == "audio":
            raw = f"audio/x-raw,format=S16LE,channels=1,rate={_RATE},layout=interleaved"
            convert = "audioconvert ! audioresample"
        else:
            raw = f"video/x-raw,format=I420,width={spec['width']},height={spec['height']},framerate={spec['rate']}/1"
            convert = "videoconvert"
        text = f'{_SOURCE} caps="{raw}" ! queue ! {convert} ! {CODECS[mime][3]} pt={payload_type}'
        part = Gst.parse_bin_from_description(f'{text} ! capsfilter caps="{rtp_caps(mime, payload_type)}"', True)
        self._pipe.add(part)
        part.get_static_pad("src").link(target)
        part.sync_state_with_parent()
        self._sending, self.target, self._appsrc = part, target, part.get_by_name("in")
        if self._feeding is None:
            self._feeding = asyncio.create_task(self._feed())
        while (now := target.get_current_caps()) is None or now.get_structure(0).get_value("payload") != payload_type:
            await asyncio.sleep(0.005)

    def send_simulcast(
        self, target: Any, encodings: list[dict[str, Any]], mime: str, payload_type: int, *, mid: str
    ) -> None:
        """As `send`, several layers side by side, each with its rid in every packet.

        Key frames come by themselves: the rtpfunnel of 1.22 loses the requests of streams that share a pad.
        """
        spec = self.spec
        assert spec is not None
        self.codec = mime
        raw = f"video/x-raw,format=I420,width={spec['width']},height={spec['height']},framerate={spec['rate']}/1"
        text = f"{_SOURCE} caps={raw} ! queue ! tee name=layers "
        text += "rtpfunnel name=funnel ! capsfilter name=all "
        chain = CODECS[mime][3].replace("keyframe-max-dist=600", "keyframe-max-dist=5")
        for one in encodings:
            by = one["scaleResolutionDownBy"]
            size = f"video/x-raw,width={int(spec['width'] / by)},height={int(spec['height'] / by)}"
            text += (
                f"layers. ! queue ! videoscale ! {size} ! {chain} name=pay-{one['rid']} pt={payload_type} "
                f"ssrc={random.getrandbits(31)} ! funnel. "
            )
        part = Gst.parse_bin_from_description(text, False)
        part.get_by_name("all").set_property(
            "caps", Gst.Caps.from_string(simulcast_caps(encodings, mime, payload_type))
        )
        part.add_pad(Gst.GhostPad.new("src", part.get_by_name("all").get_static_pad("src")))
        for one in encodings:
            for identifier, name in _EXTENSIONS.items():
                extension = GstRtp.RTPHeaderExtension.create_from_uri(f"{_SDES}{name}")
                extension.set_id(identifier)
                extension.set_property(*(("mid", mid) if name == "mid" else ("rid", one["rid"])))
                part.get_by_name(f"pay-{one['rid']}").emit("add-extension", extension)
        self._pipe.add(part)
        part.get_static_pad("src").link(target)
        part.sync_state_with_parent()
        self._sending, self.target, self._appsrc = part, target, part.get_by_name("in")
        self._feeding = asyncio.create_task(self._feed())

    def _drop_sending(self) -> None:
        """A part that has stopped pushes nothing more, so it can be taken off."""
        self._sending.set_state(Gst.State.NULL)
        self._sending.get_static_pad("src").unlink(self.target)
        self._pipe.remove(self._sending)
        self._sending = None

    @property
    def _wanted(self) -> bool:
        """Whether the far end wants it: webrtcbin itself sends whatever comes, whatever the direction."""
        return self.transceiver is None or self.transceiver.get_property("current-direction").value_nick not in (
            *("recvonly", "inactive"),
        )

    async def _feed(self) -> None:
        """Pushes frames at their time, with the timestamps that they should have."""
        due = time.monotonic()
        while True:
            interval = 0.02 if self.kind == "audio" or self.spec is None else 1 / self.spec["rate"]
            due += interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            spec = self.spec
            if spec is None or self._sending is None or not self._wanted:
                continue
            if self.kind == "audio":
                data = sine(spec["frequency"], _RATE, self.number * 960, 960).tobytes()
            else:
                width, height = spec["width"], spec["height"]
                luma = draw_luma((spec["start"] + self.number) % MODULUS, width, height)
                data = bytes(luma) + bytes([128]) * (width * height // 2)
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.duration = int(interval * Gst.SECOND)
            self._appsrc.emit("push-buffer", buffer)  # do-timestamp: stamped with the running time
            self.number += 1

    def replace(self, spec: dict[str, Any] | None) -> None:
        """Something else from now on, of the same size."""
        self.spec, self.number = spec, 0

    # What arrives; on streaming threads

    def receive(self, pad: Any) -> None:
        """Depayloads, decodes and looks at what comes out of a pad, and goes on when it changes the codec."""
        self._decode(pad, pad.get_current_caps())
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._event)
        pad.add_probe(Gst.PadProbeType.QUERY_DOWNSTREAM, self._query)

    def _query(self, _: Any, info: Any) -> Any:
        """Says that what is sent is welcome too: webrtcbin offers only what its pads would take."""
        query = info.get_query()
        if query.type != Gst.QueryType.CAPS or self.target is None:
            return Gst.PadProbeReturn.OK
        query.set_caps_result(self.target.get_current_caps())
        return Gst.PadProbeReturn.HANDLED

    def _event(self, pad: Any, info: Any) -> Any:
        event = info.get_event()
        if event.type == Gst.EventType.CAPS:
            self._decode(pad, event.parse_caps())
        return Gst.PadProbeReturn.OK

    def _decode(self, pad: Any, caps: Any) -> None:
        mime = codec_named(f"{self.kind}/{caps.get_structure(0).get_string('encoding-name')}")
        former = self.receiving.get(pad)
        if former is not None and former[0] == mime:
            return
        form = f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate={_RATE}"
        if self.kind == "video":
            form = "videoconvert ! video/x-raw,format=I420"
        text = f"{CODECS[mime][4]} ! {form} ! appsink name=out emit-signals=true sync=false max-buffers=50 drop=true"
        part = Gst.parse_bin_from_description(text, True)
        part.get_by_name("out").connect("new-sample", self._sample)
        self._pipe.add(part)
        part.sync_state_with_parent()
        if former is not None:
            pad.unlink(former[1].get_static_pad("sink"))
            self._later(self._forget, former[1])
        self.receiving[pad] = (mime, part)
        pad.link(part.get_static_pad("sink"))

    def _forget(self, part: Any) -> None:
        part.set_state(Gst.State.NULL)
        self._pipe.remove(part)

    def _sample(self, sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        if self.kind == "audio":
            self._later(self.sounds.heard, array.array("h", data), _RATE)
        else:
            caps = sample.get_caps().get_structure(0)
            width, height = caps.get_value("width"), caps.get_value("height")
            stride = (width + 3) // 4 * 4
            self._later(self.pictures.saw, read_luma(data, width, height, stride), width, height)
        return Gst.FlowReturn.OK

    def request_keyframe(self) -> None:
        """As an application does: an event that travels upstream and that webrtcbin turns into a PLI."""
        wanted, _ = Gst.Structure.from_string("GstForceKeyUnit, all-headers=(boolean)true")
        _, part = list(self.receiving.values())[-1]
        sink = part.get_by_name("out").get_static_pad("sink")
        sink.push_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, wanted))

    def describe(self) -> dict[str, Any]:
        meter = self.pictures if self.kind == "video" else self.sounds
        found = self.transceiver
        return {
            "kind": self.kind,
            "codec": self.codec,
            "meter": meter.describe(),
            "mid": found and found.get_property("mid"),
            "direction": found and found.get_property("direction").value_nick,
            "currentDirection": found and found.get_property("current-direction").value_nick,
            "receiving": [mime for mime, _ in self.receiving.values()],
        }

    def stop(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None
