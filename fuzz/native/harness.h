/* Drives one kernel with seeded mutations, under the sanitizers, without Python.
 *
 * A target defines `fuzz_one` and `seeds`; `main` is here:  target [count [seed]] [file ...]
 * Files are replayed before the mutations. An input lies in memory of exactly its size, so that a read beyond it is
 * seen. `fuzz_one` asserts with CHECK; what fails is written to the file that the environment names in KEEP.
 */
#ifndef WEBRTC_STACK_FUZZ_HARNESS_H
#define WEBRTC_STACK_FUZZ_HARNESS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/span.h"

#define MAX_INPUT 4096

static void fuzz_one(span input);
static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t room);

static const uint8_t *present;
static size_t present_size;

static void keep_present(void) {
    const char *path = getenv("KEEP");
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(present, 1, present_size, file);
        fclose(file);
    }
}

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            keep_present();                                                                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The sanitizers call this before they end the process. */
void __asan_on_error(void);
void __asan_on_error(void) {
    keep_present();
}

static uint64_t chance_state;

static uint64_t chance(void) { /* splitmix64 */
    uint64_t z = chance_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t below(size_t limit) {
    return limit ? (size_t)(chance() % limit) : 0;
}

static void run(const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    present = exact;
    present_size = size;
    fuzz_one((span){exact, size});
    free(exact);
}

static size_t mutate(uint8_t *data, size_t size) {
    static const uint8_t edges[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 192, 223, 224, 252, 254, 255};
    for (size_t times = 1 + below(4); times; times--) {
        size_t at = below(size);
        switch (below(7)) {
        case 0: if (size) data[at] ^= (uint8_t)(1u << below(8)); break;
        case 1: if (size) data[at] = edges[below(sizeof edges)]; break;
        case 2: if (size) data[at] = (uint8_t)chance(); break;
        case 3: size = at; break;
        case 4: /* insert */
            if (size < MAX_INPUT) {
                memmove(data + at + 1, data + at, size - at);
                data[at] = (uint8_t)chance();
                size++;
            }
            break;
        case 5: /* take out */
            if (size) {
                size_t gone = 1 + below(size - at < 16 ? size - at : 16);
                memmove(data + at, data + at + gone, size - at - gone);
                size -= gone;
            }
            break;
        default: /* repeat a part */
            if (size) {
                size_t length = 1 + below(size - at < 32 ? size - at : 32);
                if (size + length <= MAX_INPUT) {
                    memmove(data + at + length, data + at, size - at);
                    size += length;
                }
            }
        }
    }
    return size;
}

int main(int count, char **arguments) {
    static uint8_t kept[256][MAX_INPUT];
    static size_t sizes[256];
    static uint8_t work[MAX_INPUT];
    unsigned long times = count > 1 ? strtoul(arguments[1], NULL, 10) : 10000;
    chance_state = count > 2 ? strtoul(arguments[2], NULL, 10) : 1;
    size_t have = seeds(kept, sizes, 128);
    for (int i = 3; i < count && have < 256; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (!file)
            continue;
        sizes[have] = fread(kept[have], 1, MAX_INPUT, file);
        fclose(file);
        have++;
    }
    for (size_t i = 0; i < have; i++)
        run(kept[i], sizes[i]);
    for (unsigned long i = 0; i < times; i++) {
        size_t from = below(have);
        memcpy(work, kept[from], sizes[from]);
        run(work, mutate(work, sizes[from]));
    }
    printf("%lu mutations of %zu inputs\n", times, have);
    return 0;
}

#endif
