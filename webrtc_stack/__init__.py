"""webrtc_stack: a WebRTC protocol stack written from scratch."""

from .version import __version__

__all__ = ["__version__"]
