/* Bursts out: planned, run, and committed or undone as one. */
#include "srtp_context.h"

#include <stdlib.h>

/* An entry of the journal: its kind and SSRC, the number that the stream had, and its window. */
enum { STREAM_BEGAN, STREAM_MOVED, STREAM_JOINED, RTCP_BEGAN, RTCP_MOVED };
#define JOURNAL_KEPT 8192 /* words: what a larger burst took is given back */

static size_t entry_words(const srtp_context *context) {
    return 2 + context->words;
}

static int note(srtp_context *context, int kind, srtp_stream *stream) {
    size_t words = entry_words(context);
    if (context->journal_words + words > context->journal_room) {
        size_t room = 2 * (context->journal_room + words);
        uint64_t *journal = realloc(context->journal, room * sizeof *journal);
        if (journal == NULL)
            return 0;
        context->journal = journal;
        context->journal_room = room;
    }
    uint64_t *entry = context->journal + context->journal_words;
    entry[0] = (uint64_t)kind << 32 | stream->ssrc;
    entry[1] = (uint64_t)stream->top;
    if (kind == STREAM_MOVED)
        memcpy(entry + 2, stream->seen, context->words * sizeof *entry);
    context->journal_words += words;
    stream->burst = context->burst;
    return 1;
}

static void end_burst(srtp_context *context) {
    context->journal_words = 0;
    context->joined = 0;
    if (context->journal_room > JOURNAL_KEPT) {
        free(context->journal);
        context->journal = NULL;
        context->journal_room = 0;
    }
}

void srtp_commit(srtp_context *context) {
    for (size_t at = 0; context->joined && at < context->journal_words; at += entry_words(context))
        if (context->journal[at] >> 32 == STREAM_JOINED)
            srtp_table_remove(&context->joining, srtp_table_find(&context->joining, (uint32_t)context->journal[at]));
    end_burst(context);
}

void srtp_undo(srtp_context *context) {
    for (size_t at = context->journal_words; at;) {
        at -= entry_words(context);
        const uint64_t *entry = context->journal + at;
        uint32_t ssrc = (uint32_t)entry[0];
        int kind = (int)(entry[0] >> 32);
        srtp_table *table = kind >= RTCP_BEGAN      ? &context->rtcp_sent
                            : kind == STREAM_JOINED ? &context->joining
                                                    : &context->sent;
        srtp_stream *stream = srtp_table_find(table, ssrc);
        if (kind == STREAM_BEGAN || kind == RTCP_BEGAN) {
            srtp_table_remove(table, stream);
            continue;
        }
        stream->burst = 0;
        stream->top = (int64_t)entry[1];
        if (kind == STREAM_MOVED)
            memcpy(stream->seen, entry + 2, context->words * sizeof *entry);
    }
    end_burst(context);
}

/* --- RTP ---------------------------------------------------------------------------------------------------------- */

static srtp_status plan_one(srtp_context *context, srtp_item *item, srtp_stream **latest) {
    const uint8_t *packet = item->in.data;
    size_t size = item->in.size;
    if (size < 12 || size > SRTP_MAX_PACKET)
        return SRTP_MALFORMED;
    size_t head = srtp_head(packet, size);
    if (head > size)
        return SRTP_MALFORMED;
    uint16_t sequence = read_u16(packet + 2);
    uint32_t ssrc = read_u32(packet + 8);
    srtp_stream *stream = *latest;
    if (stream == NULL || stream->ssrc != ssrc)
        stream = srtp_table_find(&context->sent, ssrc);
    if (stream == NULL && context->sent.count >= context->max_ssrcs)
        return SRTP_TOO_MANY_STREAMS;
    srtp_stream *joining = context->joining.count ? srtp_table_find(&context->joining, ssrc) : NULL;
    if (joining && joining->burst == context->burst)
        joining = NULL; /* used up by an earlier packet of this burst */
    int64_t index = joining ? joining->top << 16 | sequence : srtp_guess(stream ? stream->top : -1, sequence);
    srtp_status refusal = srtp_refusal(stream, context->words, context->window, index, SRTP_INDEX_LIMIT);
    if (refusal != SRTP_OK && !(refusal == SRTP_REPLAYED && context->allow_repeats))
        return refusal;
    item->shape = SRTP_PLAIN;
    if (packet[0] & 0x1F && (context->layout.cryptex || context->layout.ids.any)) {
        srtp_status status =
            srtp_shape_of(packet, context->layout.cryptex, &context->layout.ids, &item->shape, &item->offset);
        if (status != SRTP_OK)
            return status;
    }
    if (stream == NULL) {
        if ((stream = srtp_table_add(&context->sent, ssrc)) == NULL)
            return SRTP_NO_MEMORY;
        if (!note(context, STREAM_BEGAN, stream)) {
            srtp_table_remove(&context->sent, stream);
            return SRTP_NO_MEMORY;
        }
    } else if (stream->burst != context->burst && !note(context, STREAM_MOVED, stream)) {
        return SRTP_NO_MEMORY;
    }
    if (joining) {
        if (!note(context, STREAM_JOINED, joining))
            return SRTP_NO_MEMORY;
        context->joined = 1;
    }
    srtp_accept(stream, context->words, index);
    item->index = index;
    item->head = (uint32_t)head;
    item->out_size = srtp_sealed_bytes(&context->layout, size, item->shape);
    *latest = stream;
    return SRTP_OK;
}

srtp_status srtp_plan_rtp(srtp_context *context, srtp_item *items, size_t count, size_t *failed) {
    srtp_stream *latest = NULL;
    context->burst++;
    for (size_t i = 0; i < count; i++) {
        srtp_status status = plan_one(context, &items[i], &latest);
        if (status != SRTP_OK) {
            *failed = i;
            srtp_undo(context);
            return status;
        }
    }
    return SRTP_OK;
}

srtp_status srtp_run_rtp(const srtp_context *context, srtp_item *items, size_t count) {
    for (srtp_item *item = items; item < items + count; item++) {
        srtp_status status = srtp_seal_rtp(&context->layout, context->current, item->in, item->head, item->shape,
                                           item->index, item->out);
        if (status != SRTP_OK)
            return status;
    }
    return SRTP_OK;
}

/* --- RTCP --------------------------------------------------------------------------------------------------------- */

static srtp_status plan_one_rtcp(srtp_context *context, srtp_item *item) {
    size_t size = item->in.size;
    if (size < 8 || size > SRTP_MAX_PACKET || (item->in.data[0] & 0xC0) != 0x80)
        return SRTP_MALFORMED;
    uint32_t ssrc = read_u32(item->in.data + 4);
    srtp_stream *stream = srtp_table_find(&context->rtcp_sent, ssrc);
    if (stream == NULL) {
        if ((stream = srtp_table_add(&context->rtcp_sent, ssrc)) == NULL)
            return SRTP_NO_MEMORY;
        stream->top = 0;
        if (!note(context, RTCP_BEGAN, stream)) {
            srtp_table_remove(&context->rtcp_sent, stream);
            return SRTP_NO_MEMORY;
        }
    } else if (stream->top >= SRTP_RTCP_INDEX_LIMIT) {
        return SRTP_KEY_LIMIT;
    } else if (stream->burst != context->burst && !note(context, RTCP_MOVED, stream)) {
        return SRTP_NO_MEMORY;
    }
    item->index = stream->top++ | context->rtcp_flag;
    item->out_size = size + srtp_rtcp_overhead(&context->layout);
    return SRTP_OK;
}

srtp_status srtp_plan_rtcp(srtp_context *context, srtp_item *items, size_t count, size_t *failed) {
    srtp_status status = SRTP_OK;
    size_t at = 0;
    context->burst++;
    while (at < count && (status = plan_one_rtcp(context, &items[at])) == SRTP_OK)
        at++;
    if (status == SRTP_OK && context->rtcp_sent.count > context->max_ssrcs)
        status = SRTP_TOO_MANY_STREAMS;
    if (status != SRTP_OK)
        srtp_undo(context);
    *failed = at;
    return status;
}

srtp_status srtp_run_rtcp(const srtp_context *context, srtp_item *items, size_t count) {
    for (srtp_item *item = items; item < items + count; item++) {
        srtp_status status =
            srtp_seal_rtcp(&context->layout, context->current, item->in, (uint32_t)item->index, item->out);
        if (status != SRTP_OK)
            return status;
    }
    return SRTP_OK;
}
