"""The laboratory of `tests/support/lab.py` as the tests use it: two sites, two servers, and programs that stay."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from tests.support import browser
from tests.support.browser import BrowserPage
from tests.support.lab import Lab, Nat
from tests.support.lab_call import LabCall, Route, route
from tests.support.lab_namespace import Namespace
from tests.support.lab_servers import Authority, Server, start_coturn, start_ours
from tests.support.process_peer import ProcessPeer
from tests.support.programs import find_program, missing_program
from tests.support.remote_peer import Remote

if TYPE_CHECKING:
    from .conftest import Loop

ServerName = Literal["coturn", "ours"]

CONNECTS = 15.0
"""Seconds for a connection; the slowest that works takes one or two."""


class Networks:
    """The laboratory with its two sites, its servers, and our peer at site A."""

    def __init__(self, stack: ExitStack, loop: Loop) -> None:
        self._stack = stack
        self._loop = loop
        find_program("turnserver")
        find_program("certutil")
        self.lab = stack.enter_context(Lab())
        self.authority = Authority(self.lab.folder)
        self.coturn = start_coturn(self.lab, self.authority)
        self.our_server = start_ours(self.lab, self.authority)
        self.a, self.b = self.lab.site(), self.lab.site()
        self.host_a, self.host_b = self.a.host(), self.b.host()
        self.ours = self.enter(self.process("ours", "lab_peer", self.host_a))

    def process(self, name: str, module: str, place: Namespace) -> ProcessPeer:
        trusted = {"SSL_CERT_FILE": str(self.authority.root)}
        return ProcessPeer(name, f"tests.support.{module}", place=place, environment=trusted)

    def enter(self, peer: ProcessPeer | BrowserPage) -> Remote:
        self._loop.run(peer.__aenter__())
        self._stack.callback(lambda: self._loop.run(peer.__aexit__(None, None, None)))
        return peer

    def peer(self, name: str, place: Namespace, *, stack: ExitStack) -> Remote:
        """Another peer, until `stack` is closed."""
        if name in ("chromium", "firefox"):
            kind: browser.BrowserKind = "chromium" if name == "chromium" else "firefox"
            if browser.find(kind) is None:
                missing_program(kind)
            made: ProcessPeer | BrowserPage = BrowserPage(kind, place=place, trusted=self.authority.root)
        else:
            made = self.process(name, "aiortc_peer" if name == "aiortc" else "lab_peer", place)
        self._loop.run(made.__aenter__())
        stack.callback(lambda: self._loop.run(made.__aexit__(None, None, None)))
        return made

    def server(self, name: ServerName) -> Server:
        return self.coturn if name == "coturn" else self.our_server

    def become(self, a: Nat, b: Nat) -> None:
        """Both sites become of these kinds."""
        for site, kind in ((self.a, a), (self.b, b)):
            if site.kind is not kind:
                site.set(kind)

    async def connects(self, far: Remote, a: Nat, b: Nat, **config: object) -> Route | None:
        """Asserts that we and the far peer reach each other between such sites. Returns: how, by our statistics."""
        self.become(a, b)
        async with LabCall(self.ours, far, left_config=dict(config), right_config=dict(config)) as call:
            await call.open(timeout=CONNECTS)
            return await route(call.left)
