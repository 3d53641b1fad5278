#include "nal.h"

size_t nal_next_start(span stream, size_t from) {
    const uint8_t *data = stream.data;
    size_t size = stream.size;
    while (size - from >= 3) {
        const uint8_t *zero = memchr(data + from, 0, size - from - 2);
        if (zero == NULL)
            return size;
        size_t at = (size_t)(zero - data), end = at + 1;
        while (end < size && data[end] == 0)
            end++;
        if (end - at >= 2 && end < size && data[end] == 1)
            return end - 2;
        from = end;
    }
    return size;
}

int all_zero(span stream, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (stream.data[i])
            return 0;
    return 1;
}

int nal_next_unit(span stream, size_t *at, span *unit) {
    while (*at < stream.size) {
        size_t begin = *at + 3, end = *at = nal_next_start(stream, begin);
        while (end > begin && stream.data[end - 1] == 0)
            end--; /* zeros behind a unit belong to the byte stream */
        if (end > begin) {
            *unit = (span){stream.data + begin, end - begin};
            return 1;
        }
    }
    return 0;
}

int cut_evenly(size_t length, size_t first_head, size_t head, size_t limit, even_cut *cut) {
    if (limit <= head || limit <= first_head)
        return -1;
    /* Lengths are those of objects in memory: their sums fit. `extra` counts as data of the first payload. */
    int64_t room = (int64_t)(limit - head), extra = (int64_t)first_head - (int64_t)head;
    int64_t all = (int64_t)length + extra;
    int64_t count = all > 0 ? (all + room - 1) / room : 0;
    if (count < 2)
        count = 2;
    int64_t size = all >= 0 ? all / count : -((-all + count - 1) / count), larger = all - size * count;
    int64_t at = size + (larger > 0) - extra;
    if (at < 1) {
        at = 1;
        count = 1 + ((int64_t)length - 1 + room - 1) / room;
        if (count < 2)
            count = 2;
        size = ((int64_t)length - 1) / (count - 1);
        larger = ((int64_t)length - 1) % (count - 1);
    } else if (larger > 0) {
        larger--;
    }
    if (size < 1 || at > (int64_t)length)
        return -1; /* fewer bytes than payloads: not worth it here */
    cut->first = (size_t)at;
    cut->larger = (size_t)larger;
    cut->size = (size_t)size;
    cut->count = (size_t)count;
    return 0;
}
