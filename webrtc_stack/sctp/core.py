"""What all parts of an association share: its state, its answers waiting to be sent, and its end."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from ..base import Deadlines, Drops, Instant, MachineBase, random_u32
from ..errors import ConnectionLost, WebRTCError
from ..trace import PacketKind
from .chunks import FLAG_TAG_REFLECTED, AbortChunk, ErrorChunk, Parameter
from .config import AssociationState, SctpConfig, SctpCounters
from .congestion import Congestion
from .cookie import CookieJar
from .data_tracker import DataTracker
from .events import AssociationEvent, BufferedAmountDecreased, Closed, MessageAbandoned
from .heartbeat import Heartbeat
from .outstanding import Outstanding
from .packet import COMMON_HEADER, checksum_seed, seal
from .reassembly import Reassembly
from .rto import RtoEstimator
from .send_queue import SendQueue
from .stream_reset import StreamReset

State = AssociationState
TAKES_DATA: Final = frozenset((State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT, State.COOKIE_ECHOED))
SENDS_DATA: Final = frozenset((State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED))
SHUTTING_DOWN: Final = frozenset((State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED))
CONNECTED: Final = frozenset(
    (
        State.ESTABLISHED,
        State.SHUTDOWN_PENDING,
        State.SHUTDOWN_SENT,
        State.SHUTDOWN_RECEIVED,
        State.SHUTDOWN_ACK_SENT,
    )
)


class Timer(Enum):
    """What an association waits for."""

    T1 = "T1-init or T1-cookie"
    T2 = "T2-shutdown"
    T3 = "T3-rtx"
    PROBE = "tail loss probe"
    SACK = "delayed acknowledgment"
    HEARTBEAT = "heartbeat"
    RECONFIG = "stream reset request"
    GUARD = "T5-shutdown-guard, or the deadline of close"
    EXPIRY = "lifetime of waiting messages"


class AssociationCore(MachineBase[AssociationEvent]):
    """State and helpers; behaviour is in the classes built on it, one role each."""

    def __init__(self, config: SctpConfig | None = None) -> None:
        super().__init__()
        self.config = config = SctpConfig() if config is None else config
        self.counters = SctpCounters()
        self.drops = Drops()
        self.state = State.CLOSED
        self._trace = config.trace
        self._packet_log = config.packet_log
        self._entropy = config.entropy.fork("sctp association")
        self._jar = CookieJar(self._entropy.bytes(32))
        self._deadlines: Deadlines[Timer] = Deadlines()
        self._dirty = False
        """Something may have to be sent: inputs set it, a poll that ran dry clears it."""
        self._replies: deque[tuple[bytes | None, bytes]] = deque()
        """Answers: the first eight bytes of their packet (None: ours to this peer), and their chunk."""
        self._connect_called = False

        self._local_tag = self._new_tag()
        self._local_tsn = random_u32(self._entropy)
        self._peer_tag = 0
        self._in_header = b""
        """How packets of this association begin; empty while there is none."""
        self._in_seed = 0
        self._out_header = b""
        self._out_seed = 0
        self.outbound_streams = config.outbound_streams
        self.inbound_streams = config.inbound_streams
        self._peer_resets_streams = False

        self._init_due = False
        self._init_chunk = b""
        self._cookie_echo: bytes | None = None
        """The COOKIE ECHO chunk (and an ERROR beside it) while in COOKIE-ECHOED."""
        self._cookie_due = False
        self._shutdown_due = False
        self._shutdown_ack_due = False
        self._attempts = 0
        """Retransmissions of INIT, COOKIE ECHO, SHUTDOWN or SHUTDOWN ACK."""
        self._errors = 0
        """Time-outs since the peer was last heard to make progress (RFC 9260 section 8.1)."""
        self._stale_cookies = 0
        self._closing_reason = ""

        self._rto = RtoEstimator(config.rto_initial, config.rto_min, config.rto_max)
        self._queue = SendQueue()
        self._heartbeat = Heartbeat(self._entropy.fork("heartbeat"))
        self._reset_transfer(self._local_tsn, 1)

    def _reset_transfer(self, local_tsn: int, peer_tsn: int) -> None:
        """Everything about data, as at the beginning."""
        config = self.config
        self._tracker = DataTracker(peer_tsn)
        self._reassembly = Reassembly()
        self._released = 0
        self._out = Outstanding(local_tsn)
        self._reset = StreamReset(local_tsn, peer_tsn)
        self._congestion = Congestion(
            config.mtu,
            initial_packets=config.initial_cwnd_packets,
            minimum_packets=config.min_cwnd_packets,
            burst_packets=config.max_burst_packets,
            maximum_bytes=config.max_cwnd_bytes,
        )
        self._peer_window = 0
        self._polled = True
        """Packets could leave since the last ones came: what comes now is a new burst to the congestion window."""
        self._early_sacks: deque[bytes] = deque()
        """Acknowledgments within a burst, each a packet of its own."""
        self._unacked_packets = 0
        """Packets with DATA since the last SACK."""
        self._ack_now = False
        self._ack_soon = False
        """The peer asked for an acknowledgment at once (I bit)."""
        self._sack_due = False
        self._advertised_window = config.receive_window_bytes
        self._fast_retransmit = False
        """The next packet of retransmissions leaves whatever the window says."""
        self._sack_since_timeout = False
        self._probed = False
        """A tail loss probe was sent and nothing was acknowledged since."""
        self._forward_tsn_at: Instant = 0.0
        self._forward_tsn_point = -1

    # --- helpers --------------------------------------------------------------------------------------------------

    def _new_tag(self) -> int:
        """A verification tag, never 0 (RFC 9260 section 5.3.1)."""
        return random_u32(self._entropy) or 1

    def _header(self, tag: int) -> bytes:
        return COMMON_HEADER.pack(self.config.local_port, self.config.remote_port, tag)

    def _set_tags(self, local_tag: int, peer_tag: int) -> None:
        self._local_tag = local_tag
        self._peer_tag = peer_tag
        self._in_header = COMMON_HEADER.pack(self.config.remote_port, self.config.local_port, local_tag)
        self._in_seed = checksum_seed(self._in_header)
        self._out_header = self._header(peer_tag)
        self._out_seed = checksum_seed(self._out_header)

    def _enter(self, state: AssociationState, now: Instant) -> None:
        if self._trace:
            self._trace.event(now, "state_changed", old=self.state.value, new=state.value)
        self.state = state

    def _reply(self, chunk: bytes, tag: int | None = None) -> None:
        """Queues an answer. `tag`: the verification tag of a packet that is not of this association."""
        if len(self._replies) >= self.config.max_control_packets:
            self.drops.add("too_many_replies")
            return
        self._replies.append((None if tag is None else self._header(tag), chunk))
        self._dirty = True

    def _reply_error(self, *causes: Parameter) -> None:
        self._reply(ErrorChunk(parameters=causes).serialize())

    def _reply_abort(self, tag: int, *causes: Parameter, reflected: bool = False) -> None:
        """An ABORT that ends nothing of ours: the answer to a packet that we make no association of."""
        chunk = AbortChunk(parameters=causes, flags=FLAG_TAG_REFLECTED if reflected else 0)
        self._reply(chunk.serialize(), tag)

    def _drop(self, reason: str, now: Instant) -> None:
        self.drops.add(reason)
        if self._trace:
            self._trace.event(now, "packet_dropped", reason=reason)

    def _seal(self, header: bytes | None, body: bytes) -> bytes:
        """A packet, counted and logged."""
        if header is None:
            packet = seal(self._out_header, self._out_seed, body)
        else:
            packet = seal(header, checksum_seed(header), body)
        counters = self.counters
        counters.packets_sent += 1
        counters.bytes_sent += len(packet)
        if self._packet_log is not None:
            self._packet_log.packet(self._now, PacketKind.SCTP, packet, outgoing=True)
        return packet

    def _count_error(self, now: Instant, what: str) -> bool:
        """One more time-out. Returns: whether that was one too many, which ends the association."""
        self._errors += 1
        if self._errors <= self.config.max_retransmits:
            return False
        self._end_lost(f"the peer did not answer: {what} timed out {self._errors} times", now)
        return True

    def _end_lost(self, reason: str, now: Instant) -> None:
        """The peer is gone (RFC 9260 section 8.1); an ABORT tells it, in case it is not."""
        self._end(reason, ConnectionLost(reason), now, AbortChunk().serialize())

    def _end(
        self,
        reason: str,
        error: WebRTCError | None,
        now: Instant,
        last: bytes | None = None,
        *,
        last_tag: int | None = None,
    ) -> None:
        """The final event; `last` is one more chunk to the peer, `last_tag` the tag of its packet if not the peer's."""
        if self.state is State.ENDED:
            return
        self._tell_buffered()
        self._enter(State.ENDED, now)
        self._replies.clear()
        self._early_sacks.clear()
        if last is not None and last_tag is not None:
            self._replies.append((self._header(last_tag), last))
        elif last is not None and self._peer_tag:
            self._replies.append((None, last))
        self._deadlines.clear_all()
        self._queue.clear()
        self._in_header = b""
        self._reset_transfer(self._local_tsn, 1)
        self._dirty = bool(self._replies)
        if self._trace:
            self._trace.event(now, "association_closed", reason=reason, error=str(error or ""))
        self._emit(Closed(reason, error))

    def _settle_abandoned(self, now: Instant) -> None:
        """Messages that were given up leave the queue and are reported."""
        out, queue = self._out, self._queue
        while out.abandoned:
            messages, out.abandoned = out.abandoned, []
            for message in messages:
                stream = message.stream
                if message.offset < message.size and stream.queue and stream.queue[0] is message:
                    queue.took(stream, message.size - message.offset)
                    message.offset = message.size
                    queue.finish_head()
                self._report_abandoned(message.stream.id, message.ppid, now)
        self._dirty = True

    def _report_abandoned(self, stream_id: int, ppid: int, now: Instant) -> None:
        self.counters.messages_abandoned += 1
        self._emit(MessageAbandoned(stream_id, ppid))
        if self._trace:
            self._trace.event(now, "message_abandoned", stream_id=stream_id)

    def _tell_buffered(self) -> None:
        changed = self._queue.changed
        if changed:
            for stream in changed.values():
                self._emit(BufferedAmountDecreased(stream.id, stream.told))
                stream.told = 0
            changed.clear()

    def _local_window(self) -> int:
        """What we can still take."""
        reassembly = self._reassembly
        used = reassembly.delivered_bytes + reassembly.buffered_bytes - self._released
        return max(0, self.config.receive_window_bytes - used)
