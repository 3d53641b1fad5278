"""A virtual TLS: the round trip and the certificate's name of the real one, without any cryptography.

One record from each side and a last one from the client, so a connection costs one round trip more than TCP, as TLS 1.3
does. Someone who speaks no TLS is found out, in both directions, as in life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

_HELLO, _CERTIFICATE, _FINISHED, _ALERT = b"\x01", b"\x02", b"\x14", b"\x15"
_HEAD: Final = b"\x16\x03\x03"
_MAX_RECORD: Final = 16_384


@dataclass(frozen=True, slots=True)
class VirtualCertificate:
    """What a listener shows. `names` are host names or IP literals, `*.example.org` stands for one label, and no names
    at all for a certificate that is good for everything."""

    names: tuple[str, ...] = ()
    expired: bool = False
    trusted: bool = True

    def complaint(self, name: str) -> str | None:
        """Why a client that wants `name` does not accept it, in words."""
        if self.names and not any(_matches(pattern.lower(), name.lower()) for pattern in self.names):
            return f"the certificate is not for {name}"
        if self.expired:
            return "the certificate has expired"
        return None if self.trusted else "the certificate is signed by an unknown issuer"


def _matches(pattern: str, name: str) -> bool:
    return pattern == name or (pattern.startswith("*.") and "." in name and pattern[1:] == "." + name.partition(".")[2])


class Step(NamedTuple):
    """What came of some bytes: what to answer, whether the handshake is over, why it failed, what was left over."""

    reply: bytes = b""
    done: bool = False
    failure: str | None = None
    rest: bytes = b""


class Handshake:
    """One side; a client when it has a `name`, a server when it has a `certificate`."""

    __slots__ = ("_buffer", "_certificate", "_greeted", "_name")

    def __init__(self, *, name: str | None = None, certificate: VirtualCertificate | None = None) -> None:
        self._name = name
        self._certificate = certificate
        self._buffer = b""
        self._greeted = False

    def hello(self) -> bytes:
        """What a client says first; a server says nothing."""
        return b"" if self._name is None else _record(_HELLO + self._name.encode())

    def feed(self, data: bytes) -> Step:
        """Takes what came."""
        self._buffer += data
        reply = b""
        while len(self._buffer) >= 5:
            size = int.from_bytes(self._buffer[3:5], "big")
            if self._buffer[:3] != _HEAD or not 0 < size <= _MAX_RECORD:
                return Step(failure="the other side does not speak TLS")
            if len(self._buffer) < 5 + size:
                break
            body, self._buffer = self._buffer[5 : 5 + size], self._buffer[5 + size :]
            step = self._on_record(body[:1], body[1:])
            reply += step.reply
            if step.done or step.failure is not None:
                return step._replace(reply=reply, rest=self._buffer)
        if self._buffer and not _HEAD.startswith(self._buffer[:3]):
            return Step(failure="the other side does not speak TLS")
        return Step(reply)

    def _on_record(self, kind: bytes, body: bytes) -> Step:
        if self._certificate is not None:
            if kind == _HELLO and not self._greeted:
                self._greeted = True
                certificate = self._certificate
                flags = bytes([certificate.expired | (not certificate.trusted) << 1])
                return Step(_record(_CERTIFICATE + flags + "\n".join(certificate.names).encode()))
            if kind == _FINISHED and self._greeted:
                return Step(done=True)
            return Step(failure="the client has refused the certificate" if kind == _ALERT else "handshake failed")
        if kind != _CERTIFICATE or not body or self._name is None:
            return Step(failure="handshake failed")
        names = tuple(body[1:].decode(errors="replace").split("\n")) if len(body) > 1 else ()
        shown = VirtualCertificate(names, expired=bool(body[0] & 1), trusted=not body[0] & 2)
        complaint = shown.complaint(self._name)
        if complaint is not None:
            return Step(_record(_ALERT), failure=complaint)
        return Step(_record(_FINISHED), done=True)


def _record(body: bytes) -> bytes:
    return _HEAD + len(body).to_bytes(2, "big") + body
