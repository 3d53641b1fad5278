"""What senders and receivers are told and tell, typed.

    parameters = sender.get_parameters()
    await sender.set_parameters(replace(parameters, encodings=(replace(parameters.encodings[0], max_bitrate=500_000),)))

Spec: W3C webrtc-pc sections 5.2.6 (RTCRtpSendParameters), 5.3 (RTCRtpReceiveParameters). Left out: `transactionId`
(these are values, and a stale one is as good as any other), per-encoding codecs and priorities.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import InvalidArgumentError
from ..peer import Codec, CodecParameters, Encoding, MediaKind

AUXILIARY = frozenset({"rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn"})
"""Encoding names that carry no media of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderExtensionParameters:
    """A header extension as agreed."""

    uri: str
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpParameters:
    """What both directions have. Empty before anything was negotiated."""

    codecs: tuple[CodecParameters, ...] = ()
    header_extensions: tuple[HeaderExtensionParameters, ...] = ()
    cname: str = ""
    reduced_size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendParameters(RtpParameters):
    """Of a sender. `set_parameters` takes changes of `encodings`, in all but their number, order and rids."""

    encodings: tuple[Encoding, ...] = (Encoding(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveParameters(RtpParameters):
    """Of a receiver. `rids` are the layers that the peer may send."""

    rids: tuple[str, ...] = ()


def extension_parameters(extensions: dict[int, str]) -> tuple[HeaderExtensionParameters, ...]:
    return tuple(HeaderExtensionParameters(uri=uri, id=id) for id, uri in sorted(extensions.items()))


def is_media(codec: Codec) -> bool:
    """False for retransmission, redundancy, tones and comfort noise."""
    return codec.name.lower() not in AUXILIARY


def same_mime(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def checked_encodings(kind: MediaKind, encodings: Iterable[Encoding]) -> tuple[Encoding, ...]:
    """Encodings with W3C's defaults: simulcast layers halve the size from one to the next, the last is whole.

    Errors: `InvalidArgumentError` for values out of range.
    """
    found = tuple(encodings) or (Encoding(),)
    for encoding in found:
        scale, rate, bitrate = encoding.scale_resolution_down_by, encoding.max_framerate, encoding.max_bitrate
        if scale is not None and scale < 1.0:
            raise InvalidArgumentError(f"scale_resolution_down_by is at least 1, got {scale}")
        if rate is not None and rate < 0:
            raise InvalidArgumentError(f"max_framerate is not negative, got {rate}")
        if bitrate is not None and bitrate < 0:
            raise InvalidArgumentError(f"max_bitrate is not negative, got {bitrate}")
    if kind is MediaKind.VIDEO and len(found) > 1 and all(one.scale_resolution_down_by is None for one in found):
        last = len(found) - 1
        found = tuple(
            replace(one, scale_resolution_down_by=float(2 ** (last - number))) for number, one in enumerate(found)
        )
    return found
