"""Runs the demo: server, terminal, keyboard, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from ...aio import Client, ClientConfig
from ...peer import IceServer
from ..failures import CommandError
from ..wording import printable
from . import files
from .keyboard import Keyboard
from .server import Server
from .studio import open_studio
from .taps import Taps
from .terminal import Screen
from .visitor import Demo

GENERATED_MIB: Final = (1, 5, 20)
FRAMES_PER_SECOND: Final = 4
NO_CODECS: Final = (
    "no codecs here: data and the camera's echo work, pictures and sound of Python's own do not. "
    "They come with: pip install 'webrtc-stack[demo]'"
)


def run_demo(options: argparse.Namespace) -> int:
    """Runs until a signal ends it. Returns: the exit code."""
    with Taps.from_options(options) as taps, _downloads(options.downloads) as folder:
        config = ClientConfig(
            include_loopback=True,
            ice_servers=[IceServer(url) for url in options.stun],
            trace=taps.trace,
            key_log=taps.key_log,
            packet_log=taps.packet_log,
        )
        asyncio.run(_serve(options, config, folder))
        for what, path in taps.paths.items():
            if path is not None:
                print(f"The {what} of this run: {path}")
    return 0


@contextmanager
def _downloads(wanted: Path | None) -> Iterator[Path]:
    """The folder for files; a temporary one is removed again if nothing came."""
    if wanted is not None:
        try:
            wanted.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"cannot use {wanted} for downloads: {error.strerror}") from None
        yield wanted
        return
    folder = Path(tempfile.mkdtemp(prefix="webrtc-stack-demo-"))
    try:
        yield folder
    finally:
        if any(folder.iterdir()):
            print(f"Files that came in are in {folder}")
        else:
            folder.rmdir()


def _shared(paths: list[Path]) -> list[files.SharedFile]:
    shared = []
    for number, path in enumerate(paths, 1):
        if not path.is_file():
            raise CommandError(f"--share {path}: there is no such file")
        shared.append(files.on_disk(f"shared-{number}", path))
    return shared + [files.generated(mebibytes) for mebibytes in GENERATED_MIB]


async def _serve(options: argparse.Namespace, config: ClientConfig, folder: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with Client(config) as client:
        demo = Demo(
            client,
            downloads=folder,
            shared=_shared(options.share),
            max_file_bytes=options.max_file * 1024 * 1024,
            studio=open_studio(),
        )
        if demo.studio is None:
            demo.say("!", NO_CODECS)
        server = Server(demo)
        try:
            url = await server.start(options.host, options.port)
        except OSError as error:
            await server.close()
            raise CommandError(_cannot_listen(error, options)) from None
        try:
            if not options.no_browser and _has_desktop():
                await asyncio.to_thread(webbrowser.open, url)
            await _show(demo, url, ended)
        finally:
            await server.close()
            await asyncio.gather(*(visitor.close() for visitor in list(demo.visitors.values())))


def _cannot_listen(error: OSError, options: argparse.Namespace) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {options.port} is in use; choose another one with --port, or --port 0 for any"
    return f"cannot serve on {options.host} port {options.port}: {error.strerror or error}"


def _has_desktop() -> bool:
    """Without a desktop a browser would be a text one, on top of our own display."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def _show(demo: Demo, url: str, ended: asyncio.Event) -> None:
    console = Console()

    def said(line: str) -> None:
        if line.strip():
            count = demo.broadcast(line.strip(), "terminal")
            demo.say("you", f"{line.strip()}  (to {count} {'page' if count == 1 else 'pages'})")

    with ExitStack() as stack:
        if not console.is_terminal:
            print(f"webrtc-stack demo: open {url} in a browser; Ctrl-C ends it", flush=True)
            demo.on_log = lambda who, line: print(f"[{who}] {line}", flush=True)
            for who, line in demo.log:
                demo.on_log(who, line)
            await ended.wait()
            return
        keyboard = stack.enter_context(Keyboard(said)) if Keyboard.available() else None
        screen = Screen(demo, url, keyboard.editor if keyboard is not None else None)
        live = stack.enter_context(Live(screen, console=console, auto_refresh=False, transient=True))
        while not ended.is_set():
            live.refresh()
            try:
                await asyncio.wait_for(ended.wait(), 1 / FRAMES_PER_SECOND)
            except TimeoutError:
                continue
    count = len(demo.visitors)
    console.print(
        f"Goodbye. {count} {'page' if count == 1 else 'pages'} connected at the end.", style="dim", highlight=False
    )
    for who, line in list(demo.log)[-3:]:
        console.print(f"  {who}: {printable(line)}", style="dim", markup=False, highlight=False)
