"""The functions that cut frames and put them together, as they run: Python's, or their twins in C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hot import twin
from .nal import split_annex_b
from .nal_payloads import join_annex_b, pack_annex_b
from .obu_payloads import cut_obus, join_temporal_unit
from .packet_run import PacketRun
from .split import join_behind, split_evenly

if not TYPE_CHECKING:
    split_annex_b = twin("split_annex_b", split_annex_b, parts=(split_annex_b,))
    split_evenly = twin("split_evenly", split_evenly, parts=(split_evenly,))
    join_behind = twin("join_behind", join_behind, parts=(join_behind,))
    pack_annex_b = twin("pack_annex_b", pack_annex_b, parts=(pack_annex_b,))
    join_annex_b = twin("join_annex_b", join_annex_b, parts=(join_annex_b,))
    cut_obus = twin("cut_obus", cut_obus, parts=(cut_obus,))
    join_temporal_unit = twin("join_temporal_unit", join_temporal_unit, parts=(join_temporal_unit,))
    PacketRun = twin("PacketRun", PacketRun)

__all__ = [
    "PacketRun",
    "cut_obus",
    "join_annex_b",
    "join_behind",
    "join_temporal_unit",
    "pack_annex_b",
    "split_annex_b",
    "split_evenly",
]
