/* crc32c(data, value=0) for Python. */
#include "bind.h"

PyDoc_STRVAR(crc32c_doc, "crc32c($module, data, value=0, /)\n--\n\n"
                         "The CRC32c of what `value` is the sum of, followed by `data`.");

static PyObject *crc32c(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "crc32c takes 1 or 2 arguments, got %zd", count);
        return NULL;
    }
    uint32_t value = 0;
    if (count == 2) {
        unsigned long given = PyLong_AsUnsignedLongMask(arguments[1]);
        if (given == (unsigned long)-1 && PyErr_Occurred())
            return NULL;
        value = (uint32_t)given;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(arguments[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const crc32c_tables *tables = &state_of(module)->crc32c;
    span bytes = {view.buf, (size_t)view.len};
    if (view.len >= RELEASE_BYTES) {
        Py_BEGIN_ALLOW_THREADS
        value = crc32c_update(tables, value, bytes);
        Py_END_ALLOW_THREADS
    } else {
        value = crc32c_update(tables, value, bytes);
    }
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLong(value);
}

static PyMethodDef methods[] = {
    {"crc32c", (PyCFunction)(void (*)(void))crc32c, METH_FASTCALL, crc32c_doc},
    {NULL, NULL, 0, NULL},
};

int bind_crc32c(PyObject *module) {
    crc32c_prepare(&state_of(module)->crc32c);
    return PyModule_AddFunctions(module, methods);
}
