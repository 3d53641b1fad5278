/* split_annex_b and split_evenly for Python. What is wrong or rare is left to Python's functions, errors included. */
#include "bind.h"

#include "../kernel/nal.h"

static PyObject *in_python(PyObject *module, const char *name, PyObject *const *arguments, Py_ssize_t count) {
    PyObject *function = part_named(state_of(module), name);
    return function ? PyObject_Vectorcall(function, arguments, (size_t)count, NULL) : NULL;
}

static int append_steal(PyObject *list, PyObject *item) {
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
    for (size_t i = 0; i < at; i++)
        if (stream.data[i])
            return in_python(module, "split_annex_b", arguments, count);
    PyObject *units = PyList_New(0);
    while (units && at < stream.size) {
        size_t begin = at + 3, end = at = nal_next_start(stream, begin);
        while (end > begin && stream.data[end - 1] == 0)
            end--; /* zeros behind a unit belong to the byte stream */
        if (end > begin && append_steal(units, PyBytes_FromStringAndSize((const char *)stream.data + begin,
                                                                         (Py_ssize_t)(end - begin))) < 0)
            Py_CLEAR(units);
    }
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

static PyObject *split_evenly(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    even_cut cut;
    if (count < 4 || count > 5 || !PyBytes_CheckExact(arguments[0]) || !PyBytes_CheckExact(arguments[1]) ||
        !PyBytes_CheckExact(arguments[2]) || !PyLong_CheckExact(arguments[3]))
        return in_python(module, "split_evenly", arguments, count);
    PyObject *head = arguments[2], *last_head = count == 5 && arguments[4] != Py_None ? arguments[4] : head;
    int overflow;
    long long limit = PyLong_AsLongLongAndOverflow(arguments[3], &overflow);
    size_t length = (size_t)PyBytes_GET_SIZE(arguments[0]), first_size = (size_t)PyBytes_GET_SIZE(arguments[1]);
    if (overflow || limit < 0 || limit > PY_SSIZE_T_MAX || first_size + length <= (size_t)limit ||
        !PyBytes_CheckExact(last_head) || PyBytes_GET_SIZE(last_head) != PyBytes_GET_SIZE(head) ||
        cut_evenly(length, first_size, (size_t)PyBytes_GET_SIZE(head), (size_t)limit, &cut) < 0)
        return in_python(module, "split_evenly", arguments, count);
    const char *data = PyBytes_AS_STRING(arguments[0]);
    PyObject *payloads = PyList_New(0);
    size_t at = 0;
    for (size_t i = 0; payloads && at < length; i++) {
        size_t size = i == 0 ? cut.first : cut.size + (i <= cut.larger);
        if (size > length - at)
            size = length - at;
        PyObject *front = i == 0 ? arguments[1] : at + size == length ? last_head : head;
        if (append_steal(payloads, payload_of(front, data + at, size)) < 0)
            Py_CLEAR(payloads);
        at += size;
    }
    return payloads;
}

static PyMethodDef methods[] = {
    {"split_annex_b", (PyCFunction)(void (*)(void))split_annex_b, METH_FASTCALL, split_annex_b_doc},
    {"split_evenly", (PyCFunction)(void (*)(void))split_evenly, METH_FASTCALL, split_evenly_doc},
    {NULL, NULL, 0, NULL},
};

int bind_packetization(PyObject *module) {
    return PyModule_AddFunctions(module, methods);
}
