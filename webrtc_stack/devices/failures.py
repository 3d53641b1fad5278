"""What FFmpeg and the system say went wrong, as this package's exceptions."""

from __future__ import annotations

import errno

import av

from ..errors import DeviceBusy, DeviceError, DeviceNotFound, PermissionDenied

_NOT_FOUND = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.ETXTBSY})


class OverconstrainedError(DeviceError):
    """No device meets a constraint that must be met; `constraint` names it, as W3C's error of this name does."""

    def __init__(self, message: str, *, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(message)


def device_error(error: BaseException, what: str) -> DeviceError:
    """The `DeviceError` for a failure met with `what` (a device, in words)."""
    if isinstance(error, DeviceError):
        return error
    number = getattr(error, "errno", None)
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if number in _NOT_FOUND or isinstance(error, FileNotFoundError):
        return DeviceNotFound(f"{what} is not there ({words}); `devices()` lists what is")
    if number in _DENIED or isinstance(error, PermissionError):
        return PermissionDenied(f"the system does not let this process use {what} ({words})")
    if number in _BUSY or isinstance(error, BlockingIOError):
        return DeviceBusy(f"{what} is in use elsewhere ({words})")
    return DeviceError(f"{what} failed: {words}")


MEDIA_FAILURES: tuple[type[BaseException], ...] = (av.FFmpegError, OSError, ValueError, RuntimeError, EOFError)
"""What PyAV raises when FFmpeg refuses something: its own errors, and Python's that some of them become."""
