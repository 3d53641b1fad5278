/* CRC32c, the checksum of SCTP. Spec: RFC 9260 appendix A. */
#ifndef WEBRTC_STACK_CRC32C_H
#define WEBRTC_STACK_CRC32C_H

#include "span.h"

typedef struct {
    uint32_t slices[8][256];
    uint32_t join_one, join_two; /* x^(8n-33) for one and for two lanes: see crc32c.c */
    int hardware;                /* whether this processor has the instruction, and a carry-less product */
} crc32c_tables;

/* Works out the tables: once, before anything else. */
void crc32c_prepare(crc32c_tables *tables);

/* The checksum of what `crc` is the checksum of, followed by `bytes`. */
uint32_t crc32c_update(const crc32c_tables *tables, uint32_t crc, span bytes);

#endif
