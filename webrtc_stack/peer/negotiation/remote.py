"""Reading a remote description: is it one that we can apply, and which section speaks for which transport.

Checks raise `NegotiationError` with what was seen and what is allowed. Sections that we reject anyway are not looked
into, so a peer's broken video cannot cost its data channel.

Spec: RFC 9429 sections 5.8 to 5.11; RFC 9143 sections 7.3, 7.4; RFC 8839 section 5.4; RFC 8842 section 5.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ...base import Candidate, DtlsParameters, Fingerprint, IceParameters, SetupRole
from ...errors import NegotiationError
from ...sdp import MediaDescription, SessionDescription

if TYPE_CHECKING:
    from .values import NegotiationConfig

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}\Z")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}\Z")
# Not ice-char, but libwebrtc lets them pass for the sake of older servers, so such servers exist.
_TOLERATED = str.maketrans("-_=#", "++++")


def check_structure(sdp: SessionDescription) -> None:
    """Refuses doubled mids and BUNDLE groups that name what is not there. Errors: `NegotiationError`."""
    mids = [media.mid for media in sdp.media if media.mid is not None]
    seen: set[str] = set()
    for mid in mids:
        if mid in seen:
            raise NegotiationError(f"two sections have the mid {mid[:32]!r}; each needs its own")
        seen.add(mid)
    bundled: set[str] = set()
    for bundle in sdp.bundles:
        for mid in bundle:
            if mid not in seen:
                raise NegotiationError(f"the BUNDLE group names {mid[:32]!r}; no section has that mid")
            if mid in bundled:
                raise NegotiationError(f"{mid[:32]!r} is bundled twice; a section is in one BUNDLE group")
            bundled.add(mid)


def check_continuity(sdp: SessionDescription, previous: SessionDescription | None, mids: tuple[str, ...]) -> None:
    """Refuses a later offer that drops or changes sections. Errors: `NegotiationError`.

    A dead section may be recycled for another kind, under a new mid (RFC 9429 section 5.2.2).
    """
    if previous is None:
        return
    if len(sdp.media) < len(previous.media):
        raise NegotiationError(
            f"the offer has {len(sdp.media)} sections, the session {len(previous.media)}; none may be left out"
        )
    for index, (new, old) in enumerate(zip(sdp.media, previous.media, strict=False)):
        if old.port == 0 and not old.bundle_only:
            continue
        if new.kind != old.kind:
            raise NegotiationError(f"section {index} was {old.kind}, the offer makes it {new.kind[:32]}")
        if new.mid is not None and new.mid != mids[index] and not new.rejected:
            raise NegotiationError(f"section {index} has the mid {mids[index]!r}, the offer calls it {new.mid[:32]!r}")


def dead_stay_dead(sdp: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """The answer with port 0 for what was offered dead, and that out of its BUNDLE group.

    RFC 3264 section 6 wants it so; aiortc 1.16 and webrtcbin 1.22 answer as if the section lived, and refusing that
    would leave who stopped a transceiver without any answer. Nothing is carried in the section either way.
    """
    revived = {
        index
        for index, (answered, offered) in enumerate(zip(sdp.media, offer.media, strict=False))
        if offered.rejected and answered.port != 0
    }
    if not revived:
        return sdp
    mids = {sdp.media[index].mid for index in revived}
    groups = (
        replace(group, mids=tuple(mid for mid in group.mids if mid not in mids))
        if group.semantics == "BUNDLE"
        else group
        for group in sdp.groups
    )
    media = tuple(section.with_port(0) if index in revived else section for index, section in enumerate(sdp.media))
    return replace(sdp.without("group").adding(*groups), media=media)


def check_answer(sdp: SessionDescription, offer: SessionDescription, mids: tuple[str, ...]) -> None:
    """Refuses an answer that does not fit its offer. Errors: `NegotiationError`."""
    if len(sdp.media) != len(offer.media):
        raise NegotiationError(f"the answer has {len(sdp.media)} sections, the offer {len(offer.media)}")
    for index, (answered, offered) in enumerate(zip(sdp.media, offer.media, strict=True)):
        if answered.kind != offered.kind:
            raise NegotiationError(f"section {index} was offered as {offered.kind}, answered as {answered.kind[:32]}")
        if answered.mid is not None and answered.mid != mids[index]:
            raise NegotiationError(
                f"section {index} was offered with mid {mids[index]!r}, answered with {answered.mid[:32]!r}"
            )
    for bundle in sdp.bundles:
        if not any(set(bundle) <= set(offered_bundle) for offered_bundle in offer.bundles):
            raise NegotiationError(
                f"the answer bundles {' '.join(bundle)[:64]!r}; allowed are parts of a group that was offered"
            )


def bundle_of(sdp: SessionDescription, mid: str | None) -> tuple[str, ...]:
    """The BUNDLE group that holds `mid`; just `mid` without one."""
    if mid is None:
        return ()
    return next((bundle for bundle in sdp.bundles if mid in bundle), (mid,))


def says(sdp: SessionDescription, media: MediaDescription, name: str) -> bool:
    """True if an attribute of the transport holds for an RTP section: written there, or in the first of its group.

    RTCP multiplexing and reduced size are of the whole bundle, so they may stand once (RFC 9143 section 7.1.3).
    """
    if media.has(name):
        return True
    group = set(bundle_of(sdp, media.mid))
    tagged = next((one for one in sdp.media if one.mid in group and one.kind in ("audio", "video")), None)
    return tagged is not None and tagged.has(name)


def speaker(sdp: SessionDescription, media: MediaDescription, *, answer: bool) -> MediaDescription:
    """The section whose ICE and DTLS attributes hold for `media`.

    In an answer that is the first of its BUNDLE group. In an offer a section speaks for itself as long as it can
    stand alone, because the answer may take it out of the group or reject the sections before it; a bundle-only one,
    or one without ICE credentials, leaves that to the first of the group. Spec: RFC 9143 sections 7.2.1, 7.3.1.
    """
    if not answer and not media.bundle_only and sdp.ice_parameters(media) is not None:
        return media
    tagged = next((sdp.media_by_mid(mid) for mid in bundle_of(sdp, media.mid)), None)
    return tagged if tagged is not None else media


def remote_ice(sdp: SessionDescription, media: MediaDescription) -> IceParameters:
    """The peer's ICE credentials for `media`, checked. Errors: `NegotiationError`."""
    ice = sdp.ice_parameters(media)
    where = _name(media)
    if ice is None:
        raise NegotiationError(f"{where} has no ice-ufrag and ice-pwd, and neither has the session")
    if not _UFRAG.match(ice.ufrag.translate(_TOLERATED)):
        raise NegotiationError(
            f"the ice-ufrag of {where} is {ice.ufrag[:32]!r}; allowed are 4 to 256 letters of RFC 8839"
        )
    if not _PWD.match(ice.pwd.translate(_TOLERATED)):
        raise NegotiationError(
            f"the ice-pwd of {where} has {len(ice.pwd)} characters or odd ones; allowed are 22 to 256 of RFC 8839"
        )
    return ice


def remote_dtls(
    sdp: SessionDescription, media: MediaDescription, config: NegotiationConfig, *, answer: bool
) -> DtlsParameters:
    """The peer's role and accepted fingerprints for `media`. Errors: `NegotiationError`.

    A missing `a=setup` is read as `actpass` in an offer, as Chromium does and Firefox does not, and as `active` in an
    answer, RFC 4145's default.
    """
    where = _name(media)
    default = SetupRole.ACTIVE if answer else SetupRole.ACTPASS
    dtls = sdp.dtls_parameters(media, default)
    if dtls is None:
        raise NegotiationError(f"{where} has no fingerprint, and neither has the session; DTLS needs one")
    usable = usable_fingerprints(dtls.fingerprints, config)
    if not usable:
        seen = ", ".join(sorted({fingerprint.algorithm[:16] for fingerprint in dtls.fingerprints}))
        raise NegotiationError(
            f"{where} has fingerprints by {seen} only; allowed are {', '.join(config.fingerprint_algorithms)}"
        )
    if dtls.setup is SetupRole.HOLDCONN:
        raise NegotiationError(f"{where} says setup:holdconn; allowed are actpass, active and passive")
    if answer and dtls.setup is SetupRole.ACTPASS:
        raise NegotiationError(f"{where} answers setup:actpass; an answer says active or passive")
    return DtlsParameters(setup=dtls.setup, fingerprints=usable, tls_id=dtls.tls_id)


def usable_fingerprints(fingerprints: tuple[Fingerprint, ...], config: NegotiationConfig) -> tuple[Fingerprint, ...]:
    """Those by an accepted hash function, at most one page of them."""
    accepted = [one for one in fingerprints if one.algorithm in config.fingerprint_algorithms]
    return tuple(dict.fromkeys(accepted))[:32]


def remote_candidates(
    sdp: SessionDescription, media: MediaDescription, config: NegotiationConfig, *, answer: bool
) -> tuple[Candidate, ...]:
    """The candidates written for the transport of `media`: component 1, each once, at most the configured number.

    Firefox writes component 2 beside `a=rtcp-mux`; nobody uses it. A section of an offer without candidates of its own
    takes those of its group that share its credentials: with the policy max-bundle, Chromium writes them in the first
    section only, even if that is one we reject, and nothing in the text tells that policy from the others.
    """
    speaks = speaker(sdp, media, answer=answer)
    sources = [speaks]
    if not speaks.has("candidate"):
        sources = sections_sharing(sdp, speaks, sdp.ice_parameters(speaks))
    found = {candidate: None for one in sources for candidate in one.candidates if candidate.component == 1}
    return tuple(found)[: config.max_remote_candidates]


def sections_sharing(
    sdp: SessionDescription, media: MediaDescription, ice: IceParameters | None
) -> list[MediaDescription]:
    """`media`, and the sections of its BUNDLE group that have the same ICE credentials or none of their own."""
    sharing = [media]
    by_mid = {one.mid: one for one in reversed(sdp.media)}
    for mid in bundle_of(sdp, media.mid):
        other = by_mid.get(mid)
        if other is None or other is media or ice is None:
            continue
        theirs = sdp.ice_parameters(other)
        if theirs is None or (theirs.ufrag, theirs.pwd) == (ice.ufrag, ice.pwd):
            sharing.append(other)
    return sharing


def _name(media: MediaDescription) -> str:
    return f"the {media.kind[:32]} section" + ("" if media.mid is None else f" {media.mid[:32]!r}")
