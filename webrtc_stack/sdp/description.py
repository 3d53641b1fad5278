"""A session description: text to values and back.

Spec: RFC 8866. The text needs `v=0` first and a readable `o=`; everything else is kept as it comes. `s=` and `t=` may
be missing, and lines may stand in an unusual order: enough programs write such text.
Left out: decoding of `charset` other than UTF-8; the folding of long lines that printed RFCs show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..base import DtlsParameters, Fingerprint, IceParameters, SctpParameters, SetupRole
from ..errors import InvalidArgumentError, SdpParseError
from .fields import MediaLine, Origin, Timing
from .line import DEFAULT_LIMITS, Attribute, Line, SdpLimits, read_line, split_lines
from .rtp_values import (
    Crypto,
    Direction,
    ExtMap,
    Fmtp,
    Msid,
    MsidSemantic,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    Ssrc,
    SsrcGroup,
)
from .section import Section, serialize_lines
from .transport_values import Group, RemoteCandidates, Rtcp, SctpMap, parse_fingerprint, parse_setup
from .values import number

DEFAULT_SCTP_PORT = 5000
DEFAULT_MAX_MESSAGE_SIZE = 65536
"""What an absent `a=max-message-size` means (RFC 8841 section 6.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription(Section):
    """One media section: its `m=` line and what follows. White space in `m=` is written as single spaces."""

    media: MediaLine

    @property
    def kind(self) -> str:
        """`audio`, `video`, `application`, or whatever `m=` names."""
        return self.media.kind

    @property
    def port(self) -> int:
        return self.media.port

    @property
    def protocol(self) -> str:
        return self.media.protocol

    @property
    def formats(self) -> tuple[str, ...]:
        return self.media.formats

    @property
    def mid(self) -> str | None:
        """`a=mid` (RFC 5888); None if it is missing or empty."""
        return self.text("mid") or None

    @property
    def bundle_only(self) -> bool:
        """True for a section that exists only inside its BUNDLE group (RFC 9143 section 6)."""
        return self.has("bundle-only")

    @property
    def rejected(self) -> bool:
        """True if the port is 0 and that is not the port 0 of a bundle-only section in an offer."""
        return self.port == 0 and not self.bundle_only

    @property
    def rtcp_mux(self) -> bool:
        return self.has("rtcp-mux")

    @property
    def rtpmaps(self) -> tuple[RtpMap, ...]:
        return self.values(RtpMap)

    @property
    def fmtps(self) -> tuple[Fmtp, ...]:
        return self.values(Fmtp)

    @property
    def rtcp_feedback(self) -> tuple[RtcpFeedback, ...]:
        return self.values(RtcpFeedback)

    @property
    def extmaps(self) -> tuple[ExtMap, ...]:
        return self.values(ExtMap)

    @property
    def ssrcs(self) -> tuple[Ssrc, ...]:
        return self.values(Ssrc)

    @property
    def ssrc_groups(self) -> tuple[SsrcGroup, ...]:
        return self.values(SsrcGroup)

    @property
    def msids(self) -> tuple[Msid, ...]:
        return self.values(Msid)

    @property
    def rids(self) -> tuple[Rid, ...]:
        return self.values(Rid)

    @property
    def simulcast(self) -> Simulcast | None:
        return self.value(Simulcast)

    @property
    def sctp_port(self) -> int | None:
        """`a=sctp-port`, or the port of the older `a=sctpmap` and `m=… DTLS/SCTP 5000`; None if nothing says one.

        Errors: `SdpParseError`.
        """
        port = self.read("sctp-port", lambda text: number(text.strip(), 65535, "sctp-port"))
        if port is None:
            old = self.value(SctpMap)
            port = old.port if old is not None else None
        if port is None and self.formats and self.formats[0].isdecimal():
            port = number(self.formats[0], 65535, "m= sctp port")
        return port

    @property
    def max_message_size(self) -> int | None:
        """`a=max-message-size` in bytes, 0 for no limit, None if absent. Errors: `SdpParseError`."""
        return self.read("max-message-size", lambda text: number(text.strip(), 2**64 - 1, "max-message-size"))

    @property
    def sctp_parameters(self) -> SctpParameters:
        """Port and message limit with the defaults for what is not written. Errors: `SdpParseError`."""
        port, limit = self.sctp_port, self.max_message_size
        return SctpParameters(
            port=DEFAULT_SCTP_PORT if port is None else port,
            max_message_size=DEFAULT_MAX_MESSAGE_SIZE if limit is None else limit,
        )

    def with_port(self, port: int) -> MediaDescription:
        """The section with another port in `m=`."""
        return replace(self, media=replace(self.media, port=port))

    def serialize(self) -> str:
        """The section as text, lines ended by CRLF."""
        return "\r\n".join((f"m={self.media.serialize()}", *serialize_lines(self.lines), ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription(Section):
    """A whole description: the session's lines (`v=` to the last before the first `m=`) and the media sections."""

    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, text: str, limits: SdpLimits = DEFAULT_LIMITS) -> SessionDescription:
        """Reads a description. Errors: `SdpParseError` with the line. Cost: linear in the text."""
        session, media = read_sections(text, limits)
        if not session.lines or session.lines[0].serialize() != "v=0":
            raise SdpParseError("a description begins with v=0", line=1)
        description = cls(lines=session.lines, line_numbers=session.line_numbers, media=media)
        origin = description.field("o")
        if origin is None:
            raise SdpParseError("there is no o= line before the first media section")
        Origin.parse(origin)
        return description

    @classmethod
    def create(cls, origin: Origin, *, name: str = "-") -> SessionDescription:
        """A description with `v= o= s= t=` and nothing else. Spec: RFC 9429 section 5.2.1."""
        if not name:
            raise InvalidArgumentError("the session name is empty; write '-' for none")
        lines = (
            read_line("v", "0"),
            read_line("o", origin.serialize()),
            read_line("s", name),
            read_line("t", Timing().serialize()),
        )
        return cls(lines=lines)

    def serialize(self) -> str:
        """The description as text, lines ended by CRLF; what was parsed comes back as it was."""
        return "\r\n".join((*serialize_lines(self.lines), "")) + "".join(media.serialize() for media in self.media)

    def __str__(self) -> str:
        return self.serialize()

    # --- session lines ----------------------------------------------------------------------------------------------

    @property
    def origin(self) -> Origin:
        """`o=`. Errors: `SdpParseError` for a description built without one."""
        text = self.field("o")
        if text is None:
            raise SdpParseError("there is no o= line")
        return Origin.parse(text)

    @property
    def session_name(self) -> str:
        return self.field("s") or ""

    @property
    def timings(self) -> tuple[Timing, ...]:
        return tuple(Timing.parse(text) for text in self.fields("t"))

    @property
    def ice_lite(self) -> bool:
        return self.has("ice-lite")

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every `a=group`. Errors: `SdpParseError`."""
        return self.values(Group)

    @property
    def bundles(self) -> tuple[tuple[str, ...], ...]:
        """The mids of each BUNDLE group that is not empty. Errors: `SdpParseError`."""
        return tuple(group.mids for group in self.groups if group.semantics == "BUNDLE" and group.mids)

    def media_by_mid(self, mid: str) -> MediaDescription | None:
        """The first section with this mid."""
        return next((media for media in self.media if media.mid == mid), None)

    # --- what holds for a section, from its own lines or the session's ------------------------------------------------

    def ice_parameters(self, media: MediaDescription) -> IceParameters | None:
        """The ICE credentials that hold for `media`; None unless both are given.

        Spec: RFC 8839 sections 5.3 to 5.6: either level, the section's own first.
        """
        ufrag = media.ice_ufrag or self.ice_ufrag
        pwd = media.ice_pwd or self.ice_pwd
        if not ufrag or not pwd:
            return None
        options = tuple(dict.fromkeys((*self.ice_options, *media.ice_options)))
        return IceParameters(ufrag=ufrag, pwd=pwd, lite=self.ice_lite, options=options)

    def fingerprints_of(self, media: MediaDescription) -> tuple[Fingerprint, ...]:
        """The fingerprints that hold for `media`: its own, or else the session's (RFC 8122 section 5)."""
        return media.fingerprints or self.fingerprints

    def dtls_parameters(
        self, media: MediaDescription, default_setup: SetupRole = SetupRole.ACTPASS
    ) -> DtlsParameters | None:
        """Role, fingerprints and tls-id that hold for `media`; None without a fingerprint. Errors: `SdpParseError`."""
        fingerprints = self.fingerprints_of(media)
        if not fingerprints:
            return None
        return DtlsParameters(
            setup=media.setup or self.setup or default_setup,
            fingerprints=fingerprints,
            tls_id=media.tls_id or self.tls_id,
        )

    def direction_of(self, media: MediaDescription) -> Direction:
        """The direction that holds for `media`: its own, the session's, or `sendrecv` (RFC 8866 section 6.7)."""
        return media.direction or self.direction or Direction.SENDRECV

    # --- editing and checking ---------------------------------------------------------------------------------------

    def with_media(self, index: int, media: MediaDescription) -> SessionDescription:
        """The description with section `index` replaced."""
        return replace(self, media=(*self.media[:index], media, *self.media[index + 1 :]))

    def with_origin(self, origin: Origin) -> SessionDescription:
        return self.with_field("o", origin.serialize())

    def problems(self) -> list[SdpParseError]:
        """Every known attribute and line whose text is not of its form, in the order of the text.

        A description with problems is still usable where they are not needed; this is for tools and people.
        """
        found: list[SdpParseError] = []
        sections: tuple[Section, ...] = (self, *self.media)
        for section in sections:
            for index, line in enumerate(section.lines):
                if not isinstance(line, Attribute):
                    continue
                reader = _READERS.get(line.name)
                if reader is None:
                    continue
                try:
                    reader(line.text or "")
                except SdpParseError as error:
                    found.append(section.located(error, index))
        return found


def read_sections(text: str, limits: SdpLimits) -> tuple[Section, tuple[MediaDescription, ...]]:
    """The lines before the first `m=`, and the media sections. Errors: `SdpParseError`."""
    lines: list[Line] = []
    media: list[MediaDescription] = []
    head: MediaLine | None = None
    session: Section | None = None
    numbers: list[int] = []

    def close() -> None:
        nonlocal session
        if head is None:
            session = Section(lines=tuple(lines), line_numbers=tuple(numbers))
        else:
            media.append(MediaDescription(media=head, lines=tuple(lines), line_numbers=tuple(numbers)))

    for at, letter, rest in split_lines(text, limits):
        if letter != "m":
            lines.append(read_line(letter, rest))
            numbers.append(at)
            continue
        close()
        if len(media) >= limits.max_media:
            raise SdpParseError(f"more than {limits.max_media} media sections", line=at)
        try:
            head = MediaLine.parse(rest)
        except SdpParseError as error:
            raise SdpParseError(str(error), line=at) from error
        lines, numbers = [], []
    close()
    return session or Section(), tuple(media)


_READERS = {
    **{
        kind.NAME: kind.parse
        for kind in (
            Crypto,
            ExtMap,
            Fmtp,
            Group,
            Msid,
            MsidSemantic,
            RemoteCandidates,
            Rid,
            Rtcp,
            RtcpFeedback,
            RtpMap,
            SctpMap,
            Simulcast,
            Ssrc,
            SsrcGroup,
        )
    },
    "fingerprint": parse_fingerprint,
    "setup": parse_setup,
    "sctp-port": lambda text: number(text, 65535, "sctp-port"),
    "max-message-size": lambda text: number(text, 2**64 - 1, "max-message-size"),
}
