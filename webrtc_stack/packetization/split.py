"""Cutting bytes into payloads of equal size, and putting payloads together.

The packets of a frame differ by at most one byte.

Equal packets give pacing and forward error correction their best case, and let the kernel segment a burst.
"""

from __future__ import annotations

from ..errors import InvalidArgumentError


def split_evenly(
    data: bytes, first_head: bytes, head: bytes, limit: int, last_head: bytes | None = None
) -> list[bytes]:
    """Payloads of at most `limit` bytes: `first_head` before the first part of `data`, `head` before the others.

    `last_head`, as long as `head`, goes before the last part if there are several. The payloads, heads included,
    differ by at most one byte, unless the first head is longer than a part. Errors: `InvalidArgumentError` if a head
    leaves no room.
    """
    length = len(data)
    single = len(first_head) + length
    if single <= limit:
        return [first_head + data]
    room = limit - len(head)
    extra = len(first_head) - len(head)
    if room < 1 or room - extra < 1:
        raise InvalidArgumentError(f"at most {limit} bytes a payload leave no room behind {len(first_head)} of header")
    # `extra` counts as data of the first payload.
    count = max(2, -(-(length + extra) // room))
    size, larger = divmod(length + extra, count)
    at = size + (larger > 0) - extra
    if at < 1:
        at = 1
        count = max(2, 1 + -(-(length - 1) // room))
        size, larger = divmod(length - 1, count - 1)
    else:
        larger = max(0, larger - 1)
    payloads = [first_head + data[:at]]
    split = at + larger * (size + 1)
    if larger:
        step = size + 1
        payloads += [head + data[i : i + step] for i in range(at, split, step)]
    if split < length:
        payloads += [head + data[i : i + size] for i in range(split, length, size)]
    if last_head is not None:
        payloads[-1] = last_head + payloads[-1][len(head) :]
    return payloads


def join_behind(payloads: list[bytes], at: int, head: bytes, last_head: bytes | None = None) -> bytes | None:
    """What stands behind `at` bytes in the first payload and behind `head` in the others, together.

    The last one may begin with `last_head` instead, which is as long.

    Returns: None if one of the others does not begin with `head`.
    """
    parts = [payloads[0][at:]]
    size = len(head)
    for payload in payloads[1:-1]:
        if not payload.startswith(head):
            return None
        parts.append(payload[size:])
    if len(payloads) > 1:
        last = payloads[-1]
        if not last.startswith(head) and (last_head is None or not last.startswith(last_head)):
            return None
        parts.append(last[size:])
    return b"".join(parts)
