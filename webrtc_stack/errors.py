"""Every exception of the stack, one tree.

::

    WebRTCError
      UsageError              the caller broke a rule; nothing has changed          (also a ValueError)
        InvalidStateError       the call is not allowed in this state
        InvalidAccessError      the object does not take part in this operation
        InvalidArgumentError    an argument is out of its range or form
        NotSupportedError       a well-formed wish that this stack does not serve
      ProtocolError           the peer broke a rule
        ParseError              bytes or text that are not what they claim     (.offset .field)
          SdpParseError           the same, for SDP                            (.line)
        NegotiationError        a description that cannot be applied
        DtlsAlertError          a fatal DTLS alert, sent or received           (.alert .sent)
        SctpAbortError          an association ended by ABORT                  (.causes)
        StunErrorResponse       a STUN or TURN error response                  (.code .reason)
        FingerprintMismatch     the peer's certificate is not the signalled one
      SecurityError           a packet that must not be believed
        AuthenticationFailed    a tag or signature is wrong
        ReplayDetected          a packet was seen before, or is too old
        KeyLimitReached         a key has protected as much as it may
      TransportError          the way to the peer
        ConnectionLost          it was there and is gone                       (.reason)
        TimedOut                it did not answer in time                      (also a TimeoutError)
        NoRoute                 there is none
      ResourceError           a limit was met
        BufferFull              a queue is at its limit; nothing was queued
        MessageTooLarge         larger than the peer takes
        TooManyStreams          no stream identifier is left
      DeviceError             a capture or playout device
        PermissionDenied
        DeviceNotFound
        DeviceBusy

"You broke the rules" (`UsageError`) and "they broke the rules" (`ProtocolError`) never share a branch, so a handler
knows whom to blame. Messages are lower case: what was seen, what was allowed, what to do; never a secret.
"""

from __future__ import annotations

from collections.abc import Sequence


class WebRTCError(Exception):
    """Root of everything this package raises on purpose."""


# --- the caller -----------------------------------------------------------------------------------------------------


class UsageError(WebRTCError, ValueError):
    """The caller broke a rule of the API; the object is unchanged."""


class InvalidStateError(UsageError):
    """The call is not allowed in the present state."""


class InvalidAccessError(UsageError):
    """The object given does not belong to, or does not take part in, this operation."""


class InvalidArgumentError(UsageError):
    """An argument is outside its documented range or form."""


class NotSupportedError(UsageError):
    """A well-formed request that this stack does not serve."""


# --- the peer -------------------------------------------------------------------------------------------------------


class ProtocolError(WebRTCError):
    """The peer broke a rule of a protocol."""


class ParseError(ProtocolError):
    """Bytes or text that are not what they claim to be.

    `offset` is the position in the input (bytes, or characters for text), `field` the name of what was being read.
    """

    def __init__(self, message: str, *, offset: int | None = None, field: str | None = None) -> None:
        self.offset = offset
        self.field = field
        where = "" if offset is None else f" at offset {offset}"
        what = "" if field is None else f" in {field}"
        super().__init__(f"{message}{what}{where}")


class SdpParseError(ParseError):
    """Text that is not SDP; `line` counts from 1."""

    def __init__(self, message: str, *, line: int | None = None, field: str | None = None) -> None:
        self.line = line
        super().__init__(message if line is None else f"line {line}: {message}", field=field)


class NegotiationError(ProtocolError):
    """A session description that is well formed but cannot be applied."""


class DtlsAlertError(ProtocolError):
    """A DTLS connection ended by a fatal alert.

    `alert` is the alert description number (RFC 5246 section 7.2), `sent` tells who sent it: True for us.
    """

    def __init__(self, message: str, *, alert: int, sent: bool) -> None:
        self.alert = alert
        self.sent = sent
        super().__init__(message)


class SctpAbortError(ProtocolError):
    """An SCTP association ended by ABORT; `causes` are the error cause codes it carried."""

    def __init__(self, message: str, *, causes: Sequence[int] = ()) -> None:
        self.causes = tuple(causes)
        super().__init__(message)


class StunErrorResponse(ProtocolError):
    """An error response of a STUN or TURN server: `code` (300-699) and its `reason` phrase."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"the server answered {code} {reason}".rstrip())


class FingerprintMismatch(ProtocolError):
    """The certificate shown in the DTLS handshake is not one that signalling announced."""


# --- protection -----------------------------------------------------------------------------------------------------


class SecurityError(WebRTCError):
    """A packet that must not be believed, or a key that must not be used."""


class AuthenticationFailed(SecurityError):
    """An authentication tag or signature is wrong."""


class ReplayDetected(SecurityError):
    """A packet that was accepted before, or is older than the replay window."""


class KeyLimitReached(SecurityError):
    """A key has protected as many packets as its algorithm allows."""


# --- the path -------------------------------------------------------------------------------------------------------


class TransportError(WebRTCError):
    """The way to the peer failed."""


class ConnectionLost(TransportError):
    """A connection ended, or can no longer reach the wanted state; `reason` says why in words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TimedOut(TransportError, TimeoutError):
    """Something did not happen within its time."""


class NoRoute(TransportError):
    """No local address can reach the remote one."""


# --- limits ---------------------------------------------------------------------------------------------------------


class ResourceError(WebRTCError):
    """A configured limit was met."""


class BufferFull(ResourceError):
    """A queue is at its limit; nothing was queued. Wait for it to drain."""


class MessageTooLarge(ResourceError):
    """A message larger than the receiver, or our own limit, allows."""


class TooManyStreams(ResourceError):
    """No stream identifier is left."""


# --- devices --------------------------------------------------------------------------------------------------------


class DeviceError(WebRTCError):
    """A capture or playout device failed."""


class PermissionDenied(DeviceError):
    """The system does not let this process use the device."""


class DeviceNotFound(DeviceError):
    """No device fits the constraints."""


class DeviceBusy(DeviceError):
    """The device is in use elsewhere."""
