"""Codecs, payload types, feedback and header extensions between offers and answers."""

from __future__ import annotations

import re

import pytest

from webrtc_stack.errors import InvalidArgumentError, NegotiationError
from webrtc_stack.peer.negotiation import (
    NegotiationState,
    Plan,
    RtpPlan,
    Wishes,
    add_transceiver,
    capabilities,
    create_offer,
    set_codec_preferences,
    set_local_description,
    set_remote_description,
    update_transceiver,
)
from webrtc_stack.peer.negotiation.codecs import answered_fmtp, same_codec
from webrtc_stack.peer.parameters import Codec, HeaderExtension, MediaKind
from webrtc_stack.rtp import Uri
from webrtc_stack.sdp import Direction, MediaDescription

from .odd_offers import MEDIA
from .support import (
    answer,
    check_answer_fits,
    check_description,
    exchange,
    local,
    offer,
    over_the_wire,
    sdp_file,
    start,
)

A, B = local("A"), local("B")
NOTHING = Wishes()


def video(name: str, fmtp: str = "") -> Codec:
    return Codec(mime_type=f"video/{name}", clock_rate=90000, sdp_fmtp_line=fmtp)


def audio(name: str, clock_rate: int = 8000, channels: int | None = 1) -> Codec:
    return Codec(mime_type=f"audio/{name}", clock_rate=clock_rate, channels=channels)


OPUS = audio("opus", 48000, 2)


def rtp(plan: Plan, index: int = 0) -> RtpPlan:
    found = plan.media[index].rtp
    assert found is not None
    return found


def names(section: MediaDescription) -> list[str]:
    return [one.encoding for one in section.rtpmaps if one.encoding != "rtx"]


def preferring(name: str, kind: str, *codecs: Codec) -> NegotiationState:
    state = add_transceiver(start(name), kind)
    return set_codec_preferences(state, state.transceivers[-1].handle, codecs)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (OPUS, audio("OPUS", 48000, 2), True),
        (OPUS, audio("opus", 48000, 1), False),
        (audio("PCMU"), audio("pcmu", channels=None), True),
        (audio("telephone-event"), audio("telephone-event", 48000), False),
        (video("VP9"), video("VP9", "profile-id=0"), True),
        (video("VP9", "profile-id=2"), video("VP9"), False),
        (video("AV1", "profile=0;level-idx=5;tier=0"), video("AV1", "level-idx=9;tier=1"), True),
        (video("AV1", "profile=1"), video("AV1"), False),
        (video("H265", "profile-id=1;level-id=93"), video("H265", "level-id=120"), True),
        (video("H265", "tier-flag=1"), video("H265"), False),
        (video("H265", "profile-id=2"), video("H265"), False),
        (
            video("H264", "profile-level-id=42e01f;packetization-mode=1"),
            video("H264", "packetization-mode=1;profile-level-id=42c02a"),
            True,
        ),
        (
            video("H264", "profile-level-id=42e01f;packetization-mode=1"),
            video("H264", "profile-level-id=42e01f"),
            False,
        ),
        (
            video("H264", "profile-level-id=42e01f;packetization-mode=1"),
            video("H264", "profile-level-id=64001f;packetization-mode=1"),
            False,
        ),
        (video("H264", "profile-level-id=zzz"), video("H264", "profile-level-id=zzz"), False),
        (video("VP8"), audio("VP8", 90000), False),
        (video("VP8"), video("VP8", "max-fs=12288;max-fr=60"), True),
    ],
)
def test_codecs_match_by_what_a_decoder_needs(one: Codec, other: Codec, same: bool) -> None:
    assert same_codec(one, other) is same is same_codec(other, one)


def test_an_answer_says_the_lower_level_unless_levels_may_differ() -> None:
    ours = video("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
    low = video("H264", "packetization-mode=1;profile-level-id=42e00c")
    assert answered_fmtp(ours, low) == "packetization-mode=1;profile-level-id=42e00c"
    free = video("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e00c")
    assert answered_fmtp(ours, free) == ours.sdp_fmtp_line


def test_capabilities_list_what_can_be_preferred() -> None:
    mimes = [codec.mime_type for codec in capabilities("audio").codecs]
    assert mimes[0] == "audio/opus" and "audio/red" in mimes
    video_codecs = capabilities(MediaKind.VIDEO).codecs
    assert {one.name for one in video_codecs} == {"VP8", "VP9", "H264", "AV1", "H265", "rtx"}
    assert Uri.RID in {one.uri for one in capabilities("video").header_extensions}
    with pytest.raises(InvalidArgumentError, match="unknown kind"):
        capabilities("text")
    for kind in MediaKind:
        state = preferring("A", kind, *capabilities(kind).codecs)
        assert state.transceivers[0].codec_preferences == capabilities(kind).codecs


def test_preferences_order_the_offer_and_leave_the_rest_out() -> None:
    state = preferring("A", "video", video("VP9", "profile-id=0"), video("VP8"), video("VP9"))
    _, made = create_offer(state, NOTHING, A)
    (section,) = made.sdp.media
    assert names(section) == ["VP9", "VP8"] and section.formats == ("98", "96"), "without rtx there is none"
    state = preferring("A", "video", video("VP9"), video("rtx"))
    assert create_offer(state, NOTHING, A).description.sdp.media[0].formats == ("98", "99")
    handle = state.transceivers[0].handle
    reset = set_codec_preferences(state, handle, ())
    assert len(create_offer(reset, NOTHING, A).description.sdp.media[0].formats) > 10


@pytest.mark.parametrize(
    ("codecs", "words"),
    [
        ([video("VP7")], "VP7/90000 is not among the video capabilities"),
        ([OPUS], "not among the video"),
        ([video("VP9", "profile-id=3")], "profile-id=3"),
        ([video("rtx")], "needs? a codec that carries media"),
    ],
)
def test_preferences_outside_of_the_capabilities_are_refused(codecs: list[Codec], words: str) -> None:
    state = add_transceiver(start(), "video")
    with pytest.raises(InvalidArgumentError, match=words):
        set_codec_preferences(state, state.transceivers[0].handle, codecs)
    audio_state = add_transceiver(start(), "audio")
    with pytest.raises(InvalidArgumentError, match="carries media"):
        set_codec_preferences(audio_state, audio_state.transceivers[0].handle, [audio("red", 48000, 2), audio("CN")])


def answering(state: NegotiationState, text: str) -> tuple[NegotiationState, Plan, list[MediaDescription]]:
    offered = offer(text)
    state, _ = set_remote_description(state, offered)
    state, plan = set_local_description(state, B)
    sdp = check_description(state.local)
    check_answer_fits(offered.sdp, sdp)
    return state, plan, list(sdp.media)


def test_an_answer_keeps_the_order_and_the_numbers_of_the_offer() -> None:
    _, plan, media = answering(start("B"), MEDIA)
    assert media[0].formats == ("111", "9", "0", "8", "13", "110", "126"), "no red"
    assert names(media[1]) == ["VP8", *["H264"] * 5, "AV1", "VP9"], "no red, no ulpfec, no profile that we lack"
    assert media[1].has("rtcp-rsize")
    assert rtp(plan, 1).allow_mixed, "said for the session"
    video_plan = rtp(plan, 1)
    assert video_plan.send_codecs[0].payload_type == 96 and video_plan.send_codecs[0].rtx_payload_type == 97
    assert set(video_plan.send_codecs[0].codec.feedback) == {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}
    assert video_plan.remote_sources[0].ssrc == 3656599397 and video_plan.remote_sources[0].rtx_ssrc == 556582125
    assert video_plan.remote_track_id == "78d67c85-f279-418f-af49-28b34f9d600a"


def test_the_answerer_sends_what_the_offer_prefers_and_asks_for_what_it_prefers_itself() -> None:
    state = preferring("B", "video", video("VP9"), video("VP8"), video("rtx"))
    state = update_transceiver(state, state.transceivers[0].handle, made_by_add_track=True)
    _, plan, media = answering(state, MEDIA)
    assert media[1].formats == ("98", "99", "96", "97")
    assert [one.payload_type for one in rtp(plan, 1).send_codecs] == [96, 98]
    assert [one.payload_type for one in rtp(plan, 1).receive_codecs] == [98, 96]


def test_a_section_without_a_codec_in_common_is_rejected() -> None:
    only_red = re.sub(r"m=audio 55678 UDP/TLS/RTP/SAVPF .*", "m=audio 55678 UDP/TLS/RTP/SAVPF 63 13 110", MEDIA)
    state, plan, media = answering(start("B"), only_red)
    assert media[0].port == 0 and [one.alive for one in plan.media] == [False, True, True]
    assert len(state.transceivers) == 1, "a section that we reject makes no transceiver"
    chosen = preferring("B", "video", video("H265"))
    chosen = update_transceiver(chosen, chosen.transceivers[0].handle, made_by_add_track=True)
    chosen, plan, media = answering(chosen, MEDIA)
    assert media[1].port == 0 and plan.stopped_transceivers == (1,)


def test_opus_without_channels_is_opus() -> None:
    assert "opus/48000/2" in MEDIA
    _, plan, media = answering(start("B"), MEDIA.replace("opus/48000/2", "OPUS/48000"))
    assert media[0].port != 0 and media[0].formats[0] == "111"
    assert rtp(plan, 0).send_codecs[0].codec.channels == 2


def test_red_is_declined_unless_it_is_asked_for() -> None:
    a = preferring("A", "audio", audio("red", 48000, 2), OPUS)
    a, made = create_offer(a, NOTHING, A)
    assert made.sdp.media[0].formats == ("63", "111") and "63 111/111" in made.sdp.media[0].texts("fmtp")
    a, _ = set_local_description(a, A, NOTHING, made)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, plan = set_local_description(b, B)
    assert [one.codec.name for one in rtp(plan).send_codecs] == ["opus"]
    b = preferring("B", "audio", OPUS, audio("red", 48000, 2))
    b = update_transceiver(b, b.transceivers[0].handle, made_by_add_track=True)
    b, _ = set_remote_description(b, over_the_wire(a.local))
    b, plan = set_local_description(b, B)
    assert [one.codec.name for one in rtp(plan).send_codecs] == ["opus", "red"], "what is sent comes first"


def test_an_answer_with_other_payload_types_is_sent_to_with_those() -> None:
    a, _ = set_local_description(add_transceiver(start("A"), "video"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, _ = set_local_description(b, B)
    assert b.local is not None
    text = b.local.text.replace("VP8/90000", "VP8/90001")
    moved = re.sub(r":96 ", ":35 ", text).replace("VP8/90001", "VP8/90000").replace("SAVPF 96 ", "SAVPF 35 ")
    _, plan = set_remote_description(a, answer(moved.replace("apt=96", "apt=35")))
    first = rtp(plan).send_codecs[0]
    assert (first.payload_type, first.rtx_payload_type) == (35, 97)
    assert rtp(plan).receive_codecs[0].payload_type == 96, "what arrives has our numbers"


def test_an_answer_without_a_codec_or_without_rtcp_mux_is_refused() -> None:
    a, _ = set_local_description(add_transceiver(start("A"), "audio"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, _ = set_local_description(b, B)
    assert b.local is not None
    with pytest.raises(NegotiationError, match="without rtcp-mux"):
        set_remote_description(a, answer(b.local.text.replace("a=rtcp-mux\r\n", "")))
    with pytest.raises(NegotiationError, match="none of the codecs"):
        set_remote_description(a, answer(re.sub("SAVPF .*\r\n", "SAVPF 13\r\n", b.local.text)))


def test_feedback_is_what_both_sides_know() -> None:
    text = re.sub(r"a=rtcp-fb:96 .*\r\n", "", MEDIA).replace(
        "a=rtpmap:96 VP8/90000\r\n", "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:* nack\r\na=rtcp-fb:96 ack rpsi\r\n"
    )
    _, plan, media = answering(start("B"), text)
    mine = [one.serialize() for one in media[1].rtcp_feedback if one.payload_type == 96]
    assert mine == ["96 nack"] and rtp(plan, 1).receive_codecs[0].codec.feedback == ("nack",)


def test_payload_types_and_ids_of_the_peer_stay_in_our_offers_and_new_ones_clash_with_none() -> None:
    state, plan, _ = answering(start("B"), sdp_file("browsers/firefox_offer_av_data.sdp"))
    before = {one.payload_type: one.codec.mime_type for one in rtp(plan, 1).receive_codecs}
    ids = rtp(plan, 1).receive_extensions
    state = add_transceiver(state, "video")
    for _ in range(2):
        state, made = create_offer(state, Wishes(data_channel=True), B)
        sdp = check_description(made)
        for section in (sdp.media[1], sdp.media[3]):
            for number, mime in before.items():
                assert next(one for one in section.rtpmaps if one.payload_type == number).encoding in mime
            for id_, uri in ids.items():
                assert next(one for one in section.extmaps if one.uri == uri).id == id_
        state, _ = set_local_description(state, B, Wishes(data_channel=True), made)
        theirs = {
            int(number)
            for media in over_the_wire(state.remote).sdp.media
            for number in media.formats
            if media.kind != "application"
        }
        fresh = {one.payload_type for one in sdp.media[3].rtpmaps} - theirs
        assert fresh and not fresh & theirs
        assert sdp.media[3].formats == sdp.media[1].formats


# --- header extensions ----------------------------------------------------------------------------------------------


def with_extensions(text: str, *lines: str, mixed: bool = True) -> str:
    """The video section of the plain offer with other header extensions."""
    head, tail = text.split("m=video", 1)
    tail = re.sub(r"a=extmap:.*\r\n", "", tail)
    body = "".join(f"a=extmap:{line}\r\n" for line in lines)
    tail = tail.replace("a=mid:1\r\n", "a=mid:1\r\n" + body)
    return (head + "m=video" + tail).replace("" if mixed else "a=extmap-allow-mixed\r\n", "")


def test_directions_of_extensions_are_those_that_both_want() -> None:
    text = with_extensions(
        MEDIA,
        f"9/recvonly {Uri.PLAYOUT_DELAY}",
        f"8/sendonly {Uri.RID}",
        f"7/inactive {Uri.TRANSPORT_CC}",
        f"4 {Uri.MID}",
        "6 urn:x-unknown",
    )
    state = add_transceiver(start("B"), "video", made_by_add_track=True)
    wanted = [HeaderExtension(uri=Uri.MID), HeaderExtension(uri=Uri.RID), HeaderExtension(uri=Uri.PLAYOUT_DELAY)]
    state = update_transceiver(state, state.transceivers[0].handle, header_extensions=wanted)
    _, plan, media = answering(state, text)
    assert {one.serialize() for one in media[1].extmaps} == {
        f"9/sendonly {Uri.PLAYOUT_DELAY}",
        f"8/recvonly {Uri.RID}",
        f"4 {Uri.MID}",
    }
    assert rtp(plan, 1).send_extensions == {9: Uri.PLAYOUT_DELAY, 4: Uri.MID}
    assert rtp(plan, 1).receive_extensions == {8: Uri.RID, 4: Uri.MID}


def test_ids_above_fourteen_need_the_mixed_form_and_fifteen_is_never_taken() -> None:
    lines = (f"4 {Uri.MID}", f"15 {Uri.RID}", f"16 {Uri.REPAIRED_RID}", f"300 {Uri.TRANSPORT_CC}")
    _, _, media = answering(start("B"), with_extensions(MEDIA, *lines))
    assert [one.id for one in media[1].extmaps] == [4, 16] and media[1].has("extmap-allow-mixed")
    _, plan, media = answering(start("B"), with_extensions(MEDIA, *lines, mixed=False))
    assert [one.id for one in media[1].extmaps] == [4] and not rtp(plan, 1).allow_mixed


def test_contradicting_ids_are_taken_once() -> None:
    lines = (f"4 {Uri.MID}", f"5 {Uri.MID}", f"4 {Uri.RID}", f"1 {Uri.RID}")
    _, _, media = answering(start("B"), with_extensions(MEDIA, *lines))
    assert [one.serialize() for one in media[1].extmaps] == [f"4 {Uri.MID}"], "1 is the audio level in this bundle"


def test_an_answer_that_moves_an_id_is_as_one_without_the_extension() -> None:
    a, _ = set_local_description(add_transceiver(start("A"), "audio"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, _ = set_local_description(b, B)
    assert b.local is not None
    _, plan = set_remote_description(a, answer(b.local.text.replace(f"extmap:1 {Uri.MID}", f"extmap:9 {Uri.MID}")))
    assert Uri.MID not in rtp(plan).send_extensions.values() and Uri.AUDIO_LEVEL in rtp(plan).send_extensions.values()


def test_an_extension_that_is_not_wanted_is_neither_offered_nor_answered() -> None:
    extensions = [
        HeaderExtension(uri=Uri.MID),
        HeaderExtension(uri=Uri.AUDIO_LEVEL, direction=Direction.SENDONLY),
        HeaderExtension(uri=Uri.TRANSPORT_CC, direction=Direction.INACTIVE),
    ]
    a = add_transceiver(start("A"), "audio", header_extensions=extensions)
    _, _, mine, theirs = exchange(a, start("B"), A, B, NOTHING)
    assert rtp(mine).send_extensions == {1: Uri.MID, 2: Uri.AUDIO_LEVEL}
    assert rtp(mine).receive_extensions == {1: Uri.MID}
    assert rtp(theirs).receive_extensions == rtp(mine).send_extensions


def test_the_rate_that_the_peer_takes_reaches_the_plan() -> None:
    for lines, rate in (("b=AS:500\r\n", 500_000), ("b=AS:500\r\nb=TIAS:123456\r\n", 123_456), ("b=AS:x\r\n", None)):
        text = MEDIA.replace("a=mid:1\r\n", lines + "a=mid:1\r\n")
        _, plan, _ = answering(start("B"), text)
        assert rtp(plan, 1).max_bitrate == rate and rtp(plan, 0).max_bitrate is None


def test_our_offers_stay_with_the_ids_of_the_one_byte_form_and_the_important_extensions_get_them() -> None:
    # Firefox refuses a description with an id above 14, whatever it says of mixed forms.
    state, made = create_offer(add_transceiver(add_transceiver(start("A"), "audio"), "video"), NOTHING, A)
    ids = {one.id for section in made.sdp.media for one in section.extmaps}
    assert ids == set(range(1, 15))
    text = with_extensions(MEDIA, *(f"{number} urn:x-{number}" for number in range(5, 13)))
    state, _, _ = answering(start("B"), text)
    _, made = create_offer(add_transceiver(state, "video"), Wishes(data_channel=True), B)
    fresh = check_description(made).media[-1].extmaps
    assert {Uri.MID, Uri.TRANSPORT_CC, Uri.RID} <= {one.uri for one in fresh}
    assert not {one.id for one in fresh} & set(range(5, 13)) and all(one.id < 15 for one in fresh)
