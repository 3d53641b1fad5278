"""The command: its options, the service behind it, and what it does when something is not to be had."""

from __future__ import annotations

import argparse
import errno
from typing import Any

import pytest

from tests.support.fake_runtime import FakeRuntime
from webrtc_stack import cli, sim
from webrtc_stack.base import Address, PathId
from webrtc_stack.cli import turn as command
from webrtc_stack.cli.failures import CommandError
from webrtc_stack.cli.turn import program
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.cli.turn.streams import Connection, listen_stream
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method
from webrtc_stack.turn import AllocationClosed, AllocationOpened, CloseClient, Framer, PeerPolicy, TurnServerConfig

CLIENT = Address("10.0.1.1", 4000)


def options(*words: str) -> argparse.Namespace:
    parser, _ = cli.build_parser("turn")
    return parser.parse_args(["turn", *words])


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "70000"),
        ("--port", "x"),
        ("--ports", "5"),
        ("--ports", "9-5"),
        ("--ports", "0-5"),
        ("--user", "alice"),
        ("--user", ":secret"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_options_are_read() -> None:
    read = options("--user", "a:b:c", "--ports", "5000-6000", "--port", "0")
    assert read.user == [("a", "b:c")]
    assert read.ports == (5000, 6000)
    assert read.port == 0


def test_a_key_without_a_certificate_and_a_broken_certificate_are_said(tmp_path: Any) -> None:
    with pytest.raises(CommandError):
        command.run(options("--key", "k.pem"))
    broken = tmp_path / "cert.pem"
    broken.write_text("not a certificate")
    with pytest.raises(CommandError, match="certificate cannot be used"):
        program._tls_context(options("--cert", str(broken)))


def test_addresses_to_relay_from() -> None:
    host = sim.Network(1).host("127.0.0.1", "10.0.0.5", "fd00::5")
    assert program._relay_addresses(["10.0.0.5", "10.0.0.6"], host) == ["10.0.0.5"]
    assert program._relay_addresses(["0.0.0.0", "::"], host) == ["10.0.0.5", "fd00::5"]
    with pytest.raises(CommandError):
        program._relay_addresses(["0.0.0.0"], sim.Network(1).host("127.0.0.1"))
    assert program._by_family(["10.0.0.5", "fd00:0::5"]) == {4: "10.0.0.5", 6: "fd00::5"}
    with pytest.raises(CommandError):
        program._by_family(["10.0.0.5", "10.0.0.6"])


# --- the service ----------------------------------------------------------------------------------------------------


class FakeStream:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, frames: Any) -> None:
        self.written += frames

    def close(self) -> None:
        self.closed = True


def make(relay_hosts: dict[int, str] | None = None, **changes: Any) -> tuple[sim.Network, TurnService, list[Any]]:
    net = sim.Network(1)
    host = net.host("10.0.0.1")
    events: list[Any] = []
    given: dict[str, Any] = {"anonymous": True, "policy": PeerPolicy.of(private=True), "entropy": host.entropy}
    service = TurnService(
        TurnServerConfig(**(given | changes)),
        host,
        relay_hosts={4: "10.0.0.1"} if relay_hosts is None else relay_hosts,
        external_hosts={4: "198.51.100.1"},
        on_event=events.append,
    )
    return net, service, events


def request(method: Method, number: int, *attributes: Attribute) -> bytes:
    return Message(
        method=method,
        message_class=MessageClass.REQUEST,
        transaction_id=number.to_bytes(12, "big"),
        attributes=attributes,
    ).serialize()


UDP = Attribute(AttributeType.REQUESTED_TRANSPORT, bytes((17, 0, 0, 0)))


def test_a_stream_has_its_allocation_and_loses_it() -> None:
    net, service, events = make()
    stream = FakeStream()
    path = service.add_stream(stream, CLIENT)
    service.receive_frames(path, [request(Method.ALLOCATE, 1, UDP)])
    answer = Message.parse(stream.written[0])
    relayed = answer.get(AttributeType.XOR_RELAYED_ADDRESS)
    assert isinstance(relayed, Address)
    assert relayed.host == "198.51.100.1", "the address that peers see"
    peer = Attribute(AttributeType.XOR_PEER_ADDRESS, Address("10.0.2.2", 5))
    service.receive_frames(path, [request(Method.CREATE_PERMISSION, 2, peer)])
    net.host("10.0.2.2").open_udp(("", "10.0.2.2", 0), port=5, on_burst=lambda b: None, on_writable=lambda: None)
    assert len(service._sockets) == 1
    service.remove_stream(path)
    assert service._sockets == {}
    assert [type(one) for one in events] == [AllocationOpened, AllocationClosed]


def test_an_idle_stream_is_closed_by_the_timer() -> None:
    net, service, events = make()
    stream = FakeStream()
    path = service.add_stream(stream, CLIENT)
    net.run_until(29.0)
    assert events == []
    net.run_until(31.0)
    assert stream.closed
    assert events == [CloseClient(path, "no allocation for too long")]
    service.remove_stream(path)


@pytest.mark.parametrize("hosts", [{}, {4: "10.9.9.9"}])
def test_relays_that_cannot_be_opened_are_answered_with_508(hosts: dict[int, str]) -> None:
    _, service, _ = make(hosts)
    stream = FakeStream()
    path = service.add_stream(stream, CLIENT)
    service.receive_frames(path, [request(Method.ALLOCATE, 1, UDP)])
    error = Message.parse(stream.written[0]).error
    assert error is not None
    assert error.code == 508
    assert service.server.drops["relay port refused"] == 8


def test_a_port_in_use_is_an_error_at_once() -> None:
    _, service, _ = make()
    local = service.runtime.local_addresses()[0]
    service.listen(local, 3478)
    with pytest.raises(OSError) as refused:
        service.listen(local, 3478)
    assert refused.value.errno == errno.EADDRINUSE


def test_after_the_end_nothing_is_taken() -> None:
    _, service, _ = make()
    stream, late = FakeStream(), FakeStream()
    path = service.add_stream(stream, CLIENT)
    service.receive_frames(path, [request(Method.ALLOCATE, 1, UDP)])
    service.close()
    service.close()
    assert stream.closed
    assert service._sockets == {}
    service.receive_frames(path, [request(Method.BINDING, 2)])
    service.remove_stream(path)
    service.add_stream(late, CLIENT)
    assert late.closed
    assert len(stream.written) == 1
    service.receive_frames(PathId(99), [b""])


# --- streams of a runtime -------------------------------------------------------------------------------------------


class StreamClient:
    """A client over a stream of the virtual network; what it reads is cut into messages."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.framer = Framer()
        self.frames: list[bytes] = []
        self.closed: list[str] = []
        stream.start(
            on_bytes=lambda data: self.frames.extend(self.framer.receive(data)),
            on_writable=lambda: None,
            on_closed=self.closed.append,
        )


def dial(net: sim.Network, remote: Address, host: str = "10.0.1.1", protocol: str = "tcp") -> StreamClient:
    clients: list[StreamClient] = []
    net.host(host).open_stream(remote, protocol=protocol, on_result=lambda stream: clients.append(StreamClient(stream)))
    net.run_until(net.now + 1.0)
    return clients[0]


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_client_over_a_stream_is_served_on_the_virtual_network(protocol: str) -> None:
    net, service, events = make()
    local = service.runtime.local_addresses()[0]
    listener, address = listen_stream(service, local, 3478, object() if protocol == "tls" else None)
    client = dial(net, address, protocol=protocol)
    allocate = request(Method.ALLOCATE, 1, UDP)
    client.stream.write(allocate[:7])
    net.run_until(net.now + 0.5)
    client.stream.write(allocate[7:] + request(Method.BINDING, 2))
    net.run_until(net.now + 0.5)
    binding, relayed = sorted(map(Message.parse, client.frames), key=lambda message: message.method)
    assert isinstance(relayed.get(AttributeType.XOR_RELAYED_ADDRESS), Address)
    assert binding.get(AttributeType.XOR_MAPPED_ADDRESS) == client.stream.local
    client.stream.close()
    net.run_until(net.now + 1.0)
    assert [type(one) for one in events] == [AllocationOpened, AllocationClosed]
    assert service._streams == {}
    listener.close()


def test_a_stream_that_is_something_else_is_closed_at_once() -> None:
    net, service, _ = make()
    _, address = listen_stream(service, service.runtime.local_addresses()[0])
    client = dial(net, address)
    client.stream.write(b"\x16\x03\x01 this is TLS on the plain port")
    net.run_until(net.now + 0.5)
    assert client.closed == ["closed by the peer"]
    assert service._streams == {}


def test_a_stream_that_the_server_gives_up_is_closed_and_forgotten() -> None:
    net, service, events = make()
    _, address = listen_stream(service, service.runtime.local_addresses()[0])
    idle = dial(net, address)
    net.run_until(net.now + 31.0)
    assert len(idle.closed) == 1
    assert [type(one) for one in events] == [CloseClient]
    busy = dial(net, address, "10.0.1.2")
    service.close()
    net.run_until(net.now + 1.0)
    assert len(busy.closed) == 1
    assert service._streams == {}


def test_streams_beyond_the_limit_are_turned_away() -> None:
    net, service, _ = make(max_streams=1)
    _, address = listen_stream(service, service.runtime.local_addresses()[0])
    first, second = dial(net, address), dial(net, address, "10.0.1.2")
    assert first.closed == []
    assert len(second.closed) == 1
    assert len(service._streams) == 1


def test_a_client_that_does_not_read_loses_frames_and_not_its_stream() -> None:
    _, service, _ = make()
    runtime = FakeRuntime()
    service.runtime = runtime
    listen_stream(service, runtime.local_addresses()[0])
    stream = runtime.listeners[0].connect(CLIENT)
    (connection,) = service._streams.values()
    assert isinstance(connection, Connection)
    stream.writable = False
    for _ in range(20):
        connection.write([bytes(60_000)])
    assert sum(map(len, stream.written)) == 9 * 60_000
    assert connection.lost == 11
    stream.become_writable()
    connection.write([b"again"])
    assert stream.written[-1] == b"again"


def test_the_options_of_tls_have_two_names(tmp_path: Any) -> None:
    for cert, key in (("--tls-cert", "--tls-key"), ("--cert", "--key")):
        read = options(cert, "c.pem", key, "k.pem")
        assert (read.cert.name, read.key.name) == ("c.pem", "k.pem")
