"""Typed values of the lines that are not attributes.

Spec: RFC 8866 sections 5.2 (o=), 5.7 (c=), 5.8 (b=), 5.9 (t=), 5.14 (m=). `r=`, `z=`, `k=`, `i=`, `u=`, `e=`, `p=`
have no structure that WebRTC uses: they stay text.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SdpParseError
from .values import number, token, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`o=`: who made this description, and which version of it this is."""

    username: str = "-"
    session_id: int
    session_version: int
    network_type: str = "IN"
    address_type: str = "IP4"
    address: str = "0.0.0.0"

    @classmethod
    def parse(cls, text: str) -> Origin:
        username, session, version, network, family, address = words(text, 6, "o=", most=6)
        return cls(
            username=username,
            session_id=number(session, 10**20, "o= session id"),
            session_version=number(version, 10**20, "o= session version"),
            network_type=network,
            address_type=family,
            address=address,
        )

    def serialize(self) -> str:
        return (
            f"{self.username} {self.session_id} {self.session_version} "
            f"{self.network_type} {self.address_type} {self.address}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`c=`: where media goes. A multicast address keeps its `/ttl/count` in `suffix`."""

    network_type: str = "IN"
    address_type: str = "IP4"
    address: str
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> Connection:
        network, family, where = words(text, 3, "c=", most=3)
        address, slash, suffix = where.partition("/")
        return cls(network_type=network, address_type=family, address=address, suffix=slash + suffix)

    def serialize(self) -> str:
        return f"{self.network_type} {self.address_type} {self.address}{self.suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """`b=`: kilobits a second for `AS` and `CT`, bits for `TIAS` (RFC 3890)."""

    kind: str
    value: int

    @classmethod
    def parse(cls, text: str) -> Bandwidth:
        kind, colon, value = text.partition(":")
        if not colon:
            raise SdpParseError("expected type:value", field="b=")
        return cls(kind=token(kind, "b= type"), value=number(value, 10**15, "b= value"))

    def serialize(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`t=`: NTP seconds; 0 0 is a session without bounds, the only one WebRTC knows."""

    start: int = 0
    stop: int = 0

    @classmethod
    def parse(cls, text: str) -> Timing:
        start, stop = words(text, 2, "t=", most=2)
        return cls(start=number(start, 10**20, "t= start"), stop=number(stop, 10**20, "t= stop"))

    def serialize(self) -> str:
        return f"{self.start} {self.stop}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLine:
    """`m=`: kind, port, protocol, formats. Port 0 is a rejected section, or a bundle-only one (RFC 9143)."""

    kind: str
    port: int
    port_count: int | None = None
    protocol: str
    formats: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> MediaLine:
        kind, ports, protocol, *formats = words(text, 3, "m=")
        port, slash, count = ports.partition("/")
        return cls(
            kind=token(kind, "m= media"),
            port=number(port, 65535, "m= port"),
            port_count=number(count, 65535, "m= port count") if slash else None,
            protocol=protocol,
            formats=tuple(formats),
        )

    def serialize(self) -> str:
        count = "" if self.port_count is None else f"/{self.port_count}"
        return " ".join((self.kind, f"{self.port}{count}", self.protocol, *self.formats))
