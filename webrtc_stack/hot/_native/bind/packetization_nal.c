/* Frames of H.264 and H.265 to payloads and back, and payloads of other formats behind a common head. */
#include "packetization.h"

static int layout_of(PyObject *given, nal_layout *layout) {
    uint32_t *numbers[] = {&layout->header_bytes,   &layout->shift,     &layout->mask,    &layout->lowest_type,
                           &layout->first_own_type, &layout->aggregate, &layout->fragment};
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) < 7)
        return 0;
    for (Py_ssize_t i = 0; i < 7; i++) {
        PyObject *one = PyTuple_GET_ITEM(given, i);
        long value = PyLong_CheckExact(one) ? PyLong_AsLong(one) : -1;
        if (value < 0 || value > 255) {
            PyErr_Clear();
            return 0;
        }
        *numbers[i] = (uint32_t)value;
    }
    return layout->header_bytes >= 1 && layout->header_bytes <= 2 && layout->shift < 8;
}

span *spans_of(PyObject *payloads, span few[FEW_SPANS]) {
    if (!PyList_CheckExact(payloads))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(payloads);
    span *spans = count <= FEW_SPANS ? few : PyMem_New(span, (size_t)count);
    if (spans == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; spans && i < count; i++) {
        PyObject *one = PyList_GET_ITEM(payloads, i);
        if (!PyBytes_CheckExact(one)) {
            if (spans != few)
                PyMem_Free(spans);
            return NULL;
        }
        spans[i] = (span){(const uint8_t *)PyBytes_AS_STRING(one), (size_t)PyBytes_GET_SIZE(one)};
    }
    return spans;
}

static PyObject *numbers_of(const nal_unit *units, size_t count, int kinds) {
    PyObject *made = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; made && i < count; i++) {
        PyObject *number = PyLong_FromSize_t(kinds ? units[i].kind : units[i].place);
        if (number == NULL)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, (Py_ssize_t)i, number);
    }
    return made;
}

static PyObject *joined(const nal_layout *layout, const span *spans, size_t count, nal_stream *stream) {
    nal_unit few[32];
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)stream->size);
    nal_unit *units = stream->count <= 32 ? few : PyMem_New(nal_unit, stream->count);
    PyObject *result = NULL;
    if (units == NULL)
        PyErr_NoMemory();
    if (data && units) {
        *stream = (nal_stream){(uint8_t *)PyBytes_AS_STRING(data), units, 0, 0};
        nal_join(layout, spans, count, stream);
        PyObject *kinds = numbers_of(units, stream->count, 1), *places = numbers_of(units, stream->count, 0);
        if (kinds && places)
            result = PyTuple_Pack(3, data, kinds, places);
        Py_XDECREF(kinds);
        Py_XDECREF(places);
    }
    if (units != few)
        PyMem_Free(units);
    Py_XDECREF(data);
    return result;
}

PyObject *join_annex_b(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    nal_layout layout;
    span few[FEW_SPANS], *spans = NULL;
    if (count == 2 && layout_of(arguments[0], &layout))
        spans = spans_of(arguments[1], few);
    if (spans == NULL)
        return PyErr_Occurred() ? NULL : in_python(module, "join_annex_b", arguments, count);
    nal_stream stream = {NULL, NULL, 0, 0};
    size_t payloads = (size_t)PyList_GET_SIZE(arguments[1]);
    int good = nal_join(&layout, spans, payloads, &stream) == 0 && stream.count;
    PyObject *result = good ? joined(&layout, spans, payloads, &stream) : NULL;
    if (spans != few)
        PyMem_Free(spans);
    return good ? result : in_python(module, "join_annex_b", arguments, count);
}

static int begins_with(span payload, PyObject *head) {
    return payload.size >= (size_t)PyBytes_GET_SIZE(head) &&
           memcmp(payload.data, PyBytes_AS_STRING(head), (size_t)PyBytes_GET_SIZE(head)) == 0;
}

/* What stands behind `first` bytes in the first payload and behind `head` bytes in the others. */
static PyObject *parts_of(const span *spans, size_t count, size_t first, size_t head) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += spans[i].size - (i ? head : first);
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    char *to = made ? PyBytes_AS_STRING(made) : NULL;
    for (size_t i = 0; made && i < count; i++) {
        size_t from = i ? head : first;
        memcpy(to, spans[i].data + from, spans[i].size - from);
        to += spans[i].size - from;
    }
    return made;
}

PyObject *join_behind(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    span few[FEW_SPANS], *spans = NULL;
    PyObject *last_head = count == 4 && arguments[3] != Py_None ? arguments[3] : count >= 3 ? arguments[2] : NULL;
    Py_ssize_t at = -1;
    if ((count == 3 || count == 4) && PyLong_CheckExact(arguments[1]) && PyBytes_CheckExact(arguments[2]) &&
        PyBytes_CheckExact(last_head) && PyBytes_GET_SIZE(last_head) == PyBytes_GET_SIZE(arguments[2])) {
        at = PyLong_AsSsize_t(arguments[1]);
        if (at == -1)
            PyErr_Clear();
        if (at >= 0 && PyList_CheckExact(arguments[0]) && PyList_GET_SIZE(arguments[0]))
            spans = spans_of(arguments[0], few);
    }
    if (spans == NULL)
        return PyErr_Occurred() ? NULL : in_python(module, "join_behind", arguments, count);
    size_t payloads = (size_t)PyList_GET_SIZE(arguments[0]);
    int alike = 1;
    for (size_t i = 1; alike && i < payloads; i++)
        alike = begins_with(spans[i], arguments[2]) || (i + 1 == payloads && begins_with(spans[i], last_head));
    size_t first = (size_t)at < spans[0].size ? (size_t)at : spans[0].size;
    PyObject *made = alike ? parts_of(spans, payloads, first, (size_t)PyBytes_GET_SIZE(arguments[2]))
                           : Py_NewRef(Py_None);
    if (spans != few)
        PyMem_Free(spans);
    return made;
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */

/* Small units that wait for others, to share a payload. */
typedef struct {
    PyObject *payloads, *waiting, *aggregate;
} packing;

static int send_waiting(packing *pack) {
    Py_ssize_t count = PyList_GET_SIZE(pack->waiting);
    if (count == 0)
        return 0;
    PyObject *payload = count == 1 ? Py_NewRef(PyList_GET_ITEM(pack->waiting, 0))
                                   : PyObject_CallOneArg(pack->aggregate, pack->waiting);
    if (append_steal(pack->payloads, payload) < 0)
        return -1;
    Py_SETREF(pack->waiting, PyList_New(0));
    return pack->waiting ? 0 : -1;
}

static PyObject *fragment_head(const nal_layout *layout, const uint8_t *unit, uint32_t kind, uint8_t flag) {
    uint8_t head[3];
    head[0] = (uint8_t)((unit[0] & ~(layout->mask << layout->shift)) | layout->fragment << layout->shift);
    head[1] = unit[1]; /* H.265's second byte, or overwritten */
    head[layout->header_bytes] = (uint8_t)(flag | kind);
    return PyBytes_FromStringAndSize((const char *)head, layout->header_bytes + 1);
}

/* Returns: 0; 1 where Python shall do it; -1 with an exception set. */
static int append_fragments(packing *pack, const nal_layout *layout, span unit, size_t limit) {
    uint32_t kind = (uint32_t)unit.data[0] >> layout->shift & layout->mask;
    PyObject *first = fragment_head(layout, unit.data, kind, NAL_START_BIT);
    PyObject *middle = fragment_head(layout, unit.data, kind, 0);
    PyObject *last = fragment_head(layout, unit.data, kind, NAL_END_BIT);
    int failed = -1;
    if (first && middle && last)
        failed = append_cut(pack->payloads, (const char *)unit.data + layout->header_bytes,
                            unit.size - layout->header_bytes, first, middle, last, limit);
    Py_XDECREF(first);
    Py_XDECREF(middle);
    Py_XDECREF(last);
    return failed;
}

static int pack_units(packing *pack, const nal_layout *layout, span stream, size_t at, size_t limit) {
    size_t room = limit - layout->header_bytes;
    int any = 0;
    for (span unit; nal_next_unit(stream, &at, &unit); any = 1) {
        if (unit.size < layout->header_bytes ||
            ((uint32_t)unit.data[0] >> layout->shift & layout->mask) >= layout->first_own_type)
            return 1;
        if (unit.size + 2 > room && PyList_GET_SIZE(pack->waiting)) {
            if (send_waiting(pack) < 0)
                return -1;
            room = limit - layout->header_bytes;
        }
        if (unit.size > limit) {
            int failed = append_fragments(pack, layout, unit, limit);
            if (failed)
                return failed;
            continue;
        }
        int waits = unit.size + 2 <= room;
        if (append_steal(waits ? pack->waiting : pack->payloads,
                         PyBytes_FromStringAndSize((const char *)unit.data, (Py_ssize_t)unit.size)) < 0)
            return -1;
        if (waits)
            room -= unit.size + 2;
    }
    return any ? send_waiting(pack) : 1;
}

PyObject *pack_annex_b(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    nal_layout layout;
    if (count != 4 || !layout_of(arguments[0], &layout) || !PyBytes_CheckExact(arguments[1]) ||
        !PyLong_CheckExact(arguments[2]))
        return in_python(module, "pack_annex_b", arguments, count);
    long limit = PyLong_AsLong(arguments[2]);
    if (limit < 5 || limit > 1 << 24) {
        PyErr_Clear();
        return in_python(module, "pack_annex_b", arguments, count);
    }
    span stream = {(const uint8_t *)PyBytes_AS_STRING(arguments[1]), (size_t)PyBytes_GET_SIZE(arguments[1])};
    size_t at = nal_next_start(stream, 0);
    packing pack = {PyList_New(0), PyList_New(0), arguments[3]};
    int failed = 1;
    if (pack.payloads == NULL || pack.waiting == NULL)
        failed = -1;
    else if (all_zero(stream, at))
        failed = pack_units(&pack, &layout, stream, at, (size_t)limit);
    Py_XDECREF(pack.waiting);
    if (failed)
        Py_CLEAR(pack.payloads);
    return failed == 1 ? in_python(module, "pack_annex_b", arguments, count) : pack.payloads;
}
