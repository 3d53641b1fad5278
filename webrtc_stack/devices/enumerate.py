"""Which cameras, microphones and screens there are.

On Linux from the kernel's own lists (`/dev/video*`, `/proc/asound`, the sockets of X displays), without any library;
on macOS and Windows from FFmpeg's enumeration.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av

from ..aio import DeviceInfo, DeviceKind
from .failures import MEDIA_FAILURES
from .fitness import Capability, Range
from .v4l2 import CameraFacts, Ioctl, ask_camera

_ANY_SIZE: Mapping[str, Capability] = {
    "width": Range(16, 8192, 640),
    "height": Range(16, 8192, 480),
    "frame_rate": Range(1, 120, 30),
}
"""For cameras that do not tell their modes: asked for what is wished, FFmpeg says if it cannot be had."""
_ANY_SOUND: Mapping[str, Capability] = {
    "sample_rate": Range(8_000, 48_000, 48_000),
    "channel_count": Range(1, 2, 1),
    "sample_size": 16,
    "latency": 0.02,
    # FFmpeg captures what the system gives; processing is the system's or nobody's
    "echo_cancellation": False,
    "auto_gain_control": False,
    "noise_suppression": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as it is opened: FFmpeg's input format and name, options, and what it can be set to.

    `modes` are alternatives, each with the options that choose it.
    """

    info: DeviceInfo
    format: str
    url: str
    modes: tuple[tuple[Mapping[str, Capability], Mapping[str, str]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Where to look. The defaults are this machine; tests give folders of their own."""

    platform: str = sys.platform
    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    ioctl: Ioctl | None = None


def list_devices(system: System | None = None) -> list[Device]:
    """Every device found, cameras first. Never raises for a device that cannot be asked: it is listed with less."""
    system = system or System()
    if system.platform.startswith("linux"):
        return [*_linux_cameras(system), *_linux_sound(system), *_linux_screens(system)]
    if system.platform == "darwin":
        return _apple()
    if system.platform == "win32":
        return _windows()
    return []


# --- Linux ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits.group()) if digits else 0


def _linux_cameras(system: System) -> list[Device]:
    devices = []
    for node in sorted((system.root / "dev").glob("video*"), key=_number):
        about = system.root / "sys/class/video4linux" / node.name
        facts: CameraFacts | None = None
        try:
            facts = ask_camera(node, system.ioctl)
        except OSError:
            # No permission, or busy: it is there all the same. Nodes after a camera's first carry its metadata.
            if _read(about / "index") not in ("", "0"):
                continue
        if facts is not None and not facts.captures:
            continue
        label = _read(about / "name") or (facts.card if facts else "") or node.name
        group = facts.bus if facts else ""
        modes: list[tuple[Mapping[str, Capability], Mapping[str, str]]] = [
            (
                {"width": mode.width, "height": mode.height, "frame_rate": mode.frame_rate},
                {"input_format": mode.input_format},
            )
            for mode in (facts.modes if facts else ())
        ]
        info = DeviceInfo(device_id=f"/dev/{node.name}", kind=DeviceKind.VIDEO_INPUT, label=label, group_id=group)
        devices.append(Device(info=info, format="v4l2", url=str(node), modes=tuple(modes or [(_ANY_SIZE, {})])))
    return devices


def _linux_sound(system: System) -> list[Device]:
    devices = []
    runtime = system.environment.get("XDG_RUNTIME_DIR", "")
    pulse = system.environment.get("PULSE_SERVER") or (
        runtime and (system.root / runtime.lstrip("/") / "pulse/native").exists()
    )
    cards = dict(re.findall(r"^\s*(\d+) \[[^\]]*\]: \S+ - (.+)$", _read(system.root / "proc/asound/cards"), re.M))
    recording = [
        (int(card), int(number), name.strip())
        for card, number, name in re.findall(
            r"^(\d+)-(\d+): [^:]*: ([^:]*):.*capture", _read(system.root / "proc/asound/pcm"), re.M
        )
    ]
    if pulse and "pulse" in av.formats_available:
        devices.append(_microphone("pulse", "default", "pulse:default", "Default (sound server)", "pulse"))
    elif recording or pulse:
        # ALSA's own default goes to the sound server where there is one
        devices.append(_microphone("alsa", "default", "default", "Default", "alsa"))
    for card, number, name in recording:
        label = f"{cards.get(str(card), f'Card {card}').strip()}: {name}"
        devices.append(_microphone("alsa", f"hw:{card},{number}", f"hw:{card},{number}", label, f"card{card}"))
    return devices


def _microphone(form: str, url: str, device_id: str, label: str, group: str) -> Device:
    info = DeviceInfo(device_id=device_id, kind=DeviceKind.AUDIO_INPUT, label=label, group_id=group)
    return Device(info=info, format=form, url=url, modes=((_ANY_SOUND, {}),))


def _linux_screens(system: System) -> list[Device]:
    names = [f":{_number(path)}" for path in sorted((system.root / "tmp/.X11-unix").glob("X*"), key=_number)]
    own = system.environment.get("DISPLAY", "")
    if own and own.split(".")[0] not in names:
        names.insert(0, own.split(".")[0])
    return [_screen("x11grab", f"{name}.0", f"{name}.0", f"Display {name}") for name in names]


def _screen(form: str, url: str, device_id: str, label: str) -> Device:
    info = DeviceInfo(device_id=device_id, kind=DeviceKind.SCREEN, label=label)
    capabilities: Mapping[str, Capability] = {"frame_rate": Range(1, 60, 30)}
    return Device(info=info, format=form, url=url, modes=((capabilities, {}),))


# --- elsewhere: written by FFmpeg's documentation, not tried --------------------------------------------------------


def _enumerated(form: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, description and media types of FFmpeg's own list; empty where PyAV or FFmpeg has none."""
    ask = getattr(av, "enumerate_input_devices", None)
    if ask is None or form not in av.formats_available:
        return []
    try:
        return [(found.name, found.description, tuple(found.media_types)) for found in ask(form)]
    except MEDIA_FAILURES:
        return []


def _apple() -> list[Device]:
    devices = []
    for name, description, kinds in _enumerated("avfoundation"):
        if "audio" in kinds:
            devices.append(_microphone("avfoundation", f"none:{name}", f"audio:{name}", description, ""))
        elif "screen" in description.lower():
            devices.append(_screen("avfoundation", f"{name}:none", f"screen:{name}", description))
        else:
            info = DeviceInfo(device_id=f"video:{name}", kind=DeviceKind.VIDEO_INPUT, label=description)
            devices.append(Device(info=info, format="avfoundation", url=f"{name}:none", modes=((_ANY_SIZE, {}),)))
    return devices


def _windows() -> list[Device]:
    devices = []
    for name, description, kinds in _enumerated("dshow"):
        if "audio" in kinds:
            devices.append(_microphone("dshow", f"audio={name}", f"audio={name}", description, ""))
        if "video" in kinds or not kinds:
            info = DeviceInfo(device_id=f"video={name}", kind=DeviceKind.VIDEO_INPUT, label=description)
            devices.append(Device(info=info, format="dshow", url=f"video={name}", modes=((_ANY_SIZE, {}),)))
    if "gdigrab" in av.formats_available:
        devices.append(_screen("gdigrab", "desktop", "desktop", "Desktop"))
    return devices
