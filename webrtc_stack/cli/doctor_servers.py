"""Trying STUN and TURN servers for real, one step after the other: name, stream, binding, allocation, echo.

The echo comes back through the relay: a second socket of ours sends to the relayed address, and gets its answer from
there, so permission, both directions and the server's own routing are tried, and no third machine is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..base import Address, PathId, PathTable, canonical_ip
from ..errors import InvalidArgumentError, UsageError
from ..io import AddressPolicy, LocalAddress, Outgoing, ReceivedLike, Runtime, select_addresses
from ..peer import IceServer
from ..stun import DiscoveryOutcome, NatReport, RetransmissionConfig
from ..turn import (
    Allocated,
    AllocationFailed,
    AlternateServer,
    Closed,
    DataRelayed,
    PermissionFailed,
    PermissionInstalled,
    TurnClient,
    TurnClientConfig,
    TurnUri,
    hint_for,
)
from .doctor_probe import Probe, discover_behaviour, resolve

_STEP_TIMEOUT: Final = 5.0
_RETRANSMISSION: Final = RetransmissionConfig(rto=0.4, rc=4, rm=3, max_rto=0.8)
_PING, _PONG = b"webrtc-stack doctor: there", b"webrtc-stack doctor: and back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried. `good` is None where it neither worked nor matters."""

    name: str
    good: bool | None
    text: str
    seconds: float | None = None
    hint: str = ""


@dataclass(slots=True, kw_only=True)
class ServerReport:
    """What became of one URL."""

    url: str
    steps: list[Step] = field(default_factory=list)
    behaviour: NatReport | None = None

    @property
    def good(self) -> bool:
        return bool(self.steps) and all(one.good is not False for one in self.steps)

    def add(self, name: str, good: bool | None, text: str, seconds: float | None = None, hint: str = "") -> None:
        self.steps.append(Step(name=name, good=good, text=text, seconds=seconds, hint=hint))

    def to_dict(self) -> dict[str, Any]:
        steps = [
            {"name": one.name, "good": one.good, "seconds": one.seconds, "text": one.text, "hint": one.hint}
            for one in self.steps
        ]
        behaviour = None if self.behaviour is None else self.behaviour.to_dict()
        return {"url": self.url, "good": self.good, "steps": steps, "behaviour": behaviour}


async def examine_server(runtime: Runtime, server: IceServer, report: ServerReport) -> None:
    """Tries the one URL of `server`; what is found goes to `report` at once, so that a deadline loses nothing."""
    turn = server.turn_servers()
    if turn:
        uri = turn[0].uri
        host, port, transport = uri.host, uri.port, uri.transport
    else:
        ((host, port),) = server.stun_servers()
        transport = "udp"
    began = runtime.time()
    hosts = await _addresses(runtime, host)
    if not hosts:
        report.add("name", False, f"{host} was not resolved", hint="check the name and the DNS of this machine")
        return
    if hosts != [host]:
        report.add("name", True, ", ".join(hosts), runtime.time() - began)
    address, locals_ = _reachable(runtime, hosts, port)
    if address is None:
        report.add("address", False, "no address here is of a family that the server has")
        return
    local = locals_[0]
    if transport == "udp":
        found = await _bind(runtime, address, locals_)
        report.behaviour = found
        _tell_binding(report, found)
        if found.local is not None and found.mapped is not None:
            local = found.local.host
        elif turn and found.outcome is DiscoveryOutcome.UDP_BLOCKED:
            report.steps[-1:] = []  # the allocation says the same, in its own words
    if turn:
        await _try_relay(runtime, report, server, uri, address, local)


async def _addresses(runtime: Runtime, host: str) -> list[str]:
    try:
        return [canonical_ip(host)]
    except InvalidArgumentError:
        pass  # a name
    found = []
    try:
        async with asyncio.timeout(_STEP_TIMEOUT):
            for one in await resolve(runtime, host):
                try:
                    found.append(canonical_ip(one))
                except UsageError:
                    continue  # what a resolver says is the network's word
    except TimeoutError:
        return []
    return found


def _reachable(runtime: Runtime, hosts: Sequence[str], port: int) -> tuple[Address | None, list[str]]:
    """The first address of the server that an address of ours can reach, and those."""
    for host in hosts:
        address = Address(host, port)
        loopback = host.startswith("127.") or host == "::1"
        found = runtime.local_addresses()
        policy = AddressPolicy(include_loopback=True if loopback else None)
        locals_ = [one.host for one in select_addresses([LocalAddress(*one) for one in found], policy)]
        fitting = [one for one in locals_ if (":" in one) == address.is_ipv6]
        if loopback:
            fitting = [one for one in fitting if one.startswith("127.") or one == "::1"]
        if fitting:
            return address, fitting[:4]
    return None, []


async def _bind(runtime: Runtime, address: Address, locals_: Sequence[str]) -> NatReport:
    """Asks from every address of ours at once; the fullest report counts."""

    async def ask(local: str) -> NatReport:
        try:
            return await discover_behaviour(runtime, address, local, timeout=11.0)
        except OSError:
            return NatReport(server=address, outcome=DiscoveryOutcome.UDP_BLOCKED)

    reports = await asyncio.gather(*(ask(local) for local in locals_))
    order = [DiscoveryOutcome.COMPLETE, DiscoveryOutcome.STOPPED, DiscoveryOutcome.NOT_SUPPORTED]
    return min(reports, key=lambda one: order.index(one.outcome) if one.mapped is not None else len(order))


def _tell_binding(report: ServerReport, found: NatReport) -> None:
    if found.mapped is None:
        text = "no answer" if found.error is None else f"refused: {found.error[0]} {found.error[1]}"
        hint = "wrong address or port, a server that is down, or UDP is blocked here" if found.error is None else ""
        report.add("binding", False, text, hint=hint)
        return
    report.add("binding", True, f"seen as {found.mapped}", found.rtt)
    if found.outcome is DiscoveryOutcome.NOT_SUPPORTED:
        report.add("NAT", None, "not examined: the server does not support RFC 5780")
    else:
        report.add("NAT", True if found.peer_to_peer else None, str(found), found.took)


async def _try_relay(
    runtime: Runtime, report: ServerReport, server: IceServer, uri: TurnUri, address: Address, local: str
) -> None:
    paths = PathTable()
    async with Probe(runtime, paths) as probe:
        path: PathId | str
        if uri.transport == "udp":
            try:
                socket_id, _ = probe.open_udp(local)
            except OSError as error:
                report.add("allocation", False, str(error))
                return
            path = paths.intern(socket_id, address)
        else:
            began = runtime.time()
            path = await _connect(probe, address, uri)
            if isinstance(path, str):
                report.add(uri.transport, False, path, hint=_stream_hint(path))
                return
            report.add(uri.transport, True, f"connected to {address}", runtime.time() - began)
        client = TurnClient(
            TurnClientConfig(
                server=address,
                path=path,
                transport=uri.transport,
                username=server.username,
                password=server.credential or "",
                retransmission=_RETRANSMISSION,
                stream_timeout=_STEP_TIMEOUT,
                entropy=runtime.entropy,
            )
        )
        began = runtime.time()
        client.allocate(began)
        probe.drive(client)
        ended = (Allocated, AllocationFailed, AlternateServer, Closed)
        await probe.wait(lambda: any(isinstance(one, ended) for one in probe.events), _STEP_TIMEOUT)
        took = runtime.time() - began
        if not (allocated := probe.found(Allocated)):
            _tell_no_allocation(report, probe)
            return
        relayed, mapped = allocated[0].relayed, allocated[0].mapped
        report.add("allocation", True, f"relays at {relayed}, sees us as {mapped}", took)
        await _echo(runtime, report, probe, client, relayed, mapped, local)
        client.close(runtime.time())
        probe.turn()
        await probe.wait(lambda: bool(probe.found(Closed)), 1.6)


async def _connect(probe: Probe, address: Address, uri: TurnUri) -> PathId | str:
    try:
        async with asyncio.timeout(2 * _STEP_TIMEOUT):
            return await probe.open_stream(address, uri.transport, uri.host)
    except TimeoutError:
        return "no answer"


def _stream_hint(reason: str) -> str:
    if "certificate" in reason:
        return "the certificate must be valid for the name in the URL; use that name, or trust its issuer"
    return "wrong address or port, a firewall, or a server that does not listen there"


def _tell_no_allocation(report: ServerReport, probe: Probe) -> None:
    if failed := probe.found(AllocationFailed):
        code, reason, hint = failed[0]
        said = reason if code == 701 else f"refused: {code} {reason}"
        report.add("allocation", False, said, hint=hint)
    elif moved := probe.found(AlternateServer):
        to = moved[0].address
        report.add("allocation", False, f"the server sends us on to {to}", hint=f"try turn:{to} itself")
    else:
        why = probe.closed_because
        report.add("allocation", False, f"the stream ended: {why}" if why else "no answer", hint=hint_for(701))


async def _echo(
    runtime: Runtime,
    report: ServerReport,
    probe: Probe,
    client: TurnClient,
    relayed: Address,
    mapped: Address,
    local: str,
) -> None:
    """There and back: a socket of ours -> relay -> client -> relay -> the socket."""
    if relayed.is_ipv6 != (":" in local) or mapped.is_ipv6 != relayed.is_ipv6:
        report.add("echo", None, "not tried: the relayed address is of another family")
        return
    client.permit([mapped], runtime.time())
    probe.turn()
    settled = (PermissionInstalled, PermissionFailed, Closed)
    await probe.wait(lambda: any(isinstance(one, settled) for one in probe.events), _STEP_TIMEOUT)
    if not probe.found(PermissionInstalled):
        if failed := probe.found(PermissionFailed):
            _, code, reason = failed[0]
            text = f"not tried: the server does not relay to {mapped.host} ({code} {reason})"
            report.add("echo", None if code == 403 else False, text, hint=hint_for(code))
        else:
            report.add("echo", False, "the permission was not answered")
        return
    received: list[bytes] = []

    def on_burst(burst: Sequence[ReceivedLike]) -> None:
        received.extend(data for _, data, _ in burst)

    try:
        peer = runtime.open_udp(LocalAddress("", local), on_burst=on_burst, on_writable=lambda: None)
    except OSError as error:
        report.add("echo", False, str(error))
        return
    began = runtime.time()
    answered = 0
    try:
        for _ in range(20):
            peer.send_burst([Outgoing(relayed, _PING)])
            await probe.wait(lambda seen=answered: len(probe.found(DataRelayed)) > seen, 0.2)  # type: ignore[misc]
            came = probe.found(DataRelayed)
            for event in came[answered:]:
                client.send_many(event.peer, [_PONG], runtime.time())
            answered = len(came)
            probe.turn()
            for _ in range(20):
                if _PONG in received:
                    report.add("echo", True, "a datagram went there and back through the relay", runtime.time() - began)
                    return
                await asyncio.sleep(0.01)
    except UsageError as error:  # the allocation has ended meanwhile
        report.add("echo", False, str(error))
        return
    finally:
        peer.close()
    where = "came back" if answered else "reached the relay"
    report.add("echo", False, f"nothing {where}", hint="the relay's ports may be closed in the server's firewall")
