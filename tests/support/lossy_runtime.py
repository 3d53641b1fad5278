"""Loss and delay on purpose: a runtime whose sockets drop datagrams, by seed, in either direction.

Only RTP is dropped, so that a test says what it repairs; everything else (ICE, DTLS, RTCP) gets through. What arrives
may be handed on later than it came, which makes a round trip that is long enough to be measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from webrtc_stack.base import Address
from webrtc_stack.io import LocalAddressLike, Outgoing, ReceivedLike, Runtime, UdpSocket


def is_rtp(data: bytes) -> bool:
    """RFC 7983 for the first byte, RFC 5761 section 4 for the second."""
    return len(data) >= 12 and 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


class LossyRuntime:
    """Wraps a runtime. `sending` and `receiving` are the parts of RTP packets that get lost, from 0 to 1; both may be
    changed at any time, and begin with nothing lost. `delay` is in seconds, for everything that arrives."""

    def __init__(self, inner: Runtime, seed: int) -> None:
        self._inner = inner
        self._random = random.Random(seed)
        self.sending = 0.0
        self.receiving = 0.0
        self.delay = 0.0
        self.lost_sending = 0
        self.lost_receiving = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> _LossySocket:
        def survivors(burst: Sequence[ReceivedLike]) -> None:
            kept = list(burst)
            if self.receiving:
                kept = [item for item in burst if not self.lose(item[1], self.receiving)]
                self.lost_receiving += len(burst) - len(kept)
            if kept and self.delay:
                self._inner.call_at(self._inner.time() + self.delay, lambda: on_burst(kept))
            elif kept:
                on_burst(kept)

        return _LossySocket(self, self._inner.open_udp(local, port=port, on_burst=survivors, on_writable=on_writable))

    def lose(self, data: bytes, part: float) -> bool:
        return is_rtp(data) and self._random.random() < part


class _LossySocket:
    def __init__(self, runtime: LossyRuntime, inner: UdpSocket) -> None:
        self._runtime = runtime
        self._inner = inner

    @property
    def address(self) -> Address:
        return self._inner.address

    @property
    def writable(self) -> bool:
        return self._inner.writable

    def send_burst(self, burst: Sequence[Outgoing]) -> None:
        if self._runtime.sending:
            kept = [item for item in burst if not self._runtime.lose(item[1], self._runtime.sending)]
            self._runtime.lost_sending += len(burst) - len(kept)
            burst = kept
        if burst:
            self._inner.send_burst(burst)

    def close(self) -> None:
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
