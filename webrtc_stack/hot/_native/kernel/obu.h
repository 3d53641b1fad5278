/* AV1's OBUs cut into RTP payloads and put together again. Spec: the AV1 RTP payload specification, sections 4.4, 4.5;
 * AV1 bitstream specification, sections 4.10.5 and 5.3. */
#ifndef WEBRTC_STACK_OBU_H
#define WEBRTC_STACK_OBU_H

#include "span.h"

#define OBU_LEB128_MAX 8

typedef struct {
    const span *elements;
    size_t count, room, size, larger, planned, made, index, at;
    int counted;
} obu_cutter;

/* OBUs without size fields, none of them empty, for payloads of at most `limit` (at least 5) bytes. */
void obu_cut_begin(obu_cutter *cutter, const span *elements, size_t count, size_t limit);

/* Writes the next payload into `limit` bytes. Returns: its size, 0 behind the last one, or -1 where it has no room. */
ptrdiff_t obu_cut_next(obu_cutter *cutter, uint8_t *out);

/* An OBU that was found: how long it is with and without its size field, and its first bytes without it. */
typedef struct {
    size_t length, stripped;
    uint8_t head[3], head_bytes;
    uint8_t kept; /* RTP carries neither delimiters nor tile lists: such are passed over */
} obu_unit;

/* Finds the OBUs of payloads that are in order and without a gap; those for which there is no `room` are counted only.
 * Returns: how many there are, or -1 for payloads that make up none. */
ptrdiff_t obu_find(const span *payloads, size_t count, obu_unit *units, size_t room);

/* Bytes of the temporal unit that kept OBUs make up, each with a size field. */
size_t obu_joined_bytes(const obu_unit *units, size_t count);

/* Writes it; `units` are what obu_find found in the same payloads. */
void obu_join(const span *payloads, size_t count, const obu_unit *units, uint8_t *out);

#endif
