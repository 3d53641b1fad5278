"""The functions that cut frames, as they run: `nal.split_annex_b` and `split.split_evenly`, or their twins in C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hot import twin
from .nal import split_annex_b
from .split import split_evenly

if not TYPE_CHECKING:
    split_annex_b = twin("split_annex_b", split_annex_b, parts=(split_annex_b,))
    split_evenly = twin("split_evenly", split_evenly, parts=(split_evenly,))

__all__ = ["split_annex_b", "split_evenly"]
