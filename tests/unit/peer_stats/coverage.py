"""How much of W3C's statistics is implemented: `python -m tests.unit.peer_stats.coverage` prints the table."""

from __future__ import annotations

from dataclasses import fields

from tests.unit.peer_stats import webidl
from webrtc_stack.peer import stats

DICTIONARIES: dict[type[stats.Stats], str] = {
    stats.CodecStats: "RTCCodecStats",
    stats.InboundRtpStreamStats: "RTCInboundRtpStreamStats",
    stats.OutboundRtpStreamStats: "RTCOutboundRtpStreamStats",
    stats.RemoteInboundRtpStreamStats: "RTCRemoteInboundRtpStreamStats",
    stats.RemoteOutboundRtpStreamStats: "RTCRemoteOutboundRtpStreamStats",
    stats.AudioSourceStats: "RTCAudioSourceStats",
    stats.VideoSourceStats: "RTCVideoSourceStats",
    stats.AudioPlayoutStats: "RTCAudioPlayoutStats",
    stats.PeerConnectionStats: "RTCPeerConnectionStats",
    stats.DataChannelStats: "RTCDataChannelStats",
    stats.TransportStats: "RTCTransportStats",
    stats.IceCandidatePairStats: "RTCIceCandidatePairStats",
    stats.LocalCandidateStats: "RTCIceCandidateStats",
    stats.RemoteCandidateStats: "RTCIceCandidateStats",
    stats.CertificateStats: "RTCCertificateStats",
}
"""What a report is made of, and the dictionary of each."""


def shown(kind: type[stats.Stats]) -> str:
    """The name of a row: the type, and the kind of media where two dictionaries share one."""
    media = {stats.AudioSourceStats: " (audio)", stats.VideoSourceStats: " (video)"}
    return kind.type.value + media.get(kind, "")


def implemented(kind: type[stats.Stats]) -> set[str]:
    """W3C's names of the members that we have; of what a class never fills, none."""
    names = {stats.camel_case(one.name) for one in fields(kind)} | {"type"}
    return names - NEVER_FILLED.get(kind, set())


NEVER_FILLED: dict[type[stats.Stats], set[str]] = {stats.RemoteCandidateStats: {"url", "relayProtocol"}}
"""Inherited, though W3C has them for the other side only."""


def table() -> str:
    """Markdown, as in the page of the room."""
    lines = ["| type | members | missing |", "|---|---|---|"]
    for kind, dictionary in DICTIONARIES.items():
        defined = webidl.members(dictionary)
        have = implemented(kind)
        missing = ", ".join(f"`{name}`" for name in defined if name not in have) or "nothing"
        lines.append(f"| {shown(kind)} | {len(have)} of {len(defined)} | {missing} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
