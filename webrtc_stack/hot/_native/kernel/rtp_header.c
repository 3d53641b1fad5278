#include "rtp_header.h"

int rtp_read_header(span packet, rtp_packet_header *header) {
    const uint8_t *data = packet.data;
    size_t end = packet.size, at = 12;
    if (end < 12 || data[0] >> 6 != 2)
        return -1;
    header->marker = data[1] >> 7;
    header->payload_type = data[1] & 0x7F;
    header->sequence_number = read_u16(data + 2);
    header->timestamp = read_u32(data + 4);
    header->ssrc = read_u32(data + 8);
    header->csrc_count = data[0] & 15;
    at += (size_t)header->csrc_count * 4;
    if (at > end)
        return -1;
    header->block = at;
    header->block_size = 0;
    if (data[0] & 0x10) {
        if (end - at < 4)
            return -1;
        header->block_size = 4 + (size_t)read_u16(data + at + 2) * 4;
        if (header->block_size > end - at)
            return -1;
        at += header->block_size;
    }
    header->padding = 0;
    if (data[0] & 0x20) {
        header->padding = data[end - 1];
        if (!header->padding || header->padding > end - at)
            return -1;
    }
    header->payload = at;
    header->payload_size = end - at - header->padding;
    return 0;
}

static void find_one_byte(span block, unsigned identifier, rtp_element *element) {
    size_t at = 4;
    unsigned seen = 0;
    element->plain = block.size <= RTP_LAYOUT_BYTES;
    while (at < block.size) {
        unsigned head = block.data[at++];
        if (!head)
            continue; /* padding */
        unsigned number = head >> 4;
        size_t size = (head & 15) + 1;
        if (number == 0 || number == 15 || size > block.size - at) {
            element->plain = 0;
            return;
        }
        if (seen >> number & 1)
            element->plain = 0;
        seen |= 1u << number;
        if (number == identifier) {
            element->found = 1;
            element->at = at;
            element->size = size;
        }
        element->end = at += size;
    }
}

static void find_two_byte(span block, unsigned identifier, rtp_element *element) {
    size_t at = 4;
    while (block.size - at >= 2) {
        unsigned number = block.data[at];
        if (!number) {
            at++;
            continue;
        }
        size_t size = block.data[at + 1];
        if (size > block.size - at - 2)
            return;
        if (number == identifier) {
            element->found = 1;
            element->at = at + 2;
            element->size = size;
        }
        at += 2 + size;
    }
}

rtp_element rtp_find_element(span block, unsigned identifier) {
    rtp_element element = {0, 0, 4, 0, 0};
    if (block.size == 0)
        element.plain = 1;
    if (block.size < 4)
        return element;
    unsigned profile = read_u16(block.data);
    if (profile == 0xBEDE)
        find_one_byte(block, identifier, &element);
    else if ((profile & 0xFFF0) == 0x1000)
        find_two_byte(block, identifier, &element);
    return element;
}
