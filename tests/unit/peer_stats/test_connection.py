"""Collecting from whole peers: every state, references, identities, counters against what really crossed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.peer_stats.call import (
    ADDRESSES,
    MAPPED,
    SERVER,
    STUN_SERVERS,
    WALL_EPOCH,
    Call,
    chained_certificate,
)
from webrtc_stack.base import Datagram, PathId
from webrtc_stack.datachannel import ChannelOpened, ChannelState, MessageReceived
from webrtc_stack.peer import Encoding, IceCandidateGathered, MediaKind, PeerConfig, SdpType, SessionDescription
from webrtc_stack.peer.media import OutgoingFrame
from webrtc_stack.peer.stats import Stats, StatsReport, camel_case, collect, collect_receiver, collect_sender
from webrtc_stack.sim import LinkConfig


def report(call: Call, side: int = 0) -> StatsReport:
    return collect(call.sides[side], now=call.now)


def check_references(taken: StatsReport) -> None:
    for id, one in taken.items():
        assert one.id == id
        for field in fields(one):
            value = getattr(one, field.name)
            if field.name.endswith("_id") and value is not None:
                assert value in taken, f"{one.type} {field.name} leads nowhere"
            if field.type == "float" or field.name.endswith("timestamp"):
                assert value is None or isinstance(value, float)


def check(taken: StatsReport) -> None:
    """What holds for every report."""
    check_references(taken)
    assert len(taken.of_type("peer-connection")) == len(taken.of_type("transport")) == 1
    text = json.dumps(taken.to_json(), allow_nan=False)
    for id, members in json.loads(text).items():
        assert members["id"] == id
        assert None not in members.values()
        assert members == taken[id].to_json()


def open_channel(call: Call) -> Any:
    handle = call.sides[0].create_data_channel("numbers", call.now, protocol="raw")
    call.connect()
    assert call.run(5.0, lambda: call.sides[0].channel(handle).state is ChannelState.OPEN)
    assert call.run(5.0, lambda: any(isinstance(event, ChannelOpened) for event in call.events[1]))
    return handle


def test_a_new_peer_has_little_to_tell() -> None:
    taken = report(Call(start=5.0))
    check(taken)
    assert [one.type.value for one in taken.values()] == ["peer-connection", "transport", "certificate"]
    (transport,) = taken.of_type("transport")
    assert transport.timestamp == taken.timestamp == (WALL_EPOCH + 5.0) * 1000
    assert (transport.ice_role, transport.dtls_role, transport.dtls_state) == ("unknown", "unknown", "new")
    assert {"tlsVersion", "selectedCandidatePairId", "iceLocalUsernameFragment"}.isdisjoint(transport.to_json())


def test_a_report_is_a_mapping_with_typed_views() -> None:
    taken = report(Call())
    assert isinstance(taken, Mapping)
    assert len(taken) == len(list(taken)) == 3
    assert taken["P"] is taken.of_type("peer-connection")[0]
    assert taken.of_type("certificate")[0].fingerprint_algorithm == "sha-256"
    assert taken.of_type("no such type") == ()
    assert taken.selected_candidate_pair is None
    assert "nowhere" not in taken
    with pytest.raises(KeyError):
        taken["nowhere"]


def test_a_connection_is_told_from_both_ends_alike() -> None:
    call = Call()
    handle = open_channel(call)
    call.sides[0].send(handle, b"x" * 5000, call.now)
    call.sides[0].send(handle, "", call.now)
    call.run(20.0)
    left, right = report(call, 0), report(call, 1)
    for taken in (left, right):
        check(taken)
    (ours,), (theirs,) = left.of_type("transport"), right.of_type("transport")
    assert (ours.ice_role, theirs.ice_role) == ("controlling", "controlled")
    assert (ours.dtls_role, theirs.dtls_role) == ("server", "client")
    assert ours.tls_version == theirs.tls_version == "FEFD"
    assert ours.dtls_cipher == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert ours.srtp_cipher == "SRTP_AEAD_AES_128_GCM"
    assert ours.ice_state == "completed" and ours.dtls_state == "connected"
    assert (ours.packets_sent, ours.bytes_sent) == (theirs.packets_received, theirs.bytes_received)
    assert (theirs.packets_sent, theirs.bytes_sent) == (ours.packets_received, ours.bytes_received)
    assert (ours.bytes_sent or 0) > 5000 and ours.selected_candidate_pair_changes == 1
    assert (ours.local_certificate_id, ours.remote_certificate_id) == (
        theirs.remote_certificate_id,
        theirs.local_certificate_id,
    )
    pair = left.selected_candidate_pair
    assert pair is not None
    assert pair.state == "succeeded" and pair.nominated
    assert (pair.packets_sent, pair.bytes_sent) == (ours.packets_sent, ours.bytes_sent)
    assert pair.current_round_trip_time == pytest.approx(0.04)
    assert pair.total_round_trip_time == pytest.approx(0.04 * (pair.responses_received or 0))
    assert WALL_EPOCH * 1000 < (pair.last_packet_sent_timestamp or 0) < left.timestamp - 15_000
    local, remote = left[pair.local_candidate_id].to_json(), left[pair.remote_candidate_id].to_json()
    assert (local["address"], local["port"], local["usernameFragment"]) == (
        *ADDRESSES[0],
        ours.ice_local_username_fragment,
    )
    assert (remote["address"], remote["port"], remote["usernameFragment"]) == (
        *ADDRESSES[1],
        theirs.ice_local_username_fragment,
    )


def test_requests_are_counted_without_retransmissions() -> None:
    call = Call()
    call.sides[0].create_data_channel("x", 0.0)
    call.cut = True
    call.negotiate()
    call.run(2.0)
    call.cut = False
    call.run(10.0)
    agent = call.sides[0].transport.ice
    assert agent.counters.retransmissions > 0
    asked = sum(pair.requests_sent or 0 for pair in report(call).of_type("candidate-pair"))
    assert asked == agent.counters.requests_sent - agent.counters.retransmissions


def test_data_channels_are_told_with_their_counts_and_vanish_when_closed() -> None:
    call = Call()
    handle = open_channel(call)
    call.sides[0].send(handle, b"12345", call.now)
    call.run(1.0)
    (ours,) = report(call, 0).of_type("data-channel")
    assert (ours.label, ours.protocol, ours.state, ours.data_channel_identifier) == ("numbers", "raw", "open", 1)
    assert (ours.messages_sent, ours.bytes_sent, ours.messages_received) == (1, 5, 0)
    (theirs,) = report(call, 1).of_type("data-channel")
    assert (theirs.messages_received, theirs.bytes_received) == (1, 5)
    (message,) = [event for event in call.events[1] if isinstance(event, MessageReceived)]
    call.sides[1].message_consumed(message.handle, message.size, call.now)
    call.sides[0].close_channel(handle, call.now)
    (counts,) = report(call, 0).of_type("peer-connection")
    assert (counts.data_channels_opened, counts.data_channels_closed) == (1, 1)
    call.run(2.0)
    for side in range(2):
        taken = report(call, side)
        (counts,) = taken.of_type("peer-connection")
        assert (counts.data_channels_opened, counts.data_channels_closed) == (1, 1)
        assert not taken.of_type("data-channel")


def test_reflexive_candidates_tell_their_server_and_their_base() -> None:
    call = Call(config=PeerConfig(ice_servers=STUN_SERVERS))
    call.sides[0].create_data_channel("x", 0.0)
    call.connect()
    taken = report(call)
    check(taken)
    (reflexive,) = [one for one in taken.of_type("local-candidate") if one.candidate_type == "srflx"]
    assert (reflexive.address, reflexive.port) == MAPPED[0]
    assert (reflexive.related_address, reflexive.related_port) == ADDRESSES[0]
    assert reflexive.url == f"stun:{SERVER}"
    (host,) = [one for one in taken.of_type("local-candidate") if one.candidate_type == "host"]
    assert host.url is None and host.related_address is None
    kinds = {one.candidate_type.value for one in taken.of_type("remote-candidate")}
    assert kinds == {"host", "srflx"}


def test_a_candidate_learned_from_a_check_keeps_its_id_when_it_is_signalled() -> None:
    call = Call()
    left, right = call.sides
    left.create_data_channel("x", 0.0)
    left.set_local_description(None, 0.0)
    offer = left.local_description
    assert offer is not None and "a=candidate" not in offer.sdp
    call.settle()
    right.set_remote_description(offer, 0.0)
    right.set_local_description(None, 0.0)
    call.settle()
    assert right.local_description is not None
    left.set_remote_description(right.local_description, 0.0)
    assert call.run(10.0, lambda: right.connection_state == "connected")
    (learned,) = report(call, 1).of_type("remote-candidate")
    assert learned.candidate_type == "prflx"
    for event in call.events[0]:
        if isinstance(event, IceCandidateGathered):
            right.add_ice_candidate(event.candidate, call.now)
    (signalled,) = report(call, 1).of_type("remote-candidate")
    assert signalled.candidate_type == "host"
    assert signalled.id == learned.id
    check(report(call, 1))


def test_a_restart_makes_new_pairs_and_candidates_and_keeps_the_rest() -> None:
    call = Call()
    open_channel(call)
    before = report(call)
    call.sides[0].restart_ice(call.now)
    call.sides[0].set_local_description(None, call.now)
    call.settle()
    check(report(call))
    during = report(call)
    assert during.of_type("transport")[0].selected_candidate_pair_id in before
    call.sides[0].set_local_description(SessionDescription(type=SdpType.ROLLBACK), call.now)
    check(report(call))
    call.sides[0].restart_ice(call.now)
    call.negotiate()
    call.run(8.0)  # the paths of before are kept for five seconds
    after = report(call)
    check(after)
    same = {"peer-connection", "data-channel", "transport", "certificate"}
    assert {id for id, one in before.items() if one.type in same} == {
        id for id, one in after.items() if one.type in same
    }
    assert not {id for id, one in before.items() if one.type not in same} & set(after)
    assert after.of_type("transport")[0].selected_candidate_pair_changes == 2
    counters = call.sides[0].transport.ice.counters
    assert after.of_type("transport")[0].packets_sent == counters.data_packets_sent


def test_the_issuer_of_a_certificate_is_in_the_report() -> None:
    call = Call(config=PeerConfig(certificates=(chained_certificate(7),)))
    taken = report(call)
    check(taken)
    leaf, above = taken.of_type("certificate")
    assert leaf.issuer_certificate_id == above.id
    assert above.issuer_certificate_id is None
    assert taken.of_type("transport")[0].local_certificate_id == leaf.id


def test_a_failed_connection_and_a_closed_one_are_told() -> None:
    call = Call()
    handle = open_channel(call)
    call.cut = True
    call.run(60.0)
    taken = report(call)
    check(taken)
    assert taken.of_type("transport")[0].ice_state == "failed"
    assert taken.selected_candidate_pair is None
    call.sides[0].close(call.now)
    call.run(60.0)
    taken = report(call)
    check(taken)
    assert taken.of_type("transport")[0].ice_state == "closed"
    (counts,) = taken.of_type("peer-connection")
    assert (counts.data_channels_opened, counts.data_channels_closed) == (1, 1)
    assert handle not in [one.id for one in taken.of_type("data-channel")]


def test_names_change_by_rule_alone() -> None:
    assert camel_case("round_trip_time") == "roundTripTime"
    assert camel_case("base64_certificate") == "base64Certificate"
    assert camel_case("id") == "id"


STEPS = st.sampled_from(
    [
        *(
            "channel",
            "send",
            "audio",
            "video",
            "simulcast",
            "frames",
            "stop",
            "negotiate",
            "half",
            "restart",
            "rollback",
        ),
        *("run", "cut", "close", "noise"),
    ]
)


def step_media(call: Call, side: int, step: str) -> None:
    peer = call.sides[side]
    match step:
        case "audio":
            peer.add_transceiver(MediaKind.AUDIO, call.now, track_id="a", has_track=True)
        case "video":
            peer.add_track(MediaKind.VIDEO, call.now, track_id="v")
        case "simulcast":
            layers = (Encoding(rid="h"), Encoding(rid="l"))
            peer.add_transceiver(MediaKind.VIDEO, call.now, track_id="s", has_track=True, encodings=layers)
        case "frames":
            for number in range(20):
                for one in peer.transceivers():
                    head = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" if one.kind is MediaKind.VIDEO else b"\x78"
                    for encoding in one.encodings:
                        frame = OutgoingFrame(head + bytes(2000), number / 50, keyframe=True)
                        peer.send_frame(one.handle, frame, call.now, encoding.rid)
                call.run(0.02)
        case "stop":
            peer.stop_transceiver(peer.transceivers()[0].handle, call.now)


WHOLE_LIFE = [
    *(("audio", 0), ("simulcast", 0), ("video", 1), ("channel", 0), ("negotiate", 0), ("run", 0), ("frames", 0)),
    *(("restart", 1), ("negotiate", 1), ("run", 0), ("stop", 0), ("negotiate", 0), ("frames", 0), ("close", 1)),
    ("run", 0),
]


@example(seed=1, steps=WHOLE_LIFE)
@settings(max_examples=40)
@given(seed=st.integers(0, 1000), steps=st.lists(st.tuples(STEPS, st.integers(0, 1)), max_size=12))
def test_collecting_never_raises_and_changes_nothing(seed: int, steps: list[tuple[str, int]]) -> None:
    call = Call(seed, link=LinkConfig(latency=0.02, loss=0.1))
    handles: dict[int, list[Any]] = {0: [], 1: []}
    for step, side in steps:
        peer = call.sides[side]
        try:
            match step:
                case "channel":
                    handles[side].append(peer.create_data_channel("x", call.now))
                case "send":
                    peer.send(handles[side][-1], b"hello", call.now)
                case "negotiate":
                    call.negotiate(side)
                case "half":
                    peer.set_local_description(None, call.now)
                case "restart":
                    peer.restart_ice(call.now)
                case "rollback":
                    peer.set_local_description(SessionDescription(type=SdpType.ROLLBACK), call.now)
                case "run":
                    call.run(3.0)
                case "cut":
                    call.cut = not call.cut
                case "close":
                    peer.close(call.now)
                case "audio" | "video" | "simulcast" | "frames" | "stop":
                    step_media(call, side, step)
                case "noise":
                    peer.receive_many([Datagram(PathId(1), bytes([20 + side * 100, 1, 2]))] * 3, call.now)
        except Exception:  # a step that this state does not allow: the next one is tried
            pass
        call.settle()
        for number in range(2):
            before = call.sides[number].snapshot(), call.sides[number].next_timeout()
            check(report(call, number))
            for one in call.sides[number].transceivers():
                check_references(collect_sender(call.sides[number], one.handle, now=call.now))
                check_references(collect_receiver(call.sides[number], one.handle, now=call.now))
            assert (call.sides[number].snapshot(), call.sides[number].next_timeout()) == before


def test_all_statistics_are_frozen_values() -> None:
    for one in report(Call()).values():
        assert isinstance(one, Stats)
        with pytest.raises(AttributeError):
            one.timestamp = 0.0  # type: ignore[misc]
