"""Files over a data channel: the protocol, names that are safe, limits.

Each file has a channel of its own, labelled `file`, opened by the sender:

```
 sender                                             receiver
   {"name": "cat.jpg", "size": 48213}  ------------>
   binary messages of up to 64 KiB     ------------>
                                       <------------ {"received": 16384}         now and then
   {"sha256": "…"}                     ------------>
                                       <------------ {"sha256": "…", "saved": "cat.jpg"} or {"error": "…"}
   closes the channel
```
Nothing that the peer says about name or size is believed: the name is made safe, the size is a limit to what is taken.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from ...aio import DataChannel
from ...errors import WebRTCError
from ..wording import size as in_words

LABEL: Final = "file"
CHUNK_BYTES: Final = 64 * 1024
"""Every browser takes messages of this size, and the progress still moves smoothly."""
REPORT_SECONDS: Final = 0.2
NAME_CHARACTERS: Final = 120
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)", re.IGNORECASE)


class TransferError(Exception):
    """Why a transfer did not happen, in words that both ends show."""


@dataclass(slots=True)
class Transfer:
    """One file on its way, as the terminal shows it."""

    name: str
    size: int
    outgoing: bool
    moved: int = 0
    state: str = "running"
    detail: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def rate(self) -> float:
        """Bytes a second so far."""
        span = (self.ended if self.ended is not None else time.monotonic()) - self.started
        return self.moved / span if span > 0 else 0.0

    def finish(self, state: str, detail: str) -> None:
        self.state, self.detail, self.ended = state, detail, time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """Something that a page may ask for. `read` yields its bytes in pieces."""

    id: str
    name: str
    size: int
    read: Callable[[], Iterator[bytes]]

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "size": self.size}


def generated(mebibytes: int) -> SharedFile:
    """A file made on the spot: noise that is the same every time, so that hashes can be compared between runs."""
    size = mebibytes * 1024 * 1024

    def read() -> Iterator[bytes]:
        noise = Random(mebibytes)
        for at in range(0, size, CHUNK_BYTES):
            yield noise.randbytes(min(CHUNK_BYTES, size - at))

    return SharedFile(id=f"generated-{mebibytes}", name=f"noise-{mebibytes}MiB.bin", size=size, read=read)


def on_disk(identifier: str, path: Path) -> SharedFile:
    """A file of this machine. Errors: `OSError`."""
    size = path.stat().st_size

    def read() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece

    return SharedFile(id=identifier, name=safe_name(path.name), size=size, read=read)


def safe_name(name: str) -> str:
    """A name without folders, control characters, leading dots, or anything that a file system treats specially."""
    base = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    kept = "".join("_" if one in '<>:"|?*' else one for one in base if one.isprintable())
    kept = kept.strip(" .")
    if not kept:
        return "unnamed"
    if _RESERVED.match(kept):
        kept = f"_{kept}"
    if len(kept) > NAME_CHARACTERS:
        _, dot, ending = kept.rpartition(".")
        ending = dot + ending if dot and len(ending) <= 16 else ""
        kept = kept[: NAME_CHARACTERS - len(ending)].rstrip(" .") + ending
    while len(kept.encode()) > 240:  # file systems count bytes
        kept = kept[1:]
    return kept


def free_path(folder: Path, name: str) -> Path:
    """A path in `folder` that does not exist yet: the safe name, or one with a number."""
    safe = safe_name(name)
    path = folder / safe
    stem, suffix = path.stem, path.suffix
    number = 2
    while path.exists() or path.with_name(path.name + ".part").exists():
        path = folder / f"{stem} ({number}){suffix}"
        number += 1
    return path


def _json(message: str | bytes, what: str) -> dict[str, Any]:
    if isinstance(message, str) and len(message) <= 4096:
        try:
            value = json.loads(message)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
    raise TransferError(f"the other side sent no {what}")


async def receive_file(
    channel: DataChannel, folder: Path, *, limit: int, on_start: Callable[[Transfer], None]
) -> Transfer | None:
    """Takes one file. Returns: the transfer, None when not even its header came."""
    transfer: Transfer | None = None
    try:
        header = _json(await channel.receive(), "file header")
        name, size = header.get("name"), header.get("size")
        if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise TransferError("the file header needs a name and a size")
        transfer = Transfer(safe_name(name), size, outgoing=False)
        on_start(transfer)
        if size > limit:
            raise TransferError(f"the file has {in_words(size)}; at most {in_words(limit)} are taken here")
        path = free_path(folder, name)
        digest = await _store(channel, path, transfer)
        stated = _json(await channel.receive(), "checksum").get("sha256")
        if stated != digest:
            path.with_name(path.name + ".part").unlink(missing_ok=True)
            raise TransferError("the checksums differ; the file was thrown away")
        path.with_name(path.name + ".part").replace(path)
        transfer.name = path.name
        transfer.finish("done", digest)
        await channel.send(json.dumps({"sha256": digest, "saved": path.name}))
    except (TransferError, OSError) as error:
        words = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if transfer is not None:
            transfer.finish("failed", words)
        try:
            await channel.send(json.dumps({"error": words}))
        except WebRTCError:
            pass  # the peer is gone, which is why it failed, or does not matter any more
    except WebRTCError as error:
        if transfer is not None:
            transfer.finish("failed", f"cancelled: {error}")
    return transfer


async def _store(channel: DataChannel, path: Path, transfer: Transfer) -> str:
    digest = hashlib.sha256()
    part = path.with_name(path.name + ".part")
    reported = time.monotonic()
    whole = False
    try:
        with part.open("xb") as file:
            while transfer.moved < transfer.size:
                piece = await channel.receive()
                if not isinstance(piece, bytes):
                    raise TransferError("text came in the middle of the file")
                if transfer.moved + len(piece) > transfer.size:
                    raise TransferError("the file is longer than it said")
                file.write(piece)
                digest.update(piece)
                transfer.moved += len(piece)
                now = time.monotonic()
                if now - reported >= REPORT_SECONDS:
                    reported = now
                    await channel.send(json.dumps({"received": transfer.moved}))
        whole = True
    finally:
        if not whole:
            part.unlink(missing_ok=True)
    return digest.hexdigest()


async def send_file(channel: DataChannel, shared: SharedFile, *, on_start: Callable[[Transfer], None]) -> Transfer:
    """Sends one file on a channel that was opened for it, and closes it after the receiver's word."""
    transfer = Transfer(shared.name, shared.size, outgoing=True)
    on_start(transfer)
    digest = hashlib.sha256()
    try:
        await channel.opened(timeout=10)
        await channel.send(json.dumps({"name": shared.name, "size": shared.size}))
        for piece in shared.read():
            answer = channel.receive_nowait()
            if answer is not None and "error" in (told := _json(answer, "progress")):
                raise TransferError(str(told["error"])[:200])
            await channel.send(piece)
            digest.update(piece)
            transfer.moved += len(piece)
        await channel.send(json.dumps({"sha256": digest.hexdigest()}))
        async for verdict in _verdicts(channel):
            if "error" in verdict:
                raise TransferError(str(verdict["error"])[:200])
            if verdict.get("sha256") == digest.hexdigest():
                transfer.finish("done", digest.hexdigest())
            elif "sha256" in verdict:
                raise TransferError("the checksums differ")
            if transfer.state == "done":
                break
        else:
            raise TransferError("the other side never confirmed the file")
        await channel.close()
    except (TransferError, OSError) as error:
        transfer.finish("failed", str(error))
        await channel.close()
    except WebRTCError as error:
        transfer.finish("failed", f"cancelled: {error}")
    return transfer


async def _verdicts(channel: DataChannel) -> AsyncIterator[dict[str, Any]]:
    async for message in channel:
        yield _json(message, "verdict")
