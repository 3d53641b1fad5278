"""PyAV is loaded when somebody encodes, decodes or opens a device, and never before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_whole_client_api_is_there_without_pyav() -> None:
    script = """
import sys
import webrtc_stack as rtc
from webrtc_stack import aio, peer, rtp, packetization, sim
for name in rtc.__all__:
    getattr(rtc, name)
for name in aio.__all__:
    getattr(aio, name)
print("av" in sys.modules)
"""
    assert run(script) == "False"


def test_who_needs_pyav_and_has_it_not_is_told_what_to_install() -> None:
    script = """
import sys
sys.modules["av"] = None
from webrtc_stack import aio, errors
try:
    aio.load_engine()
except errors.NotSupportedError as error:
    print(error)
"""
    assert "webrtc-stack[media]" in run(script)


def test_the_engine_is_what_the_client_api_asks_for() -> None:
    from webrtc_stack import aio, devices

    engine: aio.MediaEngine = devices.engine()
    assert isinstance(aio.load_engine(), type(engine))
    assert "WebrtcCounter" in devices.counter_script(), "the script is packed with the package"
