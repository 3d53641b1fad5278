"""Stream identifiers: parity, reuse, and their number."""

from __future__ import annotations

from webrtc_stack.datachannel.stream_ids import StreamIds


def test_the_client_gets_even_and_the_server_odd_identifiers() -> None:
    client, server = StreamIds(), StreamIds()
    client.set_role(dtls_client=True)
    server.set_role(dtls_client=False)
    assert [client.allocate() for _ in range(3)] == [0, 2, 4]
    assert [server.allocate() for _ in range(3)] == [1, 3, 5]
    assert client.is_ours(2)
    assert not client.is_ours(1)


def test_taken_identifiers_are_skipped_and_returned_ones_come_first() -> None:
    ids = StreamIds()
    ids.take(2)
    ids.set_role(dtls_client=True)
    assert [ids.allocate() for _ in range(3)] == [0, 4, 6]
    ids.give_back(4)
    ids.give_back(0)
    assert 4 not in ids
    assert [ids.allocate() for _ in range(3)] == [0, 4, 8]
    ids.give_back(2)
    assert ids.allocate() == 2


def test_an_identifier_given_back_and_taken_by_negotiation_is_not_handed_out_twice() -> None:
    ids = StreamIds()
    ids.set_role(dtls_client=True)
    assert ids.allocate() == 0
    for _ in range(5):
        ids.give_back(0)
        ids.take(0)
    assert ids.allocate() == 2
    ids.give_back(0)
    assert ids.allocate() == 0
    assert ids.allocate() == 4


def test_there_are_32768_even_and_32767_odd_ones() -> None:
    for client, count in ((True, 32768), (False, 32767)):
        ids = StreamIds()
        ids.set_role(dtls_client=client)
        got = [ids.allocate() for _ in range(count)]
        assert None not in got
        assert len(set(got)) == count
        assert 65535 not in got
        assert ids.allocate() is None


def test_a_small_association_has_few() -> None:
    ids = StreamIds()
    ids.set_role(dtls_client=True)
    ids.limit = 3
    assert [ids.allocate() for _ in range(3)] == [0, 2, None]
