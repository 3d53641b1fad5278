"""The files behind `--trace`, `--pcap` and `--keylog`."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ...trace import NO_TRACE, JsonLinesSink, KeyLog, PacketLog, Trace
from ..failures import CommandError


class Taps:
    """Opens what was asked for and closes it in the end. Files with keys or plaintext are for their owner only."""

    def __init__(self, *, trace: Path | None = None, pcap: Path | None = None, keylog: Path | None = None) -> None:
        self._files = ExitStack()
        self.paths = {"trace": trace, "packets": pcap, "keys": keylog}
        self.trace = NO_TRACE
        self.packet_log: PacketLog | None = None
        self.key_log: KeyLog | None = None
        try:
            if trace is not None:
                self.trace = Trace(JsonLinesSink(self._files.enter_context(trace.open("w", encoding="utf-8"))))
            if pcap is not None:
                file = self._files.enter_context(os.fdopen(_create_private(pcap), "wb"))
                self.packet_log = PacketLog(file, wall_epoch=time.time() - time.monotonic())
            if keylog is not None:
                text = self._files.enter_context(os.fdopen(_create_private(keylog), "w"))
                self.key_log = KeyLog(text, packet_log=self.packet_log)
        except OSError as error:
            self._files.close()
            raise CommandError(f"cannot write {error.filename}: {error.strerror}") from None

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        return cls(trace=options.trace, pcap=options.pcap, keylog=options.keylog)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()


def _create_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
