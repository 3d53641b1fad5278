"""Retransmission in a stream of its own, both ways, and the bounded history that it draws from.

The history keeps packets as values in plain text (never SRTP), because the retransmission is protected anew. It is
bounded by packets, bytes and age, and answers each packet at most once a round trip: a peer that asks a hundred times
gets one. Retransmissions are limited to a share of what was sent, so that NACKs cannot be used to multiply traffic.

Spec: RFC 4588 sections 4 (original sequence number in front of the payload), 5 (one SSRC of its own, SSRC
multiplexing), 8.1 (apt). Left out: session multiplexing (section 5.2), which WebRTC never uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...base import SYSTEM_ENTROPY, Drops, Entropy, Instant, Unwrapper, random_u16
from ...errors import InvalidArgumentError
from ..packets import RtpPacket


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryConfig:
    """Limits of the packets kept for retransmission."""

    max_packets: int = 2048
    """Two to three seconds of video at 8 Mbit/s."""
    max_bytes: int = 4 * 1024 * 1024
    max_age: float = 3.0
    """Seconds; a receiver that gives up after two cannot use older ones."""
    min_interval: float = 0.01
    """Seconds between two retransmissions of one packet, when the RTT is shorter or unknown."""
    budget_ratio: float = 1.0
    """Retransmitted bytes allowed per byte of media; 1 doubles the rate at worst."""
    budget_bytes: int = 256 * 1024
    """How much unused budget is saved up: a burst of loss at the start is answered."""

    def __post_init__(self) -> None:
        if self.max_packets < 1 or self.max_bytes < 1 or self.max_age <= 0 or self.budget_bytes < 0:
            raise InvalidArgumentError("a history has room for one packet at least, and a positive max_age")
        if self.max_packets > 1 << 15:
            raise InvalidArgumentError("max_packets is at most 32768: more cannot be told apart by 16 bits")
        if self.budget_ratio < 0 or self.min_interval < 0:
            raise InvalidArgumentError("budget_ratio and min_interval are not negative")


class _Kept:
    __slots__ = ("last_sent", "packet", "sent_at", "size")

    def __init__(self, packet: RtpPacket, sent_at: Instant, size: int) -> None:
        self.packet = packet
        self.sent_at = sent_at
        self.last_sent = sent_at
        self.size = size


class SentHistory:
    """The last packets of one sent stream, by sequence number."""

    __slots__ = ("_budget", "_config", "_kept", "_unwrapper", "bytes_kept", "drops")

    def __init__(self, config: HistoryConfig | None = None) -> None:
        self._config = config or HistoryConfig()
        self._kept: dict[int, _Kept] = {}
        self._unwrapper = Unwrapper(16)
        self._budget = float(self._config.budget_bytes)
        self.bytes_kept = 0
        self.drops = Drops()
        """Requests not answered: `unknown`, `too_soon`, `budget`."""

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, packet: RtpPacket, now: Instant) -> None:
        """Keeps a packet as sent. It must not be changed afterwards; the oldest go when a limit is met."""
        config = self._config
        size = len(packet.payload) + 12
        self._budget = min(self._budget + size * config.budget_ratio, float(config.budget_bytes))
        index = self._unwrapper.unwrap(packet.sequence_number)
        before = self._kept.pop(index, None)
        if before is not None:
            self.bytes_kept -= before.size
        self._kept[index] = _Kept(packet, now, size)
        self.bytes_kept += size
        while self._kept:
            oldest = next(iter(self._kept))
            entry = self._kept[oldest]
            if (
                len(self._kept) <= config.max_packets
                and self.bytes_kept <= config.max_bytes
                and now - entry.sent_at <= config.max_age
            ):
                break
            del self._kept[oldest]
            self.bytes_kept -= entry.size

    def take(self, sequence_number: int, now: Instant, rtt: float | None = None) -> RtpPacket | None:
        """The packet asked for, if it is here and its turn has come; counts as retransmitted. Do not change it."""
        entry = self._kept.get(self._unwrapper.peek(sequence_number))
        if entry is None or now - entry.sent_at > self._config.max_age:
            self.drops.add("unknown")
            return None
        first = entry.last_sent == entry.sent_at
        wait = self._config.min_interval if first or rtt is None else max(rtt * 0.75, self._config.min_interval)
        if not first and now - entry.last_sent < wait:
            self.drops.add("too_soon")
            return None
        if entry.size > self._budget:
            self.drops.add("budget")
            return None
        self._budget -= entry.size
        entry.last_sent = max(now, entry.sent_at + 1e-9)  # differs from sent_at: no longer the first time
        return entry.packet


@dataclass(frozen=True, slots=True, kw_only=True)
class RtxConfig:
    """The RTX stream beside a media stream, as signalled."""

    ssrc: int
    payload_types: Mapping[int, int]
    """Payload type of the media -> payload type of its RTX (the other way round than `apt` says it)."""
    entropy: Entropy = SYSTEM_ENTROPY


class RtxSender:
    """Answers NACKs: from the history into packets of the RTX stream."""

    __slots__ = ("_config", "bytes_sent", "history", "packets_sent", "sequence_number")

    def __init__(self, config: RtxConfig, history: SentHistory | None = None) -> None:
        self._config = config
        self.history = SentHistory() if history is None else history
        self.sequence_number = random_u16(config.entropy.fork(f"rtx {config.ssrc}")) & 0x7FFF
        self.packets_sent = 0
        self.bytes_sent = 0

    def sent(self, packet: RtpPacket, now: Instant) -> None:
        """Takes note of a media packet that left."""
        self.history.add(packet, now)

    def answer(self, lost: Iterable[int], now: Instant, rtt: float | None = None) -> list[RtpPacket]:
        """The packets to send for a NACK's `lost` numbers; those not there, or asked for too often, are left out."""
        found = []
        for number in lost:
            packet = self.history.take(number, now, rtt)
            if packet is None:
                continue
            payload_type = self._config.payload_types.get(packet.payload_type)
            if payload_type is None:
                self.history.drops.add("no_rtx_payload_type")
                continue
            found.append(wrap(packet, self._config.ssrc, payload_type, self.sequence_number))
            self.sequence_number = (self.sequence_number + 1) & 0xFFFF
            self.packets_sent += 1
            self.bytes_sent += len(packet.payload) + 2
        return found


def wrap(packet: RtpPacket, ssrc: int, payload_type: int, sequence_number: int) -> RtpPacket:
    """The RTX packet for `packet`: its own numbers, the original one in front of the payload. Padding is not kept."""
    out = RtpPacket.parse(packet.serialize()) if packet.padding == 0 else _unpadded(packet)
    out.extension_map = packet.extension_map
    out.ssrc = ssrc
    out.payload_type = payload_type
    out.payload = packet.sequence_number.to_bytes(2, "big") + packet.payload
    out.sequence_number = sequence_number
    return out


def _unpadded(packet: RtpPacket) -> RtpPacket:
    out = RtpPacket.parse(packet.serialize())
    out.padding = 0
    return out


class RtxSource(NamedTuple):
    """What an RTX stream repairs: the media's SSRC, and RTX payload type -> media payload type (`apt`)."""

    media_ssrc: int
    apt: Mapping[int, int]


class RtxReceiver:
    """Turns packets of RTX streams back into the original ones. Associations come from signalling (FID, RRID)."""

    __slots__ = ("_max_sources", "_sources", "drops", "packets_received", "padding_received")

    def __init__(self, *, max_sources: int = 256) -> None:
        self._max_sources = max_sources
        self._sources: dict[int, RtxSource] = {}
        self.packets_received = 0
        self.padding_received = 0
        """RTX packets with nothing inside: padding that a sender's bandwidth probe sends."""
        self.drops = Drops()

    def associate(self, rtx_ssrc: int, media_ssrc: int, apt: Mapping[int, int]) -> None:
        """Says what `rtx_ssrc` repairs. Errors: `InvalidArgumentError` when the table is full or both are one."""
        if rtx_ssrc == media_ssrc:
            raise InvalidArgumentError("an RTX stream has an SSRC of its own")
        if rtx_ssrc not in self._sources and len(self._sources) >= self._max_sources:
            raise InvalidArgumentError(f"{self._max_sources} RTX streams are known, max_sources allows no more")
        self._sources[rtx_ssrc] = RtxSource(media_ssrc, dict(apt))

    def forget(self, rtx_ssrc: int) -> None:
        self._sources.pop(rtx_ssrc, None)

    def __contains__(self, ssrc: int) -> bool:
        return ssrc in self._sources

    def unwrap(self, packet: RtpPacket) -> RtpPacket | None:
        """The original packet; None for padding, and (counted) for what cannot be one. The argument is not changed."""
        source = self._sources.get(packet.ssrc)
        if source is None:
            self.drops.add("unknown_ssrc")
            return None
        payload_type = source.apt.get(packet.payload_type)
        if payload_type is None:
            self.drops.add("unknown_payload_type")
            return None
        if len(packet.payload) < 2:
            if packet.payload:
                self.drops.add("too_short")
            else:
                self.padding_received += 1
            return None
        if len(packet.payload) == 2:  # Chrome's padding carries an original number and nothing else
            self.padding_received += 1
            return None
        self.packets_received += 1
        out = RtpPacket(
            payload_type=payload_type,
            sequence_number=int.from_bytes(packet.payload[:2], "big"),
            timestamp=packet.timestamp,
            ssrc=source.media_ssrc,
            marker=packet.marker,
            csrcs=packet.csrcs,
            payload=packet.payload[2:],
            extension_map=packet.extension_map,
        )
        out.extensions = packet.extensions
        return out
