"""Channels on an association that does what the test says: how they begin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.datachannel.fake import ACK, OPEN, Bench, Sent
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelHandle,
    ChannelOpened,
    ChannelState,
    Connected,
    DataChannelOpen,
    DataChannels,
    DataChannelsConfig,
    MessageReceived,
    Priority,
)
from webrtc_stack.errors import (
    InvalidArgumentError,
    InvalidStateError,
    TooManyStreams,
)


def test_channels_made_before_connect_get_their_ids_by_role_and_open_when_the_association_is_up() -> None:
    for client, ids in ((True, [0, 2]), (False, [1, 3])):
        bench = Bench(up=False)
        handles = [bench.channels.open_channel(label, 0.0) for label in "ab"]
        assert [bench.channels.channel(handle).id for handle in handles] == [None, None]
        bench.channels.connect(0.0, dtls_client=client)
        assert [bench.channels.channel(handle).id for handle in handles] == ids
        assert not bench.channels.poll_events()
        events = bench.happen(sctp.AssociationEstablished(65535, 65535))
        assert events == [Connected(), *(ChannelOpened(handle, id) for handle, id in zip(handles, ids, strict=True))]
        assert [(sent.stream_id, sent.ppid) for sent in bench.fake.sent] == [(ids[0], 50), (ids[1], 50)]


def test_the_parameters_of_a_channel_are_on_the_wire() -> None:
    bench = Bench()
    bench.channels.open_channel("l", 0.0, ordered=False, max_packet_life_time=250, protocol="p", priority=Priority.HIGH)
    assert DataChannelOpen.parse(bench.fake.sent[0].data) == DataChannelOpen(
        label="l", protocol="p", ordered=False, max_packet_life_time=250, priority=1024
    )
    assert bench.fake.sent[0][3:] == (True, None, None), "DCEP itself is ordered and reliable"


def test_a_channel_of_the_peer_is_announced_opened_and_acknowledged() -> None:
    bench = Bench()
    events = bench.message(
        3, 50, DataChannelOpen(label="l", protocol="p", ordered=False, max_retransmits=70000, priority=0).serialize()
    )
    handle = ChannelHandle(1)
    assert events == [
        ChannelAnnounced(handle, "l", "p", False, None, 70000, 0, 3),
        ChannelOpened(handle, 3),
    ]
    assert bench.fake.sent == [Sent(3, 50, ACK, True, None, None)]
    assert bench.fake.released == len(bench.fake.sent[0].data) + 12 + 1
    snapshot = bench.channels.channel(handle)
    assert snapshot.opened_by_peer
    assert snapshot.state is ChannelState.OPEN


def test_a_negotiated_channel_opens_without_a_word() -> None:
    bench = Bench()
    handle = bench.channels.open_channel("n", 0.0, negotiated=True, id=7)
    assert bench.channels.poll_events() == [ChannelOpened(handle, 7)]
    assert not bench.fake.sent


def test_misuse_of_open_channel_is_refused_and_changes_nothing() -> None:
    bench = Bench(streams=10)
    open_channel = bench.channels.open_channel
    open_channel("taken", 0.0, negotiated=True, id=7)
    for arguments in (
        {"max_retransmits": 1, "max_packet_life_time": 1},
        {"label": "ä" * 32768},
        {"protocol": "p" * 65536},
        {"negotiated": True},
        {"negotiated": True, "id": 65535},
        {"negotiated": True, "id": -1},
        {"negotiated": True, "id": 7},
        {"max_retransmits": -1},
        {"max_retransmits": 65536},
        {"max_packet_life_time": 65536},
        {"priority": 65536},
    ):
        with pytest.raises(InvalidArgumentError):
            open_channel(**{"label": "x", "now": 0.0, **arguments})  # type: ignore[arg-type]
    with pytest.raises(TooManyStreams):
        open_channel("beyond", 0.0, negotiated=True, id=10)
    assert len(bench.channels.channels()) == 1
    for _ in range(5):
        open_channel("x", 0.0)
    with pytest.raises(TooManyStreams):
        open_channel("x", 0.0)
    assert len(bench.channels.channels()) == 6


def test_before_the_roles_are_known_there_is_room_for_the_channels_of_either() -> None:
    bench = Bench(up=False)
    for _ in range(32768):
        bench.channels.open_channel("", 0.0)
    with pytest.raises(TooManyStreams):
        bench.channels.open_channel("", 0.0)
    # The server has one identifier less: 65535 is never used.
    bench.channels.connect(0.0, dtls_client=False)
    assert [type(event) for event in bench.channels.poll_events()] == [ChannelClosed]


def test_an_id_without_negotiated_is_ignored_as_w3c_says() -> None:
    bench = Bench()
    assert bench.channels.channel(bench.channels.open_channel("x", 0.0, id=9)).id == 0


def test_channels_beyond_the_streams_of_the_association_close_with_an_error() -> None:
    bench = Bench(up=False)
    fine = bench.channels.open_channel("fine", 0.0)
    beyond = bench.channels.open_channel("beyond", 0.0, negotiated=True, id=100)
    bench.channels.connect(0.0, dtls_client=True)
    events = bench.happen(sctp.AssociationEstablished(100, 200))
    assert ChannelOpened(fine, 0) in events
    (closed,) = [event for event in events if isinstance(event, ChannelClosed)]
    assert closed.handle == beyond
    assert isinstance(closed.error, TooManyStreams)


def test_connect_twice_and_opening_after_the_end_are_misuse() -> None:
    bench = Bench()
    with pytest.raises(InvalidStateError):
        bench.channels.connect(0.0, dtls_client=True)
    bench.channels.close(0.0)
    with pytest.raises(InvalidStateError):
        bench.channels.open_channel("x", 0.0)


def test_events_before_connect_wait_for_it() -> None:
    bench = Bench(up=False)
    assert not bench.happen(sctp.AssociationEstablished(65535, 65535), sctp.MessageReceived(1, 50, OPEN))
    bench.channels.connect(0.0, dtls_client=True)
    assert [type(event) for event in bench.channels.poll_events()] == [Connected, ChannelAnnounced, ChannelOpened]


def test_what_overtakes_the_end_of_the_handshake_waits_for_it() -> None:
    bench = Bench(up=False)
    bench.channels.connect(0.0, dtls_client=True)
    assert not bench.happen(sctp.MessageReceived(1, 50, OPEN))
    assert not bench.happen(sctp.MessageReceived(1, 51, b"hello"))
    events = bench.happen(sctp.MessageReceived(1, 51, b"again"), sctp.AssociationEstablished(65535, 65535))
    assert [type(event) for event in events] == [Connected, ChannelAnnounced, ChannelOpened, *[MessageReceived] * 2]
    assert bench.fake.sent[0].data == ACK


def test_channels_of_both_kinds_made_during_the_handshake_open_when_it_ends() -> None:
    bench = Bench(up=False)
    bench.channels.connect(0.0, dtls_client=True)
    first = bench.channels.open_channel("a", 0.0)
    second = bench.channels.open_channel("b", 0.0, negotiated=True, id=7)
    bench.fake.full = True
    third = bench.channels.open_channel("c", 0.0)
    assert [sent.stream_id for sent in bench.fake.sent] == [0]
    assert not bench.channels.poll_events()
    with pytest.raises(InvalidStateError):
        bench.channels.send(first, b"x", 0.0)
    bench.fake.full = False
    events = bench.happen(sctp.AssociationEstablished(65535, 65535))
    assert events[0] == Connected()
    assert set(events[1:]) == {ChannelOpened(first, 0), ChannelOpened(second, 7), ChannelOpened(third, 2)}


def test_an_open_that_finds_the_buffer_full_goes_out_first_when_there_is_room() -> None:
    bench = Bench()
    bench.fake.full = True
    first = bench.channels.open_channel("first", 0.0)
    second = bench.channels.open_channel("second", 0.0)
    third = bench.channels.open_channel("third", 0.0)
    assert not bench.channels.poll_events()
    with pytest.raises(InvalidStateError):
        bench.channels.send(first, b"x", 0.0)
    bench.channels.close_channel(second, 0.0)
    assert bench.channels.poll_events() == [ChannelClosing(second, False), ChannelClosed(second, None)]
    bench.fake.full = False
    assert bench.happen() == [ChannelOpened(first, 0), ChannelOpened(third, 4)]
    assert [sent.stream_id for sent in bench.fake.sent] == [0, 4]


@pytest.mark.parametrize(
    "arguments",
    [{"max_message_size": 0}, {"max_remote_channels": -1}, {"early_timeout": 0.0}, {"max_early_bytes": 0}],
)
def test_a_config_out_of_range_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        DataChannelsConfig(**arguments)


def test_the_association_inherits_the_entropy() -> None:
    channels = DataChannels(DataChannelsConfig(entropy=SeededEntropy(1)))
    assert isinstance(channels.association, sctp.Association)
