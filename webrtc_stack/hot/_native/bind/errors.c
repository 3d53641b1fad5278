/* Exceptions of the package, by name. */
#include "bind.h"

void raise_error(core_state *state, const char *name, const char *format, ...) {
    PyObject *type = PyObject_GetAttrString(state->errors, name);
    if (type == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(type, format, arguments);
    va_end(arguments);
    Py_DECREF(type);
}

void raise_parse_error(core_state *state, const char *message, Py_ssize_t offset, const char *field) {
    PyObject *type = PyObject_GetAttrString(state->errors, "ParseError");
    PyObject *arguments = Py_BuildValue("(s)", message);
    PyObject *keywords = Py_BuildValue("{s:n,s:s}", "offset", offset, "field", field);
    PyObject *error = type && arguments && keywords ? PyObject_Call(type, arguments, keywords) : NULL;
    if (error)
        PyErr_SetObject(type, error);
    Py_XDECREF(error);
    Py_XDECREF(keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(type);
}
