#include "nal_join.h"

static uint32_t kind_of(const nal_layout *layout, uint8_t first) {
    return (uint32_t)first >> layout->shift & layout->mask;
}

static uint8_t with_kind(const nal_layout *layout, uint8_t first, uint32_t kind) {
    return (uint8_t)((first & ~(layout->mask << layout->shift)) | kind << layout->shift);
}

static void put(nal_stream *stream, const uint8_t *data, size_t size) {
    if (stream->out && size)
        memcpy(stream->out + stream->size, data, size);
    stream->size += size;
}

static void begin(nal_stream *stream, uint32_t kind) {
    static const uint8_t start_code[NAL_START_CODE] = {0, 0, 0, 1};
    put(stream, start_code, sizeof start_code);
    if (stream->units)
        stream->units[stream->count] = (nal_unit){stream->size, kind};
    stream->count++;
}

static int split(const nal_layout *layout, span payload, nal_stream *stream) {
    size_t at = layout->header_bytes;
    if (at >= payload.size)
        return -1;
    while (at < payload.size) {
        if (payload.size - at < 2)
            return -1;
        size_t size = read_u16(payload.data + at);
        at += 2;
        if (size < layout->header_bytes || size > payload.size - at)
            return -1;
        uint32_t kind = kind_of(layout, payload.data[at]);
        if (kind < layout->lowest_type || kind >= layout->first_own_type)
            return -1;
        begin(stream, kind);
        put(stream, payload.data + at, size);
        at += size;
    }
    return 0;
}

int nal_join(const nal_layout *layout, const span *payloads, size_t count, nal_stream *stream) {
    size_t header_bytes = layout->header_bytes, body = header_bytes + 1;
    const uint8_t *open = NULL; /* the header of the unit that goes on */
    uint32_t open_kind = 0;
    stream->size = stream->count = 0;
    for (size_t i = 0; i < count; i++) {
        span payload = payloads[i];
        if (open) {
            if (payload.size < body || memcmp(payload.data, open, header_bytes) != 0)
                return -1;
            uint8_t flags = payload.data[header_bytes];
            /* A middle one has the type alone. The last one has the end bit too; H.264's reserved bit is ignored. */
            int last = flags != open_kind;
            if (last && (flags & (NAL_START_BIT | NAL_END_BIT | layout->mask)) != (NAL_END_BIT | open_kind))
                return -1;
            put(stream, payload.data + body, payload.size - body);
            if (last)
                open = NULL;
            continue;
        }
        if (payload.size < header_bytes)
            return -1;
        uint32_t kind = kind_of(layout, payload.data[0]);
        if (kind >= layout->lowest_type && kind < layout->first_own_type) {
            begin(stream, kind);
            put(stream, payload.data, payload.size);
        } else if (kind == layout->fragment) {
            if (payload.size < body || !(payload.data[header_bytes] & NAL_START_BIT))
                return -1;
            open_kind = payload.data[header_bytes] & layout->mask;
            if (open_kind >= layout->first_own_type)
                return -1;
            uint8_t first = with_kind(layout, payload.data[0], open_kind);
            begin(stream, open_kind);
            put(stream, &first, 1);
            put(stream, payload.data + 1, header_bytes - 1);
            put(stream, payload.data + body, payload.size - body);
            /* A whole unit in one fragment is forbidden, but seen and harmless. */
            open = payload.data[header_bytes] & NAL_END_BIT ? NULL : payload.data;
        } else if (kind != layout->aggregate || split(layout, payload, stream) < 0) {
            return -1;
        }
    }
    return open ? -1 : 0;
}
