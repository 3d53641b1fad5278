"""A whole peer as one sans-IO machine: negotiation above, one transport below. Its media half is in `calls`.

`PeerCore` holds no protocol of its own. Commands go through the pure functions of `negotiation`, whose plan is then
carried out on the transport; what the transport reports becomes the states of the W3C API.

Invariants: a command that raises has changed nothing; the final event is exactly one `PeerClosed`; `close` says
goodbye (SCTP shutdown, DTLS close_notify) in bounded time and against a silent peer too.

Spec: W3C webrtc-pc sections 4.3 (states), 4.4 (methods); RFC 9429 sections 3 to 5. Left out so far: several transports
(everything is bundled on one).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from .. import datachannel, dtls, ice
from ..base import (
    NEVER,
    Address,
    Candidate,
    Datagram,
    Fingerprint,
    IceParameters,
    Instant,
    PathId,
    PathTable,
    SctpParameters,
    SocketId,
    Transmit,
    random_word,
)
from ..datachannel import ChannelHandle, ChannelSnapshot
from ..errors import InvalidStateError, NegotiationError, WebRTCError
from . import negotiation
from .calls import MAX_TRANSCEIVERS, Calls
from .config import BundlePolicy, PeerConfig
from .description import IceCandidate, SessionDescription
from .events import (
    ConnectionState,
    ConnectionStateChanged,
    IceCandidateErrored,
    IceCandidateGathered,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    NegotiationNeeded,
    PeerClosed,
    SelectedPairChanged,
    SignalingStateChanged,
)
from .explain import Explanation, History, Moment, collect, explain
from .media import Closed as MediaClosed
from .media import MediaSession
from .negotiation import Description, LocalTransport, Plan, SdpType, SignalingState, TrickledCandidate, Wishes
from .report import take_snapshot
from .snapshot import PeerSnapshot
from .transport import DtlsState, Transport


class PeerCore(Calls):
    """One peer connection without I/O. `now` is the time at which it is made.

    In: `Datagram`; out: `Transmit`; events: those of `peer.events`, of the data channels, of `peer.media`, and wishes
    (`base.wishes`) for the driver. Paths are named through `paths`, which the driver shares.
    """

    def __init__(self, config: PeerConfig | None = None, now: Instant = 0.0) -> None:
        super().__init__()
        self._due: Instant | None = None
        self._stirred = True
        """Whether anything was done since events were last carried upwards: a driver polls far more often than that."""
        """What `next_timeout` said: a driver asks several times a turn, and every room below has to be asked."""
        self._advance(now)
        self.config = config if config is not None else PeerConfig()
        self.paths = PathTable()
        self._trace = self.config.trace.bind(room="peer")
        entropy = self.config.entropy
        self.certificate = (
            self.config.certificates[0]
            if self.config.certificates
            else dtls.Certificate.generate(wall_time=self.config.wall_epoch + now, entropy=entropy.fork("certificate"))
        )
        self._history = History(now)
        self._word_entropy = entropy.fork("restart")
        self._state = negotiation.NegotiationState.start(
            entropy.fork("negotiation"),
            negotiation.NegotiationConfig(
                ice_lite=self.config.ice_lite, bundle_policy=BundlePolicy(self.config.bundle_policy)
            ),
        )
        self._plan: Plan | None = None
        self._transport = Transport(self.config, self.paths, self.certificate, self._transport_event)
        self._wishes_data = False
        self._wishes_restart = False
        self._next_ice: IceParameters | None = None
        self._gathering_begun = False
        self._ended_candidates = False
        self._mid: str | None = None
        self._mid_index: int | None = None
        self._ice_state: str = ice.IceState.NEW
        self._gathering_state: str = ice.GatheringState.NEW
        self._connection_state = ConnectionState.NEW
        self._reason = ""
        self._negotiation_flag = False
        self._closing = False
        self._closed = False
        self._close_reason = ""
        self._close_error: WebRTCError | None = None
        if self.config.ice_candidate_pool_size:
            self._transport.gather_early(self._now)

    # --- looking ----------------------------------------------------------------------------------------------------

    @property
    def connection_state(self) -> ConnectionState:
        return self._connection_state

    @property
    def signaling_state(self) -> SignalingState:
        return self._state.signaling_state

    @property
    def ice_connection_state(self) -> str:
        return self._ice_state

    @property
    def ice_gathering_state(self) -> str:
        return self._gathering_state

    @property
    def local_fingerprints(self) -> tuple[Fingerprint, ...]:
        return (self.certificate.fingerprint("sha-256"),)

    @property
    def transport(self) -> Transport:
        """The bundle below: `transport.ice`, `.dtls`, `.channels` are the machines themselves."""
        return self._transport

    @property
    def media(self) -> MediaSession:
        """The media session: SRTP, streams, RTCP."""
        return self._transport.media

    def _local(self) -> LocalTransport:
        return LocalTransport(
            ice=self._transport.ice.local_parameters,
            next_ice=self._next_ice,
            fingerprints=self.local_fingerprints,
            candidates=tuple(self._transport.ice.local_candidates),
            gathering_complete=self._gathering_state == ice.GatheringState.COMPLETE,
            sctp=SctpParameters(max_message_size=self.config.max_message_size),
        )

    def _with_candidates(self, description: Description | None) -> SessionDescription | None:
        if description is None:
            return None
        text = negotiation.with_candidates(description.sdp, self._local()).serialize()
        return SessionDescription(type=description.type, sdp=text)

    @property
    def local_description(self) -> SessionDescription | None:
        """The pending or else current one, with the candidates gathered so far."""
        return self._with_candidates(self._state.local)

    @property
    def current_local_description(self) -> SessionDescription | None:
        return self._with_candidates(self._state.current_local)

    @property
    def pending_local_description(self) -> SessionDescription | None:
        return self._with_candidates(self._state.pending_local)

    @property
    def remote_description(self) -> SessionDescription | None:
        return _text(self._state.remote)

    @property
    def current_remote_description(self) -> SessionDescription | None:
        return _text(self._state.current_remote)

    @property
    def pending_remote_description(self) -> SessionDescription | None:
        return _text(self._state.pending_remote)

    def channel(self, handle: ChannelHandle) -> ChannelSnapshot:
        return self._transport.channels.channel(handle)

    def buffered_amount(self, handle: ChannelHandle) -> int:
        return self._transport.channels.buffered_amount(handle)

    def snapshot(self) -> PeerSnapshot:
        """How everything stands at the last seen time."""
        return take_snapshot(
            self._transport,
            time=self._now,
            connection_state=self._connection_state,
            signaling_state=self._state.signaling_state,
            reason=self._reason,
            gathering_state=self._gathering_state,
            local_fingerprints=self.local_fingerprints,
        )

    def explain(self, now: Instant | None = None) -> Explanation:
        """Why the connection is as it is, in words; at any time, and most useful when it does not connect."""
        now = self._now if now is None else self._advance(now)
        facts = collect(
            self._transport,
            self._history,
            now=now,
            connection_state=self._connection_state,
            reason=self._reason,
            signaling_state=self._state.signaling_state,
            gathering_state=self._gathering_state,
            local_description=self._state.local is not None,
            remote_description=self._state.remote is not None,
            ice_servers=tuple(self.config.ice_servers),
            dtls_mtu=self.config.dtls_mtu,
            local_fingerprints=self.local_fingerprints,
        )
        return explain(facts)

    # --- negotiation ------------------------------------------------------------------------------------------------

    def _wishes(self) -> Wishes:
        return Wishes(data_channel=self._wishes_data, ice_restart=self._wishes_restart)

    def _check_open(self) -> None:
        if self._closing or self._closed:
            raise InvalidStateError("the peer connection is closed; make a new one")

    def _fresh_ice(self) -> None:
        """Credentials at hand, should a description need new ones."""
        if self._next_ice is None:
            self._next_ice = IceParameters(
                ufrag=random_word(self._word_entropy, 8), pwd=random_word(self._word_entropy, 24)
            )

    def create_offer(self, now: Instant, *, ice_restart: bool = False) -> SessionDescription:
        """An offer for the present wishes. Errors: `InvalidStateError`."""
        self._advance(now)
        self._check_open()
        self._fresh_ice()
        wishes = Wishes(data_channel=self._wishes_data, ice_restart=self._wishes_restart or ice_restart)
        self._state, description = negotiation.create_offer(self._state, wishes, self._local())
        return SessionDescription(type=description.type, sdp=description.text)

    def create_answer(self, now: Instant) -> SessionDescription:
        """An answer to the pending remote offer. Errors: `InvalidStateError`."""
        self._advance(now)
        self._check_open()
        self._fresh_ice()
        self._state, description = negotiation.create_answer(self._state, self._local())
        return SessionDescription(type=description.type, sdp=description.text)

    def set_local_description(self, description: SessionDescription | None, now: Instant) -> None:
        """Applies a description of ours; without one makes the offer or answer that the state calls for."""
        now = self._advance(now)
        self._check_open()
        self._fresh_ice()
        given = None if description is None else Description.parse(description.type, description.sdp)
        if given is not None and given.type is SdpType.ROLLBACK:
            applied = negotiation.rollback(self._state)
        else:
            applied = negotiation.set_local_description(self._state, self._local(), self._wishes(), given)
        self._apply(applied, now)
        self._history.note(Moment.LOCAL_DESCRIPTION, now)

    def set_remote_description(self, description: SessionDescription, now: Instant) -> None:
        """Applies a description of the peer; an offer that crosses ours takes ours back first (W3C section 4.4.1.6)."""
        now = self._advance(now)
        self._check_open()
        parsed = Description.parse(description.type, description.sdp)
        self._apply(negotiation.set_remote_description(self._state, parsed, implicit_rollback=True), now)
        self._history.note(Moment.REMOTE_DESCRIPTION, now)

    def _apply(self, applied: negotiation.Applied, now: Instant) -> None:
        before = self._state.signaling_state
        plan = applied.plan
        if self._transport.handshake is not None and any(one.new_dtls_association for one in plan.transports):
            raise NegotiationError(
                "the peer wants a new DTLS association (its tls-id or fingerprints changed); make a new peer connection"
            )
        if len(applied.state.transceivers) > MAX_TRANSCEIVERS:
            raise NegotiationError(f"the peer offers more than {MAX_TRANSCEIVERS} sections of audio and video")
        transceivers, agreed = self._state.transceivers, self._rtp_plans()
        self._state = applied.state
        self._plan = plan
        if before is not plan.signaling_state:
            self._emit(SignalingStateChanged(plan.signaling_state))
            if self._trace:
                self._trace.event(now, "signaling_state_changed", state=plan.signaling_state, before=before)
        self._carry_out(plan, now)
        self._configure_media(now)
        self._tell_transceivers(transceivers, agreed, plan)
        self._check_negotiation(now)

    def _carry_out(self, plan: Plan, now: Instant) -> None:
        """Does on the transport what negotiation found. Everything here may be said twice."""
        transport = self._transport
        chosen = plan.main_transport
        if chosen is None:
            return
        agent = transport.ice
        self._mid = chosen.id
        self._mid_index = next((media.index for media in plan.media if media.mid == chosen.id), 0)
        local = chosen.local_ice
        if local is not None and local.ufrag != agent.local_parameters.ufrag:
            self._renew_ice(local, plan.rolled_back, now)
        if not self._gathering_begun:
            agent.set_controlling(chosen.controlling)
        if plan.gather and not self._gathering_begun:
            self._gathering_begun = True
            self._ended_candidates = False
            transport.gather(now)
        if plan.answered:
            if chosen.remote_ice is not None:
                agent.set_remote_parameters(chosen.remote_ice, now)
                for candidate in chosen.remote_candidates:
                    agent.add_remote_candidate(candidate, now)
                if chosen.remote_end_of_candidates:
                    agent.add_remote_candidate(None, now)
                    self._history.note(Moment.REMOTE_END, now)
            if chosen.sctp is not None:
                transport.channels.set_remote_max_message_size(chosen.sctp.max_message_size)
                transport.enable_data(now)
            if chosen.dtls_role is not None and chosen.remote_fingerprints:
                transport.start_dtls(
                    "client" if chosen.dtls_role is negotiation.DtlsRole.CLIENT else "server",
                    chosen.remote_fingerprints,
                    now,
                )
        transport.pump(now)
        self._update_connection_state(now)

    def _renew_ice(self, parameters: IceParameters, rolled_back: bool, now: Instant) -> None:
        """The local description names other credentials than the agent has: a restart, or one that is taken back."""
        if rolled_back:
            try:
                self._transport.ice.undo_restart(now)
                return
            except InvalidStateError:
                # No path lived before the offer, so there is nothing to go back to but the names.
                if self._trace:
                    self._trace.event(now, "restart_not_undone", ufrag=parameters.ufrag)
        self._transport.ice.restart(now, parameters)
        self._next_ice = None
        self._wishes_restart = False
        self._gathering_begun = False

    def _check_negotiation(self, now: Instant) -> None:
        """Emits `NegotiationNeeded` when that becomes true; asked again whenever wishes or states change."""
        needed = not self._closing and negotiation.negotiation_needed(self._state, self._wishes())
        if needed and not self._negotiation_flag:
            self._emit(NegotiationNeeded())
        self._negotiation_flag = needed

    def add_ice_candidate(self, candidate: IceCandidate | None, now: Instant) -> None:
        """Adds a candidate of the peer; None, or an empty candidate, is end-of-candidates."""
        now = self._advance(now)
        self._check_open()
        trickled = (
            TrickledCandidate(candidate=None)
            if candidate is None
            else TrickledCandidate.parse(
                candidate.candidate,
                mid=candidate.sdp_mid,
                index=candidate.sdp_m_line_index,
                ufrag=candidate.username_fragment,
            )
        )
        added = negotiation.add_remote_candidate(self._state, trickled)
        self._state = added.state
        if added.ignored or self._mid not in added.transports:
            if self._trace:
                self._trace.event(now, "remote_candidate_ignored", reason=added.ignored or "another transport")
            return
        self._transport.ice.add_remote_candidate(added.candidate, now)
        self._history.note(Moment.REMOTE_END if added.candidate is None else Moment.REMOTE_CANDIDATE, now)
        self._transport.pump(now)

    def restart_ice(self, now: Instant) -> None:
        """The next offer brings new ICE credentials; `NegotiationNeeded` asks for it."""
        now = self._advance(now)
        self._check_open()
        self._wishes_restart = True
        self._check_negotiation(now)

    # --- data channels ----------------------------------------------------------------------------------------------

    def create_data_channel(self, label: str, now: Instant, **options: Any) -> ChannelHandle:
        """Opens a channel; options are those of `DataChannels.open_channel`. Errors: `UsageError`, `TooManyStreams`."""
        now = self._advance(now)
        self._check_open()
        if self._transport.channels_closed:
            raise InvalidStateError("the SCTP association and all its channels have ended; make a new peer connection")
        handle = self._transport.channels.open_channel(label, now, **options)
        self._wishes_data = True
        self._transport.pump(now)
        self._check_negotiation(now)
        return handle

    def send(self, handle: ChannelHandle, data: str | bytes | bytearray | memoryview, now: Instant) -> None:
        """Sends a message. Errors: `InvalidStateError`, `MessageTooLarge`, `BufferFull`; nothing is queued then."""
        self._transport.channels.send(handle, data, self._advance(now))

    def message_consumed(self, handle: ChannelHandle, size: int, now: Instant) -> None:
        """The application has taken a message; its bytes no longer hold the receive window."""
        self._transport.channels.message_consumed(handle, size, self._advance(now))

    def discard_unread(self, handle: ChannelHandle, now: Instant) -> None:
        """Gives up the delivered and unread messages of a channel: they no longer hold the receive window."""
        self._transport.channels.discard_unread(handle, self._advance(now))

    def close_channel(self, handle: ChannelHandle, now: Instant) -> None:
        """Begins to close a channel. Idempotent."""
        now = self._advance(now)
        self._transport.channels.close_channel(handle, now)
        self._transport.pump(now)

    def set_buffered_amount_low_threshold(self, handle: ChannelHandle, value: int) -> None:
        self._stirred = True
        self._transport.channels.set_buffered_amount_low_threshold(handle, value)

    def watch_send_buffer(self) -> None:
        """Asks for one `SendBufferMoved` as soon as anything queued leaves."""
        self._stirred = True
        self._transport.channels.watch_send_buffer()

    # --- what the driver answers ------------------------------------------------------------------------------------

    def add_local(self, address: Address, socket_id: SocketId, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._history.note(Moment.LOCAL_ADDRESS, now)
            self._transport.add_local(address, socket_id, now)
            self._transport.pump(now)

    def remove_local(self, socket_id: SocketId, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._history.note(Moment.LOCAL_ADDRESS_LOST, now)
            self._transport.remove_local(socket_id, now)
            self._transport.pump(now)

    def locals_complete(self, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.locals_complete(now)
            self._transport.pump(now)

    def name_resolved(self, id: int, hosts: Sequence[str], now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.name_resolved(id, hosts, now)
            self._transport.pump(now)

    def add_listener(self, address: Address, socket_id: SocketId, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.add_listener(address, socket_id, now)
            self._transport.pump(now)

    def stream_opened(self, id: int, path: PathId, local: Address, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.carriers.stream_opened(id, path, local, now)
            self._transport.pump(now)

    def stream_failed(self, id: int, reason: str, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.carriers.stream_failed(id, reason, now)
            self._transport.pump(now)

    def stream_accepted(self, id: int, path: PathId, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.carriers.stream_accepted(id, path, now)
            self._transport.pump(now)

    def stream_closed(self, id: int, reason: str, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.carriers.stream_closed(id, reason, now)
            self._transport.pump(now)

    # --- the machine ------------------------------------------------------------------------------------------------

    def receive(self, data: Datagram, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.receive_many(burst, now)

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if not self._closed:
            self._transport.handle_timeout(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        now = self._advance(now)
        if self._closed:
            return []
        out = self._transport.poll_transmits(now, limit)
        self._transport.pump(now)
        self._stirred = False
        if self._closing and not out:
            self._finish_closing(now)
        return out

    def poll_events(self) -> list[Any]:
        if self._stirred and not self._closed:
            self._stirred = False
            if self._transport.pump(self._now):
                self._due = None
        return super().poll_events()

    def next_timeout(self) -> Instant:
        if self._due is None:
            self._due = self._next_timeout()
        return self._due

    def _next_timeout(self) -> Instant:
        if self._closed:
            return NEVER
        instant = self._transport.next_timeout(self._now)
        if self._closing and self._transport.goodbye_said and not self._transport.releasing:
            return min(instant, self._now)
        return instant

    def _advance(self, now: Instant) -> Instant:
        self._due = None
        self._stirred = True
        return super()._advance(now)

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self, now: Instant) -> None:
        """Says goodbye and ends with `PeerClosed`: SCTP shuts down, DTLS says close_notify, ICE goes. Idempotent."""
        self._close("closed", None, self._advance(now))

    def _close(self, reason: str, error: WebRTCError | None, now: Instant) -> None:
        if self._closing or self._closed:
            return
        self._closing = True
        self._close_reason = reason
        self._close_error = error
        if self._trace:
            self._trace.event(now, "closing", reason=reason)
        self._transport.close(reason, now)

    def _finish_closing(self, now: Instant) -> None:
        """The last datagram has been polled: the end."""
        transport = self._transport
        if not transport.goodbye_said or self._closed or not transport.release(now):
            return
        transport.ice.close(now)
        transport.pump(now)
        self._closed = True
        before = self._state.signaling_state
        self._state = negotiation.close(self._state)
        if before is not SignalingState.CLOSED:
            self._emit(SignalingStateChanged(SignalingState.CLOSED))
        self._set_connection_state(ConnectionState.CLOSED, self._close_reason, now)
        self._emit(PeerClosed(self._close_reason, self._close_error))

    # --- what the transport reports ---------------------------------------------------------------------------------

    def _transport_event(self, event: Any) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is None:
            self._emit(event)
        else:
            handler(self, event)

    def _ice_state_changed(self, event: ice.IceStateChanged) -> None:
        self._ice_state = event.state
        self._history.ice_state(event.state, self._now)
        self._emit(IceConnectionStateChanged(event.state))
        self._update_connection_state(self._now)

    def _gathering_state_changed(self, event: ice.GatheringStateChanged) -> None:
        self._gathering_state = event.state
        self._history.gathering_state(event.state, self._now)
        if event.state == ice.GatheringState.COMPLETE and not self._ended_candidates:
            self._ended_candidates = True
            self._emit(IceCandidateGathered(None))
        self._emit(IceGatheringStateChanged(event.state))

    def _candidate_gathered(self, event: ice.CandidateGathered) -> None:
        self._emit(IceCandidateGathered(self._signalled(event.candidate)))

    def _signalled(self, candidate: Candidate) -> IceCandidate:
        return IceCandidate(
            candidate=candidate.serialize(),
            sdp_mid=self._mid,
            sdp_m_line_index=self._mid_index,
            username_fragment=self._transport.ice.local_parameters.ufrag,
        )

    def _pair_selected(self, event: ice.PairSelected) -> None:
        path = self.paths.lookup(event.path)
        if path is not None:
            self._emit(SelectedPairChanged(event.local, event.remote, path.remote))

    def _handshake_completed(self, event: dtls.HandshakeCompleted) -> None:
        self._history.note(Moment.DTLS_CONNECTED, self._now)
        self._update_connection_state(self._now)

    def _dtls_closed(self, event: dtls.Closed) -> None:
        self._update_connection_state(self._now)
        if event.error is None and not self._closing:
            # The peer said goodbye: nothing can revive this association, so waiting for consent to run out (as
            # browsers do) would only keep the application in the dark.
            self._close("the peer closed the connection", None, self._now)

    def _candidate_error(self, event: ice.CandidateError) -> None:
        self._emit(IceCandidateErrored(event.url, event.code, event.reason))

    def _ignore(self, event: Any) -> None:
        """Facts that matter below only, or that the trace has."""

    def _update_connection_state(self, now: Instant) -> None:
        """W3C webrtc-pc section 4.3.3, with one ICE and one DTLS transport."""
        if self._closed:
            return
        transport = self._transport
        ice_state = self._ice_state
        if ice_state == ice.IceState.FAILED:
            self._set_connection_state(ConnectionState.FAILED, self.explain(now).summary, now)
        elif transport.dtls_state is DtlsState.FAILED:
            self._set_connection_state(ConnectionState.FAILED, f"DTLS failed: {transport.dtls_error}", now)
        elif ice_state == ice.IceState.DISCONNECTED:
            self._set_connection_state(ConnectionState.DISCONNECTED, "the peer has stopped answering", now)
        elif ice_state == ice.IceState.NEW and transport.dtls_state is DtlsState.NEW:
            self._set_connection_state(ConnectionState.NEW, "", now)
        elif ice_state in (ice.IceState.CONNECTED, ice.IceState.COMPLETED) and transport.dtls_state in (
            DtlsState.CONNECTED,
            DtlsState.CLOSED,
        ):
            self._set_connection_state(ConnectionState.CONNECTED, "", now)
        elif ice_state != ice.IceState.CLOSED:
            self._set_connection_state(ConnectionState.CONNECTING, "", now)

    def _set_connection_state(self, state: ConnectionState, reason: str, now: Instant) -> None:
        if state is self._connection_state:
            return
        if self._trace:
            self._trace.event(
                now, "connection_state_changed", state=state, before=self._connection_state, reason=reason
            )
        self._connection_state = state
        self._reason = reason
        self._history.connection_state(state, now)
        self._emit(ConnectionStateChanged(state, reason))


_HANDLERS: Final[dict[type, Callable[[PeerCore, Any], None]]] = {
    ice.IceStateChanged: PeerCore._ice_state_changed,
    ice.GatheringStateChanged: PeerCore._gathering_state_changed,
    ice.CandidateGathered: PeerCore._candidate_gathered,
    ice.PairSelected: PeerCore._pair_selected,
    ice.CandidateError: PeerCore._candidate_error,
    ice.RoleChanged: PeerCore._ignore,
    ice.AttributesReceived: PeerCore._ignore,
    ice.Closed: PeerCore._ignore,
    dtls.HandshakeCompleted: PeerCore._handshake_completed,
    dtls.Closed: PeerCore._dtls_closed,
    datachannel.Connected: PeerCore._ignore,
    datachannel.Closed: PeerCore._ignore,
    MediaClosed: PeerCore._ignore,
}


def _text(description: Description | None) -> SessionDescription | None:
    if description is None:
        return None
    return SessionDescription(type=description.type, sdp=description.text)
