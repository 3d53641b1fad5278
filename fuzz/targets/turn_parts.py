"""ChannelData, framing of streams, TURN URIs, nonce cookies, peer policy: any bytes have an answer."""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method
from webrtc_stack.turn import ChannelData, Framer, PeerPolicy, TurnUri, unwrap
from webrtc_stack.turn.features import read_features

_SEND = Message(
    method=Method.SEND,
    message_class=MessageClass.INDICATION,
    transaction_id=bytes(12),
    attributes=(Attribute(AttributeType.DATA, b"data"),),
).serialize()
SEEDS: list[bytes] = [
    b"\x40\x00\x00\x05hello\0\0\0",
    b"\x7f\xff\x00\x00",
    _SEND,
    _SEND + b"\x40\x00\x00\x03abc\0" + _SEND[:30],
    b"turn:example.org:3478?transport=tcp",
    b"turns:[2001:db8::1]",
    b"obMatJos2wAAA5f3e",
    b"64:ff9b::7f00:1",
]


def fuzz_one(data: bytes) -> None:
    try:
        message = ChannelData.parse(data)
    except ParseError:
        assert unwrap(data) is None
    else:
        assert unwrap(data) == (message.channel, message.data)
        assert data.startswith(message.serialize())
    once, dripping = Framer(1000), Framer(1000)
    frames = once.receive(data)
    dripped = [frame for at in range(0, len(data), 3) for frame in dripping.receive(data[at : at + 3])]
    assert frames == dripped
    assert (once.error is None) == (dripping.error is None)
    assert max(once.buffered, dripping.buffered) <= 1003
    text = data.decode("utf-8", "surrogateescape")
    read_features(text)
    PeerPolicy().refusal(text)
    try:
        uri = TurnUri.parse(text)
    except ParseError:
        return
    assert TurnUri.parse(str(uri)) == uri
