/* RTP headers as far as SRTP needs them: where they end, what of them is encrypted.
 *
 * Spec: RFC 3550 sections 5.1, 5.3.1; RFC 6904 section 4; RFC 9335 section 5.
 */
#ifndef WEBRTC_STACK_SRTP_HEADER_H
#define WEBRTC_STACK_SRTP_HEADER_H

#include "srtp_streams.h"

#define SRTP_MAX_PACKET 65535

/* What is encrypted of a packet beside its payload. */
typedef enum {
    SRTP_PLAIN,
    SRTP_ELEMENTS,      /* chosen extension elements */
    SRTP_CRYPTEX,       /* CSRCs and the extension's body */
    SRTP_CRYPTEX_ADDED, /* CSRCs, behind which an empty extension comes to stand that says so */
} srtp_shape;

typedef struct {
    uint8_t bits[32]; /* the ids of the elements that are encrypted */
    int any;
} srtp_ids;

/* The elements of an extension body whose data is encrypted, one after the other. */
typedef struct {
    const uint8_t *packet;
    const srtp_ids *ids;
    size_t at, end;
    int two_byte;
    size_t left, right; /* where the data of the latest lies */
} srtp_elements;

/* Where CSRCs and header extension end; more than `end` if the packet (which has at least 12 bytes) is shorter than
 * they say, or not RTP. */
static inline size_t srtp_head(const uint8_t *packet, size_t end) {
    if ((packet[0] & 0xC0) != 0x80)
        return end + 1;
    size_t head = 12 + 4 * (size_t)(packet[0] & 0x0F);
    if (!(packet[0] & 0x10))
        return head;
    if (head + 4 > end)
        return end + 1;
    return head + 4 + 4 * (size_t)read_u16(packet + head + 2);
}

static inline size_t srtp_csrcs_end(const uint8_t *packet) {
    return 12 + 4 * (size_t)(packet[0] & 0x0F);
}

/* Begins with the extension at `csrcs_end`, which is wholly there. */
void srtp_elements_begin(srtp_elements *elements, const uint8_t *packet, size_t csrcs_end, const srtp_ids *ids);

/* Returns: 1 for a further one, 0 behind the last, -1 if one is cut short (at `at`). */
int srtp_elements_next(srtp_elements *elements);

/* How a packet that is wholly there is protected. On failure `offset` is where what cannot be sent stands. */
srtp_status srtp_shape_of(const uint8_t *packet, int cryptex, const srtp_ids *ids, uint8_t *shape, uint32_t *offset);

/* The extension profile that `profile` stands for when all is encrypted, or the other way round; 0 if there is none. */
static inline uint16_t srtp_encrypted_profile(uint16_t profile) {
    return profile == 0xBEDE ? 0xC0DE : profile == 0x1000 ? 0xC2DE : 0;
}

static inline uint16_t srtp_readable_profile(uint16_t profile) {
    return profile == 0xC0DE ? 0xBEDE : profile == 0xC2DE ? 0x1000 : 0;
}

#endif
