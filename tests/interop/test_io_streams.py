"""TCP and TLS streams on real loopback sockets, on both event loops."""

from __future__ import annotations

import asyncio
import datetime
import gc
import ipaddress
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.io.fakes import FakeCore
from webrtc_stack.base import Address, CloseStream, GatherAddresses, OpenStream, Transmit
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError
from webrtc_stack.io import AddressPolicy, AsyncioRuntime, Driver, LocalAddress, Stream, StreamConfig, TcpStream
from webrtc_stack.io.kernel import has_ipv6
from webrtc_stack.io.tls import TlsShell
from webrtc_stack.trace import MemorySink, Trace

LOCAL = LocalAddress("lo", "127.0.0.1")
NAME = "turn.example"

Test = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    def run_test(test: Test) -> None:
        factory = asyncio.SelectorEventLoop if request.param == "asyncio" else uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test(), 30.0))
        gc.collect()

    return run_test


class Authority:
    """An issuer, and the certificates it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.root = self._sign(self.name, self.key.public_key(), self.name, self.key, ca=True)

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: tuple[x509.GeneralName, ...] = (),
        days: tuple[int, int] = (-1, 1),
        ca: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + datetime.timedelta(days=days[0]))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days[1]))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(key, hashes.SHA256())

    def server(
        self, *, names: tuple[str, ...] = (NAME, "127.0.0.1"), days: tuple[int, int] = (-1, 1), own: bool = False
    ) -> ssl.SSLContext:
        """A server's context, with a certificate of this authority, or with one that it signed itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        general: list[x509.GeneralName] = []
        for name in names:
            try:
                general.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                general.append(x509.DNSName(name))
        issuer, by = (subject, key) if own else (self.name, self.key)
        certificate = self._sign(subject, key.public_key(), issuer, by, names=tuple(general), days=days)
        pem = self.folder / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def client(self) -> ssl.SSLContext:
        """A client's context that trusts this authority."""
        pem = self.root.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class End:
    """One end of a stream, and what it heard."""

    def __init__(self, stream: Stream, on_bytes: Callable[[bytes], None] = lambda data: None) -> None:
        self.stream = stream
        self.received = bytearray()
        self.closed: list[str] = []
        self.writable = 0
        self.changed = asyncio.Event()
        self._on_bytes = on_bytes
        stream.start(on_bytes=self._bytes, on_writable=self._writable, on_closed=self._closed)

    def _bytes(self, data: bytes) -> None:
        self.received += data
        self._on_bytes(data)
        self.changed.set()

    def _writable(self) -> None:
        self.writable += 1
        self.changed.set()

    def _closed(self, reason: str) -> None:
        self.closed.append(reason)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10.0)


def keep(stream: Stream) -> None:
    End(stream)


def connect(
    runtime: AsyncioRuntime, remote: Address, protocol: str = "tcp", **options: Any
) -> asyncio.Future[Stream | str]:
    future: asyncio.Future[Stream | str] = asyncio.get_running_loop().create_future()
    runtime.open_stream(remote, protocol=protocol, on_result=future.set_result, **options)
    assert not future.done(), "the result came from inside the call"
    return future


async def opened(runtime: AsyncioRuntime, remote: Address, protocol: str = "tcp", **options: Any) -> End:
    result = await connect(runtime, remote, protocol, **options)
    assert not isinstance(result, str), result
    return End(result)


async def pair(
    runtime: AsyncioRuntime, protocol: str = "tcp", tls: ssl.SSLContext | None = None, local: LocalAddress = LOCAL
) -> tuple[End, End]:
    accepted: asyncio.Future[End] = asyncio.get_running_loop().create_future()
    listener = runtime.listen(local, tls=tls, on_accept=lambda stream: accepted.set_result(End(stream)))
    near = await opened(runtime, listener.address, protocol, server_name=NAME if tls else None)
    far = await accepted
    listener.close()
    assert near.stream.remote == listener.address == far.stream.local
    assert near.stream.local == far.stream.remote
    return near, far


def descriptors(runtime: AsyncioRuntime) -> int:
    return len(runtime._streams.streams) + len(runtime._streams.listeners)


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_bytes_go_both_ways_and_the_end_is_told_once(
    run: Callable[[Test], None], authority: Authority, protocol: str
) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(tls_context=authority.client())
        near, far = await pair(runtime, protocol, authority.server() if protocol == "tls" else None)
        near.stream.write(b"hello")
        far.stream.write(b"w")
        far.stream.write(b"")
        far.stream.write(b"orld")
        await far.until(lambda: far.received == b"hello")
        await near.until(lambda: near.received == b"world")
        near.stream.write(b"last words")
        near.stream.close()
        near.stream.close()
        near.stream.write(b"too late")
        await far.until(lambda: bool(far.closed))
        assert far.received == b"hellolast words"
        assert far.closed == ["closed by the peer"]
        assert near.closed == []
        far.stream.close()
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_much_more_than_a_kernel_holds_arrives_whole_and_in_order(
    run: Callable[[Test], None], authority: Authority, protocol: str
) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(
            tls_context=authority.client(), streams=StreamConfig(pending_bytes=1 << 26, turn_bytes=70_000)
        )
        near, far = await pair(runtime, protocol, authority.server() if protocol == "tls" else None)
        sent = b"".join(index.to_bytes(4, "big") * 256 for index in range(16_384))  # 16 MiB
        for at in range(0, len(sent), 1 << 20):
            near.stream.write(sent[at : at + (1 << 20)])
        assert near.stream.writable is False
        await far.until(lambda: len(far.received) == len(sent))
        assert far.received == sent
        await near.until(lambda: near.writable == 1 and near.stream.writable)
        near.stream.close()
        far.stream.close()
        await runtime.aclose()

    run(test)


def test_what_was_written_is_sent_after_close_even_if_it_has_to_wait(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        near, far = await pair(runtime)
        near.stream.write(bytes(1 << 20))
        assert not near.stream.writable
        near.stream.close()
        await far.until(lambda: bool(far.closed))
        assert len(far.received) == 1 << 20
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


def test_a_reader_that_stopped_ends_the_stream_at_the_bound(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(streams=StreamConfig(pending_bytes=1 << 16, linger=0.05))
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            near = await opened(runtime, Address(*deaf.getsockname()))
            while near.stream.writable:
                near.stream.write(bytes(1 << 14))
            for _ in range(10):
                near.stream.write(bytes(1 << 14))
            assert near.closed == [], "not from inside write"
            await near.until(lambda: bool(near.closed))
            assert near.closed == ["the other side does not read: more than 65536 bytes wait"]
            assert descriptors(runtime) == 0
            # and a close does not wait for it longer than it may
            other = await opened(runtime, Address(*deaf.getsockname()))
            while other.stream.writable:
                other.stream.write(bytes(1 << 14))
            other.stream.close()
            assert descriptors(runtime) == 1
            await asyncio.sleep(0.2)
            assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6_and_the_address_to_connect_from(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        near, far = await pair(runtime, local=LocalAddress("lo", "::1"))
        assert near.stream.local.host == far.stream.remote.host == "::1"
        with socket.create_server(("127.0.0.1", 0)) as server:
            remote = Address(*server.getsockname())
            bound = await opened(runtime, remote, local="127.0.0.9")
            assert bound.stream.local.host == "127.0.0.9"
            accepted, name = server.accept()
            accepted.close()
            assert name == tuple(bound.stream.local)
            assert "one is IPv4, one IPv6" in str(await connect(runtime, remote, local="::1"))
            reason = await connect(runtime, remote, local="203.0.113.9")
            assert reason == "the address to connect from is not on this machine"
        await runtime.aclose()

    run(test)


def test_a_connect_that_fails_says_why(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        sink = MemorySink()
        runtime = AsyncioRuntime(streams=StreamConfig(connect_timeout=0.2), trace=Trace(sink))
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            assert await connect(runtime, Address(*unused.getsockname())) == "connection refused"
        assert sink.named("stream_failed")[0].data["reason"] == "connection refused"
        assert "not an IP address" in str(await connect(runtime, Address("turn.example", 1)))
        assert "port" in str(await connect(runtime, Address("127.0.0.1", 70_000)))
        assert "'udp'" in str(await connect(runtime, Address("127.0.0.1", 1), "udp"))
        assert await connect(runtime, Address("127.0.0.1", 1), "tls", server_name="..") != ""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            taken = [socket.socket() for _ in range(4)]
            for one in taken:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            reason = await connect(runtime, Address(*full.getsockname()))
            assert reason == "timed out: no connection within 0.2 s"
            for one in taken:
                one.close()
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"days": (-9, -2)}, "the certificate has expired"),
        ({"days": (2, 9)}, "the certificate is not valid yet"),
        ({"names": ("other.example",)}, f"the certificate is not for {NAME}"),
        ({"own": True}, "the certificate is self-signed"),
    ],
)
def test_a_certificate_that_cannot_be_trusted_says_why(
    run: Callable[[Test], None], authority: Authority, made: dict[str, Any], expected: str
) -> None:
    async def test() -> None:
        sink = MemorySink()
        runtime = AsyncioRuntime(tls_context=authority.client(), trace=Trace(sink))
        accepted: list[Stream] = []
        listener = runtime.listen(LOCAL, tls=authority.server(**made), on_accept=accepted.append)
        assert await connect(runtime, listener.address, "tls", server_name=NAME) == expected
        while not listener.refused:
            await asyncio.sleep(0.001)
        assert "the other side refused TLS: " in sink.named("stream_refused")[0].data["reason"], "it was told why"
        assert accepted == []
        listener.close()
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


def test_an_issuer_that_nobody_knows_and_an_address_that_is_not_named(
    run: Callable[[Test], None], authority: Authority
) -> None:
    async def test() -> None:
        trusting, doubting = AsyncioRuntime(tls_context=authority.client()), AsyncioRuntime()
        listener = trusting.listen(LOCAL, tls=authority.server(), on_accept=keep)
        reason = await connect(doubting, listener.address, "tls", server_name=NAME)
        assert reason == "the certificate is signed by an unknown issuer", "the default verifies"
        by_address = await opened(trusting, listener.address, "tls")
        by_address.stream.close()
        other = trusting.listen(LOCAL, tls=authority.server(names=(NAME,)), on_accept=keep)
        assert await connect(trusting, other.address, "tls") == "the certificate is not for 127.0.0.1"
        await trusting.aclose()
        await doubting.aclose()
        assert descriptors(trusting) == descriptors(doubting) == 0

    run(test)


def test_a_server_that_does_not_speak_tls_says_so_or_nothing(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(streams=StreamConfig(connect_timeout=0.2))

        def banner(stream: Stream) -> None:
            End(stream, lambda data: stream.write(b"220 a mail server\r\n"))

        def hang_up(stream: Stream) -> None:
            End(stream, lambda data: stream.close())

        chatty = runtime.listen(LOCAL, on_accept=banner)
        assert await connect(runtime, chatty.address, "tls") == "the other side does not speak TLS"
        curt = runtime.listen(LOCAL, on_accept=hang_up)
        assert await connect(runtime, curt.address, "tls") == "closed by the peer during the TLS handshake"
        silent = runtime.listen(LOCAL, on_accept=keep)
        assert await connect(runtime, silent.address, "tls") == "timed out: no TLS handshake within 0.2 s"
        await runtime.aclose()

    run(test)


def test_a_client_that_spoils_its_handshake_is_turned_away(run: Callable[[Test], None], authority: Authority) -> None:
    async def test() -> None:
        sink = MemorySink()
        runtime = AsyncioRuntime(streams=StreamConfig(connect_timeout=0.3, backlog=2), trace=Trace(sink))
        accepted: list[Stream] = []
        listener = runtime.listen(LOCAL, tls=authority.server(), on_accept=accepted.append)
        nonsense = await opened(runtime, listener.address)
        nonsense.stream.write(b"GET / HTTP/1.0\r\n\r\n")
        await nonsense.until(lambda: bool(nonsense.closed))
        silent = [await opened(runtime, listener.address) for _ in range(3)]
        await silent[2].until(lambda: bool(silent[2].closed))
        assert not silent[0].closed
        await silent[0].until(lambda: bool(silent[0].closed))
        await silent[1].until(lambda: bool(silent[1].closed))
        assert listener.refused == 4
        assert accepted == []
        reasons = [event.data["reason"] for event in sink.named("stream_refused")]
        assert reasons[0] == "the other side does not speak TLS"
        listener.close()
        listener.close()
        for one in (nonsense, *silent):
            one.stream.close()
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


def test_a_given_up_connect_leaves_nothing_and_tells_nothing(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        told: list[Stream | str] = []
        listener = runtime.listen(LOCAL, on_accept=keep)
        for remote in (listener.address, Address("nonsense", 1)):
            opening = runtime.open_stream(remote, protocol="tcp", on_result=told.append)
            opening.cancel()
            opening.cancel()
            assert not runtime._streams.streams
        finished = runtime.open_stream(listener.address, protocol="tcp", on_result=told.append)
        await asyncio.sleep(0.05)
        finished.cancel()
        assert len(told) == 1
        assert isinstance(told[0], TcpStream)
        await runtime.aclose()
        assert descriptors(runtime) == 0
        await runtime.aclose()

    run(test)


def test_a_reset_has_its_own_word(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = await opened(runtime, Address(*server.getsockname()))
            far, _ = server.accept()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            far.close()
            await near.until(lambda: bool(near.closed))
        assert near.closed == ["connection reset"]
        await runtime.aclose()

    run(test)


def test_closing_from_inside_a_callback_is_the_last_word(run: Callable[[Test], None], authority: Authority) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(tls_context=authority.client(), streams=StreamConfig(turn_bytes=1 << 20))
        for tls in (None, authority.server()):
            near, far = await pair(runtime, "tls" if tls else "tcp", tls)
            closer = far.stream
            far._on_bytes = lambda data, closer=closer: closer.close()  # type: ignore[misc]
            for _ in range(64):
                near.stream.write(bytes(4096))
            await near.until(lambda near=near: bool(near.closed))  # type: ignore[misc]
            assert 0 < len(far.received) <= (16_384 if tls else 65_536), "one callback, whatever was read with it"
            assert far.closed == []
        await runtime.aclose()

    run(test)


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(
    run: Callable[[Test], None], authority: Authority
) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        accepted: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        listener = runtime.listen(
            LOCAL, tls=authority.server(), on_accept=lambda stream: accepted.set_result(End(stream))
        )
        near = await opened(runtime, listener.address)
        shell = TlsShell(authority.client(), server_side=False, server_name=NAME)
        while not shell.handshake():
            near.stream.write(shell.take())
            size = len(near.received)
            await near.until(lambda size=size: len(near.received) > size)  # type: ignore[misc]
            shell.feed(bytes(near.received))
            near.received.clear()
        shell.write(b"in the same segment")
        near.stream.write(shell.take())
        far = await accepted
        await far.until(lambda: far.received == b"in the same segment")
        near.stream.close()
        await far.until(lambda: bool(far.closed))
        await runtime.aclose()

    run(test)


def test_a_close_with_bytes_unread_is_no_reset(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        near, far = await pair(runtime)
        far.stream.write(b"never read")
        near.stream.write(b"goodbye")
        near.stream.close()
        await far.until(lambda: bool(far.closed))
        assert (bytes(far.received), far.closed) == (b"goodbye", ["closed by the peer"])
        await runtime.aclose()

    run(test)


def test_a_closed_stream_that_is_reset_while_it_sends_its_last_bytes_stays_silent(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(streams=StreamConfig(linger=30.0))
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = await opened(runtime, Address(*server.getsockname()))
            far, _ = server.accept()
            while near.stream.writable:
                near.stream.write(bytes(1 << 16))
            near.stream.close()
            assert descriptors(runtime) == 1
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            far.close()
            while descriptors(runtime):
                await asyncio.sleep(0.001)
        assert near.closed == []
        await runtime.aclose()

    run(test)


def test_misuse_is_refused(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        with pytest.raises(InvalidArgumentError, match="SSLContext"):
            runtime.listen(LOCAL, tls=object(), on_accept=keep)
        listener = runtime.listen(LOCAL, on_accept=keep)
        with pytest.raises(OSError, match="in use"):
            runtime.listen(LOCAL, port=listener.address.port, on_accept=keep)
        end = await opened(runtime, listener.address)
        with pytest.raises(InvalidStateError, match="once"):
            End(end.stream)
        with pytest.raises(InvalidArgumentError, match="linger"):
            StreamConfig(linger=0)
        await runtime.aclose()

    run(test)


def test_segments_are_not_held_back(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        near, far = await pair(runtime)
        for end in (near, far):
            stream = end.stream
            assert isinstance(stream, TcpStream)
            assert stream._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await runtime.aclose()

    run(test)


def test_two_drivers_talk_over_a_stream(run: Callable[[Test], None]) -> None:
    """The whole way: gather, listen, connect, chunks both ways, the end told; the machines are doubles."""

    async def test() -> None:
        runtime = AsyncioRuntime()
        descriptors_before = len(list(Path("/proc/self/fd").iterdir()))
        here, there = FakeCore(), FakeCore()
        policy = AddressPolicy(interfaces=("lo",), ipv6=False)
        drivers = [Driver(core, runtime, policy=policy, on_events=lambda events: None) for core in (here, there)]
        there.events.append(GatherAddresses(tcp=True))
        drivers[1].flush()
        ((_, listening, socket_id, _),) = there.named("add_listener")
        here.events.append(OpenStream(1, listening, "tcp", local="127.0.0.1"))
        drivers[0].flush()
        while not (here.named("stream_opened") and there.named("stream_accepted")):
            await asyncio.sleep(0)
        ((_, _, path, local, _),) = here.named("stream_opened")
        ((_, accepted, back, _),) = there.named("stream_accepted")
        assert there.paths.lookup(back) == (socket_id, local)
        chunks = [b"%04d" % index * 250 for index in range(5000)]
        here.transmits = [Transmit(path, chunk) for chunk in chunks]
        there.transmits = [Transmit(back, chunk) for chunk in chunks[:1000]]
        for driver in drivers:
            driver.wake()

        def arrived(core: FakeCore) -> bytes:
            return b"".join(item.data for call in core.named("receive_many") for item in call[1])

        while len(arrived(there)) < 5_000_000 or len(arrived(here)) < 1_000_000:
            await asyncio.sleep(0.001)
        assert arrived(there) == b"".join(chunks)
        assert arrived(here) == b"".join(chunks[:1000])
        there.events.append(CloseStream(accepted))
        drivers[1].flush()
        while not here.named("stream_closed"):
            await asyncio.sleep(0)
        assert here.named("stream_closed")[0][1:3] == (1, "closed by the peer")
        for driver in drivers:
            driver.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors_before
        await runtime.aclose()

    run(test)
