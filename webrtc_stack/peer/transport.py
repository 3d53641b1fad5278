"""One bundle: ICE below, DTLS on it, SCTP and data channels in DTLS, media beside it with keys from DTLS.

```
 datagrams -> carriers (TURN relays, streams) -> demux -> ice
                                                        -> dtls -> datachannel (sctp)     and the same way back
                                                        -> media (srtp, rtp)
```
DTLS is not tied to a path: what comes from any path that passed an ICE check is taken, what leaves takes the
selected one (client and server flights of browsers do use different ones). Nothing of DTLS leaves before a pair is
validated. DTLS that arrives too early (before our check of that path, or before the answer has told our role) waits
in a small buffer, because its sender would repeat it only after a time-out. Media is taken from the same paths; on
the way out it goes before data, because it is worth nothing later.

Spec: RFC 8842 section 5 (DTLS over ICE), RFC 8261 (SCTP over DTLS), RFC 5764 (SRTP keys from DTLS), RFC 7983
(demultiplexing).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from .. import datachannel, dtls, ice, sctp, srtp
from ..base import (
    Address,
    Datagram,
    Drops,
    Fingerprint,
    GatherAddresses,
    Instant,
    PathTable,
    SocketId,
    TcpType,
    Transmit,
)
from ..errors import WebRTCError
from ..trace import PacketKind
from .carriers import (
    Carriers,
    CarriersClosed,
    CarriersConfig,
    IceTcp,
    LocalFound,
    LocalLost,
    LocalMapped,
    PathFailed,
    ServerFailed,
)
from .config import IceTransportPolicy, PeerConfig
from .demux import BY_FIRST_BYTE, Protocol
from .media import MediaConfig, MediaSession

MAX_CANDIDATE_ERRORS: Final = 32
MAX_EARLY_DATAGRAMS: Final = 32
"""A flight of DTLS is at most some ten datagrams."""


DtlsRole: TypeAlias = Literal["client", "server"]


class DtlsState(StrEnum):
    """RTCDtlsTransportState (W3C webrtc-pc section 5.5.1)."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(slots=True)
class Traffic:
    """What has crossed the wire, all protocols."""

    datagrams_sent: int = 0
    datagrams_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Transport:
    """Not a machine of its own but the plumbing inside `PeerCore`: it shares that machine's time and events.

    `on_event` receives every event of the rooms that this class does not consume itself.
    """

    def __init__(
        self,
        config: PeerConfig,
        paths: PathTable,
        certificate: dtls.Certificate,
        on_event: Callable[[Any], None],
    ) -> None:
        self._config = config
        self.paths = paths
        self._certificate = certificate
        self._on_event = on_event
        self._entropy = config.entropy
        self._trace = config.trace.bind(room="peer")
        self._packet_log = config.packet_log
        self._locals: dict[SocketId, Address] = {}
        self._early: deque[Datagram] = deque(maxlen=MAX_EARLY_DATAGRAMS)
        self.drops = Drops()
        self.traffic = Traffic()
        self.relay_only = config.ice_transport_policy == IceTransportPolicy.RELAY
        ice_tcp = IceTcp(config.ice_tcp)
        if self.relay_only or (config.ice_lite and ice_tcp is IceTcp.ACTIVE):  # who is lite never connects first
            ice_tcp = IceTcp.OFF
        self._ice_tcp = ice_tcp
        self.carriers = Carriers(
            CarriersConfig(
                paths=paths,
                servers=config.relay_servers(),
                families=tuple(config.relay_families),
                tcp=ice_tcp,
                entropy=config.entropy.fork("carriers"),
                trace=config.trace,
            )
        )
        self.candidate_errors: deque[ServerFailed] = deque(maxlen=MAX_CANDIDATE_ERRORS)
        """What servers could not be used, the latest last."""
        self._locals_complete = False
        self.ice = ice.IceAgent(
            ice.IceConfig(
                paths=paths,
                stun_servers=tuple(
                    ice.StunServer(host, port)
                    for server in (() if self.relay_only else config.ice_servers)
                    for host, port in server.stun_servers()
                ),
                lite=config.ice_lite,
                rewrite=config.rewrites(),
                hide_hosts=config.mdns_candidates,
                entropy=config.entropy.fork("ice"),
                trace=config.trace.bind(room="ice"),
            )
        )
        self.channels = datachannel.DataChannels(
            datachannel.DataChannelsConfig(
                sctp=sctp.SctpConfig(
                    receive_window_bytes=config.receive_window_bytes,
                    send_buffer_bytes=config.send_buffer_bytes,
                    entropy=config.entropy.fork("sctp"),
                    trace=config.trace.bind(room="sctp"),
                    packet_log=config.packet_log,
                ),
                max_message_size=config.max_message_size,
                entropy=config.entropy.fork("datachannel"),
                trace=config.trace.bind(room="datachannel"),
            )
        )
        self.media = MediaSession(
            MediaConfig(
                wall_epoch=config.wall_epoch,
                entropy=config.entropy.fork("media"),
                trace=config.trace.bind(room="media"),
            )
        )
        self.dtls: dtls.DtlsEndpoint | None = None
        self.dtls_state = DtlsState.NEW
        self.dtls_role: DtlsRole | None = None
        self.dtls_error: WebRTCError | None = None
        self.handshake: dtls.HandshakeCompleted | None = None
        self.remote_fingerprints: tuple[Fingerprint, ...] = ()
        self._dtls_started = False
        self._closing = False
        self._data_enabled = False
        self.channels_closed = False

    @property
    def local_addresses(self) -> int:
        """How many sockets of the driver there are."""
        return len(self._locals)

    @property
    def data_enabled(self) -> bool:
        """Whether a data section is agreed on."""
        return self._data_enabled

    # --- commands ---------------------------------------------------------------------------------------------------

    def gather(self, now: Instant) -> None:
        """Begins, or begins anew after an ICE restart: relays stand already then."""
        self.carriers.gather(now)
        self.ice.gather(now)

    def gather_early(self, now: Instant) -> None:
        """Sockets and relays before anybody has asked: the candidate pool. ICE announces them when it gathers."""
        self.carriers.gather(now)
        self._on_event(self._gather_wish())
        self.pump(now)

    def _gather_wish(self) -> GatherAddresses:
        return GatherAddresses(tcp=self._ice_tcp is IceTcp.PASSIVE)

    def add_local(self, address: Address, socket_id: SocketId, now: Instant) -> None:
        self._locals[socket_id] = address
        self.carriers.add_local(address, socket_id, now)
        if not self.relay_only:
            self.ice.add_local(address, socket_id, now)

    def add_listener(self, address: Address, socket_id: SocketId, now: Instant) -> None:
        self._locals[socket_id] = address
        self.carriers.add_listener(address, socket_id, now)

    def remove_local(self, socket_id: SocketId, now: Instant) -> None:
        self._locals.pop(socket_id, None)
        self.carriers.remove_local(socket_id, now)
        self.ice.remove_local(socket_id, now)

    def locals_complete(self, now: Instant) -> None:
        """The driver has reported all there is; ICE hears of it when the relays are there as well."""
        self._locals_complete = True
        self.carriers.locals_complete(now)
        self._complete_locals(now)

    def _complete_locals(self, now: Instant) -> None:
        if self._locals_complete and self.carriers.settled(now):
            self._locals_complete = False
            self.ice.locals_complete(now)

    def name_resolved(self, number: int, hosts: Sequence[str], now: Instant) -> None:
        if number < 0:
            self.carriers.name_resolved(number, hosts, now)
        else:
            self.ice.name_resolved(number, hosts, now)

    def start_dtls(self, role: DtlsRole, fingerprints: tuple[Fingerprint, ...], now: Instant) -> None:
        """Our role and the peer's certificates are known; later calls change nothing but the fingerprints."""
        if self.dtls is not None:
            if self.dtls_state in (DtlsState.NEW, DtlsState.CONNECTING) and fingerprints != self.remote_fingerprints:
                self.remote_fingerprints = fingerprints
                self.dtls.set_remote_fingerprints(fingerprints, now)
            return
        self.remote_fingerprints = fingerprints
        self.dtls_role = role
        self.dtls = dtls.DtlsEndpoint(
            dtls.DtlsConfig(
                role=role,
                certificate=self._certificate,
                remote_fingerprints=fingerprints,
                mtu=self._config.dtls_mtu,
                srtp_profiles=tuple(self._config.srtp_profiles),
                entropy=self._entropy.fork("dtls"),
                trace=self._config.trace.bind(room="dtls"),
                key_log=self._config.key_log,
            )
        )
        self._path_moved(now)

    def enable_data(self, now: Instant) -> None:
        """A data section is agreed on: SCTP may begin. Without one the peer would answer nothing. Idempotent."""
        if self._data_enabled:
            return
        self._data_enabled = True
        if self._closing:
            return
        if self.dtls_state is DtlsState.CONNECTED:
            self.channels.connect(now, dtls_client=self.dtls_role == "client")

    def _path_moved(self, now: Instant) -> None:
        """A pair may have been validated: DTLS may begin, whatever its role, and early datagrams may be believed."""
        if self.dtls is None or self.ice.selected_path is None or self._closing:
            return
        if not self._dtls_started:
            self._dtls_started = True
            self.dtls_state = DtlsState.CONNECTING
            rtt = next((pair.rtt for pair in self.ice.pairs if pair.selected), None)
            self.dtls.connect(now, rtt=rtt or None)  # a virtual network may be faster than its clock ticks
        self._take_early(now)

    def close(self, reason: str, now: Instant) -> None:
        """Begins the goodbye: SCTP shuts down (bounded by its own deadline), then DTLS says close_notify."""
        self._closing = True
        self.media.close(now, reason)
        if self.dtls_state is DtlsState.CONNECTED and self.ice.selected_path is not None and self._data_enabled:
            self.channels.close(now)
        elif self.dtls_state is DtlsState.CONNECTED and self.ice.selected_path is not None:
            self.channels.abort(now, reason)  # they never opened; DTLS says goodbye when the media's BYE has left
        else:
            self.channels.abort(now, reason)
            if self.dtls is not None and self._dtls_started:
                self.dtls.close(now)
        self.pump(now)

    def _close_dtls(self, now: Instant) -> None:
        """SCTP has said its last word, so DTLS may say its own."""
        self.pump(now)
        if self.channels_closed and self.dtls is not None:
            self.dtls.close(now)

    @property
    def goodbye_said(self) -> bool:
        """Nothing more will be sent but what is queued, and what gives relays back."""
        return self.channels_closed and self.dtls_state not in (DtlsState.CONNECTED, DtlsState.CONNECTING)

    @property
    def releasing(self) -> bool:
        """Relays are being given back; their server is waited for, a little."""
        return self.carriers.closing and not self.carriers.closed

    def release(self, now: Instant) -> bool:
        """Gives the relays back, behind the goodbye. Returns: whether that is done."""
        self.carriers.close(now)
        self.pump(now)
        return self.carriers.closed

    # --- in ---------------------------------------------------------------------------------------------------------

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        """Sorts a burst by protocol and hands each its part, ICE first: a check may validate what follows it."""
        if self.carriers.busy:
            burst = self.carriers.unwrap(burst, now)
            self.pump(now)
        stun: list[Datagram] = []
        records: list[Datagram] = []
        packets: list[Datagram] = []
        size = 0
        for datagram in burst:
            data = datagram.data
            if not data:
                self.drops.add("empty datagram")
                continue
            size += len(data)
            protocol = BY_FIRST_BYTE[data[0]]
            if protocol is Protocol.DTLS:
                records.append(datagram)
            elif protocol is Protocol.STUN:
                stun.append(datagram)
            elif protocol is Protocol.RTP:
                packets.append(datagram)
            else:
                self.drops.add("unknown protocol")
        self.traffic.datagrams_received += len(burst)
        self.traffic.bytes_received += size
        if self._packet_log is not None:
            for datagram in burst:
                self._log(datagram.path, datagram.data, now, outgoing=False)
        if stun:
            self.ice.receive_many(stun, now)
            self.pump(now)
        if records:
            self._receive_records(records, now)
            self.pump(now)
        if packets:
            self._receive_media(packets, now)
            self.pump(now)

    def _receive_media(self, packets: list[Datagram], now: Instant) -> None:
        """SRTP and SRTCP from paths that passed a check; before the keys are there the session keeps a few."""
        accepted: list[Datagram] = []
        good_path = None
        for datagram in packets:
            if datagram.path == good_path or self.ice.accepts(datagram.path):
                good_path = datagram.path
                accepted.append(datagram)
            else:
                self.drops.add("media from a path not validated")
        if accepted:
            self._count_received(accepted, now)
            self.media.receive_many([datagram.data for datagram in accepted], now)

    def _receive_records(self, records: list[Datagram], now: Instant) -> None:
        if self.dtls is None or not self._dtls_started:
            self._early.extend(records)
            return
        accepted: list[Datagram] = []
        good_path = None
        for datagram in records:
            if datagram.path == good_path or self.ice.accepts(datagram.path):
                good_path = datagram.path
                accepted.append(datagram)
            else:
                if len(self._early) == MAX_EARLY_DATAGRAMS:
                    self.drops.add("path not validated")
                self._early.append(datagram)
        if accepted:
            self._count_received(accepted, now)
            self.dtls.receive_many([datagram.data for datagram in accepted], now)

    def _count_received(self, datagrams: Sequence[Datagram], now: Instant) -> None:
        """Tells ICE what came on which pair: all but STUN, as W3C counts. A burst has one path, or few in runs."""
        path = datagrams[0].path
        packets = size = 0
        for datagram in datagrams:
            if datagram.path != path:
                self.ice.data_received(path, packets, size, now)
                path = datagram.path
                packets = size = 0
            packets += 1
            size += len(datagram.data)
        self.ice.data_received(path, packets, size, now)

    def _take_early(self, now: Instant) -> None:
        if self._early:
            early = list(self._early)
            self._early.clear()
            self._receive_records(early, now)

    # --- time -------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Instant) -> None:
        if self.carriers.next_timeout() <= now:
            self.carriers.handle_timeout(now)
        self.ice.handle_timeout(now)
        if self.dtls is not None and self._awake:
            self.dtls.handle_timeout(now)
            self.channels.handle_timeout(now)
            self.media.handle_timeout(now)
        self.pump(now)

    @property
    def _awake(self) -> bool:
        """Whether what is above ICE may act. Without a path its time stands still: nothing could be sent, so nothing
        shall be sent again, and an ICE restart finds it as it was. A goodbye goes on without a path, unheard."""
        return self._dtls_started and (self.ice.selected_path is not None or self._closing)

    def next_timeout(self, now: Instant) -> Instant:
        instant = min(self.ice.next_timeout(), self.carriers.next_timeout())
        if self.dtls is None or not self._awake:
            return instant
        instant = min(instant, self.dtls.next_timeout())
        if self.dtls_state is DtlsState.CONNECTED:
            if self._closing and self.channels_closed:
                return min(instant, now)  # the close_notify waits to be polled
            instant = min(instant, self.channels.next_timeout(), self.media.next_timeout())
        return instant

    # --- between the rooms ------------------------------------------------------------------------------------------

    def pump(self, now: Instant) -> bool:
        """Carries events upwards until no room has any: ICE to DTLS, DTLS to SCTP, the rest to the peer.

        Returns: whether there were any.
        """
        any_moved, moved = False, True
        while moved:
            moved = False
            for carrier_event in self.carriers.poll_events():
                moved = True
                self._carrier_event(carrier_event, now)
            if self._locals_complete:
                self._complete_locals(now)
            for ice_event in self.ice.poll_events():
                moved = True
                self._ice_event(ice_event, now)
            if self.dtls is not None:
                events = self.dtls.poll_events()
                if events:
                    moved = True
                    self._dtls_events(events, now)
            for event in self.channels.poll_events():
                moved = True
                if type(event) is datachannel.Closed:
                    self.channels_closed = True
                self._on_event(event)
            for media_event in self.media.poll_events():
                moved = True
                self._on_event(media_event)
            any_moved = any_moved or moved
        return any_moved

    def _carrier_event(self, event: Any, now: Instant) -> None:
        match event:
            case LocalFound(_, _, origin) if self._config.ice_lite and origin.tcp_type is TcpType.ACTIVE:
                pass  # a lite peer listens, and connects to nobody
            case LocalFound(address, socket, origin):
                self._locals[socket] = address
                if self.relay_only:  # who hides behind a relay hides where it is reached from, too (RFC 9429, 4.1.1)
                    origin = origin._replace(related=Address("::" if address.is_ipv6 else "0.0.0.0", 0))
                self.ice.add_local(address, socket, now, origin)
            case LocalMapped(socket, mapped, url):
                if not self.relay_only:
                    self.ice.add_mapped(socket, mapped, url, now)
            case LocalLost(socket):
                self._locals.pop(socket, None)
                self.ice.remove_local(socket, now)
            case PathFailed(path, reason):
                self.ice.fail_path(path, reason, now)
            case ServerFailed(url, code, reason, _):
                self.candidate_errors.append(event)
                self._on_event(ice.CandidateError(url, code, reason))
            case CarriersClosed():
                pass  # `goodbye_said` asks for it
            case _:
                self._on_event(event)  # a wish for the driver

    def _ice_event(self, event: Any, now: Instant) -> None:
        kind = type(event)
        if kind is GatherAddresses:
            event = self._gather_wish()
        elif kind is ice.PairSelected:
            if self.carriers.busy:
                self.carriers.bind(event.path, now)
                self.carriers.forget_unused(now)
            self._path_moved(now)
        elif kind is ice.IceStateChanged:
            if self.carriers.busy:
                self.carriers.forget_unused(now)
            self._path_moved(now)
        elif kind is ice.CandidateError:
            self.candidate_errors.append(ServerFailed(event.url, event.code, event.reason, ""))
        self._on_event(event)

    def _dtls_events(self, events: Sequence[Any], now: Instant) -> None:
        packets: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is dtls.DataReceived:
                packets.append(event.data)
                continue
            if packets:  # keep the order: data before the end
                self._receive_data(packets, now)
                packets = []
            if kind is dtls.HandshakeCompleted:
                self.handshake = event
                self.dtls_state = DtlsState.CONNECTED
                if self._data_enabled and not self._closing:  # closed in the middle of the handshake: they have ended
                    self.channels.connect(now, dtls_client=self.dtls_role == "client")
                if self.dtls is not None and event.srtp_profile is not None:
                    self.media.set_keys(*srtp.SrtpContext.pair_from_dtls(self.dtls), now)
                elif self.media.wanted and self._trace:  # the rest works, so it stands; `explain` says what is missing
                    offered = [profile.name for profile in self._config.srtp_profiles]
                    self._trace.event(now, "media_unprotected", profiles=offered)
            elif kind is dtls.Closed:
                self.dtls_error = event.error
                self.dtls_state = DtlsState.FAILED if event.error is not None else DtlsState.CLOSED
                self.channels.abort(now, event.reason, event.error)
            self._on_event(event)
        if packets:
            self._receive_data(packets, now)

    def _receive_data(self, packets: list[bytes], now: Instant) -> None:
        if self._data_enabled:
            self.channels.receive_many(packets, now)
        else:
            self.drops.add("no data channels negotiated", len(packets))

    # --- out --------------------------------------------------------------------------------------------------------

    def poll_transmits(self, now: Instant, limit: int) -> list[Transmit]:
        out = list(self.ice.poll_transmits(now, limit))
        endpoint = self.dtls
        room = limit - len(out)
        if endpoint is not None and room > 0 and self._awake:
            if self.dtls_state is DtlsState.CONNECTED:
                path = self.ice.selected_path
                sent = self.media.poll_transmits(now, room)
                if path is not None and sent:
                    self.ice.data_sent(path, len(sent), sum(map(len, sent)), now)
                    out += [Transmit(path, packet) for packet in sent]
                    room -= len(sent)
            if self.dtls_state is DtlsState.CONNECTED and room > 0:
                packets = self.channels.poll_transmits(now, room)
                if packets:
                    endpoint.send_many(packets, now)
                elif self._closing:
                    self._close_dtls(now)
            records = endpoint.poll_transmits(now, room)
            path = self.ice.selected_path
            if path is None:
                self.drops.add("no path for the goodbye", len(records))
            elif records:
                self.ice.data_sent(path, len(records), sum(map(len, records)), now)
                out += [Transmit(path, record) for record in records]
        if out and self._packet_log is not None:
            for item in out:
                self._log(item.path, item.data, now, outgoing=True)
        if self.carriers.busy:
            out = self._carry(out, now, limit)
        if out:
            self.traffic.datagrams_sent += len(out)
            self.traffic.bytes_sent += sum(len(item.data) for item in out)
        return out

    def _carry(self, out: list[Transmit], now: Instant, limit: int) -> list[Transmit]:
        """Puts on relays and streams what goes there, and adds what these have to say themselves."""
        if out:
            out = self.carriers.wrap(out, now)
        if len(out) < limit:
            own = self.carriers.poll_transmits(now, limit - len(out))
            if self._packet_log is not None:
                for item in own:
                    self._log(item.path, item.data, now, outgoing=True)
            out += own
        return out

    def _log(self, path_id: Any, data: bytes, now: Instant, *, outgoing: bool) -> None:
        assert self._packet_log is not None
        path = self.paths.lookup(path_id)
        local = self._locals.get(path.socket) if path is not None else None
        remote = path.remote if path is not None else None
        self._packet_log.packet(now, PacketKind.UDP, data, outgoing=outgoing, local=local, remote=remote)
