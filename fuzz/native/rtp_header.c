/* sources: kernel/rtp_header.c */
/* The RTP header: its parts make up the packet, and each element lies in its block. */
#include "kernel/rtp_header.h"

#include "harness.h"

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const uint8_t one_byte[] = {0x91, 0xE0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0xBE, 0xDE, 0, 2,
                                       0x31, 1,    2, 0x40, 'a', 0, 0, 0, 9, 9, 9};
    static const uint8_t two_byte[] = {0xB0, 96, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x10, 0, 0, 2, 20, 3, 1, 2, 3, 0, 21, 0, 9, 1};
    (void)room;
    memcpy(out[0], one_byte, sizes[0] = sizeof one_byte);
    memcpy(out[1], two_byte, sizes[1] = sizeof two_byte);
    return 2;
}

static void fuzz_block(span block) {
    for (unsigned identifier = 0; identifier < 256; identifier++) {
        rtp_element element = rtp_find_element(block, identifier);
        CHECK(element.end <= (block.size < 4 ? 4 : block.size));
        if (element.found) {
            CHECK(element.at >= 4 && element.size <= block.size && element.at <= block.size - element.size);
            CHECK(!element.plain || (element.size > 0 && element.size <= 16 && element.end >= element.at));
        }
    }
}

static void fuzz_one(span input) {
    rtp_packet_header header;
    fuzz_block(input);
    if (rtp_read_header(input, &header) < 0)
        return;
    CHECK(header.block == 12 + 4 * (size_t)header.csrc_count);
    CHECK(header.payload == header.block + header.block_size);
    CHECK(header.payload + header.payload_size + header.padding == input.size);
    fuzz_block((span){input.data + header.block, header.block_size});
}
