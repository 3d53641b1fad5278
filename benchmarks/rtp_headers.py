"""Parsing and writing an RTP packet with header extensions, in C and in Python, beside aiortc's, in turns in one run.

    python benchmarks/rtp_headers.py [--packets 20000] [--rounds 9]

From what a forwarder does to what an endpoint does: the packet with two extensions parsed and written as it is; both
read as typed values besides; and both set anew before it is written. aiortc does the work of the last two always, so
its time is the same in each of these rows but for reading attributes. Then the four extensions of a browser's packets,
read and one of them set; and a packet made, not parsed. The median of the rounds counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap
from aiortc.rtp import RtpPacket as AiortcPacket

from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri
from webrtc_stack.rtp.packet import RtpPacket as PythonPacket

TRANSPORT_CC, MID = Uri.TRANSPORT_CC, Uri.MID
"""Bound once, as a hot path does: Python 3.11 takes 50 ns to read a member of an enum, half of what `get` takes."""
MAP = ExtensionMap({3: TRANSPORT_CC, 4: MID})
DATA = bytes.fromhex("90e01234000102030a0b0c0dbede0002") + bytes.fromhex("3112344030000000") + bytes(1100)

MAP_OF_FOUR = ExtensionMap({1: Uri.AUDIO_LEVEL, 2: Uri.ABS_SEND_TIME, 3: TRANSPORT_CC, 4: MID})
ABS_SEND_TIME, AUDIO_LEVEL = Uri.ABS_SEND_TIME, Uri.AUDIO_LEVEL
DATA_OF_FOUR = (
    bytes.fromhex("90e01234000102030a0b0c0dbede0003") + bytes.fromhex("229035fd3112344030109700") + bytes(1100)
)


def aiortc_map(mapping: ExtensionMap) -> HeaderExtensionsMap:
    made = HeaderExtensionsMap()
    extensions = [RTCRtpHeaderExtensionParameters(id=number, uri=str(uri)) for number, uri in mapping.uris.items()]
    made.configure(RTCRtpParameters(headerExtensions=extensions))
    return made


AIORTC_MAP, AIORTC_MAP_OF_FOUR = aiortc_map(MAP), aiortc_map(MAP_OF_FOUR)


def ours_plain(count: int, RtpPacket: Any) -> None:
    for _ in range(count):
        RtpPacket.parse(DATA, MAP).serialize()


def ours_read(count: int, RtpPacket: Any) -> None:
    for _ in range(count):
        packet = RtpPacket.parse(DATA, MAP)
        packet.get(TRANSPORT_CC)
        packet.get(MID)
        packet.serialize()


def ours_set(count: int, RtpPacket: Any) -> None:
    for number in range(count):
        packet = RtpPacket.parse(DATA, MAP)
        packet.get(TRANSPORT_CC)
        packet.set(TRANSPORT_CC, number & 0xFFFF)
        packet.set(MID, "1")
        packet.serialize()


def ours_four(count: int, RtpPacket: Any) -> None:
    for number in range(count):
        packet = RtpPacket.parse(DATA_OF_FOUR, MAP_OF_FOUR)
        for uri in (AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_CC, MID):
            packet.get(uri)
        packet.set(TRANSPORT_CC, number & 0xFFFF)
        packet.serialize()


def ours_made(count: int, RtpPacket: Any) -> None:
    payload = bytes(1100)
    for number in range(count):
        packet = RtpPacket(payload_type=96, sequence_number=7, timestamp=9, ssrc=11, payload=payload, extension_map=MAP)
        packet.set(TRANSPORT_CC, number & 0xFFFF)
        packet.set(MID, "1")
        packet.serialize()


def aiortc_plain(count: int) -> None:
    for _ in range(count):
        AiortcPacket.parse(DATA, AIORTC_MAP).serialize(AIORTC_MAP)


def aiortc_read(count: int) -> None:
    for _ in range(count):
        packet = AiortcPacket.parse(DATA, AIORTC_MAP)
        _ = packet.extensions.transport_sequence_number
        _ = packet.extensions.mid
        packet.serialize(AIORTC_MAP)


def aiortc_set(count: int) -> None:
    for number in range(count):
        packet = AiortcPacket.parse(DATA, AIORTC_MAP)
        _ = packet.extensions.transport_sequence_number
        packet.extensions.transport_sequence_number = number & 0xFFFF
        packet.extensions.mid = "1"
        packet.serialize(AIORTC_MAP)


def aiortc_four(count: int) -> None:
    for number in range(count):
        packet = AiortcPacket.parse(DATA_OF_FOUR, AIORTC_MAP_OF_FOUR)
        found = packet.extensions
        _ = (found.audio_level, found.abs_send_time, found.transport_sequence_number, found.mid)
        packet.extensions.transport_sequence_number = number & 0xFFFF
        packet.serialize(AIORTC_MAP_OF_FOUR)


def aiortc_made(count: int) -> None:
    payload = bytes(1100)
    for number in range(count):
        packet = AiortcPacket(payload_type=96, sequence_number=7, timestamp=9, ssrc=11, payload=payload)
        packet.extensions.transport_sequence_number = number & 0xFFFF
        packet.extensions.mid = "1"
        packet.serialize(AIORTC_MAP)


TASKS: list[tuple[str, Callable[[int, Any], None], Callable[[int], None]]] = [
    ("parse, write", ours_plain, aiortc_plain),
    ("parse, read two, write", ours_read, aiortc_read),
    ("parse, read, set two, write", ours_set, aiortc_set),
    ("parse, read four, set one", ours_four, aiortc_four),
    ("make, set two, write", ours_made, aiortc_made),
]


def timed(task: Callable[..., None], count: int, *of: Any) -> float:
    began = time.process_time()
    task(count, *of)
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    core = "C" if RtpPacket is not PythonPacket else "no C"
    print(f"{'task':28} {core + ' us':>8} {'pure us':>8} {'aiortc us':>10} {'aiortc/C':>9} {'aiortc/pure':>12}")
    for name, ours, theirs in TASKS:
        times: list[tuple[float, float, float]] = []
        for _ in range(arguments.rounds):
            times.append(
                (
                    timed(ours, arguments.packets, RtpPacket),
                    timed(ours, arguments.packets, PythonPacket),
                    timed(theirs, arguments.packets),
                )
            )
        native, pure, other = (statistics.median(one) for one in zip(*times, strict=True))
        print(f"{name:28} {native:8.2f} {pure:8.2f} {other:10.2f} {other / native:9.1f} {other / pure:12.1f}")


if __name__ == "__main__":
    main()
