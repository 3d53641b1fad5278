/* SrtpContext for Python: packets and bursts.
 *
 * All that can go wrong with arguments and memory does so before the kernel is at work; then large bursts let other
 * threads run. Nothing between planning and running calls into Python, so that nobody can meet a half-made burst.
 */
#include "srtp.h"

#define FEW 64 /* packets of a burst whose items lie on the stack */

typedef struct {
    PyObject *packets; /* a tuple of bytes, which stay as they are whatever happens to the caller's list */
    size_t count, bytes;
    srtp_item *items;
    srtp_item few[FEW];
} burst;

/* --- packets in --------------------------------------------------------------------------------------------------- */

/* Bytes as they are; others that have a buffer are copied, as they could change meanwhile. */
static PyObject *as_bytes(PyObject *packet) {
    if (PyBytes_Check(packet))
        return Py_NewRef(packet);
    if (PyObject_CheckBuffer(packet))
        return PyBytes_FromObject(packet);
    PyErr_Format(PyExc_TypeError, "a bytes-like object is required, not '%.200s'", Py_TYPE(packet)->tp_name);
    return NULL;
}

static int all_bytes(burst *b) {
    Py_ssize_t count = PyTuple_GET_SIZE(b->packets);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyBytes_Check(PyTuple_GET_ITEM(b->packets, i)))
            continue;
        PyObject *copied = PyTuple_New(count);
        for (Py_ssize_t j = 0; copied && j < count; j++) {
            PyObject *bytes = as_bytes(PyTuple_GET_ITEM(b->packets, j));
            if (bytes == NULL)
                Py_CLEAR(copied);
            else
                PyTuple_SET_ITEM(copied, j, bytes);
        }
        Py_SETREF(b->packets, copied);
        return copied ? 0 : -1;
    }
    return 0;
}

static void burst_end(burst *b) {
    if (b->items != b->few)
        PyMem_Free(b->items);
    Py_XDECREF(b->packets);
}

static int burst_begin(burst *b, PyObject *packets) {
    b->items = b->few;
    b->packets = PySequence_Tuple(packets);
    if (b->packets == NULL)
        return -1;
    b->count = (size_t)PyTuple_GET_SIZE(b->packets);
    b->bytes = 0;
    if (all_bytes(b) < 0) {
        burst_end(b);
        return -1;
    }
    if (b->count > FEW && (b->items = PyMem_New(srtp_item, b->count)) == NULL) {
        burst_end(b);
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < b->count; i++) {
        PyObject *packet = PyTuple_GET_ITEM(b->packets, i);
        b->items[i].in = (span){(const uint8_t *)PyBytes_AS_STRING(packet), (size_t)PyBytes_GET_SIZE(packet)};
        b->items[i].offset = 0;
        b->bytes += b->items[i].in.size;
    }
    return 0;
}

/* Bytes to be filled, for an item. */
static PyObject *room_for(srtp_item *item) {
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)item->out_size);
    item->out = bytes ? (uint8_t *)PyBytes_AS_STRING(bytes) : NULL;
    return bytes;
}

/* --- what is counted, what is raised ------------------------------------------------------------------------------ */

static int bump(SrtpContext *self, PyObject *name, uint64_t by) {
    PyObject *before = PyObject_GetAttr(self->counters, name), *more = before ? PyLong_FromUnsignedLongLong(by) : NULL;
    PyObject *sum = more ? PyNumber_Add(before, more) : NULL;
    int result = sum ? PyObject_SetAttr(self->counters, name, sum) : -1;
    Py_XDECREF(before);
    Py_XDECREF(more);
    Py_XDECREF(sum);
    return result;
}

static int drop(SrtpContext *self, srtp_status reason, size_t count) {
    PyObject *drops = PyObject_GetAttrString(self->counters, "drops");
    PyObject *value = drops ? PyObject_GetAttrString(self->refused[reason - 1], "value") : NULL;
    PyObject *added = value ? PyObject_CallMethod(drops, "add", "On", value, (Py_ssize_t)count) : NULL;
    Py_XDECREF(drops);
    Py_XDECREF(value);
    Py_XDECREF(added);
    return added ? 0 : -1;
}

static int bump_evicted(SrtpContext *self) {
    uint64_t evicted = self->kernel.evicted;
    self->kernel.evicted = 0;
    return evicted ? bump(self, self->state->ssrcs_evicted, evicted) : 0;
}

PyObject *srtp_raise(SrtpContext *self, srtp_status status, uint32_t offset) {
    if (status >= SRTP_MALFORMED && status <= SRTP_KEY_LIMIT) {
        PyObject *error = PyObject_CallMethod(self->refused[status - 1], "error", NULL);
        if (error) {
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
        }
    } else if (status == SRTP_TOO_MANY_STREAMS) {
        raise_error(self->state, "TooManyStreams",
                    "%zu streams were sent under this key; raise max_ssrcs or make new keys", self->kernel.max_ssrcs);
    } else if (status == SRTP_MEANS_ENCRYPTED) {
        raise_parse_error(self->state, "an extension profile that means encrypted", offset, "header extension");
    } else if (status == SRTP_CUT_SHORT) {
        raise_parse_error(self->state, "an extension element is cut short", offset, "header extension");
    } else if (status == SRTP_NO_MEMORY) {
        PyErr_NoMemory();
    } else {
        PyErr_SetString(PyExc_RuntimeError, "libcrypto failed");
    }
    return NULL;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

typedef struct {
    srtp_status (*plan)(srtp_context *, srtp_item *, size_t, size_t *);
    srtp_status (*run)(const srtp_context *, srtp_item *, size_t);
    size_t counter; /* where its name lies in the state */
} sending;

static const sending rtp_out = {srtp_plan_rtp, srtp_run_rtp, offsetof(core_state, rtp_protected)};
static const sending rtcp_out = {srtp_plan_rtcp, srtp_run_rtcp, offsetof(core_state, rtcp_protected)};

static PyObject *name_at(const SrtpContext *self, size_t offset) {
    return *(PyObject **)((char *)self->state + offset);
}

static PyObject *send_one(SrtpContext *self, PyObject *packet, const sending *way) {
    PyObject *result = NULL, *bytes = as_bytes(packet);
    if (bytes == NULL)
        return NULL;
    srtp_item item = {.in = {(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)}};
    if (srtp_enter(self) == 0) {
        size_t failed;
        srtp_status status = way->plan(&self->kernel, &item, 1, &failed);
        if (status != SRTP_OK) {
            srtp_raise(self, status, item.offset);
        } else if ((result = room_for(&item)) == NULL) {
            srtp_undo(&self->kernel);
        } else if ((status = way->run(&self->kernel, &item, 1)) != SRTP_OK) {
            srtp_undo(&self->kernel);
            Py_CLEAR(result);
            srtp_raise(self, status, 0);
        } else {
            srtp_commit(&self->kernel);
            if (bump(self, name_at(self, way->counter), 1) < 0)
                Py_CLEAR(result);
        }
    }
    Py_DECREF(bytes);
    return result;
}

/* Planned already: makes room, runs, commits. Returns: whether it is done; else it is undone, and an exception set. */
static int send_planned(SrtpContext *self, burst *b, PyObject *list, const sending *way) {
    srtp_context *kernel = &self->kernel;
    for (size_t i = 0; i < b->count; i++) {
        PyObject *bytes = room_for(&b->items[i]);
        if (bytes == NULL) {
            srtp_undo(kernel);
            return 0;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, bytes);
    }
    srtp_status status;
    if (b->bytes >= RELEASE_BYTES) {
        self->busy = 1;
        PyThread_acquire_lock(self->lock, WAIT_LOCK); /* nobody has it for long: those who wait give it back at once */
        Py_BEGIN_ALLOW_THREADS
        status = way->run(kernel, b->items, b->count);
        Py_END_ALLOW_THREADS
        self->busy = 0;
        PyThread_release_lock(self->lock);
    } else {
        status = way->run(kernel, b->items, b->count);
    }
    if (status == SRTP_OK) {
        srtp_commit(kernel);
        return 1;
    }
    srtp_undo(kernel);
    srtp_raise(self, status, 0);
    return 0;
}

static PyObject *send_many(SrtpContext *self, PyObject *packets, const sending *way) {
    burst b;
    if (burst_begin(&b, packets) < 0)
        return NULL;
    PyObject *list = PyList_New((Py_ssize_t)b.count);
    if (list && srtp_enter(self) < 0)
        Py_CLEAR(list);
    if (list) {
        size_t failed = 0;
        srtp_status status = way->plan(&self->kernel, b.items, b.count, &failed);
        if (status != SRTP_OK)
            srtp_raise(self, status, failed < b.count ? b.items[failed].offset : 0);
        if (status != SRTP_OK || !send_planned(self, &b, list, way) ||
            bump(self, name_at(self, way->counter), b.count) < 0)
            Py_CLEAR(list);
    }
    burst_end(&b);
    return list;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

typedef struct {
    size_t (*room)(const srtp_context *, size_t);
    void (*run)(srtp_context *, srtp_item *, size_t);
    size_t counter;
} receiving;

static const receiving rtp_in = {srtp_rtp_room, srtp_run_open_rtp, offsetof(core_state, rtp_unprotected)};
static const receiving rtcp_in = {srtp_rtcp_room, srtp_run_open_rtcp, offsetof(core_state, rtcp_unprotected)};

static int is_refusal(const srtp_item *item) {
    return item->status >= SRTP_MALFORMED && item->status <= SRTP_KEY_LIMIT;
}

static PyObject *receive_one(SrtpContext *self, PyObject *packet, const receiving *way) {
    PyObject *result = NULL, *bytes = as_bytes(packet);
    if (bytes == NULL)
        return NULL;
    srtp_item item = {.in = {(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)}};
    if (srtp_enter(self) == 0) {
        item.out_size = way->room(&self->kernel, item.in.size);
        if (item.out_size == 0 || (result = room_for(&item)) != NULL) {
            way->run(&self->kernel, &item, 1);
            if (bump_evicted(self) < 0)
                Py_CLEAR(result);
            else if (item.status == SRTP_OK) {
                if (bump(self, name_at(self, way->counter), 1) < 0)
                    Py_CLEAR(result);
            } else {
                Py_CLEAR(result);
                if (!is_refusal(&item) || drop(self, item.status, 1) == 0)
                    srtp_raise(self, item.status, 0);
            }
        }
    }
    Py_DECREF(bytes);
    return result;
}

/* Puts the reason where a packet was refused, and counts. Returns: 0, or -1 with an exception set. */
static int account(SrtpContext *self, burst *b, PyObject *list, const receiving *way) {
    size_t good = 0, counts[REFUSALS + 1] = {0}, kinds = 0;
    uint8_t order[REFUSALS]; /* the counter's table is in the order of first occurrence */
    int failed = 0;
    for (size_t i = 0; i < b->count; i++) {
        const srtp_item *item = &b->items[i];
        if (item->status == SRTP_OK) {
            good++;
        } else if (is_refusal(item)) {
            PyObject *unused = PyList_GET_ITEM(list, (Py_ssize_t)i);
            PyList_SET_ITEM(list, (Py_ssize_t)i, Py_NewRef(self->refused[item->status - 1]));
            Py_XDECREF(unused);
            if (counts[item->status]++ == 0)
                order[kinds++] = item->status;
        } else {
            srtp_raise(self, item->status, 0);
            failed = 1;
        }
    }
    if (failed)
        return -1;
    for (size_t i = 0; i < kinds; i++)
        if (drop(self, order[i], counts[order[i]]) < 0)
            return -1;
    return good ? bump(self, name_at(self, way->counter), good) : 0;
}

static PyObject *receive_many(SrtpContext *self, PyObject *packets, const receiving *way) {
    burst b;
    if (burst_begin(&b, packets) < 0)
        return NULL;
    PyObject *list = PyList_New((Py_ssize_t)b.count);
    if (list && srtp_enter(self) < 0)
        Py_CLEAR(list);
    for (size_t i = 0; list && i < b.count; i++) {
        srtp_item *item = &b.items[i];
        item->out = NULL;
        item->out_size = way->room(&self->kernel, item->in.size);
        if (item->out_size) {
            PyObject *bytes = room_for(item);
            if (bytes == NULL)
                Py_CLEAR(list);
            else
                PyList_SET_ITEM(list, (Py_ssize_t)i, bytes);
        }
    }
    if (list) {
        if (b.bytes >= RELEASE_BYTES) {
            self->busy = 1;
            PyThread_acquire_lock(self->lock, WAIT_LOCK);
            Py_BEGIN_ALLOW_THREADS
            way->run(&self->kernel, b.items, b.count);
            Py_END_ALLOW_THREADS
            self->busy = 0;
            PyThread_release_lock(self->lock);
        } else {
            way->run(&self->kernel, b.items, b.count);
        }
        if (bump_evicted(self) < 0 || account(self, &b, list, way) < 0)
            Py_CLEAR(list);
    }
    burst_end(&b);
    return list;
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

const char srtp_protect_doc[] = PyDoc_STR("protect($self, rtp, /)\n--\n\n"
                                          "The SRTP packet for an RTP packet.");
const char srtp_protect_many_doc[] = PyDoc_STR(
    "protect_many($self, packets, /)\n--\n\n"
    "The same for a burst, all or nothing: if one packet raises, none was protected.");
const char srtp_unprotect_doc[] = PyDoc_STR("unprotect($self, srtp, /)\n--\n\n"
                                            "The RTP packet of an SRTP packet.");
const char srtp_unprotect_many_doc[] = PyDoc_STR(
    "unprotect_many($self, packets, /)\n--\n\n"
    "The same for a burst: in place of a packet that is refused stands the reason.");
const char srtp_protect_rtcp_doc[] = PyDoc_STR("protect_rtcp($self, rtcp, /)\n--\n\n"
                                               "The SRTCP packet for a (compound) RTCP packet.");
const char srtp_protect_rtcp_many_doc[] = PyDoc_STR("protect_rtcp_many($self, packets, /)\n--\n\n"
                                                    "The same for a burst, all or nothing.");
const char srtp_unprotect_rtcp_doc[] = PyDoc_STR("unprotect_rtcp($self, srtcp, /)\n--\n\n"
                                                 "The RTCP packet of an SRTCP packet.");
const char srtp_unprotect_rtcp_many_doc[] = PyDoc_STR(
    "unprotect_rtcp_many($self, packets, /)\n--\n\n"
    "The same for a burst: in place of a packet that is refused stands the reason.");

PyObject *srtp_protect(PyObject *self, PyObject *packet) {
    return send_one((SrtpContext *)self, packet, &rtp_out);
}

PyObject *srtp_protect_many(PyObject *self, PyObject *packets) {
    return send_many((SrtpContext *)self, packets, &rtp_out);
}

PyObject *srtp_unprotect(PyObject *self, PyObject *packet) {
    return receive_one((SrtpContext *)self, packet, &rtp_in);
}

PyObject *srtp_unprotect_many(PyObject *self, PyObject *packets) {
    return receive_many((SrtpContext *)self, packets, &rtp_in);
}

PyObject *srtp_protect_rtcp(PyObject *self, PyObject *packet) {
    return send_one((SrtpContext *)self, packet, &rtcp_out);
}

PyObject *srtp_protect_rtcp_many(PyObject *self, PyObject *packets) {
    return send_many((SrtpContext *)self, packets, &rtcp_out);
}

PyObject *srtp_unprotect_rtcp(PyObject *self, PyObject *packet) {
    return receive_one((SrtpContext *)self, packet, &rtcp_in);
}

PyObject *srtp_unprotect_rtcp_many(PyObject *self, PyObject *packets) {
    return receive_many((SrtpContext *)self, packets, &rtcp_in);
}
