"""The helper that proves that a run depends on its seed alone, and the first run it is used on."""

from __future__ import annotations

import pytest

from tests.support import replay, seeds
from webrtc_stack import sim
from webrtc_stack.base import SeededEntropy, random_below


def network_digest(seed: int) -> str:
    """Four hosts that chatter over bad links: everything that the virtual network decides by chance."""
    link = sim.LinkConfig(latency=0.01, jitter=0.02, loss=0.1, burst_enter=0.02, reorder=0.1, duplicate=0.05)
    net = sim.Network(seed, default_link=link)
    hosts = [net.host(f"10.0.0.{number}", f"fd00::{number}") for number in range(1, 5)]
    entropy = SeededEntropy(seed).fork("chatter")
    sockets = [
        host.open_udp(local, on_burst=lambda burst: None, on_writable=lambda: None)
        for host in hosts
        for local in host.local_addresses()
    ]
    for _ in range(200):
        source = sockets[random_below(entropy, len(sockets))]
        family = [s for s in sockets if s.address.is_ipv6 == source.address.is_ipv6 and s is not source]
        target = family[random_below(entropy, len(family))]
        source.send_burst([(target.address, entropy.bytes(random_below(entropy, 1400)), 0)])
        net.run_until(net.now + 0.005)
    return net.digest()


def hash_dependent(seed: int) -> int:
    return hash(f"seed {seed}")


def test_the_virtual_network_replays_in_another_process() -> None:
    replay.assert_replays("tests.unit.rails.test_replay:network_digest")


def test_what_depends_on_the_hash_seed_is_found_out() -> None:
    with pytest.raises(AssertionError, match="depends on the process"):
        replay.assert_replays("tests.unit.rails.test_replay:hash_dependent")


def test_a_failing_child_shows_its_error() -> None:
    with pytest.raises(AssertionError, match="no attribute 'nothing'"):
        replay.in_processes("tests.unit.rails.test_replay:nothing", hash_seeds=("1",))


def test_a_campaign_is_two_hundred_seeds_that_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds.base.cache_clear()
    monkeypatch.setenv(seeds.VARIABLE, "7000")
    try:
        assert seeds.campaign() == list(range(7000, 7200))
        assert seeds.describe() == "7000..7199 (repeat with WEBRTC_STACK_SEED=7000)"
    finally:
        seeds.base.cache_clear()


def test_without_an_environment_the_seeds_come_from_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds.base.cache_clear()
    monkeypatch.delenv(seeds.VARIABLE, raising=False)
    try:
        assert seeds.base() >= 0
        monkeypatch.setenv("PATH", "")  # no git
        seeds.base.cache_clear()
        assert seeds.campaign(2) == [20_260_101, 20_260_102]
    finally:
        seeds.base.cache_clear()
