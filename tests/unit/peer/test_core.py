"""The peer as a machine: the contract, its commands, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.base import NEVER, Address, Datagram, GatherAddresses, PathId, SeededEntropy, SocketId, Transmit
from webrtc_stack.errors import (
    InvalidArgumentError,
    InvalidStateError,
    NegotiationError,
    NotSupportedError,
    ParseError,
    SdpParseError,
)
from webrtc_stack.peer import (
    IceCandidate,
    IceServer,
    IceTransportPolicy,
    PeerClosed,
    PeerConfig,
    PeerCore,
    SdpType,
    SessionDescription,
)

LEFT, RIGHT = Address("10.0.0.1", 5000), Address("10.0.0.2", 5000)


def core(seed: object, name: str) -> PeerCore:
    return PeerCore(PeerConfig(entropy=SeededEntropy(f"{seed} {name}"), wall_epoch=1_750_000_000.0))


def negotiated(seed: int) -> tuple[PeerCore, PeerCore]:
    """Two peers with an address each and both descriptions, at instant 0."""
    left, right = core(seed, "left"), core(seed, "right")
    left.create_data_channel("contract", 0.0)
    left.set_local_description(None, 0.0)
    for peer, address in ((left, LEFT), (right, RIGHT)):
        peer.add_local(address, SocketId(1), 0.0)
        peer.locals_complete(0.0)
    assert left.local_description is not None
    right.set_remote_description(left.local_description, 0.0)
    right.set_local_description(None, 0.0)
    assert right.local_description is not None
    left.set_remote_description(right.local_description, 0.0)
    return left, right


def cross(item: Transmit) -> Datagram:
    """Each side has one socket and one remote address, so there is one path, the first."""
    return Datagram(PathId(1), item.data)


CASE = MachineCase(
    name="PeerCore",
    make=negotiated,
    close=lambda peer, now: peer.close(now),
    is_closed=lambda event: isinstance(event, PeerClosed),
    to_input=lambda data: Datagram(PathId(1), data),
    bytes_of=lambda item: item.data,
    cross=cross,
    duration=3.0,
    hostile_rounds=150,
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_contract(clause: Callable[[MachineCase], None]) -> None:
    clause(CASE)


def test_set_local_description_returns_before_any_candidate_and_asks_for_addresses() -> None:
    peer = core(1, "alone")
    peer.create_data_channel("x", 0.0)
    peer.set_local_description(None, 0.0)
    assert peer.local_description is not None
    assert "a=candidate" not in peer.local_description.sdp
    assert any(isinstance(event, GatherAddresses) for event in peer.poll_events())
    peer.add_local(LEFT, SocketId(1), 0.0)
    assert "10.0.0.1 5000 typ host" in peer.local_description.sdp
    assert "a=end-of-candidates" not in peer.local_description.sdp
    peer.locals_complete(0.0)
    assert "a=end-of-candidates" in peer.local_description.sdp


def refused(peer: PeerCore) -> list[tuple[type[Exception], Callable[[], Any]]]:
    sdp = SessionDescription
    good = negotiated(9)[0].local_description
    assert good is not None
    return [
        (InvalidStateError, lambda: peer.create_answer(0.0)),
        (InvalidStateError, lambda: peer.set_remote_description(sdp(type=SdpType.ANSWER, sdp=good.sdp), 0.0)),
        (InvalidStateError, lambda: peer.add_ice_candidate(IceCandidate(candidate="", sdp_mid="0"), 0.0)),
        (SdpParseError, lambda: peer.set_remote_description(sdp(type=SdpType.OFFER, sdp="nonsense"), 0.0)),
        (
            NegotiationError,
            lambda: peer.set_remote_description(
                sdp(type=SdpType.OFFER, sdp="\r\n".join(x for x in good.sdp.split("\r\n") if "fingerprint" not in x)),
                0.0,
            ),
        ),
        (InvalidArgumentError, lambda: peer.create_data_channel("x", 0.0, max_retransmits=1, max_packet_life_time=1)),
        (InvalidArgumentError, lambda: peer.create_data_channel("x", 0.0, negotiated=True)),
    ]


def test_what_is_refused_changes_nothing() -> None:
    peer = core(1, "alone")
    for error, call in refused(peer):
        with pytest.raises(error):
            call()
        assert peer.signaling_state == "stable"
        assert peer.local_description is None
        assert peer.remote_description is None
        assert peer.next_timeout() == NEVER
        assert not peer.poll_events()


def test_after_close_commands_are_refused_and_input_is_ignored() -> None:
    left, _ = negotiated(2)
    left.close(0.0)
    for _ in range(100):
        if not left.poll_transmits(left.next_timeout() if left.next_timeout() != NEVER else 0.0):
            break
    assert isinstance(left.poll_events()[-1], PeerClosed)
    with pytest.raises(InvalidStateError, match="closed"):
        left.create_data_channel("late", 1.0)
    with pytest.raises(InvalidStateError, match="closed"):
        left.create_offer(1.0)
    left.receive(Datagram(PathId(1), b"\x00\x01"), 1.0)
    left.close(2.0)
    assert not left.poll_events()


def test_a_bad_candidate_is_a_parse_error_and_the_connection_goes_on() -> None:
    left, _ = negotiated(3)
    with pytest.raises(ParseError):
        left.add_ice_candidate(IceCandidate(candidate="candidate:nonsense", sdp_mid="0"), 0.0)
    assert left.signaling_state == "stable"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stun:192.0.2.1", ("192.0.2.1", 3478)),
        ("stun:stun.example.org:19302", ("stun.example.org", 19302)),
        ("stun:[2001:db8::1]:5000", ("2001:db8::1", 5000)),
        ("STUN:[2001:db8::1]", ("2001:db8::1", 3478)),
    ],
)
def test_stun_urls_are_read(url: str, expected: tuple[str, int]) -> None:
    assert IceServer(url).stun_servers() == [expected]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("turn:192.0.2.1", InvalidArgumentError),  # without credentials
        ("turns:192.0.2.1?transport=udp", NotSupportedError),
        ("stuns:192.0.2.1", NotSupportedError),
        ("stun:192.0.2.1?transport=udp", InvalidArgumentError),
        ("stun:", InvalidArgumentError),
        ("stun:[2001:db8::1", InvalidArgumentError),
        ("stun:host:99999", InvalidArgumentError),
        ("http://192.0.2.1", InvalidArgumentError),
    ],
)
def test_servers_that_cannot_be_used_are_refused_in_words(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        PeerConfig(ice_servers=[IceServer(url)])


def test_turn_urls_are_read() -> None:
    urls = ["turn:192.0.2.1", "turn:relay.example.org:443?transport=tcp", "stun:192.0.2.2", "turns:[2001:db8::1]"]
    server = IceServer(urls, username="alice", credential="secret")
    assert [one.uri.serialize() for one in server.turn_servers()] == [
        "turn:192.0.2.1:3478?transport=udp",
        "turn:relay.example.org:443?transport=tcp",
        "turns:[2001:db8::1]:5349?transport=tcp",
    ]
    assert server.stun_servers() == [("192.0.2.2", 3478)]


def test_policies_that_need_what_is_not_there_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="TURN"):
        PeerConfig(ice_transport_policy=IceTransportPolicy.RELAY)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"type": "offer"', '{"sdp": ""}', '{"type": 3, "sdp": ""}', '{"type": "hello", "sdp": ""}'],
)
def test_descriptions_from_bad_json_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        SessionDescription.from_json(text)


@pytest.mark.parametrize(
    "text",
    ["", "7", '{"candidate": 1}', '{"candidate": "", "sdpMLineIndex": -1}', '{"candidate": "", "sdpMLineIndex": true}'],
)
def test_candidates_from_bad_json_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        IceCandidate.from_json(text)


def test_json_goes_there_and_back() -> None:
    candidate = IceCandidate(candidate="candidate:1 1 udp 1 10.0.0.1 9 typ host", sdp_mid="0", sdp_m_line_index=0)
    assert IceCandidate.from_json(candidate.to_json()) == candidate
    description = SessionDescription(type=SdpType.OFFER, sdp="v=0\r\n")
    assert SessionDescription.from_json(description.to_json()) == description
