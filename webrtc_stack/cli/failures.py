"""How a command ends when it cannot do what was asked: one line in words and an exit code."""

from __future__ import annotations

from importlib.util import find_spec


class CommandError(Exception):
    """The reason why a command gives up, for people; `code` becomes the exit code."""

    def __init__(self, message: str, *, code: int = 1) -> None:
        self.code = code
        super().__init__(message)


def has(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def need(*packages: str, extra: str) -> None:
    """Says what to install when one of `packages` is missing. Errors: `CommandError`."""
    missing = [package for package in packages if not has(package)]
    if missing:
        what = " and ".join(missing)
        raise CommandError(
            f"this needs {what}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            f"get {'it' if len(missing) == 1 else 'them'} with: pip install 'webrtc-stack[{extra}]'",
            code=3,
        )
