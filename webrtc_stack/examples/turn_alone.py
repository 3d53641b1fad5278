"""TURN without a socket: a client, a server, and a peer who never learns where the client is.

Three programs' worth of datagrams go through one function that plays the network; time is a number that it makes up.
Shown: how the client proves who it is, what the server wishes of its driver, indications and then a channel, what a
relay refuses, and what a wrong password is told.

Run: `python -m webrtc_stack.examples.turn_alone`
"""

from __future__ import annotations

from webrtc_stack import turn
from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy, SocketId

CLIENT = Address("203.0.113.7", 54321)
SERVER = Address("198.51.100.1", 3478)
PEER = Address("192.0.2.44", 9000)
LISTENING, RELAY = SocketId(1), SocketId(2)


class Network:
    """Carries datagrams between one client and the server, answers the server's wishes, and plays the peer."""

    def __init__(self, password: str) -> None:
        entropy = SeededEntropy("turn_alone")
        self.server = turn.TurnServer(
            turn.TurnServerConfig(
                realm="example.org",
                users={"alice": "correct horse"},
                policy=turn.PeerPolicy.of(allow=("192.0.2.0/24",)),
                entropy=entropy.fork("server"),
            )
        )
        self.client = turn.TurnClient(
            turn.TurnClientConfig(server=SERVER, username="alice", password=password, entropy=entropy.fork("client"))
        )
        self.from_client = self.server.paths.intern(LISTENING, CLIENT)
        self.now = 0.0

    def run(self) -> None:
        """Until nothing is on its way."""
        busy = True
        while busy:
            busy = False
            for transmit in self.client.poll_transmits(self.now):
                busy = True
                kind = "ChannelData" if turn.is_channel_data(transmit.data) else "STUN"
                print(f"  {self.now:4.2f} s  client -> server  {len(transmit.data):3} bytes of {kind}")
                self.server.receive(Datagram(self.from_client, transmit.data), self.now)
            for wish in self.server.poll_events():
                if isinstance(wish, turn.OpenRelay):
                    print(f"  {self.now:4.2f} s  the server wishes for a socket on port {wish.port}, and gets it")
                    self.server.relay_opened(wish.id, Address(SERVER.host, wish.port), RELAY, self.now)
            self.now += 0.01
            for transmit in self.server.poll_transmits(self.now):
                busy = True
                path = self.server.paths.lookup(transmit.path)
                assert path is not None
                if path.socket == RELAY:
                    print(f"  {self.now:4.2f} s  relay  -> peer    {transmit.data!r}, which answers")
                    back = self.server.paths.intern(RELAY, PEER)
                    self.server.receive(Datagram(back, transmit.data.upper()), self.now)
                else:
                    self.client.receive(Datagram(PathId(1), transmit.data), self.now)
            for event in self.client.poll_events():
                print(f"  {self.now:4.2f} s  client: {event}")


def main() -> None:
    net = Network("correct horse")
    print("an allocation:")
    net.client.allocate(net.now)
    net.run()
    print("datagrams to a peer, as soon as the server permits it:")
    net.client.permit([PEER], net.now)
    net.client.send_many(PEER, [b"hello by indication"], net.now)
    net.run()
    print("the same through a channel, with four bytes of overhead:")
    net.client.bind(PEER, net.now)
    net.run()
    net.client.send_many(PEER, [b"hello by channel"], net.now)
    net.run()
    burst = net.client.wrap_many(PEER, [b"media"] * 1000)
    relayed, rest = net.client.unwrap_many(burst)
    print(
        f"the hot path: {len(burst)} datagrams wrapped and {len(relayed)} unwrapped in two calls, {len(rest)} left over"
    )
    print("a peer that a relay must not reach:")
    net.client.permit(["127.0.0.1"], net.now)
    net.run()
    net.client.close(net.now)
    net.run()
    print("somebody with a wrong password:")
    net = Network("battery staple")
    net.client.allocate(net.now)
    net.run()


if __name__ == "__main__":
    main()
