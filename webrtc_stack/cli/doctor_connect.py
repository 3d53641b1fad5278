"""`webrtc-stack doctor --connect`: each server is tried, two peers are connected through them, and what failed is
explained."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import UsageError
from ..io import AsyncioRuntime, Runtime
from ..peer import IceServer
from .doctor_peers import KINDS, ConnectionReport, connect_peers
from .doctor_servers import ServerReport, examine_server
from .failures import CommandError
from .wording import duration, print_table, printable

DEADLINE: Final = 20.0
"""Seconds for everything; what is not known by then is said to be so."""


@dataclass(slots=True, kw_only=True)
class ConnectReport:
    """Everything that was tried."""

    servers: list[ServerReport] = field(default_factory=list)
    connections: list[ConnectionReport] = field(default_factory=list)
    took: float = 0.0

    @property
    def good(self) -> bool:
        return all(one.good for one in self.servers) and all(one.good is not False for one in self.connections)

    def to_dict(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "took": round(self.took, 3),
            "servers": [one.to_dict() for one in self.servers],
            "connections": [one.to_dict() for one in self.connections],
        }


def servers_of(urls: Sequence[str], username: str | None, credential: str | None) -> list[IceServer]:
    """One `IceServer` a URL. Errors: `CommandError`."""
    servers = []
    for url in urls:
        turn = url.partition(":")[0].lower() in ("turn", "turns")
        server = IceServer(url, username=username if turn else None, credential=credential if turn else None)
        try:
            server.stun_servers(), server.turn_servers()
        except UsageError as error:
            hint = "; give --username and --credential" if turn and not (username and credential) else ""
            raise CommandError(f"{error}{hint}", code=2) from None
        servers.append(server)
    return servers


async def check(
    runtime: Runtime, servers: Sequence[IceServer], *, relay_only: bool = False, deadline: float = DEADLINE
) -> ConnectReport:
    """Tries everything at once, in bounded time."""
    began = runtime.time()
    report = ConnectReport(servers=[ServerReport(url=str(one.urls)) for one in servers])
    loopback = any(_is_loopback(one) for one in servers)
    kinds = ("relay",) if relay_only else KINDS
    tasks = [
        *(asyncio.create_task(examine_server(runtime, *pair)) for pair in zip(servers, report.servers, strict=True)),
    ]
    connecting = {kind: asyncio.create_task(connect_peers(runtime, kind, servers, loopback)) for kind in kinds}
    _, late = await asyncio.wait([*tasks, *connecting.values()], timeout=deadline - 1.0)
    for task in late:
        task.cancel()
    results = await asyncio.gather(*tasks, *connecting.values(), return_exceptions=True)
    for server, result in zip(report.servers, results, strict=False):
        if isinstance(result, asyncio.CancelledError):
            server.add("time", False, f"not finished within {deadline:g} s")
        elif isinstance(result, BaseException):
            server.add("error", False, str(result) or type(result).__name__)
    for kind, task in connecting.items():
        if task.cancelled():
            report.connections.append(ConnectionReport(kind=kind, good=False, text=f"not within {deadline:g} s"))
        elif (error := task.exception()) is not None:
            report.connections.append(ConnectionReport(kind=kind, good=False, text=str(error) or type(error).__name__))
        else:
            report.connections.append(task.result())
    report.took = runtime.time() - began
    return report


def _is_loopback(server: IceServer) -> bool:
    hosts = [host for host, _ in server.stun_servers()] + [one.uri.host for one in server.turn_servers()]
    try:
        return any(ipaddress.ip_address(host).is_loopback for host in hosts)
    except ValueError:
        return "localhost" in hosts


def show(report: ConnectReport) -> None:
    """Prints the report for people."""
    rows = []
    for server in report.servers:
        for number, step in enumerate(server.steps):
            url = printable(server.url, 60) if number == 0 else ""
            hint = f" ({step.hint})" if step.hint else ""
            took = "" if step.seconds is None else duration(step.seconds)
            rows.append((url, _mark(step.good), step.name, took, printable(step.text + hint, 240)))
    print_table("Servers", ("URL", "", "step", "time", "what came"), rows)
    print()
    connections = [
        (one.kind, _mark(one.good), "" if one.seconds is None else duration(one.seconds), printable(one.text, 240))
        for one in report.connections
    ]
    print_table("Two peers on this machine, by kind of candidate", ("kind", "", "time", "path"), connections)
    for one in report.connections:
        if one.good is False and one.explanation is not None:
            print(f"\nWhy there is no connection by {one.kind} candidates")
            print(f"  {one.explanation}")
    print(f"\n{'all is well' if report.good else 'something is wrong'} ({duration(report.took)})")


def _mark(good: bool | None) -> str:
    return "–" if good is None else "ok" if good else "!!"


def run_connect(options: argparse.Namespace) -> int:
    """Returns: 0 when every server and connection works, else 1."""
    servers = servers_of(options.connect, options.username, options.credential)
    if options.relay_only and not any(one.turn_servers() for one in servers):
        raise CommandError("--relay-only needs a turn: or turns: URL", code=2)
    report = asyncio.run(_run(servers, options.relay_only))
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        show(report)
    return 0 if report.good else 1


async def _run(servers: Sequence[IceServer], relay_only: bool) -> ConnectReport:
    runtime = AsyncioRuntime()
    try:
        return await check(runtime, servers, relay_only=relay_only)
    finally:
        await runtime.aclose()
