"""The ETSI conformance scenarios (TS 102 369), driven from data against a virtual clock.

Addresses do not exist over DTLS: scenarios that are about them run too where something can be answered (host names are
refused), and are listed with their reason where nothing can. Once the association is over, the machine says nothing:
an ABORT that a scenario expects for a later packet is for whoever has no association, which is another machine.
"""

from __future__ import annotations

from typing import Any

import pytest
from crc32c import crc32c

from tests.support import vectors
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidStateError
from webrtc_stack.sctp import ChunkType, ParameterType

NOT_APPLICABLE = {
    "sctp-as-i-1-15": "several peer addresses: SCTP over DTLS has one path",
    "sctp-as-o-1-9-2": "an INIT with new addresses: SCTP over DTLS has none, so there is nothing to refuse",
    "sctp-as-v-1-11-1": "heartbeats to each address of the peer: SCTP over DTLS has one path",
    "sctp-as-v-1-11-2": "heartbeats to each address of the peer: SCTP over DTLS has one path",
}
TOLERANCE = 0.06
PARAMETERS = {
    "STATE_COOKIE": 7,
    "UNRECOGNIZED_PARAMETER": 8,
    "COOKIE_PRESERVATIVE": 9,
    "HOSTNAME_ADDRESS": 11,
    "SUPPORTED_ADDRESS_TYPES": 12,
    "HEARTBEAT_INFORMATION": 1,
    "IPV4_ADDRESS": 5,
    "IPV6_ADDRESS": 6,
    "STALE_COOKIE_ERROR": 3,
    "UNRESOLVABLE_ADDRESS": 5,
    "INVALID_MANDATORY_PARAMETER": 7,
    "PROTOCOL_VIOLATION": 13,
}
TESTER_TAG: int = 0x7E57E4


class Peer:
    """The tester of the scenarios: speaks raw packets, keeps the symbolic tags and TSNs apart from real ones."""

    def __init__(self, case: dict[str, Any]) -> None:
        config = case["config"]
        timing: dict[str, Any] = {}
        if "rto_initial_ms" in config:
            timing = {f"rto_{name}": config[f"rto_{name}_ms"] / 1000 for name in ("initial", "min", "max")}
            timing["shutdown_timeout"] = 5 * timing["rto_max"]
        self.association = sctp.Association(
            sctp.SctpConfig(
                entropy=SeededEntropy(case["id"]),
                outbound_streams=config.get("outbound_streams", 10),
                inbound_streams=config.get("max_inbound_streams", 10),
                close_timeout=30.0,
                **timing,
            )
        )
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] = []
        self.events: list[sctp.AssociationEvent] = []
        self.our_tag = self.our_tsn = 0
        self.first_out_tsn: int | None = None
        self.first_out_data: int | None = None
        self.tester_tags: dict[int, int] = {}
        self.cookie = b""
        self.heartbeat = b""

    # -- time

    def run_to(self, until: float) -> None:
        while (due := self.association.next_timeout()) <= until and due < until + 1:
            self.now = max(self.now, due)
            self.association.handle_timeout(self.now)
            self.poll()
        self.now = max(self.now, until)

    def poll(self) -> None:
        for packet in self.association.poll_transmits(self.now):
            self.sent.append((self.now, packet))
        self.events += self.association.poll_events()

    # -- symbolic values

    def parameters(self, tlvs: list[dict[str, Any]]) -> tuple[sctp.Parameter, ...]:
        return tuple(self.parameter(tlv) for tlv in tlvs)

    def parameter(self, tlv: dict[str, Any]) -> sctp.Parameter:
        kind = tlv["type"] if isinstance(tlv["type"], int) else PARAMETERS[tlv["type"]]
        if "addr" in tlv:
            if kind == 11:
                return sctp.Parameter(kind, tlv["addr"].encode() + b"\0")
            return sctp.Parameter(kind, bytes(16 if kind == 6 else 4))
        if "types" in tlv:
            return sctp.Parameter(kind, b"".join({"IPv4": b"\0\5", "IPv6": b"\0\6"}[name] for name in tlv["types"]))
        if "incr" in tlv:
            return sctp.Parameter(kind, tlv["incr"].to_bytes(4, "big"))
        value = tlv.get("value")
        if value is None:
            return sctp.Parameter(kind, bytes(max((tlv.get("length") or 9) - 4, 0)))
        return sctp.Parameter(kind, bytes.fromhex(value))

    def chunk(self, spec: dict[str, Any]) -> sctp.Chunk:
        kind = spec["type"] if isinstance(spec["type"], int) else ChunkType[spec["type"]]
        flags = 1 if spec.get("flags") == "T" else 0
        if "value" in spec and kind in (ChunkType.INIT, ChunkType.INIT_ACK):
            return sctp.UnknownChunk(type=kind, flags=0, body=bytes.fromhex(spec["value"]))
        tlvs = self.parameters(spec.get("tlv", []))
        match kind:
            case ChunkType.INIT | ChunkType.INIT_ACK:
                made = sctp.InitChunk if kind == ChunkType.INIT else sctp.InitAckChunk
                return made(
                    initiate_tag=TESTER_TAG + spec["tag"] if spec["tag"] else 0,
                    advertised_receiver_window=spec["a_rwnd"],
                    outbound_streams=spec["os"],
                    inbound_streams=spec["is"],
                    initial_tsn=spec["tsn"],
                    parameters=tlvs,
                )
            case ChunkType.COOKIE_ECHO:
                value = spec.get("value")
                return sctp.CookieEchoChunk(cookie=self.cookie if value is None else bytes.fromhex(value))
            case ChunkType.COOKIE_ACK:
                return sctp.CookieAckChunk()
            case ChunkType.SHUTDOWN:
                return sctp.ShutdownChunk(cumulative_tsn_ack=self.real_tsn(spec["cum_tsn"]))
            case ChunkType.SHUTDOWN_ACK:
                return sctp.ShutdownAckChunk()
            case ChunkType.SHUTDOWN_COMPLETE:
                return sctp.ShutdownCompleteChunk(flags=flags)
            case ChunkType.ABORT:
                return sctp.AbortChunk(parameters=tlvs, flags=flags)
            case ChunkType.HEARTBEAT:
                return sctp.HeartbeatChunk(parameters=tlvs)
            case ChunkType.DATA:
                return sctp.DataChunk(
                    tsn=spec["tsn"],
                    stream_id=spec["sid"],
                    stream_sequence_number=spec["ssn"],
                    ppid=spec["ppid"],
                    data=bytes(spec["length"] - 16),
                )
            case ChunkType.SACK:
                return sctp.SackChunk(
                    cumulative_tsn_ack=self.real_tsn(spec["cum_tsn"]), advertised_receiver_window=spec["a_rwnd"]
                )
        raise AssertionError(f"no such chunk in a scenario: {spec}")

    def real_tsn(self, symbolic: int) -> int:
        """A TSN of ours: the scenario's first one stands for our initial TSN."""
        assert self.first_out_tsn is not None
        return (self.our_tsn + symbolic - self.first_out_tsn) & 0xFFFFFFFF

    # -- packets

    def feed(self, event: dict[str, Any]) -> None:
        if "raw_chunk" in event:
            body = bytes.fromhex(event["raw_chunk"])
        else:
            body = b"".join(self.chunk(spec).serialize() for spec in event["chunks"])
        first: dict[str, Any] = event["chunks"][0] if "chunks" in event else {"type": "INIT"}
        if first["type"] in ("INIT", 1):
            tag = 0
            self.tester_tag = TESTER_TAG + int(first.get("tag", 1))
        elif first.get("flags") == "T":
            tag = self.tester_tag
        else:
            tag = self.our_tag
            if first["type"] == "INIT_ACK" and "tag" in first:
                self.tester_tag = TESTER_TAG + int(first["tag"])
        if "verification_tag" in event:
            tag = {0: 0, 3: 0x33333333}[event["verification_tag"]]
        packet = bytearray(
            sctp.Packet(source_port=5000, destination_port=5000, verification_tag=tag, chunks=()).serialize()[:8]
        )
        whole = bytes(packet) + bytes(4) + body
        checksum = crc32c(whole) ^ (1 if event.get("bad_crc32c") else 0)
        self.association.receive(bytes(packet) + checksum.to_bytes(4, "little") + body, self.now)
        self.poll()

    def matches(self, data: bytes, specs: list[dict[str, Any]]) -> bool:
        packet = sctp.Packet.parse(data)
        if len(packet.chunks) != len(specs):
            return False
        return all(
            self.chunk_matches(chunk, spec, packet.verification_tag)
            for chunk, spec in zip(
                sorted(packet.chunks, key=lambda chunk: chunk.type),
                sorted(specs, key=lambda spec: ChunkType[spec["type"]]),
                strict=True,
            )
        )

    def chunk_matches(self, chunk: sctp.Chunk, spec: dict[str, Any], tag: int) -> bool:
        if chunk.type != ChunkType[spec["type"]]:
            return False
        if spec.get("flags") == "T" and not chunk.flags & 1:
            return False
        match chunk:
            case sctp.InitChunk():
                for want in spec.get("tlv", []):
                    if want["type"] == "UNRECOGNIZED_PARAMETER":
                        inner = b"".join(self.parameter(item).serialize() for item in want["params"])
                        if sctp.Parameter(ParameterType.UNRECOGNIZED_PARAMETER, inner) not in chunk.parameters:
                            return False
                reported = [p for p in chunk.parameters if p.type == ParameterType.UNRECOGNIZED_PARAMETER]
                named = [p for p in spec.get("tlv", []) if p["type"] == "UNRECOGNIZED_PARAMETER"]
                if spec.get("others") != "any" and len(reported) != len(named):
                    return False
                if spec["tag"] is not None:
                    self.our_tag, self.our_tsn = chunk.initiate_tag, chunk.initial_tsn
                    self.first_out_tsn = spec["tsn"]
                self.cookie = chunk.parameter(ParameterType.STATE_COOKIE) or self.cookie
                return chunk.initiate_tag != 0
            case sctp.CookieEchoChunk():
                return bool(spec["length"] is None) or len(chunk.cookie) == spec["length"] - 4
            case sctp.ShutdownChunk():
                return bool(chunk.cumulative_tsn_ack == spec["cum_tsn"])
            case sctp.SackChunk():
                return bool(chunk.cumulative_tsn_ack == spec["cum_tsn"]) and not chunk.gap_ack_blocks
            case sctp.DataChunk():
                return bool(
                    len(chunk.data) == spec["length"] - 16
                    and chunk.tsn == self.real_tsn(spec["tsn"])
                    and chunk.stream_sequence_number == spec["ssn"]
                )
            case sctp.AbortChunk():
                causes = [cause.type for cause in chunk.parameters]
                return all(PARAMETERS[tlv["type"]] in causes for tlv in spec.get("tlv", []))
            case sctp.ErrorChunk():
                return [cause.type for cause in chunk.parameters] == [PARAMETERS[tlv["type"]] for tlv in spec["tlv"]]
        return True

    # -- the rest

    def do(self, event: dict[str, Any]) -> None:
        association = self.association
        match event["do"]:
            case "connect":
                association.connect(self.now)
            case "close":
                association.close(self.now)
            case "shutdown":
                association.shutdown(self.now)
            case "send":
                refused = False
                try:
                    association.send(0, 0, bytes(event["length"]), self.now)
                except InvalidStateError:
                    refused = True
                assert refused == (event.get("result") == "refused")
            case "receive":
                self.poll()
                received = [item for item in self.events if isinstance(item, sctp.MessageReceived)]
                self.events = [item for item in self.events if not isinstance(item, sctp.MessageReceived)]
                assert sum(len(item.data) for item in received) == event["length"]
            case "listen" | "stop listening":
                pass  # an association answers the one peer that it has
        self.poll()

    def expect(self, event: dict[str, Any]) -> None:
        established = any(isinstance(item, sctp.AssociationEstablished) for item in self.events)
        closed = [item for item in self.events if isinstance(item, sctp.Closed)]
        match event["expect"]:
            case "association established":
                assert established
            case "no new association":
                assert not established
            case "no error":
                assert not closed
            case "status":
                assert self.association.state == event["state"].lower()
                for name in ("outbound_streams", "inbound_streams"):
                    if name in event:
                        assert getattr(self.association, name) == event[name]
            case _:
                assert closed and closed[0].error is not None, event


def _alternatives(events: list[dict[str, Any]], at: int) -> list[dict[str, Any]]:
    """The event at `at`, or all next to each other of which any may happen."""
    group = [events[at]]
    if "only_in" in events[at]:
        while at + len(group) < len(events) and "only_in" in events[at + len(group)]:
            group.append(events[at + len(group)])
    return group


@pytest.mark.parametrize("case", vectors.cases("sctp/etsi.json"), ids=lambda case: case["id"])
def test_an_etsi_scenario_runs_as_written(case: dict[str, Any]) -> None:
    if case["id"] in NOT_APPLICABLE:
        pytest.skip(NOT_APPLICABLE[case["id"]])
    tester = Peer(case)
    events = case["events"]
    at = 0
    while at < len(events):
        group = _alternatives(events, at)
        event = group[0]
        at += len(group)
        over = tester.association.state == "ended"
        if "only_in" in event:
            wait = max(item["dt"] for item in group)
            outs = [item for item in group if item.get("dir") == "out"]
            tester.run_to(tester.now + (wait + TOLERANCE if not tester.sent else 0))
            if tester.sent and outs:
                _, packet = tester.sent.pop(0)
                assert any(tester.matches(packet, item["chunks"]) for item in outs), sctp.Packet.parse(packet)
            continue
        if event.get("dir") == "out":
            if over and not tester.sent:
                assert event["chunks"][0]["type"] == "ABORT" and event["chunks"][0]["flags"] == "T", event
                continue
            began = tester.now
            tester.poll()
            if not tester.sent:
                tester.run_to(began + event["dt"] + TOLERANCE)
            assert tester.sent, f"nothing was sent within {event['dt']} s: {event}"
            when, packet = tester.sent.pop(0)
            assert tester.matches(packet, event["chunks"]), (sctp.Packet.parse(packet), event)
            assert abs(when - began - event["dt"]) <= TOLERANCE, f"sent {when - began} s later, {event['dt']} expected"
            tester.now = max(began, when)
            continue
        if event["dt"]:
            tester.run_to(tester.now + event["dt"] - (0.001 if event.get("dir") == "in" else 0))
        if event.get("do") == "receive":  # an answer may be on its way already
            tester.do(event)
            continue
        assert not tester.sent, f"{sctp.Packet.parse(tester.sent[0][1])} was sent before {event}"
        if "do" in event:
            tester.do(event)
        elif "expect" in event:
            tester.expect(event)
        else:
            tester.feed(event)
    assert not tester.sent or tester.association.state == "ended"
