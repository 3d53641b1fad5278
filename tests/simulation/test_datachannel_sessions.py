"""Whole sessions of data channels over a virtual link: opening, sending, closing, reuse, back-pressure, the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.datachannel.peers import CALM, LOSSY, Peers
from webrtc_stack import sctp
from webrtc_stack.base import NEVER
from webrtc_stack.datachannel import (
    BufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    ChannelState,
    Closed,
    Connected,
    DataChannelsConfig,
)
from webrtc_stack.errors import BufferFull, MessageTooLarge, ProtocolError, WebRTCError

CLOSED, OPEN = ChannelState.CLOSED, ChannelState.OPEN


def test_ten_channels_at_once_open_from_both_sides_and_carry_messages_both_ways() -> None:
    peers = Peers(1, link=LOSSY, connect=False)
    labels = [f"channel {number}" for number in range(10)]
    for number, label in enumerate(labels):
        peers.open(number % 2, label)
    peers.connect()
    peers.until(lambda: all(peers.both(label, OPEN) for label in labels))
    for label in labels:
        assert peers.id(0, label) == peers.id(1, label)
        assert peers.id(0, label) % 2 == labels.index(label) % 2  # type: ignore[operator]
        for side in (0, 1):
            for count in range(20):
                peers.send(side, label, f"{side} {label} {count}")
    peers.until(lambda: all(len(peers.received[side][label]) == 20 for side in (0, 1) for label in labels))
    peers.rest(5)
    for label in labels:
        for side in (0, 1):
            assert peers.received[1 - side][label] == [f"{side} {label} {count}" for count in range(20)]


def test_the_opener_may_send_one_round_trip_before_the_answer() -> None:
    peers = Peers(2)
    peers.open(0, "early")
    peers.until(lambda: peers.state(0, "early") is OPEN)
    opened_at = peers.now
    peers.send(0, "early", b"hello")
    peers.until(lambda: peers.received[1]["early"])
    assert peers.received[1]["early"] == [b"hello"]
    assert peers.now <= opened_at + 0.021


def test_channels_made_before_connect_open_on_both_sides_as_the_handshake_ends() -> None:
    peers = Peers(17, connect=False)
    peers.open(0, "a")
    peers.open(1, "b")
    peers.connect()
    peers.until(lambda: peers.both("a", OPEN) and peers.both("b", OPEN))
    assert peers.now == pytest.approx(0.06), "three half round trips: INIT, INIT ACK, COOKIE ECHO with the OPEN"


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.05, 0.07])
def test_opening_and_closing_during_the_handshake_leaves_nothing_behind(delay: float) -> None:
    for seed in range(20, 30):
        peers = Peers(seed, link=LOSSY, connect=False)
        peers.open(0, "before")
        peers.sides[0].connect(peers.now, dtls_client=True)
        peers.rest(delay)
        peers.sides[1].connect(peers.now, dtls_client=False)
        peers.open(1, "during")
        peers.open(0, "n", negotiated=True, id=1000)
        peers.close(0, "before")
        peers.rest(60)
        assert peers.state(0, "before") is CLOSED
        assert peers.both("during", OPEN)
        assert peers.state(0, "n") is OPEN
        peers.open_both("after")
        assert peers.id(1, "after") == 0


def test_strings_bytes_and_empty_messages_arrive_as_what_they_were() -> None:
    peers = Peers(3)
    peers.open_both("kinds")
    messages = ["text", b"bytes", "", b"", "\U0001f600" * 100, bytes(range(256)) * 1000, "\0", b"\0"]
    peers.sides[0].set_remote_max_message_size(262_144)
    for message in messages:
        peers.send(0, "kinds", message)
    peers.until(lambda: len(peers.received[1]["kinds"]) == len(messages))
    assert peers.received[1]["kinds"] == messages
    assert [type(message) for message in peers.received[1]["kinds"]] == [type(message) for message in messages]


def test_a_channel_negotiated_on_both_sides_works_without_dcep_whoever_makes_it_first() -> None:
    peers = Peers(4)
    peers.open(0, "n", negotiated=True, id=1001)
    peers.until(lambda: peers.state(0, "n") is OPEN)
    peers.send(0, "n", "before you were there")
    peers.rest(1)
    peers.open(1, "n", negotiated=True, id=1001)
    peers.send(1, "n", "here I am")
    peers.until(lambda: peers.received[0]["n"] and peers.received[1]["n"])
    assert peers.received[1]["n"] == ["before you were there"]
    assert peers.received[0]["n"] == ["here I am"]
    peers.close(1, "n")
    peers.until(lambda: peers.both("n", CLOSED))


@pytest.mark.parametrize("closers", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("link", [CALM, LOSSY], ids=["calm", "lossy"])
def test_a_channel_closes_from_either_side_and_from_both_at_once(closers: tuple[int, ...], link: object) -> None:
    peers = Peers(5, link=link)  # type: ignore[arg-type]
    peers.open_both("x")
    for count in range(50):
        peers.send(closers[0], "x", f"last words {count}")
    for side in closers:
        peers.close(side, "x")
    peers.until(lambda: peers.both("x", CLOSED))
    for side in (0, 1):
        (end,) = peers.ends(side, "x")
        assert end.error is None
    if len(closers) == 1:
        assert peers.received[1 - closers[0]]["x"] == [f"last words {count}" for count in range(50)]
        closing = [event for event in peers.events[1 - closers[0]] if isinstance(event, ChannelClosing)]
        assert [event.by_peer for event in closing] == [True]
    # The other channels of the association live on.
    peers.open_both("y")
    peers.send(0, "y", b"still here")
    peers.until(lambda: peers.received[1]["y"])


@pytest.mark.parametrize("link", [CALM, LOSSY], ids=["calm", "lossy"])
def test_an_id_is_reused_after_its_channel_closed(link: object) -> None:
    peers = Peers(6, link=link)  # type: ignore[arg-type]
    ids = set()
    for life in range(12):
        label = f"life {life}"
        peers.open(life % 2, label)
        peers.until(lambda label=label: peers.both(label, OPEN))
        ids.add(peers.id(0, label))
        for side in (0, 1):
            for count in range(3):
                peers.send(side, label, f"{life} {count}")
        peers.until(lambda label=label: len(peers.received[0][label]) == len(peers.received[1][label]) == 3)
        peers.close((life // 2) % 2, label)
        peers.until(lambda label=label: peers.both(label, CLOSED))
        for side in (0, 1):
            assert peers.received[side][label] == [f"{life} {count}" for count in range(3)]
    assert ids == {0, 1}


def test_a_channel_opened_at_the_instant_the_last_one_closed_uses_its_stream_cleanly() -> None:
    for seed in range(10):
        peers = Peers(100 + seed, link=LOSSY)
        peers.open_both("old")
        peers.close(0, "old")
        peers.until(lambda peers=peers: peers.state(0, "old") is CLOSED)
        peers.open(0, "new")
        peers.send(0, "new", "first")
        assert peers.id(0, "new") == 0
        peers.until(lambda peers=peers: peers.received[1]["new"])
        assert peers.both("old", CLOSED)
        assert peers.received[1]["new"] == ["first"]


def test_two_clients_collide_on_their_streams_and_close_them_with_errors() -> None:
    peers = Peers(7, roles=(True, True))
    peers.open(0, "left")
    peers.open(1, "right")
    peers.until(lambda: len(peers.ends(0, "left")) == len(peers.ends(1, "right")) == 1)
    assert isinstance(peers.ends(0, "left")[0].error, ProtocolError)
    assert isinstance(peers.ends(1, "right")[0].error, ProtocolError)
    assert not any(isinstance(event, Closed) for event in [*peers.events[0], *peers.events[1]])


def test_unread_messages_hold_the_sender_back_until_they_are_consumed() -> None:
    peers = Peers(8)
    peers.open_both("flood")
    peers.consuming = {0}
    handle = peers.handles[0]["flood"]
    message, sent = bytes(60_000), 0
    # More than the receive window holds, in pieces that the send buffer takes.
    while sent < 600:
        try:
            peers.send(0, "flood", message)
            sent += 1
        except BufferFull:
            before = len(peers.received[1]["flood"])
            peers.rest(5)
            if len(peers.received[1]["flood"]) == before:
                break
    peers.rest(30)
    arrived = len(peers.received[1]["flood"])
    assert arrived < sent, "the window never closed"
    waiting = peers.sides[0].buffered_amount(handle)
    assert waiting > 0
    peers.rest(30)
    assert peers.sides[0].buffered_amount(handle) == waiting
    assert len(peers.received[1]["flood"]) == arrived
    unread = peers.sides[1].channel(peers.handles[1]["flood"]).unread_bytes
    assert unread == arrived * len(message)
    peers.consuming = {0, 1}
    peers.sides[1].message_consumed(peers.handles[1]["flood"], unread, peers.now)
    peers.until(lambda: len(peers.received[1]["flood"]) == sent, timeout=300)
    assert peers.sides[0].buffered_amount(handle) == 0


def test_the_buffered_amount_falls_to_zero_and_says_so_once() -> None:
    peers = Peers(9, link=replace(CALM, rate_bps=2_000_000))
    peers.open_both("x")
    handle = peers.handles[0]["x"]
    peers.sides[0].set_buffered_amount_low_threshold(handle, 20_000)
    for _ in range(10):
        peers.send(0, "x", bytes(40_000))
    assert peers.sides[0].buffered_amount(handle) == 400_000
    peers.until(lambda: len(peers.received[1]["x"]) == 10)
    peers.rest(2)
    assert peers.sides[0].buffered_amount(handle) == 0
    assert sum(isinstance(event, BufferedAmountLow) for event in peers.events[0]) == 1


def test_a_message_above_what_the_receiver_announced_closes_the_channel() -> None:
    peers = Peers(10, config=DataChannelsConfig(max_message_size=1000))
    peers.open_both("x")
    peers.send(0, "x", bytes(1000))
    peers.send(0, "x", bytes(1001))
    peers.until(lambda: peers.both("x", CLOSED))
    assert peers.received[1]["x"] == [bytes(1000)]
    assert isinstance(peers.ends(1, "x")[0].error, MessageTooLarge)


def test_unreliable_messages_may_be_lost_and_reliable_ones_beside_them_are_not() -> None:
    peers = Peers(11, link=replace(CALM, loss=0.2))
    peers.open_both("reliable")
    peers.open_both("once", ordered=False, max_retransmits=0)
    for count in range(300):
        peers.send(0, "reliable", f"{count}")
        peers.send(0, "once", f"{count}")
        peers.rest(0.02)
    peers.until(lambda: len(peers.received[1]["reliable"]) == 300, timeout=300)
    peers.rest(30)
    assert peers.received[1]["reliable"] == [f"{count}" for count in range(300)]
    got = peers.received[1]["once"]
    assert len(set(got)) == len(got)
    assert 150 < len(got) < 300
    assert peers.sides[0].counters.messages_abandoned > 0
    assert peers.sides[0].buffered_amount(peers.handles[0]["once"]) == 0


def test_shutdown_delivers_what_was_sent_and_ends_both_sides_in_order() -> None:
    peers = Peers(12, link=LOSSY)
    peers.open_both("x")
    for count in range(100):
        peers.send(0, "x", f"{count}")
    peers.sides[0].shutdown(peers.now)
    peers.until(lambda: all(isinstance(peers.events[side][-1], Closed) for side in (0, 1)))
    assert peers.received[1]["x"] == [f"{count}" for count in range(100)]
    for side in (0, 1):
        kinds = [type(event) for event in peers.events[side]]
        assert kinds[0] is Connected
        assert kinds.count(Closed) == kinds.count(ChannelClosed) == kinds.count(ChannelOpened) == 1
        assert kinds[-2:] == [ChannelClosed, Closed]
        assert peers.ends(side, "x")[0].error is None


def test_an_abort_ends_the_other_side_with_an_error() -> None:
    peers = Peers(13)
    peers.open_both("x")
    peers.sides[0].abort(peers.now)
    peers.rest(1)
    assert isinstance(peers.events[1][-1], Closed)
    assert isinstance(peers.ends(1, "x")[0].error, WebRTCError)
    assert isinstance(peers.events[0][-1], Closed)


def test_a_silent_peer_ends_the_channels_with_an_error() -> None:
    peers = Peers(14)
    peers.open_both("x")
    for link in peers.pair.links:
        link.config = replace(link.config, up=False)
    peers.send(0, "x", b"anybody?")
    peers.until(lambda: isinstance(peers.events[0][-1], Closed), timeout=3600)
    assert isinstance(peers.ends(0, "x")[0].error, WebRTCError)


def test_a_restarted_peer_leaves_no_channel_and_new_ones_work() -> None:
    peers = Peers(15)
    peers.open_both("old")
    fresh = Peers(16, connect=False)
    peers.pair.machines = (peers.sides[0], fresh.sides[1])
    peers.sides = (peers.sides[0], fresh.sides[1])
    fresh.sides[1].connect(peers.now, dtls_client=False)
    peers.until(lambda: peers.ends(0, "old"))
    assert isinstance(peers.ends(0, "old")[0].error, WebRTCError)
    peers.open_both("new")
    peers.send(0, "new", b"hello again")
    peers.until(lambda: peers.received[1]["new"])


def test_the_same_seed_gives_the_same_bytes() -> None:
    digests = []
    for seed in (1, 1, 2):
        peers = Peers(seed, link=LOSSY)
        peers.open_both("x")
        for count in range(30):
            peers.send(count % 2, "x", f"{count}" * 100)
        peers.close(0, "x")
        peers.rest(10)
        digests.append(peers.pair.digest())
    assert digests[0] == digests[1] != digests[2]


def test_a_window_of_the_association_is_configured_through_the_channels() -> None:
    assert DataChannelsConfig(sctp=sctp.SctpConfig()).sctp == sctp.SctpConfig()


@pytest.mark.parametrize("how", ["close", "abort", "shutdown"])
@pytest.mark.parametrize("connected", [False, True])
def test_every_way_to_end_works_before_anything_was_established(how: str, connected: bool) -> None:
    peers = Peers(18, connect=False)
    peers.open(0, "x")
    if connected:
        peers.sides[0].connect(0.0, dtls_client=True)
    getattr(peers.sides[0], how)(0.0)
    peers.rest(300)
    assert [type(event) for event in peers.events[0]] == [ChannelClosing, ChannelClosed, Closed]
    assert peers.sides[0].next_timeout() == NEVER
