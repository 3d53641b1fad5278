/* RtpPacket's typed extensions: read and written where they stand. What is in each packet needs no Python function. */
#include "rtp.h"

static PyObject *audio_level(PyObject *type, unsigned byte) {
    PyObject *level = PyLong_FromLong((long)(byte & 0x7F));
    PyObject *made =
        level ? PyObject_CallFunctionObjArgs(type, level, byte > 0x7F ? Py_True : Py_False, NULL) : NULL;
    Py_XDECREF(level);
    return made;
}

/* An audio level for each byte: they are immutable, and every audio packet has one. */
static int make_levels(rtp_parts *parts) {
    PyObject *levels = PyTuple_New(256);
    for (unsigned byte = 0; levels && byte < 256; byte++) {
        PyObject *made = audio_level(parts->audio_level, byte);
        if (made == NULL)
            Py_CLEAR(levels);
        else
            PyTuple_SET_ITEM(levels, byte, made);
    }
    if (levels)
        Py_XSETREF(parts->levels, levels);
    return levels ? 0 : -1;
}

const rtp_parts *rtp_parts_of(core_state *state) {
    rtp_parts *parts = &state->rtp;
    if (parts->python)
        return parts;
    if (state->parts == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the module of this packet is gone");
        return NULL;
    }
    struct {
        PyObject **to;
        const char *name;
    } all[] = {{&parts->header_extensions, "HeaderExtensions"}, {&parts->audio_level, "AudioLevel"},
               {&parts->parse_mid, "parse_mid"},                {&parts->parse_u24, "parse_u24"},
               {&parts->parse_transport_cc, "parse_transport_cc"}, {&parts->parse_audio_level, "parse_audio_level"},
               {&parts->parse_error, NULL},                     {&parts->python, "RtpPacket"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].to == &parts->python && make_levels(parts) < 0)
            return NULL;
        PyObject *part = all[i].name ? Py_XNewRef(part_named(state, all[i].name))
                                     : PyObject_GetAttrString(state->errors, "ParseError");
        if (part == NULL)
            return NULL;
        Py_XSETREF(*all[i].to, part);
    }
    return parts;
}

/* The entry (identifier, parse, serialize) of `uri`. Returns: 1 (new reference), 0 for none, -1 with an exception. */
static int find_codec(core_state *state, PyObject *map, PyObject *uri, PyObject **codec) {
    if (map != state->rtp.latest_map) {
        PyObject *found = PyObject_GetAttr(map, state->rtp.codecs);
        if (found == NULL)
            return -1;
        if (!PyDict_CheckExact(found)) {
            Py_DECREF(found);
            PyErr_SetString(PyExc_TypeError, "the codecs of an extension map are a dict");
            return -1;
        }
        PyObject *old_map = state->rtp.latest_map, *old_codecs = state->rtp.latest_codecs;
        state->rtp.latest_map = Py_NewRef(map);
        state->rtp.latest_codecs = found;
        Py_XDECREF(old_map);
        Py_XDECREF(old_codecs);
    }
    PyObject *codecs = Py_NewRef(state->rtp.latest_codecs);
    *codec = Py_XNewRef(PyDict_GetItemWithError(codecs, uri));
    Py_DECREF(codecs);
    if (*codec == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (PyTuple_Check(*codec) && PyTuple_GET_SIZE(*codec) == 3 && PyLong_CheckExact(PyTuple_GET_ITEM(*codec, 0)))
        return 1;
    Py_CLEAR(*codec);
    PyErr_SetString(PyExc_TypeError, "a codec is (identifier, parse, serialize)");
    return -1;
}

static unsigned identifier_of(PyObject *codec) {
    return (unsigned)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(codec, 0));
}

static span block_of(PyObject *raw) {
    return (span){(const uint8_t *)PyBytes_AS_STRING(raw), (size_t)PyBytes_GET_SIZE(raw)};
}

static PyObject *read_value(const rtp_parts *parts, PyObject *parse, const uint8_t *at, size_t size) {
    if (parse == parts->parse_transport_cc && size == 2)
        return PyLong_FromLong(read_u16(at));
    if (parse == parts->parse_u24 && size == 3)
        return PyLong_FromLong((long)at[0] << 16 | read_u16(at + 1));
    if (parse == parts->parse_audio_level && size == 1)
        return Py_NewRef(PyTuple_GET_ITEM(parts->levels, at[0]));
    if (parse == parts->parse_mid && size)
        return PyUnicode_DecodeUTF8((const char *)at, (Py_ssize_t)size, NULL);
    PyObject *data = PyBytes_FromStringAndSize((const char *)at, (Py_ssize_t)size);
    PyObject *value = data ? PyObject_CallOneArg(parse, data) : NULL;
    Py_XDECREF(data);
    return value;
}

PyObject *rtp_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    RtpPacket *self = (RtpPacket *)object;
    core_state *state = state_of_type(Py_TYPE(object));
    const rtp_parts *parts = state ? rtp_parts_of(state) : NULL;
    if (parts == NULL)
        return NULL;
    if (count != 1 || names || self->extensions != Py_None || !self->map || !self->raw ||
        !PyBytes_CheckExact(self->raw))
        return rtp_in_python(state, "get", object, arguments, count, names);
    if (self->map == Py_None)
        Py_RETURN_NONE;
    PyObject *codec, *map = Py_NewRef(self->map), *raw = Py_NewRef(self->raw);
    int known = find_codec(state, map, arguments[0], &codec);
    Py_DECREF(map);
    if (known <= 0) {
        Py_DECREF(raw);
        return known ? NULL : Py_NewRef(Py_None);
    }
    rtp_element element = rtp_find_element(block_of(raw), identifier_of(codec));
    PyObject *value;
    if (!element.found) {
        value = Py_NewRef(Py_None);
    } else {
        value = read_value(parts, PyTuple_GET_ITEM(codec, 1), block_of(raw).data + element.at, element.size);
        if (value == NULL &&
            (PyErr_ExceptionMatches(parts->parse_error) || PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))) {
            PyErr_Clear(); /* a damaged extension is as good as none: the media behind it is still whole */
            value = Py_NewRef(Py_None);
        }
    }
    Py_DECREF(raw);
    Py_DECREF(codec);
    return value;
}

/* The bytes of a value that has one of the common forms. Returns: how many, or 0 where Python shall say. */
static size_t write_value(const rtp_parts *parts, PyObject *parse, PyObject *value, uint8_t out[16]) {
    if (parse == parts->parse_mid) {
        if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_ASCII(value))
            return 0;
        size_t size = (size_t)PyUnicode_GET_LENGTH(value);
        if (size > 16)
            return 0;
        memcpy(out, PyUnicode_1BYTE_DATA(value), size);
        return size;
    }
    unsigned voice = 0;
    long limit = 0xFFFF;
    size_t size = 2;
    if (parse == parts->parse_audio_level) {
        if (!Py_IS_TYPE(value, (PyTypeObject *)parts->audio_level) || PyTuple_GET_SIZE(value) != 2 ||
            !PyBool_Check(PyTuple_GET_ITEM(value, 1)))
            return 0;
        voice = PyTuple_GET_ITEM(value, 1) == Py_True ? 0x80 : 0;
        value = PyTuple_GET_ITEM(value, 0);
        limit = 127;
        size = 1;
    } else if (parse == parts->parse_u24) {
        limit = 0xFFFFFF;
        size = 3;
    } else if (parse != parts->parse_transport_cc) {
        return 0;
    }
    if (!PyLong_CheckExact(value))
        return 0;
    int overflow;
    long number = PyLong_AsLongAndOverflow(value, &overflow);
    if (overflow || number < 0 || number > limit)
        return 0;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(number >> 8 * (size - 1 - i) & 0xFF);
    out[0] |= (uint8_t)voice;
    return size;
}

/* `raw` with one more element behind its last one; NULL without an exception where that is not for this. */
static PyObject *grown(PyObject *raw, size_t end, unsigned identifier, const uint8_t *data, size_t size) {
    size_t after = end + 1 + size, all = (after + 3) & ~(size_t)3;
    if (identifier < 1 || identifier > 14 || all > RTP_LAYOUT_BYTES)
        return NULL;
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)all);
    if (made == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(made);
    write_u16(out, 0xBEDE);
    write_u16(out + 2, (uint16_t)(all / 4 - 1));
    if (end > 4)
        memcpy(out + 4, PyBytes_AS_STRING(raw) + 4, end - 4);
    out[end] = (uint8_t)(identifier << 4 | (size - 1));
    memcpy(out + end + 1, data, size);
    memset(out + after, 0, all - after);
    return made;
}

static PyObject *changed(PyObject *raw, rtp_element element, unsigned identifier, const uint8_t *data, size_t size) {
    if (!element.found)
        return grown(raw, element.end, identifier, data, size);
    if (element.size != size)
        return NULL;
    PyObject *made = PyBytes_FromStringAndSize(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw));
    if (made)
        memcpy(PyBytes_AS_STRING(made) + element.at, data, size);
    return made;
}

/* Whether a first element may begin a block of the one-byte form. */
static int may_begin(PyObject *map) {
    PyObject *two_byte = PyObject_GetAttrString(map, "two_byte");
    int answer = two_byte ? PyObject_Not(two_byte) : -1;
    Py_XDECREF(two_byte);
    return answer;
}

PyObject *rtp_set(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    RtpPacket *self = (RtpPacket *)object;
    core_state *state = state_of_type(Py_TYPE(object));
    const rtp_parts *parts = state ? rtp_parts_of(state) : NULL;
    if (parts == NULL)
        return NULL;
    if (count != 2 || names || self->extensions != Py_None || !self->map || self->map == Py_None || !self->raw ||
        !PyBytes_CheckExact(self->raw))
        return rtp_in_python(state, "set", object, arguments, count, names);
    PyObject *codec, *map = Py_NewRef(self->map), *raw = Py_NewRef(self->raw), *made = NULL;
    int known = find_codec(state, map, arguments[0], &codec);
    if (known > 0) {
        uint8_t data[16];
        unsigned identifier = identifier_of(codec);
        size_t size = write_value(parts, PyTuple_GET_ITEM(codec, 1), arguments[1], data);
        rtp_element element = rtp_find_element(block_of(raw), identifier);
        int may = size && element.plain && PyBytes_GET_SIZE(raw) == 0 ? may_begin(map) : 1;
        if (may < 0)
            known = -1;
        else if (size && element.plain && may)
            made = changed(raw, element, identifier, data, size);
        Py_DECREF(codec);
    }
    Py_DECREF(map);
    Py_DECREF(raw);
    if (made) {
        Py_XSETREF(self->raw, made);
        Py_XSETREF(self->layout, Py_NewRef(Py_None)); /* Python's own, which would have to be found anew */
        Py_RETURN_NONE;
    }
    if (known < 0 || PyErr_Occurred())
        return NULL;
    return rtp_in_python(state, "set", object, arguments, count, names);
}
