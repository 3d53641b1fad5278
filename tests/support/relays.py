"""A TURN server on a host of a virtual network, and what a client is told to use it."""

from __future__ import annotations

from typing import Any

import webrtc_stack as rtc
from webrtc_stack import sim
from webrtc_stack.base import Address, SeededEntropy
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.turn import PeerPolicy, TurnServerConfig

PORT = 3478
USER, PASSWORD = "alice", "secret"


def turn_service(host: sim.Host, **config: Any) -> TurnService:
    """A server on every address of `host`, that relays to anybody."""
    given: dict[str, Any] = {
        "users": {USER: PASSWORD},
        "policy": PeerPolicy.of(private=True),
        "entropy": SeededEntropy(f"turn {host.name}"),
        "own_addresses": tuple(Address(one.host, PORT) for one in host.local_addresses()),
        "max_allocations_per_user": 100,
    }
    relays = {6 if ":" in one.host else 4: one.host for one in host.local_addresses()}
    service = TurnService(TurnServerConfig(**(given | config)), host, relay_hosts=relays)
    for local in host.local_addresses():
        service.listen(local, PORT)
    return service


def ice_server(host: sim.Host | str, scheme: str = "turn", query: str = "", password: str = PASSWORD) -> rtc.IceServer:
    """Its URL, by the first address."""
    address = host if isinstance(host, str) else host.addresses[0]
    name = f"[{address}]" if ":" in address else address
    return rtc.IceServer(f"{scheme}:{name}:{PORT}{query}", username=USER, credential=password)


def relay_only(*servers: rtc.IceServer, **changes: Any) -> rtc.ClientConfig:
    policy = rtc.IceTransportPolicy.RELAY
    return rtc.ClientConfig(ice_servers=servers, ice_transport_policy=policy, **changes)
