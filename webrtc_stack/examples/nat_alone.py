"""What an outsider sees of each kind of NAT: which ports it gives, whom it lets in, and when it forgets.

One host behind a NAT sends to three endpoints outside: two ports of one server and another server. How the three see it
is the NAT's *mapping*; which of them reach it after it has spoken to the first only is its *filtering* (RFC 4787, and
RFC 5780 for the way of finding out). Then: do neighbours reach each other by their outside addresses when both try
(*hairpinning*), and is the port another one after a minute of silence? Last, what two peers can hope for when each is
behind one of these: whether their datagrams meet when both send to where a STUN server saw the other, which is all that
ICE can do without a relay.

Run: `python -m webrtc_stack.examples.nat_alone`
"""

from __future__ import annotations

from collections.abc import Sequence

from webrtc_stack import sim
from webrtc_stack.base import Address


class Endpoint:
    """A UDP socket on a virtual host that keeps what it hears."""

    def __init__(self, host: sim.Host, port: int) -> None:
        self.net = host.network
        self.heard: list[Address] = []
        self.socket = host.open_udp(host.local_addresses()[0], port=port, on_burst=self._hear, on_writable=lambda: None)

    def _hear(self, burst: Sequence[tuple[Address, bytes, int]]) -> None:
        self.heard += [remote for remote, _, _ in burst]

    def send(self, to: Address) -> None:
        self.socket.send_burst([(to, b"hello", 0)])
        self.net.run_until(self.net.now + 0.2)


def sees(server: Endpoint, client: Endpoint) -> Address | None:
    """How the client looks to the server; None when nothing came."""
    server.heard.clear()
    client.send(server.socket.address)
    return server.heard[0] if server.heard else None


def reaches(sender: Endpoint, target: Endpoint, at: Address) -> bool:
    target.heard.clear()
    sender.send(at)
    return bool(target.heard)


def yes(value: bool) -> str:
    return "yes" if value else "no"


def look_at(kind: str) -> None:
    net = sim.Network(f"nat_alone {kind}")
    one, two = net.host("198.51.100.1", name="one"), net.host("198.51.100.2", name="two")
    first, same_server, other_server = Endpoint(one, 3478), Endpoint(one, 3479), Endpoint(two, 3478)
    nat = net.nat("203.0.113.1", kind, mapping_timeout=30.0)
    client, neighbour = Endpoint(nat.host("192.168.1.2"), 5000), Endpoint(nat.host("192.168.1.3"), 5000)

    outside = sees(first, client)
    if outside is None:
        print(f"{kind:22} nothing comes out: {nat.drops!r}")
        return
    answered = [reaches(server, client, outside) for server in (first, same_server, other_server)]
    neighbour_outside = sees(first, neighbour)
    neighbour.send(outside)  # so that no filter stands between the two
    hairpin = neighbour_outside is not None and reaches(client, neighbour, neighbour_outside)
    ports = [str(seen.port) for seen in (outside, sees(same_server, client), sees(other_server, client)) if seen]
    net.run_until(net.now + 60.0)
    after = sees(first, client)
    print(
        f"{kind:22} {' '.join(f'{port:>5}' for port in ports)}   "
        f"{' '.join(f'{yes(came):>6}' for came in answered)}   {yes(hairpin):>7}   {yes(after != outside):>9}"
    )


def meet(left: str, right: str) -> bool:
    """Whether two peers behind such NATs hear each other, by nothing but what a server told each about the other."""
    net = sim.Network(f"nat_alone {left} {right}")
    server = Endpoint(net.host("198.51.100.1"), 3478)
    a = Endpoint(net.nat("203.0.113.1", left).host("192.168.1.2"), 5000)
    b = Endpoint(net.nat("203.0.113.2", right).host("192.168.1.2"), 5000)  # the same private address, why not
    a_outside, b_outside = sees(server, a), sees(server, b)
    if a_outside is None or b_outside is None:
        return False
    to_a, to_b = a_outside, b_outside
    for _ in range(3):
        a.heard.clear()
        b.heard.clear()
        a.send(to_b)
        to_a = b.heard[0] if b.heard else to_a  # a peer-reflexive candidate: answer to where it came from
        b.send(to_a)
        to_b = a.heard[0] if a.heard else to_b
    return bool(a.heard and b.heard)


def main() -> None:
    print("                       port seen by            can send to it           hairpin   new port")
    print("                       :3478 :3479 other    :3478  :3479  other   by outside  after 60 s")
    for kind in sim.NAT_KINDS:
        look_at(kind)

    print("\ntwo peers, each behind a NAT, without a relay:")
    kinds = list(sim.NAT_KINDS)
    width = max(map(len, kinds)) + 1
    print(" " * width + "".join(f"{kind:>{width}}" for kind in kinds))
    for left in kinds:
        print(f"{left:{width}}" + "".join(f"{'meet' if meet(left, right) else '-':>{width}}" for right in kinds))


if __name__ == "__main__":
    main()
