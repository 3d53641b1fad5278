"""Tunables, counters and the snapshot of one association."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..base import SYSTEM_ENTROPY, Entropy
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, PacketLog, Trace


class AssociationState(StrEnum):
    """Where an association is in its life.

    Spec: RFC 9260 section 4. `closed` is the state before the first packet; `ended` the one after the final event.
    """

    CLOSED = "closed"
    COOKIE_WAIT = "cookie-wait"
    COOKIE_ECHOED = "cookie-echoed"
    ESTABLISHED = "established"
    SHUTDOWN_PENDING = "shutdown-pending"
    SHUTDOWN_SENT = "shutdown-sent"
    SHUTDOWN_RECEIVED = "shutdown-received"
    SHUTDOWN_ACK_SENT = "shutdown-ack-sent"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpConfig:
    """Tunables of one association. Sizes are bytes, times seconds."""

    local_port: int = 5000
    remote_port: int = 5000
    """RFC 8841 names 5000 as what everybody uses; SDP may say otherwise."""
    mtu: int = 1188
    """Largest SCTP packet. What Chromium and Firefox send: with a DTLS record (at most 37 bytes), UDP and IPv6 (48) it
    stays below the 1280 bytes that every IPv6 path carries."""
    outbound_streams: int = 65535
    inbound_streams: int = 65535
    """RFC 8831 section 6.2 asks for all of them."""
    receive_window_bytes: int = 16 * 1024 * 1024
    """Delivered but not released, and not yet deliverable, bytes together. 16 MiB fill 1 Gbit/s at 130 ms."""
    send_buffer_bytes: int = 16 * 1024 * 1024
    """Bytes accepted by `send` and not yet sent for the first time; beyond it `BufferFull`. What is in flight is
    bounded by the windows. An empty buffer takes a message of any size, which could wait for ever otherwise."""
    max_message_bytes: int = 1024 * 1024 * 1024
    """Largest message `send` takes; the data channel room limits it to what the peer announced."""
    initial_cwnd_packets: int = 10
    """RFC 9260 section 7.2.1 allows 4404 bytes; ten packets (RFC 6928) are what every web transport begins with today
    and save one or two round trips at the start of each file."""
    min_cwnd_packets: int = 4
    """Floor of ssthresh after a loss, and of the window after idle time (RFC 9260 section 7.2.3)."""
    max_cwnd_bytes: int = 64 * 1024 * 1024
    """Above it the window stops growing: a path without loss would let it grow without end."""
    max_burst_packets: int = 10
    """Packets beyond those just acknowledged that one SACK (or the end of idleness) may release: the initial window.
    RFC 9260 section 6.1 suggests 4, which assumes one acknowledgment at a time; drivers bring several together."""
    max_outstanding_chunks: int = 32_000
    """Gap blocks and stream sequence numbers have 16 bits: with fewer than 2**15 chunks in flight neither is
    ambiguous."""
    rto_initial: float = 0.5
    """RFC 9260 says 1 s. ICE and DTLS have just crossed the path, so half of it is cautious enough."""
    rto_min: float = 0.4
    """RFC 9260 says 1 s. Twice the delayed acknowledgment of 0.2 s, so that a delayed one never looks like a loss."""
    rto_max: float = 10.0
    """RFC 9260 says 60 s. People wait for what they see; ICE consent ends a dead path after 30 s anyway."""
    sack_delay: float = 0.2
    """RFC 9260 section 6.2."""
    immediate_sack_delay: float = 0.001
    """What an acknowledgment waits that the peer wants at once (RFC 7053): an application's answer, which comes within
    that time where it comes at once, takes it along, and half of all datagrams of a dialogue need not be sent."""
    sack_frequency: int = 2
    """An acknowledgment at the latest after this many packets with DATA."""
    max_init_retransmits: int = 8
    max_retransmits: int = 10
    """Consecutive time-outs after which the peer counts as gone (Association.Max.Retrans)."""
    heartbeat_interval: float = 30.0
    """A heartbeat after this much silence plus one RTO; 0 sends none."""
    cookie_lifetime: float = 60.0
    close_timeout: float = 1.0
    """`close` waits this long for the graceful end, then aborts."""
    shutdown_timeout: float = 50.0
    """`shutdown` is given this long: T5-shutdown-guard, five times RTO.Max (RFC 9260 section 9.2)."""
    max_control_packets: int = 16
    """Answers (INIT ACK, HEARTBEAT ACK, ERROR ...) waiting to be sent; more are dropped: the peer asks again."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE
    packet_log: PacketLog | None = None
    """Gets every packet in the plain."""

    def __post_init__(self) -> None:
        for name in ("local_port", "remote_port", "outbound_streams", "inbound_streams"):
            if not 0 < getattr(self, name) <= 65535:
                raise InvalidArgumentError(f"{name} is 1 to 65535, got {getattr(self, name)}")
        if not 508 <= self.mtu <= 65000:
            raise InvalidArgumentError(f"mtu is 508 to 65000 bytes, got {self.mtu}")
        if self.receive_window_bytes < 1500:
            raise InvalidArgumentError(f"receive_window_bytes is at least 1500, got {self.receive_window_bytes}")
        if not 0 < self.rto_min <= self.rto_initial <= self.rto_max:
            raise InvalidArgumentError("0 < rto_min <= rto_initial <= rto_max must hold")
        for name in ("send_buffer_bytes", "max_message_bytes", "sack_frequency", "max_burst_packets"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} is at least 1, got {getattr(self, name)}")
        for name in ("initial_cwnd_packets", "min_cwnd_packets", "max_control_packets"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} is at least 1, got {getattr(self, name)}")
        if not 0 < self.max_outstanding_chunks < 32_768:
            raise InvalidArgumentError(f"max_outstanding_chunks is below 2**15, got {self.max_outstanding_chunks}")
        for name in (
            "sack_delay",
            "immediate_sack_delay",
            "heartbeat_interval",
            "cookie_lifetime",
            "close_timeout",
            "shutdown_timeout",
        ):
            if getattr(self, name) < 0:
                raise InvalidArgumentError(f"{name} is in seconds and not negative, got {getattr(self, name)}")


@dataclass(slots=True)
class SctpCounters:
    """What an association has done so far."""

    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    data_chunks_sent: int = 0
    data_chunks_received: int = 0
    data_chunks_retransmitted: int = 0
    data_chunks_duplicate: int = 0
    messages_sent: int = 0
    """Handed to the network completely for the first time."""
    messages_received: int = 0
    messages_abandoned: int = 0
    sacks_sent: int = 0
    sacks_received: int = 0
    fast_retransmits: int = 0
    probes: int = 0
    """Tail loss probes."""
    timeouts: int = 0
    """T3-rtx expirations."""
    forward_tsns_sent: int = 0
    forward_tsns_received: int = 0
    heartbeats_sent: int = 0
    streams_reset: int = 0
    streams_reset_by_peer: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpSnapshot:
    """An association at one moment. Bytes unless said otherwise; `srtt`, `rttvar` and `rto` in seconds."""

    state: AssociationState
    cwnd: int
    ssthresh: int
    partial_bytes_acked: int
    flight_bytes: int
    outstanding_chunks: int
    """Chunks sent and not yet acknowledged by the cumulative TSN."""
    peer_rwnd: int
    local_rwnd: int
    buffered_bytes: int
    """Accepted by `send`, not yet sent for the first time."""
    reassembly_bytes: int
    unreleased_bytes: int
    srtt: float | None
    rttvar: float | None
    rto: float
    outbound_streams: int
    inbound_streams: int
    mtu: int
