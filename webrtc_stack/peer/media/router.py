"""Which source a packet belongs to, and the bounded table of sources.

A known SSRC is one look-up. For another one, in this order: the section by `mid`; within it the layer by `rid`, or what
`repaired-rid` repairs; else the section that announced the SSRC; else the only section that receives this payload type.
A packet of a known SSRC that carries another mid moves the SSRC to that section.

Announced sources always have a place. Others share `max_learned_sources` places a section: a new one takes that of the
one silent longest, if it was silent for `learned_timeout`, and is refused otherwise.

Spec: RFC 8843 section 9.2 (associating RTP with sections), RFC 8852 section 3 (RID), RFC 4588 section 5.3 (RTX without
a signalled association: the one source there is, or the one that asked for what comes). Left out: MID in SDES,
outgoing SSRCs as a hint for RTCP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...base import Drops, Instant
from ...errors import ParseError
from ...rtp import RtpPacket, Uri, streams
from ...trace import Trace
from ..parameters import MediaKind, TransceiverHandle
from .config import MediaConfig
from .header import read_elements
from .inbound import Inbound
from .section import Section


class Repair:
    """An RTX stream."""

    def __init__(self, section: Section, ssrc: int, rid: str | None, *, announced: bool, now: Instant) -> None:
        self.section = section
        self.ssrc = ssrc
        self.rid = rid
        self.announced = announced
        self.heard_at = now
        self.received = streams.ReceivedStream(ssrc, streams.ReceiverConfig())
        self.target: Inbound | None = None
        self.candidates: Callable[[], list[Inbound]] = list
        """The sources that it may repair, while nothing says which: the first answer to what one has asked for does."""
        self.unwrapper = streams.RtxReceiver(max_sources=1)

    def aim(self, target: Inbound) -> None:
        """Says which source is repaired."""
        self.target = target
        target.rtx_ssrc = self.ssrc
        target.rtx_received = self.received
        self.unwrapper.associate(self.ssrc, target.ssrc, self.section.receive.rtx)

    def _recognise(self, packet: RtpPacket) -> Inbound | None:
        """The one source that waits for this answer; this stream repairs it from now on (RFC 4588 section 5.3)."""
        number = int.from_bytes(packet.payload[:2], "big")
        if len(packet.payload) <= 2:
            return None
        waiting = [one for one in self.candidates() if one.awaits(number)]
        if len(waiting) == 1:
            self.aim(waiting[0])
        return self.target

    def receive(
        self, burst: Iterable[bytes], now: Instant, twcc: streams.TwccReceiver | None, drops: Drops
    ) -> list[bytes]:
        """Takes packets of this SSRC. Returns: those that are no repairs, or belong to another section."""
        section = self.section
        reader, mapping = section.reader, section.receive_map
        mid, cc = reader.mid, reader.transport_cc
        types, mid_bytes = section.receive.rtx, section.mid_bytes
        self.heard_at = now
        target = self.target
        strangers: list[bytes] = []
        for data in burst:
            elements = read_elements(data)
            if data[1] & 0x7F not in types or (mid is not None and elements.get(mid, mid_bytes) != mid_bytes):
                strangers.append(data)
                continue
            if twcc is not None and cc is not None:
                wide = elements.get(cc)
                if wide is not None and len(wide) == 2:
                    twcc.receive(wide[0] << 8 | wide[1], self.ssrc, now)
            try:
                packet = RtpPacket.parse(data, mapping)
            except ParseError:
                drops.add("malformed")
                continue
            self.received.receive(packet, now)
            if target is None:
                target = self._recognise(packet)
            if target is None:
                drops.add("repair without a stream")
                continue
            target.heard_at = now
            target.header_bytes += len(data) - len(packet.payload)
            original = self.unwrapper.unwrap(packet)
            if original is not None:
                target.receive_repaired(original, now)
        return strangers


class Router:
    """The table of received sources."""

    def __init__(self, config: MediaConfig, trace: Trace, ended: Callable[[Inbound, str], None], drops: Drops) -> None:
        self._config = config
        self._trace = trace
        self._ended = ended
        self.drops = drops
        self.sources: dict[int, Inbound] = {}
        self.repairs: dict[int, Repair] = {}
        self._sections: list[Section] = []
        self._by_mid: dict[bytes, Section] = {}
        self._by_rid: dict[str, Section | None] = {}
        self._by_type: dict[int, Section | None] = {}
        self._announced: dict[int, tuple[Section, int | None]] = {}
        """SSRC -> section, and what it repairs if it is RTX."""
        self._ids: dict[str, int] = {}

    # --- configuration ----------------------------------------------------------------------------------------------

    def configure(self, sections: Iterable[Section]) -> None:
        """The sections of now; sources of others are forgotten."""
        self._sections = list(sections)
        self._by_mid = {section.mid_bytes: section for section in self._sections if section.mid}
        self._by_rid, self._by_type, self._announced, self._ids = {}, {}, {}, {}
        for section in self._sections:
            for rid in section.receive_rids:
                self._by_rid[rid] = None if rid in self._by_rid else section
            if section.may_receive:
                for number in (*section.receive.by_type, *section.receive.rtx):
                    self._by_type[number] = None if number in self._by_type else section
            for source in section.plan.remote_sources:
                self._announced.setdefault(source.ssrc, (section, None))
                if source.rtx_ssrc is not None:
                    self._announced.setdefault(source.rtx_ssrc, (section, source.ssrc))
            for uri in (Uri.MID, Uri.RID, Uri.REPAIRED_RID):
                identifier = section.receive_map.id(uri)
                if identifier is not None:
                    self._ids.setdefault(uri, identifier)
        alive = set(map(id, self._sections))
        for inbound in list(self.sources.values()):
            if id(inbound.section) not in alive:
                self.forget(inbound, "removed")
                continue
            owner = self._announced.get(inbound.ssrc, (None, None))[0]
            announced = owner is inbound.section
            if not inbound.section.may_receive and (owner is None or announced):
                # It rests, and what it counted stays (W3C webrtc-stats section 6): descriptions need not name it now.
                self._ended(inbound, "direction")
                continue
            if inbound.announced and not announced:
                self.forget(inbound, "removed")
                continue
            inbound.announced = announced
        for repair in list(self.repairs.values()):
            if id(repair.section) not in alive:
                del self.repairs[repair.ssrc]
            elif repair.target is not None:
                repair.aim(repair.target)  # payload types may be others

    def knows(self, ssrc: int) -> bool:
        """Whether the peer uses it, as far as signalling or packets have told."""
        return ssrc in self.sources or ssrc in self.repairs or ssrc in self._announced

    def forget(self, inbound: Inbound, reason: str) -> None:
        """Takes a source, and what repairs it, out of the table."""
        self._ended(inbound, reason)
        self.sources.pop(inbound.ssrc, None)
        if inbound.rtx_ssrc is not None:
            self.repairs.pop(inbound.rtx_ssrc, None)

    # --- routing ----------------------------------------------------------------------------------------------------

    def route(self, ssrc: int, data: bytes, now: Instant) -> Inbound | Repair | None:
        """Whose packet this is, for an SSRC that is not in the table or a packet whose mid is another section's."""
        elements = read_elements(data)
        ids = self._ids
        mid = elements.get(ids.get(Uri.MID, 0))
        rid = _text(elements.get(ids.get(Uri.RID, 0)))
        repaired = _text(elements.get(ids.get(Uri.REPAIRED_RID, 0)))
        payload_type = data[1] & 0x7F
        announced = self._announced.get(ssrc)
        section: Section | None
        if mid is not None:
            section = self._by_mid.get(mid)
            if section is None:
                self.drops.add("unknown mid")
                return None
        elif rid is not None or repaired is not None:
            section = self._by_rid.get(rid or repaired or "")
            if section is None and announced is not None:
                section = announced[0]
        elif announced is not None:
            section = announced[0]
        else:
            section = self._by_type.get(payload_type)
        if section is None:
            self.drops.add("no section")
            return None
        if not section.may_receive:
            self.drops.add("direction")
            return None
        own = announced is not None and announced[0] is section
        is_rtx = payload_type in section.receive.rtx and payload_type not in section.receive.by_type
        if not is_rtx and payload_type not in section.receive.by_type:
            self.drops.add("payload type")
            return None
        if own and announced is not None and is_rtx != (announced[1] is not None):
            self.drops.add("payload type")  # signalling said what this SSRC is
            return None
        self.move_away(ssrc)
        if not own and not self._room(section, now):
            self.drops.add("too many sources")
            return None
        if is_rtx:
            repairs = announced[1] if own and announced is not None else None
            return self._admit_repair(section, ssrc, repaired or rid, repairs, now, announced=own)
        if rid is not None and section.receive_rids and rid not in section.receive_rids:
            self.drops.add("unknown rid")
            return None
        return self._admit(section, ssrc, rid, now, announced=own)

    def move_away(self, ssrc: int) -> None:
        """The SSRC is another section's from now on."""
        before = self.sources.get(ssrc)
        if before is not None:
            self.forget(before, "moved")
        self.repairs.pop(ssrc, None)

    def _room(self, section: Section, now: Instant) -> bool:
        learned: list[Inbound | Repair] = [
            one
            for table in (self.sources, self.repairs)
            for one in table.values()
            if one.section is section and not one.announced
        ]
        if len(learned) < self._config.max_learned_sources:
            return True
        oldest = min(learned, key=_heard_at, default=None)
        if oldest is None or now - oldest.heard_at < self._config.learned_timeout:
            return False
        if isinstance(oldest, Inbound):
            self.forget(oldest, "evicted")
        else:
            self.repairs.pop(oldest.ssrc, None)
        return True

    def _admit(self, section: Section, ssrc: int, rid: str | None, now: Instant, *, announced: bool) -> Inbound:
        inbound = Inbound(section, ssrc, rid, self._config, now, announced=announced)
        self.sources[ssrc] = inbound
        for source in section.plan.remote_sources:
            if source.ssrc == ssrc:
                inbound.cname = source.cname or ""
        for repair in self.repairs.values():
            if repair.section is section and repair.target is None and self._target(repair) is inbound:
                repair.aim(inbound)
        if self._trace:
            self._trace.event(now, "source_appeared", ssrc=ssrc, mid=section.mid, rid=rid or "", announced=announced)
        return inbound

    def _admit_repair(
        self, section: Section, ssrc: int, rid: str | None, repairs: int | None, now: Instant, *, announced: bool
    ) -> Repair:
        repair = Repair(section, ssrc, rid, announced=announced, now=now)
        self.repairs[ssrc] = repair
        repair.candidates = lambda: self._unrepaired(repair)
        target = self.sources.get(repairs) if repairs is not None else self._target(repair)
        if target is not None:
            repair.aim(target)
        return repair

    def _target(self, repair: Repair) -> Inbound | None:
        """What an RTX stream repairs: as announced, by its rid, or the only source that has no repair yet."""
        announced = self._announced.get(repair.ssrc)
        if announced is not None and announced[1] is not None:
            return self.sources.get(announced[1])
        found = [one for one in self.sources.values() if one.section is repair.section]
        if repair.rid is not None:
            found = [one for one in found if one.rid == repair.rid]
        alone = self._unrepaired(repair) or found
        return max(alone, key=_heard_at) if alone and (repair.rid is not None or len(alone) == 1) else None

    def _unrepaired(self, repair: Repair) -> list[Inbound]:
        return [
            one
            for one in self.sources.values()
            if one.section is repair.section and one.rtx_ssrc is None and repair.rid in (None, one.rid)
        ]

    # --- time -------------------------------------------------------------------------------------------------------

    def sweep(self, now: Instant) -> None:
        """Sources that fell silent end; they keep their place, and begin again with their next packet."""
        for inbound in list(self.sources.values()):
            if inbound.active and inbound.heard_at + self._config.silence_timeout <= now:
                self._ended(inbound, "timeout")

    def of(self, handle: TransceiverHandle, rid: str | None = None) -> list[Inbound]:
        """The sources of a section, or of one layer."""
        return [
            one for one in self.sources.values() if one.section.handle == handle and (rid is None or one.rid == rid)
        ]

    @property
    def has_video(self) -> bool:
        return any(section.kind is MediaKind.VIDEO for section in self._sections)


def _heard_at(one: Inbound | Repair) -> Instant:
    return one.heard_at


def _text(data: bytes | None) -> str | None:
    """A rid as text. What is not ASCII is as good as none."""
    return None if not data else data.decode("ascii", "replace")
