/* The table of streams: a hash table for looking up, a list for the order. */
#include "srtp_streams.h"

#include <stdlib.h>

#define FIRST_SLOTS 8

void srtp_table_open(srtp_table *table, size_t words) {
    memset(table, 0, sizeof *table);
    table->words = words;
}

void srtp_table_close(srtp_table *table) {
    for (srtp_stream *stream = table->oldest, *next; stream; stream = next) {
        next = stream->newer;
        free(stream);
    }
    free(table->slots);
    memset(table, 0, sizeof *table);
}

static inline size_t home(const srtp_table *table, uint32_t ssrc) {
    return (size_t)((uint64_t)ssrc * 0x9E3779B97F4A7C15u >> 32) & table->mask;
}

static size_t slot_of(const srtp_table *table, uint32_t ssrc) {
    size_t slot = home(table, ssrc);
    while (table->slots[slot] && table->slots[slot]->ssrc != ssrc)
        slot = (slot + 1) & table->mask;
    return slot;
}

srtp_stream *srtp_table_search(const srtp_table *table, uint32_t ssrc) {
    return table->slots ? table->slots[slot_of(table, ssrc)] : NULL;
}

static int grow(srtp_table *table) {
    size_t size = table->slots ? 2 * (table->mask + 1) : FIRST_SLOTS;
    srtp_stream **slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return 0;
    free(table->slots);
    table->slots = slots;
    table->mask = size - 1;
    for (srtp_stream *stream = table->oldest; stream; stream = stream->newer)
        slots[slot_of(table, stream->ssrc)] = stream;
    return 1;
}

static void link_newest(srtp_table *table, srtp_stream *stream) {
    stream->newer = NULL;
    stream->older = table->newest;
    if (table->newest)
        table->newest->newer = stream;
    else
        table->oldest = stream;
    table->newest = stream;
}

static void unlink_stream(srtp_table *table, srtp_stream *stream) {
    if (stream->older)
        stream->older->newer = stream->newer;
    else
        table->oldest = stream->newer;
    if (stream->newer)
        stream->newer->older = stream->older;
    else
        table->newest = stream->older;
}

srtp_stream *srtp_table_add(srtp_table *table, uint32_t ssrc) {
    if ((table->slots == NULL || 2 * (table->count + 1) > table->mask + 1) && !grow(table))
        return NULL;
    srtp_stream *stream = calloc(1, sizeof *stream + table->words * sizeof *stream->seen);
    if (stream == NULL)
        return NULL;
    stream->ssrc = ssrc;
    stream->top = -1;
    table->slots[slot_of(table, ssrc)] = stream;
    table->count++;
    link_newest(table, stream);
    return stream;
}

void srtp_table_remove(srtp_table *table, srtp_stream *stream) {
    size_t hole = slot_of(table, stream->ssrc), slot = hole;
    for (;;) { /* those behind it that would not be found across the hole move up */
        slot = (slot + 1) & table->mask;
        if (table->slots[slot] == NULL)
            break;
        size_t wanted = home(table, table->slots[slot]->ssrc);
        if (((slot - wanted) & table->mask) >= ((slot - hole) & table->mask)) {
            table->slots[hole] = table->slots[slot];
            hole = slot;
        }
    }
    table->slots[hole] = NULL;
    table->count--;
    unlink_stream(table, stream);
    free(stream);
}

void srtp_table_touch(srtp_table *table, srtp_stream *stream) {
    if (stream == table->newest)
        return;
    unlink_stream(table, stream);
    link_newest(table, stream);
}

void srtp_forget(srtp_stream *stream, size_t words, int64_t index) {
    if (index - stream->top >= (int64_t)(64 * words)) {
        memset(stream->seen, 0, words * sizeof *stream->seen);
        return;
    }
    for (int64_t at = stream->top + 1; at <= index;) {
        uint64_t *word = &stream->seen[(size_t)(at >> 6) & (words - 1)];
        if ((at & 63) == 0 && index - at >= 63) {
            *word = 0;
            at += 64;
        } else {
            *word &= ~((uint64_t)1 << (at & 63));
            at++;
        }
    }
}
