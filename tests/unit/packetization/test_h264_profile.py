"""profile-level-id: reading, writing, matching."""

from __future__ import annotations

import pytest

from webrtc_stack.errors import ParseError
from webrtc_stack.packetization import H264Profile, ProfileLevelId, answer_profile_level_id, same_h264_format
from webrtc_stack.packetization.h264_profile import LEVEL_1B


@pytest.mark.parametrize(
    ("text", "profile", "level"),
    [
        ("42e01f", H264Profile.CONSTRAINED_BASELINE, 31),
        ("42c02a", H264Profile.CONSTRAINED_BASELINE, 42),
        ("4de01f", H264Profile.CONSTRAINED_BASELINE, 31),
        ("58f01f", H264Profile.CONSTRAINED_BASELINE, 31),
        ("42001f", H264Profile.BASELINE, 31),
        ("42a01f", H264Profile.BASELINE, 31),
        ("58a01f", H264Profile.BASELINE, 31),
        ("4d401f", H264Profile.MAIN, 31),
        ("4d001f", H264Profile.MAIN, 31),
        ("64001f", H264Profile.HIGH, 31),
        ("640c1f", H264Profile.CONSTRAINED_HIGH, 31),
        ("f4001f", H264Profile.PREDICTIVE_HIGH_444, 31),
        ("42f00b", H264Profile.CONSTRAINED_BASELINE, LEVEL_1B),
        ("42e00b", H264Profile.CONSTRAINED_BASELINE, 11),
        ("42100b", H264Profile.BASELINE, LEVEL_1B),
    ],
)
def test_a_profile_level_id_is_read(text: str, profile: H264Profile, level: int) -> None:
    value = ProfileLevelId.parse(text)
    assert (value.profile, value.level) == (profile, level)
    assert ProfileLevelId.parse(value.serialize()) == value


@pytest.mark.parametrize("text", ["", "42e01", "42e01ff", "42e0 1f", "42e000", "gggggg", "42e11f", "64101f", "aa001f"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        ProfileLevelId.parse(text)


def parameters(profile: str | None, mode: str | None = "1", asymmetry: str | None = None) -> dict[str, str]:
    given = {"profile_level_id": profile, "packetization_mode": mode, "level_asymmetry_allowed": asymmetry}
    return {name: value for name, value in given.items() if value is not None}


def test_formats_match_by_profile_and_packetization_mode_and_not_by_level() -> None:
    assert same_h264_format(parameters("42e01f"), parameters("42c02a"))
    assert same_h264_format(parameters("42e01f"), parameters("58f00a"))
    assert not same_h264_format(parameters("42e01f"), parameters("42001f"))
    assert not same_h264_format(parameters("42e01f"), parameters("42e01f", "0"))
    assert same_h264_format(parameters("42e01f", None), parameters("42e01f", "0"))
    assert same_h264_format(parameters(None), parameters("42e01f")), "what browsers mean by saying nothing"
    assert not same_h264_format(parameters("nonsense"), parameters("nonsense"))


def test_an_answer_takes_the_lower_level_unless_levels_may_differ() -> None:
    assert answer_profile_level_id(parameters("42e01f"), parameters("42e015")) == "42e015"
    assert answer_profile_level_id(parameters("42e00b"), parameters("42f00b")) == "42f00b"
    assert answer_profile_level_id(parameters("42e00a"), parameters("42f00b")) == "42e00a"
    both = parameters("42e034", asymmetry="1"), parameters("42e01f", asymmetry="1")
    assert answer_profile_level_id(*both) == "42e034"
    assert answer_profile_level_id(parameters("42e034", asymmetry="1"), parameters("42e01f")) == "42e01f"
    assert answer_profile_level_id(parameters("42e01f"), parameters("640c1f")) is None
