"""Is an offer needed?

Spec: W3C webrtc-pc section 4.7.3.
"""

from __future__ import annotations

from ...sdp import Msid, SessionDescription
from .codecs import readable
from .media_sections import msids
from .transceivers import Transceiver, common, sends
from .values import NegotiationState, SdpType, SignalingState, Wishes


def negotiation_needed(state: NegotiationState, wishes: Wishes) -> bool:
    """True if what is wished for is not negotiated yet, and an offer may be made now.

    While not stable the answer is False: ask again when stable. A data section that was rejected counts as
    negotiated, so that a peer without data channels is not asked for ever.
    """
    if state.signaling_state is not SignalingState.STABLE:
        return False
    local, remote = state.current_local, state.current_remote
    if wishes.ice_restart and local is not None:
        return True
    if wishes.data_channel and not any(
        section.kind == "application" for section in (local.sdp.media if local is not None else ())
    ):
        return True
    for one in state.transceivers:
        if one.stopped:
            continue
        if one.stopping or one.mid is None or local is None or remote is None or one.index is None:
            return True
        if _differs(one, one.index, local.sdp, remote.sdp, we_offered=local.type is SdpType.OFFER):
            return True
    return False


def _differs(
    one: Transceiver, index: int, local: SessionDescription, remote: SessionDescription, *, we_offered: bool
) -> bool:
    """True if a transceiver's section does not say what the transceiver is now."""
    section = local.media[index]
    ours = local.direction_of(section)
    theirs = remote.direction_of(remote.media[index]).reversed
    if sends(one.direction) and sends(ours):
        written = [msid.serialize() for msid in readable(section, Msid)]
        # The track's id is said once and not renewed when the track is replaced, so only the streams count.
        if {text.split(" ")[0] for text in written} != {text.split(" ")[0] for text in msids(one)}:
            return True
    if we_offered:
        return one.direction not in (ours, theirs)
    return ours is not common(one.direction, theirs)
