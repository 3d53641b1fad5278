"""Trickled fragments."""

from __future__ import annotations

import pytest

from webrtc_stack.base import Candidate, CandidateType, IceParameters
from webrtc_stack.errors import SdpParseError
from webrtc_stack.sdp import SdpFragment

ICE = IceParameters(ufrag="EsAw", pwd="P2uYro0UCOQ4zxjKXaWCBui1", options=("trickle",))
CANDIDATE = Candidate(foundation="1", priority=2130706431, host="198.51.100.1", port=39132, type=CandidateType.HOST)


def test_a_fragment_comes_back_as_it_was() -> None:
    fragment = SdpFragment.of(ICE, "0", (CANDIDATE,), end_of_candidates=True)
    again = SdpFragment.parse(fragment.serialize())
    assert again == fragment
    assert again.media[0].mid == "0" and again.media[0].candidates == (CANDIDATE,)
    assert again.media[0].end_of_candidates and again.ice_parameters(again.media[0]) == ICE


def test_credentials_may_stand_in_the_section() -> None:
    text = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:" + "p" * 22 + "\r\n"
    fragment = SdpFragment.parse(text)
    ice = fragment.ice_parameters(fragment.media[0])
    assert ice is not None and ice.ufrag == "abcd"
    assert fragment.serialize() == text


def test_a_fragment_without_sections_may_end_candidates() -> None:
    fragment = SdpFragment.parse("a=ice-ufrag:abcd\na=end-of-candidates\n")
    assert fragment.end_of_candidates and fragment.media == ()


@pytest.mark.parametrize("text", ["v=0\n", "m=audio\n", "hello"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(SdpParseError):
        SdpFragment.parse(text)
