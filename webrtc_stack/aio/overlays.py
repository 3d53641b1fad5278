"""What the client API adds to the statistics of the core: encoders, decoders, tracks.

Spec: W3C webrtc-stats sections 6.4, 6.5 (outbound, inbound), 6.8 (media-source).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import Instant
from ..peer import MediaKind
from ..peer import stats as w3c
from .engine import EncoderCounters, summed
from .tracks import RawTrack

if TYPE_CHECKING:
    from .media import MediaHub
    from .receiver import Receiver
    from .sender import Sender
    from .sending import Layer


_HARDWARE = frozenset({"vaapi", "nvenc", "cuvid", "qsv", "videotoolbox", "v4l2m2m", "amf", "mediacodec", "vulkan"})


def overlays_of(hub: MediaHub) -> w3c.Overlays:
    """Everything that is known here now."""
    outbound, inbound, sources, playouts = {}, {}, {}, {}
    for transceiver in hub.transceivers:
        sender, handle = transceiver.sender, transceiver.handle
        source = _source(sender)
        if source is not None:
            sources[handle] = source
        if sender._sending is not None:
            for layer in sender._sending.layers:
                outbound[handle, layer.encoding.rid] = _outbound(layer, sender.kind, hub.now())
        else:
            for rid, counters in sender.encoded.items():  # what was sent before a pause does not vanish by it
                outbound[handle, rid] = w3c.OutboundOverlay(**_encoded(counters, sender.kind))
        inbound[handle, transceiver.receiver._decoding_rid] = _inbound(transceiver.receiver)
        playout = transceiver.receiver.track.playout
        if playout.samples:
            playouts[handle] = playout.members()
    return w3c.Overlays(
        outbound=outbound,
        inbound=inbound,
        sources=sources,
        playouts=playouts,
        available_outgoing_bitrate=hub.suggested_bitrate,
    )


def _source(sender: Sender) -> w3c.SourceOverlay | None:
    track = sender.track
    if track is None or not isinstance(track, RawTrack):
        return None
    if sender.kind is MediaKind.AUDIO:
        return w3c.SourceOverlay(track_identifier=track.id, kind=sender.kind, **track.sound.source_members())
    size = sender._sending.frame_size if sender._sending is not None else None
    return w3c.SourceOverlay(
        track_identifier=track.id,
        kind=sender.kind,
        width=size[0] if size else None,
        height=size[1] if size else None,
        frames=track.frames_written,
        frames_per_second=track.frames_per_second,
    )


def _outbound(layer: Layer, kind: MediaKind, now: Instant) -> w3c.OutboundOverlay:
    if kind is MediaKind.AUDIO:
        return w3c.OutboundOverlay(
            encoder_implementation=layer.implementation or None, target_bitrate=layer.target_bitrate
        )
    return w3c.OutboundOverlay(
        **_encoded(layer.counters(), kind),
        encoder_implementation=layer.implementation or None,
        target_bitrate=layer.target_bitrate,
        frames_per_second=layer.meter.frames_per_second(now),
        total_encoded_bytes_target=round(layer.bytes_target),
        scalability_mode="L1T1" if layer.implementation else None,
        power_efficient_encoder=_is_hardware(layer.implementation) if layer.implementation else None,
    )


def _encoded(counters: EncoderCounters, kind: MediaKind) -> dict[str, Any]:
    """The members that encoders count."""
    if kind is MediaKind.AUDIO or not counters.frames_encoded:
        return {}
    return {
        "total_encode_time": counters.total_encode_time,
        "frames_encoded": counters.frames_encoded,
        "key_frames_encoded": counters.key_frames_encoded,
        "frame_width": counters.frame_width or None,
        "frame_height": counters.frame_height or None,
        "qp_sum": counters.qp_sum,
    }


def _is_hardware(implementation: str) -> bool:
    """By FFmpeg's naming of encoders and decoders."""
    return implementation.rpartition("_")[2] in _HARDWARE


def _inbound(receiver: Receiver) -> w3c.InboundOverlay:
    track, decoder = receiver.track, receiver.track.decoder
    counters = track.decoded if decoder is None else summed(track.decoded, decoder.counters)
    if decoder is None and not counters.frames_decoded:
        return w3c.InboundOverlay(track_identifier=track.id)
    implementation = None if decoder is None else decoder.implementation_name
    if receiver.kind is MediaKind.AUDIO:
        return w3c.InboundOverlay(
            track_identifier=track.id,
            total_processing_delay=track.processing_delay,
            **track.sound.members(),
        )
    return w3c.InboundOverlay(
        track_identifier=track.id,
        decoder_implementation=implementation,
        frames_decoded=counters.frames_decoded,
        key_frames_decoded=counters.key_frames_decoded,
        frames_dropped=track.frames_dropped,
        frame_width=counters.frame_width or None,
        frame_height=counters.frame_height or None,
        power_efficient_decoder=None if implementation is None else _is_hardware(implementation),
        **track.shown.members(receiver._hub.now()),
        total_decode_time=counters.total_decode_time,
        total_processing_delay=track.processing_delay,
    )
