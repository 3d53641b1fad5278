"""What the client makes of answers: believed or not, tried again or not, and what follows.

Spec: RFC 8656 sections 7.3, 7.4, 8.3, 10.3, 11.4, 12.3; RFC 8489 sections 9.2.5 and 10.
"""

from __future__ import annotations

from typing import Final

from ..base import Address, Instant
from ..errors import (
    ParseError,
    StunErrorResponse,
)
from ..stun import (
    AttributeType,
    ErrorCode,
    Message,
    MessageClass,
    Method,
)
from .client_core import ClientCore, Timer, lifetime_attribute
from .credentials import answer_challenge
from .events import (
    Allocated,
    AlternateServer,
    ChannelBound,
    ChannelFailed,
    ClientState,
    CloseReason,
    PermissionFailed,
    PermissionInstalled,
)
from .hints import NO_ANSWER, hint_for
from .peers import Channel, Permission
from .requests import Kind, Request

_UNSIGNED_ERRORS: Final = frozenset(
    {ErrorCode.TRY_ALTERNATE, ErrorCode.BAD_REQUEST, ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE}
)
"""Errors that a server may not be able to protect, because it does not know with what (RFC 8489 section 9.2.5)."""


class ClientAnswers(ClientCore):
    """Responses, errors, silence, and Data indications."""

    __slots__ = ()

    def _receive_stun(self, data: bytes, now: Instant) -> None:
        try:
            message = Message.parse(data)
        except ParseError:
            self.drops.add("malformed")
            return
        if message.message_class == MessageClass.INDICATION:
            self._receive_indication(message)
            return
        request = self._requests.find(message.transaction_id)
        if message.message_class == MessageClass.REQUEST or request is None:
            self.drops.add(
                "unexpected request" if message.message_class == MessageClass.REQUEST else "unknown response"
            )
            return
        transaction = request.transaction
        if transaction is None or not self._believe(request, message, now):
            return
        if self._trace:
            error = message.error
            code = None if error is None else error.code
            self._trace.event(now, "response_received", kind=request.kind.value, error=code, rtt=transaction.rtt(now))
        if message.message_class == MessageClass.SUCCESS_RESPONSE:
            self._requests.done(request)
            self._succeeded(request, message, now)
        else:
            self._refused(request, message, now)

    def _believe(self, request: Request, message: Message, now: Instant) -> bool:
        """Whether a response counts. One that does not is as if it never came: the true one may still follow."""
        challenge = request.challenge
        error = message.error
        reason = ""
        if message.method != Method.ALLOCATE if request.kind is Kind.ALLOCATE else message.method == Method.ALLOCATE:
            reason = "response to another method"
        elif message.unknown_required():
            reason = "response with unknown attributes"
        elif message.message_class == MessageClass.ERROR_RESPONSE and error is None:
            reason = "error response without a code"
        elif challenge is not None and message.has_integrity:
            if not message.verify(challenge.key):
                reason = "response with wrong integrity"
        elif challenge is not None:
            # These two have nothing to lose, and a refusal that is not protected is better told than waited out.
            kinds = (Kind.ALLOCATE, Kind.RELEASE)
            unsigned = error is not None and (error.code in _UNSIGNED_ERRORS or request.kind in kinds)
            if not unsigned:
                reason = "response without integrity"
        if reason:
            self.drops.add(reason)
            if self._trace:
                self._trace.event(now, "response_dropped", kind=request.kind.value, reason=reason)
        return not reason

    def _receive_indication(self, message: Message) -> None:
        peer = message.get(AttributeType.XOR_PEER_ADDRESS)
        data = message.get(AttributeType.DATA)
        if message.method != Method.DATA or not isinstance(peer, Address) or not isinstance(data, bytes):
            self.drops.add("unexpected indication")  # ICMP reports (RFC 8656 section 11.6) among them
        elif peer.host not in self._peers.permissions:
            self.drops.add("peer not permitted")
        elif message.unknown_required():
            self.drops.add("indication with unknown attributes")
        else:
            self.counters.indications_in += 1
            self._relayed(peer, data)

    def _succeeded(self, request: Request, message: Message, now: Instant) -> None:
        match request.kind:
            case Kind.ALLOCATE:
                self._allocated(message, now)
            case Kind.REFRESH:
                self._arm_refresh(message, now)
            case Kind.RELEASE:
                self._released(now)
            case Kind.PERMISSION:
                for permission in request.about:
                    assert isinstance(permission, Permission)
                    permission.busy = False
                    self._permitted(permission, now)
            case Kind.CHANNEL:
                (channel,) = request.about
                assert isinstance(channel, Channel)
                channel.busy = False
                if self._peers.channels.get(channel.peer) is not channel:
                    return
                news = self._peers.confirm(channel, now)
                permission = self._peers.permit(channel.peer.host) if channel.wanted else None
                if news:
                    if self._trace:
                        self._trace.event(now, "channel_bound", peer=str(channel.peer), channel=channel.number)
                    self._emit(ChannelBound(channel.peer, channel.number))
                if permission is not None:
                    self._permitted(permission, now)

    def _permitted(self, permission: Permission, now: Instant) -> None:
        if self._peers.permissions.get(permission.host) is not permission:
            return
        if self._peers.install(permission, now):
            if self._trace:
                self._trace.event(now, "permission_installed", host=permission.host)
            self._emit(PermissionInstalled(permission.host))
            held = list(permission.held)
            permission.held.clear()
            for peer, data in held:
                self._queue(peer, (data,))

    def _allocated(self, message: Message, now: Instant) -> None:
        found = [one.value for one in message.attributes if one.type == AttributeType.XOR_RELAYED_ADDRESS]
        relayed = [one for one in found if isinstance(one, Address)]
        wanted = self._config.families
        relayed = [one for one in relayed if (6 if one.is_ipv6 else 4) in wanted]
        mapped = message.mapped_address
        if not relayed or mapped is None:
            self._fail(500, "the answer has no relayed address of the family asked for, or no mapped one", now)
            return
        self.relayed, self.mapped = relayed[0], mapped
        self.additional = relayed[1] if len(relayed) > 1 and len(wanted) > 1 else None
        self._set_state(ClientState.ALLOCATED, now)
        lifetime = self._arm_refresh(message, now)
        self._emit(Allocated(self.relayed, mapped, lifetime, self.additional))

    def _arm_refresh(self, message: Message, now: Instant) -> float:
        value = message.get(AttributeType.LIFETIME)
        lifetime = float(value) if isinstance(value, int) and value > 0 else 600.0
        margin = min(self._config.refresh_margin, lifetime / 2)
        self._deadlines.set(Timer.ALLOCATION_REFRESH, now + lifetime - margin)
        self._deadlines.set(Timer.ALLOCATION_EXPIRY, now + lifetime)
        return lifetime

    def _refused(self, request: Request, message: Message, now: Instant) -> None:
        assert message.error is not None
        code, reason = message.error
        reason = "".join(one for one in reason if one.isprintable())  # coturn ends its phrases with a zero byte
        if code in (ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE):
            again, why = self._challenged(request, message, code)
            if again:
                self.counters.challenges += 1
                self._requests.add(request, first=True)
                return
            reason = why or reason
        self._requests.done(request)
        if request.kind is Kind.RELEASE:
            self._released(now)
        elif request.kind is Kind.ALLOCATE:
            self._allocation_refused(message, code, reason, now)
        elif request.kind is Kind.REFRESH and code >= 500:
            self._deadlines.set(Timer.ALLOCATION_REFRESH, now + self._config.retry_interval)
        elif request.kind is Kind.REFRESH or code == ErrorCode.ALLOCATION_MISMATCH:
            if self._trace:
                self._trace.event(now, "allocation_lost", kind=request.kind.value, code=code, hint=hint_for(code))
            self._end(CloseReason.LOST, StunErrorResponse(code, reason), now)
        elif request.kind is Kind.PERMISSION:
            self._permissions_refused(request, code, reason)
        else:
            self._channel_refused(request, code, reason)

    def _challenged(self, request: Request, message: Message, code: int) -> tuple[bool, str]:
        """Whether the request is worth another try under the challenge that came; if not, why."""
        if self._config.username is None:
            return False, "the server wants credentials and none are configured"
        signed = request.challenge
        if code == ErrorCode.UNAUTHENTICATED and signed is not None and message.realm in (None, signed.realm):
            return False, ""  # the same realm has seen our key and did not like it
        if request.retries >= self._config.max_retries:
            return False, "the server keeps asking for other credentials"
        challenge, why = answer_challenge(self._config, message, signed)
        if challenge is None:
            return False, why
        request.retries += 1
        self._challenge = challenge
        return True, ""

    def _allocation_refused(self, message: Message, code: int, reason: str, now: Instant) -> None:
        if code == ErrorCode.TRY_ALTERNATE:
            self._redirected(message, reason, now)
            return
        if code == ErrorCode.UNKNOWN_ATTRIBUTE:
            listed = message.get(AttributeType.UNKNOWN_ATTRIBUTES)
            unknown = {one for one in listed if isinstance(one, int)} if isinstance(listed, tuple) else set()
            if unknown & self._optional:
                self._optional -= unknown
                self._ask_allocation(first=True)
                return
        if code == ErrorCode.ALLOCATION_MISMATCH and not self._released_once and self._challenge is not None:
            # Our address and port had an allocation before us, perhaps our own, from before a crash. It serves nobody
            # any more, so it is given back, once. (coturn says 437 to this port even so: then another one must do.)
            self._released_once = True
            self._requests.add(Request(Kind.RELEASE, (lifetime_attribute(0),), self._schedule))
            return
        self._fail(code, reason, now)

    def _redirected(self, message: Message, reason: str, now: Instant) -> None:
        address = message.get(AttributeType.ALTERNATE_SERVER)
        domain = message.get(AttributeType.ALTERNATE_DOMAIN)
        if not isinstance(address, Address) or not address.port:
            self._fail(300, "the server sends us elsewhere and does not say where", now)
        elif address in self._visited:
            self._fail(300, f"the server sends us back to {address}, where we have been", now)
        elif len(self._visited) > self._config.max_redirects:
            self._fail(300, f"sent on more than {self._config.max_redirects} times", now)
        elif address.is_ipv6 != self._server.is_ipv6:
            self._fail(300, f"sent on to {address}, of the other address family", now)
        else:
            self._visited.add(address)
            self._server = address
            self._challenge = None
            self._set_state(ClientState.REDIRECTED, now)
            self._emit(AlternateServer(address, domain if isinstance(domain, str) else None))

    def _released(self, now: Instant) -> None:
        if self.state is ClientState.CLOSING:
            self._end(CloseReason.CLOSED, None, now)
        elif self.state is ClientState.ALLOCATING:
            self._ask_allocation(first=True)

    def _permissions_refused(self, request: Request, code: int, reason: str) -> None:
        permissions = [one for one in request.about if isinstance(one, Permission)]
        if len(permissions) > 1:
            for one in permissions:  # the server answers for all of them: who is it that it does not like?
                self._ask_permissions((one,))
            return
        for permission in permissions:
            permission.busy = False
            if self._peers.permissions.get(permission.host) is permission:
                self._give_up(permission)
                self._emit(PermissionFailed(permission.host, code, reason))

    def _give_up(self, permission: Permission) -> None:
        if permission.held:
            self.drops.add("permission refused", len(permission.held))
        self._peers.drop_permission(permission.host)

    def _channel_refused(self, request: Request, code: int, reason: str) -> None:
        (channel,) = request.about
        assert isinstance(channel, Channel)
        channel.busy = False
        if self._peers.channels.get(channel.peer) is channel:
            self._peers.drop_channel(channel)
            self._emit(ChannelFailed(channel.peer, code, reason))

    def _unanswered(self, request: Request, now: Instant) -> bool:
        """Nobody answered. What was there before is asked about again until it is over; what was new has failed.

        Returns: False if that was the end.
        """
        text = "the server did not answer in time"
        if self._trace:
            self._trace.event(now, "request_timed_out", kind=request.kind.value)
        if request.kind is Kind.ALLOCATE or (request.kind is Kind.RELEASE and self.state is ClientState.ALLOCATING):
            self._fail(NO_ANSWER, text, now)
        elif request.kind is Kind.REFRESH:
            self._deadlines.set(Timer.ALLOCATION_REFRESH, now + self._config.retry_interval)
        elif request.kind is Kind.RELEASE:
            self._end(CloseReason.CLOSED, None, now)
        elif request.kind is Kind.PERMISSION:
            for permission in request.about:
                assert isinstance(permission, Permission)
                permission.busy = False
                permission.refresh = now + self._config.retry_interval
                if not permission.installed and self._peers.permissions.get(permission.host) is permission:
                    self._give_up(permission)
                    self._emit(PermissionFailed(permission.host, NO_ANSWER, text))
        else:
            (channel,) = request.about
            assert isinstance(channel, Channel)
            channel.refresh = now + self._config.retry_interval
            if channel.bound:
                channel.busy = False
            else:
                self._channel_refused(request, NO_ANSWER, text)
        return self.state is not ClientState.CLOSED
