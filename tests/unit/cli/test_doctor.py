"""`doctor` tells the truth about this machine and about the extras."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from webrtc_stack import cli
from webrtc_stack.cli import doctor

ROOT = Path(__file__).resolve().parents[3]


def test_the_extras_are_those_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        name: tuple(one.partition(">=")[0] for one in packages)
        for name, packages in project["optional-dependencies"].items()
    }
    assert {name: packages for name, (_, packages) in doctor.EXTRAS.items()} == wanted


def test_the_report_reads_as_json_and_has_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["core"] in ("c", "py")
    assert report["libcrypto"] or report["core_reason"]
    assert report["packages"]["cryptography"]
    assert "OpenSSL" in report["openssl"]
    assert {"gso", "gro", "ecn", "ipv6"} <= set(report["capabilities"])
    assert all({"interface", "address", "candidate"} == set(one) for one in report["addresses"])
    assert {one["name"] for one in report["extras"]} == set(doctor.EXTRAS)


def test_what_is_missing_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "rich" else "1.0")
    text = doctor.to_text(doctor.examine())
    assert "rich missing, for the page of `webrtc-stack demo`" in text
    assert "pip install 'webrtc-stack[demo]'" in text


def test_extras_for_developers_are_not_reported_as_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "atheris" else "1.0")
    text = doctor.to_text(doctor.examine())
    assert "!!" not in text.partition("Extras")[2]
    assert "fuzz: only for work on webrtc-stack itself" in text


def test_the_core_is_told_with_its_libcrypto_or_the_reason_why_not() -> None:
    report = doctor.examine()
    whole = replace(report, core="c", core_reason="", libcrypto="OpenSSL 3.0 (/lib/libcrypto.so.3)")
    assert "OpenSSL 3.0 (/lib/libcrypto.so.3), for the C core" in doctor.to_text(whole)
    part = doctor.to_text(replace(report, core="c", core_reason="C does no cryptography: why", libcrypto=None))
    assert "ok  Core" in part and "!!  libcrypto      C does no cryptography: why" in part
    none = doctor.to_text(replace(report, core="py", core_reason="not built", libcrypto=None))
    assert "!!  Core           Python: not built" in none and "libcrypto " not in none
