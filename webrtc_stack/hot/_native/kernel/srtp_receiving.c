/* Bursts in: packet by packet, and nothing moves for one that is refused. */
#include "srtp_context.h"

size_t srtp_rtp_room(const srtp_context *context, size_t size) {
    size_t trailer = srtp_rtp_trailer(&context->layout);
    return size >= trailer + 12 && size <= trailer + SRTP_MAX_PACKET ? size - trailer : 0;
}

size_t srtp_rtcp_room(const srtp_context *context, size_t size) {
    size_t overhead = srtp_rtcp_overhead(&context->layout);
    return size >= overhead + 8 && size <= overhead + SRTP_MAX_PACKET ? size - overhead : 0;
}

/* The key that a packet names; `behind` bytes follow its identifier. */
static const srtp_key *named_key(const srtp_context *context, span packet, size_t behind) {
    size_t mki_bytes = context->layout.mki_bytes;
    if (mki_bytes == 0)
        return context->current;
    const uint8_t *mki = packet.data + packet.size - behind - mki_bytes;
    if (memcmp(context->current->mki, mki, mki_bytes) == 0)
        return context->current;
    return srtp_find_key(context, mki);
}

/* Takes note of an authentic packet, and of its stream as the one heard last. Past the limit the one unheard for
 * longest is forgotten. */
static srtp_status heard(srtp_context *context, srtp_table *table, srtp_stream *stream, uint32_t ssrc, int64_t index) {
    if (stream) {
        srtp_table_touch(table, stream);
    } else {
        if ((stream = srtp_table_add(table, ssrc)) == NULL)
            return SRTP_NO_MEMORY;
        if (table->count > context->max_ssrcs) {
            srtp_table_remove(table, table->oldest);
            context->evicted++;
        }
    }
    srtp_accept(stream, context->words, index);
    return SRTP_OK;
}

static srtp_status open_rtp(srtp_context *context, srtp_item *item) {
    const uint8_t *packet = item->in.data;
    if (item->out == NULL)
        return SRTP_MALFORMED;
    size_t head = srtp_head(packet, item->out_size);
    if (head > item->out_size)
        return SRTP_MALFORMED;
    int gcm = context->layout.profile->cipher == SRTP_GCM;
    const srtp_key *key = named_key(context, item->in, gcm ? 0 : context->layout.profile->rtp_tag_bytes);
    if (key == NULL)
        return SRTP_UNKNOWN_KEY;
    uint16_t sequence = read_u16(packet + 2);
    uint32_t ssrc = read_u32(packet + 8);
    srtp_stream *stream = srtp_table_find(&context->received, ssrc);
    srtp_stream *joining = context->joining.count ? srtp_table_find(&context->joining, ssrc) : NULL;
    int64_t index = joining ? joining->top << 16 | sequence : srtp_guess(stream ? stream->top : -1, sequence);
    srtp_status status = srtp_refusal(stream, context->words, context->window, index, SRTP_INDEX_LIMIT);
    if (status == SRTP_OK)
        status = srtp_open_rtp(&context->layout, key, item->in, head, index, item->out);
    if (status == SRTP_OK)
        status = heard(context, &context->received, stream, ssrc, index);
    if (status == SRTP_OK && joining)
        srtp_table_remove(&context->joining, joining);
    return status;
}

void srtp_run_open_rtp(srtp_context *context, srtp_item *items, size_t count) {
    for (srtp_item *item = items; item < items + count; item++)
        item->status = (uint8_t)open_rtp(context, item);
}

static srtp_status open_rtcp(srtp_context *context, srtp_item *item) {
    const srtp_layout *layout = &context->layout;
    const uint8_t *packet = item->in.data;
    if (item->out == NULL || (packet[0] & 0xC0) != 0x80)
        return SRTP_MALFORMED;
    int gcm = layout->profile->cipher == SRTP_GCM;
    size_t behind = gcm ? 0 : layout->profile->rtcp_tag_bytes;
    const srtp_key *key = named_key(context, item->in, behind);
    if (key == NULL)
        return SRTP_UNKNOWN_KEY;
    uint32_t ssrc = read_u32(packet + 4);
    uint32_t word = read_u32(packet + item->in.size - behind - layout->mki_bytes - 4);
    int64_t index = word & ~SRTP_E_BIT;
    srtp_stream *stream = srtp_table_find(&context->rtcp_received, ssrc);
    srtp_status status = srtp_refusal(stream, context->words, context->window, index, SRTP_RTCP_INDEX_LIMIT);
    if (status == SRTP_OK)
        status = srtp_open_rtcp(layout, key, item->in, word, item->out);
    if (status == SRTP_OK)
        status = heard(context, &context->rtcp_received, stream, ssrc, index);
    return status;
}

void srtp_run_open_rtcp(srtp_context *context, srtp_item *items, size_t count) {
    for (srtp_item *item = items; item < items + count; item++)
        item->status = (uint8_t)open_rtcp(context, item);
}
