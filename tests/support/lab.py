"""A laboratory of real networks: sites behind real NATs of the kernel, and an internet between them with servers.

```
 host 10.1.0.2 --+
 host 10.1.0.3 --+-- router of site 1 ---- its provider ----+
                     10.1.0.1   100.64.1.2    198.51.100.11 |
                                                            +-- internet: 198.51.100.2, .3 coturn, .4 our server
 host 10.2.0.2 ----- router of site 2 ---- its provider ----+
```

Every box is a network namespace (`lab_namespace.py`). What a site's router and provider do to packets is its `Nat`,
which can be changed while everything runs. Nothing outlives the test process.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .lab_namespace import Namespace, cable

COTURN: Final = "198.51.100.2"
COTURN_OTHER: Final = "198.51.100.3"
"""The second address that behaviour discovery needs."""
OURS: Final = "198.51.100.4"
NAMES: Final = {COTURN: "coturn.test", OURS: "ours.test"}
"""What every machine's /etc/hosts says. Nothing else has a name, and no name server answers."""


class Nat(StrEnum):
    """What lies between a site and the internet. Mapping and filtering in the words of RFC 4787."""

    OPEN = "open"
    """Addresses of the site are public, and everything passes."""
    FIREWALL = "firewall"
    """Public addresses; from outside comes only what answers."""
    CONE = "cone"
    """The usual home router: ports are kept (endpoint-independent mapping, as long as they do not collide), filtering
    is address and port dependent."""
    SYMMETRIC = "symmetric"
    """Every destination sees another random port: address and port dependent mapping."""
    DOUBLE = "double"
    """A home router, and another one at the provider."""
    ONE_TO_ONE = "one-to-one"
    """One public address for one host, and every port of it: the machine in a cloud."""
    UDP_BLOCKED = "udp-blocked"
    TCP_443 = "tcp-443"
    """Out goes only TCP to port 443."""


_KEPT: Final = 'oifname "outside" masquerade'
_RANDOM: Final = 'oifname "outside" masquerade random,fully-random'
_EGRESS: Final[dict[Nat, str]] = {
    Nat.UDP_BLOCKED: 'oifname "outside" meta l4proto udp drop',
    Nat.TCP_443: 'oifname "outside" tcp dport != 443 drop; oifname "outside" meta l4proto != tcp drop',
}


def _rules(*, source: str = "", destination: str = "", egress: str = "") -> str:
    """A stateful router: out goes what `egress` does not drop, in comes what answers or is forwarded by intent.

    A packet for the router itself is dropped without an answer: one that were refused would leave a tracked connection
    behind, which takes the port from the hole that is being punched.
    """
    return f"""table ip lab {{
        chain forward {{
            type filter hook forward priority filter
            {egress}
            ct state established,related accept
            ct status dnat accept
            iifname "outside" drop
        }}
        chain input {{
            type filter hook input priority filter
            iifname "outside" meta l4proto != icmp ct state new drop
        }}
        chain destination {{
            type nat hook prerouting priority dstnat
            {destination}
        }}
        chain source {{
            type nat hook postrouting priority srcnat
            {source}
        }}
    }}"""


class Site:
    """Some hosts on one local network, their router, and the provider that it is connected to."""

    def __init__(self, lab: Lab, number: int, kind: Nat) -> None:
        self.lab = lab
        self.number = number
        self.hosts: list[Namespace] = []
        self.router = lab._namespace(f"router {number}")
        self.provider = lab._namespace(f"provider {number}")
        self.public = f"198.51.100.{10 + number}"
        cable(self.provider, "outside", lab.internet, f"site{number}")
        cable(self.router, "outside", self.provider, "inside")
        lab.internet.ip(f"link set site{number} master wan")
        self.provider.ip(
            f"addr add {self.public}/24 dev outside",
            f"addr add 100.64.{number}.1/24 dev inside",
            "route add default via 198.51.100.1",
            f"route add {self.network} via 100.64.{number}.2",
        )
        self.router.ip(
            "link add lan type bridge",
            "link set lan up",
            f"addr add {self.address(1)}/24 dev lan",
            f"addr add 100.64.{number}.2/24 dev outside",
            f"route add default via 100.64.{number}.1",
        )
        for box in (self.router, self.provider):
            box.forward()
        self.set(kind)

    @property
    def network(self) -> str:
        return f"10.{self.number}.0.0/24"

    def address(self, last: int) -> str:
        return f"10.{self.number}.0.{last}"

    def host(self, name: str = "") -> Namespace:
        """One more machine; its interface is `eth0`, its address the next one from .2 on."""
        number = len(self.hosts) + 2
        made = self.lab._namespace(name or f"host {self.address(number)}")
        cable(made, "eth0", self.router, f"host{number}")
        self.router.ip(f"link set host{number} master lan")
        made.ip(f"addr add {self.address(number)}/24 dev eth0", f"route add default via {self.address(1)}")
        self.hosts.append(made)
        return made

    def set(self, kind: Nat) -> None:
        """Becomes a site of another kind, at once; what was tracked is forgotten."""
        self.kind = kind
        router = provider = "flush ruleset"
        if kind is Nat.FIREWALL:
            provider = _rules()
        elif kind is Nat.ONE_TO_ONE:
            provider = _rules(
                source=f'oifname "outside" ip saddr {self.address(2)} snat to {self.public}; {_KEPT}',
                destination=f'iifname "outside" ip daddr {self.public} dnat to {self.address(2)}',
            )
        elif kind is not Nat.OPEN:
            provider = _rules(source=_RANDOM if kind is Nat.SYMMETRIC else _KEPT, egress=_EGRESS.get(kind, ""))
        if kind is Nat.DOUBLE:
            router = _rules(source=_KEPT)
        self.router.rules(router)
        self.provider.rules(provider)
        self.forget()
        public = kind in (Nat.OPEN, Nat.FIREWALL)
        self.lab.internet.ip(f"route replace {self.network} " + (f"via {self.public}" if public else "dev void"))

    def forget(self) -> None:
        """The NATs lose all mappings: the next packet out gets another one where ports are random."""
        self.router.forget_connections()
        self.provider.forget_connections()

    def new_public_address(self) -> str:
        """The provider gives the site another public address; nothing comes to the former one any more."""
        first, second = (f"198.51.100.{base + self.number}" for base in (10, 100))
        former, self.public = self.public, second if self.public == first else first
        self.provider.ip(
            f"addr del {former}/24 dev outside",
            f"addr add {self.public}/24 dev outside",
            "route replace default via 198.51.100.1",
        )
        self.set(self.kind)
        return self.public


class Lab:
    """`with Lab() as lab`: the internet; sites are added to it. Servers: `lab_servers.py`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.sites: list[Site] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="webrtc_stack-lab-")))
            # With the dot as well: that is how Chromium looks up servers for UDP.
            lines = ["127.0.0.1 localhost", *(f"{host} {name} {name}." for host, name in NAMES.items())]
            (self.folder / "hosts").write_text("\n".join(lines) + "\n")
            (self.folder / "resolv.conf").write_text("")
            self._stack = stack
            self.internet = self._namespace("internet")
            self.internet.ip(
                "link add wan type bridge",
                "link set wan up",
                # Where packets to private addresses go: lost without a word. (A blackhole route would tell senders on
                # this very machine, which the internet never does.)
                "link add void type veth peer name abyss",
                "link set void arp off",
                "link set void up",
                "link set abyss up",
                *(f"addr add {host}/24 dev wan" for host in ("198.51.100.1", COTURN, COTURN_OTHER, OURS)),
            )
            self.internet.forward()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def stack(self) -> ExitStack:
        """What is closed with the laboratory, last first."""
        return self._stack

    def _namespace(self, name: str) -> Namespace:
        made = Namespace(name, self.folder)
        self._stack.callback(made.close)
        return made

    def site(self, kind: Nat = Nat.OPEN) -> Site:
        made = Site(self, len(self.sites) + 1, kind)
        self.sites.append(made)
        return made
