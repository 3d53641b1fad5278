#!/usr/bin/env python3
"""Fuzzes every parser and machine: kept inputs first, then a fixed count of seeded mutations a target.

    python fuzz/run.py                        all targets, the counts of CI
    python fuzz/run.py --count 1000000 sctp   more for the targets whose names contain "sctp"
    python fuzz/run.py --seed 7               other mutations
    python fuzz/run.py --atheris TARGET       coverage-guided, until stopped (extra `fuzz`)

Counts bound a run, never time, so that it says the same on every machine. Each target runs in a process of its own:
a crash of the interpreter or an endless loop is pinned on the input that made it. What is found goes into
`corpus/<target>/` and is replayed from then on.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import faulthandler
import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
DEFAULT_COUNT = 3000
"""Mutations a target; a target whose single run is costly (a whole handshake) says less by its own `COUNT`."""
HANG_SECONDS = 120
"""For one batch of inputs: far beyond any honest one, so only an endless loop meets it."""
_BATCH = 50
_MAX_BYTES = 1 << 16

_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 129, 252, 253, 254, 255)
_WIDE_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


# --- targets ----------------------------------------------------------------------------------------------------------


def target_names() -> list[str]:
    return sorted(path.stem for path in (HERE / "targets").glob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> ModuleType:
    """Imports `targets/<name>.py`, which has `SEEDS`, `fuzz_one` and perhaps `COUNT`."""
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", HERE / "targets" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def corpus_of(name: str) -> list[bytes]:
    """Kept inputs, in the order of their file names."""
    folder = CORPUS / name
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []


def keep(name: str, data: bytes) -> Path:
    """Stores an input that was a finding. Returns: where."""
    path = CORPUS / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- mutations --------------------------------------------------------------------------------------------------------


class Mutator:
    """Makes new inputs from old ones; the same ones for the same seed."""

    def __init__(self, seeds: list[bytes], seed: str) -> None:
        self._seeds = [data for data in seeds if data] or [b"\0"]
        self._random = random.Random(seed)
        self._kinds: tuple[Callable[[bytearray], None], ...] = (
            self._flip_bit,
            self._set_byte,
            self._set_number,
            self._nudge,
            self._insert,
            self._delete,
            self._repeat,
            self._swap,
            self._truncate,
            self._splice,
        )

    def next(self) -> bytes:
        chance = self._random
        if chance.random() < 0.02:
            return chance.randbytes(chance.randrange(200))
        data = bytearray(chance.choice(self._seeds))
        for _ in range(1 << chance.randrange(4)):
            chance.choice(self._kinds)(data)
        return bytes(data[:_MAX_BYTES])

    def _at(self, data: bytearray) -> int:
        return self._random.randrange(len(data)) if data else 0

    def _span(self, data: bytearray) -> tuple[int, int]:
        start = self._at(data)
        return start, min(len(data), start + 1 + self._random.randrange(32))

    def _flip_bit(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] ^= 1 << self._random.randrange(8)

    def _set_byte(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] = self._random.choice((self._random.randrange(256), self._random.choice(_NUMBERS)))

    def _set_number(self, data: bytearray) -> None:
        size = self._random.choice((2, 2, 4))
        if len(data) >= size:
            at = self._random.randrange(len(data) - size + 1)
            value = self._random.choice((*_WIDE_NUMBERS, len(data), len(data) - at))
            data[at : at + size] = value.to_bytes(size, "big")

    def _nudge(self, data: bytearray) -> None:
        if data:
            at = self._at(data)
            data[at] = (data[at] + self._random.choice((-4, -2, -1, 1, 2, 4))) & 0xFF

    def _insert(self, data: bytearray) -> None:
        at = self._random.randrange(len(data) + 1)
        data[at:at] = self._random.randbytes(1 + self._random.randrange(16))

    def _delete(self, data: bytearray) -> None:
        start, end = self._span(data)
        del data[start:end]

    def _repeat(self, data: bytearray) -> None:
        start, end = self._span(data)
        data[end:end] = data[start:end] * self._random.choice((1, 1, 2, 50))

    def _swap(self, data: bytearray) -> None:
        (a, b), (c, d) = self._span(data), self._span(data)
        if b <= c:
            data[a:d] = data[c:d] + data[b:c] + data[a:b]

    def _truncate(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self._seeds)
        data[self._at(data) :] = other[self._random.randrange(len(other)) :]


# --- one target, in a process of its own ------------------------------------------------------------------------------


def run_child(name: str, count: int | None, seed: str, current: Path) -> int:
    """Runs one target. The input under test is always in the file `current`, for whoever survives this process."""
    module = load(name)
    fuzz_one: Callable[[bytes], None] = module.fuzz_one
    seeds: list[bytes] = [*module.SEEDS, *corpus_of(name)]
    mutator = Mutator(seeds, f"{name} {seed}")
    wanted = count if count is not None else int(getattr(module, "COUNT", DEFAULT_COUNT))
    with current.open("wb", buffering=0) as file:

        def one(data: bytes) -> bool:
            file.seek(0)
            file.write(data)
            file.truncate()
            try:
                fuzz_one(data)
            except Exception:
                traceback.print_exc()
                return False
            return True

        for index in range(len(seeds) + wanted):
            if index % _BATCH == 0:
                faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            if not one(seeds[index] if index < len(seeds) else mutator.next()):
                return 1
    faulthandler.cancel_dump_traceback_later()
    print(f"{len(seeds)} kept inputs and {wanted} mutations")
    return 0


class Outcome(NamedTuple):
    name: str
    passed: bool
    text: str


def run_parent(name: str, count: int | None, seed: str) -> Outcome:
    """Runs one target in a child process and explains how it ended."""
    with tempfile.TemporaryDirectory(prefix="webrtc_stack-fuzz-") as folder:
        current = Path(folder) / "input"
        command = [sys.executable, str(Path(__file__).resolve()), "--child", name, "--seed", seed]
        command += ["--current", str(current)] + (["--count", str(count)] if count is not None else [])
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
        if done.returncode == 0:
            return Outcome(name, True, done.stdout.strip())
        text = done.stdout + done.stderr[-6000:]
        if not current.exists():
            return Outcome(name, False, f"the target cannot be loaded\n{text}")
        data = current.read_bytes()
        if "Timeout (" in done.stderr:
            text = f"hangs: one batch of inputs took more than {HANG_SECONDS} s\n{text}"
        elif done.returncode < 0:
            text = f"the interpreter died of signal {-done.returncode}\n{text}"
        return Outcome(name, False, f"{text}\ninput, {len(data)} bytes: {data.hex()}\nkept as {keep(name, data)}")


def run_atheris(name: str, arguments: list[str]) -> int:
    """Coverage-guided, on libFuzzer; runs until stopped, or as its own arguments (`-runs=`) say."""
    try:
        import atheris  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        print("atheris is not installed; it comes with the extra: pip install -e '.[fuzz]'")
        return 2
    with atheris.instrument_imports(include=["webrtc_stack"]):
        module = load(name)
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="webrtc_stack-fuzz-") as fresh:
        for number, data in enumerate(module.SEEDS):
            (Path(fresh) / f"seed-{number}").write_bytes(data)
        # New finds of coverage go to the first folder, crashes to the corpus that is kept.
        atheris.Setup([sys.argv[0], f"-artifact_prefix={folder}/", *arguments, fresh, str(folder)], module.fuzz_one)
        atheris.Fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only targets whose name contains one of these")
    parser.add_argument("--count", type=int, help=f"mutations a target (default: its COUNT, else {DEFAULT_COUNT})")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--atheris", metavar="TARGET", help="coverage-guided; further arguments go to libFuzzer")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--current", type=Path, help=argparse.SUPPRESS)
    options, unknown = parser.parse_known_args()
    sys.path.insert(0, str(HERE.parent))
    if options.child:
        return run_child(options.child, options.count, options.seed, options.current)
    if options.atheris:
        return run_atheris(options.atheris, [*options.names, *unknown])
    if unknown:
        parser.error(f"unknown arguments: {' '.join(unknown)}")
    names = [name for name in target_names() if not options.names or any(part in name for part in options.names)]
    if not names:
        print("no such fuzz target")
        return 2
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(lambda name: run_parent(name, options.count, options.seed), names):
            failed += not outcome.passed
            print(f"{outcome.name}: {'ok, ' if outcome.passed else 'FAILED '}{outcome.text}", flush=True)
    print(f"seed {options.seed}: {len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
