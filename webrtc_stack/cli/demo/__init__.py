"""`webrtc-stack demo`: a page in a browser, this process at the other end, and every protocol between them our own.

The parts:

| file | what |
|---|---|
| `server` | the page and its signalling socket (aiohttp); who may connect |
| `visitor` | one tab of a browser: a peer connection and what its channels do |
| `call` | its media: camera echoed, picture, voice, music; what the page may change |
| `studio` | what Python shows and plays; the only part that needs codecs (PyAV) |
| `chat` | what Python answers |
| `files` | the file protocol, safe names, limits |
| `speed` | the throughput test |
| `panel` | a snapshot of a connection as JSON for the page and as rows for the terminal |
| `terminal`, `keyboard` | the live terminal |
| `taps` | the files behind `--trace`, `--pcap`, `--keylog` |
| `self_test`, `self_test_media` | two peers in this process, without browser or page |
| `static/` | the page: no frameworks, nothing loaded from elsewhere |
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..failures import need

_EPILOG = """examples:
  webrtc-stack demo                        serve the page and open a browser
  webrtc-stack demo --no-browser           only print the address
  webrtc-stack demo --self-test            check this installation without a browser
  webrtc-stack demo --trace t.jsonl --pcap t.pcapng
                                           write down what happens; look at it with
                                           webrtc-stack trace t.jsonl, webrtc-stack pcap t.pcapng"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serves a page on this machine. A browser that opens it connects to this process by WebRTC: its camera comes\n"
        "back, a picture and sound are made in Python, chat and files go both ways; statistics of both ends, packet\n"
        "loss on purpose, and a look inside the connection."
    )
    parser.epilog = _EPILOG
    parser.add_argument("--port", type=port_number, default=8080, help="TCP port of the page (default 8080; 0: any)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve on (default 127.0.0.1: only this machine; 0.0.0.0 lets your network in)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser, only print the address")
    parser.add_argument("--self-test", action="store_true", help="connect two peers in this process and exit")
    parser.add_argument(
        "--downloads", type=Path, metavar="DIR", help="where files from browsers go (default: a temporary folder)"
    )
    parser.add_argument(
        "--share", type=Path, metavar="FILE", action="append", default=[], help="a file that pages may ask for"
    )
    parser.add_argument(
        "--max-file", type=int, metavar="MIB", default=512, help="largest file taken, in MiB (default 512)"
    )
    parser.add_argument("--stun", metavar="URL", action="append", default=[], help="a STUN server, stun:host:port")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write what every layer does, as JSON lines")
    parser.add_argument("--pcap", type=Path, metavar="FILE", help="write the packets before encryption, as pcapng")
    parser.add_argument("--keylog", type=Path, metavar="FILE", help="write the DTLS keys, for Wireshark")


def port_number(text: str) -> int:
    """A TCP port from an argument; 0 lets the system choose."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    if options.self_test:
        from .self_test import run_self_test

        return run_self_test(options)
    need("aiohttp", "rich", extra="demo")
    from .program import run_demo

    return run_demo(options)
