"""Transceivers as values inside the negotiation state: made, changed, stopped.

Nothing here needs a description: these are the commands of the application. What descriptions do to transceivers is
`association.py`. Handles are counted and SSRCs are hashed from a seed in the state, so that a transceiver that a
remote offer makes has its own without any outside source of chance, and the same ones in a replay.

Spec: W3C webrtc-pc sections 5.1 (addTrack, removeTrack, addTransceiver), 5.2 (RTCRtpSender), 5.4 (RTCRtpTransceiver).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...errors import InvalidAccessError, InvalidArgumentError, InvalidStateError
from ...sdp import Direction
from ..parameters import Codec, Encoding, HeaderExtension, MediaKind, SourceIds, TransceiverHandle
from .capabilities import default_header_extensions, preferred_codecs
from .simulcast import check_encodings

if TYPE_CHECKING:
    from .values import NegotiationState

_CHANGEABLE = frozenset(
    {
        "direction",
        "stream_ids",
        "track_id",
        "has_track",
        "codec_preferences",
        "encodings",
        "header_extensions",
        "made_by_add_track",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transceiver:
    """A sender and a receiver that share a section, in the words of W3C's internal slots."""

    handle: TransceiverHandle
    kind: MediaKind
    mid: str | None = None
    """The section that it is associated with; None before an offer with it is set."""
    index: int | None = None
    direction: Direction = Direction.SENDRECV
    """What the application wants."""
    current_direction: Direction | None = None
    """What was negotiated last; None before the first answer."""
    stopping: bool = False
    """It was stopped here; the next offer says so."""
    stopped: bool = False
    codec_preferences: tuple[Codec, ...] = ()
    """In order; empty is the default order."""
    header_extensions: tuple[HeaderExtension, ...] = ()
    stream_ids: tuple[str, ...] = ()
    track_id: str = ""
    """With `stream_ids`, the `a=msid` that we write."""
    encodings: tuple[Encoding, ...] = (Encoding(),)
    sources: tuple[SourceIds, ...] = ()
    """Our SSRCs, one entry an encoding."""
    by_remote: bool = False
    """A remote offer made it."""
    made_by_add_track: bool = False
    """A remote offer may take it for its section (RFC 9429 section 5.10)."""
    has_track: bool = False
    ever_sent: bool = False
    fired_direction: Direction | None = None
    """Our direction at the time the application was last told of a remote track (W3C [[FiredDirection]])."""
    remote_stream_ids: tuple[str, ...] = ()
    remote_track_id: str = ""
    receive_rids: tuple[str, ...] = ()
    """The simulcast layers that we agreed to receive; our offers ask for them again."""

    @property
    def fires(self) -> bool:
        """True while the application has been told of a remote track that still comes."""
        return receives(self.fired_direction)


def sends(direction: Direction | None) -> bool:
    return direction in (Direction.SENDRECV, Direction.SENDONLY)


def receives(direction: Direction | None) -> bool:
    return direction in (Direction.SENDRECV, Direction.RECVONLY)


def direction_of(send: bool, receive: bool) -> Direction:
    """The direction that sends and receives as told."""
    if send:
        return Direction.SENDRECV if receive else Direction.SENDONLY
    return Direction.RECVONLY if receive else Direction.INACTIVE


def common(one: Direction, other: Direction) -> Direction:
    """What both directions allow."""
    return direction_of(sends(one) and sends(other), receives(one) and receives(other))


def add_transceiver(
    state: NegotiationState,
    kind: MediaKind | str,
    *,
    handle: TransceiverHandle | None = None,
    sources: Sequence[SourceIds] | None = None,
    direction: Direction = Direction.SENDRECV,
    stream_ids: Sequence[str] = (),
    track_id: str = "",
    encodings: Sequence[Encoding] = (Encoding(),),
    codec_preferences: Sequence[Codec] = (),
    header_extensions: Sequence[HeaderExtension] | None = None,
    by_remote: bool = False,
    made_by_add_track: bool = False,
    has_track: bool = False,
    used: set[int] | None = None,
) -> NegotiationState:
    """The state with one more transceiver; without `handle` and `sources` they are drawn from the state.

    The new one is the last of `state.transceivers`. `used` are SSRCs to avoid, for those who make very many.
    Errors: `InvalidArgumentError`; `InvalidStateError` once closed.
    """
    _require_open(state)
    try:
        kind = MediaKind(kind)
    except ValueError:
        raise InvalidArgumentError(f"unknown kind {str(kind)[:20]!r}; allowed are audio and video") from None
    if handle is None:
        handle = TransceiverHandle(state.next_handle)
    elif handle < state.next_handle:
        raise InvalidArgumentError(f"handle {handle} was given before; the next free one is {state.next_handle}")
    layers = check_encodings(kind, tuple(encodings))
    if not track_id:
        track_id = _track_id(state, handle)
    _check_msid(stream_ids, track_id)
    if sources is None:
        sources = draw_sources(state, handle, len(layers), repairs=kind is MediaKind.VIDEO, used=used)
    elif len(sources) != len(layers):
        raise InvalidArgumentError(f"{len(layers)} encodings need as many sources, got {len(sources)}")
    made = Transceiver(
        handle=handle,
        kind=kind,
        direction=Direction(direction),
        stream_ids=tuple(dict.fromkeys(stream_ids)),
        track_id=track_id,
        encodings=layers,
        sources=tuple(sources),
        codec_preferences=preferred_codecs(kind, codec_preferences),
        header_extensions=(default_header_extensions(kind) if header_extensions is None else tuple(header_extensions)),
        by_remote=by_remote,
        made_by_add_track=made_by_add_track,
        has_track=has_track,
    )
    return replace(state, transceivers=(*state.transceivers, made), next_handle=handle + 1)


def add_track(
    state: NegotiationState, kind: MediaKind | str, *, track_id: str, stream_ids: Sequence[str] = ()
) -> tuple[NegotiationState, TransceiverHandle]:
    """W3C addTrack: a sender that has no track and never sent is used again, else there is a new transceiver.

    Errors: as `add_transceiver`; `InvalidAccessError` if the track is being sent already.
    """
    _require_open(state)
    _check_msid(stream_ids, track_id)
    for one in state.transceivers:
        if one.has_track and one.track_id == track_id and not one.stopping and not one.stopped:
            raise InvalidAccessError(f"a sender for track {track_id[:64]!r} exists already")
    for one in state.transceivers:
        if one.kind != kind or one.has_track or one.ever_sent or one.stopping or one.stopped or sends(one.direction):
            continue
        state = update_transceiver(
            state,
            one.handle,
            has_track=True,
            track_id=track_id,
            stream_ids=stream_ids,
            direction=direction_of(True, receives(one.direction)),
        )
        return state, one.handle
    state = add_transceiver(
        state, kind, track_id=track_id, stream_ids=stream_ids, made_by_add_track=True, has_track=True
    )
    return state, state.transceivers[-1].handle


def remove_track(state: NegotiationState, handle: TransceiverHandle) -> NegotiationState:
    """W3C removeTrack: the sender is without a track and its direction without sending. Errors: `UsageError`."""
    one = transceiver(state, handle)
    if one.stopping or one.stopped:
        return state
    return update_transceiver(state, handle, has_track=False, direction=direction_of(False, receives(one.direction)))


def update_transceiver(state: NegotiationState, handle: TransceiverHandle, **changes: Any) -> NegotiationState:
    """The state with a transceiver changed.

    Allowed are `direction`, `stream_ids`, `track_id`, `has_track`, `codec_preferences` (with the rules of
    `preferred_codecs`), `encodings`, `header_extensions`. Encodings can change in all but number and rids.
    Errors: `InvalidAccessError` for an unknown handle, `InvalidStateError` for a stopped one, `InvalidArgumentError`.
    """
    _require_open(state)
    before = transceiver(state, handle)
    unknown = set(changes) - _CHANGEABLE
    if unknown:
        raise InvalidArgumentError(f"{', '.join(sorted(unknown))} cannot be changed")
    if before.stopping or before.stopped:
        raise InvalidStateError(f"transceiver {handle} is stopped; add another")
    if "direction" in changes:
        changes["direction"] = Direction(changes["direction"])
    if "stream_ids" in changes:
        changes["stream_ids"] = tuple(dict.fromkeys(changes["stream_ids"]))
    if "codec_preferences" in changes:
        changes["codec_preferences"] = preferred_codecs(before.kind, changes["codec_preferences"])
    if "header_extensions" in changes:
        changes["header_extensions"] = tuple(changes["header_extensions"])
    if "encodings" in changes:
        layers = check_encodings(before.kind, tuple(changes["encodings"]))
        if [layer.rid for layer in layers] != [layer.rid for layer in before.encodings]:
            raise InvalidArgumentError("the number and the rids of encodings cannot be changed after they were made")
        changes["encodings"] = layers
    after = replace(before, **changes)
    _check_msid(after.stream_ids, after.track_id)
    return with_transceiver(state, after)


def set_codec_preferences(
    state: NegotiationState, handle: TransceiverHandle, codecs: Sequence[Codec]
) -> NegotiationState:
    """W3C setCodecPreferences; no codecs means the default order again. Errors: as `update_transceiver`."""
    return update_transceiver(state, handle, codec_preferences=codecs)


def stop_transceiver(state: NegotiationState, handle: TransceiverHandle) -> NegotiationState:
    """W3C stop(): stopping from now on, stopped and gone once that is negotiated; without a section, at once."""
    _require_open(state)
    before = transceiver(state, handle)
    if before.stopping or before.stopped:
        return state
    return with_transceiver(state, replace(before, stopping=True, stopped=before.mid is None))


def transceiver(state: NegotiationState, handle: TransceiverHandle) -> Transceiver:
    """The transceiver of that handle. Errors: `InvalidAccessError`."""
    for one in state.transceivers:
        if one.handle == handle:
            return one
    raise InvalidAccessError(f"there is no transceiver {handle}")


def with_transceiver(state: NegotiationState, changed: Transceiver) -> NegotiationState:
    """The state in which `changed` takes the place of the transceiver with its handle."""
    return replace(
        state, transceivers=tuple(changed if one.handle == changed.handle else one for one in state.transceivers)
    )


def used_sources(state: NegotiationState) -> set[int]:
    """The SSRCs that are ours, or named in the remote description."""
    used = {0}
    for one in state.transceivers:
        used.update(ssrc for ids in one.sources for ssrc in (ids.ssrc, ids.rtx_ssrc) if ssrc is not None)
    if state.remote is not None:
        for section in state.remote.sdp.media:
            used.update(int(word) for text in section.texts("ssrc") if (word := text.split(" ")[0][:12]).isdecimal())
    return used


def draw_sources(
    state: NegotiationState, handle: TransceiverHandle, count: int, *, repairs: bool, used: set[int] | None = None
) -> tuple[SourceIds, ...]:
    """SSRCs for `count` encodings: hashed from the seed, none of `used`, which is `used_sources` unless given.

    With `repairs` each gets one for its retransmissions. What is drawn is added to `used`.
    Spec: RFC 3550 section 8.1 (SSRCs are random), RFC 4588 section 5.2 (retransmissions have their own).
    """
    if used is None:
        used = used_sources(state)
    found: list[int] = []
    number = 0
    while len(found) < 2 * count:
        digest = hashlib.sha256(state.seed + b"ssrc" + handle.to_bytes(8, "big") + number.to_bytes(4, "big")).digest()
        number += 1
        ssrc = int.from_bytes(digest[:4], "big")
        if ssrc not in used:
            used.add(ssrc)
            found.append(ssrc)
    return tuple(
        SourceIds(ssrc=media, rtx_ssrc=repair if repairs else None)
        for media, repair in zip(found[::2], found[1::2], strict=True)
    )


def _track_id(state: NegotiationState, handle: TransceiverHandle) -> str:
    """An id for a sender that has no track yet, in the form of a UUID, as browsers write."""
    text = hashlib.sha256(state.seed + b"track" + handle.to_bytes(8, "big")).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def remote_track_id(state: NegotiationState, handle: TransceiverHandle) -> str:
    """The id of a remote track for which the peer writes none."""
    return hashlib.sha256(state.seed + b"remote" + handle.to_bytes(8, "big")).hexdigest()[:32]


def _check_msid(stream_ids: Iterable[str], track_id: str) -> None:
    for text in (*stream_ids, track_id):
        if not 0 < len(text) <= 64 or not text.isascii() or not text.isprintable() or " " in text:
            raise InvalidArgumentError(
                f"{text[:70]!r} cannot stand in a=msid; allowed are 1 to 64 printable ASCII characters without spaces"
            )


def _require_open(state: NegotiationState) -> None:
    if state.signaling_state == "closed":
        raise InvalidStateError("the session is closed")
