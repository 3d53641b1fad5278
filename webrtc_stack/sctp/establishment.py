"""The four-way handshake, both sides at once, restarts.

Nothing is kept for an INIT: all of it goes into the signed cookie. In WebRTC both sides send INIT at once, which is
the collision case of section 5.2.1; whichever cookie comes back first makes the association, and both are right.

Spec: RFC 9260 sections 5.1, 5.2, 8.5.1; RFC 5061 section 4.2.7 (supported extensions); RFC 3758 section 3.3.1.
Left out: address parameters (RFC 8261: there are none; a host name is refused as RFC 9260 wants), cookie preservative
(a stale cookie begins a new handshake instead), SCTP authentication, address changes.
"""

from __future__ import annotations

import struct
from typing import Final

from ..base import Instant, random_u32
from ..errors import ConnectionLost, SctpAbortError, TimedOut
from .chunks import (
    FLAG_TAG_REFLECTED,
    AbortChunk,
    CookieAckChunk,
    CookieEchoChunk,
    ErrorChunk,
    InitAckChunk,
    InitChunk,
    Parameter,
    ShutdownAckChunk,
    unrecognized,
)
from .cookie import Cookie
from .core import CONNECTED, State, Timer
from .events import AssociationEstablished, AssociationRestarted
from .registry import (
    KNOWN_PARAMETERS,
    CauseCode,
    ChunkType,
    ParameterType,
    unknown_parameter_reports,
    unknown_parameter_skips,
)
from .transmission import Transmission

_MIN_WINDOW: Final = 1500
"""RFC 9260 section 3.3.2: nobody advertises less in INIT."""
_EXTENSIONS: Final = (
    Parameter(ParameterType.FORWARD_TSN_SUPPORTED, b""),
    Parameter(ParameterType.SUPPORTED_EXTENSIONS, bytes((ChunkType.RE_CONFIG, ChunkType.FORWARD_TSN))),
)
_FORWARD_TSN_BIT: Final = 1
_RE_CONFIG_BIT: Final = 2
_MAX_STALE_COOKIES: Final = 3


class Establishment(Transmission):
    """From nothing to ESTABLISHED, and again."""

    def _begin(self, now: Instant) -> None:
        self._enter(State.COOKIE_WAIT, now)
        self._attempts = 0
        self._set_tags(self._local_tag, 0)
        self._init_chunk = InitChunk(
            initiate_tag=self._local_tag,
            advertised_receiver_window=self._local_window(),
            outbound_streams=self.config.outbound_streams,
            inbound_streams=self.config.inbound_streams,
            initial_tsn=self._local_tsn,
            parameters=_EXTENSIONS,
        ).serialize()
        self._init_due = self._dirty = True

    # --- INIT -----------------------------------------------------------------------------------------------------

    def _on_init(self, init: InitChunk, now: Instant) -> None:
        """Answers with INIT ACK and a cookie; the state stays. Spec: RFC 9260 sections 5.1, 5.2.1, 5.2.2."""
        state = self.state
        if state is State.SHUTDOWN_ACK_SENT:
            self._shutdown_ack_due = self._dirty = True
            return
        if not init.initiate_tag:
            self._drop("init_without_tag", now)
            return
        if not init.outbound_streams or not init.inbound_streams or init.advertised_receiver_window < _MIN_WINDOW:
            self._drop("init_with_bad_values", now)
            self._reply_abort(init.initiate_tag, Parameter(CauseCode.INVALID_MANDATORY_PARAMETER, b""))
            return
        host = init.parameter(ParameterType.HOST_NAME_ADDRESS)
        if host is not None:
            self._drop("init_with_host_name", now)
            named = Parameter(ParameterType.HOST_NAME_ADDRESS, host).serialize()
            self._reply_abort(init.initiate_tag, Parameter(CauseCode.UNRESOLVABLE_ADDRESS, named))
            return
        local_tag, local_tsn = self._local_tag, self._local_tsn
        local_tie = peer_tie = 0
        if state in CONNECTED:
            # A peer that may have restarted: another tag of ours, and the present ones as tie-tags.
            local_tag, local_tsn = self._new_tag(), random_u32(self._entropy)
            local_tie, peer_tie = self._local_tag, self._peer_tag
        elif state is State.COOKIE_ECHOED:
            local_tie, peer_tie = self._local_tag, self._peer_tag
        cookie = self._jar.seal(
            Cookie(
                created=now,
                local_tag=local_tag,
                peer_tag=init.initiate_tag,
                local_tsn=local_tsn,
                peer_tsn=init.initial_tsn,
                peer_window=init.advertised_receiver_window,
                outbound_streams=min(self.config.outbound_streams, init.inbound_streams),
                inbound_streams=min(self.config.inbound_streams, init.outbound_streams),
                local_tie_tag=local_tie,
                peer_tie_tag=peer_tie,
                extensions=_extensions(init),
            )
        )
        answer = InitAckChunk(
            initiate_tag=local_tag,
            advertised_receiver_window=self._local_window(),
            outbound_streams=self.config.outbound_streams,
            inbound_streams=self.config.inbound_streams,
            initial_tsn=local_tsn,
            parameters=(
                Parameter(ParameterType.STATE_COOKIE, cookie),
                *_EXTENSIONS,
                *[unrecognized(parameter) for parameter in _unknown_to_report(init)],
            ),
        ).serialize()
        if len(answer) + 12 > self.config.mtu:
            self._drop("init_with_too_much_to_report", now)
            return
        self._reply(answer, init.initiate_tag)

    # --- INIT ACK -------------------------------------------------------------------------------------------------

    def _on_init_ack(self, ack: InitAckChunk, now: Instant) -> None:
        """Goes on with COOKIE ECHO. Spec: RFC 9260 sections 5.1 C, 5.2.3."""
        if self.state is not State.COOKIE_WAIT:
            self._drop("unexpected_init_ack", now)
            return
        if not ack.initiate_tag:
            # The peer's tag is not known, so the ABORT carries ours, reflected.
            reason = "the peer's INIT ACK has no tag"
            cause = Parameter(CauseCode.INVALID_MANDATORY_PARAMETER, b"")
            abort = AbortChunk(parameters=(cause,), flags=FLAG_TAG_REFLECTED).serialize()
            error = SctpAbortError(reason, causes=(cause.type,))
            self._end(reason, error, now, abort, last_tag=self._local_tag)
            return
        self._set_tags(self._local_tag, ack.initiate_tag)
        fault = self._fault_of(ack)
        if fault is not None:
            reason = f"the peer's INIT ACK cannot be used (cause {fault.type})"
            abort = AbortChunk(parameters=(fault,)).serialize()
            self._end(reason, SctpAbortError(reason, causes=(fault.type,)), now, abort)
            return
        cookie = ack.parameter(ParameterType.STATE_COOKIE)
        assert cookie is not None
        self._take_peer(
            local_tsn=self._local_tsn,
            peer_tsn=ack.initial_tsn,
            window=ack.advertised_receiver_window,
            outbound=min(self.config.outbound_streams, ack.inbound_streams),
            inbound=min(self.config.inbound_streams, ack.outbound_streams),
            extensions=_extensions(ack),
            keep=True,
        )
        echo = CookieEchoChunk(cookie=cookie).serialize()
        reports = _unknown_to_report(ack)
        if reports:
            report = b"".join([parameter.serialize() for parameter in reports])
            reported = ErrorChunk(parameters=(Parameter(CauseCode.UNRECOGNIZED_PARAMETERS, report),)).serialize()
            if len(echo) + len(reported) + 12 <= self.config.mtu:
                echo += reported
        self._cookie_echo = echo
        self._cookie_due = self._dirty = True
        self._attempts = 0
        self._deadlines.clear(Timer.T1)
        self._enter(State.COOKIE_ECHOED, now)

    @staticmethod
    def _fault_of(ack: InitAckChunk) -> Parameter | None:
        """Why an INIT ACK ends the handshake, as an error cause."""
        host = ack.parameter(ParameterType.HOST_NAME_ADDRESS)
        if host is not None:
            named = Parameter(ParameterType.HOST_NAME_ADDRESS, host).serialize()
            return Parameter(CauseCode.UNRESOLVABLE_ADDRESS, named)
        if not ack.outbound_streams or not ack.inbound_streams or ack.advertised_receiver_window < _MIN_WINDOW:
            return Parameter(CauseCode.INVALID_MANDATORY_PARAMETER, b"")
        if ack.parameter(ParameterType.STATE_COOKIE) is None:
            missing = struct.pack(">IH", 1, ParameterType.STATE_COOKIE)
            return Parameter(CauseCode.MISSING_MANDATORY_PARAMETER, missing)
        return None

    def _take_peer(
        self, *, local_tsn: int, peer_tsn: int, window: int, outbound: int, inbound: int, extensions: int, keep: bool
    ) -> None:
        """What the peer said about itself; data begins anew.

        `keep`: except what left together with a COOKIE ECHO that then turned out to be for nothing: it is sent again.
        """
        sent = self._out
        self._reset_transfer(local_tsn, peer_tsn)
        if keep and sent.chunks:
            self._out = sent
            sent.lose_all(self._now)
        self._peer_window = window
        self._congestion.limit_slow_start(window)
        self.outbound_streams = outbound
        self.inbound_streams = inbound
        self._out.partial_reliability = bool(extensions & _FORWARD_TSN_BIT)
        self._peer_resets_streams = bool(extensions & _RE_CONFIG_BIT)

    # --- COOKIE ECHO ----------------------------------------------------------------------------------------------

    def _on_cookie_echo(self, data: bytes, tag: int, now: Instant) -> bool:
        """Makes or confirms the association. Returns: whether the rest of the packet belongs to it.

        Spec: RFC 9260 sections 5.1.5, 5.2.4 (table 12: actions A to D), 5.2.6, 8.5.1.
        """
        cookie = self._jar.open(data)
        if cookie is None or cookie.local_tag != tag:
            self._drop("cookie_forged", now)
            return False
        state = self.state
        local = cookie.local_tag == self._local_tag
        peer = cookie.peer_tag == self._peer_tag
        known = state is not State.CLOSED
        age = now - cookie.created
        if age > self.config.cookie_lifetime and not (known and local and peer):
            staleness = struct.pack(">I", min(int((age - self.config.cookie_lifetime) * 1e6), 0xFFFFFFFF))
            self._drop("cookie_stale", now)
            self._reply(
                ErrorChunk(parameters=(Parameter(CauseCode.STALE_COOKIE, staleness),)).serialize(), cookie.peer_tag
            )
            return False
        if not known:
            self._establish_from(cookie, now)
        elif local and peer:  # D
            if state is State.COOKIE_WAIT:  # cannot be: the tag of the peer is not known yet
                return False
            if state is State.COOKIE_ECHOED:
                self._established(now)
        elif (
            local
        ):  # B: both sides at once, our INIT ACK's cookie came back before the peer's INIT ACK, or it began anew
            if state not in (State.COOKIE_WAIT, State.COOKIE_ECHOED) and self._has_transferred():
                self._drop("cookie_collision_late", now)
                return False
            self._establish_from(cookie, now)
        elif (
            not peer
            and cookie.local_tie_tag == self._local_tag
            and cookie.peer_tie_tag == self._peer_tag
            and state in CONNECTED
        ):  # A
            return self._restart(cookie, now)
        else:  # C, and whatever fits no row
            self._drop("cookie_late", now)
            return False
        self._reply(CookieAckChunk().serialize())
        return True

    def _has_transferred(self) -> bool:
        """Whether data has moved under the present tags."""
        return bool(self.counters.data_chunks_received or self._out.next_tsn != self._local_tsn)

    def _establish_from(self, cookie: Cookie, now: Instant) -> None:
        was_connected = self.state in CONNECTED
        keep = cookie.local_tag == self._local_tag
        self._local_tag = cookie.local_tag
        self._local_tsn = cookie.local_tsn
        self._set_tags(cookie.local_tag, cookie.peer_tag)
        self._take_peer(
            local_tsn=cookie.local_tsn,
            peer_tsn=cookie.peer_tsn,
            window=cookie.peer_window,
            outbound=cookie.outbound_streams,
            inbound=cookie.inbound_streams,
            extensions=cookie.extensions,
            keep=keep,
        )
        if not was_connected:
            self._established(now)

    def _restart(self, cookie: Cookie, now: Instant) -> bool:
        """The peer lost its state. Spec: RFC 9260 section 5.2.4.1."""
        if self.state is State.SHUTDOWN_ACK_SENT:
            cause = Parameter(CauseCode.COOKIE_RECEIVED_WHILE_SHUTTING_DOWN, b"")
            body = ShutdownAckChunk().serialize() + ErrorChunk(parameters=(cause,)).serialize()
            self._reply(body, cookie.peer_tag)
            return False
        if self._trace:
            self._trace.event(now, "association_restarted")
        self._queue.clear()
        for timer in (Timer.T2, Timer.T3, Timer.SACK, Timer.RECONFIG, Timer.EXPIRY):
            self._deadlines.clear(timer)
        self._shutdown_due = self._shutdown_ack_due = False
        self._errors = 0
        self._heartbeat.pending = False
        self._enter(State.ESTABLISHED, now)
        self._establish_from(cookie, now)
        self._emit(AssociationRestarted())
        self._reply(CookieAckChunk().serialize())
        if self._closing_reason:
            # `shutdown` or `close` was called before: what it waited for is gone with the old association.
            self._enter(State.SHUTDOWN_PENDING, now)
            self._check_drained(now)
        return True

    def _on_cookie_ack(self, now: Instant) -> None:
        if self.state is State.COOKIE_ECHOED:
            self._established(now)

    def _established(self, now: Instant) -> None:
        """Both sides have the association."""
        self._enter(State.ESTABLISHED, now)
        self._init_due = False
        self._cookie_echo = None
        self._cookie_due = False
        self._attempts = self._errors = 0
        self._deadlines.clear(Timer.T1)
        self._emit(AssociationEstablished(self.outbound_streams, self.inbound_streams))
        if self.config.heartbeat_interval:
            self._deadlines.set(Timer.HEARTBEAT, now + self.config.heartbeat_interval + self._rto.rto)
        self._dirty = True
        if not self._peer_resets_streams:
            self._fail_resets("the peer does not reset streams")
        self._drop_beyond_streams(now)
        if self._closing_reason:
            self._enter(State.SHUTDOWN_PENDING, now)
            self._check_drained(now)

    def _drop_beyond_streams(self, now: Instant) -> None:
        """What was queued on streams that the peer does not have is given up."""
        queue, limit = self._queue, self.outbound_streams
        for stream in [stream for stream in queue.streams.values() if stream.id >= limit]:
            for message in (*stream.queue, *stream.after_reset):
                queue.took(stream, message.size)
                self._report_abandoned(stream.id, message.ppid, now)
            if stream in queue.active:
                queue.active.remove(stream)
            self._tell_buffered()
            queue.wishes.pop(stream.id, None)
            del queue.streams[stream.id]

    # --- time -----------------------------------------------------------------------------------------------------

    def _on_t1(self, now: Instant) -> None:
        """INIT or COOKIE ECHO got no answer. Spec: RFC 9260 section 5.1 (T1-init, T1-cookie)."""
        self._attempts += 1
        if self._attempts > self.config.max_init_retransmits:
            reason = f"no SCTP handshake: the peer did not answer {self._attempts} times"
            self._end(reason, TimedOut(reason), now)
            return
        self._rto.back_off()
        if self.state is State.COOKIE_WAIT:
            self._init_due = True
        else:
            self._cookie_due = True
            self._out.lose_all(now)

    def _on_stale_cookie(self, now: Instant) -> None:
        """The peer says that our COOKIE ECHO came too late. Spec: RFC 9260 section 5.2.6."""
        if self.state is not State.COOKIE_ECHOED:
            return
        self._stale_cookies += 1
        if self._stale_cookies > _MAX_STALE_COOKIES:
            reason = "the peer calls every cookie stale"
            self._end(reason, ConnectionLost(reason), now)
            return
        self._deadlines.clear(Timer.T1)
        self._cookie_echo = None
        self._cookie_due = False
        self._out.lose_all(now)
        self._begin(now)


def _extensions(init: InitChunk) -> int:
    """What the peer supports of what we do, as bits."""
    listed = init.parameter(ParameterType.SUPPORTED_EXTENSIONS) or b""
    forward = ChunkType.FORWARD_TSN in listed or init.parameter(ParameterType.FORWARD_TSN_SUPPORTED) is not None
    return (_FORWARD_TSN_BIT if forward else 0) | (_RE_CONFIG_BIT if ChunkType.RE_CONFIG in listed else 0)


def _unknown_to_report(init: InitChunk) -> list[Parameter]:
    """Unknown parameters that want to be reported, up to the one that stops processing (RFC 9260 section 3.2.1)."""
    reports = []
    for parameter in init.parameters:
        if parameter.type in KNOWN_PARAMETERS:
            continue
        if unknown_parameter_reports(parameter.type):
            reports.append(parameter)
        if not unknown_parameter_skips(parameter.type):
            break
    return reports
