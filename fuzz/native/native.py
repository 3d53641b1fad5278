#!/usr/bin/env python3
"""Fuzzes the C kernels alone, under the address and undefined-behaviour sanitizers: no Python runs in these processes.

    python fuzz/native/native.py                    all targets, the counts of CI
    python fuzz/native/native.py --count 5000000 srtp
    python fuzz/native/native.py --seed 7

A target is a file beside this one whose first line names the kernel files that it drives. Kept inputs come first, then
a fixed count of seeded mutations; an input that breaks something goes into `../corpus/native_<target>/`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent.parent / "webrtc_stack" / "hot" / "_native"
CORPUS = HERE.parent / "corpus"
DEFAULT_COUNT = 200_000
SECONDS = 300
"""For one target: far beyond any honest run, so only an endless loop meets it."""
FLAGS = (
    *("-std=c11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"),
    *("-Wall", "-Wextra", "-Wconversion", "-Werror"),
)


def build(source: Path, folder: Path) -> Path:
    """Compiles a target with its kernels. Errors: `CalledProcessError`."""
    first = source.read_text().splitlines()[0]
    found = re.fullmatch(r"/\* sources: (.*) \*/", first)
    assert found is not None, f"{source.name}: the first line is `/* sources: kernel/... */`"
    words = found[1].split()
    kernels = [str(NATIVE / word) for word in words if not word.startswith("-")]
    libraries = [word for word in words if word.startswith("-")]
    target = folder / source.stem
    compiler = os.environ.get("CC") or "cc"
    subprocess.run([compiler, *FLAGS, f"-I{NATIVE}", str(source), *kernels, "-o", target, *libraries], check=True)
    return target


def run(source: Path, folder: Path, count: int, seed: int) -> bool:
    """Builds and runs one target and says how it ended."""
    name = f"native_{source.stem}"
    try:
        target = build(source, folder)
    except subprocess.CalledProcessError:
        print(f"{name}: FAILED to compile")
        return False
    kept = sorted((CORPUS / name).glob("*.bin"))
    broken = folder / f"{source.stem}.input"
    try:
        done = subprocess.run(
            [target, str(count), str(seed), *kept],
            env={**os.environ, "KEEP": str(broken), "UBSAN_OPTIONS": "print_stacktrace=1"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"{name}: FAILED, it runs for more than {SECONDS} s")
        return False
    if done.returncode == 0:
        print(f"{name}: ok, {done.stdout.strip()}", flush=True)
        return True
    print(f"{name}: FAILED\n{done.stdout}{done.stderr[-6000:]}")
    if broken.exists():
        data = broken.read_bytes()
        path = CORPUS / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"input, {len(data)} bytes: {data.hex()}\nkept as {path}")
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only targets whose name contains one of these")
    parser.add_argument("--count", type=int, default=DEFAULT_COUNT)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if shutil.which(os.environ.get("CC") or "cc") is None:
        print("no C compiler: the kernels cannot be fuzzed here")
        return 2
    sources = [
        one for one in sorted(HERE.glob("*.c")) if not options.names or any(n in one.stem for n in options.names)
    ]
    with tempfile.TemporaryDirectory(prefix="webrtc_stack-fuzz-") as folder:
        results = [run(source, Path(folder), options.count, options.seed) for source in sources]
    print(f"seed {options.seed}: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
