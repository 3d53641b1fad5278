"""The DTLS endpoint: a sans-IO machine over datagrams.

Picture of one direction each:

    receive_many -> records -> (open) -> fragments -> Reassembler -> Handshake -> context (keys, flights)
                                     \\-> application data -> DataReceived
    poll_transmits <- Outbox (flights, cut and packed) <- context
                   <- queue of payloads, sealed in one loop <- send

Invariants: records of epoch 0 are believed only while the handshake needs them; nothing unauthenticated can end, or
be answered by, an established connection. A record that cannot be opened is counted and dropped, never fatal.

Spec: RFC 6347 sections 4.1, 4.2; RFC 5246 section 7.2 (alerts). Left out, on purpose: renegotiation (refused by a
warning), resumption and tickets (never offered), compression, a new association over an old one (section 4.2.8; in
WebRTC that is a new transport with new fingerprints).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from ..base import Deadlines, Drops, Fingerprint, Instant, MachineBase
from ..errors import (
    BufferFull,
    DtlsAlertError,
    InvalidArgumentError,
    InvalidStateError,
    KeyLimitReached,
    MessageTooLarge,
    ParseError,
    TimedOut,
    WebRTCError,
)
from .certificate import fingerprint_of
from .ciphers import SUITES
from .client import ClientHandshake
from .config import MINIMUM_MTU_BYTES, DtlsConfig, DtlsCounters, Role
from .constants import (
    MAX_PLAINTEXT_BYTES,
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ContentType,
    HandshakeType,
    SrtpProfile,
    alert_name,
)
from .events import Closed, DataReceived, DtlsEvent, HandshakeCompleted, data_received
from .failure import HandshakeFailure
from .handshake import Handshake, HandshakeContext
from .inbox import Inbox, Opened, has_room
from .key_schedule12 import export
from .messages import Fragment, HandshakeMessage, parse_fragments
from .outgoing import Outgoing
from .reassembly import Outcome, Reassembler
from .server import ServerHandshake


class State(Enum):
    """Where an endpoint is in its life."""

    NEW = "new"
    HANDSHAKING = "handshaking"
    VERIFYING = "verifying"
    """The handshake is done, and the fingerprints to compare with have not come from signalling yet."""
    CONNECTED = "connected"
    CLOSED = "closed"


class _Timer(Enum):
    RETRANSMIT = auto()
    HANDSHAKE = auto()


class DtlsEndpoint(MachineBase[DtlsEvent]):
    """One side of a DTLS connection. Inputs and outputs are datagrams (`bytes`).

    Fingerprints may come late: the handshake runs without them, but `HandshakeCompleted` is emitted, data handed up
    and `send` allowed only after the peer's certificate has matched one of them.
    """

    __slots__ = (
        "_context",
        "_deadlines",
        "_early_data",
        "_early_datagrams",
        "_flight_base",
        "_handshake",
        "_inbox",
        "_outgoing",
        "_reassembler",
        "_state",
        "_trace",
        "config",
        "counters",
    )

    def __init__(self, config: DtlsConfig) -> None:
        super().__init__()
        self.config = config
        self._trace = config.trace
        self._state = State.NEW
        self._context = HandshakeContext(config)
        self.counters: DtlsCounters = self._context.counters
        self._inbox = Inbox(self._context)
        self._outgoing = Outgoing(self._context)
        self._handshake: Handshake | None = None
        self._reassembler = Reassembler(
            max_message_bytes=config.max_message_bytes, max_bytes=config.max_reassembly_bytes
        )
        self._deadlines: Deadlines[_Timer] = Deadlines()
        self._early_datagrams: list[bytes] = []
        self._early_data: list[bytes] = []
        self._flight_base = 0
        """The peer's `message_seq` at which it begins to answer our present flight."""

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_closed(self) -> bool:
        return self._state is State.CLOSED

    @property
    def role(self) -> Role:
        return self.config.role

    @property
    def version(self) -> str | None:
        """The version chosen, None before it is."""
        return self._context.version or None

    @property
    def cipher_suite(self) -> CipherSuite | None:
        return self._context.suite

    @property
    def srtp_profile(self) -> SrtpProfile | None:
        """The SRTP profile agreed on, None if there is none (yet)."""
        return self._context.srtp_profile

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER as soon as it was shown; believe it only once connected."""
        return self._context.peer_certificate or None

    @property
    def drops(self) -> Drops:
        """What was refused, by reason."""
        return self.counters.drops

    @property
    def record_overhead(self) -> int:
        """Bytes that each `send` grows by on its way (known once keys are; before that the largest of all suites)."""
        sealer = self._context.sealers.get(self._context.write_epoch or -1)
        return sealer.overhead if sealer is not None else 37

    # --- commands ---------------------------------------------------------------------------------------------------

    def connect(self, now: Instant, *, rtt: float | None = None) -> None:
        """Starts: a client says hello, a server listens. Datagrams received earlier are looked at now.

        `rtt` is the round-trip time that ICE has measured, if it has: a flight is first repeated after twice as long.

        Errors: `InvalidStateError` when called twice; `InvalidArgumentError` for an `rtt` that is not positive.
        """
        if self._state is not State.NEW:
            raise InvalidStateError(f"connect() was called already; the endpoint is {self._state.value}")
        if rtt is not None:
            if not rtt > 0:
                raise InvalidArgumentError(f"rtt is in seconds and positive, got {rtt}")
            floor, cap = self.config.minimum_retransmission_timeout, self.config.maximum_retransmission_timeout
            self._context.outbox.set_initial_timeout(min(max(2 * rtt, floor), cap))
        now = self._advance(now)
        self._context.now = now
        self._set_state(State.HANDSHAKING)
        self._deadlines.set(_Timer.HANDSHAKE, now + self.config.handshake_timeout)
        self._handshake = (
            ClientHandshake(self._context) if self.config.role == "client" else ServerHandshake(self._context)
        )
        early, self._early_datagrams = self._early_datagrams, []
        for data in early:
            self._receive_datagram(data)

    def set_remote_fingerprints(self, fingerprints: Sequence[Fingerprint], now: Instant | None = None) -> None:
        """Tells what signalling announced; any match is right. May come before, during or after the handshake.

        Once connected, repeating what matches changes nothing (every offer and answer does so).

        Errors: `InvalidArgumentError` for an empty list; `InvalidStateError` when connected and none matches: another
        certificate means another connection (RFC 8842 section 4), hence another endpoint.
        """
        if not fingerprints:
            raise InvalidArgumentError("no fingerprint given; signalling must announce at least one")
        if self._state is State.CLOSED:
            return
        context = self._context
        if self._state is State.CONNECTED and not context.matches_any(fingerprints):
            raise InvalidStateError("the peer's certificate was accepted already; a new one needs a new endpoint")
        context.now = self._advance(self._now if now is None else now)
        context.remote_fingerprints = tuple(fingerprints)
        context.verified = False
        try:
            context.check_fingerprints()
        except HandshakeFailure as failure:
            self._fail(failure)
            return
        self._complete_if_ready()

    def send(self, data: bytes, now: Instant) -> None:
        """Queues one record of application data; it leaves as a datagram of its own.

        Errors: `InvalidStateError` unless connected; `MessageTooLarge` above 2**14 bytes; `BufferFull`.
        """
        self.send_many((data,), now)

    def send_many(self, payloads: Sequence[bytes], now: Instant) -> None:
        """Queues a burst, all of it or nothing. See `send`."""
        if self._state is not State.CONNECTED:
            raise InvalidStateError(f"send() needs a connected endpoint, this one is {self._state.value}")
        queue = self._outgoing.payloads
        if len(queue) + len(payloads) > self.config.max_queued_payloads:
            raise BufferFull(f"{len(queue)} payloads are queued; poll_transmits must drain them first")
        for payload in payloads:
            if len(payload) > MAX_PLAINTEXT_BYTES:
                raise MessageTooLarge(f"{len(payload)} bytes, a record carries at most {MAX_PLAINTEXT_BYTES}")
        self._advance(now)
        queue.extend(payloads)
        self._check_record_limit()

    def close(self, now: Instant) -> None:
        """Ends the connection in good order: what is queued leaves, then close_notify. Idempotent."""
        if self._state is State.CLOSED:
            return
        now = self._advance(now)
        self._context.now = now
        if self._state is not State.NEW:
            self._outgoing.push_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._end("closed here", None, flush=True)

    def set_mtu(self, mtu: int) -> None:
        """Changes the size of handshake datagrams from the next transmission on."""
        if not MINIMUM_MTU_BYTES <= mtu <= 65_507:
            raise InvalidArgumentError(f"mtu must be {MINIMUM_MTU_BYTES} to 65507 bytes, got {mtu}")
        self._context.outbox.set_mtu(mtu)

    def export_keying_material(self, label: str, length: int, context: bytes | None = None) -> bytes:
        """Keys for an application that both sides derive alike, `EXTRACTOR-dtls_srtp` for SRTP.

        Errors: `InvalidStateError` before `HandshakeCompleted`; `InvalidArgumentError` for a label of the handshake's.
        Spec: RFC 5705 section 4; RFC 5764 section 4.2.
        """
        suite = self._context.suite
        if self._state is not State.CONNECTED or suite is None:
            raise InvalidStateError(f"keys are exported from a connected endpoint, this one is {self._state.value}")
        return export(
            SUITES[suite].hash_name,
            self._context.master_secret,
            self._context.client_random,
            self._context.server_random,
            label,
            length,
            context,
        )

    # --- the way in -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[bytes], now: Instant) -> None:
        now = self._advance(now)
        self._context.now = now
        self.counters.datagrams_received += len(burst)
        index, end = 0, len(burst)
        while index < end:
            if self._state is State.CONNECTED:
                index = self._receive_data(burst, index)
                if index >= end:
                    break
            self._receive_datagram(burst[index])
            index += 1

    def _receive_data(self, burst: Sequence[bytes], start: int) -> int:
        """The fast path: datagrams of one application-data record each."""
        plains, index = self._inbox.open_run(burst, start)
        if plains:
            self._events.extend(data_received(plains))
            if self._context.outbox.holds_flight:
                self._context.outbox.confirm()
        self._check_forgeries()
        return index

    def _receive_datagram(self, data: bytes) -> None:
        if self._state is State.CLOSED:
            self._context.drop("closed")
        elif self._state is not State.NEW:
            for opened in self._inbox.open_datagram(data):
                self._dispatch(opened)
            self._check_forgeries()
        elif has_room(self._context, self._early_datagrams, data):
            self._early_datagrams.append(bytes(data))
        else:
            self._context.drop("before_connect")

    def _dispatch(self, record: Opened) -> None:
        kind, epoch, payload = record
        if self._state is State.CLOSED:
            self._context.drop("closed")
        elif kind == ContentType.CHANGE_CIPHER_SPEC:
            return  # its place is told by the epoch in each record header already
        elif not epoch and self._state is not State.HANDSHAKING:
            self._context.drop("stale_epoch")
        elif kind == ContentType.HANDSHAKE:
            self._receive_handshake(payload, epoch)
        elif kind == ContentType.ALERT:
            self._receive_alert(payload, epoch)
        elif kind == ContentType.APPLICATION_DATA and epoch:
            self._receive_application_data(payload)
        else:
            self._context.drop("plaintext_data" if kind == ContentType.APPLICATION_DATA else "unknown_content_type")

    def _receive_application_data(self, payload: bytes) -> None:
        if self._state is State.CONNECTED:
            self._context.outbox.confirm()
            self._emit(DataReceived(payload))
        elif has_room(self._context, self._early_data, payload):
            self._early_data.append(payload)
        else:
            self._context.drop("early_data_full")

    # --- handshake messages -----------------------------------------------------------------------------------------

    def _receive_handshake(self, payload: bytes, epoch: int) -> None:
        try:
            fragments = parse_fragments(payload)
        except ParseError:
            self._context.drop("malformed_fragment")
            return
        for fragment in fragments:
            self._receive_fragment(fragment, epoch)
            if self._state is State.CLOSED:
                return

    def _receive_fragment(self, fragment: Fragment, epoch: int) -> None:
        if self._state is State.HANDSHAKING and (fragment.type == HandshakeType.FINISHED) != bool(epoch):
            # Finished proves the keys, so it must be under them; everything before it comes in the clear.
            self._context.drop("wrong_epoch")
            return
        outcome = self._reassembler.push(fragment, epoch)
        if outcome is Outcome.OLD:
            self._on_retransmission(fragment)
        elif outcome is Outcome.KEPT:
            self._take_messages()
        else:
            self._context.drop(outcome.value)

    def _on_retransmission(self, fragment: Fragment) -> None:
        """The peer repeats a flight, so it lacks ours: send it again, unless that was done a moment ago.

        A peer that has begun to answer our flight has it, whatever it repeats. Once the handshake is over only a
        repeated, authentic Finished counts (epoch 0 does not get here any more).
        """
        outbox = self._context.outbox
        if not outbox.holds_flight or outbox.due or self._reassembler.next_seq != self._flight_base:
            return
        if outbox.transmissions and self._now - outbox.last_transmitted < self.config.minimum_resend_interval:
            return
        self.counters.retransmissions_requested += 1
        if self._trace:
            self._trace.event(self._now, "retransmission_requested", message_seq=fragment.message_seq)
        outbox.due = True

    def _take_messages(self) -> None:
        while self._state is not State.CLOSED:
            message = self._reassembler.pop()
            if message is None:
                return
            self.counters.messages_received += 1
            if self._trace:
                self._trace.event(
                    self._now,
                    "message_received",
                    type=message.type,
                    message_seq=message.message_seq,
                    length=len(message.body),
                )
            try:
                self._take_message(message)
            except HandshakeFailure as failure:
                self._fail(failure)
            except ParseError as error:
                self._fail(HandshakeFailure(AlertDescription.DECODE_ERROR, str(error)))

    def _take_message(self, message: HandshakeMessage) -> None:
        if self._state is not State.HANDSHAKING or self._handshake is None:
            # A renegotiation would begin like this; it is refused, and the connection goes on.
            if message.type in (HandshakeType.HELLO_REQUEST, HandshakeType.CLIENT_HELLO):
                self._outgoing.push_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
                self._context.drop("renegotiation")
                return
            # Epoch 0 does not get here any more, so this is the peer itself breaking the rules.
            reason = f"handshake message {message.type} after the handshake"
            raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, reason)
        if message.type == HandshakeType.HELLO_REQUEST and self.config.role == "client":
            return  # RFC 5246 section 7.4.1.1: ignored while a handshake is under way
        had_keys = bool(self._context.openers)
        self._handshake = self._handshake.on_message(message)
        if not self._context.outbox.transmissions:
            self._flight_base = self._reassembler.next_seq
        if self._context.finished:
            self._finish_handshake()
        if self._context.openers and not had_keys:
            for record in self._inbox.open_held():
                self._dispatch(record)

    def _finish_handshake(self) -> None:
        self._handshake = None
        self._context.transcript.reset()
        self._reassembler.clear()
        self._deadlines.clear(_Timer.RETRANSMIT)  # the last flight is repeated on demand only
        self._set_state(State.VERIFYING)
        self._complete_if_ready()

    def _complete_if_ready(self) -> None:
        context = self._context
        if self._state is not State.VERIFYING or not context.verified:
            return
        assert context.suite is not None
        assert context.group is not None
        self._deadlines.clear(_Timer.HANDSHAKE)
        self._set_state(State.CONNECTED)
        self._emit(
            HandshakeCompleted(
                version=context.version,
                cipher_suite=context.suite,
                srtp_profile=context.srtp_profile,
                peer_certificate=context.peer_certificate,
                peer_fingerprints=tuple(
                    fingerprint_of(context.peer_certificate, algorithm)
                    for algorithm in ("sha-256", "sha-384", "sha-512")
                ),
                group=context.group,
                extended_master_secret=context.extended_master_secret,
                alpn_protocol=context.alpn_protocol,
            )
        )
        early, self._early_data = self._early_data, []
        for payload in early:
            self._receive_application_data(payload)

    # --- alerts and ends --------------------------------------------------------------------------------------------

    def _receive_alert(self, payload: bytes, epoch: int) -> None:
        if len(payload) != 2:
            self._context.drop("malformed_alert")
            return
        if not epoch and self._inbox.authenticated:
            self._context.drop("unauthenticated_alert")
            return
        level, description = payload
        self.counters.alerts_received += 1
        if self._trace:
            self._trace.event(self._now, "alert_received", level=level, alert=alert_name(description), epoch=epoch)
        if description == AlertDescription.CLOSE_NOTIFY:
            self._outgoing.push_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
            self._end("closed by the peer", None, flush=False)
        elif level == AlertLevel.FATAL:
            reason = f"the peer sent a fatal alert: {alert_name(description)}"
            self._end(reason, DtlsAlertError(reason, alert=description, sent=False), flush=False)

    def _fail(self, failure: HandshakeFailure) -> None:
        self._outgoing.push_alert(AlertLevel.FATAL, failure.alert)
        error = failure.error or DtlsAlertError(failure.reason, alert=failure.alert, sent=True)
        self._end(failure.reason, error, flush=False)

    def _end(self, reason: str, error: WebRTCError | None, *, flush: bool) -> None:
        """The one way to die. What is built already, and alerts, may still be fetched; `flush` keeps payloads too."""
        context = self._context
        if not flush:
            self._outgoing.payloads.clear()
        if not (flush and context.finished):  # our last flight still has to precede what is flushed
            context.outbox.forget()
        self._deadlines.clear_all()
        self._reassembler.clear()
        self._handshake = None
        self._inbox.clear()
        self._early_data, self._early_datagrams = [], []
        context.transcript.reset()
        self._set_state(State.CLOSED)
        if self._trace:
            self._trace.event(self._now, "closed", reason=reason)
        self._emit(Closed(reason=reason, error=error))

    def _check_forgeries(self) -> None:
        opener = self._context.openers.get(1)
        if opener is not None and opener.bad_tags >= self.config.forgery_limit and self._state is not State.CLOSED:
            reason = f"{opener.bad_tags} records with a wrong tag under one key"
            self._outgoing.push_alert(AlertLevel.FATAL, AlertDescription.BAD_RECORD_MAC)
            self._end(reason, KeyLimitReached(reason), flush=False)

    # --- the way out ------------------------------------------------------------------------------------------------

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[bytes]:
        now = self._advance(now)
        context = self._context
        context.now = now
        outbox = context.outbox
        flight_due = outbox.due
        sent = self._outgoing.poll(limit)
        if flight_due and not outbox.due and outbox.timed:
            self._deadlines.set(_Timer.RETRANSMIT, now + outbox.timeout)
        return sent

    def _check_record_limit(self) -> None:
        """Ends the connection when more is queued than the key may seal; what fits still leaves."""
        payloads, left = self._outgoing.payloads, self._outgoing.records_left
        if len(payloads) > left and self._state is not State.CLOSED:
            while len(payloads) > left:
                payloads.pop()
            reason = f"{self.config.record_limit} records were sent under one key"
            self._outgoing.push_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
            self._end(reason, KeyLimitReached(reason), flush=True)

    # --- time -------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        self._context.now = now
        for timer in self._deadlines.pop_due(now):
            if timer is _Timer.RETRANSMIT:
                if self._context.outbox.timed:
                    self._context.outbox.back_off()
            elif self._state is not State.CLOSED:
                self._time_out()

    def _time_out(self) -> None:
        if self._state is State.VERIFYING:
            reason = f"no fingerprint came from signalling within {self.config.handshake_timeout:g} s"
        else:
            reason = f"the handshake was not done within {self.config.handshake_timeout:g} s"
        self._outgoing.push_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._end(reason, TimedOut(reason), flush=False)

    def next_timeout(self) -> Instant:
        if self._outgoing.pending:
            return self._now
        return self._deadlines.next()

    def _set_state(self, state: State) -> None:
        if self._trace:
            self._trace.event(self._now, "state_changed", old=self._state.value, new=state.value)
        self._state = state
