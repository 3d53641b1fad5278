/* The header of an RTP packet as another session numbers it. Spec: RFC 3550 5.1; RFC 8285 4.2. */
#ifndef WEBRTC_STACK_RTP_REWRITE_H
#define WEBRTC_STACK_RTP_REWRITE_H

#include "rtp_header.h"

#define RTP_ELEMENT_BYTES 16
/* 12 bytes, 15 CSRCs, and a block of the one-byte form: 14 elements of at most 17 bytes, padded; or one as it came. */
#define RTP_BLOCK_BYTES 256
#define RTP_HEAD_BYTES (12 + 60 + RTP_BLOCK_BYTES)

/* An element that every packet gets. */
typedef struct {
    uint8_t identifier, size; /* 1 to 14, 1 to 16 bytes */
    uint8_t data[RTP_ELEMENT_BYTES];
} rtp_fixed;

typedef struct {
    const uint8_t *payload_types; /* 128: the new one of each */
    const uint8_t *identifiers;   /* 256: the new one of each, 0 to leave the element out; NULL: the block stays */
    const rtp_fixed *fixed;       /* each identifier once; none where the block stays */
    size_t fixed_count;
    uint32_t ssrc, timestamp_offset;
    uint16_t sequence_offset;
    uint8_t keep_ssrc;
} rtp_rewriting;

/* Writes everything before the payload, which `header` tells. Returns: its size, or 0 for what is rare, and Python's:
 * no RTP packet, another form than the one-byte one, what is damaged, twice there, or too long. */
size_t rtp_rewrite_head(const rtp_rewriting *rewriting, span packet, uint8_t head[RTP_HEAD_BYTES],
                        rtp_packet_header *header);

#endif
