"""What a context keeps of a stream: its replay window, and the cryptography already set up for its SSRC."""

from __future__ import annotations

from .keyring import MasterKey
from .transforms import Open, Seal
from .window import ReplayWindow


class SendStream(ReplayWindow):
    __slots__ = ("seal",)

    def __init__(self, size: int, seal: Seal) -> None:
        super().__init__(size)
        self.seal = seal


class ReceiveStream(ReplayWindow):
    """`open` belongs to `key`, the one that the stream's latest packet named."""

    __slots__ = ("key", "open")

    def __init__(self, size: int, key: MasterKey, open_: Open) -> None:
        super().__init__(size)
        self.key = key
        self.open = open_
