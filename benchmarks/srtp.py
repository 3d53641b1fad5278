"""SRTP protect and unprotect against libsrtp (through pylibsrtp), interleaved in one run.

    python benchmarks/srtp.py [--packets 4000] [--rounds 9]

Rounds of the contenders alternate, each on fresh contexts and the same packets; the best round of each counts, as the
others met something else that ran on the machine. `one` is the one-packet form, `many` bursts of 32 packets.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import pylibsrtp

from webrtc_stack import srtp
from webrtc_stack.base import SeededEntropy

PROFILES = (
    srtp.Profile.AEAD_AES_128_GCM,
    srtp.Profile.AES_CM_128_HMAC_SHA1_80,
    srtp.Profile.AEAD_AES_256_GCM,
)
SIZES = (1200, 160)
BURST = 32

Run = Callable[[Sequence[bytes]], float]


def packets_of(size: int, count: int) -> list[bytes]:
    payload = SeededEntropy(size).bytes(size - 12)
    head = b"\x80\x60", b"\x00\x00\x00\x00\xde\xca\xfb\xad"
    return [head[0] + (n & 0xFFFF).to_bytes(2, "big") + head[1] + payload for n in range(count)]


def each(function: Callable[[bytes], bytes], packets: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for packet in packets:
        function(packet)
    return time.perf_counter() - began


def bursts(function: Callable[[list[bytes]], object], packets: Sequence[bytes]) -> float:
    cut = [list(packets[n : n + BURST]) for n in range(0, len(packets), BURST)]
    began = time.perf_counter()
    for burst in cut:
        function(burst)
    return time.perf_counter() - began


def ours(profile: srtp.Profile) -> srtp.SrtpContext:
    return srtp.SrtpContext(profile, bytes(profile.key_bytes), bytes(profile.salt_bytes))


def theirs(profile: srtp.Profile, inbound: bool) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=bytes(profile.key_bytes + profile.salt_bytes),
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=int(profile),
    )
    return pylibsrtp.Session(policy=policy)


def compare(profile: srtp.Profile, size: int, count: int, rounds: int) -> None:
    plain = packets_of(size, count)
    sealed = ours(profile).protect_many(plain)
    contenders: dict[str, dict[str, Callable[[], float]]] = {
        "protect": {
            "libsrtp": lambda: each(theirs(profile, False).protect, plain),
            "one": lambda: each(ours(profile).protect, plain),
            "many": lambda: bursts(ours(profile).protect_many, plain),
        },
        "unprotect": {
            "libsrtp": lambda: each(theirs(profile, True).unprotect, sealed),
            "one": lambda: each(ours(profile).unprotect, sealed),
            "many": lambda: bursts(ours(profile).unprotect_many, sealed),
        },
    }
    for name, runs in contenders.items():
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(rounds):
            for who, run in runs.items():
                best[who] = min(best[who], run() / count * 1e6)
        base = best["libsrtp"]
        print(
            f"{profile.name:24} {size:5} B {name:9}  libsrtp {base:5.2f} us"
            f"   one {best['one']:5.2f} us ({best['one'] / base:4.2f}x)"
            f"   many {best['many']:5.2f} us ({best['many'] / base:4.2f}x)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    for profile in PROFILES:
        for size in SIZES:
            compare(profile, size, options.packets, options.rounds)


if __name__ == "__main__":
    main()
