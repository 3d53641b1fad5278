#!/usr/bin/env python3
"""Runs every check of the project, in stages, and stops at the first red one.

    python3 tests/run.py                     everything
    python3 tests/run.py --quick             lint and unit tests without the slow ones, under a minute when warm
    python3 tests/run.py --stage interop     one stage (may be given several times)

Needs Python 3.11 and nothing else: it makes its own virtual environment in `.venv-test`, and, being root on a Debian
system, installs what tests talk to (browsers, tshark, openssl, gnutls, coturn, GStreamer, nftables). Where it cannot,
tests that need them skip by name; with `CI=true` that is a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-test"
PYTHON = VENV / "bin" / "python"
EXTRAS = ("test", "lint", "interop", "demo")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")

PROGRAMS = {
    # program looked for: Debian package that has it
    "openssl": "openssl",
    "gnutls-serv": "gnutls-bin",
    "tshark": "tshark",
    "chromium": "chromium",
    "firefox-esr": "firefox-esr",
    "ip": "iproute2",
    "nft": "nftables",
    "certutil": "libnss3-tools",
    "turnserver": "coturn",
    "gst-launch-1.0": "gstreamer1.0-tools",
    "cc": "gcc",
}

LIBRARIES = {
    # what tests use without a program of its own: Debian packages
    "GStreamer": (
        "gstreamer1.0-plugins-base",
        "gstreamer1.0-plugins-good",
        "gstreamer1.0-plugins-bad",
        "gstreamer1.0-plugins-ugly",
        "gstreamer1.0-libav",
        "gstreamer1.0-nice",
        "gir1.2-gst-plugins-bad-1.0",
        "python3-gi",
        "python3-gst-1.0",
    ),
}


class Failed(Exception):
    """A check is red; the message is what to print."""


@dataclass
class Totals:
    """What has been counted so far, over all stages."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Totals) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Run:
    """One stage on its way: runs commands and counts their outcomes."""

    quick: bool = False
    totals: Totals = field(default_factory=Totals)

    def check(
        self,
        command: Sequence[str | Path],
        *,
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
        label: str | None = None,
    ) -> None:
        """Runs one command that counts as one check. With a `label` its output is shown only when it fails."""
        words = [str(word) for word in command]
        print(f"$ {label or shlex.join(words)}", flush=True)
        done = subprocess.run(words, cwd=cwd, env=environment(env), capture_output=bool(label), check=False)
        if done.returncode:
            if label:
                print((done.stdout + done.stderr).decode(errors="replace")[-8000:])
            self.totals.failed += 1
            raise Failed(f"exit code {done.returncode}: {label or shlex.join(words)}")
        self.totals.passed += 1

    def pytest(
        self,
        arguments: Sequence[str],
        *,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        may_be_empty: bool = False,
    ) -> bool:
        """Runs pytest, passes its output through and adds its closing line to the totals. True if it was green."""
        words = [*prefix, str(PYTHON), "-m", "pytest", *arguments]
        print(f"$ {shlex.join(words)}", flush=True)
        closing = ""
        with subprocess.Popen(
            words, cwd=ROOT, env=environment(env), stdout=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if re.search(r"\bin \d[\d.]*s\b", line):
                    closing = line
        counted = closing_counts(closing)
        self.totals.add(counted)
        if process.returncode == 5 and may_be_empty:
            print("(no such test yet)")
            return True
        if process.returncode and not counted.failed:
            self.totals.failed += 1  # it broke before, or beside, counting
        return process.returncode == 0


def closing_counts(line: str) -> Totals:
    """Reads `== 3 failed, 10 passed, 1 skipped in 2.1s ==`; errors count as failures."""
    found = Totals()
    for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b", line):
        if word == "passed":
            found.passed += int(number)
        elif word in ("failed", "error", "errors", "xpassed"):
            found.failed += int(number)
        else:
            found.skipped += int(number)
    return found


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would leak into a virtual environment, plus `extra`."""
    values = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    values["PYTHONUNBUFFERED"] = "1"
    values["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    values["PIP_ROOT_USER_ACTION"] = "ignore"
    values.update(extra or {})
    return values


# --- what tests stand on ----------------------------------------------------------------------------------------------


def prepare_venv(extras: Sequence[str]) -> None:
    """Makes `.venv-test`, or takes the one that was made from the same pyproject.toml for the same Python."""
    provide_compiler()
    sources = sorted((ROOT / "webrtc_stack" / "hot" / "_native").rglob("*.[ch]"))
    material = b"".join(path.read_bytes() for path in (ROOT / "pyproject.toml", *sources))
    material += f"{sys.version} {ROOT} {sorted(extras)}".encode()
    stamp, want = VENV / "made-from", hashlib.sha256(material).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == want:
        return
    print(f"making {VENV.name} with extras {', '.join(extras)}", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    make_venv(VENV)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "setuptools>=77"]
    subprocess.run([*install, "--editable", f"{ROOT}[{','.join(extras)}]"], check=True, env=environment())
    stamp.write_text(want)


def provide_compiler() -> None:
    """What the C core is built with; without it the pure package is tested, which CI does not take for an answer."""
    provide("cc")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        install_packages([f"python3.{sys.version_info.minor}-dev", "libc6-dev"])


def make_venv(folder: Path) -> None:
    """`python -m venv`; Debian keeps the part that brings pip in a package of its own, fetched when we may."""
    command = [sys.executable, "-m", "venv", str(folder)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    install_packages([f"python3.{sys.version_info.minor}-venv"])
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    if again.returncode:
        raise Failed(f"python -m venv does not work here:\n{again.stdout}{again.stderr}")


def provide(*programs: str, libraries: Sequence[str] = (), quick: bool = False) -> None:
    """Installs the programs and libraries that are missing, if this is root on Debian. What stays missing is said."""
    missing = missing_packages(programs, libraries)
    if missing and not quick:
        install_packages(list(missing))
        missing = missing_packages(programs, libraries)
    if not missing:
        return
    names = ", ".join(f"{name} (package {package})" for package, name in missing.items())
    if IN_CI and not quick:
        raise Failed(f"missing: {names}; CI needs all of them")
    print(f"missing, tests that need them will skip: {names}", flush=True)


def missing_packages(programs: Sequence[str], libraries: Sequence[str]) -> dict[str, str]:
    """Returns: for each Debian package that is not there, the program or library that it is needed for."""
    missing = {PROGRAMS[program]: program for program in programs if shutil.which(program) is None}
    wanted = {package: library for library in libraries for package in LIBRARIES[library]}
    present: set[str] = set()
    if wanted and shutil.which("dpkg-query") is not None:
        query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n", *wanted]
        told = subprocess.run(query, capture_output=True, text=True, check=False)  # 1: some are unknown
        present = {line.split()[0] for line in told.stdout.splitlines() if line.endswith(" installed")}
    return missing | {package: library for package, library in wanted.items() if package not in present}


def install_packages(packages: Sequence[str]) -> None:
    """apt-get install without letting any of them start a daemon. Does nothing where that cannot work."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(packages)}", flush=True)
    env = environment({"DEBIAN_FRONTEND": "noninteractive"})
    with no_daemons():
        install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
        # The package lists of a fresh machine are old or absent, so they are fetched first.
        for command in (["apt-get", "update", "--quiet=2"], install):
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(f"{shlex.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)


@contextmanager
def no_daemons(policy: Path = Path("/usr/sbin/policy-rc.d")) -> Iterator[None]:
    """Within the block Debian's packages may not start services (policy-rc.d says 101); the former state comes back."""
    before = (policy.read_bytes(), policy.stat().st_mode) if policy.exists() else None
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            policy.unlink(missing_ok=True)
        else:
            policy.write_bytes(before[0])
            policy.chmod(before[1])


_NAMESPACE = (
    # Addresses are usable at once: while IPv6 still looks for duplicates, binding to link-local ones fails.
    "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; "
    "ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.77.0.1/24 dev v0 "
    '&& ip link set v0 up && ip link set v1 up && exec "$@"'
)


def network_namespace() -> tuple[list[str], str]:
    """A command prefix that runs what follows on a network of its own: lo, a veth pair with 10.77.0.1, no way out.

    Returns: (prefix, ""), or ([], why not).
    """
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return [], "unshare or ip is missing"
    reason = ""
    for unshare in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):  # the second needs no root
        prefix = [*unshare, "sh", "-c", _NAMESPACE, "sh"]
        tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return prefix, ""
        reason = (tried.stderr or tried.stdout).strip()
    return [], reason


# --- the stages -------------------------------------------------------------------------------------------------------


def existing(*names: str) -> list[str]:
    return [name for name in names if (ROOT / name).exists()]


def stage_lint(run: Run) -> None:
    """Style, types, and which room may import which."""
    tool = VENV / "bin"
    run.check([tool / "ruff", "check", "."])
    run.check([tool / "ruff", "format", "--check", "."])
    run.check([tool / "mypy", "--strict", *existing("webrtc_stack", "tests", "fuzz", "benchmarks")])
    run.check([tool / "lint-imports"])


def suites() -> list[str]:
    return existing("tests/unit", "tests/properties", "tests/differential", "tests/simulation", "tests/api")


def stage_unit(run: Run) -> None:
    """Everything that runs on the virtual clock, and machines against other programs in memory."""
    provide("openssl", "gnutls-serv", "tshark", quick=run.quick)
    marks = ["-m", "not slow"] if run.quick else []
    if not run.pytest(["-n", "2", "-q", *marks, *suites()]):
        raise Failed("unit tests are red")


def core_of(python: Path) -> str:
    """`c` or `py`: what the package installed there runs on."""
    code = "from webrtc_stack import hot; print(hot.capabilities().core)"
    done = subprocess.run(  # not from here, where the checkout would be found first
        [python, "-c", code], cwd=python.parent, capture_output=True, text=True, env=environment(), check=False
    )
    return done.stdout.strip()


def stage_core(run: Run) -> None:
    """The tests marked `hot`, under each core by name; without a compiler under Python alone."""
    cores = ["c", "py"] if IN_CI or core_of(PYTHON) == "c" else ["py"]
    for core in cores:
        if not run.pytest(["-n", "2", "-q", "-m", "hot", *suites()], env={"WEBRTC_STACK_HOT": core}, may_be_empty=True):
            raise Failed(f"hot tests are red under WEBRTC_STACK_HOT={core}")


def stage_interop(run: Run) -> None:
    """Real browsers and another stack, one after the other, on a network that leads nowhere."""
    programs = ["chromium", "firefox-esr", "ip", "nft", "certutil", "tshark", "turnserver", "gst-launch-1.0"]
    provide(*programs, libraries=["GStreamer"])
    prefix, reason = network_namespace()
    env = {"WEBRTC_STACK_NETNS": "1"} if prefix else {}
    if not prefix:
        print(f"no network namespace of our own ({reason}): on loopback; peers that need an address will skip")
        if IN_CI:
            raise Failed("CI needs the network namespace")
    # Native tracebacks: the notes of a failed session are long, and Python 3.11 cannot always parse for the other kind.
    arguments = ["-q", "--tb=native", "--durations=8", "tests/interop"]
    if run.pytest(arguments, env=env, prefix=prefix):
        return
    # Browsers under load miss a beat now and then: what failed gets one more chance, and the log says so.
    print("RETRY: the failed interop tests run once more", flush=True)
    first = run.totals
    run.totals = Totals()
    green = run.pytest([*arguments, "--last-failed", "--last-failed-no-failures=none"], env=env, prefix=prefix)
    again = run.totals
    run.totals = Totals(passed=first.passed + again.passed, failed=again.failed, skipped=first.skipped)
    if not green:
        raise Failed("interop tests are red, twice")
    print(f"RETRY: {first.failed} failed first and passed then", flush=True)


def stage_fuzz(run: Run) -> None:
    """Kept inputs again, then a fixed count of seeded mutations for every parser and machine."""
    run.check([PYTHON, "fuzz/run.py"])
    if shutil.which("cc"):
        run.check([PYTHON, "fuzz/native/native.py"])


def stage_package(run: Run) -> None:
    """The sdist with and without a compiler, a wheel made from it, the demo: each in a clean environment."""
    with tempfile.TemporaryDirectory(prefix="webrtc_stack-package-") as folder:
        scratch = Path(folder)
        build = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
        run.check([PYTHON, "-c", build, scratch], label="build the sdist")
        (sdist,) = scratch.glob("*.tar.gz")
        compiles = shutil.which("cc") is not None
        builder = install_and_ask(run, scratch / "with-compiler", sdist, core="c" if compiles else "py", compiler=True)
        install_and_ask(run, scratch / "without-compiler", sdist, core="py", compiler=False)
        wheels = scratch / "wheels"
        words: list[str | Path] = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, sdist]
        run.check([builder, *words], cwd=scratch, label="build a wheel")
        (wheel,) = wheels.glob("*.whl")
        install_and_ask(run, scratch / "wheel", wheel, core="c" if compiles else "py", compiler=False)
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch / "source", filter="data")
        (source,) = (scratch / "source").iterdir()
        command = readme_demo_command((ROOT / "README.md").read_text())
        run.check(["sh", "-euc", f"{command} --self-test"], cwd=source)


def install_and_ask(run: Run, where: Path, package: Path, *, core: str, compiler: bool) -> Path:
    """Installs a package into an environment of its own, and sees that it runs, on `core`. Returns: its Python."""
    make_venv(where)
    python = where / "bin" / "python"
    # Nothing but the environment's own programs on PATH means: no cc, no gcc, no clang.
    env = {} if compiler else {"CC": "", "PATH": str(where / "bin")}
    label = f"install the {package.suffix[1:]}, {'with' if compiler else 'without'} a compiler"
    run.check([python, "-m", "pip", "install", "--quiet", package], env=env, cwd=where, label=label)
    run.check([python, "-c", "import webrtc_stack; print(webrtc_stack.__version__)"], env=env, cwd=where)
    if (found := core_of(python)) != core:
        raise Failed(f"{where.name}: the core is {found!r}, not {core!r}")
    run.totals.passed += 1
    run.check([python, "-m", "webrtc_stack", "doctor"], env=env, cwd=where)
    return python


def readme_demo_command(readme: str) -> str:
    """The last line of the README's first shell block that runs the demo, with the lines above it.

    Errors: `Failed` when there is none.
    """
    for block in re.findall(r"```(?:sh|shell|bash|console)\n(.*?)```", readme, re.DOTALL):
        lines = [line.removeprefix("$ ").rstrip() for line in block.splitlines() if line.strip()]
        for number, line in enumerate(lines):
            if re.search(r"\bdemo\s*$", line):
                return "\n".join(lines[: number + 1])
    raise Failed("README.md has no shell block with a line that ends in 'demo'")


STAGES: dict[str, Callable[[Run], None]] = {
    "lint": stage_lint,
    "unit": stage_unit,
    "core": stage_core,
    "interop": stage_interop,
    "fuzz": stage_fuzz,
    "package": stage_package,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="lint and unit tests without the slow ones")
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this stage (repeatable)")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this has any Python
        print("Python 3.11 or later is needed, this is " + sys.version.split()[0])
        return 2
    os.chdir(ROOT)
    names = options.stage or (["lint", "unit"] if options.quick else list(STAGES))
    totals, durations, red = Totals(), [], ""
    began = time.monotonic()
    try:
        prepare_venv(EXTRAS)
    except (Failed, subprocess.CalledProcessError) as error:
        totals.failed += 1
        red = f"environment: {error}"
    for name in names if not red else []:
        print(f"\n=== {name}: {(STAGES[name].__doc__ or '').splitlines()[0]}", flush=True)
        run, start = Run(quick=options.quick), time.monotonic()
        try:
            STAGES[name](run)
        except (Failed, subprocess.CalledProcessError, OSError) as error:
            red = f"{name}: {error}"
        taken = time.monotonic() - start
        durations.append(f"{name} {taken:.0f} s")
        totals.add(run.totals)
        print(f"=== {name}: {'RED' if red else 'green'}, {run.totals}, {taken:.1f} s", flush=True)
        if red:
            totals.failed = max(totals.failed, 1)
            break
    print(f"\nstages: {', '.join(durations) or 'none'}")
    if red:
        print(f"RED {red}")
    print(f"{totals} in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
