"""Two endpoints on bad networks, by seed and in virtual time."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from tests.support.dtls_peers import EXPORTER_LABEL, pair
from webrtc_stack.dtls import Closed, DataReceived, DtlsEndpoint, State
from webrtc_stack.sim import LinkConfig, MachinePair

_BAD = LinkConfig(latency=0.03, jitter=0.02, loss=0.25, reorder=0.2, reorder_delay=0.05, duplicate=0.2)


def _time_to_connect(seed: int, link: LinkConfig, **config: Any) -> tuple[float, DtlsEndpoint, DtlsEndpoint]:
    client, server = pair(seed, **config)
    run = MachinePair[bytes](client, server, seed=seed, link=link)
    done = run.run(until=29.9, condition=lambda: client.state is State.CONNECTED and server.state is State.CONNECTED)
    assert done, f"seed {seed}: {client.state} {server.state} {client.counters} {server.counters}"
    assert client.export_keying_material(EXPORTER_LABEL, 60) == server.export_keying_material(EXPORTER_LABEL, 60)
    return run.now, client, server


def test_two_hundred_bad_networks_all_connect_in_ten_seconds() -> None:
    times = [_time_to_connect(seed, _BAD)[0] for seed in range(200)]
    assert max(times) < 10.0
    assert statistics.median(times) < 1.0


def test_small_datagrams_connect_too() -> None:
    """Fifteen datagrams a flight, each of which may be lost: fragments of several transmissions make a whole."""
    times = [_time_to_connect(seed, _BAD, mtu=150)[0] for seed in range(50)]
    assert max(times) < 12.0


def test_half_of_everything_lost_still_connects() -> None:
    link = LinkConfig(latency=0.03, loss=0.5)
    times = [_time_to_connect(seed, link)[0] for seed in range(60)]
    assert max(times) < 25.0


def test_bursts_of_loss_still_connect() -> None:
    link = LinkConfig(latency=0.05, burst_enter=0.2, burst_leave=0.3)
    assert max(_time_to_connect(seed, link)[0] for seed in range(60)) < 15.0


@pytest.mark.slow
def test_five_thousand_bad_networks_all_connect() -> None:
    for seed in range(5000):
        _time_to_connect(seed, _BAD)


@pytest.mark.parametrize("latency", [0.001, 0.05, 0.3, 1.0])
def test_a_clean_network_takes_two_round_trips_whatever_its_length(latency: float) -> None:
    time, client, server = _time_to_connect(0, LinkConfig(latency=latency))
    assert time == pytest.approx(4 * latency)
    if latency < 0.1:
        assert client.counters.flights_retransmitted == server.counters.flights_retransmitted == 0
    else:
        # Longer than the first timeout: copies are sent, and do no harm.
        assert client.counters.flights_retransmitted + server.counters.flights_retransmitted < 15


def test_a_path_that_swallows_large_datagrams_is_survived() -> None:
    """Nothing above 700 bytes passes, and nobody says so: flights shrink after a few transmissions."""
    link = LinkConfig(latency=0.02, mtu=700)
    for seed in range(10):
        assert _time_to_connect(seed, link, own="rsa", peer="rsa")[0] < 6.0


def test_retransmissions_do_not_feed_each_other() -> None:
    """Duplicates of a long network must not make each side answer copies with copies."""
    client, server = pair(1)
    run = MachinePair[bytes](client, server, seed=1, link=LinkConfig(latency=0.2, duplicate=1.0))
    run.run(until=10.0)
    assert client.state is server.state is State.CONNECTED
    assert len(run.log) < 25


def test_data_comes_once_whatever_the_network_repeats() -> None:
    client, server = pair(2)
    run = MachinePair[bytes](client, server, seed=2, link=LinkConfig(latency=0.02, duplicate=0.5, reorder=0.3))
    run.run(until=5.0)
    sent = [b"%d" % n for n in range(500)]
    client.send_many(sent, run.now)
    server.send_many(sent, run.now)
    run.run(until=10.0)
    for side in (0, 1):
        received = [event.data for _, event in run.events[side] if isinstance(event, DataReceived)]
        assert sorted(received) == sorted(sent)


def test_each_life_has_one_end_on_a_bad_network() -> None:
    for seed in range(50):
        client, server = pair(seed)
        run = MachinePair[bytes](client, server, seed=seed, link=_BAD)
        run.run(until=seed / 50)
        client.close(run.now)
        run.run(until=100.0)
        for side in (0, 1):
            ends = [event for _, event in run.events[side] if isinstance(event, Closed)]
            assert len(ends) <= 1
            assert not ends or run.events[side][-1][1] is ends[0]
        assert isinstance(run.events[0][-1][1], Closed)
