"""The program around the TURN server: from options to sockets, and what is printed meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import secrets
import signal
import ssl
from collections.abc import Sequence
from contextlib import ExitStack

from ...base import Address, PathTable, canonical_ip
from ...io import AsyncioRuntime, Listener, LocalAddress, Runtime
from ...trace import NO_TRACE, JsonLinesSink, Trace
from ...turn import AllocationClosed, AllocationOpened, PeerPolicy, ServerEvent, TurnServerConfig
from ..failures import CommandError
from ..wording import printable, size
from .service import TurnService
from .streams import listen_stream


def run_turn(options: argparse.Namespace) -> int:
    return asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> int:
    with ExitStack() as files:
        trace = NO_TRACE
        if options.trace is not None:
            trace = Trace(JsonLinesSink(files.enter_context(options.trace.open("w"))), source="turn")
        runtime = AsyncioRuntime(trace=trace)
        try:
            return await _run(options, runtime, trace)
        finally:
            await runtime.aclose()


async def _run(options: argparse.Namespace, runtime: Runtime, trace: Trace) -> int:
    listen = [canonical_ip(host) for host in options.listen or ["127.0.0.1"]]
    relay_hosts = _by_family(options.relay_ip or _relay_addresses(listen, runtime))
    external_hosts = _by_family(options.external_ip or ())
    tls = _tls_context(options)
    made_up = not options.user and not options.secret
    users = dict(options.user) if not made_up else {"guest": secrets.token_urlsafe(12)}
    families = tuple(sorted(relay_hosts))
    config = TurnServerConfig(
        paths=PathTable(65536),
        realm=options.realm,
        users=users,
        shared_secret=options.secret,
        families=families,
        relay_ports=options.ports,
        own_addresses=_own_addresses(options, {*listen, *external_hosts.values()}),
        policy=PeerPolicy.of(
            allow=tuple(options.allow_peer),
            deny=tuple(options.deny_peer),
            private=options.allow_private,
            loopback=options.allow_loopback,
        ),
        wall_epoch=runtime.wall_epoch,
        max_allocations=options.max_allocations,
        max_allocations_per_user=options.user_quota,
        max_allocations_per_host=max(64, options.user_quota),
        bytes_per_second=None if options.bandwidth is None else options.bandwidth * 125.0,
        trace=trace,
    )
    report = _Report(quiet=options.quiet)
    service = TurnService(
        config, runtime, relay_hosts=relay_hosts, external_hosts=external_hosts, on_event=report.event
    )
    listeners: list[Listener] = []
    try:
        urls = []
        for host in listen:
            if host == listen[0] and options.other_address is not None:
                bound = _listen_discovery(service, host, options)
            else:
                bound = service.listen(LocalAddress("", host), options.port)
            urls.append(f"turn:{bound}?transport=udp")
            if not options.no_tcp:
                listener, _ = listen_stream(service, LocalAddress("", host), bound.port)
                listeners.append(listener)
                urls.append(f"turn:{bound}?transport=tcp")
            if tls is not None:
                listener, secure = listen_stream(service, LocalAddress("", host), options.tls_port, tls)
                listeners.append(listener)
                urls.append(f"turns:{secure}?transport=tcp")
        for url in urls:
            print(f"listening on {url}")
        if not options.quiet:
            _explain(options, config, relay_hosts, external_hosts, urls, users if made_up else {})
        print("ready; Ctrl-C ends it", flush=True)
        await _until_interrupted()
    finally:
        for listener in listeners:
            listener.close()
        service.close()
    report.summary(service)
    return 0


def _own_addresses(options: argparse.Namespace, hosts: set[str]) -> tuple[Address, ...]:
    """Where clients reach us: no relay may send there."""
    if options.other_address is None:
        return tuple(Address(host, options.port) for host in hosts)
    host, port = options.other_address
    ports = (options.port, options.port + 1 if port is None else port)
    return tuple(Address(one, number) for one in {*hosts, host} for number in ports)


def _listen_discovery(service: TurnService, host: str, options: argparse.Namespace) -> Address:
    """Two addresses and two ports, so that clients can find out how their NAT behaves."""
    other, port = options.other_address
    if options.external_ip:
        raise CommandError(
            "--other-address does not go with --external-ip: clients must reach both as they are", code=2
        )
    if ipaddress.ip_address(host).is_unspecified or ipaddress.ip_address(other).is_unspecified:
        raise CommandError("--other-address needs definite addresses: answers leave from one or the other", code=2)
    if port is None:
        port = options.port + 1 if options.port else 0
    alternates = service.listen_discovery((host, other), (options.port, port))
    print(f"NAT behaviour discovery (RFC 5780) at {alternates.all[0]}, with {alternates.all[3]}")
    return alternates.all[0]


def _by_family(hosts: Sequence[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for host in hosts:
        address = canonical_ip(host)
        family = 6 if ":" in address else 4
        if family in found:
            raise CommandError(f"one address a family: {found[family]} and {address} are both IPv{family}", code=2)
        found[family] = address
    return found


def _relay_addresses(listen: Sequence[str], runtime: Runtime) -> list[str]:
    """One address a family to relay from: what is listened on; for a wildcard the first address that is not local."""
    found: dict[bool, str] = {}
    for host in listen:
        if ipaddress.ip_address(host).is_unspecified:
            for _, other, scope in runtime.local_addresses():
                if (":" in other) == (":" in host) and not scope and not ipaddress.ip_address(other).is_loopback:
                    found.setdefault(":" in other, other)
        else:
            found.setdefault(":" in host, host)
    if not found:
        raise CommandError("no address to relay from was found: give one by --relay-ip", code=2)
    return list(found.values())


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.cert, options.key)
    except (ssl.SSLError, OSError) as error:
        raise CommandError(f"the certificate cannot be used: {error}") from None
    return context


def _explain(
    options: argparse.Namespace,
    config: TurnServerConfig,
    relay_hosts: dict[int, str],
    external_hosts: dict[int, str],
    urls: Sequence[str],
    made_up: dict[str, str],
) -> None:
    low, high = options.ports
    for family, host in sorted(relay_hosts.items()):
        seen = f", seen as {external_hosts[family]}" if family in external_hosts else ""
        print(f"relaying from {host}, ports {low} to {high}{seen}")
    reach = ["the public internet"]
    reach += ["private networks"] if options.allow_private else []
    reach += ["this machine"] if options.allow_loopback else []
    reach += options.allow_peer
    without = f", but not {', '.join(options.deny_peer)}" if options.deny_peer else ""
    print(f"relays reach {', '.join(reach)}{without}")
    if config.shared_secret is not None:
        print("time-limited users (EXPIRY:NAME, password from the shared secret) are taken")
    for name, password in made_up.items():
        print("no --user and no --secret was given; this run takes")
        print("  " + json.dumps({"urls": list(urls), "username": name, "credential": password}))


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    await stop.wait()


class _Report:
    """Lines about allocations as they come and go."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def event(self, event: ServerEvent) -> None:
        if self._quiet:
            return
        match event:
            case AllocationOpened():
                name = printable(event.username, 40)
                print(f"allocation {event.id}: {name} at {event.client} has {event.relayed}", flush=True)
            case AllocationClosed():
                moved = f"{size(event.bytes_to_peers)} out, {size(event.bytes_to_client)} in"
                print(f"allocation {event.id}: {event.reason.value}; {moved}", flush=True)

    def summary(self, service: TurnService) -> None:
        if self._quiet:
            return
        counters = service.server.counters
        print(f"\n{counters.allocations} allocations, {counters.bindings} STUN answers")
        for reason, count in sorted(service.server.drops.by_reason.items()):
            print(f"  refused: {reason}: {count}")
