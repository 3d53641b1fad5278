"""Error codes in words: what probably is the matter, and what to do."""

from __future__ import annotations

from typing import Final

NO_ANSWER: Final = 701
"""The code for a server that was not heard of, as W3C's `RTCPeerConnectionIceErrorEvent` has it."""

_HINTS: Final[dict[int, str]] = {
    300: "the server sends its clients to another one, and that one onwards; check how the servers are set up",
    400: "the server did not understand the request; it may not be a TURN server, or be older than RFC 5766",
    401: "username or password are wrong, or time-limited credentials are over; ask for new ones",
    403: "the server refuses us; its administrator allows allocations, or this peer, or does not",
    420: "the server does not know something that was asked for; ask for less (families, dont_fragment)",
    437: "the server still holds an allocation of this address and port; bind another local port and try again",
    438: "the server called every nonce stale; clocks behind a load balancer differ, or somebody replays",
    440: "the server has no addresses of this family; ask for the other one",
    441: "the allocation of this address and port belongs to another user; bind another local port",
    442: "the server does not relay UDP",
    443: "the peer's address is not of the family that was allocated",
    486: "this user has too many allocations; close others, or wait until forgotten ones run out",
    500: "the server is in trouble; try again in a while, or another one",
    508: "the server has no ports or room left; try another one",
    NO_ANSWER: "nothing came back: wrong address or port, a firewall, or a server that is down; try TLS on 443",
}


def hint_for(code: int) -> str:
    """A sentence for people about an error code of a TURN server."""
    return _HINTS.get(code, "the server gave a reason that has no explanation here; look at its log")
