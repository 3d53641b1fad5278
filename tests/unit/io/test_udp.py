"""The burst socket on a scripted kernel socket: what it does when the kernel says no."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.calls import count_calls
from webrtc_stack.base import Address
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.io import BurstSocket, Outgoing, Received, ReceivedLike, UdpConfig, kernel, segment
from webrtc_stack.trace import MemorySink, Trace

PEER = Address("127.0.0.2", 4000)
OTHER = Address("127.0.0.3", 4001)
SOURCE = ("127.0.0.2", 4000)


@pytest.fixture(autouse=True)
def every_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests say what the kernel can, whatever the machine."""
    for name in ("has_gso", "has_gro", "has_ecn"):
        monkeypatch.setattr(kernel, name, lambda: True)


class ScriptedSocket:
    """Looks like a socket: `verdicts` are met one a send call (None: taken), `inbox` one a receive call."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.family = family
        self.sent: list[tuple[tuple[bytes, ...], list[Any], Any]] = []
        self.calls: list[str] = []
        self.verdicts: deque[int | None] = deque()
        self.inbox: deque[Any] = deque()
        self.options: list[tuple[int, int, int]] = []
        self.refused_options: set[tuple[int, int]] = set()
        self.closed = False

    def getsockname(self) -> tuple[Any, ...]:
        return ("127.0.0.1", 5000) if self.family == socket.AF_INET else ("::1", 5000, 0, 0)

    def fileno(self) -> int:
        return 42

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if (level, option) in self.refused_options:
            raise OSError(errno.ENOPROTOOPT, "no")
        self.options.append((level, option, value))

    def _verdict(self) -> None:
        number = self.verdicts.popleft() if self.verdicts else None
        if number == errno.EAGAIN:
            raise BlockingIOError(number, "full")
        if number is not None:
            raise OSError(number, errno.errorcode[number])

    def sendto(self, data: bytes, target: Any) -> int:
        self.calls.append("sendto")
        self._verdict()
        self.sent.append(((data,), [], target))
        return len(data)

    def sendmsg(self, chunks: Sequence[bytes], control: Sequence[Any], flags: int, target: Any) -> int:
        self.calls.append("sendmsg")
        self._verdict()
        self.sent.append((tuple(chunks), list(control), target))
        return sum(map(len, chunks))

    def _next(self) -> Any:
        if not self.inbox:
            raise BlockingIOError(errno.EAGAIN, "dry")
        item = self.inbox.popleft()
        if isinstance(item, OSError):
            raise item
        return item

    def recvmsg_into(self, buffers: list[bytearray], room: int) -> tuple[int, list[Any], int, Any]:
        data, ancillary, source = self._next()
        buffers[0][: len(data)] = data
        return len(data), ancillary, 0, source

    def recvfrom(self, size: int) -> tuple[bytes, Any]:
        data, _, source = self._next()
        return data, source

    def close(self) -> None:
        self.closed = True


class FakeReactor:
    def __init__(self) -> None:
        self.readable: dict[int, Callable[[], None]] = {}
        self.writable: dict[int, Callable[[], None]] = {}

    def time(self) -> float:
        return 1.0

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        raise AssertionError("a socket needs no timers")

    def watch_readable(self, fd: int, callback: Callable[[], None]) -> None:
        self.readable[fd] = callback

    def unwatch_readable(self, fd: int) -> None:
        del self.readable[fd]

    def watch_writable(self, fd: int, callback: Callable[[], None]) -> None:
        self.writable[fd] = callback

    def unwatch_writable(self, fd: int) -> None:
        del self.writable[fd]


class Rig:
    def __init__(self, sock: ScriptedSocket | None = None, **config: Any) -> None:
        self.sock = sock or ScriptedSocket()
        self.reactor = FakeReactor()
        self.bursts: list[list[ReceivedLike]] = []
        self.writable_calls = 0
        self.sink = MemorySink()
        self.socket = BurstSocket(
            self.sock,  # type: ignore[arg-type]
            self.reactor,
            on_burst=lambda burst: self.bursts.append(list(burst)),
            on_writable=self._on_writable,
            config=UdpConfig(**config),
            trace=Trace(self.sink),
        )

    def _on_writable(self) -> None:
        self.writable_calls += 1

    def send(self, *sizes: int, remote: Address = PEER, ecn: int = 0) -> None:
        self.socket.send_burst([Outgoing(remote, bytes([index % 256]) * size, ecn) for index, size in enumerate(sizes)])

    @property
    def datagrams(self) -> list[bytes]:
        return [chunk for chunks, _, _ in self.sock.sent for chunk in chunks]

    def readable(self) -> None:
        self.reactor.readable[42]()


# --- planning -------------------------------------------------------------------------------------------------------

_items = st.lists(
    st.builds(
        Outgoing,
        st.sampled_from([PEER, OTHER, Address("127.0.0.2", 4000)]),
        st.sampled_from([0, 1, 99, 100, 100, 100, 700]).map(bytes),
        st.sampled_from([0, 0, 0, 2]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(_items, st.integers(1, 70), st.integers(1, 3000), st.sampled_from([0, 99, 100, 65_000]))
def test_runs_in_a_row_are_the_burst_and_each_is_legal(
    burst: list[Outgoing], max_segments: int, max_bytes: int, max_size: int
) -> None:
    runs = segment(burst, max_segments, max_bytes, max_size)
    assert [(run.remote, chunk, run.ecn) for run in runs for chunk in run.chunks] == [tuple(item) for item in burst]
    for run in runs:
        sizes = [len(chunk) for chunk in run.chunks]
        assert run.size == sizes[0]
        if len(sizes) > 1:
            assert len(sizes) <= max_segments
            assert sum(sizes) <= max_bytes
            assert sizes[0] <= max_size
            assert set(sizes[:-1]) == {run.size}
            assert 0 < sizes[-1] <= run.size


def test_a_shorter_datagram_ends_its_run() -> None:
    burst = [Outgoing(PEER, bytes(size)) for size in (100, 100, 40, 40, 100, 100)]
    assert [[len(chunk) for chunk in run.chunks] for run in segment(burst)] == [[100, 100, 40], [40], [100, 100]]


# --- sending --------------------------------------------------------------------------------------------------------


def test_sixty_four_equal_datagrams_are_one_call() -> None:
    rig = Rig()
    rig.send(*[1000] * 64)
    assert rig.sock.calls == ["sendmsg"]
    assert rig.sock.sent[0][1] == [(kernel.SOL_UDP, kernel.UDP_SEGMENT, struct.pack("=H", 1000))]
    assert rig.socket.counters.syscalls_out == rig.socket.counters.gso_batches == 1
    assert rig.socket.counters.datagrams_out == 64
    assert rig.socket.counters.bytes_out == 64_000


def test_without_segmentation_each_datagram_is_a_plain_call() -> None:
    rig = Rig(gso=False)
    rig.send(*[1000] * 5)
    assert rig.sock.calls == ["sendto"] * 5
    assert rig.socket.counters.gso_batches == 0
    assert not rig.socket.gso


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP])
def test_a_refused_batch_is_sent_again_portably_and_not_tried_again(number: int) -> None:
    rig = Rig()
    rig.sock.verdicts = deque([number])
    rig.send(*[1000] * 3)
    rig.send(*[1000] * 2)
    assert rig.sock.calls == ["sendmsg"] + ["sendto"] * 5
    assert len(rig.datagrams) == 5
    assert not rig.socket.gso
    assert rig.socket.errors[errno.errorcode[number]] == 1
    assert rig.sink.named("gso_refused")


def test_a_segment_too_large_for_the_link_leaves_smaller_ones_segmented() -> None:
    rig = Rig()
    rig.sock.verdicts = deque([errno.EINVAL])
    rig.send(1400, 1400)
    rig.send(1400, 1400)
    rig.send(1200, 1200)
    assert rig.sock.calls == ["sendmsg", "sendto", "sendto", "sendto", "sendto", "sendmsg"]
    assert rig.socket.gso


def test_what_the_kernel_does_not_take_is_kept_in_order_and_sent_first() -> None:
    rig = Rig(gso=False)
    rig.sock.verdicts = deque([None, None, errno.EAGAIN])
    rig.send(1, 2, 3, 4)
    assert not rig.socket.writable
    rig.send(5, 6)
    assert len(rig.datagrams) == 2
    rig.sock.verdicts = deque([None, errno.EAGAIN])
    rig.reactor.writable[42]()
    assert (rig.writable_calls, rig.socket.writable) == (0, False)
    rig.reactor.writable[42]()
    assert [len(data) for data in rig.datagrams] == [1, 2, 3, 4, 5, 6]
    assert (rig.writable_calls, rig.socket.writable) == (1, True)
    assert rig.reactor.writable == {}
    assert rig.socket.counters.blocked == 1


def test_a_batch_the_kernel_does_not_take_is_kept_whole() -> None:
    rig = Rig()
    rig.sock.verdicts = deque([None, errno.EAGAIN])
    rig.send(*[1000] * 70)
    assert len(rig.datagrams) == 64
    rig.reactor.writable[42]()
    assert len(rig.datagrams) == 70
    assert rig.writable_calls == 1


def test_beyond_its_limit_the_newest_is_lost_and_counted() -> None:
    rig = Rig(gso=False, pending_bytes=2500)
    rig.sock.verdicts = deque([errno.EAGAIN])
    rig.send(1000, 1001, 1002, 1003)
    rig.send(100)
    assert rig.socket.errors["pending full"] == 2
    rig.reactor.writable[42]()
    assert [len(data) for data in rig.datagrams] == [1000, 1001, 100]
    rig.sock.verdicts = deque([errno.EAGAIN])
    rig.send(1000, 1001)
    assert rig.socket.errors["pending full"] == 2, "the account is settled after draining"


def test_an_earlier_datagrams_refusal_costs_a_counter_and_no_datagram() -> None:
    rig = Rig()
    rig.sock.verdicts = deque([errno.ECONNREFUSED])
    rig.send(1000, 1000)
    rig.sock.verdicts = deque([errno.ECONNREFUSED])
    rig.send(50)
    assert len(rig.datagrams) == 3
    assert rig.socket.errors["ECONNREFUSED"] == 2
    assert rig.socket.gso
    assert rig.socket.writable


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM])
def test_a_remote_without_a_way_is_counted_by_itself(number: int) -> None:
    rig = Rig()
    rig.sock.verdicts = deque([number, number])
    rig.send(1000, 1000)
    rig.send(10)
    rig.send(10, remote=OTHER)
    assert rig.socket.unreachable == {PEER: 3}
    assert rig.socket.errors[errno.errorcode[number]] == 3
    assert [target for _, _, target in rig.sock.sent] == [("127.0.0.3", 4001)]
    assert rig.socket.gso


def test_a_datagram_too_large_is_counted_and_the_next_is_sent() -> None:
    rig = Rig(gso=False)
    rig.sock.verdicts = deque([errno.EMSGSIZE])
    rig.send(65_000, 10)
    assert rig.socket.errors["EMSGSIZE"] == 1
    assert [len(data) for data in rig.datagrams] == [10]


@pytest.mark.parametrize("host", ["somewhere.example", "fd00::1", ""])
def test_a_name_or_the_wrong_family_never_reaches_the_kernel(host: str) -> None:
    rig = Rig()
    rig.send(10, 10, remote=Address(host, 1))
    assert rig.sock.calls == []
    assert rig.socket.errors["bad address"] == 2


def test_markings_are_sent_beside_the_segment_size() -> None:
    rig = Rig()
    rig.send(100, 100, ecn=1)
    rig.send(100, ecn=2)
    mark = (socket.IPPROTO_IP, socket.IP_TOS)
    assert [entry[:2] for entry in rig.sock.sent[0][1]] == [(kernel.SOL_UDP, kernel.UDP_SEGMENT), mark]
    assert rig.sock.sent[1][1] == [(*mark, struct.pack("=i", 2))]


def test_ipv6_targets_carry_the_scope_of_the_socket() -> None:
    rig = Rig(ScriptedSocket(socket.AF_INET6))
    rig.socket._scope_id = 3
    rig.send(10, remote=Address("fe80::1", 9))
    assert rig.sock.sent[0][2] == ("fe80::1", 9, 0, 3)


def test_memory_of_remotes_is_bounded() -> None:
    rig = Rig()
    for port in range(1, 5000):
        rig.sock.verdicts = deque([errno.EPERM])
        rig.send(1, remote=Address("127.0.0.9", port))
    assert len(rig.socket._sockaddrs) <= 1024
    assert len(rig.socket.unreachable) <= 1024


# --- receiving ------------------------------------------------------------------------------------------------------


def _joined(stride: int) -> list[tuple[int, int, bytes]]:
    return [(kernel.SOL_UDP, kernel.UDP_GRO, struct.pack("=i", stride))]


def test_joined_datagrams_are_cut_by_their_stride() -> None:
    rig = Rig()
    rig.sock.inbox.extend([(b"aaabbbc", _joined(3), SOURCE), (b"dd", [], SOURCE), (b"eeefff", _joined(3), OTHER)])
    rig.readable()
    (burst,) = rig.bursts
    assert burst == [
        Received(PEER, b"aaa"),
        Received(PEER, b"bbb"),
        Received(PEER, b"c"),
        Received(PEER, b"dd"),
        Received(OTHER, b"eee"),
        Received(OTHER, b"fff"),
    ]
    assert all(type(item) is Received for item in burst)
    counters = rig.socket.counters
    assert (counters.datagrams_in, counters.bytes_in, counters.gro_batches, counters.syscalls_in) == (6, 15, 2, 4)


@pytest.mark.parametrize("stride", [0, -5, 4, 5, 70_000])
def test_an_odd_stride_means_one_datagram(stride: int) -> None:
    rig = Rig()
    rig.sock.inbox.append((b"abcd", _joined(stride), SOURCE))
    rig.readable()
    assert rig.bursts == [[Received(PEER, b"abcd")]]


@pytest.mark.parametrize(
    ("level", "kind", "value"),
    [
        (socket.IPPROTO_IP, socket.IP_TOS, b"\xb9"),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("=i", 0xB9)),
    ],
)
def test_ecn_is_the_low_two_bits_in_either_form(level: int, kind: int, value: bytes) -> None:
    rig = Rig(ecn=True)
    rig.sock.inbox.append((b"abcd", [(level, kind, value), *_joined(2)], SOURCE))
    rig.readable()
    assert rig.bursts == [[Received(PEER, b"ab", 1), Received(PEER, b"cd", 1)]]


def test_ecn_is_asked_for_only_when_wanted() -> None:
    asked = (socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    assert asked not in Rig().sock.options
    assert asked in Rig(ecn=True).sock.options


def test_without_joining_the_plain_way_gives_the_same() -> None:
    sock = ScriptedSocket()
    sock.refused_options.add((kernel.SOL_UDP, kernel.UDP_GRO))
    rig = Rig(sock)
    sock.inbox.extend([(b"a", [], SOURCE), OSError(errno.ECONNREFUSED, "icmp"), (b"", [], SOURCE)])
    rig.readable()
    assert rig.bursts == [[Received(PEER, b"a"), Received(PEER, b"")]]
    assert rig.socket.errors["ECONNREFUSED"] == 1


@pytest.mark.parametrize("gro", [True, False])
def test_one_busy_socket_stops_at_its_share(gro: bool) -> None:
    rig = Rig(gro=gro, turn_calls=4, turn_bytes=1000)
    rig.sock.inbox.extend([(bytes(10), [], SOURCE)] * 6 + [(bytes(600), [], SOURCE)] * 6)
    for expected in (4, 4, 2, 2):  # by calls; two of 10 and two of 600; then by bytes
        rig.readable()
        assert len(rig.bursts.pop()) == expected
    rig.sock.inbox.clear()
    rig.readable()
    assert rig.bursts == []


def test_errors_without_end_are_bounded_by_the_share() -> None:
    rig = Rig(turn_calls=8)
    rig.sock.inbox.extend([OSError(errno.EHOSTUNREACH, "icmp")] * 100)
    rig.readable()
    assert rig.socket.errors["EHOSTUNREACH"] == 8
    assert rig.bursts == []


def test_calls_of_python_a_datagram_are_few() -> None:
    """What a burst costs is calls; in a joined batch there is none a datagram, in a segmented one neither."""
    rig = Rig()
    burst = [Outgoing(PEER, bytes(1000))] * 64
    rig.sock.inbox.append((bytes(64_000), _joined(1000), SOURCE))
    rig.send(1)

    def both_ways() -> None:
        rig.socket.send_burst(burst)
        rig.readable()

    calls = count_calls(both_ways).python
    assert len(rig.bursts[0]) == 64
    assert 0 < calls <= 10


# --- the end --------------------------------------------------------------------------------------------------------


def test_close_forgets_everything_and_may_be_repeated() -> None:
    rig = Rig()
    rig.sock.verdicts = deque([errno.EAGAIN])
    rig.send(10)
    readable, writable = rig.reactor.readable[42], rig.reactor.writable[42]
    rig.socket.close()
    rig.socket.close()
    assert rig.sock.closed
    assert (rig.reactor.readable, rig.reactor.writable) == ({}, {})
    rig.sock.inbox.append((b"late", [], SOURCE))
    readable()
    writable()
    rig.send(1)
    assert (rig.bursts, rig.writable_calls, rig.datagrams) == ([], 0, [])
    assert rig.socket.errors["closed"] == 1


def test_limits_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="turn_calls"):
        UdpConfig(turn_calls=0)
