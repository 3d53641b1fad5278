/* The header of an RTP packet, and where the elements of its extension block are. Spec: RFC 3550 5.1; RFC 8285 4. */
#ifndef WEBRTC_STACK_RTP_HEADER_H
#define WEBRTC_STACK_RTP_HEADER_H

#include "span.h"

#define RTP_LAYOUT_BYTES 242 /* a longer block repeats an identifier, or is padded beyond reason */

typedef struct {
    uint32_t timestamp, ssrc;
    uint16_t sequence_number;
    uint8_t marker, payload_type, csrc_count, padding;
    size_t block, block_size;     /* the extension block with the four bytes in front; size 0: none */
    size_t payload, payload_size; /* without padding */
} rtp_packet_header;

typedef struct {
    size_t at, size, end; /* the element, and where the last element of the block ends */
    int found, plain;     /* plain: of the one-byte form, undamaged, each identifier once */
} rtp_element;

/* Returns: 0, or -1 for what is no RTP packet. */
int rtp_read_header(span packet, rtp_packet_header *header);

/* The element `identifier` of a block with its four bytes in front (or an empty one); of several the last counts. */
rtp_element rtp_find_element(span block, unsigned identifier);

#endif
