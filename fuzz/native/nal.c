/* sources: kernel/nal.c */
/* Start codes are found where a plain search finds them; cuts make up the whole, and no payload is too large. */
#include "kernel/nal.h"

#include "harness.h"

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const uint8_t stream[] = {0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x68, 0, 0, 0, 0, 1, 0x65, 0, 3, 0, 0, 2, 0, 0};
    (void)room;
    memcpy(out[0], stream, sizes[0] = sizeof stream);
    memset(out[1], 7, sizes[1] = 3000);
    return 2;
}

static size_t plainly(span stream, size_t from) {
    for (size_t i = from; i + 3 <= stream.size; i++)
        if (!stream.data[i] && !stream.data[i + 1] && stream.data[i + 2] == 1)
            return i;
    return stream.size;
}

static void fuzz_one(span input) {
    for (size_t at = 0, step = 0; at <= input.size && step < 64; at = plainly(input, at) + 3, step++)
        CHECK(nal_next_start(input, at) == plainly(input, at));
    if (input.size < 4)
        return;
    size_t first_head = input.data[0] % 8, head = input.data[1] % 8, limit = input.data[2] % 64 + 1, at, parts = 1;
    even_cut cut;
    if (first_head + input.size <= limit || cut_evenly(input.size, first_head, head, limit, &cut) < 0)
        return;
    CHECK(cut.first >= 1 && cut.first + first_head <= limit);
    for (at = cut.first; at < input.size; parts++) {
        size_t size = cut.size + (parts <= cut.larger);
        CHECK(size >= 1 && size + head <= limit);
        at += size;
    }
    CHECK(at == input.size && parts == cut.count);
}
