"""From constraints to an open device: choose by fitness, set FFmpeg's options, start the capture.

A device that turns out to be busy or gone gives way to the next best one; when none can be opened, the failure of the
best is what is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from ..aio import AudioConstraints, AudioTrack, DeviceKind, ScreenConstraints, VideoConstraints, VideoTrack
from ..errors import DeviceError, DeviceNotFound
from .capture import Capture, CaptureRequest, Opener
from .enumerate import System, list_devices
from .fitness import Capability, Range, Setting, ranked

Settings = Mapping[str, Setting]
Track = TypeVar("Track", AudioTrack, VideoTrack)

_NAMES = {DeviceKind.AUDIO_INPUT: "microphone", DeviceKind.VIDEO_INPUT: "camera", DeviceKind.SCREEN: "screen"}


async def open_microphone(constraints: AudioConstraints, system: System, opener: Opener) -> AudioTrack:
    """The microphone that fits best. Errors: `DeviceError` and its kinds."""
    return await _open(DeviceKind.AUDIO_INPUT, constraints, system, opener, _sound_options, AudioTrack)


async def open_camera(constraints: VideoConstraints, system: System, opener: Opener) -> VideoTrack:
    """The camera and the mode that fit best. Errors: `DeviceError` and its kinds."""
    return await _open(DeviceKind.VIDEO_INPUT, constraints, system, opener, _camera_options, VideoTrack)


async def open_display(constraints: ScreenConstraints, system: System, opener: Opener) -> VideoTrack:
    """A screen, or a part of it. Errors: `DeviceError` and its kinds."""

    def options(form: str, settings: Settings) -> dict[str, str]:
        return _screen_options(form, settings, constraints)

    part: dict[str, Capability] = {}
    if constraints.width is not None and constraints.height is not None:
        part = {"width": Range(2, 16_384, 640), "height": Range(2, 16_384, 480)}
    return await _open(DeviceKind.SCREEN, constraints, system, opener, options, VideoTrack, part)


async def _open(
    kind: DeviceKind,
    constraints: AudioConstraints | VideoConstraints | ScreenConstraints,
    system: System,
    opener: Opener,
    options_of: Callable[[str, Settings], dict[str, str]],
    make: type[Track],
    more: Mapping[str, Capability] | None = None,
) -> Track:
    devices = await asyncio.to_thread(list_devices, system)
    candidates = [
        (
            (device, options),
            {"device_id": device.info.device_id, "group_id": device.info.group_id, **capabilities, **(more or {})},
        )
        for device in devices
        if device.info.kind is kind
        for capabilities, options in device.modes
    ]
    failure: DeviceError | None = None
    tried: set[str] = set()
    for (device, mode), settings in ranked(candidates, constraints, _NAMES[kind]):
        if device.info.device_id in tried:
            continue  # another mode of a device that could not be had
        tried.add(device.info.device_id)
        request = CaptureRequest(
            format=device.format,
            url=device.url,
            options={**options_of(device.format, settings), **mode},
            video=make is VideoTrack,
            label=f"{_NAMES[kind]} {device.info.label}",
        )
        track = make(label=device.info.label)
        try:
            await Capture(request, track, opener).start()
        except DeviceError as error:
            track.end(str(error))
            failure = failure or error
        except asyncio.CancelledError:
            track.end("its opening was cancelled")
            raise
        else:
            return track
    raise failure or DeviceNotFound(f"there is no {_NAMES[kind]} on this machine")


# --- FFmpeg's options -----------------------------------------------------------------------------------------------


def _size(settings: Settings) -> dict[str, str]:
    if "width" in settings and "height" in settings:
        return {"video_size": f"{settings['width']:.0f}x{settings['height']:.0f}"}
    return {}


def _rate(settings: Settings) -> dict[str, str]:
    return {"framerate": f"{settings['frame_rate']:g}"} if "frame_rate" in settings else {}


def _camera_options(form: str, settings: Settings) -> dict[str, str]:
    options = {**_size(settings), **_rate(settings)}
    if form == "dshow":
        options["rtbufsize"] = "64M"
    return options


def _sound_options(form: str, settings: Settings) -> dict[str, str]:
    if form not in ("alsa", "pulse", "dshow"):
        return {}  # AVFoundation has no such options
    return {"sample_rate": f"{settings['sample_rate']:.0f}", "channels": f"{settings['channel_count']:.0f}"}


def _screen_options(form: str, settings: Settings, constraints: ScreenConstraints) -> dict[str, str]:
    options = {**_size(settings), **_rate(settings)}
    cursor = "1" if constraints.cursor else "0"
    if form == "x11grab":
        return {**options, "draw_mouse": cursor, "grab_x": str(constraints.left), "grab_y": str(constraints.top)}
    if form == "gdigrab":
        return {**options, "draw_mouse": cursor, "offset_x": str(constraints.left), "offset_y": str(constraints.top)}
    if form == "avfoundation":
        return {**_rate(settings), "capture_cursor": cursor}
    return options
