"""Collecting a report: every room's own counters become W3C's statistics.

Reading only: nothing is counted for statistics that its room does not count anyway, and nothing changes by asking.
Works in every state of a peer, after its end too.

Spec: W3C webrtc-pc section 8.2 (getStats), webrtc-stats sections 3 and 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import Instant
from ..parameters import TransceiverHandle
from . import ids
from .collect_connection import certificates, data_channels, ice, peer_connection, transport
from .collect_media import streams
from .overlays import NO_OVERLAYS, Overlays
from .report import StatsReport
from .times import WallClock
from .values import Stats

if TYPE_CHECKING:
    from ..core import PeerCore


def collect(core: PeerCore, overlays: Overlays = NO_OVERLAYS, now: Instant = 0.0) -> StatsReport:
    """All statistics of a peer at `now`.

    `overlays` is what the floors above know of encoders, decoders and tracks.
    Cost: linear in streams, channels and pairs; made for once a second, not for once a packet.
    """
    clock = WallClock(core.config.wall_epoch, now)
    stats: list[Stats] = []
    stats += streams(core.media, overlays, clock)
    stats += peer_connection(core, clock)
    stats += data_channels(core, clock)
    stats += transport(core, clock)
    stats += ice(core, overlays, clock)
    stats += certificates(core, clock)
    return StatsReport(stats, timestamp=clock.timestamp)


def collect_sender(
    core: PeerCore, handle: TransceiverHandle, overlays: Overlays = NO_OVERLAYS, now: Instant = 0.0
) -> StatsReport:
    """What concerns the sending half of a transceiver: its outbound streams, and all that they refer to.

    Spec: W3C webrtc-pc section 8.5, with a sender as the selector.
    """
    roots = [ids.outbound(one) for one in core.media.outbound() if one.handle == handle]
    return collect(core, overlays, now).selected(roots)


def collect_receiver(
    core: PeerCore, handle: TransceiverHandle, overlays: Overlays = NO_OVERLAYS, now: Instant = 0.0
) -> StatsReport:
    """What concerns the receiving half of a transceiver: its inbound streams, and all that they refer to.

    Spec: W3C webrtc-pc section 8.5, with a receiver as the selector.
    """
    roots = [ids.inbound(one) for one in core.media.inbound() if one.handle == handle]
    return collect(core, overlays, now).selected(roots)
