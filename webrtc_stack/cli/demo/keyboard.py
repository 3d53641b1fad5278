"""Lines typed in the terminal, while something else draws on it.

The live display redraws the screen, so the terminal must not echo by itself: it is put into character mode and a
small line editor keeps what was typed, for the display to show. Ctrl-C stays a signal.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

MAX_LINE: Final = 1000


class LineEditor:
    """What is being typed. Knows backspace, Ctrl-U (erase), Ctrl-W (erase a word); ignores other control characters."""

    def __init__(self) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._escape = ""

    def feed(self, data: bytes) -> list[str]:
        """Takes what was typed. Returns: the lines that were finished."""
        lines: list[str] = []
        for one in self._decoder.decode(data):
            if self._escape:
                self._escape += one
                if (len(self._escape) > 2 and one.isalpha()) or one == "~" or len(self._escape) > 8:
                    self._escape = ""  # an arrow or function key has ended
                elif len(self._escape) == 2 and one not in "[O":
                    self._escape = ""
            elif one == "\x1b":
                self._escape = one
            elif one in "\r\n":
                lines.append(self.text)
                self.text = ""
            elif one in "\x7f\b":
                self.text = self.text[:-1]
            elif one == "\x15":
                self.text = ""
            elif one == "\x17":
                self.text = self.text.rstrip().rpartition(" ")[0]
            elif one.isprintable() and len(self.text) < MAX_LINE:
                self.text += one
        return lines


class Keyboard:
    """Watches standard input of a terminal; a context manager that leaves the terminal as it was."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.editor = LineEditor()
        self._on_line = on_line
        self._saved: list[Any] | None = None
        self._watching = False

    @staticmethod
    def available() -> bool:
        """Whether there is somebody who could type."""
        try:
            return sys.stdin.isatty() and os.name == "posix"
        except ValueError:
            return False  # standard input is closed

    def __enter__(self) -> Self:
        import termios

        number = sys.stdin.fileno()
        self._saved = termios.tcgetattr(number)
        quiet = termios.tcgetattr(number)
        quiet[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(number, termios.TCSADRAIN, quiet)
        asyncio.get_running_loop().add_reader(number, self._readable)
        self._watching = True
        return self

    def _readable(self) -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            self._unwatch()
        for line in self.editor.feed(data):
            self._on_line(line)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios

        self._unwatch()
        if self._saved is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._saved)
