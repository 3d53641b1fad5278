/* NAL units out of RTP payloads: alone, several in one, one over several. Spec: RFC 6184 5.6-5.8; RFC 7798 4.4. */
#ifndef WEBRTC_STACK_NAL_JOIN_H
#define WEBRTC_STACK_NAL_JOIN_H

#include "span.h"

#define NAL_START_BIT 0x80
#define NAL_END_BIT 0x40
#define NAL_START_CODE 4 /* bytes: 00 00 00 01 */

/* The numbers of one format. The type of a unit is `header[0] >> shift & mask`. */
typedef struct {
    uint32_t header_bytes, shift, mask, lowest_type, first_own_type, aggregate, fragment;
} nal_layout;

/* A unit of the stream: where it begins behind its start code, and its type. */
typedef struct {
    size_t place;
    uint32_t kind;
} nal_unit;

typedef struct {
    uint8_t *out;    /* room for `size` bytes, or NULL: then only sizes are counted */
    nal_unit *units; /* room for `count`, or NULL */
    size_t size, count;
} nal_stream;

/* Writes, or measures, the byte stream of payloads that are in order and without a gap; `size` and `count` become what
 * it takes. Returns: 0, or -1 for payloads that make up no units. */
int nal_join(const nal_layout *layout, const span *payloads, size_t count, nal_stream *stream);

#endif
