"""One relay: a TURN client on one path to its server, and the virtual sockets of its relayed addresses.

Out: a datagram for a path of its sockets becomes ChannelData, or a Send indication before there is a channel, on the
path to the server; the first one for a host asks for the permission and waits for it inside the client. In: the way
back. Neither costs a Python call a datagram once a channel is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ...base import Address, Datagram, Drops, Instant, PathId, PathTable, SocketId, Transmit
from ...errors import UsageError
from ...turn import ClientState, DataRelayed, Framer, TurnClient, TurnEvent

# Tuples made without a Python-level call each: these are plain NamedTuples.
_datagram: Final[Callable[[tuple[PathId, bytes, int]], Datagram]] = partial(tuple.__new__, Datagram)
_transmit: Final[Callable[[tuple[PathId, bytes, int]], Transmit]] = partial(tuple.__new__, Transmit)

_BINDING_RESPONSES: Final = (b"\x01\x01", b"\x01\x11")
"""The types of a Binding success and error response, which a TURN client never asks for."""


class Relay:
    """See the module's docstring. `server` is its place in the configuration, `base` the driver's socket it sends
    from, or None on a stream, whose number is `stream` then."""

    __slots__ = (
        "_drops",
        "_paths",
        "base",
        "client",
        "failure",
        "framer",
        "news",
        "path",
        "remotes",
        "server",
        "sockets",
        "stream",
    )

    def __init__(
        self,
        client: TurnClient,
        path: PathId,
        *,
        server: int,
        base: SocketId | None,
        stream: int | None,
        paths: PathTable,
        drops: Drops,
    ) -> None:
        self._paths = paths
        self._drops = drops
        self.client = client
        self.server = server
        self.base = base
        self.stream = stream
        self.path = path
        self.framer = Framer() if stream is not None else None
        self.sockets: dict[int, SocketId] = {}
        """By family, 4 and 6."""
        self.remotes: dict[PathId, Address] = {}
        """Paths that something was sent on."""
        self.news: list[TurnEvent] = []
        """What the client reported beside datagrams."""
        self.failure: tuple[int, str, str] | None = None
        paths.pin(path)

    @property
    def usable(self) -> bool:
        return self.client.state is ClientState.ALLOCATED

    @property
    def settled(self) -> bool:
        return self.client.state not in (ClientState.NEW, ClientState.ALLOCATING, ClientState.REDIRECTED)

    @property
    def closed(self) -> bool:
        return self.client.state is ClientState.CLOSED

    def move(self, path: PathId) -> None:
        """Another server takes over."""
        self._paths.unpin(self.path)
        self.path = path
        self._paths.pin(path)
        if self.framer is not None:
            self.framer = Framer()

    def end(self) -> None:
        self._paths.unpin(self.path)
        self.remotes.clear()

    # --- in ---------------------------------------------------------------------------------------------------------

    def take(self, chunks: list[bytes], out: list[Datagram], now: Instant) -> None:
        """What came from the server: relayed datagrams go to `out`, the rest is the client's."""
        client, framer = self.client, self.framer
        if framer is not None:
            chunks = [frame for chunk in chunks for frame in framer.receive(chunk)]
        relayed, rest = client.unwrap_many(chunks)
        last: Address | None = None
        path: PathId | None = None
        for peer, data in relayed:
            if peer is not last:
                last, path = peer, self._path_from(peer)
            if path is not None:
                out.append(_datagram((path, data, 0)))
        server = self.path
        if framer is None:
            # The server answers STUN on the same port: those answers are for who asked, the gathering of ICE.
            out += [_datagram((server, data, 0)) for data in rest if data[:2] in _BINDING_RESPONSES]
            rest = [data for data in rest if data[:2] not in _BINDING_RESPONSES]
        if not rest:
            return
        client.receive_many([_datagram((server, data, 0)) for data in rest], now)
        for event in client.poll_events():
            if type(event) is not DataRelayed:
                self.news.append(event)
            elif (path := self._path_from(event.peer)) is not None:
                out += [_datagram((path, data, 0)) for data in event.datagrams]

    def _path_from(self, peer: Address) -> PathId | None:
        socket = self.sockets.get(6 if ":" in peer.host else 4)
        return None if socket is None else self._paths.intern(socket, peer)

    # --- out --------------------------------------------------------------------------------------------------------

    def send(self, path: PathId, datagrams: Sequence[bytes], out: list[Transmit], now: Instant) -> None:
        """Datagrams for a path of one of our sockets, as what leaves on the path to the server."""
        remote = self.remotes.get(path)
        if remote is None:
            known = self._paths.lookup(path)
            if known is None:
                self._drops.add("path forgotten", len(datagrams))
                return
            remote = self.remotes[path] = known.remote
        client, server = self.client, self.path
        wrapped = client.wrap_many(remote, datagrams)
        if wrapped:
            out += [_transmit((server, data, 0)) for data in wrapped]
            return
        try:
            client.permit((remote,), now)
            client.send_many(remote, datagrams, now)  # waits for the permission
        except UsageError:
            self._drops.add("relay refuses", len(datagrams))  # closed, or more peers than it takes

    def bind(self, path: PathId, now: Instant) -> None:
        """This path carries data now: four bytes of overhead instead of 36."""
        known = self._paths.lookup(path)
        if known is None or not self.usable:
            return
        try:
            self.client.bind(known.remote, now)
        except UsageError:
            self._drops.add("no channel left")  # goes on by indications

    def forget_unused(self, now: Instant) -> None:
        """Lets permissions of hosts run out that no candidate pair names any more."""
        gone = [(path, remote) for path, remote in self.remotes.items() if not self._paths.pins(path)]
        for path, remote in gone:
            del self.remotes[path]
            if remote not in self.remotes.values():
                self.client.forget(remote, now)
