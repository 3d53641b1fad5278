"""The extension module: C twins, each with the name and the signature of what it stands for in Python."""

from typing_extensions import Buffer

def crc32c(data: Buffer, value: int = 0, /) -> int:
    """The CRC32c of what `value` is the sum of, followed by `data`."""
