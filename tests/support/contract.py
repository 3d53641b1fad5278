"""The clauses of the machine contract, run against any machine.

A room describes itself by a `MachineCase`: how to make two machines that talk to each other from a seed, how to close
one, and what its end looks like. `check_contract(case)` then runs every clause; rooms parametrize over `CLAUSES` to
see them one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webrtc_stack.base import NEVER, SeededEntropy, random_below
from webrtc_stack.sim import LinkConfig, MachinePair


@dataclass(frozen=True, kw_only=True)
class MachineCase:
    """One kind of machine under test.

    `make(seed)` gives two fresh, started machines (all commands that begin their work already called at instant 0).
    `wrap` turns an output of one side into an input of the other; the default takes it as it is.
    `close(machine, now)` is the polite end. `is_closed(event)` recognises the one final event.
    `corpus` are inputs worth mutating. `duration` is the virtual time in which the pair's conversation happens.
    """

    name: str
    make: Callable[[int], tuple[Any, Any]]
    close: Callable[[Any, float], None]
    is_closed: Callable[[Any], bool]
    corpus: tuple[bytes, ...] = ()
    to_input: Callable[[bytes], Any] = lambda data: data
    bytes_of: Callable[[Any], bytes] = bytes
    cross: Callable[[Any], Any] = lambda item: item
    duration: float = 5.0
    hostile_rounds: int = 300


class _Crossing:
    """Lets a machine whose inputs differ from its outputs (paths) sit in a `MachinePair`."""

    def __init__(self, machine: Any, case: MachineCase) -> None:
        self.machine = machine
        self._cross = case.cross

    def receive(self, data: Any, now: float) -> None:
        self.machine.receive(self._cross(data), now)

    def receive_many(self, burst: Any, now: float) -> None:
        self.machine.receive_many([self._cross(item) for item in burst], now)

    def handle_timeout(self, now: float) -> None:
        self.machine.handle_timeout(now)

    def poll_transmits(self, now: float, limit: int = 64) -> Any:
        sent = self.machine.poll_transmits(now, limit)
        assert len(sent) <= limit, "poll_transmits returned more than its limit"
        return sent

    def poll_events(self) -> Any:
        return self.machine.poll_events()

    def next_timeout(self) -> float:
        instant = self.machine.next_timeout()
        assert isinstance(instant, (int, float))
        return instant


def _pair(case: MachineCase, seed: int, *, latency: float = 0.01) -> MachinePair[Any]:
    left, right = case.make(seed)
    return MachinePair(
        _Crossing(left, case),
        _Crossing(right, case),
        seed=seed,
        link=LinkConfig(latency=latency),
        bytes_of=case.bytes_of,
    )


def clause_same_seed_same_bytes(case: MachineCase) -> None:
    """Same seed, same inputs, same bytes out; another seed, other bytes."""
    digests = []
    for seed in (1, 1, 2):
        pair = _pair(case, seed)
        pair.run(until=case.duration)
        assert pair.log, "the pair never said anything; the case is not set up"
        digests.append(pair.digest())
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def clause_time_never_runs_backwards(case: MachineCase) -> None:
    """An earlier `now` counts as the last one seen."""
    pair = _pair(case, 3)
    pair.run(until=case.duration)
    for wrapped in pair.machines:
        machine = wrapped.machine  # type: ignore[attr-defined]
        before = machine.next_timeout()
        machine.handle_timeout(0.0)
        machine.poll_transmits(0.0)
        machine.receive_many([], 0.0)
        assert machine.next_timeout() >= min(before, pair.now)


def clause_pending_work_is_due(case: MachineCase) -> None:
    """While output is pending, `next_timeout()` is not after the last `now`."""
    pair = _pair(case, 4)
    checked = 0
    for wrapped in pair.machines:
        due = wrapped.next_timeout()
        if wrapped.poll_transmits(0.0):
            assert due <= 0.0, "a machine with something to send did not ask to be polled"
            checked += 1
    pair = _pair(case, 4)
    for _ in range(200):
        if pair.next_instant() > case.duration:
            break
        pair.now = max(pair.now, pair.next_instant())
        arrived: tuple[list[Any], list[Any]] = ([], [])
        flying = pair._flying
        while flying and flying[0][0] <= pair.now:
            _, _, side, item = flying.pop(0)
            arrived[side].append(item)
        for side, wrapped in enumerate(pair.machines):
            if arrived[side]:
                wrapped.receive_many(arrived[side], pair.now)
            if wrapped.next_timeout() <= pair.now:
                wrapped.handle_timeout(pair.now)
            due = wrapped.next_timeout()
            sent = wrapped.poll_transmits(pair.now)
            if sent:
                assert due <= pair.now, f"{len(sent)} to send at {pair.now}, next_timeout said {due}"
                checked += 1
            for item in sent:
                pair._launch(side, item)
        pair.settle()
    assert checked, "nothing was ever sent; the case is not set up"


def clause_poll_order_is_free(case: MachineCase) -> None:
    """Swapping the two polls changes neither bytes nor events."""
    results = []
    for events_first in (False, True):
        left, right = case.make(5)
        logs: list[Any] = []
        inbox: tuple[list[Any], list[Any]] = ([], [])
        now = 0.0
        for _ in range(400):
            for side, machine in enumerate((left, right)):
                if inbox[side]:
                    machine.receive_many([case.cross(item) for item in inbox[side]], now)
                    inbox[side].clear()
                if machine.next_timeout() <= now:
                    machine.handle_timeout(now)
                if events_first:
                    events, sent = machine.poll_events(), machine.poll_transmits(now)
                    events = [*events, *machine.poll_events()]
                else:
                    sent, events = machine.poll_transmits(now), machine.poll_events()
                logs.append((side, [case.bytes_of(item) for item in sent], [repr(event) for event in events]))
                inbox[1 - side].extend(sent)
            if not any(inbox):
                coming = min(left.next_timeout(), right.next_timeout())
                if coming > case.duration:
                    break
                now = max(now, coming)
        results.append(logs)
    assert results[0] == results[1]


def clause_burst_equals_one_by_one(case: MachineCase) -> None:
    """`receive_many(burst)` brings about the same events as `receive` for each."""
    outcomes = []
    for burst in (True, False):
        left, right = case.make(6)
        pair = MachinePair[Any](
            _OneByOne(left, case) if not burst else _Crossing(left, case),
            _OneByOne(right, case) if not burst else _Crossing(right, case),
            seed=6,
            link=LinkConfig(latency=0.01),
            bytes_of=case.bytes_of,
        )
        pair.run(until=case.duration)
        outcomes.append([[repr(event) for _, event in side] for side in pair.events])
    assert outcomes[0] == outcomes[1]


class _OneByOne(_Crossing):
    def receive_many(self, burst: Any, now: float) -> None:
        for item in burst:
            self.machine.receive(self._cross(item), now)


def clause_hostile_bytes_never_raise(case: MachineCase) -> None:
    """Garbage, truncations and flipped bits, at every stage, neither raise nor loop, and a timer never spins."""
    entropy = SeededEntropy(f"hostile {case.name}")
    for stage in (0.0, 0.015, 0.035, case.duration):
        left, right = case.make(7)
        pair = MachinePair[Any](
            _Crossing(left, case), _Crossing(right, case), seed=7, link=LinkConfig(latency=0.01), bytes_of=case.bytes_of
        )
        pair.run(until=stage)
        seeds = [delivery.data for delivery in pair.log] + list(case.corpus) or [b""]
        for _ in range(case.hostile_rounds):
            original = seeds[random_below(entropy, len(seeds))]
            for machine in (left, right):
                machine.receive(case.to_input(_mutate(original, entropy)), pair.now)
                machine.receive_many([case.to_input(_mutate(original, entropy))], pair.now)
                machine.poll_transmits(pair.now)
                machine.poll_events()
        for machine in (left, right):
            same_instant = 0
            now = pair.now
            for _ in range(2000):
                due = machine.next_timeout()
                if due > pair.now + 60:
                    break
                same_instant = same_instant + 1 if due <= now else 0
                assert same_instant < 200, "a timer spins"
                now = max(now, due)
                machine.handle_timeout(now)
                machine.poll_transmits(now)
                machine.poll_events()


def _mutate(data: bytes, entropy: SeededEntropy) -> bytes:
    kind = random_below(entropy, 6)
    mutable = bytearray(data)
    if kind == 0 or not mutable:
        return entropy.bytes(random_below(entropy, 200))
    if kind == 1:
        return bytes(mutable[: random_below(entropy, len(mutable) + 1)])
    if kind == 2:
        for _ in range(1 + random_below(entropy, 4)):
            mutable[random_below(entropy, len(mutable))] ^= 1 << random_below(entropy, 8)
        return bytes(mutable)
    if kind == 3:
        at = random_below(entropy, len(mutable))
        mutable[at : at + 2] = entropy.bytes(2)
        return bytes(mutable)
    if kind == 4:
        return bytes(mutable) + entropy.bytes(random_below(entropy, 64))
    return bytes(mutable)


def clause_exactly_one_end(case: MachineCase) -> None:
    """After `close` there is exactly one final event, no timer, no output, and late inputs are ignored."""
    pair = _pair(case, 8)
    pair.run(until=case.duration)
    machine = pair.machines[0].machine  # type: ignore[attr-defined]
    case.close(machine, pair.now)
    pair.run(until=pair.now + 120)
    ends = [event for _, event in pair.events[0] if case.is_closed(event)]
    assert len(ends) == 1, f"{len(ends)} final events"
    assert pair.events[0][-1][1] is ends[0], "an event came after the final one"
    assert machine.next_timeout() == NEVER
    for delivery in pair.log[-20:]:
        machine.receive(case.to_input(delivery.data), pair.now)
    machine.handle_timeout(pair.now + 1000)
    case.close(machine, pair.now + 1000)
    assert not machine.poll_events()
    assert machine.next_timeout() == NEVER


def clause_close_at_any_moment(case: MachineCase) -> None:
    """`close` works before, during and after the start, and against a peer that is silent."""
    for stage in (0.0, 0.005, 0.02, 0.05, case.duration):
        pair = _pair(case, 9)
        if stage:
            pair.run(until=stage)
        machine = pair.machines[0].machine  # type: ignore[attr-defined]
        case.close(machine, pair.now)
        ends = 0
        now = pair.now
        for _ in range(500):
            machine.poll_transmits(now)
            ends += sum(case.is_closed(event) for event in machine.poll_events())
            due = machine.next_timeout()
            if due == NEVER:
                break
            now = max(now, due)
            machine.handle_timeout(now)
        assert ends == 1, f"closed at {stage}: {ends} final events"
        assert machine.next_timeout() == NEVER


def clause_limit_is_kept(case: MachineCase) -> None:
    """`poll_transmits(limit)` returns at most `limit` items, and small polls say the same in the end."""
    left, right = case.make(10)
    for machine in (left, right):
        for _ in range(50):
            sent = machine.poll_transmits(0.0, 1)
            assert len(sent) <= 1
            if not sent:
                break


CLAUSES: tuple[Callable[[MachineCase], None], ...] = (
    clause_same_seed_same_bytes,
    clause_time_never_runs_backwards,
    clause_pending_work_is_due,
    clause_poll_order_is_free,
    clause_burst_equals_one_by_one,
    clause_hostile_bytes_never_raise,
    clause_exactly_one_end,
    clause_close_at_any_moment,
    clause_limit_is_kept,
)


def check_contract(case: MachineCase) -> None:
    """Runs every clause."""
    for clause in CLAUSES:
        clause(case)
