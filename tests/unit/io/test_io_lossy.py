"""The runtime that loses RTP on purpose."""

from __future__ import annotations

import asyncio
from random import Random

from webrtc_stack import sim
from webrtc_stack.io import LossyRuntime, Outgoing
from webrtc_stack.io.lossy import is_rtp


def test_only_rtp_is_lost() -> None:
    rtp, rtcp = bytes([128, 96]) + bytes(20), bytes([128, 200]) + bytes(20)
    stun, dtls = bytes(20), bytes([22]) + bytes(20)
    assert [is_rtp(one) for one in (rtp, bytes([144, 0xE0]) + bytes(20), rtcp, stun, dtls, b"\x80")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip

    async def main(net: sim.Network) -> None:
        host, other = net.host("10.0.0.1"), net.host("10.0.0.2")
        lossy = LossyRuntime(host, Random(1))
        assert lossy.local_addresses() == host.local_addresses()
        assert (lossy.time(), lossy.wall_epoch) == (host.time(), host.wall_epoch)
        ours: list[bytes] = []
        theirs: list[bytes] = []
        socket = lossy.open_udp(
            ("eth0", "10.0.0.1", 0),
            on_burst=lambda burst: ours.extend(one[1] for one in burst),
            on_writable=lambda: None,
        )
        peer = other.open_udp(
            ("eth0", "10.0.0.2", 0),
            on_burst=lambda burst: theirs.extend(one[1] for one in burst),
            on_writable=lambda: None,
        )
        for share, expected in ((0.0, 100), (0.5, 100)):
            lossy.sending = lossy.receiving = share
            ours.clear()
            theirs.clear()
            for _ in range(100):
                socket.send_burst([Outgoing(peer.address, rtp), Outgoing(peer.address, rtcp)])
                peer.send_burst([(socket.address, rtp, 0), (socket.address, stun, 0)])
            await asyncio.sleep(1)
            assert theirs.count(rtcp) == expected and ours.count(stun) == expected
            lost_out, lost_in = 100 - theirs.count(rtp), 100 - ours.count(rtp)
            assert (lost_out, lost_in) == (lossy.lost_sending, lossy.lost_receiving)
            assert (30 < lost_out < 70 and 30 < lost_in < 70) if share else lost_out == lost_in == 0
        socket.close()

    sim.run(main)


def test_what_arrives_may_come_late_and_never_to_a_closed_socket() -> None:
    async def main(net: sim.Network) -> None:
        host, other = net.host("10.0.0.1"), net.host("10.0.0.2")
        lossy = LossyRuntime(host, Random(1))
        lossy.delay = 0.5
        came: list[float] = []
        socket = lossy.open_udp(
            ("eth0", "10.0.0.1", 0), on_burst=lambda burst: came.append(host.time()), on_writable=lambda: None
        )
        peer = other.open_udp(("eth0", "10.0.0.2", 0), on_burst=lambda burst: None, on_writable=lambda: None)
        sent = host.time()
        peer.send_burst([Outgoing(socket.address, bytes(20))])
        await asyncio.sleep(1)
        assert len(came) == 1 and 0.5 <= came[0] - sent < 0.6
        peer.send_burst([Outgoing(socket.address, bytes(20))])
        await asyncio.sleep(0.3)
        socket.close()
        await asyncio.sleep(1)
        assert len(came) == 1

    sim.run(main)
