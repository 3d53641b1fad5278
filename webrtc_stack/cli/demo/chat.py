"""What Python says in the chat: commands, and an echo for everything else."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from ...peer import PeerSnapshot
from ...version import __version__
from .. import wording
from .panel import address

LABEL: Final = "chat"
MAX_CHARACTERS: Final = 4000

HELP: Final = """Commands:
help – this text
time – what time it is here
uptime – how long this process and this connection have been running
whoami – how your browser reaches me
path – the selected candidate pair, with its round-trip time
dtls – how we are encrypted
send 5 – send you a file of 5 MiB (1 to 100)
say hello – say it to everybody who has this page open
dice – throw one
Everything else comes back as an echo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContext:
    """What an answer may need."""

    name: str
    process_started: float
    connected: float | None
    snapshot: Callable[[], PeerSnapshot]
    send_generated: Callable[[int], None]
    say_to_all: Callable[[str], int]


def answer(text: str, context: ChatContext) -> tuple[str, str]:
    """Returns: the answer, and what kind it is, `command` or `echo`."""
    word, _, rest = text.strip().partition(" ")
    command = _COMMANDS.get(word.lower().lstrip("/"))
    if command is None or (rest and command not in (_send, _say)):
        return text, "echo"
    return command(rest.strip(), context), "command"


def _help(rest: str, context: ChatContext) -> str:
    return HELP


def _time(rest: str, context: ChatContext) -> str:
    return time.strftime("It is %H:%M:%S on %A, %d %B %Y (%Z).")


def _uptime(rest: str, context: ChatContext) -> str:
    now = time.monotonic()
    text = f"This process has been up for {wording.duration(now - context.process_started)}"
    if context.connected is not None:
        text += f", our connection for {wording.duration(now - context.connected)}"
    return f"{text}. Python {platform.python_version()}, webrtc-stack {__version__}."


def _whoami(rest: str, context: ChatContext) -> str:
    pair = context.snapshot().ice.selected_pair
    if pair is None:
        return f"You are visitor {context.name}; no pair is selected yet."
    return f"You are visitor {context.name} at {pair.remote.host} port {pair.remote.port} ({pair.remote.type.value})."


def _path(rest: str, context: ChatContext) -> str:
    pair = context.snapshot().ice.selected_pair
    if pair is None:
        return "No pair is selected yet."
    here, there = pair.local, pair.remote
    return (
        f"{address(here)} ({here.type.value}) ↔ {address(there)} ({there.type.value}), "
        f"round trip {wording.duration(pair.rtt)}"
    )


def _dtls(rest: str, context: ChatContext) -> str:
    dtls = context.snapshot().dtls
    return f"DTLS {dtls.version}, {dtls.cipher_suite}; I am the {dtls.role}."


def _send(rest: str, context: ChatContext) -> str:
    if not (rest.isascii() and rest.isdigit() and 1 <= int(rest) <= 100):
        return "Say how many MiB, from 1 to 100: send 5"
    context.send_generated(int(rest))
    return f"Sending {rest} MiB of noise; watch the files."


def _say(rest: str, context: ChatContext) -> str:
    if not rest:
        return "Say what: say hello"
    count = context.say_to_all(rest)
    return f"Said to {count} other {'page' if count == 1 else 'pages'}."


def _dice(rest: str, context: ChatContext) -> str:
    return f"You threw a {SystemRandom().randint(1, 6)}."


_COMMANDS: Final[dict[str, Callable[[str, ChatContext], str]]] = {
    "help": _help,
    "?": _help,
    "time": _time,
    "uptime": _uptime,
    "whoami": _whoami,
    "path": _path,
    "dtls": _dtls,
    "send": _send,
    "say": _say,
    "dice": _dice,
}
