"""The virtual network does what its links say, in order, and the same way every time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from webrtc_stack import sim
from webrtc_stack.base import Address, SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, NotSupportedError


class Inbox:
    """Collects what a socket receives, burst by burst."""

    def __init__(self, net: sim.Network) -> None:
        self.net = net
        self.bursts: list[tuple[float, list[bytes]]] = []

    def __call__(self, burst: Sequence[tuple[Address, bytes, int]]) -> None:
        self.bursts.append((self.net.now, [item[1] for item in burst]))

    @property
    def data(self) -> list[bytes]:
        return [data for _, burst in self.bursts for data in burst]


def two_sockets(net: sim.Network) -> tuple[sim.SimSocket, sim.SimSocket, Inbox]:
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2")
    inbox = Inbox(net)
    left = a.open_udp(a.local_addresses()[0], on_burst=Inbox(net), on_writable=lambda: None)
    right = b.open_udp(b.local_addresses()[0], port=5000, on_burst=inbox, on_writable=lambda: None)
    return left, right, inbox


def test_a_burst_arrives_after_the_latency_as_one_burst() -> None:
    net = sim.Network(1)
    left, right, inbox = two_sockets(net)
    net.link("10.0.0.1", "10.0.0.2", latency=0.25)
    left.send_burst([(right.address, b"one", 0), (right.address, b"two", 0)])
    net.run_until(0.2)
    assert inbox.bursts == []
    net.run_until(1.0)
    assert inbox.bursts == [(0.25, [b"one", b"two"])]
    assert net.now == 1.0


def test_loss_is_near_its_probability_and_repeats_with_the_seed() -> None:
    counts = []
    digests = []
    for seed in (5, 5, 6):
        net = sim.Network(seed)
        left, right, inbox = two_sockets(net)
        net.link("10.0.0.1", "10.0.0.2", loss=0.3)
        left.send_burst([(right.address, bytes([i & 255]), 0) for i in range(2000)])
        net.run_until(1.0)
        counts.append(inbox.data)
        digests.append(net.digest())
    assert counts[0] == counts[1] != counts[2]
    assert 1300 < len(counts[0]) < 1500
    assert digests[0] == digests[1], "the digest is over what was offered"


def test_jitter_keeps_the_order_and_reordering_breaks_it() -> None:
    for change, ordered in (({"jitter": 0.05}, True), ({"reorder": 0.2}, False)):
        net = sim.Network(3)
        left, right, inbox = two_sockets(net)
        net.link("10.0.0.1", "10.0.0.2", None, **change)
        sent = [bytes([i]) for i in range(200)]
        for item in sent:
            left.send_burst([(right.address, item, 0)])
            net.run_until(net.now + 0.001)
        net.run_until(2.0)
        assert sorted(inbox.data) == sent
        assert (inbox.data == sent) is ordered


def test_duplicates_rate_queue_and_mtu_are_applied() -> None:
    entropy = SeededEntropy(1)
    assert sim.Link(sim.LinkConfig(duplicate=1.0), entropy).admit(100, 0.0) == [0.0, 0.0]
    assert sim.Link(sim.LinkConfig(mtu=1228), entropy).admit(1200, 0.0) == [0.0]
    assert sim.Link(sim.LinkConfig(mtu=1227), entropy).admit(1200, 0.0) == []
    slow = sim.Link(sim.LinkConfig(rate_bps=8 * 1028 * 10, queue_bytes=3000), entropy)
    arrivals = [slow.admit(1000, 0.0) for _ in range(5)]
    assert [round(times[0], 3) for times in arrivals if times] == [0.1, 0.2]
    assert slow.drops["queue"] == 3


def test_burst_loss_comes_in_bursts() -> None:
    link = sim.Link(sim.LinkConfig(burst_enter=0.01, burst_leave=0.2), SeededEntropy(4))
    fate = [bool(link.admit(100, i * 0.001)) for i in range(20_000)]
    lost = fate.count(False)
    runs = sum(1 for before, now in pairwise(fate) if before and not now)
    assert lost > 500
    assert lost / runs > 3, "losses come one by one"


def test_a_dead_interface_and_a_cut_cable_lose_everything_silently() -> None:
    net = sim.Network(1)
    left, right, inbox = two_sockets(net)
    left.host.down.add("10.0.0.1")
    left.send_burst([(right.address, b"x", 0)])
    left.host.down.clear()
    net.link("10.0.0.1", "10.0.0.2", up=False)
    left.send_burst([(right.address, b"y", 0)])
    net.link("10.0.0.1", "10.0.0.2", up=True)
    left.send_burst([(right.address, b"z", 0)])
    net.run_until(1.0)
    assert inbox.data == [b"z"]


def test_a_port_in_use_and_a_foreign_address_cannot_be_bound() -> None:
    net = sim.Network(1)
    _, right, inbox = two_sockets(net)
    with pytest.raises(OSError, match="in use"):
        right.host.open_udp(("eth0", "10.0.0.2", 0), port=5000, on_burst=inbox, on_writable=lambda: None)
    with pytest.raises(OSError, match="not an address"):
        right.host.open_udp(("eth0", "10.0.0.1", 0), on_burst=inbox, on_writable=lambda: None)
    right.close()
    right.host.open_udp(("eth0", "10.0.0.2", 0), port=5000, on_burst=inbox, on_writable=lambda: None)


def test_misuse_is_told_in_words() -> None:
    net = sim.Network(1)
    net.host("10.0.0.1")
    with pytest.raises(InvalidArgumentError, match="already belongs"):
        net.host("10.0.0.1")
    with pytest.raises(InvalidArgumentError, match="at least one address"):
        net.host()
    with pytest.raises(InvalidArgumentError, match="probability"):
        sim.LinkConfig(loss=1.5)


def test_an_hour_of_sleep_takes_no_time_and_timers_fire_in_order() -> None:
    order: list[str] = []

    async def main(net: sim.Network) -> float:
        async def nap(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(nap("late", 3600.0))
            group.create_task(nap("early", 0.5))
        return net.now

    assert sim.run(main) == 3600.0
    assert order == ["early", "late"]


def test_a_deadlock_is_reported_instead_of_hanging() -> None:
    async def main(net: sim.Network) -> None:
        await asyncio.Event().wait()

    with pytest.raises(sim.SimulationStalled):
        sim.run(main)


def test_a_simulation_that_runs_in_vain_meets_its_deadline() -> None:
    async def main(net: sim.Network) -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(sim.SimulationStalled, match="passed 100 s"):
        sim.run(main, deadline=100)


def test_threads_are_refused() -> None:
    async def main(net: sim.Network) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotSupportedError, match="deterministic"):
        sim.run(main)


def test_names_resolve_after_a_delay_and_unknown_ones_fail() -> None:
    net = sim.Network(1)
    host = net.host("10.0.0.1")
    net.names["peer.local"] = ("10.0.0.9",)
    answers: list[tuple[float, Sequence[str]]] = []
    for name in ("PEER.local", "other.local"):
        host.resolve(name, lambda hosts: answers.append((net.now, hosts)))
    host.resolve("peer.local", lambda hosts: answers.append((net.now, ["cancelled"]))).cancel()
    net.run_until(1.0)
    assert answers == [(0.005, ("10.0.0.9",)), (0.005, ())]


def test_the_default_link_may_be_changed_before_it_is_used() -> None:
    net = sim.Network(1)
    left, right, inbox = two_sockets(net)
    net.default_link = sim.LinkConfig(latency=0.5)
    left.send_burst([(right.address, b"x", 0)])
    net.run_until(2.0)
    assert inbox.bursts == [(0.5, [b"x"])]
