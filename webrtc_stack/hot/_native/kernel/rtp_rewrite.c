#include "rtp_rewrite.h"

static const rtp_fixed *fixed_of(const rtp_rewriting *rewriting, unsigned identifier) {
    for (size_t i = 0; i < rewriting->fixed_count; i++)
        if (rewriting->fixed[i].identifier == identifier)
            return &rewriting->fixed[i];
    return NULL;
}

static size_t put(uint8_t *out, unsigned identifier, const uint8_t *data, size_t size) {
    out[0] = (uint8_t)(identifier << 4 | (size - 1));
    memcpy(out + 1, data, size);
    return size + 1;
}

/* The elements behind the four bytes of a block. Returns: 0 if there is something rare in it. */
static int rewrite_elements(const rtp_rewriting *rewriting, span block, uint8_t *out, size_t *written) {
    unsigned seen = 0, seen_before = 0;
    size_t at = 4, to = 0;
    while (at < block.size) {
        unsigned first = block.data[at++], identifier = first >> 4;
        size_t size = (first & 15) + 1;
        if (first == 0)
            continue; /* padding */
        if (identifier == 0 || identifier == 15 || size > block.size - at || (seen_before >> identifier & 1))
            return 0;
        seen_before |= 1u << identifier;
        unsigned now = rewriting->identifiers[identifier];
        if (now > 14 || (now && seen >> now & 1))
            return 0;
        if (now) {
            const rtp_fixed *fixed = fixed_of(rewriting, now);
            seen |= 1u << now;
            to += fixed ? put(out + to, now, fixed->data, fixed->size) : put(out + to, now, block.data + at, size);
        }
        at += size;
    }
    for (size_t i = 0; i < rewriting->fixed_count; i++) {
        const rtp_fixed *fixed = &rewriting->fixed[i];
        if (!(seen >> fixed->identifier & 1))
            to += put(out + to, fixed->identifier, fixed->data, fixed->size);
    }
    *written = to;
    return 1;
}

size_t rtp_rewrite_head(const rtp_rewriting *rewriting, span packet, uint8_t head[RTP_HEAD_BYTES],
                        rtp_packet_header *header) {
    if (rtp_read_header(packet, header) < 0)
        return 0;
    span block = {packet.data + header->block, header->block_size};
    size_t at = header->block, written = 0;
    memcpy(head, packet.data, at);
    head[1] = (uint8_t)(header->marker << 7 | rewriting->payload_types[header->payload_type]);
    write_u16(head + 2, (uint16_t)(header->sequence_number + rewriting->sequence_offset));
    write_u32(head + 4, header->timestamp + rewriting->timestamp_offset);
    if (!rewriting->keep_ssrc)
        write_u32(head + 8, rewriting->ssrc);
    if (rewriting->identifiers == NULL) {
        if (block.size > RTP_BLOCK_BYTES)
            return 0;
        memcpy(head + at, block.data, block.size);
        return at + block.size;
    }
    if (block.size && read_u16(block.data) != 0xBEDE)
        return 0;
    if (!rewrite_elements(rewriting, block, head + at + 4, &written))
        return 0;
    head[0] = (uint8_t)(written ? head[0] | 0x10 : head[0] & ~0x10);
    if (written == 0)
        return at;
    while (written & 3)
        head[at + 4 + written++] = 0;
    write_u16(head + at, 0xBEDE);
    write_u16(head + at + 2, (uint16_t)(written / 4));
    return at + 4 + written;
}
