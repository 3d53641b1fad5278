/* Streams by SSRC, and the replay window of each. Spec: RFC 3711 sections 3.3.1 (the guess), 3.3.2 (replay).
 *
 * A window is a ring of bits, as many as the next power of two: index n is bit n of it. What has left the window may
 * linger there until its bit is taken again, which is when the top comes by.
 */
#ifndef WEBRTC_STACK_SRTP_STREAMS_H
#define WEBRTC_STACK_SRTP_STREAMS_H

#include "span.h"

typedef enum {
    SRTP_OK,
    SRTP_MALFORMED, /* these six in the order of the members of `Refused` */
    SRTP_BAD_TAG,
    SRTP_UNKNOWN_KEY,
    SRTP_REPLAYED,
    SRTP_TOO_OLD,
    SRTP_KEY_LIMIT,
    SRTP_TOO_MANY_STREAMS,
    SRTP_MEANS_ENCRYPTED, /* an extension profile that would read as ciphertext on the other side */
    SRTP_CUT_SHORT,       /* an extension element */
    SRTP_NO_MEMORY,
    SRTP_FAILED, /* libcrypto */
} srtp_status;

typedef struct srtp_stream {
    struct srtp_stream *older, *newer;
    int64_t top; /* the highest index taken, -1 for none; in tables without windows the number that they keep */
    uint64_t burst;
    uint32_t ssrc;
    uint64_t seen[];
} srtp_stream;

typedef struct {
    srtp_stream **slots; /* a power of two, open addressing, at most half full */
    size_t mask, count;
    srtp_stream *oldest, *newest;
    size_t words; /* of a window */
} srtp_table;

void srtp_table_open(srtp_table *table, size_t words);
void srtp_table_close(srtp_table *table);
srtp_stream *srtp_table_search(const srtp_table *table, uint32_t ssrc);

/* Returns: a stream, newest of all, whose top is -1; NULL if there is no memory. */
srtp_stream *srtp_table_add(srtp_table *table, uint32_t ssrc);
void srtp_table_remove(srtp_table *table, srtp_stream *stream);
void srtp_table_touch(srtp_table *table, srtp_stream *stream); /* makes it the newest */

static inline srtp_stream *srtp_table_find(const srtp_table *table, uint32_t ssrc) {
    srtp_stream *newest = table->newest; /* mostly the one that is asked for */
    return newest && newest->ssrc == ssrc ? newest : srtp_table_search(table, ssrc);
}

/* The index nearest to `top` that ends in `sequence`. Before the first rollover nothing is older than index 0. */
static inline int64_t srtp_guess(int64_t top, uint16_t sequence) {
    int64_t delta = (int64_t)sequence - (top & 0xFFFF);
    if (delta > 0x8000)
        delta -= 0x10000;
    else if (delta < -0x8000)
        delta += 0x10000;
    int64_t index = top + delta;
    return index >= 0 ? index : index + 0x10000;
}

static inline size_t srtp_window_words(size_t packets) {
    size_t words = 1;
    while (64 * words < packets)
        words *= 2;
    return words;
}

static inline int srtp_was_seen(const srtp_stream *stream, size_t words, int64_t index) {
    return (int)(stream->seen[(size_t)(index >> 6) & (words - 1)] >> (index & 63) & 1);
}

/* Why `index` may not be taken (again), or SRTP_OK. A stream that is not there yet is NULL. */
static inline srtp_status srtp_refusal(const srtp_stream *stream, size_t words, size_t packets, int64_t index,
                                       int64_t limit) {
    int64_t top = stream ? stream->top : -1;
    if (index > top)
        return index < limit ? SRTP_OK : SRTP_KEY_LIMIT;
    if (top - index >= (int64_t)packets)
        return SRTP_TOO_OLD;
    return srtp_was_seen(stream, words, index) ? SRTP_REPLAYED : SRTP_OK;
}

void srtp_forget(srtp_stream *stream, size_t words, int64_t index); /* clears what lies between top and `index` */

/* Takes note of an index that `srtp_refusal` let through; a repeated one changes nothing. */
static inline void srtp_accept(srtp_stream *stream, size_t words, int64_t index) {
    if (index > stream->top) {
        if (index > stream->top + 1)
            srtp_forget(stream, words, index);
        stream->top = index;
    }
    stream->seen[(size_t)(index >> 6) & (words - 1)] |= (uint64_t)1 << (index & 63);
}

#endif
