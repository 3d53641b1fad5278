"""The sections of a session and the encodings that they send, by handle and by SSRC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import InvalidAccessError, InvalidArgumentError
from ..parameters import Encoding, MediaKind, SourceIds, TransceiverHandle
from .config import MediaConfig
from .outbound import Outbound
from .plan import MediaSectionPlan
from .section import Section


class SectionTable:
    """What `configure` keeps. The dictionaries by SSRC stay the same objects: others hold them."""

    __slots__ = ("_config", "by_rtx_ssrc", "by_ssrc", "encodings", "ordered", "sections")

    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        self.sections: dict[TransceiverHandle, Section] = {}
        self.encodings: dict[TransceiverHandle, list[Outbound]] = {}
        self.by_ssrc: dict[int, Outbound] = {}
        self.by_rtx_ssrc: dict[int, Outbound] = {}
        self.ordered: list[Outbound] = []
        """Audio first: it is small, and late sound is heard."""

    def __iter__(self) -> Iterator[Section]:
        return iter(self.sections.values())

    def configure(self, media: Sequence[MediaSectionPlan]) -> list[Outbound]:
        """Takes the whole truth. Returns: the encodings that are no more.

        Errors: `InvalidArgumentError` for more sections than `max_sections`; nothing has changed then.
        """
        plans = {plan.transceiver: plan for plan in media if plan.rtp is not None and plan.transceiver is not None}
        if len(plans) > self._config.max_sections:
            raise InvalidArgumentError(f"{len(plans)} sections, max_sections is {self._config.max_sections}")
        gone: list[Outbound] = []
        for handle in [one for one in self.sections if one not in plans]:
            gone += self.encodings.pop(handle, [])
            del self.sections[handle]
        for handle, plan in plans.items():
            gone += self._configure(handle, plan)
        self.sections = {handle: self.sections[handle] for handle in plans}
        self._index()
        return gone

    def _configure(self, handle: TransceiverHandle, plan: MediaSectionPlan) -> list[Outbound]:
        rtp = plan.rtp
        assert rtp is not None
        section = self.sections.get(handle)
        if section is None:
            section = Section(handle, plan.mid, MediaKind(plan.kind), rtp, self._config)
            self.sections[handle] = section
        else:
            section.update(plan.mid, rtp)
        before = {outbound.planned: outbound for outbound in self.encodings.get(handle, ())}
        encodings = []
        for number, ids in enumerate(rtp.sources):
            encoding = rtp.encodings[number] if number < len(rtp.encodings) else Encoding()
            outbound = before.pop(ids, None)
            if outbound is None:
                outbound = Outbound(section, number, ids, encoding, self._config)
            else:
                outbound.number = number
                outbound.renegotiated(encoding)
            encodings.append(outbound)
        self.encodings[handle] = encodings
        return list(before.values())

    def _index(self) -> None:
        self.by_ssrc.clear()
        self.by_rtx_ssrc.clear()
        every = [one for encodings in self.encodings.values() for one in encodings]
        for outbound in every:
            self.by_ssrc[outbound.ids.ssrc] = outbound
            if outbound.ids.rtx_ssrc is not None:
                self.by_rtx_ssrc[outbound.ids.rtx_ssrc] = outbound
        self.ordered = sorted(every, key=lambda one: one.video)

    def knows(self, ssrc: int) -> bool:
        """Whether it is one of ours."""
        return ssrc in self.by_ssrc or ssrc in self.by_rtx_ssrc

    def rename(self, outbound: Outbound, ids: SourceIds) -> None:
        """Gives an encoding other SSRCs: a new source takes its place, or its retransmissions alone change."""
        if ids.ssrc == outbound.ids.ssrc:
            assert ids.rtx_ssrc is not None
            outbound.rename_repairs(ids.rtx_ssrc)
        else:
            encodings = self.encodings[outbound.section.handle]
            encodings[encodings.index(outbound)] = outbound.successor(ids)
        self._index()

    def section(self, handle: TransceiverHandle) -> Section:
        """Errors: `InvalidAccessError` for a handle that no section has."""
        section = self.sections.get(handle)
        if section is None:
            raise InvalidAccessError(f"transceiver {handle} has no section in this session")
        return section

    def encoding(self, handle: TransceiverHandle, rid: str | None) -> Outbound | None:
        """The encoding called `rid` (None: the first), or None before negotiation gave the section any.

        Errors: `InvalidAccessError` for a handle without a section, or for a rid that it does not send.
        """
        self.section(handle)
        encodings = self.encodings.get(handle)
        if not encodings:
            return None
        if rid is None:
            return encodings[0]
        for outbound in encodings:
            if outbound.rid == rid:
                return outbound
        known = [one.rid for one in encodings if one.rid is not None]
        raise InvalidAccessError(f"no encoding is called {rid!r}; this section sends {known or 'one without a name'}")
