"""`webrtc-stack demo --self-test`: two peers in this process, over real sockets of the loopback interface."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from random import Random
from typing import Final

from ...aio import Client, ClientConfig, DataChannel, PeerConnection
from ...errors import WebRTCError
from ...peer import PeerSnapshot
from ..failures import has
from ..wording import duration, print_table, rate, size
from . import panel
from .self_test_media import MediaFailed, MediaFindings, call
from .taps import Taps

CEILING_SECONDS: Final = 30.0
FILE_BYTES: Final = 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024
PINGS: Final = 50
NO_CODECS: Final = "not tried: there are no codecs here; pip install 'webrtc-stack[demo]' brings them"


class SelfTestFailed(Exception):
    """What did not work, in words."""


@dataclass(slots=True)
class Findings:
    """What the test measured."""

    connect_seconds: float = 0.0
    round_trips: list[float] = field(default_factory=list)
    file_seconds: float = 0.0
    sha256: str = ""
    step: str = "starting"
    snapshot: PeerSnapshot | None = None
    media: MediaFindings | None = None
    """None where there are no codecs to make a call with."""

    def rows(self) -> list[tuple[str, str]]:
        """The summary, line by line."""
        assert self.snapshot is not None
        dtls, pair, sctp = self.snapshot.dtls, self.snapshot.ice.selected_pair, self.snapshot.sctp
        path = "none" if pair is None else f"{panel.address(pair.local)} ↔ {panel.address(pair.remote)}"
        return [
            ("Time to connect", f"{duration(self.connect_seconds)}, from the first call to an open channel"),
            ("Selected pair", path),
            ("DTLS", f"{dtls.version}, {dtls.cipher_suite}"),
            ("SCTP", "none" if sctp is None else f"{sctp.state}, window {size(sctp.cwnd)}"),
            (
                "Round trip",
                f"median {duration(statistics.median(self.round_trips))}, worst {duration(max(self.round_trips))}",
            ),
            (
                "Throughput",
                f"{rate(FILE_BYTES / self.file_seconds)}, {size(FILE_BYTES)} in {duration(self.file_seconds)}",
            ),
            ("SHA-256", f"{self.sha256[:32]}…, equal on both ends"),
            ("Messages", "text, empty text, binary, empty binary and 128 KiB arrived as they were sent"),
            *([("Call", NO_CODECS)] if self.media is None else self.media.rows()),
        ]


def run_self_test(options: argparse.Namespace) -> int:
    """Runs it and prints the table. Returns: 0, or 1 with a reason on standard error."""
    findings = Findings()
    with Taps.from_options(options) as taps:
        config = ClientConfig(
            include_loopback=True,
            interfaces=lambda name, address: address == "127.0.0.1",
            trace=taps.trace,
            key_log=taps.key_log,
            packet_log=taps.packet_log,
        )
        try:
            asyncio.run(_bounded(config, findings))
        except (SelfTestFailed, MediaFailed, WebRTCError, OSError) as error:
            print(f"The self-test failed while {findings.step}: {str(error) or type(error).__name__}", file=sys.stderr)
            return 1
        except ExceptionGroup as group:
            words = "; ".join(str(error) or type(error).__name__ for error in leaves(group))
            print(f"The self-test failed while {findings.step}: {words}", file=sys.stderr)
            return 1
    print_table("Two peers in this process, over the loopback interface", ("", ""), findings.rows())
    print("Everything works.")
    return 0


def leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    """What really went wrong, at any depth of groups."""
    found: list[Exception] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, ExceptionGroup) else [error]
    return found


async def _bounded(config: ClientConfig, findings: Findings) -> None:
    try:
        async with asyncio.timeout(CEILING_SECONDS):
            await self_test(config, findings)
    except TimeoutError:
        raise SelfTestFailed(f"it took more than {CEILING_SECONDS:g} s") from None


async def self_test(config: ClientConfig, findings: Findings) -> None:
    """Connects, opens channels, compares what arrives. Errors: `SelfTestFailed`, `WebRTCError`."""
    async with (
        Client(config) as client,
        client.create_peer_connection() as left,
        client.create_peer_connection() as right,
        asyncio.TaskGroup() as group,
    ):
        findings.step = "connecting"
        started = time.monotonic()
        messages = left.create_data_channel("messages")
        pings = left.create_data_channel("ping", ordered=False, max_retransmits=0)
        await _signal(left, right)
        trickling = [group.create_task(_trickle(left, right)), group.create_task(_trickle(right, left))]
        answering = group.create_task(_answer(right))
        await messages.opened(timeout=20)
        findings.connect_seconds = time.monotonic() - started
        await pings.opened(timeout=20)
        await _exchange(messages, findings)
        await _ping(pings, findings)
        await _file(left, findings)
        findings.snapshot = left.snapshot()
        if has("av"):
            findings.step = "making a call"
            findings.media = MediaFindings()
            await call(left, right, findings.media)
        findings.step = "closing"
        answering.cancel()
        for task in trickling:
            task.cancel()


async def _signal(left: PeerConnection, right: PeerConnection) -> None:
    """Both descriptions, without waiting for candidates: they follow by themselves."""
    await left.set_local_description()
    assert left.local_description is not None
    await right.set_remote_description(left.local_description)
    await right.set_local_description()
    assert right.local_description is not None
    await left.set_remote_description(right.local_description)


async def _trickle(source: PeerConnection, target: PeerConnection) -> None:
    async for candidate in source.ice_candidates():
        await target.add_ice_candidate(candidate)
    await target.add_ice_candidate(None)


async def _answer(pc: PeerConnection) -> None:
    """The other end: echoes on `messages` and `ping`, takes one file on `file`."""
    async with asyncio.TaskGroup() as group:
        async for channel in pc.data_channels():
            group.create_task(_take(channel) if channel.label == "file" else _echo(channel))


async def _echo(channel: DataChannel) -> None:
    async for message in channel:
        await channel.send(message)


async def _take(channel: DataChannel) -> None:
    digest, count = hashlib.sha256(), 0
    async for message in channel:
        if isinstance(message, str):
            await channel.send(json.dumps({"sha256": digest.hexdigest(), "size": count}))
        else:
            digest.update(message)
            count += len(message)


async def _exchange(channel: DataChannel, findings: Findings) -> None:
    findings.step = "exchanging messages"
    for message in ("hello, Grüße, 你好", "", b"\x00\x01\xff", b"", bytes(128 * 1024)):
        await channel.send(message)
        answer = await asyncio.wait_for(channel.receive(), 10)
        if answer != message:
            raise SelfTestFailed(f"a message of {len(message)} came back with {len(answer)}")


async def _ping(channel: DataChannel, findings: Findings) -> None:
    findings.step = "measuring round trips"
    for number in range(PINGS):
        sent = time.monotonic()
        await channel.send(str(number))
        answer = await asyncio.wait_for(channel.receive(), 10)
        if answer != str(number):
            raise SelfTestFailed(f"ping {number} was answered by {answer!r}")
        findings.round_trips.append(time.monotonic() - sent)


async def _file(pc: PeerConnection, findings: Findings) -> None:
    findings.step = "sending a file"
    data = Random(1).randbytes(FILE_BYTES)
    findings.sha256 = hashlib.sha256(data).hexdigest()
    channel = pc.create_data_channel("file")
    await channel.opened(timeout=10)
    started = time.monotonic()
    for at in range(0, len(data), CHUNK_BYTES):
        await channel.send(data[at : at + CHUNK_BYTES])
    await channel.send("that was all")
    verdict = json.loads(await asyncio.wait_for(channel.receive_text(), 20))
    findings.file_seconds = time.monotonic() - started
    if verdict != {"sha256": findings.sha256, "size": FILE_BYTES}:
        raise SelfTestFailed("the file arrived, but not as it was sent: the checksums differ")
    await channel.close()
