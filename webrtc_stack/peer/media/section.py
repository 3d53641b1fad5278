"""One media section: what was agreed, in the form in which packets ask for it.

A section outlives its plans: it is named by its transceiver, and a new plan changes its tables in place.
"""

from __future__ import annotations

from ...base import Instant
from ...sdp import Direction
from ..parameters import MediaKind, TransceiverHandle
from .codecs import PayloadTable
from .config import MediaConfig
from .header import ExtensionWriter, extension_map
from .plan import SectionPlan

_SENDING = frozenset({Direction.SENDRECV, Direction.SENDONLY})
_RECEIVING = frozenset({Direction.SENDRECV, Direction.RECVONLY})


class Section:
    """Tables of one section."""

    def __init__(self, handle: TransceiverHandle, mid: str, kind: MediaKind, plan: SectionPlan, config: MediaConfig):
        self.handle = handle
        self.kind = kind
        self.config = config
        self.muted = True
        self.deliver_packets = False
        self.deliver_frames = True
        self.deliver_playout = False
        self.keyframe_wanted = False
        """Asked for before any source was there."""
        self.created_sources = 0
        self.last_unmuted: Instant | None = None
        self.update(mid, plan)

    def update(self, mid: str, plan: SectionPlan) -> None:
        self.plan = plan
        self.mid = mid
        self.mid_bytes = mid.encode()
        self.may_send = plan.direction in _SENDING
        self.may_receive = plan.direction in _RECEIVING
        self.send = PayloadTable(plan.send_codecs)
        self.receive = PayloadTable(plan.receive_codecs)
        self.receive_map = extension_map(plan.receive_extensions, allow_mixed=plan.allow_mixed)
        self.writer = ExtensionWriter(extension_map(plan.send_extensions, allow_mixed=plan.allow_mixed))
        self.reader = ExtensionWriter(self.receive_map)
        """Identifiers of what arrives, by name."""
        reader = self.reader
        spoken = (reader.audio_level, reader.orientation, reader.capture_time, reader.playout_delay)
        self.frame_elements = frozenset(number for number in spoken if number is not None)
        """Identifiers of what tells something of a frame."""
        self.send_rids = plan.send_rids
        self.receive_rids = frozenset(plan.receive_rids)
        feedback = self.receive.feedback
        self.nack = "nack" in feedback
        self.fir_only = "ccm fir" in feedback and "nack pli" not in feedback
        self.keyframe_feedback = self.kind is MediaKind.VIDEO and bool(feedback & {"nack pli", "ccm fir"})
        self.transport_cc = "transport-cc" in feedback and self.reader.transport_cc is not None
