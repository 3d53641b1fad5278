"""ChannelData and framing for any bytes; permissions and channels of client and server agree after any moves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.turn.harness import Wire, allocated
from webrtc_stack.base import Address
from webrtc_stack.errors import BufferFull, InvalidArgumentError, ParseError
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method
from webrtc_stack.turn import ChannelData, Framer, PeerPolicy, TurnUri, unwrap, wrap_many

channels = st.integers(0x4000, 0x7FFF)


@given(channels, st.binary(max_size=300), st.booleans())
def test_what_is_written_is_read(channel: int, data: bytes, padded: bool) -> None:
    message = ChannelData(channel=channel, data=data)
    written = message.serialize(padded=padded)
    assert ChannelData.parse(written) == message
    assert unwrap(written) == (channel, data)
    assert not padded or len(written) % 4 == 0


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        message = ChannelData.parse(data)
    except ParseError:
        assert unwrap(data) is None
    else:
        assert unwrap(data) == (message.channel, message.data)
        assert data.startswith(message.serialize())


frames = st.one_of(
    st.builds(
        lambda channel, data: ChannelData(channel=channel, data=data).serialize(), channels, st.binary(max_size=40)
    ),
    st.builds(
        lambda id, data: Message(
            method=Method.SEND,
            message_class=MessageClass.INDICATION,
            transaction_id=id,
            attributes=(Attribute(AttributeType.DATA, data),),
        ).serialize(),
        st.binary(min_size=12, max_size=12),
        st.binary(max_size=40),
    ),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_a_stream_is_cut_the_same_however_it_arrives(sent: list[bytes], steps: list[int]) -> None:
    stream = b"".join(frame + bytes(-len(frame) % 4) for frame in sent)
    framer = Framer()
    got: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        step = steps[turn % len(steps)]
        got += framer.receive(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert got == sent
    assert (framer.buffered, framer.error) == (0, None)


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_stream_is_bounded_and_the_same_however_it_arrives(parts: list[bytes]) -> None:
    one, many = Framer(200), Framer(200)
    at_once = one.receive(b"".join(parts))
    in_parts = []
    for part in parts:
        in_parts += many.receive(part)
        assert many.buffered < 204
    assert at_once == in_parts
    assert (one.error is None) == (many.error is None)


@given(channels, st.lists(st.binary(max_size=50), max_size=10), st.booleans())
def test_a_burst_is_each_of_it(channel: int, burst: list[bytes], padded: bool) -> None:
    assert wrap_many(channel, burst, padded=padded) == [
        ChannelData(channel=channel, data=data).serialize(padded=padded) for data in burst
    ]


@given(st.text(max_size=40))
def test_any_text_is_a_uri_or_an_error(text: str) -> None:
    for candidate in (text, f"turn:{text}", f"turns:a:{text}"):
        try:
            uri = TurnUri.parse(candidate)
        except ParseError:
            continue
        assert TurnUri.parse(str(uri)) == uri


@given(st.ip_addresses())
def test_the_policy_has_an_answer_for_every_address(address: object) -> None:
    refusal = PeerPolicy().refusal(str(address))
    assert refusal is None or refusal
    if PeerPolicy.of(private=True, loopback=True).refusal(str(address)) is not None:
        assert refusal is not None, "opening ranges refuses nobody who was let in before"


moves = st.lists(
    st.tuples(st.sampled_from(["permit", "bind", "forget", "send", "back", "wait"]), st.integers(0, 5)), max_size=25
)


@settings(max_examples=40, deadline=None)
@given(moves)
def test_after_any_moves_both_sides_agree(steps: list[tuple[str, int]]) -> None:
    wire = allocated({"max_channels": 4, "max_permissions": 5}, {"max_lifetime": 3600.0})
    sent = 0
    for move, number in steps:
        peer = Address(f"203.0.113.{number + 1}", 1000 + number)
        try:
            if move == "permit":
                wire.client.permit([peer], wire.now)
            elif move == "bind":
                wire.client.bind(peer, wire.now)
            elif move == "forget":
                wire.client.forget(peer, wire.now)
            elif move == "send":
                wire.client.send_many(peer, [b"%d" % sent], wire.now)
                sent += 1
            elif move == "back":
                wire.server.from_peer([b"back"], wire.now, peer)
            else:
                wire.run_for(60.0 * (number + 1))
        except (BufferFull, InvalidArgumentError):
            pass  # a limit, or a peer that was not permitted
        wire.run_for(0.1)
        agree(wire)
    assert len(wire.server.to_peers) == sent, "without loss everything accepted arrives"


def agree(wire: Wire) -> None:
    (allocation,) = wire.server.allocations
    for permission in wire.client._peers.permissions.values():
        if permission.installed and permission.expires > wire.now + 1:
            assert allocation.is_permitted(permission.host, wire.now)
    for channel in wire.client._peers.channels.values():
        if channel.bound and channel.expires > wire.now + 1:
            assert allocation.peer_of(channel.number, wire.now) == channel.peer
    assert wire.client.drops.total == 0, wire.client.drops
