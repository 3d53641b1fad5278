"""TLS over bytes: records in, records out, no socket; and why a stream cannot be had, in words.

`ssl` does the protocol between two memory buffers, so a TLS stream is a TCP stream with a shell around its bytes and
behaves the same on every event loop. The contexts verify unless the caller brings one that does not.

Spec: RFC 8446, RFC 9325 section 3.1.1 (versions), RFC 9525 (names), RFC 8656 section 2.1 (`turns:`).
"""

from __future__ import annotations

import errno
import os
import ssl
from typing import Final

CHUNK_BYTES: Final = 65_536

_ERRNO_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "connection reset",
    errno.ETIMEDOUT: "timed out",
    errno.ENETUNREACH: "network is unreachable",
    errno.EHOSTUNREACH: "host is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.EADDRNOTAVAIL: "the address to connect from is not on this machine",
    errno.EADDRINUSE: "no port is free on the address to connect from",
    errno.EACCES: "forbidden by this machine",
    errno.EPERM: "forbidden by this machine",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.EAFNOSUPPORT: "this machine does not have that IP version",
    errno.EINVAL: "the address cannot be connected to",
}
# OpenSSL's X509_V_ERR_... numbers (x509_vfy.h), of which `ssl` names none.
_CERTIFICATE_WORDS: Final = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate is signed by an unknown issuer (a self-signed one in its chain)",
    20: "the certificate is signed by an unknown issuer",
    21: "the certificate is signed by an unknown issuer",
    23: "the certificate has been revoked",
}
_ANOTHER_NAME: Final = frozenset({62, 64})
_NOT_TLS: Final = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "UNKNOWN_PROTOCOL",
        "BAD_RECORD_TYPE",
    }
)
NOT_TLS: Final = "the other side does not speak TLS"


def describe(error: OSError, name: str | None = None) -> str:
    """Why a connect, a handshake or a stream failed, in words for a person. `name` is what a certificate must name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _ANOTHER_NAME:
            return f"the certificate is not for {name}"
        words = _CERTIFICATE_WORDS.get(error.verify_code)
        return words or f"the certificate cannot be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if reason in _NOT_TLS:
            return NOT_TLS
        _, alert, refusal = reason.partition("ALERT_")
        if alert:
            return f"the other side refused TLS: {refusal.replace('_', ' ').lower()}"
        return f"TLS failed: {(reason or str(error)).replace('_', ' ').lower()}"
    number = error.errno or 0
    return _ERRNO_WORDS.get(number) or (os.strerror(number).lower() if number else str(error))


def client_context() -> ssl.SSLContext:
    """A context that verifies against the system's authorities, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


class TlsShell:
    """One end of a TLS connection. Every method but `take` and `feed` raises `ssl.SSLError` when the connection is
    over; what must leave, alerts included, is in `take` afterwards."""

    __slots__ = ("_in", "_out", "_tls", "_unwritten", "ended", "name")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None = None) -> None:
        """Errors: `ValueError` or `ssl.SSLError` for a name that no certificate can have."""
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=server_name)
        self._unwritten = bytearray()
        self.name = server_name
        self.ended = False
        """The other side said that it has no more."""

    def feed(self, records: bytes) -> None:
        self._in.write(records)

    def take(self) -> bytes:
        """Records to send."""
        return self._out.read() if self._out.pending else b""

    def handshake(self) -> bool:
        """True once it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> list[bytes]:
        """What has been deciphered so far."""
        chunks: list[bytes] = []
        while not self.ended:
            try:
                chunk = self._tls.read(CHUNK_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                chunk = b""
            if chunk:
                chunks.append(chunk)
            else:
                self.ended = True
        if self._unwritten:
            self.write(b"")
        return chunks

    def write(self, data: bytes) -> None:
        if self._unwritten:
            self._unwritten += data  # keeps the order
            data = bytes(self._unwritten)
            self._unwritten.clear()
        view = memoryview(data)
        while view:
            try:
                view = view[self._tls.write(view) :]
            except ssl.SSLWantReadError:
                # TLS 1.2 is negotiating anew, which only a context that is not ours allows
                self._unwritten += view
                return

    @property
    def unwritten(self) -> int:
        return len(self._unwritten)

    def finish(self) -> None:
        """Says that there is no more; does not wait for the other side to say so too."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            return  # it wants to read the other's farewell, or there never was a connection
