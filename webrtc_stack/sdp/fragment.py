"""SDP fragments that carry trickled candidates: `application/trickle-ice-sdpfrag`.

Spec: RFC 8840 section 9 (grammar), RFC 9725 section 4.3 (its use in WHIP). A fragment is a few session-level
attributes and then media sections whose `m=` line is a stand-in: only `a=mid` says which section is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Candidate, IceParameters
from ..errors import SdpParseError
from .description import MediaDescription, read_sections
from .fields import MediaLine
from .line import DEFAULT_LIMITS, Attribute, SdpLimits
from .section import Section, candidate_line, ice_lines, serialize_lines

MEDIA_TYPE = "application/trickle-ice-sdpfrag"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpFragment(Section):
    """Session-level attributes and pseudo media sections, in order."""

    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, text: str, limits: SdpLimits = DEFAULT_LIMITS) -> SdpFragment:
        """Reads a fragment. Errors: `SdpParseError` with the line."""
        session, media = read_sections(text, limits)
        if any(not isinstance(line, Attribute) for line in session.lines):
            raise SdpParseError("a fragment holds attributes and media sections only", line=1)
        return cls(lines=session.lines, line_numbers=session.line_numbers, media=media)

    @classmethod
    def of(
        cls,
        ice: IceParameters,
        mid: str,
        candidates: tuple[Candidate, ...] = (),
        *,
        end_of_candidates: bool = False,
        kind: str = "audio",
    ) -> SdpFragment:
        """The fragment that trickles `candidates` of one section."""
        head = MediaLine(kind=kind, port=9, protocol="RTP/AVP", formats=("0",))
        lines = [Attribute("mid", mid), *map(candidate_line, candidates)]
        if end_of_candidates:
            lines.append(Attribute("end-of-candidates"))
        return cls(lines=ice_lines(ice), media=(MediaDescription(media=head, lines=tuple(lines)),))

    def ice_parameters(self, media: MediaDescription) -> IceParameters | None:
        """The credentials of the generation that the candidates of `media` belong to."""
        ufrag, pwd = media.ice_ufrag or self.ice_ufrag, media.ice_pwd or self.ice_pwd
        if not ufrag or not pwd:
            return None
        return IceParameters(ufrag=ufrag, pwd=pwd, lite=self.has("ice-lite"), options=self.ice_options)

    def serialize(self) -> str:
        """The fragment as text, lines ended by CRLF."""
        head = "".join(line + "\r\n" for line in serialize_lines(self.lines))
        return head + "".join(media.serialize() for media in self.media)
