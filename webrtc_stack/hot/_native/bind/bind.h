/* What the binding files share: the module's state, and how each adds its part to the module. */
#ifndef WEBRTC_STACK_BIND_H
#define WEBRTC_STACK_BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../kernel/crc32c.h"

/* Bytes of work from which on other threads may run meanwhile: letting go of the interpreter and taking it again costs
 * about what a processor does with so much. */
#define RELEASE_BYTES 16384

typedef struct {
    PyObject *errors; /* the module webrtc_stack.errors */
    crc32c_tables crc32c;
} core_state;

extern struct PyModuleDef core_module;

static inline core_state *state_of(PyObject *module) {
    return (core_state *)PyModule_GetState(module);
}

/* One function a binding file: adds its functions and types. Returns: 0, or -1 with an exception set. */
int bind_crc32c(PyObject *module);

#endif
