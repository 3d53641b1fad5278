"""The SRTP context: one direction, every SSRC.

A packet's way: header and length, index from the stream's window, refusal by window or key limit, cryptography, and
only then note of it. So nothing moves for a packet that is refused, and unauthenticated packets leave no trace.

Streams appear by themselves. What is kept of them is bounded by `max_ssrcs`: a receiver forgets the one unheard for
longest (only packets with a right tag count as heard, so a stranger cannot push anyone out), while a sender refuses
another one, because a stream forgotten and begun anew would use its key stream twice.

A context protects and unprotects; a session has two of them, one for each direction, as they have different keys.

Spec: RFC 3711 sections 3.1 to 3.4, 9.2; RFC 7714; RFC 6188; RFC 5764 section 4; RFC 6904; RFC 9335.
Left out: RFC 4567 and 4568 signalling (the `sdp` room's), EKT, TESLA, AES-f8, key derivation rates other than 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final, TypeVar

from ..errors import InvalidArgumentError, ParseError, TooManyStreams
from .counters import SrtpCounters
from .dtls import DtlsLike, split_keying_material
from .keyring import Keyring, MasterKey
from .profiles import CipherKind, Profile
from .refused import Refused
from .rtp_header import MAX_PACKET_BYTES, header_end
from .streams import ReceiveStream, SendStream
from .transforms import ENCRYPTED, Open, Seal
from .window import INDEX_LIMIT, RTCP_INDEX_LIMIT, ReplayWindow

_RTP: Final = Struct("!BxH4xI").unpack_from
_RTP_LONG: Final = Struct("!BxH4xI2xH").unpack_from
"""The same, and the length of a header extension if that follows at once (there are no CSRCs)."""
_RTCP: Final = Struct("!4xI").unpack_from
_WORD: Final = Struct("!I").unpack_from
_Window = TypeVar("_Window", bound=ReplayWindow)
_MAX_WINDOW: Final = 1 << 15
"""Beyond half of the sequence numbers the guess of an index is wrong anyway."""


def _no_stream(packet: bytes, head: int, index: int) -> bytes:
    """What a burst would call before its first stream: the loops never do."""
    raise AssertionError("no stream yet")


class SrtpContext:
    """Protects what is sent, or unprotects what is received, under one master key (or several, with identifiers).

    `replay_window` counts packets: 1024 is more than half a second of video at 10 Mbit/s, so that late retransmissions
    pass. `mki` puts this master key identifier into every packet. `cryptex` encrypts header extensions and CSRCs
    whole, `encrypted_extensions` those elements whose ids it names. `max_ssrcs` bounds the streams kept for each of
    sending, receiving, RTP and RTCP: 1024, as it takes a large conference that long to come to so many.
    `encrypt_rtcp=False` sends RTCP authenticated only. `allow_repeats` protects the same index again: safe for a
    packet that is the same to the last bit, and a leak of keys and plaintext for any other.

    Errors: `InvalidArgumentError`.
    Spec: RFC 3711 section 3.2.
    """

    __slots__ = (
        "_allow_repeats",
        "_heard",
        "_joining",
        "_keys",
        "_max_ssrcs",
        "_received",
        "_replay_window",
        "_rtcp_flag",
        "_rtcp_received",
        "_rtcp_sent",
        "_sent",
        "counters",
        "profile",
    )

    def __init__(
        self,
        profile: Profile,
        master_key: bytes,
        master_salt: bytes,
        *,
        replay_window: int = 1024,
        mki: bytes | None = None,
        cryptex: bool = False,
        encrypted_extensions: Iterable[int] = (),
        max_ssrcs: int = 1024,
        encrypt_rtcp: bool = True,
        allow_repeats: bool = False,
    ) -> None:
        if not 1 <= replay_window <= _MAX_WINDOW:
            raise InvalidArgumentError(f"replay_window must be 1 to {_MAX_WINDOW} packets, got {replay_window}")
        if max_ssrcs < 1:
            raise InvalidArgumentError(f"max_ssrcs must be at least 1, got {max_ssrcs}")
        if mki is not None and not mki:
            raise InvalidArgumentError("a master key identifier has at least one byte; None leaves it out")
        ids = frozenset(encrypted_extensions)
        if not all(1 <= number <= 255 for number in ids):
            raise InvalidArgumentError(f"header extension ids are 1 to 255, got {sorted(ids)}")
        self.profile = Profile(profile)
        self.counters = SrtpCounters()
        self._keys = Keyring(
            self.profile, master_key, master_salt, mki or b"", cryptex=cryptex, encrypted_extensions=ids
        )
        self._replay_window = replay_window
        self._max_ssrcs = max_ssrcs
        encrypts = encrypt_rtcp and self.profile.parameters.cipher is not CipherKind.NULL
        self._rtcp_flag = ENCRYPTED if encrypts else 0
        self._allow_repeats = allow_repeats
        self._sent: dict[int, SendStream] = {}
        self._received: OrderedDict[int, ReceiveStream] = OrderedDict()
        self._heard = -1
        """The SSRC of the latest packet received, which is the last of `_received`."""
        self._rtcp_sent: dict[int, int] = {}
        self._rtcp_received: OrderedDict[int, ReplayWindow] = OrderedDict()
        self._joining: dict[int, int] = {}
        """Rollover counters told from outside, until the stream's next packet."""

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
    ) -> tuple[SrtpContext, SrtpContext]:
        """The contexts of a connected DTLS endpoint: outbound, inbound.

        Errors: `InvalidStateError` if the endpoint is not connected, or has not agreed on a profile.
        Spec: RFC 5764 section 4.2.
        """
        ids = tuple(encrypted_extensions)
        profile, ours, theirs = split_keying_material(endpoint)
        outbound, inbound = (
            cls(
                profile,
                *pair,
                replay_window=replay_window,
                cryptex=cryptex,
                encrypted_extensions=ids,
                max_ssrcs=max_ssrcs,
                encrypt_rtcp=encrypt_rtcp,
                allow_repeats=allow_repeats,
            )
            for pair in (ours, theirs)
        )
        return outbound, inbound

    # --- keys -------------------------------------------------------------------------------------------------------

    def add_key(self, master_key: bytes, master_salt: bytes, *, mki: bytes) -> None:
        """Adds a master key: packets that carry `mki` are opened with it. Indices and windows go on as they are.

        Errors: `InvalidAccessError` if the context was made without an identifier; `InvalidArgumentError`.
        Spec: RFC 3711 section 8.1.
        """
        self._keys.add(master_key, master_salt, mki)

    def use_key(self, mki: bytes) -> None:
        """Protects with this key from the next packet on. Errors: `InvalidAccessError` if there is none."""
        self._keys.use(mki)
        for ssrc, stream in self._sent.items():
            stream.seal = self._keys.current.rtp.sealer(ssrc)

    def remove_key(self, mki: bytes) -> None:
        """Forgets a key. Errors: `InvalidAccessError` if there is none, `InvalidArgumentError` if it is in use."""
        self._keys.remove(mki)

    # --- streams ----------------------------------------------------------------------------------------------------

    def rollover_counter(self, ssrc: int) -> int | None:
        """How often the sequence number of `ssrc` has wrapped, None for a stream that is not known."""
        if ssrc in self._joining:
            return self._joining[ssrc]
        window = self._sent.get(ssrc) or self._received.get(ssrc)
        return None if window is None else window.top >> 16

    def set_rollover_counter(self, ssrc: int, roc: int) -> None:
        """Says which rollover counter the next packet of `ssrc` has, for those who join late.

        What was seen stays seen: a counter that leads back makes packets replays, nothing else.

        Errors: `InvalidArgumentError`; `TooManyStreams` if more than `max_ssrcs` are waiting for their packet.
        Spec: RFC 3711 section 3.3.1.
        """
        if not 0 <= roc < 1 << 32 or not 0 <= ssrc < 1 << 32:
            raise InvalidArgumentError(f"rollover counters and SSRCs are 32 bits wide, got {roc} for {ssrc}")
        if len(self._joining) >= self._max_ssrcs and ssrc not in self._joining:
            raise TooManyStreams(f"{self._max_ssrcs} streams are expected already; raise max_ssrcs")
        self._joining[ssrc] = roc

    def rtcp_index(self, ssrc: int) -> int:
        """The index that the next RTCP packet sent by `ssrc` takes."""
        return self._rtcp_sent.get(ssrc, 0)

    def set_rtcp_index(self, ssrc: int, index: int) -> None:
        """Skips SRTCP indices; libsrtp, for one, begins with 1.

        Errors: `InvalidArgumentError` for an index that is too large or was used; `TooManyStreams`.
        """
        if not 0 <= ssrc < 1 << 32:
            raise InvalidArgumentError(f"SSRCs are 32 bits wide, got {ssrc}")
        if not self.rtcp_index(ssrc) <= index < RTCP_INDEX_LIMIT:
            raise InvalidArgumentError(f"the next SRTCP index of this stream is {self.rtcp_index(ssrc)}, got {index}")
        if len(self._rtcp_sent) >= self._max_ssrcs and ssrc not in self._rtcp_sent:
            raise self._too_many()
        self._rtcp_sent[ssrc] = index

    def _too_many(self) -> TooManyStreams:
        return TooManyStreams(f"{self._max_ssrcs} streams were sent under this key; raise max_ssrcs or make new keys")

    def _admit_receiver(self, table: OrderedDict[int, _Window], ssrc: int, window: _Window) -> None:
        if len(table) >= self._max_ssrcs:
            table.popitem(last=False)
            self.counters.ssrcs_evicted += 1
        table[ssrc] = window

    # --- RTP out ----------------------------------------------------------------------------------------------------

    def protect(self, rtp: bytes) -> bytes:
        """The SRTP packet for an RTP packet.

        Errors: `ParseError`, `ReplayDetected` (its index was used), `KeyLimitReached`, `TooManyStreams`; nothing has
        changed then.
        Spec: RFC 3711 section 3.3.
        """
        size = len(rtp)
        if not 12 <= size <= MAX_PACKET_BYTES:
            raise Refused.MALFORMED.error()
        first, sequence, ssrc = _RTP(rtp)
        head = 12 if first & 0xDF == 0x80 else header_end(rtp, size)
        if head > size:
            raise Refused.MALFORMED.error()
        window = self._sent.get(ssrc)
        joining = self._joining
        if window is not None and window.top & 0xFFFF == sequence - 1 and not joining:
            index = window.top + 1
            sealed = window.seal(rtp, head, index)
            window.top = index
            self.counters.rtp_protected += 1
            return sealed
        if window is None:
            if len(self._sent) >= self._max_ssrcs:
                raise self._too_many()
            window = SendStream(self._replay_window, self._keys.current.rtp.sealer(ssrc))
        index = joining[ssrc] << 16 | sequence if ssrc in joining else window.guess(sequence)
        refusal = window.refusal(index, INDEX_LIMIT)
        if refusal is not None and not (refusal is Refused.REPLAYED and self._allow_repeats):
            raise refusal.error()
        sealed = window.seal(rtp, head, index)
        window.accept(index)
        self._sent[ssrc] = window
        joining.pop(ssrc, None)
        self.counters.rtp_protected += 1
        return sealed

    def protect_many(self, packets: Sequence[bytes]) -> list[bytes]:
        """The same for a burst, all or nothing: if one packet raises, none was protected.

        Errors: as `protect`.
        Cost: packets of a stream that follow each other take the short way of this loop, everything else `protect`.
        """
        sealed: list[bytes] = []
        append = sealed.append
        windows = self._sent
        streams, joining, counted = len(windows), self._joining.copy(), self.counters.rtp_protected
        undo: list[tuple[SendStream, tuple[int, int, int]]] = []
        window: SendStream | None = None
        seal: Seal = _no_stream
        latest = expected = index = -1
        try:
            for packet in packets:
                size = len(packet)
                if 16 <= size <= MAX_PACKET_BYTES:
                    first, sequence, ssrc, words = _RTP_LONG(packet)
                    if sequence == expected and ssrc == latest:
                        kind = first & 0xDF  # whatever the padding bit is
                        head = 12 if kind == 0x80 else 16 + 4 * words if kind == 0x90 else header_end(packet, size)
                        if head <= size:
                            append(seal(packet, head, index + 1))
                            index += 1
                            # 65536 at a rollover, which no packet has: the long way looks at the key limit.
                            expected = (index & 0xFFFF) + 1
                            continue
                if window is not None:
                    window.top = index
                ssrc = int.from_bytes(packet[8:12], "big")
                window = windows.get(ssrc)
                if window is not None:
                    undo.append((window, window.state))
                append(self.protect(packet))
                window = windows[ssrc]
                latest, index, seal = ssrc, window.top, window.seal
                expected = (index & 0xFFFF) + 1
        except BaseException:
            for window, state in reversed(undo):
                window.restore(state)
            while len(windows) > streams:
                windows.popitem()
            self._joining.update(joining)
            self.counters.rtp_protected = counted
            raise
        if window is not None:
            window.top = index
        self.counters.rtp_protected = counted + len(sealed)
        return sealed

    # --- RTP in -----------------------------------------------------------------------------------------------------

    def unprotect(self, srtp: bytes) -> bytes:
        """The RTP packet of an SRTP packet.

        Errors: `ParseError`, `AuthenticationFailed`, `ReplayDetected`, `KeyLimitReached`; nothing has changed then.
        Spec: RFC 3711 section 3.3.
        """
        opened = self._open(srtp)
        if isinstance(opened, Refused):
            raise self._refuse(opened).error()
        self.counters.rtp_unprotected += 1
        return opened

    def unprotect_many(self, packets: Sequence[bytes]) -> list[bytes | Refused]:
        """The same for a burst: in place of a packet that is refused stands the reason, and `counters.drops` has it.

        Errors: none.
        Cost: packets of a stream that follow each other take the short way of this loop, everything else `_open`.
        """
        opened: list[bytes | Refused] = []
        append = opened.append
        keys = self._keys
        trailer, identified = keys.rtp_trailer, keys.mki_bytes > 0
        where = slice(-keys.rtp_mki[0], -keys.rtp_mki[1] or None)
        mki = b""  # that of the key which `open_` has
        windows = self._received
        window: ReceiveStream | None = None
        open_: Open = _no_stream
        latest = expected = index = -1
        good = 0
        for packet in packets:
            end = len(packet) - trailer
            if 12 <= end <= MAX_PACKET_BYTES:
                first, sequence, ssrc, words = _RTP_LONG(packet)  # the trailer makes every packet long enough
                if sequence == expected and ssrc == latest and (not identified or packet[where] == mki):
                    kind = first & 0xDF
                    head = 12 if kind == 0x80 else 16 + 4 * words if kind == 0x90 else header_end(packet, end)
                    if head <= end:
                        try:
                            plain = open_(packet, head, index + 1)
                        except ParseError:  # authentic, but its header extension cannot be read
                            append(self._refuse(Refused.MALFORMED))
                            continue
                        if plain is None:
                            append(self._refuse(Refused.BAD_TAG))
                            continue
                        index += 1
                        expected = (index & 0xFFFF) + 1
                        append(plain)
                        good += 1
                        continue
                if window is not None:
                    window.top = index
            result = self._open(packet)
            append(result)
            if isinstance(result, Refused):
                self._refuse(result)
                continue
            good += 1
            window, mki = windows[ssrc], packet[where]
            latest, index, open_ = ssrc, window.top, window.open
            expected = (index & 0xFFFF) + 1
        if window is not None:
            window.top = index
        self.counters.rtp_unprotected += good
        return opened

    def _open(self, packet: bytes) -> bytes | Refused:
        """Unprotects one packet, wherever its sequence number lies."""
        keys = self._keys
        size = len(packet)
        end = size - keys.rtp_trailer
        if not 12 <= end <= MAX_PACKET_BYTES:
            return Refused.MALFORMED
        first, sequence, ssrc = _RTP(packet)
        head = 12 if first & 0xDF == 0x80 else header_end(packet, end)
        if head > end:
            return Refused.MALFORMED
        key: MasterKey | None = keys.current
        if keys.mki_bytes:
            mki_first, mki_end = keys.rtp_mki
            key = keys.keys.get(packet[size - mki_first : size - mki_end])
        if key is None:
            return Refused.UNKNOWN_KEY
        windows = self._received
        joining = self._joining
        window = windows.get(ssrc)
        in_order = window is not None and window.top & 0xFFFF == sequence - 1 and not joining
        if window is not None and window.key is key:
            open_ = window.open
        else:
            open_ = key.rtp.opener(ssrc)
            window = window or ReceiveStream(self._replay_window, key, open_)
        if in_order:
            index = window.top + 1
        else:
            index = joining[ssrc] << 16 | sequence if ssrc in joining else window.guess(sequence)
            refusal = window.refusal(index, INDEX_LIMIT)
            if refusal is not None:
                return refusal
        try:
            plain = open_(packet, head, index)
        except ParseError:  # authentic, but its header extension cannot be read
            return Refused.MALFORMED
        if plain is None:
            return Refused.BAD_TAG
        if in_order:
            window.top = index
        else:
            window.accept(index)
            joining.pop(ssrc, None)
        if open_ is not window.open:
            window.key, window.open = key, open_
        if ssrc != self._heard:
            self._heard = ssrc
            if ssrc in windows:
                windows.move_to_end(ssrc)
            else:
                self._admit_receiver(windows, ssrc, window)
        return plain

    def _refuse(self, reason: Refused) -> Refused:
        self.counters.drops.add(reason.value)
        return reason

    # --- RTCP out ---------------------------------------------------------------------------------------------------

    def protect_rtcp(self, rtcp: bytes) -> bytes:
        """The SRTCP packet for a (compound) RTCP packet, under the SSRC of its first header.

        Errors: `ParseError`, `KeyLimitReached`, `TooManyStreams`; nothing has changed then.
        Spec: RFC 3711 section 3.4.
        """
        (sealed,) = self.protect_rtcp_many((rtcp,))
        return sealed

    def protect_rtcp_many(self, packets: Sequence[bytes]) -> list[bytes]:
        """The same for a burst, all or nothing. Errors: as `protect_rtcp`."""
        sealed: list[bytes] = []
        seal = self._keys.current.rtcp.seal_rtcp
        taken: dict[int, int] = {}
        for packet in packets:
            if not 8 <= len(packet) <= MAX_PACKET_BYTES or packet[0] & 0xC0 != 0x80:
                raise Refused.MALFORMED.error()
            (ssrc,) = _RTCP(packet)
            index = taken[ssrc] if ssrc in taken else self._rtcp_sent.get(ssrc, 0)
            if index >= RTCP_INDEX_LIMIT:
                raise Refused.KEY_LIMIT.error()
            sealed.append(seal(packet, ssrc, index | self._rtcp_flag))
            taken[ssrc] = index + 1
        if len(self._rtcp_sent.keys() | taken.keys()) > self._max_ssrcs:
            raise self._too_many()
        self._rtcp_sent.update(taken)
        self.counters.rtcp_protected += len(sealed)
        return sealed

    # --- RTCP in ----------------------------------------------------------------------------------------------------

    def unprotect_rtcp(self, srtcp: bytes) -> bytes:
        """The RTCP packet of an SRTCP packet, encrypted or only authenticated.

        Errors: `ParseError`, `AuthenticationFailed`, `ReplayDetected`; nothing has changed then.
        Spec: RFC 3711 section 3.4.
        """
        (opened,) = self.unprotect_rtcp_many((srtcp,))
        if isinstance(opened, Refused):
            raise opened.error()
        return opened

    def unprotect_rtcp_many(self, packets: Sequence[bytes]) -> list[bytes | Refused]:
        """The same for a burst: in place of a packet that is refused stands the reason. Errors: none."""
        opened = [self._open_rtcp(packet) for packet in packets]
        for packet in opened:
            if isinstance(packet, Refused):
                self._refuse(packet)
            else:
                self.counters.rtcp_unprotected += 1
        return opened

    def _open_rtcp(self, packet: bytes) -> bytes | Refused:
        keys = self._keys
        size = len(packet)
        if not keys.rtcp_overhead + 8 <= size <= keys.rtcp_overhead + MAX_PACKET_BYTES or packet[0] & 0xC0 != 0x80:
            return Refused.MALFORMED
        mki_first, mki_end = keys.rtcp_mki
        key: MasterKey | None
        if mki_first != mki_end:
            key = keys.keys.get(packet[size - mki_first : size - mki_end])
            if key is None:
                return Refused.UNKNOWN_KEY
        else:
            key = keys.current
        (ssrc,) = _RTCP(packet)
        (word,) = _WORD(packet, size - mki_first - 4)
        index = word & ENCRYPTED - 1
        window = self._rtcp_received.get(ssrc) or ReplayWindow(self._replay_window)
        refusal = window.refusal(index, RTCP_INDEX_LIMIT)
        if refusal is not None:
            return refusal
        plain = key.rtcp.open_rtcp(packet, ssrc, word)
        if plain is None:
            return Refused.BAD_TAG
        window.accept(index)
        if ssrc in self._rtcp_received:
            self._rtcp_received.move_to_end(ssrc)
        else:
            self._admit_receiver(self._rtcp_received, ssrc, window)
        return plain
