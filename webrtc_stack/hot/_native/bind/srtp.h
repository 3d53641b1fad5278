/* The object behind SrtpContext for Python, shared by the files that bind it. */
#ifndef WEBRTC_STACK_BIND_SRTP_H
#define WEBRTC_STACK_BIND_SRTP_H

#include "bind.h"

#include "../kernel/srtp_context.h"

#define REFUSALS 6

typedef struct {
    PyObject_HEAD
    srtp_context kernel;
    core_state *state;
    int ready;
    int busy; /* a burst is at work without the interpreter's lock, and holds `lock` */
    PyThread_type_lock lock;
    PyObject *profile, *counters;
    PyObject *refused[REFUSALS]; /* the members of Refused, in the order of srtp_status */
} SrtpContext;

/* Whoever looks at the kernel enters first, and does not let go of the interpreter before it is done.
 * Returns: 0, or -1 with an exception set. */
int srtp_enter(SrtpContext *self);

/* The methods that take packets. */
extern const char srtp_protect_doc[], srtp_protect_many_doc[], srtp_unprotect_doc[], srtp_unprotect_many_doc[],
    srtp_protect_rtcp_doc[], srtp_protect_rtcp_many_doc[], srtp_unprotect_rtcp_doc[], srtp_unprotect_rtcp_many_doc[];
PyObject *srtp_protect(PyObject *self, PyObject *packet);
PyObject *srtp_protect_many(PyObject *self, PyObject *packets);
PyObject *srtp_unprotect(PyObject *self, PyObject *packet);
PyObject *srtp_unprotect_many(PyObject *self, PyObject *packets);
PyObject *srtp_protect_rtcp(PyObject *self, PyObject *packet);
PyObject *srtp_protect_rtcp_many(PyObject *self, PyObject *packets);
PyObject *srtp_unprotect_rtcp(PyObject *self, PyObject *packet);
PyObject *srtp_unprotect_rtcp_many(PyObject *self, PyObject *packets);

/* Raises what a status means. Returns: NULL. */
PyObject *srtp_raise(SrtpContext *self, srtp_status status, uint32_t offset);

#endif
