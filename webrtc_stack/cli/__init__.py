"""The command `webrtc-stack`. See README.md.

A command is a module (or package) with `configure(parser)` and `run(options) -> int`, loaded when it is chosen, so
that `webrtc-stack sdp` costs the SDP room and nothing else, and a missing extra stops only the command that needs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, Protocol

from ..errors import WebRTCError
from ..version import __version__
from .failures import CommandError

COMMANDS: Final[dict[str, str]] = {
    "bench": "measure how fast this stack is here, beside libraries that do the same",
    "demo": "open a page in your browser that talks to this process over WebRTC",
    "doctor": "show versions, what this machine offers, and what is missing",
    "pcap": "explain the packets of a capture file, one line each",
    "rtp": "show the RTP streams of a recording, with loss and jitter",
    "sdp": "explain a session description in words",
    "trace": "show a trace file as a readable timeline",
    "turn": "run a TURN and STUN server",
}

_DESCRIPTION: Final = """A WebRTC stack in Python: programs to see it work, and to look at what it did.

Begin with:  webrtc-stack demo"""


class Command(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


def build_parser(chosen: str | None = None) -> tuple[argparse.ArgumentParser, Command | None]:
    """The parser with all commands; only `chosen` has its own options, for which its module is loaded."""
    parser = argparse.ArgumentParser(
        prog="webrtc-stack", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"webrtc-stack {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    command: Command | None = None
    for name, summary in COMMANDS.items():
        one = commands.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == chosen:
            command = import_module(f"{__name__}.{_MODULES.get(name, name)}")
            command.configure(one)
    return parser, command


_MODULES: Final = {"sdp": "explain_sdp", "trace": "timeline"}
"""Modules whose name is not the command's: inside this room `sdp` and `trace` are the layers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns: the exit code, 0 when all went well, 1 for a failure, 2 for wrong arguments."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser, command = build_parser(chosen if chosen in COMMANDS else None)
    options = parser.parse_args(words)
    if command is None:
        parser.print_help()
        return 0
    try:
        code = command.run(options)
        sys.stdout.flush()
        return code
    except CommandError as error:
        print(f"webrtc-stack {chosen}: {error}", file=sys.stderr)
        return error.code
    except (WebRTCError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has seen enough (`| head`): the rest goes nowhere, without a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"webrtc-stack {chosen}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


__all__ = ["COMMANDS", "Command", "CommandError", "build_parser", "main"]
