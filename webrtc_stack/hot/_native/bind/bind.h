/* What the binding files share: the module's state, and how each adds its part to the module. */
#ifndef WEBRTC_STACK_BIND_H
#define WEBRTC_STACK_BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../kernel/crc32c.h"
#include "../kernel/libcrypto.h"

/* Bytes of work from which on other threads may run meanwhile: letting go of the interpreter and taking it again costs
 * about what a processor does with so much. */
#define RELEASE_BYTES 16384

/* What the rtp room has handed down for RtpPacket, looked up once; `native` and `codecs` are there from the start. */
typedef struct {
    PyObject *native, *codecs, *python, *header_extensions, *audio_level, *parse_error;
    PyObject *latest_map, *latest_codecs; /* of the map that was asked last: maps do not change */
    PyObject *names[10]; /* of the arguments of RtpPacket, in its order */
    PyObject *levels; /* by the byte: a tuple of AudioLevel */
    PyObject *parse_mid, *parse_u24, *parse_transport_cc, *parse_audio_level;
} rtp_parts;

typedef struct {
    PyObject *errors; /* the module webrtc_stack.errors */
    PyObject *parts;  /* by name, what rooms have handed down for their twins */
    crc32c_tables crc32c;
    libcrypto libcrypto;
    PyObject *rtp_protected, *rtp_unprotected, *rtcp_protected, *rtcp_unprotected, *ssrcs_evicted; /* SrtpCounters' */
    rtp_parts rtp;
    PyObject *serialize_name;
    PyObject *packet_names[5]; /* what a depacketizer reads of a packet, and `_push` */
} core_state;

extern struct PyModuleDef core_module;

static inline core_state *state_of(PyObject *module) {
    return (core_state *)PyModule_GetState(module);
}

/* Raises an exception of the package: `format` as of PyErr_Format. */
void raise_error(core_state *state, const char *name, const char *format, ...);
void raise_parse_error(core_state *state, const char *message, Py_ssize_t offset, const char *field);

/* What a room has handed down under this name (borrowed), or NULL with an exception set. */
PyObject *part_named(core_state *state, const char *name);

/* One function a binding file: adds its functions and types. Returns: 0, or -1 with an exception set. */
int bind_crc32c(PyObject *module);
int bind_rooms(PyObject *module); /* before those that need libcrypto */
int bind_packetization(PyObject *module);
int bind_rtp(PyObject *module);
int bind_srtp(PyObject *module);

#endif
