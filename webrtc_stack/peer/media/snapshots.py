"""Facts read off the streams."""

from __future__ import annotations

from .facts import InboundFacts, OutboundFacts, RemoteInboundFacts, RemoteOutboundFacts
from .inbound import Inbound
from .outbound import Outbound


def inbound(one: Inbound) -> InboundFacts:
    received, playout, section = one.received, one.playout, one.section
    streams = [stream for stream in (received, one.rtx_received) if stream is not None]
    return InboundFacts(
        handle=section.handle,
        mid=section.mid,
        rid=one.rid,
        kind=section.kind,
        ssrc=one.ssrc,
        rtx_ssrc=one.rtx_ssrc,
        codec=None if one.payload is None else one.payload.codec,
        active=one.active,
        packets_received=sum(stream.packets_received for stream in streams),
        bytes_received=sum(stream.bytes_received for stream in streams),
        header_bytes_received=one.header_bytes,
        packets_lost=0 if received is None else received.packets_lost,
        jitter=0.0 if received is None else received.jitter_seconds,
        packets_discarded=0 if playout is None else playout.discarded,
        last_packet_received_timestamp=None if received is None else one.heard_at,
        retransmitted_packets_received=one.retransmitted_packets,
        retransmitted_bytes_received=one.retransmitted_bytes,
        nack_count=one.nack_count,
        pli_count=one.pli_count,
        fir_count=one.fir_count,
        frames_received=one.frames_received,
        key_frames_received=one.key_frames,
        frames_dropped=one.frames_dropped,
        frames_assembled_from_multiple_packets=one.frames_of_many,
        total_assembly_time=one.total_assembly_time,
        jitter_buffer_delay=0.0 if playout is None else playout.delay_sum,
        jitter_buffer_target_delay=0.0 if playout is None else playout.target_sum,
        jitter_buffer_minimum_delay=0.0 if playout is None else playout.minimum_sum,
        jitter_buffer_emitted_count=0 if playout is None else playout.emitted,
        audio_level=one.audio_level,
        stream_ids=tuple(section.plan.remote_stream_ids),
        track_identifier=section.plan.remote_track_id,
        cname=one.cname,
    )


def outbound(one: Outbound) -> OutboundFacts:
    section, rtx = one.section, one.rtx
    repaired_packets = 0 if rtx is None else rtx.packets_sent
    repaired_bytes = 0 if rtx is None else rtx.bytes_sent
    return OutboundFacts(
        handle=section.handle,
        mid=section.mid,
        rid=one.rid,
        kind=section.kind,
        ssrc=one.ids.ssrc,
        rtx_ssrc=one.ids.rtx_ssrc,
        codec=None if one.payload is None else one.payload.codec,
        encoding_index=one.number,
        active=one.active,
        packets_sent=one.sent.packets_sent + repaired_packets,
        bytes_sent=one.sent.octets_sent + repaired_bytes,
        header_bytes_sent=one.header_bytes_sent + one.retransmitted_header_bytes,
        retransmitted_packets_sent=repaired_packets,
        retransmitted_bytes_sent=repaired_bytes,
        frames_sent=one.frames_sent,
        key_frames_sent=one.key_frames_sent,
        huge_frames_sent=one.huge_frames_sent,
        frames_refused=one.frames_refused,
        total_packet_send_delay=one.total_packet_send_delay,
        nack_count=one.nack_count,
        pli_count=one.pli_count,
        fir_count=one.fir_count,
    )


def remote_inbound(one: Outbound) -> RemoteInboundFacts:
    section, sent = one.section, one.sent
    return RemoteInboundFacts(
        handle=section.handle,
        mid=section.mid,
        rid=one.rid,
        kind=section.kind,
        ssrc=one.ids.ssrc,
        rtx_ssrc=one.ids.rtx_ssrc,
        codec=None if one.payload is None else one.payload.codec,
        timestamp=one.last_report_at or 0.0,
        packets_received=max(one.packets_expected_there - sent.remote_packets_lost, 0),
        packets_lost=sent.remote_packets_lost,
        jitter=sent.remote_jitter,
        fraction_lost=sent.remote_fraction_lost,
        round_trip_time=sent.rtt_latest,
        total_round_trip_time=one.total_round_trip_time,
        round_trip_time_measurements=sent.rtt_measurements,
    )


def remote_outbound(one: Inbound) -> RemoteOutboundFacts:
    section, report, received = one.section, one.last_report, one.received
    clock = None if received is None else received.sender_clock
    return RemoteOutboundFacts(
        handle=section.handle,
        mid=section.mid,
        rid=one.rid,
        kind=section.kind,
        ssrc=one.ssrc,
        rtx_ssrc=one.rtx_ssrc,
        codec=None if one.payload is None else one.payload.codec,
        timestamp=one.last_report_at or 0.0,
        remote_timestamp=0.0 if clock is None else clock.ntp_time,
        packets_sent=0 if report is None else report.packet_count,
        bytes_sent=0 if report is None else report.octet_count,
        reports_sent=one.reports_received,
        round_trip_time=one.remote_rtt,
        total_round_trip_time=one.remote_rtt_total,
        round_trip_time_measurements=one.remote_rtt_measurements,
    )
