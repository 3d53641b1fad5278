/* sources: kernel/rtp_rewrite.c kernel/rtp_header.c */
/* A header that is rewritten is a header again, with what was asked for in it and the payload where it was; the elements
 * are those that the table lets through, and the fixed ones.
 *
 * The first 16 bytes are the table of identifiers and the wishes, the rest is the packet.
 */
#include "kernel/rtp_rewrite.h"

#include "harness.h"

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const uint8_t plain[] = "\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\0"
                                   "\x91\xe0\1\2\0\0\0\3\0\0\0\4\0\0\0\5\xbe\xde\0\2\x31\1\2\x40\x61\0\0\0media";
    static const uint8_t fixed[] = "\0\x04\0\4\3\0\0\0\0\0\0\0\0\0\0\3"
                                   "\xb0\x60\1\2\0\0\0\3\0\0\0\4\xbe\xde\0\2\x31\1\2\x40\x61\0\0\0media\0\2";
    (void)room;
    memcpy(out[0], plain, sizes[0] = sizeof plain - 1);
    memcpy(out[1], fixed, sizes[1] = sizeof fixed - 1);
    return 2;
}

static void fuzz_one(span input) {
    uint8_t types[128], identifiers[256] = {0};
    rtp_fixed fixed[2] = {{3, 2, {9, 9}}, {14, RTP_ELEMENT_BYTES, {1}}};
    if (input.size < 16)
        return;
    span packet = {input.data + 16, input.size - 16};
    unsigned wishes = input.data[15];
    for (size_t i = 0; i < 128; i++)
        types[i] = (uint8_t)((i + wishes) & 127);
    for (size_t i = 1; i < 15; i++)
        identifiers[i] = input.data[i - 1] & 15;
    rtp_rewriting rewriting = {
        .payload_types = types, .identifiers = wishes & 1 ? identifiers : NULL, .fixed = fixed,
        .fixed_count = wishes & 1 ? wishes >> 1 & 3 : 0, .ssrc = 0xCAFE, .timestamp_offset = 5, .sequence_offset = 7,
        .keep_ssrc = wishes >> 3 & 1,
    };
    if (rewriting.fixed_count > 2)
        rewriting.fixed_count = 2;
    rtp_packet_header before, after;
    uint8_t *head = malloc(RTP_HEAD_BYTES);
    CHECK(head);
    size_t size = rtp_rewrite_head(&rewriting, packet, head, &before);
    CHECK(size <= RTP_HEAD_BYTES);
    if (size) {
        size_t rest = before.payload_size + before.padding;
        uint8_t *whole = malloc(size + rest);
        CHECK(whole);
        memcpy(whole, head, size);
        memcpy(whole + size, packet.data + before.payload, rest);
        CHECK(rtp_read_header((span){whole, size + rest}, &after) == 0);
        CHECK(after.payload == size && after.payload_size == before.payload_size && after.padding == before.padding);
        CHECK(after.payload_type == types[before.payload_type] && after.marker == before.marker);
        CHECK(after.sequence_number == (uint16_t)(before.sequence_number + 7));
        CHECK(after.timestamp == before.timestamp + 5 && after.csrc_count == before.csrc_count);
        CHECK(after.ssrc == (rewriting.keep_ssrc ? before.ssrc : 0xCAFE));
        span block = {whole + after.block, after.block_size};
        for (size_t i = 0; i < rewriting.fixed_count; i++) {
            rtp_element element = rtp_find_element(block, fixed[i].identifier);
            CHECK(element.found && element.plain && element.size == fixed[i].size);
            CHECK(memcmp(block.data + element.at, fixed[i].data, element.size) == 0);
        }
        free(whole);
    }
    free(head);
}
