"""What holds for every text and every value."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sdp.texts import all_texts
from webrtc_stack.errors import SdpParseError
from webrtc_stack.sdp import (
    Attribute,
    Direction,
    ExtMap,
    Field,
    Fmtp,
    Group,
    MediaDescription,
    MediaLine,
    Rid,
    RtcpFeedback,
    RtpMap,
    SessionDescription,
    Simulcast,
    SimulcastRid,
    Ssrc,
    SsrcGroup,
)

_TEXTS = sorted(all_texts().values())
_TOKEN = st.text("abcXYZ019-+.!", min_size=1, max_size=8)
_VALUE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
_LETTER = st.sampled_from("bcefikprstuzXZ")
_LINE = st.one_of(
    st.builds(Field, _LETTER, _VALUE),
    st.builds(Attribute, _TOKEN, st.none() | _VALUE),
)
_MEDIA = st.builds(
    MediaDescription,
    media=st.builds(
        MediaLine,
        kind=_TOKEN,
        port=st.integers(0, 65535),
        port_count=st.none() | st.integers(0, 9),
        protocol=_TOKEN,
        formats=st.lists(_TOKEN, max_size=4).map(tuple),
    ),
    lines=st.lists(_LINE, max_size=8).map(tuple),
)
_HEAD = (Field("v", "0"), Field("o", "- 1 1 IN IP4 0.0.0.0"))
_SESSION = st.builds(
    SessionDescription,
    lines=st.lists(_LINE, max_size=8).map(lambda lines: (*_HEAD, *lines)),
    media=st.lists(_MEDIA, max_size=4).map(tuple),
)
_U32 = st.integers(0, 2**32 - 1)
_PT = st.integers(0, 127)
_VALUES = st.one_of(
    st.builds(RtpMap, payload_type=_PT, encoding=_TOKEN, clock_rate=_U32, parameters=st.none() | _TOKEN),
    st.builds(Fmtp, format=_TOKEN, text=_TOKEN),
    st.builds(RtcpFeedback, payload_type=st.none() | _PT, kind=_TOKEN, parameter=_TOKEN | st.just("")),
    st.builds(ExtMap, id=st.integers(1, 14), direction=st.none() | st.sampled_from(Direction), uri=_TOKEN),
    st.builds(Ssrc, ssrc=_U32, attribute=_TOKEN, value=st.none() | _TOKEN),
    st.builds(SsrcGroup, semantics=_TOKEN, ssrcs=st.lists(_U32, max_size=4).map(tuple)),
    st.builds(Group, semantics=_TOKEN, mids=st.lists(_TOKEN, max_size=4).map(tuple)),
    st.builds(
        Rid,
        id=_TOKEN,
        direction=st.sampled_from(["send", "recv"]),
        payload_types=st.lists(_PT, max_size=3).map(tuple),
        restrictions=st.lists(st.tuples(_TOKEN, st.none() | _TOKEN), max_size=3).map(tuple),
    ),
    st.builds(
        Simulcast,
        send=st.lists(
            st.lists(st.builds(SimulcastRid, rid=_TOKEN, paused=st.booleans()), min_size=1, max_size=3).map(tuple),
            min_size=1,
            max_size=3,
        ).map(tuple),
    ),
)


@settings(max_examples=150, deadline=None)
@given(_SESSION)
def test_every_description_comes_back(description: SessionDescription) -> None:
    assert SessionDescription.parse(description.serialize()) == description


@settings(max_examples=300, deadline=None)
@given(_VALUES)
def test_every_typed_value_comes_back(
    value: RtpMap | Fmtp | RtcpFeedback | ExtMap | Ssrc | SsrcGroup | Group | Rid | Simulcast,
) -> None:
    assert type(value).parse(value.serialize()) == value


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_description_or_a_parse_error(text: str) -> None:
    for candidate in (text, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n" + text):
        try:
            parsed = SessionDescription.parse(candidate)
        except SdpParseError:
            continue
        assert SessionDescription.parse(parsed.serialize()) == parsed
        parsed.problems()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_TEXTS), st.data())
def test_a_damaged_text_is_a_description_or_a_parse_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    damaged = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    try:
        parsed = SessionDescription.parse(damaged)
    except SdpParseError:
        return
    assert SessionDescription.parse(parsed.serialize()) == parsed
    parsed.problems()
