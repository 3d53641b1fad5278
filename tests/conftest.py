"""Settings that every test shares: Hypothesis profiles, and the seeds of this run in the report's head."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support import seeds

# The same examples every time, on every machine, however slow: a red run can be run again as it was.
settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# New examples each time, many of them; by command: HYPOTHESIS_PROFILE=explore pytest ...
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    seeds.pin()  # before workers start, so that a commit made meanwhile does not give them other seeds


def pytest_report_header(config: pytest.Config) -> str:
    return f"seeds: {seeds.describe()}"
