/* RtpPacket for Python: parsing, writing, the object. Typed extensions are in rtp_extensions.c. */
#include "rtp.h"

#include <structmember.h>

static PyObject **const *members_of(RtpPacket *self, PyObject **into[12]) {
    PyObject **all[12] = {&self->csrcs, &self->marker, &self->padding,   &self->payload, &self->payload_type,
                          &self->sequence_number, &self->ssrc, &self->timestamp, &self->map, &self->raw,
                          &self->layout, &self->extensions};
    memcpy(into, all, sizeof all);
    return into;
}

static int is(PyObject *object, PyObject *what) {
    return object == what;
}

PyObject *rtp_in_python(core_state *state, const char *name, PyObject *self, PyObject *const *arguments,
                        Py_ssize_t count, PyObject *names) {
    const rtp_parts *parts = rtp_parts_of(state);
    PyObject *function = parts ? PyObject_GetAttrString(parts->python, name) : NULL;
    if (function && PyMethod_Check(function)) { /* of the class: upon this one, not Python's */
        PyObject *plain = Py_NewRef(PyMethod_GET_FUNCTION(function));
        Py_SETREF(function, plain);
    }
    if (function == NULL)
        return NULL;
    Py_ssize_t all = count + (names ? PyTuple_GET_SIZE(names) : 0);
    PyObject *few[8], **stack = all < 8 ? few : PyMem_New(PyObject *, (size_t)all + 1);
    PyObject *result = NULL;
    if (stack == NULL) {
        PyErr_NoMemory();
    } else {
        stack[0] = self;
        for (Py_ssize_t i = 0; i < all; i++)
            stack[i + 1] = arguments[i];
        result = PyObject_Vectorcall(function, stack, (size_t)count + 1, names);
    }
    if (stack != few)
        PyMem_Free(stack);
    Py_DECREF(function);
    return result;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(parse_doc, "parse($type, data, extension_map=None)\n--\n\nReads a packet. Errors: `ParseError`.");

static PyObject *csrcs_of(const uint8_t *at, unsigned count) {
    PyObject *csrcs = PyTuple_New(count);
    for (unsigned i = 0; csrcs && i < count; i++) {
        PyObject *csrc = PyLong_FromUnsignedLong(read_u32(at + 4 * i));
        if (csrc == NULL)
            Py_CLEAR(csrcs);
        else
            PyTuple_SET_ITEM(csrcs, i, csrc);
    }
    return csrcs;
}

static PyObject *part_of(const char *data, size_t at, size_t size) {
    return PyBytes_FromStringAndSize(data + at, (Py_ssize_t)size);
}

PyObject *rtp_parse(PyObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    rtp_packet_header header;
    if (count < 1 || count > 2 || names || !PyBytes_CheckExact(arguments[0]) ||
        rtp_read_header((span){(const uint8_t *)PyBytes_AS_STRING(arguments[0]), (size_t)PyBytes_GET_SIZE(arguments[0])},
                        &header) < 0) {
        core_state *state = state_of_type((PyTypeObject *)type);
        return state ? rtp_in_python(state, "parse", type, arguments, count, names) : NULL;
    }
    const char *data = PyBytes_AS_STRING(arguments[0]);
    RtpPacket *self = (RtpPacket *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (self == NULL)
        return NULL;
    self->marker = Py_NewRef(header.marker ? Py_True : Py_False);
    self->map = Py_NewRef(count == 2 ? arguments[1] : Py_None);
    self->layout = Py_NewRef(Py_None);
    self->extensions = Py_NewRef(Py_None);
    if ((self->payload_type = PyLong_FromLong(header.payload_type)) == NULL ||
        (self->sequence_number = PyLong_FromLong(header.sequence_number)) == NULL ||
        (self->timestamp = PyLong_FromUnsignedLong(header.timestamp)) == NULL ||
        (self->ssrc = PyLong_FromUnsignedLong(header.ssrc)) == NULL ||
        (self->padding = PyLong_FromLong(header.padding)) == NULL ||
        (self->csrcs = csrcs_of((const uint8_t *)data + 12, header.csrc_count)) == NULL ||
        (self->raw = part_of(data, header.block, header.block_size)) == NULL ||
        (self->payload = part_of(data, header.payload, header.payload_size)) == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(serialize_doc, "serialize($self, extension_map=None)\n--\n\n"
                            "The packet as bytes, for another `extension_map` with its elements renumbered by URI.");

static int field_of(PyObject *object, unsigned long limit, unsigned long *to) {
    if (object == NULL || !PyLong_CheckExact(object))
        return 0;
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow || value < 0 || (unsigned long long)value > limit)
        return 0;
    *to = (unsigned long)value;
    return 1;
}

PyObject *rtp_serialize(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    RtpPacket *self = (RtpPacket *)object;
    PyObject *target = count ? arguments[0] : Py_None;
    unsigned long type, sequence_number, timestamp, ssrc, padding;
    if (count > 1 || names || (!is(target, Py_None) && !is(target, self->map) && !is(self->map, Py_None)) ||
        !self->extensions || !self->raw || !PyBytes_CheckExact(self->raw) || !self->marker ||
        !PyBool_Check(self->marker) || !field_of(self->payload_type, 127, &type) ||
        !field_of(self->sequence_number, 0xFFFF, &sequence_number) ||
        !field_of(self->timestamp, 0xFFFFFFFF, &timestamp) || !field_of(self->ssrc, 0xFFFFFFFF, &ssrc) ||
        !field_of(self->padding, 255, &padding) || !self->payload || !PyBytes_CheckExact(self->payload) ||
        !self->csrcs || !PyTuple_CheckExact(self->csrcs) || PyTuple_GET_SIZE(self->csrcs)) {
        core_state *state = state_of_type(Py_TYPE(object));
        return state ? rtp_in_python(state, "serialize", object, arguments, count, names) : NULL;
    }
    PyObject *raw = is(self->extensions, Py_None) ? Py_NewRef(self->raw)
                                                  : PyObject_GetAttrString(self->extensions, "raw");
    if (raw == NULL)
        return NULL;
    if (!PyBytes_CheckExact(raw)) {
        PyErr_Format(PyExc_TypeError, "a block is bytes, not %.200s", Py_TYPE(raw)->tp_name);
        Py_DECREF(raw);
        return NULL;
    }
    PyObject *payload = self->payload; /* nothing below runs Python; what gave `raw` may have, and changed it */
    if (payload == NULL || !PyBytes_CheckExact(payload)) {
        Py_DECREF(raw);
        core_state *state = state_of_type(Py_TYPE(object));
        return state ? rtp_in_python(state, "serialize", object, arguments, count, names) : NULL;
    }
    size_t block = (size_t)PyBytes_GET_SIZE(raw), size = (size_t)PyBytes_GET_SIZE(payload);
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(12 + block + size + padding));
    if (result) {
        uint8_t *out = (uint8_t *)PyBytes_AS_STRING(result);
        out[0] = (uint8_t)((block ? 0x90 : 0x80) | (padding ? 0x20 : 0));
        out[1] = (uint8_t)(type | (is(self->marker, Py_True) ? 0x80 : 0));
        write_u16(out + 2, (uint16_t)sequence_number);
        write_u32(out + 4, (uint32_t)timestamp);
        write_u32(out + 8, (uint32_t)ssrc);
        memcpy(out + 12, PyBytes_AS_STRING(raw), block);
        memcpy(out + 12 + block, PyBytes_AS_STRING(payload), size);
        if (padding) {
            memset(out + 12 + block + size, 0, padding);
            out[12 + block + size + padding - 1] = (uint8_t)padding;
        }
    }
    Py_DECREF(raw);
    return result;
}

/* --- what Python's functions call upon this object ---------------------------------------------------------------- */

#define PASS_ON(function, name)                                                                                        \
    static PyObject *function(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {         \
        core_state *state = state_of_type(Py_TYPE(self));                                                              \
        return state ? rtp_in_python(state, name, self, arguments, count, names) : NULL;                               \
    }
PASS_ON(get_element, "_get_element")
PASS_ON(set_element, "_set_element")
PASS_ON(renumbered, "_renumbered")

/* --- properties --------------------------------------------------------------------------------------------------- */

static PyObject *present(PyObject *value, const char *name) {
    if (value == NULL)
        PyErr_SetString(PyExc_AttributeError, name);
    return Py_XNewRef(value);
}

static int assign(RtpPacket *self, PyObject **to, PyObject *value) {
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a property of RtpPacket cannot be deleted");
        return -1;
    }
    Py_XSETREF(*to, Py_NewRef(value));
    Py_XSETREF(self->layout, Py_NewRef(Py_None));
    return 0;
}

static PyObject *get_map(PyObject *self, void *Py_UNUSED(closure)) {
    return present(((RtpPacket *)self)->map, "_map");
}

static int set_map(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    return assign((RtpPacket *)self, &((RtpPacket *)self)->map, value);
}

static PyObject *get_extensions(PyObject *object, void *Py_UNUSED(closure)) {
    RtpPacket *self = (RtpPacket *)object;
    if (self->extensions == NULL || self->raw == NULL)
        return present(NULL, "_extensions");
    if (is(self->extensions, Py_None)) {
        core_state *state = state_of_type(Py_TYPE(object));
        const rtp_parts *parts = state ? rtp_parts_of(state) : NULL;
        PyObject *made = parts ? PyObject_CallMethod(parts->header_extensions, "of_packet", "O", self->raw) : NULL;
        if (made == NULL)
            return NULL;
        assign(self, &self->extensions, made); /* what comes now may change any element */
        return made;
    }
    return Py_NewRef(self->extensions);
}

static int set_extensions(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    return assign((RtpPacket *)self, &((RtpPacket *)self)->extensions, value);
}

static PyObject *get_size(PyObject *object, void *Py_UNUSED(closure)) {
    RtpPacket *self = (RtpPacket *)object;
    unsigned long padding;
    if (self->extensions && is(self->extensions, Py_None) && self->csrcs && PyTuple_CheckExact(self->csrcs) &&
        self->raw && PyBytes_CheckExact(self->raw) && self->payload && PyBytes_CheckExact(self->payload) &&
        field_of(self->padding, 255, &padding))
        return PyLong_FromSsize_t(12 + 4 * PyTuple_GET_SIZE(self->csrcs) + PyBytes_GET_SIZE(self->raw) +
                                  PyBytes_GET_SIZE(self->payload) + (Py_ssize_t)padding);
    core_state *state = state_of_type(Py_TYPE(object));
    const rtp_parts *parts = state ? rtp_parts_of(state) : NULL;
    PyObject *property = parts ? PyObject_GetAttrString(parts->python, "size") : NULL;
    PyObject *size = property ? PyObject_CallMethod(property, "__get__", "O", object) : NULL;
    Py_XDECREF(property);
    return size;
}

/* --- the object --------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(copy_doc, "copy($self)\n--\n\nAn independent copy: what a history keeps, or a retransmission is made from.");

static PyObject *copy(PyObject *object, PyObject *Py_UNUSED(nothing)) {
    core_state *state = state_of_type(Py_TYPE(object));
    const rtp_parts *parts = state ? rtp_parts_of(state) : NULL;
    if (parts == NULL)
        return NULL;
    PyTypeObject *type = (PyTypeObject *)parts->native;
    RtpPacket *made = (RtpPacket *)type->tp_alloc(type, 0);
    if (made == NULL)
        return NULL;
    PyObject **from[12], **to[12];
    members_of((RtpPacket *)object, from);
    members_of(made, to);
    for (int i = 0; i < 12; i++) {
        if (*from[i] == NULL) {
            PyErr_SetString(PyExc_AttributeError, "a field of the packet was deleted");
            Py_DECREF(made);
            return NULL;
        }
        *to[i] = Py_NewRef(*from[i]);
    }
    if (!is(made->extensions, Py_None)) {
        PyObject *extensions = PyObject_CallMethod(made->extensions, "copy", NULL);
        if (extensions == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        Py_SETREF(made->extensions, extensions);
    }
    return (PyObject *)made;
}

/* As of a Python class with slots, so that `copy` and `pickle` take it. */
static PyObject *state_for_copies(PyObject *object, PyObject *Py_UNUSED(nothing)) {
    static const char *const names[] = {"csrcs", "marker",    "padding", "payload", "payload_type", "sequence_number",
                                        "ssrc",  "timestamp", "_map",    "_raw",    "_layout",      "_extensions"};
    PyObject **from[12], *slots = PyDict_New();
    members_of((RtpPacket *)object, from);
    for (int i = 0; slots && i < 12; i++)
        if (*from[i] && PyDict_SetItemString(slots, names[i], *from[i]) < 0)
            Py_CLEAR(slots);
    return slots ? Py_BuildValue("(ON)", Py_None, slots) : NULL;
}

static PyObject *compare(PyObject *left, PyObject *right, int operation) {
    static const char *const names[] = {"sequence_number", "ssrc",    "timestamp", "payload_type", "marker",
                                        "csrcs",           "padding", "payload",   "extensions"};
    core_state *state = state_of_type(Py_TYPE(left));
    if (state == NULL)
        return NULL;
    PyObject *native = state->rtp.native;
    if (native == NULL || (operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(right, (PyTypeObject *)native))
        Py_RETURN_NOTIMPLEMENTED;
    int same = 1;
    for (size_t i = 0; same == 1 && i < sizeof names / sizeof *names; i++) {
        PyObject *one = PyObject_GetAttrString(left, names[i]);
        PyObject *other = one ? PyObject_GetAttrString(right, names[i]) : NULL;
        same = other ? PyObject_RichCompareBool(one, other, Py_EQ) : -1;
        Py_XDECREF(one);
        Py_XDECREF(other);
    }
    if (same < 0)
        return NULL;
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static PyObject *repr(PyObject *self) {
    core_state *state = state_of_type(Py_TYPE(self));
    return state ? rtp_in_python(state, "__repr__", self, NULL, 0, NULL) : NULL;
}

static char *const argument_names[11] = {"payload_type", "sequence_number", "timestamp", "ssrc", "marker", "csrcs",
                                         "extensions", "payload", "padding", "extension_map", NULL};

/* What was given by the names that programs use, which are interned. Returns: 0 where the general parser shall look. */
static int quick_arguments(PyObject *type, PyObject *arguments, PyObject *given, PyObject **const to[10]) {
    core_state *state = state_of_type((PyTypeObject *)type);
    PyObject *name, *value;
    Py_ssize_t at = 0;
    if (state == NULL)
        PyErr_Clear(); /* the general parser needs none */
    if (state == NULL || PyTuple_GET_SIZE(arguments))
        return 0;
    while (given && PyDict_Next(given, &at, &name, &value)) {
        int i = 0;
        while (i < 10 && state->rtp.names[i] != name)
            i++;
        if (i == 10)
            return 0;
        *to[i] = value;
    }
    return 1;
}

static int init(PyObject *object, PyObject *arguments, PyObject *given) {
    RtpPacket *self = (RtpPacket *)object;
    PyObject *zero = PyLong_FromLong(0), *nothing = PyBytes_FromStringAndSize(NULL, 0), *none = PyTuple_New(0);
    PyObject *type = zero, *sequence_number = zero, *timestamp = zero, *ssrc = zero, *marker = Py_False, *csrcs = none,
             *extensions = Py_None, *payload = nothing, *padding = zero, *map = Py_None;
    PyObject **const into[10] = {&type, &sequence_number, &timestamp, &ssrc, &marker,
                                 &csrcs, &extensions, &payload, &padding, &map};
    int result = -1;
    if (zero && nothing && none &&
        (quick_arguments((PyObject *)Py_TYPE(object), arguments, given, into) ||
         PyArg_ParseTupleAndKeywords(arguments, given, "|$OOOOOOOOOO:RtpPacket", (char **)argument_names, &type, &sequence_number,
                                    &timestamp, &ssrc, &marker, &csrcs, &extensions, &payload, &padding, &map))) {
        PyObject *values[12] = {csrcs, marker, padding, payload, type, sequence_number,
                                ssrc,  timestamp, map,  nothing, Py_None, extensions};
        PyObject **to[12];
        members_of(self, to);
        for (int i = 0; i < 12; i++)
            Py_XSETREF(*to[i], Py_NewRef(values[i]));
        result = 0;
    }
    Py_XDECREF(zero);
    Py_XDECREF(nothing);
    Py_XDECREF(none);
    return result;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    PyObject **all[12];
    members_of((RtpPacket *)object, all);
    for (int i = 0; i < 12; i++)
        Py_VISIT(*all[i]);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int clear(PyObject *object) {
    PyObject **all[12];
    members_of((RtpPacket *)object, all);
    for (int i = 0; i < 12; i++)
        Py_CLEAR(*all[i]);
    return 0;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(packet_doc,
             "RtpPacket(*, payload_type=0, sequence_number=0, timestamp=0, ssrc=0, marker=False, csrcs=(), "
             "extensions=None, payload=b'', padding=0, extension_map=None)\n--\n\nOne RTP packet, in plain.");

#define KEYWORDS(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS

static PyMethodDef methods[] = {
    {"parse", (PyCFunction)(void (*)(void))rtp_parse, METH_FASTCALL | METH_KEYWORDS | METH_CLASS, parse_doc},
    {"serialize", KEYWORDS(rtp_serialize), serialize_doc},
    {"get", KEYWORDS(rtp_get), "get($self, uri)\n--\n\nThe typed value of an extension, or None."},
    {"set", KEYWORDS(rtp_set), "set($self, uri, value)\n--\n\nWrites the typed value of an extension."},
    {"copy", copy, METH_NOARGS, copy_doc},
    {"__getstate__", state_for_copies, METH_NOARGS, NULL},
    {"_get_element", KEYWORDS(get_element), NULL},
    {"_set_element", KEYWORDS(set_element), NULL},
    {"_renumbered", KEYWORDS(renumbered), NULL},
    {NULL, NULL, 0, NULL},
};

#define MEMBER(name, member) {name, T_OBJECT_EX, offsetof(RtpPacket, member), 0, NULL}

static PyMemberDef members[] = {
    MEMBER("csrcs", csrcs), MEMBER("marker", marker), MEMBER("padding", padding), MEMBER("payload", payload),
    MEMBER("payload_type", payload_type), MEMBER("sequence_number", sequence_number), MEMBER("ssrc", ssrc),
    MEMBER("timestamp", timestamp), MEMBER("_map", map), MEMBER("_raw", raw), MEMBER("_layout", layout),
    MEMBER("_extensions", extensions), {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"extension_map", get_map, set_map, "Which identifier means which extension in this packet.", NULL},
    {"extensions", get_extensions, set_extensions, "The elements by identifier; always there.", NULL},
    {"size", get_size, NULL, "How many bytes `serialize` gives.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)packet_doc},
    {Py_tp_init, (void *)init},
    {Py_tp_dealloc, (void *)dealloc},
    {Py_tp_traverse, (void *)traverse},
    {Py_tp_clear, (void *)clear},
    {Py_tp_richcompare, (void *)compare},
    {Py_tp_hash, (void *)PyObject_HashNotImplemented},
    {Py_tp_repr, (void *)repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "webrtc_stack.hot._core.RtpPacket",
    .basicsize = sizeof(RtpPacket),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int bind_rtp(PyObject *module) {
    core_state *state = state_of(module);
    state->rtp.native = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (state->rtp.native == NULL || (state->rtp.codecs = PyUnicode_InternFromString("codecs")) == NULL)
        return -1;
    for (int i = 0; i < 10; i++)
        if ((state->rtp.names[i] = PyUnicode_InternFromString(argument_names[i])) == NULL)
            return -1;
    return PyModule_AddType(module, (PyTypeObject *)state->rtp.native) < 0 ? -1 : bind_rtp_bursts(module);
}
