/* RtpPacket's twin: its members, and what the room has handed down for it. */
#ifndef WEBRTC_STACK_BIND_RTP_H
#define WEBRTC_STACK_BIND_RTP_H

#include "bind.h"

#include "../kernel/rtp_header.h"

/* Fields are plain members of any value, as in Python; `serialize` judges them. */
typedef struct {
    PyObject_HEAD
    PyObject *csrcs, *marker, *padding, *payload, *payload_type, *sequence_number, *ssrc, *timestamp;
    PyObject *map, *raw, *layout, *extensions;
} RtpPacket;

static inline core_state *state_of_type(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &core_module);
    return module ? state_of(module) : NULL;
}

/* The parts of the room, looked up once. NULL with an exception set where the room has not been imported. */
const rtp_parts *rtp_parts_of(core_state *state);

/* What is not worth C is done by the Python class's own function upon this object: same result, same error. */
PyObject *rtp_in_python(core_state *state, const char *name, PyObject *self, PyObject *const *arguments,
                        Py_ssize_t count, PyObject *names);

PyObject *rtp_parse(PyObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names);
PyObject *rtp_serialize(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names);
PyObject *rtp_get(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names);
PyObject *rtp_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names);

int bind_rtp_bursts(PyObject *module);

#endif
