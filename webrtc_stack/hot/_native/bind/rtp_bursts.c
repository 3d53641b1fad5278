/* Bursts of RTP packets: parsed, written, and their headers rewritten. */
#include "../kernel/rtp_rewrite.h"
#include "rtp.h"

#define MOST_FIXED 15 /* with the transport-wide sequence number */

static int append(PyObject *list, PyObject *item) {
    int failed = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return failed;
}

/* The exception that is set, as a value, if it is a ParseError; else NULL, and it stays set. */
static PyObject *parse_error_as_value(core_state *state) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* nothing may be looked up while an exception is set */
    PyObject *kind = PyObject_GetAttrString(state->errors, "ParseError");
    if (kind == NULL || !PyErr_GivenExceptionMatches(type, kind)) {
        Py_XDECREF(kind);
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    Py_DECREF(kind);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

static PyObject *in_python(PyObject *module, const char *name, PyObject *const *arguments, Py_ssize_t count) {
    PyObject *function = part_named(state_of(module), name);
    return function ? PyObject_Vectorcall(function, arguments, (size_t)count, NULL) : NULL;
}

PyDoc_STRVAR(parse_many_doc, "parse_many($module, packets, extension_map=None, /)\n--\n\n"
                             "A burst of packets; in the place of what is none, the `ParseError` that says why.");

static PyObject *parse_many(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    core_state *state = state_of(module);
    if (count < 1 || count > 2)
        return in_python(module, "parse_many", arguments, count);
    PyObject *packets = PySequence_List(arguments[0]), *made = packets ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; made && i < PyList_GET_SIZE(packets); i++) {
        PyObject *data = Py_NewRef(PyList_GET_ITEM(packets, i));
        PyObject *given[2] = {data, count == 2 ? arguments[1] : Py_None};
        PyObject *packet = rtp_parse(state->rtp.native, given, 2, NULL);
        Py_DECREF(data);
        if (append(made, packet ? packet : parse_error_as_value(state)) < 0)
            Py_CLEAR(made);
    }
    Py_XDECREF(packets);
    return made;
}

PyDoc_STRVAR(serialize_many_doc, "serialize_many($module, packets, extension_map=None, /)\n--\n\n"
                                 "A burst of packets as bytes.");

static PyObject *serialize_many(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    core_state *state = state_of(module);
    if (count < 1 || count > 2 || !PyList_CheckExact(arguments[0]))
        return in_python(module, "serialize_many", arguments, count);
    PyObject *packets = Py_NewRef(arguments[0]), *made = PyList_New(0);
    for (Py_ssize_t i = 0; made && i < PyList_GET_SIZE(packets); i++) {
        PyObject *packet = Py_NewRef(PyList_GET_ITEM(packets, i));
        PyObject *data;
        if (Py_TYPE(packet) == (PyTypeObject *)state->rtp.native) {
            data = rtp_serialize(packet, arguments + 1, count - 1, NULL);
        } else {
            PyObject *given[2] = {packet, count == 2 ? arguments[1] : Py_None};
            data = PyObject_VectorcallMethod(state->serialize_name, given, 2, NULL);
        }
        Py_DECREF(packet);
        if (append(made, data) < 0)
            Py_CLEAR(made);
    }
    Py_DECREF(packets);
    return made;
}

/* --- rewriting ---------------------------------------------------------------------------------------------------- */

static int number_of(PyObject *plan, Py_ssize_t at, long long low, long long high, long long *to) {
    PyObject *number = PyTuple_GET_ITEM(plan, at);
    int overflow = 1;
    if (PyLong_CheckExact(number))
        *to = PyLong_AsLongLongAndOverflow(number, &overflow);
    return !overflow && *to >= low && *to <= high;
}

static const uint8_t *bytes_of(PyObject *plan, Py_ssize_t at, Py_ssize_t size) {
    PyObject *bytes = PyTuple_GET_ITEM(plan, at);
    return PyBytes_CheckExact(bytes) && PyBytes_GET_SIZE(bytes) == size ? (const uint8_t *)PyBytes_AS_STRING(bytes)
                                                                        : NULL;
}

static int add_fixed(rtp_fixed *fixed, size_t *count, long long identifier, const uint8_t *data, Py_ssize_t size) {
    if (*count == MOST_FIXED || identifier < 1 || identifier > 14 || size < 1 || size > RTP_ELEMENT_BYTES)
        return 0;
    for (size_t i = 0; i < *count; i++)
        if (fixed[i].identifier == identifier)
            return 0;
    fixed[*count].identifier = (uint8_t)identifier;
    fixed[*count].size = (uint8_t)size;
    memcpy(fixed[(*count)++].data, data, (size_t)size);
    return 1;
}

/* What a plan says, as far as the kernel does it. Returns: 0 where Python shall do it all. */
static int rewriting_of(PyObject *plan, rtp_rewriting *to, rtp_fixed fixed[MOST_FIXED], int *transport) {
    static const uint8_t zeros[2];
    long long ssrc, sequence, timestamp, two_byte, identifier;
    if (!PyTuple_Check(plan) || PyTuple_GET_SIZE(plan) != 8 || !number_of(plan, 0, -1, 0xFFFFFFFF, &ssrc) ||
        !number_of(plan, 2, 0, 0xFFFF, &sequence) || !number_of(plan, 3, 0, 0xFFFFFFFF, &timestamp) ||
        !number_of(plan, 5, 0, 2, &two_byte) || two_byte == 1 || !number_of(plan, 7, 0, 14, &identifier) ||
        !PyTuple_CheckExact(PyTuple_GET_ITEM(plan, 6)))
        return 0;
    *to = (rtp_rewriting){.payload_types = bytes_of(plan, 1, 128), .identifiers = bytes_of(plan, 4, 256),
                          .fixed = fixed, .ssrc = (uint32_t)ssrc, .keep_ssrc = ssrc < 0,
                          .sequence_offset = (uint16_t)sequence, .timestamp_offset = (uint32_t)timestamp};
    PyObject *values = PyTuple_GET_ITEM(plan, 6);
    if (to->payload_types == NULL || (to->identifiers == NULL && bytes_of(plan, 4, 0) == NULL))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
        PyObject *pair = PyTuple_GET_ITEM(values, i);
        long long of;
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !number_of(pair, 0, 1, 14, &of) ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 1)) ||
            !add_fixed(fixed, &to->fixed_count, of, (const uint8_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(pair, 1)),
                       PyBytes_GET_SIZE(PyTuple_GET_ITEM(pair, 1))))
            return 0;
    }
    *transport = identifier ? (int)to->fixed_count : -1;
    return (to->identifiers || (to->fixed_count == 0 && identifier == 0)) &&
           (!identifier || add_fixed(fixed, &to->fixed_count, identifier, zeros, 2));
}

static PyObject *rewritten(const rtp_rewriting *rewriting, PyObject *data) {
    rtp_packet_header header;
    uint8_t head[RTP_HEAD_BYTES];
    span packet = {(const uint8_t *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
    size_t size = rtp_rewrite_head(rewriting, packet, head, &header);
    if (size == 0)
        return Py_NewRef(Py_None);
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(size + header.payload_size + header.padding));
    if (made) {
        uint8_t *out = (uint8_t *)PyBytes_AS_STRING(made), *padding = out + size + header.payload_size;
        memcpy(out, head, size);
        memcpy(out + size, packet.data + header.payload, header.payload_size);
        memset(padding, 0, header.padding);
        if (header.padding)
            padding[header.padding - 1] = header.padding;
    }
    return made;
}

/* One packet by Python, which tells the sequence number that comes next. */
static PyObject *rewritten_in_python(PyObject *module, PyObject *plan, PyObject *data, unsigned *sequence) {
    PyObject *burst = PyList_New(1), *number = PyLong_FromUnsignedLong(*sequence), *made = NULL, *result = NULL;
    if (burst && number) {
        PyList_SET_ITEM(burst, 0, Py_NewRef(data));
        PyObject *arguments[3] = {plan, burst, number};
        made = in_python(module, "rewrite_headers", arguments, 3);
    }
    unsigned next;
    PyObject *list;
    if (made && PyArg_ParseTuple(made, "O!I", &PyList_Type, &list, &next) && PyList_GET_SIZE(list) == 1) {
        result = Py_NewRef(PyList_GET_ITEM(list, 0));
        *sequence = next;
    }
    Py_XDECREF(burst);
    Py_XDECREF(number);
    Py_XDECREF(made);
    return result;
}

PyDoc_STRVAR(rewrite_headers_doc,
             "rewrite_headers($module, plan, packets, transport_sequence_number, /)\n--\n\n"
             "A burst of packets as another session numbers them, and the number that comes next.");

static PyObject *rewrite_headers(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    rtp_rewriting rewriting;
    rtp_fixed fixed[MOST_FIXED];
    int transport;
    long number = count == 3 && PyLong_CheckExact(arguments[2]) ? PyLong_AsLong(arguments[2]) : -1;
    if (number == -1)
        PyErr_Clear();
    if (number < 0 || number > 0xFFFF || !PyList_CheckExact(arguments[1]) ||
        !rewriting_of(arguments[0], &rewriting, fixed, &transport))
        return in_python(module, "rewrite_headers", arguments, count);
    unsigned sequence = (unsigned)number;
    PyObject *made = PyList_New(0);
    for (Py_ssize_t i = 0; made && i < PyList_GET_SIZE(arguments[1]); i++) {
        PyObject *data = Py_NewRef(PyList_GET_ITEM(arguments[1], i)), *one = Py_None;
        if (transport >= 0)
            write_u16(fixed[transport].data, (uint16_t)sequence);
        one = PyBytes_CheckExact(data) ? rewritten(&rewriting, data) : Py_NewRef(Py_None);
        if (one == Py_None) {
            Py_DECREF(one);
            one = rewritten_in_python(module, arguments[0], data, &sequence);
        } else {
            sequence = (sequence + 1) & 0xFFFF;
        }
        Py_DECREF(data);
        if (append(made, one) < 0)
            Py_CLEAR(made);
    }
    return made ? Py_BuildValue("(NI)", made, sequence) : NULL;
}

static PyMethodDef methods[] = {
    {"parse_many", (PyCFunction)(void (*)(void))parse_many, METH_FASTCALL, parse_many_doc},
    {"serialize_many", (PyCFunction)(void (*)(void))serialize_many, METH_FASTCALL, serialize_many_doc},
    {"rewrite_headers", (PyCFunction)(void (*)(void))rewrite_headers, METH_FASTCALL, rewrite_headers_doc},
    {NULL, NULL, 0, NULL},
};

int bind_rtp_bursts(PyObject *module) {
    core_state *state = state_of(module);
    if ((state->serialize_name = PyUnicode_InternFromString("serialize")) == NULL)
        return -1;
    return PyModule_AddFunctions(module, methods);
}
