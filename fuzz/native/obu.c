/* sources: kernel/obu.c */
/* Payloads of AV1 become a temporal unit of just the size that was measured, or are refused; and what is cut, whatever
 * its OBUs and the limit, comes back.
 *
 * The first two bytes choose the limit and what the rest is; each part of it is led by its length.
 */
#include "kernel/obu.h"

#include "harness.h"

#define MAX_PARTS 64

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room) {
    static const uint8_t payloads[] = "\0\0\5\x18\x0a\1\x30\7\4\x50\x30\x11\x22\3\x90\x33\x44\6\x20\2\x34\x20\x30\x55";
    static const uint8_t obus[] = "\x09\1\4\x08\0\0\0\7\x30\1\2\3\4\5\6\3\x34\x20\x99";
    (void)room;
    memcpy(out[0], payloads, sizes[0] = sizeof payloads - 1);
    memcpy(out[1], obus, sizes[1] = sizeof obus - 1);
    memset(out[2], 0x30, sizes[2] = 1500);
    return 3;
}

/* The unit that payloads make, in memory of just its size. Returns: NULL if they are refused. */
static uint8_t *joined(const span *parts, size_t count, obu_unit *units, size_t *found, size_t *size) {
    ptrdiff_t number = obu_find(parts, count, NULL, 0);
    if (number < 0)
        return NULL;
    obu_unit *exactly = malloc(((size_t)number + !number) * sizeof *exactly);
    CHECK(exactly && (size_t)number <= MAX_INPUT);
    CHECK(obu_find(parts, count, exactly, (size_t)number) == number);
    *found = (size_t)number;
    *size = obu_joined_bytes(exactly, *found);
    uint8_t *out = malloc(*size + !*size);
    CHECK(out);
    obu_join(parts, count, exactly, out);
    memcpy(units, exactly, *found * sizeof *exactly);
    free(exactly);
    return out;
}

static void cut_and_join(const span *elements, size_t count, size_t limit) {
    static uint8_t payloads[MAX_INPUT][260];
    static span parts[MAX_INPUT];
    static obu_unit units[MAX_INPUT];
    size_t made = 0;
    obu_cutter cutter;
    obu_cut_begin(&cutter, elements, count, limit);
    for (;;) {
        uint8_t *exactly = malloc(limit);
        CHECK(exactly && made < MAX_INPUT);
        ptrdiff_t size = obu_cut_next(&cutter, exactly);
        CHECK(size <= (ptrdiff_t)limit);
        if (size > 0)
            memcpy(payloads[made], exactly, (size_t)size);
        free(exactly);
        if (size < 0)
            return;
        if (size == 0)
            break;
        CHECK(size >= 2);
        parts[made] = (span){payloads[made], (size_t)size};
        made++;
    }
    size_t found, size, kept = 0;
    uint8_t *out = joined(parts, made, units, &found, &size);
    int sized = 0; /* an element with a size field of its own may be refused, or come back without it */
    for (size_t i = 0; i < count; i++)
        sized |= elements[i].data[0] & 0x02 || (elements[i].data[0] & 0x04 && elements[i].size < 2);
    CHECK(out || sized);
    if (out && !sized) {
        CHECK(found == count);
        for (size_t i = 0; i < count; i++) {
            CHECK(units[i].length == elements[i].size && units[i].stripped == 0);
            kept += units[i].kept ? elements[i].size : 0;
        }
        CHECK(size >= kept);
    }
    free(out);
}

static void fuzz_one(span input) {
    static obu_unit units[MAX_INPUT];
    span parts[MAX_PARTS];
    size_t count = 0, at = 2;
    if (input.size < 3)
        return;
    while (at < input.size && count < MAX_PARTS) {
        size_t size = input.data[at++];
        if (size > input.size - at)
            size = input.size - at;
        if (input.data[1] & 1 && size == 0)
            continue; /* no OBU is empty */
        parts[count++] = (span){input.data + at, size};
        at += size;
    }
    size_t found, size;
    if (input.data[1] & 1) {
        if (count)
            cut_and_join(parts, count, 5 + input.data[0] % 250);
    } else {
        free(joined(parts, count, units, &found, &size));
    }
}
