"""Trace files: any text is read, its events are drawn on printable lines, and nothing else comes out."""

from __future__ import annotations

import argparse

from webrtc_stack.cli.timeline import read_trace, render

SEEDS: list[bytes] = [
    b'{"time":1.5,"source":"pc1","room":"ice","name":"pair_selected","data":{"pair":"a"}}\n',
    b'{"time":1,"source":"a","room":"dtls","name":"state_changed","data":{"old":"new","new":"connected"}}\n',
    b'{"time":2,"source":"a","room":"dtls","name":"record_dropped","data":{"reason":"replayed","count":3}}\n',
    b'{"time":1e308,"source":"","room":"","name":"dropped","data":{"a":[1,{"b":null}],"type":11}}\n{"time":',
    b"",
]

_OPTIONS = argparse.Namespace(source=[], room=[], name=[], summary=False)


def fuzz_one(data: bytes) -> None:
    reading = read_trace(data.decode("utf-8", "replace").splitlines())
    for line in render(reading, _OPTIONS):
        assert line.isprintable(), line
