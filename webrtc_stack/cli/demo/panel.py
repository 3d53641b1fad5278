"""A connection at one moment, as the page and the terminal show it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from ...base import Candidate
from ...peer import PairSnapshot, PeerSnapshot

MAX_PAIRS: Final = 40
"""Rows shown; a machine with many interfaces makes more pairs than anybody reads."""


@dataclass(slots=True)
class Rates:
    """Bytes a second, from the counters of two moments."""

    sent: float = 0.0
    received: float = 0.0
    _last: tuple[float, int, int] | None = None

    def update(self, snapshot: PeerSnapshot, now: float | None = None) -> None:
        """Takes a newer snapshot into account; calls less than 0.2 s apart change nothing."""
        moment = time.monotonic() if now is None else now
        counters = snapshot.transport
        last = self._last
        if last is not None:
            span = moment - last[0]
            if span < 0.2:
                return
            self.sent = (counters.bytes_sent - last[1]) / span
            self.received = (counters.bytes_received - last[2]) / span
        self._last = (moment, counters.bytes_sent, counters.bytes_received)


def address(candidate: Candidate) -> str:
    """Host and port as one word."""
    host = f"[{candidate.host}]" if ":" in candidate.host else candidate.host
    return f"{host}:{candidate.port}"


def _pair_order(pair: PairSnapshot) -> tuple[bool, bool, str]:
    return not pair.selected, pair.state != "succeeded", pair.state


def ordered_pairs(snapshot: PeerSnapshot) -> list[PairSnapshot]:
    """The pairs worth showing, the selected one first."""
    return sorted(snapshot.ice.pairs, key=_pair_order)[:MAX_PAIRS]


def to_json(snapshot: PeerSnapshot, rates: Rates) -> dict[str, Any]:
    """What the page draws. Names follow the snapshot; rates are bytes a second."""
    ice, dtls, sctp = snapshot.ice, snapshot.dtls, snapshot.sctp
    return {
        "connectionState": snapshot.connection_state,
        "signalingState": snapshot.signaling_state,
        "reason": snapshot.reason,
        "ice": {
            "state": ice.state,
            "gathering": ice.gathering_state,
            "role": "controlling" if ice.controlling else "controlled",
            "local": [_candidate(one) for one in ice.local_candidates],
            "remote": [_candidate(one) for one in ice.remote_candidates],
            "pairs": [_pair(pair) for pair in ordered_pairs(snapshot)],
        },
        "dtls": {
            "state": dtls.state,
            "role": dtls.role,
            "version": dtls.version,
            "suite": dtls.cipher_suite,
            "fingerprint": dtls.remote_fingerprints[0].value if dtls.remote_fingerprints else None,
        },
        "sctp": None
        if sctp is None
        else {
            "state": sctp.state,
            "cwnd": sctp.cwnd,
            "flight": sctp.flight_bytes,
            "peerWindow": sctp.peer_rwnd,
            "srtt": sctp.srtt,
            "rto": sctp.rto,
        },
        "transport": {
            "datagramsSent": snapshot.transport.datagrams_sent,
            "datagramsReceived": snapshot.transport.datagrams_received,
            "bytesSent": snapshot.transport.bytes_sent,
            "bytesReceived": snapshot.transport.bytes_received,
            "sendRate": rates.sent,
            "receiveRate": rates.received,
        },
        "channels": [
            {
                "label": channel.label,
                "id": channel.id,
                "state": str(channel.state),
                "ordered": channel.ordered,
                "maxRetransmits": channel.max_retransmits,
                "sent": channel.bytes_sent,
                "received": channel.bytes_received,
            }
            for channel in snapshot.channels
        ],
        "drops": snapshot.drops,
    }


def _candidate(candidate: Candidate) -> dict[str, str]:
    return {"address": address(candidate), "type": candidate.type.value, "protocol": candidate.transport}


def _pair(pair: PairSnapshot) -> dict[str, Any]:
    return {
        "local": address(pair.local),
        "localType": pair.local.type.value,
        "remote": address(pair.remote),
        "remoteType": pair.remote.type.value,
        "state": pair.state,
        "nominated": pair.nominated,
        "selected": pair.selected,
        "rtt": pair.rtt,
    }
