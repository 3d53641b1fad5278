/* PacketRun: the middle of frames without Python. What a packet brings that is not the usual goes to `_push`. */
#include "rtp.h"

#include <structmember.h>

#include "packetization.h"

typedef struct {
    PyObject_HEAD
    PyObject *run, *held;
    long long max_bytes, max_packets, packets, expected, timestamp, run_bytes;
} PacketRun;

/* The names that packets are asked by; immortal for the module's life. */
typedef struct {
    PyObject *sequence_number, *timestamp, *marker, *payload;
} seen;

static core_state *state_of_run(PyObject *self) {
    return state_of_type(Py_TYPE(self));
}

static int seen_of(const core_state *state, PyObject *packet, seen *found) {
    if (Py_TYPE(packet) == (PyTypeObject *)state->rtp.native) {
        RtpPacket *native = (RtpPacket *)packet;
        *found = (seen){Py_XNewRef(native->sequence_number), Py_XNewRef(native->timestamp),
                        Py_XNewRef(native->marker), Py_XNewRef(native->payload)};
    } else {
        PyObject *const *names = state->packet_names;
        *found = (seen){PyObject_GetAttr(packet, names[0]), NULL, NULL, NULL};
        if (found->sequence_number)
            found->timestamp = PyObject_GetAttr(packet, names[1]);
        if (found->timestamp)
            found->marker = PyObject_GetAttr(packet, names[2]);
        if (found->marker)
            found->payload = PyObject_GetAttr(packet, names[3]);
    }
    return found->sequence_number && found->timestamp && found->marker && found->payload;
}

static void forget(seen *found) {
    Py_XDECREF(found->sequence_number);
    Py_XDECREF(found->timestamp);
    Py_XDECREF(found->marker);
    Py_XDECREF(found->payload);
}

static int is_number(PyObject *object, long long number) {
    if (!PyLong_CheckExact(object))
        return 0;
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    return !overflow && value == number;
}

/* Returns: 1 if the packet is the middle of the frame in progress, and was taken; 0; -1 with an exception set. */
static int taken(PacketRun *self, const seen *packet) {
    if (self->run == NULL || !PyList_CheckExact(self->run) || PyList_GET_SIZE(self->run) == 0 || self->held == NULL ||
        !PyDict_CheckExact(self->held) || PyDict_GET_SIZE(self->held) || !PyBytes_CheckExact(packet->payload) ||
        !is_number(packet->sequence_number, self->expected) || !is_number(packet->timestamp, self->timestamp) ||
        (packet->marker != Py_False && !is_number(packet->marker, 0)))
        return 0;
    Py_ssize_t size = PyBytes_GET_SIZE(packet->payload);
    if (size == 0 || self->run_bytes > self->max_bytes - size || PyList_GET_SIZE(self->run) >= self->max_packets)
        return 0;
    if (PyList_Append(self->run, packet->payload) < 0)
        return -1;
    self->expected = (self->expected + 1) & 0xFFFF;
    self->run_bytes += size;
    return 1;
}

/* Adds the frames that are complete by a packet to `frames`, or makes it a list of them. */
static int push_one(PacketRun *self, core_state *state, PyObject *packet, PyObject **frames) {
    seen found;
    self->packets++;
    int done = seen_of(state, packet, &found) ? taken(self, &found) : -1;
    forget(&found);
    if (done)
        return done < 0 ? -1 : 0;
    PyObject *made = PyObject_CallMethodOneArg((PyObject *)self, state->packet_names[4], packet);
    if (made == NULL)
        return -1;
    if (*frames == NULL) {
        *frames = made;
        return 0;
    }
    PyObject *all = PySequence_InPlaceConcat(*frames, made);
    Py_DECREF(made);
    if (all == NULL)
        return -1;
    Py_SETREF(*frames, all);
    return 0;
}

PyDoc_STRVAR(push_doc, "push($self, packet)\n--\n\n"
                       "Takes one packet, in any order, and returns the frames that are complete by it. Never raises.");

static PyObject *push(PyObject *self, PyObject *packet) {
    core_state *state = state_of_run(self);
    PyObject *frames = NULL;
    if (state == NULL || push_one((PacketRun *)self, state, packet, &frames) < 0) {
        Py_XDECREF(frames);
        return NULL;
    }
    return frames ? frames : PyList_New(0);
}

PyDoc_STRVAR(push_many_doc, "push_many($self, packets)\n--\n\n`push` for a burst.");

static PyObject *push_many(PyObject *self, PyObject *packets) {
    core_state *state = state_of_run(self);
    PyObject *burst = state ? PySequence_Fast(packets, "a burst of packets is a list") : NULL;
    PyObject *frames = burst ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; frames && i < PySequence_Fast_GET_SIZE(burst); i++)
        if (push_one((PacketRun *)self, state, PySequence_Fast_GET_ITEM(burst, i), &frames) < 0)
            Py_CLEAR(frames);
    Py_XDECREF(burst);
    return frames;
}

static int attribute(PyObject *of, const char *name, long long *to) {
    PyObject *value = PyObject_GetAttrString(of, name);
    if (value == NULL)
        return -1;
    *to = PyLong_AsLongLong(value);
    Py_DECREF(value);
    return *to == -1 && PyErr_Occurred() ? -1 : 0;
}

static int init(PyObject *object, PyObject *arguments, PyObject *names) {
    static char *keywords[] = {"config", NULL};
    PacketRun *self = (PacketRun *)object;
    PyObject *config;
    if (!PyArg_ParseTupleAndKeywords(arguments, names, "O:PacketRun", keywords, &config) ||
        attribute(config, "max_frame_bytes", &self->max_bytes) < 0 ||
        attribute(config, "max_frame_packets", &self->max_packets) < 0)
        return -1;
    self->packets = self->timestamp = self->run_bytes = 0;
    self->expected = -1;
    Py_XSETREF(self->run, PyList_New(0));
    Py_XSETREF(self->held, PyDict_New());
    return self->run && self->held ? 0 : -1;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((PacketRun *)object)->run);
    Py_VISIT(((PacketRun *)object)->held);
    return 0;
}

static int clear(PyObject *object) {
    Py_CLEAR(((PacketRun *)object)->run);
    Py_CLEAR(((PacketRun *)object)->held);
    return 0;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"push", push, METH_O, push_doc},
    {"push_many", push_many, METH_O, push_many_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_max_bytes", T_LONGLONG, offsetof(PacketRun, max_bytes), 0, NULL},
    {"_max_packets", T_LONGLONG, offsetof(PacketRun, max_packets), 0, NULL},
    {"_packets", T_LONGLONG, offsetof(PacketRun, packets), 0, NULL},
    {"_expected", T_LONGLONG, offsetof(PacketRun, expected), 0, NULL},
    {"_held", T_OBJECT_EX, offsetof(PacketRun, held), 0, NULL},
    {"_timestamp", T_LONGLONG, offsetof(PacketRun, timestamp), 0, NULL},
    {"_run", T_OBJECT_EX, offsetof(PacketRun, run), 0, NULL},
    {"_run_bytes", T_LONGLONG, offsetof(PacketRun, run_bytes), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "PacketRun(config)\n--\n\nThe state of a depacketizer that is looked at for every packet."},
    {Py_tp_init, (void *)init},       {Py_tp_new, (void *)PyType_GenericNew},
    {Py_tp_dealloc, (void *)dealloc}, {Py_tp_traverse, (void *)traverse},
    {Py_tp_clear, (void *)clear},     {Py_tp_methods, methods},
    {Py_tp_members, members},         {0, NULL},
};

static PyType_Spec spec = {
    .name = "webrtc_stack.hot._core.PacketRun",
    .basicsize = sizeof(PacketRun),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int bind_packet_run(PyObject *module) {
    static const char *const texts[] = {"sequence_number", "timestamp", "marker", "payload", "_push"};
    core_state *state = state_of(module);
    for (size_t i = 0; i < 5; i++)
        if ((state->packet_names[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int failed = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return failed;
}
