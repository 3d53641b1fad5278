"""Tells when the addresses of this machine change.

On Linux the kernel says so on a netlink socket; elsewhere the list is looked at every two seconds. What is told is a
change of the *list*: renewed lifetimes and traffic on other tables are not one. Events come in bursts (an interface
that goes up brings a link, a route, several addresses, each tentative first), so the list is read a moment after the
first of them.

Spec: Linux rtnetlink(7), netlink(7); RFC 3549.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from ..trace import NO_TRACE, Trace
from . import kernel
from .reactor import Reactor
from .runtime import Cancellable, LocalAddressLike

SETTLE: Final = 0.2
"""Seconds between the first sign of a change and the look at the list."""
POLL_INTERVAL: Final = 2.0

_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
_READS_A_TURN: Final = 64


class _Subscription:
    __slots__ = ("on_change", "watcher")

    def __init__(self, watcher: AddressWatcher, on_change: Callable[[], None]) -> None:
        self.watcher = watcher
        self.on_change = on_change

    def cancel(self) -> None:
        self.watcher._cancel(self)


class AddressWatcher:
    """One watch for any number of subscribers; nothing is open while there are none."""

    def __init__(
        self,
        reactor: Reactor,
        addresses: Callable[[], Sequence[LocalAddressLike]],
        *,
        netlink: bool = True,
        before: Callable[[], None] = lambda: None,
        trace: Trace = NO_TRACE,
    ) -> None:
        self._reactor = reactor
        self._addresses = addresses
        self._netlink = netlink and kernel.IS_LINUX
        self._before = before
        """Called on a change before the subscribers are."""
        self._trace = trace
        self._subscriptions: list[_Subscription] = []
        self._known: Sequence[LocalAddressLike] = ()
        self._socket: socket.socket | None = None
        self._timer: Cancellable | None = None

    @property
    def active(self) -> bool:
        return bool(self._subscriptions)

    def subscribe(self, on_change: Callable[[], None]) -> Cancellable:
        """Calls `on_change` after each change, until cancelled."""
        if not self._subscriptions:
            self._known = list(self._addresses())
            self._socket = _open_netlink() if self._netlink else None
            if self._socket is not None:
                self._reactor.watch_readable(self._socket.fileno(), self._on_readable)
            else:
                self._arm(POLL_INTERVAL)
        subscription = _Subscription(self, on_change)
        self._subscriptions.append(subscription)
        return subscription

    def _cancel(self, subscription: _Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._reactor.unwatch_readable(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _arm(self, delay: float) -> None:
        if self._timer is None:
            self._timer = self._reactor.call_at(self._reactor.time() + delay, self._look)

    def _on_readable(self) -> None:
        """Empties the socket: what the messages say is read from the list instead, which is right in any order."""
        for _ in range(_READS_A_TURN):
            if self._socket is None:
                return
            try:
                self._socket.recv(65_536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # that many changes at once: some were not told
                    self._reactor.unwatch_readable(self._socket.fileno())
                    self._socket.close()
                    self._socket = None
                    self._arm(POLL_INTERVAL)
                    return
        self._arm(SETTLE)

    def _look(self) -> None:
        self._timer = None
        known = list(self._addresses())
        changed = known != self._known
        self._known = known
        if self._socket is None:
            self._arm(POLL_INTERVAL)
        if not changed:
            return
        if self._trace:
            hosts = [host for _, host, _ in known]
            self._trace.event(self._reactor.time(), "addresses_changed", addresses=hosts)
        self._before()
        for subscription in list(self._subscriptions):
            if subscription in self._subscriptions:  # one may cancel another
                subscription.on_change()

    def close(self) -> None:
        """Forgets every subscriber. Idempotent."""
        self._subscriptions.clear()
        self._stop()


def _open_netlink() -> socket.socket | None:
    """None where a sandbox forbids it."""
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        sock.setblocking(False)
        sock.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
    except OSError:
        sock.close()
        return None
    return sock
