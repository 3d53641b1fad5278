"""Real peers, one program at a time, and one event loop for all tests in this folder.

Connections are shared between the cases of a class, so the loop outlives single tests: `async def` tests run on the
loop of the session, each under a ceiling that only a hang meets.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, TypeVar

import pytest

from tests.support import browser, netns, seeds
from tests.support.browser import BrowserPage
from tests.support.lab_namespace import why_not
from tests.support.process_peer import ProcessPeer
from tests.support.programs import find_program, find_python_with
from tests.support.remote_peer import Remote

from .networks import Networks
from .session import Session

T = TypeVar("T")

TEST_CEILING = 150.0
"""Seconds for one whole test; a 20 MB file through a busy machine takes a few."""


class Loop:
    """The event loop of the session; `run` drives it from plain code."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float = TEST_CEILING) -> T:
        return self._runner.run(asyncio.wait_for(work, timeout))

    def close(self) -> None:
        self._runner.close()


LOOP = pytest.StashKey[Loop]()


@pytest.fixture(scope="session")
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    made = request.config.stash[LOOP] = Loop()
    yield made
    made.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs `async def` tests; a failure gets the session's description as a note."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    running = pyfuncitem.config.stash[LOOP]
    try:
        running.run(pyfuncitem.obj(**arguments))
    except Exception as error:
        for value in arguments.values():
            if isinstance(value, Session):
                error.add_note(running.run(value.describe()))
        raise
    return True


def missing(reason: str) -> None:
    """A peer that is not there: skipped by name, but in CI that would hide that nothing was tested."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def open_webrtcbin() -> AbstractAsyncContextManager[Remote]:
    """GStreamer in a process of its own, under the Python that Debian's binding is made for."""
    find_program("gst-launch-1.0")
    return ProcessPeer("webrtcbin", "tests.support.gst_peer", python=find_python_with("gi"))


def open_remote(name: str) -> AbstractAsyncContextManager[Remote]:
    if name == "aiortc":
        if not netns.has_non_loopback_address():
            missing("aiortc never offers loopback, and there is no other address: run tests/run.py --stage interop")
        return ProcessPeer("aiortc", "tests.support.aiortc_peer")
    kind: browser.BrowserKind = "chromium" if name == "chromium" else "firefox"
    if browser.find(kind) is None:
        missing(f"{kind} is not installed")
    return BrowserPage(kind)


@pytest.fixture(scope="session", params=["chromium", "firefox", "aiortc"])
def remote(request: pytest.FixtureRequest, loop: Loop) -> Iterator[Remote]:
    """One remote program; pytest groups the tests by it, so that one at a time is running."""
    context = open_remote(request.param)
    yield loop.run(context.__aenter__())
    loop.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def webrtcbin(loop: Loop) -> Iterator[Remote]:
    context = open_webrtcbin()
    yield loop.run(context.__aenter__())
    loop.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="class")
def session(request: pytest.FixtureRequest, loop: Loop, remote: Remote) -> Iterator[Session]:
    """A connected session, parametrized as (role, signalling); shared by the cases of a class."""
    role, signalling = request.param
    made = Session(remote, role, signalling, seeds.base())
    loop.run(made.connect())
    yield made
    loop.run(made.close())


@pytest.fixture
def fresh(request: pytest.FixtureRequest, loop: Loop, remote: Remote) -> Iterator[Session]:
    """A connected session of its own for one test, parametrized by role; trickled."""
    made = Session(remote, request.param, "trickle", seeds.base() + 1)
    loop.run(made.connect())
    yield made
    loop.run(made.close())


@pytest.fixture(scope="session")
def networks(loop: Loop) -> Iterator[Networks]:
    """The laboratory, with our peer at site A."""
    if reason := why_not():
        missing(f"no laboratory: {reason}")
    with ExitStack() as stack:
        yield Networks(stack, loop)


@pytest.fixture(scope="module", params=["ours", "chromium", "firefox", "aiortc"])
def far(request: pytest.FixtureRequest, networks: Networks) -> Iterator[Remote]:
    """The peer at site B."""
    with ExitStack() as stack:
        yield networks.peer(request.param, networks.host_b, stack=stack)
