"""Messages out of fragments."""

from __future__ import annotations

from webrtc_stack.dtls.messages import Fragment, HandshakeMessage
from webrtc_stack.dtls.reassembly import Outcome, Reassembler


def _reassembler(**limits: int) -> Reassembler:
    return Reassembler(
        max_message_bytes=limits.get("message", 1000),
        max_bytes=limits.get("total", 2000),
        max_ahead=limits.get("ahead", 4),
    )


def test_a_message_comes_out_once_its_last_fragment_is_in() -> None:
    box = _reassembler()
    assert box.push(Fragment(1, 6, 0, 3, b"def"), 0) is Outcome.KEPT
    assert box.pop() is None
    assert box.push(Fragment(1, 6, 0, 0, b"abc"), 0) is Outcome.KEPT
    assert box.pop() == HandshakeMessage(1, 0, b"abcdef", 0)
    assert box.pop() is None
    assert box.buffered_bytes == 0


def test_messages_come_out_in_the_order_of_their_numbers() -> None:
    box = _reassembler()
    box.push(Fragment(14, 0, 1, 0, b""), 0)
    assert box.pop() is None
    box.push(Fragment(2, 1, 0, 0, b"x"), 0)
    assert [message.message_seq for message in (box.pop(), box.pop()) if message] == [0, 1]


def test_fragments_may_overlap_in_any_way() -> None:
    box = _reassembler()
    body = bytes(range(20))
    for start, end in ((5, 9), (0, 3), (8, 15), (2, 6), (1, 2), (12, 20)):
        box.push(Fragment(1, 20, 0, start, body[start:end]), 0)
    message = box.pop()
    assert message is not None
    assert message.body == body


def test_an_old_message_and_a_repeated_fragment_are_told_apart() -> None:
    box = _reassembler()
    box.push(Fragment(1, 2, 0, 0, b"a"), 0)
    assert box.push(Fragment(1, 2, 0, 0, b"a"), 0) is Outcome.DUPLICATE
    box.push(Fragment(1, 2, 0, 1, b"b"), 0)
    box.pop()
    assert box.push(Fragment(1, 2, 0, 0, b"a"), 0) is Outcome.OLD


def test_limits_are_kept() -> None:
    box = _reassembler()
    assert box.push(Fragment(1, 1001, 0, 0, b"a"), 0) is Outcome.TOO_LARGE
    assert box.push(Fragment(1, 5, 4, 0, b"a"), 0) is Outcome.TOO_FAR_AHEAD
    assert box.push(Fragment(1, 1000, 1, 0, b"a"), 0) is Outcome.KEPT
    assert box.push(Fragment(1, 1000, 2, 0, b"a"), 0) is Outcome.KEPT
    assert box.push(Fragment(1, 1000, 3, 0, b"a"), 0) is Outcome.NO_ROOM
    assert box.buffered_bytes == 2000


def test_the_message_due_next_pushes_out_those_ahead() -> None:
    box = _reassembler()
    box.push(Fragment(1, 1000, 1, 0, b"a"), 0)
    box.push(Fragment(1, 1000, 2, 0, b"a"), 0)
    assert box.push(Fragment(1, 3, 0, 0, b"abc"), 0) is Outcome.KEPT
    assert box.pop() == HandshakeMessage(1, 0, b"abc", 0)
    assert box.buffered_bytes == 1000


def test_a_contradicting_fragment_replaces_an_unauthenticated_one_only() -> None:
    box = _reassembler()
    box.push(Fragment(9, 900, 0, 0, b"forged"), 0)
    assert box.push(Fragment(2, 1, 0, 0, b"x"), 0) is Outcome.KEPT
    assert box.pop() == HandshakeMessage(2, 0, b"x", 0)
    box.push(Fragment(20, 12, 1, 0, b"sealed"), 1)
    assert box.push(Fragment(20, 5, 1, 0, b"plain"), 0) is Outcome.CONTRADICTS
    assert box.push(Fragment(20, 12, 1, 6, b"sealed"), 1) is Outcome.KEPT
    assert box.pop() == HandshakeMessage(20, 1, b"sealedsealed", 1)
