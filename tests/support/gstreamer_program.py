"""Runs GStreamer pipelines for `tests.support.gstreamer`: one JSON line in, one out, for each.

Started with the Python that has Debian's `gi`, so it imports nothing of this project. A request is
`{"launch": elements, "caps": of what goes in, "buffers": [[pts, hex], ...]}`; what comes out of the elements is the
answer's `"buffers"` of the same form, what they posted on the bus its `"messages"`. With `"tones"` in place of buffers
the elements are a source of telephone events, told to send these at once one after the other.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

CEILING_SECONDS = 60

gi = importlib.import_module("gi")
gi.require_version("Gst", "1.0")
Gst: Any = importlib.import_module("gi.repository.Gst")


def describe(message: Any) -> dict[str, Any]:
    structure = message.get_structure()
    values = {}
    for index in range(structure.n_fields()):
        name = structure.nth_field_name(index)
        try:
            value = structure.get_value(name)
        except TypeError:
            continue  # of a type that Python cannot hold
        if isinstance(value, (int, str, bool)):
            values[name] = value
    return {"name": structure.get_name(), **values}


def run(request: dict[str, Any]) -> dict[str, Any]:
    tones = request.get("tones")
    source = "" if tones else "appsrc name=source format=time ! "
    pipeline = Gst.parse_launch(f"{source}{request['launch']} ! appsink name=sink sync=false max-buffers=0")
    out: list[tuple[int, str]] = []
    sink = pipeline.get_by_name("sink")
    messages: list[dict[str, Any]] = []
    error = ""
    if not tones:
        appsrc = pipeline.get_by_name("source")
        appsrc.set_property("caps", Gst.Caps.from_string(request["caps"]))
    pipeline.set_state(Gst.State.PLAYING)
    try:
        if tones:
            send_tones(pipeline, tones)
        else:
            for pts, data in request["buffers"]:
                buffer = Gst.Buffer.new_wrapped(bytes.fromhex(data))
                buffer.pts = buffer.dts = pts
                appsrc.emit("push-buffer", buffer)
            appsrc.emit("end-of-stream")
        while (sample := sink.emit("try-pull-sample", CEILING_SECONDS * Gst.SECOND)) is not None:
            buffer = sample.get_buffer()
            out.append((buffer.pts, buffer.extract_dup(0, buffer.get_size()).hex()))
        if not sink.get_property("eos"):
            error = "no end of stream"
        bus = pipeline.get_bus()
        wanted = Gst.MessageType.ERROR | Gst.MessageType.ELEMENT
        while (message := bus.pop_filtered(wanted)) is not None:
            if message.type == Gst.MessageType.ERROR:
                error = str(message.parse_error())
            else:
                messages.append(describe(message))
    finally:
        pipeline.set_state(Gst.State.NULL)
    return {"buffers": out, "messages": messages, "error": error}


def send_tones(pipeline: Any, tones: list[int]) -> None:
    """The source keeps its own minimum lengths of tones and gaps, so everything may be ordered at once."""
    for tone in tones:
        for fields in (f"number={tone},volume=10,start=true", "start=false"):
            order, _ = Gst.Structure.from_string(f"dtmf-event,type=1,{fields}")
            pipeline.send_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, order))


def main() -> None:
    Gst.init(None)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = (
                {name: Gst.ElementFactory.find(name) is not None for name in request["find"]}
                if ("find" in request)
                else run(request)
            )
        except Exception as error:
            answer = {"buffers": [], "messages": [], "error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
