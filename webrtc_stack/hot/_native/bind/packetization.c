/* split_annex_b and split_evenly for Python, and the table of this room's functions. */
#include "packetization.h"

PyObject *in_python(PyObject *module, const char *name, PyObject *const *arguments, Py_ssize_t count) {
    PyObject *function = part_named(state_of(module), name);
    return function ? PyObject_Vectorcall(function, arguments, (size_t)count, NULL) : NULL;
}

int append_steal(PyObject *list, PyObject *item) {
    int failed = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return failed;
}

PyDoc_STRVAR(split_annex_b_doc, "split_annex_b($module, stream, /)\n--\n\n"
                                "The NAL units of a byte stream, without start codes and the zeros around them.");

static PyObject *split_annex_b(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    if (count != 1 || !PyBytes_CheckExact(arguments[0]))
        return in_python(module, "split_annex_b", arguments, count);
    span stream = {(const uint8_t *)PyBytes_AS_STRING(arguments[0]), (size_t)PyBytes_GET_SIZE(arguments[0])};
    size_t at = nal_next_start(stream, 0);
    if (!all_zero(stream, at))
        return in_python(module, "split_annex_b", arguments, count);
    PyObject *units = PyList_New(0);
    span unit;
    while (units && nal_next_unit(stream, &at, &unit))
        if (append_steal(units, PyBytes_FromStringAndSize((const char *)unit.data, (Py_ssize_t)unit.size)) < 0)
            Py_CLEAR(units);
    if (units && PyList_GET_SIZE(units) == 0) {
        Py_DECREF(units);
        return in_python(module, "split_annex_b", arguments, count);
    }
    return units;
}

PyDoc_STRVAR(split_evenly_doc,
             "split_evenly($module, data, first_head, head, limit, last_head=None, /)\n--\n\n"
             "Payloads of at most `limit` bytes, `first_head` before the first part of `data`, `head` before others.");

static PyObject *payload_of(PyObject *head, const char *data, size_t size) {
    Py_ssize_t head_size = PyBytes_GET_SIZE(head);
    PyObject *made = PyBytes_FromStringAndSize(NULL, head_size + (Py_ssize_t)size);
    if (made) {
        memcpy(PyBytes_AS_STRING(made), PyBytes_AS_STRING(head), (size_t)head_size);
        memcpy(PyBytes_AS_STRING(made) + head_size, data, size);
    }
    return made;
}

int append_cut(PyObject *payloads, const char *data, size_t length, PyObject *first_head, PyObject *head,
               PyObject *last_head, size_t limit) {
    even_cut cut;
    if (cut_evenly(length, (size_t)PyBytes_GET_SIZE(first_head), (size_t)PyBytes_GET_SIZE(head), limit, &cut) < 0)
        return 1;
    for (size_t i = 0, at = 0; at < length; i++) {
        size_t size = i == 0 ? cut.first : cut.size + (i <= cut.larger);
        if (size > length - at)
            size = length - at;
        PyObject *front = i == 0 ? first_head : at + size == length ? last_head : head;
        if (append_steal(payloads, payload_of(front, data + at, size)) < 0)
            return -1;
        at += size;
    }
    return 0;
}

static PyObject *split_evenly(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    if (count < 4 || count > 5 || !PyBytes_CheckExact(arguments[0]) || !PyBytes_CheckExact(arguments[1]) ||
        !PyBytes_CheckExact(arguments[2]) || !PyLong_CheckExact(arguments[3]))
        return in_python(module, "split_evenly", arguments, count);
    PyObject *head = arguments[2], *last_head = count == 5 && arguments[4] != Py_None ? arguments[4] : head;
    int overflow;
    long long limit = PyLong_AsLongLongAndOverflow(arguments[3], &overflow);
    size_t length = (size_t)PyBytes_GET_SIZE(arguments[0]), first_size = (size_t)PyBytes_GET_SIZE(arguments[1]);
    if (overflow || limit < 0 || limit > PY_SSIZE_T_MAX || first_size + length <= (size_t)limit ||
        !PyBytes_CheckExact(last_head) || PyBytes_GET_SIZE(last_head) != PyBytes_GET_SIZE(head))
        return in_python(module, "split_evenly", arguments, count);
    PyObject *payloads = PyList_New(0);
    int failed = payloads ? append_cut(payloads, PyBytes_AS_STRING(arguments[0]), length, arguments[1], head, last_head,
                                       (size_t)limit)
                          : -1;
    if (failed)
        Py_CLEAR(payloads);
    return failed == 1 ? in_python(module, "split_evenly", arguments, count) : payloads;
}

PyDoc_STRVAR(join_behind_doc,
             "join_behind($module, payloads, at, head, last_head=None, /)\n--\n\n"
             "What stands behind `at` bytes in the first payload and behind `head` in the others; None if one lacks it.");
PyDoc_STRVAR(join_annex_b_doc, "join_annex_b($module, layout, payloads, /)\n--\n\n"
                               "The byte stream of payloads, the types of its units, and where they begin.");
PyDoc_STRVAR(pack_annex_b_doc, "pack_annex_b($module, layout, stream, limit, aggregate, /)\n--\n\n"
                               "The payloads of a byte stream.");

PyDoc_STRVAR(cut_obus_doc, "cut_obus($module, elements, limit, /)\n--\n\n"
                           "OBUs without size fields cut into payloads of nearly equal size.");
PyDoc_STRVAR(join_temporal_unit_doc, "join_temporal_unit($module, payloads, prefix=b'', /)\n--\n\n"
                                     "A temporal unit in the low-overhead format, and the first bytes of its OBUs.");

static PyMethodDef methods[] = {
    {"split_annex_b", (PyCFunction)(void (*)(void))split_annex_b, METH_FASTCALL, split_annex_b_doc},
    {"split_evenly", (PyCFunction)(void (*)(void))split_evenly, METH_FASTCALL, split_evenly_doc},
    {"join_behind", (PyCFunction)(void (*)(void))join_behind, METH_FASTCALL, join_behind_doc},
    {"cut_obus", (PyCFunction)(void (*)(void))cut_obus, METH_FASTCALL, cut_obus_doc},
    {"join_temporal_unit", (PyCFunction)(void (*)(void))join_temporal_unit, METH_FASTCALL, join_temporal_unit_doc},
    {"join_annex_b", (PyCFunction)(void (*)(void))join_annex_b, METH_FASTCALL, join_annex_b_doc},
    {"pack_annex_b", (PyCFunction)(void (*)(void))pack_annex_b, METH_FASTCALL, pack_annex_b_doc},
    {NULL, NULL, 0, NULL},
};

int bind_packetization(PyObject *module) {
    if (PyModule_AddFunctions(module, methods) < 0)
        return -1;
    return bind_packet_run(module);
}
