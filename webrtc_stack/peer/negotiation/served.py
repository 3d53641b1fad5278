"""Which sections we carry. There is one transport, so what it carries is one BUNDLE group, or one section.

The group is the one that is carried already; else that of the data section; else that of the first section that we can
serve. Sections outside of it are rejected in our answers. An answer of the peer that takes a section out of the group
that we offered leaves us with a section that we cannot carry: it is treated as rejected, and our next offer says so.

Spec: RFC 9143 sections 7.3, 7.4; RFC 9429 sections 4.1.1 (bundle policies), 5.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import NegotiationError
from ...sdp import SessionDescription
from .media_sections import is_rtp, is_served_rtp
from .remote import bundle_of, says
from .rtp_plan import has_common_codec
from .sections import is_data


def served_sections(sdp: SessionDescription, mids: Sequence[str], carried: Sequence[str]) -> frozenset[int]:
    """The indices of the sections of a remote offer that we serve.

    `mids` are those of the sections, `carried` those that the transport carries by now. Of several data sections one
    is served: the one in use, else the first (RFC 9429 section 5.3.1).
    """
    data = [
        index for index, media in enumerate(sdp.media) if not media.rejected and is_data(media) and media.sctp_port != 0
    ]
    in_use = [index for index in data if mids[index] in carried]
    chosen = (in_use or data)[:1]
    usable = sorted(
        chosen + [index for index, media in enumerate(sdp.media) if not media.rejected and is_served_rtp(sdp, media)]
    )
    return _together(sdp, usable, mids, carried)


def carried_sections(
    answer: SessionDescription, offer: SessionDescription, mids: Sequence[str], carried: Sequence[str]
) -> frozenset[int]:
    """The indices of the sections that an answer to our offer leaves alive on our transport."""
    alive = [
        index
        for index, (answered, offered) in enumerate(zip(answer.media, offer.media, strict=True))
        if answered.port != 0 and not offered.rejected
    ]
    return _together(answer, alive, mids, carried)


def check_media_answer(answer: SessionDescription, offer: SessionDescription, alive: frozenset[int]) -> None:
    """Refuses an answer that takes a section in a way that we cannot serve. Errors: `NegotiationError`."""
    for index in sorted(alive):
        answered, offered = answer.media[index], offer.media[index]
        if not is_rtp(offered):
            continue
        where = f"section {index} ({offered.kind})"
        if not says(answer, answered, "rtcp-mux"):
            raise NegotiationError(f"{where} is answered without rtcp-mux; RTP and RTCP share one port here")
        if not has_common_codec(offered, answered):
            raise NegotiationError(f"{where} is answered with none of the codecs offered; it would have to be rejected")


def _together(
    sdp: SessionDescription, usable: Sequence[int], mids: Sequence[str], carried: Sequence[str]
) -> frozenset[int]:
    if not usable:
        return frozenset()
    known = set(carried)
    anchor = next((index for index in usable if mids[index] in known), None)
    if anchor is None:
        anchor = next((index for index in usable if is_data(sdp.media[index])), usable[0])
    group = set(bundle_of(sdp, sdp.media[anchor].mid))
    return frozenset(index for index in usable if index == anchor or sdp.media[index].mid in group)
