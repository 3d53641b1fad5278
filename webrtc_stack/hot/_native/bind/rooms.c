/* What the rooms above hand down: C must not import them, as imports only point down. And what libcrypto there is. */
#include "bind.h"

PyDoc_STRVAR(provide_doc, "_provide($module, part, /)\n--\n\n"
                          "Keeps a class or function of a room, by its name, for the twins that need it.");

static PyObject *provide(PyObject *module, PyObject *part) {
    PyObject *name = PyObject_GetAttrString(part, "__name__");
    if (name == NULL)
        return NULL;
    int failed = PyDict_SetItem(state_of(module)->parts, name, part);
    Py_DECREF(name);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *part_named(core_state *state, const char *name) {
    PyObject *part = PyDict_GetItemString(state->parts, name);
    if (part == NULL)
        PyErr_Format(PyExc_RuntimeError, "no room has provided %s: this class is had from its room", name);
    return part;
}

PyDoc_STRVAR(libcrypto_doc, "_libcrypto($module, /)\n--\n\n"
                            "Whether there is a libcrypto; its version and where it came from, or why there is none.");

static PyObject *libcrypto_facts(PyObject *module, PyObject *Py_UNUSED(nothing)) {
    const libcrypto *lib = &state_of(module)->libcrypto;
    return Py_BuildValue("(NN)", PyBool_FromLong(lib->handle != NULL),
                         PyUnicode_DecodeFSDefault(lib->text));
}

static PyMethodDef methods[] = {
    {"_provide", provide, METH_O, provide_doc},
    {"_libcrypto", libcrypto_facts, METH_NOARGS, libcrypto_doc},
    {NULL, NULL, 0, NULL},
};

int bind_rooms(PyObject *module) {
    core_state *state = state_of(module);
    state->parts = PyDict_New();
    if (state->parts == NULL)
        return -1;
    PyObject *python_own = PyImport_ImportModule("_hashlib"); /* brings the libcrypto that Python has, if any */
    if (python_own == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ImportError))
            return -1;
        PyErr_Clear();
    }
    Py_XDECREF(python_own);
    libcrypto_open(&state->libcrypto);
    return PyModule_AddFunctions(module, methods);
}
