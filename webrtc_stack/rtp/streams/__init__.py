"""RTP streams: statistics, reports, retransmission, feedback, jitter buffer, lip sync. See README.md."""

from .ccfb import CcfbConfig, CcfbReceiver, CcfbSender
from .jitter_buffer import (
    DelayEstimator,
    Item,
    JitterBuffer,
    JitterBufferConfig,
    JitterBufferCounters,
    Lost,
    Pushed,
)
from .keyframes import KeyframeConfig, KeyframeDemand, KeyframeRequester
from .nack import NackConfig, NackCounters, NackGenerator
from .receiver import ReceivedStream, ReceiverConfig, SenderClock, round_trip_time
from .receivers import Arrival, Receivers, ReceiversConfig, Verdict
from .reports import ReportConfig, Reporter, ReportScheduler, rtcp_interval
from .rtx import HistoryConfig, RtxConfig, RtxReceiver, RtxSender, RtxSource, SentHistory
from .sender import SenderConfig, SentStream
from .sync import LipSync, StreamClock, SyncConfig
from .twcc import PacketResult, TwccConfig, TwccReceiver, TwccSender
from .xr import XrConfig, XrCounters, XrReporter

__all__ = [
    "Arrival",
    "CcfbConfig",
    "CcfbReceiver",
    "CcfbSender",
    "DelayEstimator",
    "HistoryConfig",
    "Item",
    "JitterBuffer",
    "JitterBufferConfig",
    "JitterBufferCounters",
    "KeyframeConfig",
    "KeyframeDemand",
    "KeyframeRequester",
    "LipSync",
    "Lost",
    "NackConfig",
    "NackCounters",
    "NackGenerator",
    "PacketResult",
    "Pushed",
    "ReceivedStream",
    "ReceiverConfig",
    "Receivers",
    "ReceiversConfig",
    "ReportConfig",
    "ReportScheduler",
    "Reporter",
    "RtxConfig",
    "RtxReceiver",
    "RtxSender",
    "RtxSource",
    "SenderClock",
    "SenderConfig",
    "SentHistory",
    "SentStream",
    "StreamClock",
    "SyncConfig",
    "TwccConfig",
    "TwccReceiver",
    "TwccSender",
    "Verdict",
    "XrConfig",
    "XrCounters",
    "XrReporter",
    "round_trip_time",
    "rtcp_interval",
]
