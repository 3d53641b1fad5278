"""`webrtc-stack turn`: a TURN and STUN server on UDP, TCP and TLS.

The parts:

| file | what |
|---|---|
| `service` | carries the server machine's wishes to a runtime, real or simulated: sockets, relays, one timer |
| `streams` | TCP and TLS connections of clients, framed, for the service |
| `program` | options to configuration, what is printed, the end by Ctrl-C |
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...base import canonical_ip
from ...errors import UsageError
from ..failures import CommandError

_EPILOG = """examples:
  webrtc-stack turn --user alice:secret --allow-loopback
                                 a server for tests on this machine
  webrtc-stack turn --listen 0.0.0.0 --external-ip 198.51.100.7 --secret "$TURN_SECRET" --realm example.org
                                 a server on the internet, behind a 1:1 NAT, with time-limited credentials
  webrtc-stack turn --listen 192.168.1.10 --user alice:secret --allow-private
                                 a server for the network it stands in
  webrtc-stack turn --listen 198.51.100.7 --other-address 198.51.100.8 --secret "$TURN_SECRET"
                                 one that also tells clients how their NAT behaves (RFC 5780)"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs a TURN server (RFC 8656) that also answers STUN. Until Ctrl-C.\n"
        "Relays reach the public internet only, unless ranges are allowed."
    )
    parser.epilog = _EPILOG
    where = parser.add_argument_group("where")
    where.add_argument(
        "--listen", metavar="IP", action="append", help="address to listen on (default 127.0.0.1; may be given again)"
    )
    where.add_argument("--port", type=port_number, default=3478, help="UDP and TCP port (default 3478; 0: any)")
    where.add_argument("--no-tcp", action="store_true", help="UDP only")
    where.add_argument("--tls-port", type=port_number, default=5349, help="TLS port, with --tls-cert (default 5349)")
    where.add_argument(
        "--tls-cert", "--cert", dest="cert", type=Path, metavar="FILE", help="certificate chain (PEM): serves TLS too"
    )
    where.add_argument(
        "--tls-key", "--key", dest="key", type=Path, metavar="FILE", help="its private key, if not in the same file"
    )
    where.add_argument(
        "--relay-ip", metavar="IP", action="append", help="address to relay from (default: as --listen; one a family)"
    )
    where.add_argument(
        "--external-ip", metavar="IP", action="append", help="address that peers see, behind a 1:1 NAT (one a family)"
    )
    where.add_argument(
        "--ports", type=port_range, default=(49152, 65535), metavar="LOW-HIGH", help="of relays (default 49152-65535)"
    )
    where.add_argument(
        "--other-address",
        type=other_address,
        metavar="IP[:PORT]",
        help="a second address of this machine: serves NAT behaviour discovery (RFC 5780; default port: the next one)",
    )
    who = parser.add_argument_group("who")
    who.add_argument(
        "--user", type=user, metavar="NAME:PASSWORD", action="append", default=[], help="a user (may be given again)"
    )
    who.add_argument("--secret", help="shared secret of time-limited users, named EXPIRY:NAME")
    who.add_argument("--realm", default="webrtc-stack", help="what the credentials are for (default webrtc-stack)")
    who.add_argument("--user-quota", type=int, metavar="N", default=32, help="allocations a user (default 32)")
    who.add_argument("--max-allocations", type=int, metavar="N", default=1024, help="in all (default 1024)")
    who.add_argument("--bandwidth", type=int, metavar="KBIT", help="kbit/s an allocation may move (default: no limit)")
    whom = parser.add_argument_group("whom relays may reach")
    whom.add_argument("--allow-peer", metavar="RANGE", action="append", default=[], help="such as 10.1.0.0/16")
    whom.add_argument("--deny-peer", metavar="RANGE", action="append", default=[], help="wins over --allow-peer")
    whom.add_argument("--allow-private", action="store_true", help="private ranges: the network around this machine")
    whom.add_argument("--allow-loopback", action="store_true", help="this machine itself: for tests only")
    parser.add_argument("--quiet", action="store_true", help="print only where the server listens")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write what the server does, as JSON lines")


def port_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")
    return int(text)


def other_address(text: str) -> tuple[str, int | None]:
    host, port = text, None
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise argparse.ArgumentTypeError(f"an IPv6 address with a port is [ADDRESS]:PORT, got {text!r}")
        port = port_number(tail[1:]) if tail else None
    elif text.count(":") == 1:
        host, _, tail = text.partition(":")
        port = port_number(tail)
    try:
        return canonical_ip(host), port
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def port_range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not (dash and low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
        raise argparse.ArgumentTypeError(f"a range of ports is LOW-HIGH, got {text!r}")
    if not 1 <= int(low) <= int(high) <= 65535:
        raise argparse.ArgumentTypeError(f"ports are from 1 to 65535, low before high, got {text!r}")
    return int(low), int(high)


def user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError("a user is NAME:PASSWORD")
    return name, password


def run(options: argparse.Namespace) -> int:
    if options.key is not None and options.cert is None:
        raise CommandError("--tls-key needs --tls-cert", code=2)
    from .program import run_turn

    return run_turn(options)
