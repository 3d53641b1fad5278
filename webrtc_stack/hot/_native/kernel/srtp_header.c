/* Walking through header extensions. */
#include "srtp_header.h"

void srtp_elements_begin(srtp_elements *elements, const uint8_t *packet, size_t csrcs_end, const srtp_ids *ids) {
    uint16_t profile = read_u16(packet + csrcs_end);
    *elements = (srtp_elements){.packet = packet, .ids = ids, .two_byte = (profile & 0xFFF0) == 0x1000};
    elements->at = elements->end = csrcs_end + 4;
    if (elements->two_byte || profile == 0xBEDE)
        elements->end += 4 * (size_t)read_u16(packet + csrcs_end + 2);
}

int srtp_elements_next(srtp_elements *elements) {
    while (elements->at < elements->end) {
        const uint8_t *element = elements->packet + elements->at;
        size_t number = element[0], size;
        if (number == 0) { /* padding between elements */
            elements->at++;
            continue;
        }
        if (elements->two_byte) {
            if (elements->at + 2 > elements->end)
                return -1;
            size = element[1];
            elements->at += 2;
        } else {
            size = (number & 0x0F) + 1;
            number >>= 4;
            elements->at++;
            if (number == 15) /* reserved: readers stop here */
                break;
        }
        if (elements->at + size > elements->end)
            return -1;
        elements->left = elements->at;
        elements->right = elements->at += size;
        if (size && elements->ids->bits[number >> 3] >> (number & 7) & 1)
            return 1;
    }
    elements->at = elements->end;
    return 0;
}

srtp_status srtp_shape_of(const uint8_t *packet, int cryptex, const srtp_ids *ids, uint8_t *shape, uint32_t *offset) {
    size_t csrcs_end = srtp_csrcs_end(packet);
    int extended = packet[0] & 0x10;
    *shape = SRTP_PLAIN;
    if (cryptex && extended) {
        uint16_t profile = read_u16(packet + csrcs_end);
        if (srtp_readable_profile(profile)) {
            *offset = (uint32_t)csrcs_end;
            return SRTP_MEANS_ENCRYPTED;
        }
        if (srtp_encrypted_profile(profile)) {
            *shape = SRTP_CRYPTEX;
            return SRTP_OK;
        }
    } else if (cryptex && csrcs_end > 12) {
        *shape = SRTP_CRYPTEX_ADDED;
        return SRTP_OK;
    }
    if (!ids->any || !extended)
        return SRTP_OK;
    srtp_elements elements;
    int found;
    srtp_elements_begin(&elements, packet, csrcs_end, ids);
    while ((found = srtp_elements_next(&elements)) > 0)
        *shape = SRTP_ELEMENTS;
    *offset = (uint32_t)elements.at;
    return found < 0 ? SRTP_CUT_SHORT : SRTP_OK;
}
