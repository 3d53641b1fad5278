"""The machine contract, clause by clause, for a media session."""

from __future__ import annotations

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.peer.media import Closed, MediaSession, OutgoingFrame

from .support import AUDIO, VIDEO, opus_packet, pair, vp8_frame


def _make(seed: int) -> tuple[MediaSession, MediaSession]:
    sessions = pair(seed=seed)
    for session in sessions:
        for number in range(4):
            session.send_frame(AUDIO, OutgoingFrame(opus_packet(number), number * 0.02), 0.0)
            frame = OutgoingFrame(vp8_frame(number, keyframe=not number), number / 30, keyframe=not number)
            session.send_frame(VIDEO, frame, 0.0)
        session.insert_dtmf(AUDIO, "12,3", 0.0)
    return sessions


CASE = MachineCase(
    name="media session",
    make=_make,
    close=lambda machine, now: machine.close(now, "done"),
    is_closed=lambda event: isinstance(event, Closed),
    corpus=(b"", bytes(12), bytes(40), b"\x80\xc8" + bytes(40), b"\x80\x60" + bytes(80)),
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_a_media_session_keeps(clause: object) -> None:
    clause(CASE)  # type: ignore[operator]
