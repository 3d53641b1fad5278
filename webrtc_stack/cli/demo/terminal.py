"""The live terminal: every connection with its pairs, DTLS, SCTP and rates, drawn by rich."""

from __future__ import annotations

import time
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...peer import PeerSnapshot
from ...sdp import Direction
from .. import wording
from . import files, panel
from .keyboard import LineEditor
from .studio import SILENCE_DB
from .visitor import Demo, Link, Visitor

_STATE_STYLES: Final = {
    "connected": "bold green",
    "completed": "bold green",
    "established": "bold green",
    "succeeded": "green",
    "open": "bold green",
    "failed": "bold red",
    "disconnected": "bold yellow",
    "closed": "dim",
    "connecting": "yellow",
    "in-progress": "yellow",
}
PAIR_ROWS: Final = 6
TRANSFER_ROWS: Final = 4
LOG_ROWS: Final = 8


class Screen:
    """A rich renderable of the whole demo; each drawing looks anew."""

    def __init__(self, demo: Demo, url: str, editor: LineEditor | None) -> None:
        self._demo = demo
        self._url = url
        self._editor = editor

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._head()
        visitors = [visitor for visitor in self._demo.visitors.values() if visitor.link is not None]
        shown = visitors[-max(1, (options.max_height - 14) // 14) :]
        if not visitors:
            yield Panel(Text("Nobody is here yet. Open the address above in a browser."), border_style="dim")
        if len(shown) < len(visitors):
            yield Text(f"{len(visitors) - len(shown)} more connections do not fit on this screen", style="dim")
        for visitor in shown:
            yield self._connection(visitor)
        yield self._log()
        if self._editor is not None:
            yield Text.assemble(("say to everybody > ", "bold cyan"), self._editor.text, ("▏", "blink"))

    def _head(self) -> Text:
        up = wording.duration(time.monotonic() - self._demo.started)
        return Text.assemble(
            ("webrtc-stack demo", "bold"),
            "   ",
            (self._url, "bold underline cyan"),
            (f"   up {up}   files go to {self._demo.downloads}   Ctrl-C ends it", "dim"),
        )

    def _connection(self, visitor: Visitor) -> Panel:
        link = visitor.link
        assert link is not None
        snapshot = link.snapshot()
        parts: list[Table | Text] = [_facts(snapshot, link)]
        if snapshot.ice.pairs:
            parts.append(_pairs(snapshot))
        if link.transfers:
            parts.append(_transfers(list(link.transfers)[-TRANSFER_ROWS:]))
        age = wording.duration(time.monotonic() - link.started)
        title = Text.assemble(
            ("visitor ", "dim"), (visitor.name, "bold"), " ", _state(snapshot.connection_state), (f" {age}", "dim")
        )
        return Panel(Group(*parts), title=title, title_align="left", border_style="blue", box=box.ROUNDED)

    def _log(self) -> Text:
        text = Text()
        for who, line in list(self._demo.log)[-LOG_ROWS:]:
            text.append(f"{who:>3} ", style="bold magenta")
            text.append(f"{line}\n")
        return text


def _state(state: str) -> Text:
    return Text(state, style=_STATE_STYLES.get(state, "white"))


def _facts(snapshot: PeerSnapshot, link: Link) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    ice, dtls, sctp = snapshot.ice, snapshot.dtls, snapshot.sctp
    chosen = ice.selected_pair
    role = "controlling" if ice.controlling else "controlled"
    where = "no pair selected yet"
    if chosen is not None:
        where = (
            f"{panel.address(chosen.local)} {chosen.local.type.value}  ↔  "
            f"{panel.address(chosen.remote)} {chosen.remote.type.value}   {wording.duration(chosen.rtt)}"
        )
    table.add_row("ICE", Text.assemble(_state(ice.state), f"  {role}, gathering {ice.gathering_state}   {where}"))
    secured = f"  {dtls.version}  {dtls.cipher_suite}  as {dtls.role}" if dtls.version else ""
    table.add_row("DTLS", Text.assemble(_state(dtls.state), secured))
    if sctp is not None:
        table.add_row(
            "SCTP",
            Text.assemble(
                _state(sctp.state),
                f"  window {wording.size(sctp.cwnd)}, in flight {wording.size(sctp.flight_bytes)}, "
                f"round trip {wording.duration(sctp.srtt)}",
            ),
        )
    counters = snapshot.transport
    table.add_row(
        "Rates",
        Text.assemble(
            ("↑ ", "green"),
            f"{wording.rate(link.rates.sent):<14}",
            (" ↓ ", "cyan"),
            f"{wording.rate(link.rates.received):<14}",
            (f"  {wording.size(counters.bytes_sent)} out, {wording.size(counters.bytes_received)} in", "dim"),
        ),
    )
    table.add_row("Call", _call(link))
    names = ", ".join(f"{channel.label} #{channel.id}" for channel in snapshot.channels if channel.state == "open")
    table.add_row("Channels", names or "none open")
    return table


def _call(link: Link) -> str:
    """The lines that carry something, and what is seen and heard of them."""
    call = link.call
    flowing = [name for name, line in call.lines.items() if line.current_direction not in (None, Direction.INACTIVE)]
    words = [", ".join(flowing) or "nothing flows"]
    if call.picture is not None:
        words.append(f"frame {call.picture.frames_written:,} drawn")
    if link.report is not None:
        streams = link.report.of_type("inbound-rtp")
        frames, lost = (sum(getattr(one, name) or 0 for one in streams) for name in ("frames_received", "packets_lost"))
        words.append(f"{frames:,} frames in, {lost:,} packets lost")
    if call.parrot is not None and call.parrot.level > SILENCE_DB:
        words.append(f"hears {call.parrot.level:.0f} dB")
    if call.music is not None and call.music.playing != "off":
        words.append(f"plays a {call.music.playing}")
    if call.loss.sending:
        words.append(f"loses {call.loss.sending:.0%} on purpose")
    return "   ".join(words)


def _pairs(snapshot: PeerSnapshot) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", padding=(0, 1))
    for name in ("", "local", "remote", "state", "rtt"):
        table.add_column(name, overflow="fold")
    pairs = panel.ordered_pairs(snapshot)
    for pair in pairs[:PAIR_ROWS]:
        table.add_row(
            Text("●" if pair.selected else "", style="green"),
            f"{panel.address(pair.local)} {pair.local.type.value}",
            f"{panel.address(pair.remote)} {pair.remote.type.value}",
            _state(pair.state),
            wording.duration(pair.rtt),
        )
    if len(pairs) > PAIR_ROWS:
        table.add_row("", f"and {len(pairs) - PAIR_ROWS} more", "", "", "")
    return table


def _transfers(transfers: list[files.Transfer]) -> Table:
    table = Table.grid(padding=(0, 2))
    for transfer in transfers:
        done = transfer.state == "done"
        text = f"{wording.size(transfer.moved)} of {wording.size(transfer.size)}  {wording.rate(transfer.rate)}"
        if transfer.state == "failed":
            text = transfer.detail
        elif done:
            text += f"  SHA-256 {transfer.detail[:12]}…"
        table.add_row(
            Text("↑" if transfer.outgoing else "↓", style="green" if transfer.outgoing else "cyan"),
            Text(wording.printable(transfer.name, 32)),
            ProgressBar(
                total=max(1, transfer.size),
                completed=transfer.moved if transfer.size else 1,
                width=24,
                complete_style="cyan",
                finished_style="green",
            ),
            Text(wording.printable(text), style="red" if transfer.state == "failed" else "green" if done else ""),
        )
    return table
