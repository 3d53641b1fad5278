"""The extension module: C twins, each with the name and the signature of what it stands for in Python."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from typing_extensions import Buffer

from ..errors import ParseError
from ..packetization.base import DepacketizerConfig, EncodedFrame, RtpPacketLike
from ..packetization.nal_payloads import NalPayloads
from ..rtp.bursts import RewritePlan
from ..rtp.extensions import ExtensionMap, HeaderExtensions
from ..srtp.counters import SrtpCounters
from ..srtp.dtls import DtlsLike
from ..srtp.profiles import Profile
from ..srtp.refused import Refused

class PacketRun:
    """The state of a depacketizer that is looked at for every packet, and the packets that need nothing else."""

    def __init__(self, config: DepacketizerConfig) -> None: ...
    def push(self, packet: RtpPacketLike) -> list[EncodedFrame]: ...
    def push_many(self, packets: list[RtpPacketLike]) -> list[EncodedFrame]: ...

class RtpPacket:
    """One RTP packet, in plain."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    marker: bool
    csrcs: tuple[int, ...]
    payload: bytes
    padding: int
    extension_map: ExtensionMap | None
    extensions: HeaderExtensions
    @property
    def size(self) -> int: ...
    def __init__(
        self,
        *,
        payload_type: int = 0,
        sequence_number: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        marker: bool = False,
        csrcs: tuple[int, ...] = (),
        extensions: HeaderExtensions | None = None,
        payload: bytes = b"",
        padding: int = 0,
        extension_map: ExtensionMap | None = None,
    ) -> None: ...
    @classmethod
    def parse(cls, data: bytes, extension_map: ExtensionMap | None = None) -> Self: ...
    def serialize(self, extension_map: ExtensionMap | None = None) -> bytes: ...
    def get(self, uri: str) -> Any: ...
    def set(self, uri: str, value: Any) -> None: ...
    def copy(self) -> RtpPacket: ...

def parse_many(packets: list[bytes], extension_map: ExtensionMap | None = None, /) -> list[RtpPacket | ParseError]:
    """A burst of packets; in the place of what is none, the `ParseError` that says why."""

def serialize_many(packets: list[RtpPacket], extension_map: ExtensionMap | None = None, /) -> list[bytes]:
    """A burst of packets as bytes."""

def rewrite_headers(
    plan: RewritePlan, packets: list[bytes], transport_sequence_number: int, /
) -> tuple[list[bytes | ParseError], int]:
    """A burst of packets as another session numbers them, and the number that comes next."""

class SrtpContext:
    """Protects what is sent, or unprotects what is received, under one master key (or several, with identifiers)."""

    @property
    def profile(self) -> Profile: ...
    @property
    def counters(self) -> SrtpCounters: ...
    def __init__(
        self,
        profile: Profile,
        master_key: Buffer,
        master_salt: Buffer,
        *,
        replay_window: int = 1024,
        mki: Buffer | None = None,
        cryptex: bool = False,
        encrypted_extensions: Iterable[int] = (),
        max_ssrcs: int = 1024,
        encrypt_rtcp: bool = True,
        allow_repeats: bool = False,
    ) -> None: ...
    @classmethod
    def pair_from_dtls(
        cls,
        endpoint: DtlsLike,
        *,
        replay_window: int = 1024,
        cryptex: bool = False,
        encrypted_extensions: Iterable[int] = (),
        max_ssrcs: int = 1024,
        encrypt_rtcp: bool = True,
        allow_repeats: bool = False,
    ) -> tuple[Self, Self]: ...
    def add_key(self, master_key: Buffer, master_salt: Buffer, *, mki: Buffer) -> None: ...
    def use_key(self, mki: Buffer, /) -> None: ...
    def remove_key(self, mki: Buffer, /) -> None: ...
    def rollover_counter(self, ssrc: int, /) -> int | None: ...
    def set_rollover_counter(self, ssrc: int, roc: int, /) -> None: ...
    def rtcp_index(self, ssrc: int, /) -> int: ...
    def set_rtcp_index(self, ssrc: int, index: int, /) -> None: ...
    def protect(self, rtp: Buffer, /) -> bytes: ...
    def protect_many(self, packets: Sequence[Buffer], /) -> list[bytes]: ...
    def unprotect(self, srtp: Buffer, /) -> bytes: ...
    def unprotect_many(self, packets: Sequence[Buffer], /) -> list[bytes | Refused]: ...
    def protect_rtcp(self, rtcp: Buffer, /) -> bytes: ...
    def protect_rtcp_many(self, packets: Sequence[Buffer], /) -> list[bytes]: ...
    def unprotect_rtcp(self, srtcp: Buffer, /) -> bytes: ...
    def unprotect_rtcp_many(self, packets: Sequence[Buffer], /) -> list[bytes | Refused]: ...

def crc32c(data: Buffer, value: int = 0, /) -> int:
    """The CRC32c of what `value` is the sum of, followed by `data`."""

def split_annex_b(stream: bytes, /) -> list[bytes]:
    """The NAL units of a byte stream, without start codes and the zeros around them."""

def split_evenly(
    data: bytes, first_head: bytes, head: bytes, limit: int, last_head: bytes | None = None, /
) -> list[bytes]:
    """Payloads of at most `limit` bytes, `first_head` before the first part of `data`, `head` before others."""

def pack_annex_b(
    layout: NalPayloads, stream: bytes, limit: int, aggregate: Callable[[list[bytes]], bytes], /
) -> list[bytes]:
    """The payloads of a byte stream."""

def join_annex_b(layout: NalPayloads, payloads: list[bytes], /) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    """The byte stream of payloads, the types of its units, and where they begin."""

def join_behind(payloads: list[bytes], at: int, head: bytes, last_head: bytes | None = None, /) -> bytes | None:
    """What stands behind `at` bytes in the first payload and behind `head` in the others; None if one lacks it."""

def cut_obus(elements: list[bytes], limit: int, /) -> list[bytes]:
    """OBUs without size fields cut into payloads of nearly equal size."""

def join_temporal_unit(payloads: list[bytes], prefix: bytes = b"", /) -> tuple[bytes, list[bytes]]:
    """A temporal unit in the low-overhead format, and the first bytes of its OBUs."""
