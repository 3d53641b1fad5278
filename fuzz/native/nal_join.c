/* sources: kernel/nal_join.c */
/* Payloads of H.264 and H.265 become a byte stream of just the size that was measured, with a start code before every
 * unit, or are refused.
 *
 * The first byte chooses the format; each payload is led by its length.
 */
#include "kernel/nal_join.h"

#include "harness.h"

#define MAX_PARTS 64

static const nal_layout layouts[] = {{1, 0, 0x1F, 1, 24, 24, 28}, {2, 1, 0x3F, 0, 48, 48, 49}};

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const uint8_t avc[] = "\0\3\x65\x88\x01\4\x7c\x85\x11\x22\3\x7c\x05\x33\3\x7c\x45\x44\7\x78\0\1\x67\0\1\x68";
    static const uint8_t hevc[] = "\1\3\x26\1\xa0\4\x62\1\x93\x11\4\x62\1\x13\x22\4\x62\1\x53\x33\x0a\x60\1\0\2\x40\1\0\2\x42\1";
    (void)room;
    memcpy(out[0], avc, sizes[0] = sizeof avc - 1);
    memcpy(out[1], hevc, sizes[1] = sizeof hevc - 1);
    return 2;
}

static void fuzz_one(span input) {
    span parts[MAX_PARTS];
    size_t count = 0, at = 1;
    if (input.size < 2)
        return;
    const nal_layout *layout = &layouts[input.data[0] & 1];
    while (at < input.size && count < MAX_PARTS) {
        size_t size = input.data[at++];
        if (size > input.size - at)
            size = input.size - at;
        parts[count++] = (span){input.data + at, size};
        at += size;
    }
    nal_stream measured = {NULL, NULL, 0, 0};
    if (nal_join(layout, parts, count, &measured) < 0)
        return;
    /* Memory of just that size: a byte too many is seen. */
    uint8_t *out = malloc(measured.size + !measured.size);
    nal_unit *units = malloc((measured.count + !measured.count) * sizeof *units);
    CHECK(out && units);
    nal_stream written = {out, units, 0, 0};
    CHECK(nal_join(layout, parts, count, &written) == 0);
    CHECK(written.size == measured.size && written.count == measured.count);
    for (size_t i = 0; i < written.count; i++) {
        size_t place = units[i].place;
        CHECK(place >= NAL_START_CODE && place < written.size);
        CHECK(i == 0 ? place == NAL_START_CODE : place > units[i - 1].place + NAL_START_CODE);
        CHECK(memcmp(out + place - NAL_START_CODE, "\0\0\0\1", NAL_START_CODE) == 0);
        CHECK(units[i].kind == ((uint32_t)out[place] >> layout->shift & layout->mask));
    }
    free(units);
    free(out);
}
