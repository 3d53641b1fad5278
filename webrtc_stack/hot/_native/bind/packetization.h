/* What the files that bind packetization share. */
#ifndef WEBRTC_STACK_BIND_PACKETIZATION_H
#define WEBRTC_STACK_BIND_PACKETIZATION_H

#include "bind.h"

#include "../kernel/nal.h"
#include "../kernel/nal_join.h"

/* What is wrong or rare is done by Python's function of this name, errors included. */
PyObject *in_python(PyObject *module, const char *name, PyObject *const *arguments, Py_ssize_t count);

int append_steal(PyObject *list, PyObject *item);

/* Adds the payloads of `length` bytes at `data` to a list. Returns: 0; 1 where the heads leave no room; -1 with an
 * exception set. The heads are bytes, `last_head` as long as `head`. */
int append_cut(PyObject *payloads, const char *data, size_t length, PyObject *first_head, PyObject *head,
               PyObject *last_head, size_t limit);

#define FEW_SPANS 128 /* payloads whose spans lie on the stack: a frame of 150 kB */

/* Payloads as spans, in `few` or in memory that the caller gives back. NULL without an exception set: not all of them
 * are bytes, or they are in no list. */
span *spans_of(PyObject *payloads, span few[FEW_SPANS]);

PyObject *cut_obus(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *join_temporal_unit(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *join_annex_b(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *join_behind(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *pack_annex_b(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

int bind_packet_run(PyObject *module);

#endif
