/* Temporal units of AV1 to payloads and back. */
#include "packetization.h"

#include "../kernel/obu.h"

#define LARGEST_PAYLOAD 4096

PyObject *cut_obus(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    span few[FEW_SPANS], *spans = NULL;
    long limit = count == 2 && PyLong_CheckExact(arguments[1]) ? PyLong_AsLong(arguments[1]) : -1;
    if (limit == -1)
        PyErr_Clear();
    if (limit >= 5 && limit <= LARGEST_PAYLOAD && PyList_CheckExact(arguments[0]) && PyList_GET_SIZE(arguments[0]))
        spans = spans_of(arguments[0], few);
    if (spans == NULL)
        return PyErr_Occurred() ? NULL : in_python(module, "cut_obus", arguments, count);
    size_t elements = (size_t)PyList_GET_SIZE(arguments[0]);
    int whole = 1;
    for (size_t i = 0; i < elements; i++)
        whole = whole && spans[i].size;
    PyObject *payloads = whole ? PyList_New(0) : NULL;
    ptrdiff_t size = whole ? 1 : -1;
    if (payloads) {
        obu_cutter cutter;
        uint8_t payload[LARGEST_PAYLOAD];
        obu_cut_begin(&cutter, spans, elements, (size_t)limit);
        while (payloads && (size = obu_cut_next(&cutter, payload)) > 0)
            if (append_steal(payloads, PyBytes_FromStringAndSize((const char *)payload, size)) < 0)
                Py_CLEAR(payloads);
    }
    if (spans != few)
        PyMem_Free(spans);
    if (size < 0) {
        Py_XDECREF(payloads);
        return in_python(module, "cut_obus", arguments, count);
    }
    return payloads;
}

static PyObject *unit_of(const span *spans, size_t payloads, const obu_unit *units, size_t count, span prefix) {
    PyObject *heads = PyList_New(0), *result = NULL;
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(prefix.size + obu_joined_bytes(units, count)));
    for (size_t i = 0; heads && i < count; i++)
        if (units[i].kept &&
            append_steal(heads, PyBytes_FromStringAndSize((const char *)units[i].head, units[i].head_bytes)) < 0)
            Py_CLEAR(heads);
    if (data && heads) {
        uint8_t *to = (uint8_t *)PyBytes_AS_STRING(data);
        memcpy(to, prefix.data, prefix.size);
        obu_join(spans, payloads, units, to + prefix.size);
        result = PyTuple_Pack(2, data, heads);
    }
    Py_XDECREF(data);
    Py_XDECREF(heads);
    return result;
}

PyObject *join_temporal_unit(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    span few[FEW_SPANS], *spans = NULL, prefix = {(const uint8_t *)"", 0};
    if (count == 1 || (count == 2 && PyBytes_CheckExact(arguments[1])))
        spans = spans_of(arguments[0], few);
    if (count == 2 && spans)
        prefix = (span){(const uint8_t *)PyBytes_AS_STRING(arguments[1]), (size_t)PyBytes_GET_SIZE(arguments[1])};
    if (spans == NULL)
        return PyErr_Occurred() ? NULL : in_python(module, "join_temporal_unit", arguments, count);
    obu_unit some[32], *units = some;
    size_t payloads = (size_t)PyList_GET_SIZE(arguments[0]);
    ptrdiff_t found = obu_find(spans, payloads, units, 32);
    PyObject *result = NULL;
    if (found > 32) {
        units = PyMem_New(obu_unit, (size_t)found);
        if (units)
            obu_find(spans, payloads, units, (size_t)found);
        else
            PyErr_NoMemory();
    }
    if (found >= 0 && units)
        result = unit_of(spans, payloads, units, (size_t)found, prefix);
    if (units != some)
        PyMem_Free(units);
    if (spans != few)
        PyMem_Free(spans);
    return found < 0 ? in_python(module, "join_temporal_unit", arguments, count) : result;
}
