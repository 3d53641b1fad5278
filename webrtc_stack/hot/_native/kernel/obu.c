#include "obu.h"

enum { HAS_EXTENSION = 0x04, HAS_SIZE = 0x02, CONTINUES = 0x80, GOES_ON = 0x40, MAX_COUNTED = 3 };
enum { TEMPORAL_DELIMITER = 2, TILE_LIST = 8 };

static size_t leb128_bytes(size_t value) {
    size_t bytes = 1;
    while (value >>= 7)
        bytes++;
    return bytes;
}

static size_t write_leb128(uint8_t *out, size_t value) {
    size_t bytes = 0;
    for (; value >= 0x80; value >>= 7)
        out[bytes++] = (uint8_t)(value | 0x80);
    out[bytes++] = (uint8_t)value;
    return bytes;
}

/* Returns: bytes of the number, or 0 if it does not end. */
static size_t read_leb128(const uint8_t *data, size_t size, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < size && i < OBU_LEB128_MAX; i++) {
        *value |= (uint64_t)(data[i] & 0x7F) << (7 * i);
        if (data[i] < 0x80)
            return i + 1;
    }
    return 0;
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */

void obu_cut_begin(obu_cutter *cutter, const span *elements, size_t count, size_t limit) {
    *cutter = (obu_cutter){.elements = elements, .count = count, .room = limit - 1, .counted = count <= MAX_COUNTED};
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += elements[i].size;
        if (!cutter->counted || i + 1 < count)
            total += leb128_bytes(elements[i].size);
    }
    cutter->planned = (total + cutter->room - 1) / cutter->room;
    if (!cutter->counted) { /* every packet cuts an element, whose rest needs a length of its own */
        total += 3 * (cutter->planned - 1);
        cutter->planned = (total + cutter->room - 1) / cutter->room;
    }
    cutter->size = total / cutter->planned;
    cutter->larger = total % cutter->planned;
}

ptrdiff_t obu_cut_next(obu_cutter *cutter, uint8_t *out) {
    if (cutter->index == cutter->count)
        return 0;
    size_t room = cutter->room, left = room, at = 1, parts = 0, last_prefix = 1, last_prefix_bytes = 0;
    if (cutter->made < cutter->planned) { /* behind the planned ones (rounding of lengths) there is the full room */
        left = cutter->size + (cutter->made < cutter->larger);
        left = left < room ? left : room;
    }
    left = left < 4 ? 4 : left;
    uint8_t head = cutter->at ? CONTINUES : 0;
    while (cutter->index < cutter->count && left > 0) {
        span element = cutter->elements[cutter->index];
        size_t rest = element.size - cutter->at, take, prefix_bytes = 0, prefix = 0;
        if (cutter->counted && (rest >= left || cutter->index == cutter->count - 1)) {
            take = rest < left ? rest : left; /* the last of this packet, without a length */
        } else {
            take = prefix = rest;
            prefix_bytes = leb128_bytes(rest);
            if (take + prefix_bytes > left) {
                if (left < 2)
                    break;
                take = prefix = left - leb128_bytes(left);
                prefix_bytes = leb128_bytes(take);
            }
        }
        if (at + prefix_bytes + take > room + 1)
            return -1;
        last_prefix = at;
        last_prefix_bytes = prefix_bytes;
        if (prefix_bytes)
            at += write_leb128(out + at, prefix);
        memcpy(out + at, element.data + cutter->at, take);
        at += take;
        parts++;
        left -= take + prefix_bytes < left ? take + prefix_bytes : left;
        cutter->at += take;
        if (cutter->at < element.size) {
            head |= GOES_ON;
            break;
        }
        cutter->index++;
        cutter->at = 0;
    }
    if (cutter->counted) { /* the count tells that the last element has no length */
        memmove(out + last_prefix, out + last_prefix + last_prefix_bytes, at - last_prefix - last_prefix_bytes);
        at -= last_prefix_bytes;
        head = (uint8_t)(head | parts << 4);
    }
    out[0] = head;
    cutter->made++;
    return (ptrdiff_t)at;
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

/* Walks over the elements of payloads, one after the other. */
typedef struct {
    const span *payloads;
    size_t count, index, at, element;
    int open; /* an OBU goes on in the next payload */
} walk;

typedef struct {
    span data;
    int last; /* the OBU ends with it */
} piece;

/* Returns: 1; 0 behind the last one; -1 for what is malformed. */
static int next_piece(walk *on, piece *found) {
    if (on->index == on->count)
        return on->open ? -1 : 0;
    span payload = on->payloads[on->index];
    if (payload.size < 2)
        return -1;
    size_t counted = payload.data[0] >> 4 & 3;
    if (on->at == 0) {
        if (!(payload.data[0] & CONTINUES) != !on->open)
            return -1;
        on->at = 1;
        on->element = 0;
    }
    size_t size = payload.size - on->at;
    if (!counted || on->element < counted - 1) {
        uint64_t stated;
        size_t bytes = read_leb128(payload.data + on->at, size, &stated);
        if (bytes == 0 || stated == 0 || stated > size - bytes)
            return -1;
        on->at += bytes;
        size = (size_t)stated;
    }
    found->data = (span){payload.data + on->at, size};
    on->at += size;
    on->element++;
    int ends = on->at == payload.size;
    if (ends && counted && on->element != counted)
        return -1; /* fewer than it says */
    on->open = ends && payload.data[0] & GOES_ON;
    found->last = !on->open;
    if (ends) {
        on->index++;
        on->at = 0;
    }
    return 1;
}

/* What an OBU's first bytes tell. Returns: -1 if they do not fit its length. */
static int describe(obu_unit *unit, const uint8_t *first, size_t size, size_t length) {
    size_t head = first[0] & HAS_EXTENSION ? 2 : 1;
    *unit = (obu_unit){.length = length};
    if (length < head)
        return -1;
    if (first[0] & HAS_SIZE) {
        uint64_t stated;
        unit->stripped = read_leb128(first + head, size - head, &stated);
        if (unit->stripped == 0 || stated != length - head - unit->stripped)
            return -1;
    }
    unit->head[0] = (uint8_t)(first[0] & ~HAS_SIZE);
    unit->head_bytes = 1;
    for (size_t i = 1; i < head; i++)
        unit->head[unit->head_bytes++] = first[i];
    for (size_t i = head + unit->stripped; i < size && unit->head_bytes < 3; i++)
        unit->head[unit->head_bytes++] = first[i];
    unsigned kind = first[0] >> 3 & 0x0F;
    unit->kept = kind != TEMPORAL_DELIMITER && kind != TILE_LIST;
    return 0;
}

ptrdiff_t obu_find(const span *payloads, size_t count, obu_unit *units, size_t room) {
    walk on = {.payloads = payloads, .count = count};
    uint8_t first[2 + OBU_LEB128_MAX + 2];
    size_t first_bytes = 0, length = 0;
    ptrdiff_t found = 0;
    piece next;
    int more;
    while ((more = next_piece(&on, &next)) > 0) {
        size_t some = sizeof first - first_bytes < next.data.size ? sizeof first - first_bytes : next.data.size;
        memcpy(first + first_bytes, next.data.data, some);
        first_bytes += some;
        length += next.data.size;
        if (!next.last)
            continue;
        obu_unit unit;
        if (describe(&unit, first, first_bytes, length) < 0)
            return -1;
        if ((size_t)found < room)
            units[found] = unit;
        found++;
        first_bytes = length = 0;
    }
    return more < 0 ? -1 : found;
}

static size_t body_bytes(const obu_unit *unit) {
    return unit->length - unit->stripped - (unit->head[0] & HAS_EXTENSION ? 2 : 1);
}

size_t obu_joined_bytes(const obu_unit *units, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (units[i].kept)
            size += units[i].length - units[i].stripped + leb128_bytes(body_bytes(&units[i]));
    return size;
}

void obu_join(const span *payloads, size_t count, const obu_unit *units, uint8_t *out) {
    walk on = {.payloads = payloads, .count = count};
    size_t passed = 0, skipped = 0;
    piece next;
    while (next_piece(&on, &next) > 0) {
        size_t head = units->head[0] & HAS_EXTENSION ? 2 : 1;
        if (passed == 0) {
            skipped = head + units->stripped;
            if (units->kept) {
                *out++ = (uint8_t)(units->head[0] | HAS_SIZE);
                if (head == 2)
                    *out++ = units->head[1];
                out += write_leb128(out, body_bytes(units));
            }
        }
        size_t over = skipped < next.data.size ? skipped : next.data.size;
        skipped -= over;
        passed += next.data.size;
        if (units->kept) {
            memcpy(out, next.data.data + over, next.data.size - over);
            out += next.data.size - over;
        }
        if (next.last) {
            passed = 0;
            units++;
        }
    }
}
