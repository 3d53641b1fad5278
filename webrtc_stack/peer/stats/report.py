"""A report: all statistics of a peer at one moment, by id.

Spec: W3C webrtc-pc section 8.3 (RTCStatsReport).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, overload

from .connection import (
    CertificateStats,
    DataChannelStats,
    IceCandidatePairStats,
    LocalCandidateStats,
    PeerConnectionStats,
    RemoteCandidateStats,
    TransportStats,
)
from .media import (
    AudioPlayoutStats,
    CodecStats,
    InboundRtpStreamStats,
    MediaSourceStats,
    OutboundRtpStreamStats,
    RemoteInboundRtpStreamStats,
    RemoteOutboundRtpStreamStats,
)
from .values import Stats


class StatsReport(Mapping[str, Stats]):
    """Statistics by id, in the order of W3C's types. Immutable."""

    __slots__ = ("_by_id", "timestamp")

    def __init__(self, stats: Iterable[Stats], *, timestamp: float) -> None:
        self._by_id = {one.id: one for one in stats}
        self.timestamp = timestamp
        """When it was taken, milliseconds since the Unix epoch."""

    def __getitem__(self, id: str) -> Stats:
        return self._by_id[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"<StatsReport of {len(self)} at {self.timestamp:.0f}>"

    @overload
    def of_type(self, type: Literal["codec"]) -> tuple[CodecStats, ...]: ...
    @overload
    def of_type(self, type: Literal["inbound-rtp"]) -> tuple[InboundRtpStreamStats, ...]: ...
    @overload
    def of_type(self, type: Literal["outbound-rtp"]) -> tuple[OutboundRtpStreamStats, ...]: ...
    @overload
    def of_type(self, type: Literal["remote-inbound-rtp"]) -> tuple[RemoteInboundRtpStreamStats, ...]: ...
    @overload
    def of_type(self, type: Literal["remote-outbound-rtp"]) -> tuple[RemoteOutboundRtpStreamStats, ...]: ...
    @overload
    def of_type(self, type: Literal["media-source"]) -> tuple[MediaSourceStats, ...]: ...
    @overload
    def of_type(self, type: Literal["media-playout"]) -> tuple[AudioPlayoutStats, ...]: ...
    @overload
    def of_type(self, type: Literal["peer-connection"]) -> tuple[PeerConnectionStats, ...]: ...
    @overload
    def of_type(self, type: Literal["data-channel"]) -> tuple[DataChannelStats, ...]: ...
    @overload
    def of_type(self, type: Literal["transport"]) -> tuple[TransportStats, ...]: ...
    @overload
    def of_type(self, type: Literal["candidate-pair"]) -> tuple[IceCandidatePairStats, ...]: ...
    @overload
    def of_type(self, type: Literal["local-candidate"]) -> tuple[LocalCandidateStats, ...]: ...
    @overload
    def of_type(self, type: Literal["remote-candidate"]) -> tuple[RemoteCandidateStats, ...]: ...
    @overload
    def of_type(self, type: Literal["certificate"]) -> tuple[CertificateStats, ...]: ...
    @overload
    def of_type(self, type: str) -> tuple[Stats, ...]: ...
    def of_type(self, type: str) -> tuple[Any, ...]:
        """Those of one type, named as W3C names it; an unknown one gives none."""
        return tuple(one for one in self._by_id.values() if one.type == type)

    @property
    def selected_candidate_pair(self) -> IceCandidatePairStats | None:
        """The pair that carries data; None without one."""
        for transport in self.of_type("transport"):
            pair = self._by_id.get(transport.selected_candidate_pair_id or "")
            if isinstance(pair, IceCandidatePairStats):
                return pair
        return None

    def selected(self, roots: Iterable[str]) -> StatsReport:
        """The statistics of these ids, with everything that they refer to, directly or through others.

        Spec: W3C webrtc-pc section 8.5 (the stats selection algorithm).
        """
        wanted = [id for id in roots if id in self._by_id]
        found = set(wanted)
        while wanted:
            one = self._by_id[wanted.pop()]
            for member in fields(one):
                target = getattr(one, member.name)
                if member.name.endswith("_id") and target in self._by_id and target not in found:
                    found.add(target)
                    wanted.append(target)
        return StatsReport((one for id, one in self._by_id.items() if id in found), timestamp=self.timestamp)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """A JSON-ready mapping by id, with W3C's names: what `Object.fromEntries(await pc.getStats())` is."""
        return {id: one.to_json() for id, one in self._by_id.items()}
