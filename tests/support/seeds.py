"""The seeds of a campaign: two hundred numbers that change with every commit, and are printed.

A campaign visits new ground with each commit and still repeats exactly: `WEBRTC_STACK_SEED=<base> pytest ...` runs the
same numbers again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

VARIABLE = "WEBRTC_STACK_SEED"
DEFAULT_COUNT = 200
_WITHOUT_GIT = 20_260_101
_ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def base() -> int:
    """The first seed: from the environment, else from the commit, else a constant."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return int(given)
    try:
        commit = subprocess.run(
            ["git", "-C", str(_ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return _WITHOUT_GIT
    # Multiples of a thousand: the campaigns of two commits do not overlap, and a seed tells its campaign.
    return int.from_bytes(hashlib.sha256(commit.encode()).digest()[:4], "big") * 1000


def campaign(count: int = DEFAULT_COUNT) -> list[int]:
    """`count` consecutive seeds from `base()`."""
    return [base() + number for number in range(count)]


def pin() -> None:
    """Writes the base into the environment, so that child processes use the same one."""
    os.environ[VARIABLE] = str(base())


def describe() -> str:
    """What to print so that the run can be repeated."""
    return f"{base()}..{base() + DEFAULT_COUNT - 1} (repeat with {VARIABLE}={base()})"
