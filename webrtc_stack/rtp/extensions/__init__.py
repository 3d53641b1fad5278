"""RTP header extensions: raw elements, and typed values by URI. The inner door of the folder."""

from .elements import HeaderExtensions
from .mapping import ExtensionMap
from .uri import Uri

__all__ = ["ExtensionMap", "HeaderExtensions", "Uri"]
