"""`webrtc-stack doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Final

from .. import hot, io
from ..version import __version__
from .failures import CommandError

_EPILOG: Final = """examples:
  webrtc-stack doctor
  webrtc-stack doctor --connect stun:stun.example.org
  webrtc-stack doctor --connect turn:turn.example.org turns:turn.example.org:443 --username alice --credential secret"""

EXTRAS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "demo": ("the page of `webrtc-stack demo`", ("aiohttp", "av", "rich", "zeroconf")),
    "mdns": ("browsers' hidden addresses (names ending in .local)", ("zeroconf",)),
    "media": ("codecs, devices and media files", ("av",)),
    "test": ("running the tests", ("pytest", "pytest-xdist", "hypothesis", "pyopenssl", "pylibsrtp", "av")),
    "lint": ("checking the code", ("ruff", "mypy", "import-linter")),
    "interop": ("tests against another Python stack", ("aiortc", "uvloop")),
    "fuzz": ("coverage-guided fuzzing", ("atheris",)),
    "bench": ("benchmarks, their plots and their opponents", ("matplotlib", "uvloop", "pylibsrtp", "aiortc")),
}
"""Extra -> what it is for, and its packages, as `pyproject.toml` lists them."""

FOR_USERS: Final = ("demo", "mdns", "media")
"""The others serve work on the project itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    name: str
    purpose: str
    present: dict[str, str]
    """Package -> version."""
    missing: list[str]

    @property
    def command(self) -> str:
        """What installs it."""
        return f"pip install 'webrtc-stack[{self.name}]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that `doctor` knows."""

    version: str
    python: str
    platform: str
    core: str
    """`c` or `py`."""
    core_reason: str
    """What is missing of the C core, and why."""
    libcrypto: str | None
    """The one that the C core does cryptography with."""
    packages: dict[str, str | None]
    openssl: str
    capabilities: dict[str, Any]
    addresses: list[dict[str, Any]]
    extras: list[Extra]


def examine() -> Report:
    """Looks at this machine. Cost: a handful of sockets and package look-ups."""
    found = io.capabilities()
    core = hot.capabilities()
    return Report(
        version=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(),
        core=core.core,
        core_reason=core.reason,
        libcrypto=core.libcrypto,
        packages={name: _version(name) for name in ("cryptography", "crc32c", "ifaddr")},
        openssl=_openssl(),
        capabilities=asdict(found),
        addresses=_addresses(),
        extras=[_extra(name) for name in EXTRAS],
    )


def _addresses() -> list[dict[str, Any]]:
    """Every address, and whether it becomes a candidate by default."""
    found = io.local_addresses()
    chosen = {one.host for one in io.select_addresses(found, io.AddressPolicy())}
    return [{"interface": one.interface, "address": one.host, "candidate": one.host in chosen} for one in found]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _openssl() -> str:
    """The OpenSSL that `cryptography` was built with: the one whose primitives are used here."""
    try:
        from cryptography.hazmat.backends.openssl import backend
    except ImportError as error:
        return f"not available: {error}"
    return backend.openssl_version_text()


def _extra(name: str) -> Extra:
    purpose, packages = EXTRAS[name]
    versions = {package: _version(package) for package in packages}
    return Extra(
        name=name,
        purpose=purpose,
        present={package: version for package, version in versions.items() if version is not None},
        missing=[package for package, version in versions.items() if version is None],
    )


def to_json(report: Report) -> str:
    values = asdict(report)
    for extra, one in zip(values["extras"], report.extras, strict=True):
        extra["install"] = one.command
    return json.dumps(values, indent=2)


def to_text(report: Report) -> str:
    """The report for people, with a line that says what to do for everything that is missing."""
    able = report.capabilities
    lines = [
        f"webrtc-stack {report.version}",
        "",
        _row("Python", f"{report.python} ({sys.executable})"),
        _row("Platform", report.platform),
        *_core_rows(report),
        *(
            _row(name, version or f"missing: pip install {name}", good=version is not None)
            for name, version in report.packages.items()
        ),
        _row("OpenSSL", f"{report.openssl}, for Python"),
        "",
        "What the kernel offers",
        _row(
            "UDP GSO", _yes(able["gso"], "a burst leaves in one call", "one call for each datagram"), good=able["gso"]
        ),
        _row(
            "UDP GRO", _yes(able["gro"], "a burst arrives in one call", "one call for each datagram"), good=able["gro"]
        ),
        _row("ECN", _yes(able["ecn"], "congestion marks are read", "congestion marks are not read"), good=able["ecn"]),
        _row("IPv6", _yes(able["ipv6"], "available", "IPv4 only"), good=able["ipv6"]),
        "",
        "Addresses of this machine",
    ]
    for one in report.addresses:
        use = "a candidate" if one["candidate"] else "not a candidate, unless asked for"
        lines.append(f"  {'ok' if one['candidate'] else '– '}  {one['interface']:<15}{one['address']:<28} {use}")
    if not report.addresses:
        lines.append(_row("none", "no network interface could be read: connections cannot be made", good=False))
    lines += ["", "Extras"]
    for extra in report.extras:
        if extra.missing and extra.name not in FOR_USERS:
            continue
        if extra.missing:
            lines.append(_row(extra.name, f"{', '.join(extra.missing)} missing, for {extra.purpose}", good=False))
            lines.append(f"      {'':<15}{extra.command}")
        else:
            have = ", ".join(f"{package} {version}" for package, version in extra.present.items())
            lines.append(_row(extra.name, have))
    absent = [extra.name for extra in report.extras if extra.missing and extra.name not in FOR_USERS]
    if absent:
        lines.append(f"  –   {'not needed':<15}{', '.join(absent)}: only for work on webrtc-stack itself")
    return "\n".join(lines)


def _core_rows(report: Report) -> list[str]:
    if report.core != "c":
        return [_row("Core", f"Python: {report.core_reason}", good=False)]
    if report.libcrypto is None:
        return [_row("Core", "C"), _row("libcrypto", report.core_reason, good=False)]
    return [_row("Core", "C"), _row("libcrypto", f"{report.libcrypto}, for the C core")]


def _row(name: str, text: str, *, good: bool = True) -> str:
    return f"  {'ok' if good else '!!'}  {name:<15}{text}"


def _yes(flag: bool, yes: str, no: str) -> str:
    return f"yes, {yes}" if flag else f"no, {no}"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows versions, what this machine offers to WebRTC, and which optional parts are missing.\n"
        "With --connect it tries STUN and TURN servers for real instead, connects two peers through them,\n"
        "and explains what failed. Exit code 0 when all of that works, else 1."
    )
    parser.epilog = _EPILOG
    connect = parser.add_argument_group("trying servers")
    connect.add_argument("--connect", metavar="URL", nargs="+", help="stun:, turn: and turns: URLs to try")
    connect.add_argument("--username", help="for turn: and turns:")
    connect.add_argument("--credential", help="its password")
    connect.add_argument("--relay-only", action="store_true", help="connect the two peers through relays only")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, for bug reports and programs")


def run(options: argparse.Namespace) -> int:
    if options.connect:
        from .doctor_connect import run_connect

        return run_connect(options)
    if options.username or options.credential or options.relay_only:
        raise CommandError("--username, --credential and --relay-only go with --connect", code=2)
    report = examine()
    print(to_json(report) if options.json else to_text(report))
    return 0
