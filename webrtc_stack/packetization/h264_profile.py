"""H.264 `profile-level-id`: what it means, when two match, and what an answer says.

Several values mean one profile: the constraint flags of Baseline, Main and Extended can promise the same subset
(RFC 6184 table 5). Two formats match if their profiles and packetization modes do; the level does not count.

Spec: RFC 6184 sections 8.1, 8.2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import ParseError


class H264Profile(StrEnum):
    CONSTRAINED_BASELINE = "constrained-baseline"
    BASELINE = "baseline"
    MAIN = "main"
    CONSTRAINED_HIGH = "constrained-high"
    HIGH = "high"
    PREDICTIVE_HIGH_444 = "predictive-high-4:4:4"


LEVEL_1B = 9
"""Between 1 (10) and 1.1 (11) in ability; written as 11 with the constraint_set3 flag."""

# profile_idc, mask over profile_iop, value of the masked bits. The last four bits are reserved or, in High, flags.
_PATTERNS = (
    (0x42, 0x4F, 0x40, H264Profile.CONSTRAINED_BASELINE),
    (0x4D, 0x8F, 0x80, H264Profile.CONSTRAINED_BASELINE),
    (0x58, 0xCF, 0xC0, H264Profile.CONSTRAINED_BASELINE),
    (0x42, 0x4F, 0x00, H264Profile.BASELINE),
    (0x58, 0xCF, 0x80, H264Profile.BASELINE),
    (0x4D, 0xAF, 0x00, H264Profile.MAIN),
    (0x64, 0xFF, 0x00, H264Profile.HIGH),
    (0x64, 0xFF, 0x0C, H264Profile.CONSTRAINED_HIGH),
    (0xF4, 0xFF, 0x00, H264Profile.PREDICTIVE_HIGH_444),
)
_WRITTEN = {
    H264Profile.CONSTRAINED_BASELINE: (0x42, 0xE0),
    H264Profile.BASELINE: (0x42, 0x00),
    H264Profile.MAIN: (0x4D, 0x00),
    H264Profile.CONSTRAINED_HIGH: (0x64, 0x0C),
    H264Profile.HIGH: (0x64, 0x00),
    H264Profile.PREDICTIVE_HIGH_444: (0xF4, 0x00),
}
_WITH_1B = (H264Profile.CONSTRAINED_BASELINE, H264Profile.BASELINE, H264Profile.MAIN)
_LEVELS = frozenset((9, 10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLevelId:
    """A profile and a level; `level` is level_idc (31 is level 3.1), or `LEVEL_1B`."""

    profile: H264Profile
    level: int

    @classmethod
    def parse(cls, text: str) -> ProfileLevelId:
        """Reads six hex digits. Errors: `ParseError` for another form, profile or level."""
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != 3 or len(text) != 6:
            raise ParseError(f"{text!r} is not six hex digits", field="profile-level-id")
        profile_idc, constraints, level = value
        if level == 11 and constraints & 0x10 and profile_idc in (0x42, 0x4D, 0x58):
            level = LEVEL_1B
        if level not in _LEVELS:
            raise ParseError(f"level_idc {level} is no level of H.264", field="profile-level-id")
        for idc, mask, bits, profile in _PATTERNS:
            if profile_idc == idc and constraints & mask == bits:
                return cls(profile=profile, level=level)
        raise ParseError(f"{text!r} is of a profile not known", field="profile-level-id")

    def serialize(self) -> str:
        profile_idc, constraints = _WRITTEN[self.profile]
        level = self.level
        if level == LEVEL_1B and self.profile in _WITH_1B:
            constraints, level = constraints | 0x10, 11
        return bytes((profile_idc, constraints, level)).hex()


# What browsers take a missing profile-level-id for. The RFC says Baseline at level 1, which none of them sends.
DEFAULT_PROFILE_LEVEL_ID = ProfileLevelId(profile=H264Profile.CONSTRAINED_BASELINE, level=31)


def _read(parameters: dict[str, str]) -> ProfileLevelId | None:
    text = parameters.get("profile_level_id")
    if text is None:
        return DEFAULT_PROFILE_LEVEL_ID
    try:
        return ProfileLevelId.parse(text)
    except ParseError:
        return None


def same_h264_format(ours: dict[str, str], theirs: dict[str, str]) -> bool:
    """Whether two sets of parameters are one format: equal profile and equal packetization-mode.

    Names are written with `_` for `-`, as in `PayloadFormat.parameters`. Spec: RFC 6184 section 8.2.2.
    """
    left, right = _read(ours), _read(theirs)
    if left is None or right is None or left.profile != right.profile:
        return False
    return ours.get("packetization_mode", "0") == theirs.get("packetization_mode", "0")


def answer_profile_level_id(ours: dict[str, str], theirs: dict[str, str]) -> str | None:
    """The profile-level-id for an answer, or None if the formats do not match.

    The lower of both levels, unless both sides allow levels to differ by direction: then ours.
    """
    if not same_h264_format(ours, theirs):
        return None
    left, right = _read(ours), _read(theirs)
    assert left is not None
    assert right is not None
    if ours.get("level_asymmetry_allowed") == theirs.get("level_asymmetry_allowed") == "1":
        return left.serialize()
    # LEVEL_1B (9) stands for something between 10 and 11.
    order = {LEVEL_1B: 10.5}
    lower = min(left.level, right.level, key=lambda level: order.get(level, level))
    return ProfileLevelId(profile=left.profile, level=lower).serialize()
