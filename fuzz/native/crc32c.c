/* sources: kernel/crc32c.c */
/* CRC32c: instruction and tables agree, wherever the bytes are cut. */
#include "kernel/crc32c.h"

#include "harness.h"

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const size_t lengths[] = {0, 1, 7, 8, 9, 127, 128, 383, 384, 385, 768, 1200, 4096};
    size_t count = sizeof lengths / sizeof *lengths;
    for (size_t i = 0; i < count && i < room; i++) {
        sizes[i] = lengths[i];
        for (size_t j = 0; j < lengths[i]; j++)
            out[i][j] = (uint8_t)(j * 31 + i);
    }
    return count;
}

static void fuzz_one(span input) {
    static crc32c_tables quick, plain;
    static int ready;
    if (!ready) {
        crc32c_prepare(&quick);
        plain = quick;
        plain.hardware = 0;
        ready = 1;
    }
    uint32_t whole = crc32c_update(&quick, 0, input);
    CHECK(whole == crc32c_update(&plain, 0, input));
    size_t cut = input.size ? input.data[0] * input.size / 256 : 0;
    uint32_t first = crc32c_update(&plain, 0, (span){input.data, cut});
    CHECK(whole == crc32c_update(&quick, first, (span){input.data + cut, input.size - cut}));
}
