"""The TURN client: one allocation on one server over one path.

Commands may come at any time: what needs the allocation waits for it, what needs a permission waits for that. Datagrams
go out as Send indications until a channel is bound, as ChannelData from there on.

`wrap_many` and `unwrap_many` are the hot path: whoever drives many packets uses them beside the machine, with the
machine for control only. `channel_of` is the prefix of a path.

Spec: RFC 8656 sections 7 (allocations, 7.1, 7.3, 7.4), 8 (refresh), 9 and 10 (permissions), 11 (Send and Data), 12
(channels); RFC 8489 sections 9.2 (long-term credentials) and 10 (alternate server). Left out: EVEN-PORT and
RESERVATION-TOKEN (RTCP has no port of its own any more), ICMP indications, RFC 6062 (TCP allocations), RFC 7635
(OAuth), RFC 8016 (mobility).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..base import NEVER, Address, Datagram, Instant, PathId, Transmit, canonical_ip
from ..errors import (
    BufferFull,
    InvalidArgumentError,
    InvalidStateError,
    TimedOut,
)
from ..stun import (
    is_stun,
)
from .channel_data import unwrap
from .client_answers import ClientAnswers
from .client_core import Timer, lifetime_attribute
from .events import (
    ChannelFailed,
    ClientState,
    CloseReason,
    PermissionFailed,
    TurnEvent,
)
from .hints import NO_ANSWER
from .requests import Kind, Request


class TurnClient(ClientAnswers):
    """One allocation. In `Datagram`, out `Transmit`, events `TurnEvent`; a driver unframes streams with a `Framer`."""

    __slots__ = ()

    # --- commands ----------------------------------------------------------------------------------------------------

    @property
    def path(self) -> PathId:
        """The path to the server that is in use."""
        return self._path

    def allocate(self, now: Instant, *, path: PathId | None = None) -> None:
        """Asks for a relayed address. After `AlternateServer` with the `path` to the new server.

        Errors: `InvalidStateError` unless the client is new or redirected.
        """
        if self.state not in (ClientState.NEW, ClientState.REDIRECTED):
            raise InvalidStateError(f"allocate is for a new or redirected client, this one is {self.state.value}")
        if self.state is ClientState.REDIRECTED and path is None:
            raise InvalidArgumentError("the server named another one: allocate(now, path=...) needs the path to it")
        now = self._advance(now)
        if path is not None:
            self._path = path
        self._set_state(ClientState.ALLOCATING, now)
        self._ask_allocation(first=False)
        self._rearm(now)

    def permit(self, peers: Iterable[Address | str], now: Instant) -> None:
        """Lets these hosts reach us, and keeps it so; ports do not matter.

        Errors: `InvalidStateError` when closed; `BufferFull` above `max_permissions`.
        """
        self._need_open("permit")
        hosts = [canonical_ip(one if isinstance(one, str) else one.host) for one in peers]
        for host in hosts:
            self._check_family(host)
        new = {host for host in hosts if host not in self._peers.permissions}
        if len(self._peers.permissions) + len(new) > self._config.max_permissions:
            raise BufferFull(f"at most {self._config.max_permissions} permissions; forget() hosts that are not needed")
        now = self._advance(now)
        for host in hosts:
            self._peers.permit(host)
        self._rearm(now)

    def bind(self, peer: Address, now: Instant) -> None:
        """Permits the peer's host, and asks for a channel to the peer.

        Errors: `InvalidStateError` when closed; `BufferFull` above `max_channels` or `max_permissions`.
        """
        self._need_open("bind")
        peer = Address(canonical_ip(peer.host), peer.port)
        self._check_family(peer.host)
        known = self._peers.channels.get(peer)
        if known is None and len(self._peers.channels) >= self._config.max_channels:
            raise BufferFull(f"at most {self._config.max_channels} channels; forget() peers that are not needed")
        self.permit((peer,), now)
        now = self._now
        if known is None:
            number = self._peers.free_number(now)
            if number is None:
                raise BufferFull("all channel numbers are in use or at rest; datagrams go on as indications")
            self._peers.bind(peer, number)
        else:
            known.wanted = True
        self._rearm(now)

    def forget(self, peer: Address, now: Instant) -> None:
        """Renews nothing about this peer any more: what there is runs out by itself."""
        now = self._advance(now)
        peer = Address(canonical_ip(peer.host), peer.port)
        self._peers.forget(peer)
        self._rearm(now)

    def send_many(self, peer: Address, datagrams: Sequence[bytes], now: Instant) -> None:
        """Queues datagrams for a peer that was permitted or bound. While the permission is on its way they are held.

        Errors: `InvalidStateError` when closed, `InvalidArgumentError` for a peer that was not permitted or a datagram
        that is too large.
        """
        self._need_open("send_many")
        permission = self._peers.permissions.get(peer.host)
        if permission is None:
            raise InvalidArgumentError(f"{peer} was not permitted; call permit() or bind() first")
        if any(len(data) > 65000 for data in datagrams):
            raise InvalidArgumentError("a relayed datagram has at most 65000 bytes")
        now = self._advance(now)
        if permission.installed:
            self._queue(peer, datagrams)
            return
        room = self._config.max_held - len(permission.held)
        if len(datagrams) > room:
            self.drops.add("held too long", len(datagrams) - room)
        permission.held.extend((peer, data) for data in datagrams)

    def close(self, now: Instant) -> None:
        """Gives the allocation back and ends; `Closed` follows when the server has answered or would not."""
        if self.state in (ClientState.CLOSED, ClientState.CLOSING):
            return
        now = self._advance(now)
        pending = self.state is ClientState.ALLOCATING and self._challenge is not None
        if self.state is not ClientState.ALLOCATED and not pending:
            self._end(CloseReason.CLOSED, None, now)
            return
        self._set_state(ClientState.CLOSING, now)
        self._requests.clear()
        self._peers.clear()
        self._out.clear()
        self._out_bytes = 0
        self._deadlines.clear_all()
        self._requests.add(Request(Kind.RELEASE, (lifetime_attribute(0),), self._schedule))
        self._deadlines.set(Timer.CLOSE, now + self._config.close_timeout)
        self._rearm(now)

    def abort(self, now: Instant) -> None:
        """Ends at once; the allocation runs out by itself."""
        if self.state is not ClientState.CLOSED:
            self._end(CloseReason.CLOSED, None, self._advance(now))

    # --- the hot path ------------------------------------------------------------------------------------------------

    def unwrap_many(self, burst: Sequence[bytes]) -> tuple[list[tuple[Address, bytes]], list[bytes]]:
        """What of a burst from the server is ChannelData, as (peer, datagram); and the rest, which is for `receive`.

        Cost: one copy and no Python call a datagram.
        """
        by_number = self._peers.by_number
        relayed: list[tuple[Address, bytes]] = []
        rest: list[bytes] = []
        for data in burst:
            if (
                len(data) >= 4
                and (peer := by_number.get(data[0] << 8 | data[1])) is not None
                and (length := data[2] << 8 | data[3]) <= len(data) - 4
            ):
                relayed.append((peer, data[4 : 4 + length]))
            else:
                rest.append(data)
        return relayed, rest

    # --- the machine -------------------------------------------------------------------------------------------------

    def receive(self, data: Datagram, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        now = self._advance(now)
        if self.state is ClientState.CLOSED:
            return
        by_number = self._peers.by_number
        control = False
        for path, data, _ in burst:
            if path != self._path:
                self.drops.add("other path")
            elif len(data) >= 4 and (peer := by_number.get(data[0] << 8 | data[1])) is not None:
                length = data[2] << 8 | data[3]
                if length <= len(data) - 4:
                    self._relayed(peer, data[4 : 4 + length])
                else:
                    self.drops.add("channel data cut off")
            elif is_stun(data):
                control = True
                self._receive_stun(data, now)
                if self._ended():
                    return
            else:
                self.drops.add("unknown channel" if unwrap(data) is not None else "not turn")
        if control:
            self._rearm(now)

    def poll_events(self) -> list[TurnEvent]:
        self._received_bytes = 0
        return super().poll_events()

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if self.state is ClientState.CLOSED:
            return
        due = self._deadlines.pop_due(now)
        for request in self._requests.take_expired(now):
            if not self._unanswered(request, now):
                return
        if Timer.CLOSE in due:
            self._end(CloseReason.CLOSED, None, now)
            return
        if Timer.ALLOCATION_EXPIRY in due:
            self._end(CloseReason.EXPIRED, TimedOut("the allocation ran out; its refreshes went unanswered"), now)
            return
        if Timer.ALLOCATION_REFRESH in due and self.state is ClientState.ALLOCATED:
            self._requests.add(Request(Kind.REFRESH, self._lifetime_wish(), self._schedule))
        permissions, channels = self._peers.expired(now)
        for channel in channels:
            self._peers.drop_channel(channel)
            if channel.wanted:
                self._emit(ChannelFailed(channel.peer, NO_ANSWER, "the binding ran out; its refreshes went unanswered"))
        for permission in permissions:
            self._peers.drop_permission(permission.host)
            if permission.wanted:
                text = "the permission ran out; its refreshes went unanswered"
                self._emit(PermissionFailed(permission.host, NO_ANSWER, text))
        self._rearm(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        now = self._advance(now)
        if self.state is ClientState.CLOSED or limit < 1:
            return []
        out: list[Transmit] = []
        if self._deadlines.next() <= now:  # else there is nothing but data, and no table to go through
            self._ask_about_peers(now)
            self._transmit_requests(now, limit, out)
            self._rearm(now)
        queue = self._out
        while queue and len(out) < limit:
            transmit = queue.popleft()
            self._out_bytes -= len(transmit.data)
            out.append(transmit)
        return out

    def _transmit_requests(self, now: Instant, limit: int, out: list[Transmit]) -> None:
        for request, data in self._requests.transmit(now, limit, self._challenge):
            self.counters.requests += 1
            sends = request.transaction.sends if request.transaction is not None else 1
            self.counters.retransmissions += sends > 1
            if self._trace:
                signed = request.challenge is not None
                self._trace.event(now, "request_sent", kind=request.kind.value, sends=sends, signed=signed)
            out.append(Transmit(self._path, data))

    def next_timeout(self) -> Instant:
        if self.state is ClientState.CLOSED:
            return NEVER
        if self._out:
            return self._now
        return max(self._deadlines.next(), self._now)
