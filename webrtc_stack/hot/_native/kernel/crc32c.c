/* CRC32c: by the processor's instruction where it has one, else eight table look-ups for eight bytes.
 *
 * The instruction takes three cycles and can be started every cycle, so long runs are cut into three lanes that go side
 * by side. A lane's sum is carried over the n bytes behind it by multiplying with x^8n. In bit-reversed numbers a
 * carry-less product comes out multiplied by x, and the instruction multiplies what it reduces by x^32: hence x^(8n-33).
 */
#include "crc32c.h"

#define POLYNOMIAL 0x82F63B78u /* bit-reversed */
#define LANE 128

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86 1
#include <immintrin.h>
#endif

static uint32_t power_of_x(unsigned n) {
    uint32_t value = 0x80000000u;
    for (; n; n--)
        value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
    return value;
}

void crc32c_prepare(crc32c_tables *tables) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
        tables->slices[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = tables->slices[slice - 1][byte];
            tables->slices[slice][byte] = before >> 8 ^ tables->slices[0][before & 0xFF];
        }
    tables->join_one = power_of_x(8 * LANE - 33);
    tables->join_two = power_of_x(16 * LANE - 33);
#ifdef HAS_X86
    tables->hardware = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
#else
    tables->hardware = 0;
#endif
}

static uint32_t by_tables(const crc32c_tables *tables, uint32_t crc, const uint8_t *at, size_t size) {
    const uint32_t(*slices)[256] = tables->slices;
    for (; size >= 8; at += 8, size -= 8) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = slices[7][crc & 0xFF] ^ slices[6][crc >> 8 & 0xFF] ^ slices[5][crc >> 16 & 0xFF] ^ slices[4][crc >> 24] ^
              slices[3][at[4]] ^ slices[2][at[5]] ^ slices[1][at[6]] ^ slices[0][at[7]];
    }
    for (; size; size--)
        crc = crc >> 8 ^ slices[0][(crc ^ *at++) & 0xFF];
    return crc;
}

#ifdef HAS_X86
static inline uint64_t load(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t carried(uint32_t crc, uint32_t join) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)join), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t by_instruction(const crc32c_tables *tables, uint32_t crc,
                                                                        const uint8_t *at, size_t size) {
    uint64_t first = crc;
    for (; size >= 3 * LANE; at += 3 * LANE, size -= 3 * LANE) {
        uint64_t second = 0, third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            first = _mm_crc32_u64(first, load(at + i));
            second = _mm_crc32_u64(second, load(at + LANE + i));
            third = _mm_crc32_u64(third, load(at + 2 * LANE + i));
        }
        first = carried((uint32_t)first, tables->join_two) ^ carried((uint32_t)second, tables->join_one) ^ third;
    }
    for (; size >= 8; at += 8, size -= 8)
        first = _mm_crc32_u64(first, load(at));
    for (; size; size--)
        first = _mm_crc32_u8((uint32_t)first, *at++);
    return (uint32_t)first;
}
#endif

uint32_t crc32c_update(const crc32c_tables *tables, uint32_t crc, span bytes) {
    crc = ~crc;
#ifdef HAS_X86
    if (tables->hardware)
        return ~by_instruction(tables, crc, bytes.data, bytes.size);
#endif
    return ~by_tables(tables, crc, bytes.data, bytes.size);
}
