/* SrtpContext for Python: its life, its keys, its numbers. Packets are in srtp_bursts.c. */
#include "srtp.h"

#include <structmember.h>

#define OPTIONS "replay_window=1024, mki=None, cryptex=False, encrypted_extensions=(), max_ssrcs=1024, encrypt_rtcp=True, " \
                "allow_repeats=False"

int srtp_enter(SrtpContext *self) {
    if (!self->ready) {
        PyErr_SetString(PyExc_AttributeError, "this context was made without __init__");
        return -1;
    }
    while (self->busy) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->lock, WAIT_LOCK);
        PyThread_release_lock(self->lock);
        Py_END_ALLOW_THREADS
    }
    return 0;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

/* A whole number, or INT64_MIN or _MAX for one beyond. Returns: 0, or -1 with an exception set. */
static int number_of(PyObject *object, int64_t *to) {
    int overflow;
    PyObject *index = PyNumber_Index(object);
    if (index == NULL)
        return -1;
    *to = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow)
        *to = overflow > 0 ? INT64_MAX : INT64_MIN;
    Py_DECREF(index);
    return *to == -1 && PyErr_Occurred() ? -1 : 0;
}

static int read_ids(core_state *state, PyObject *given, srtp_ids *ids) {
    PyObject *set = PyFrozenSet_New(given), *list = set ? PySequence_List(set) : NULL;
    int good = list != NULL;
    memset(ids, 0, sizeof *ids);
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(list); i++) {
        int64_t number;
        if (number_of(PyList_GET_ITEM(list, i), &number) < 0) {
            good = 0;
        } else if (number < 1 || number > 255) {
            if (PyList_Sort(list) == 0)
                raise_error(state, "InvalidArgumentError", "header extension ids are 1 to 255, got %R", list);
            good = 0;
        } else {
            ids->bits[number >> 3] |= (uint8_t)(1u << (number & 7));
            ids->any = 1;
        }
    }
    Py_XDECREF(list);
    Py_XDECREF(set);
    return good ? 0 : -1;
}

/* Key and salt as bytes, of the sizes of the profile. */
static int check_sizes(const SrtpContext *self, PyObject *profile, const srtp_profile *sizes, const Py_buffer *key,
                       const Py_buffer *salt) {
    if (key->len == sizes->key_bytes && salt->len == sizes->salt_bytes)
        return 0;
    PyObject *name = PyObject_GetAttrString(profile, "name");
    if (name)
        raise_error(self->state, "InvalidArgumentError",
                    "%U takes a master key of %d and a salt of %d bytes, got %zd and %zd", name, sizes->key_bytes,
                    sizes->salt_bytes, key->len, salt->len);
    Py_XDECREF(name);
    return -1;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int find_refusals(SrtpContext *self) {
    static const char *const names[REFUSALS] = {"MALFORMED", "BAD_TAG", "UNKNOWN_KEY",
                                                "REPLAYED",  "TOO_OLD", "KEY_LIMIT"};
    PyObject *members = part_named(self->state, "Refused");
    for (int i = 0; members && i < REFUSALS; i++) {
        PyObject *member = PyObject_GetAttrString(members, names[i]);
        if (member == NULL)
            return -1;
        Py_XSETREF(self->refused[i], member);
    }
    return members ? 0 : -1;
}

static PyObject *new_context(PyTypeObject *type, PyObject *Py_UNUSED(arguments), PyObject *Py_UNUSED(keywords)) {
    PyObject *module = PyType_GetModuleByDef(type, &core_module);
    SrtpContext *self = module ? (SrtpContext *)type->tp_alloc(type, 0) : NULL;
    if (self == NULL)
        return NULL;
    self->state = state_of(module);
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int check_options(core_state *state, PyObject *window, PyObject *max_ssrcs, PyObject *ids, const Py_buffer *mki,
                         srtp_options *options) {
    int64_t number;
    if (number_of(window, &number) < 0)
        return -1;
    if (number < 1 || number > SRTP_MAX_WINDOW) {
        raise_error(state, "InvalidArgumentError", "replay_window must be 1 to %d packets, got %S", SRTP_MAX_WINDOW,
                    window);
        return -1;
    }
    options->window = (size_t)number;
    if (number_of(max_ssrcs, &number) < 0)
        return -1;
    if (number < 1) {
        raise_error(state, "InvalidArgumentError", "max_ssrcs must be at least 1, got %S", max_ssrcs);
        return -1;
    }
    options->max_ssrcs = (uint64_t)number > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)number;
    if (mki->obj && mki->len == 0) {
        raise_error(state, "InvalidArgumentError",
                    "a master key identifier has at least one byte; None leaves it out");
        return -1;
    }
    options->mki_bytes = (size_t)mki->len;
    return read_ids(state, ids, &options->ids);
}

static int begin(SrtpContext *self, PyObject *given, srtp_options *options, const Py_buffer *key,
                 const Py_buffer *salt, const Py_buffer *mki) {
    PyObject *profiles = part_named(self->state, "Profile"), *counters = part_named(self->state, "SrtpCounters");
    if (profiles == NULL || counters == NULL || find_refusals(self) < 0)
        return -1;
    PyObject *profile = PyObject_CallOneArg(profiles, given);
    if (profile == NULL)
        return -1;
    int64_t number;
    counters = number_of(profile, &number) == 0 ? PyObject_CallNoArgs(counters) : NULL;
    if (counters == NULL)
        goto failed;
    options->profile = srtp_profile_of((uint32_t)number);
    if (options->profile == NULL) {
        PyErr_Format(PyExc_RuntimeError, "the C core does not know %S", profile);
        goto failed;
    }
    if (mki->len > SRTP_MAX_MKI) {
        raise_error(self->state, "InvalidArgumentError", "a master key identifier has 1 to %d bytes, got %zd",
                    SRTP_MAX_MKI, mki->len);
        goto failed;
    }
    if (check_sizes(self, profile, options->profile, key, salt) < 0 || (self->ready && srtp_enter(self) < 0))
        goto failed;
    if (self->ready)
        srtp_close(&self->kernel);
    self->ready = 0;
    if (srtp_open(&self->kernel, &self->state->libcrypto, options, key->buf, salt->buf,
                  mki->len ? mki->buf : (const uint8_t *)"") != SRTP_OK) {
        PyErr_NoMemory();
        goto failed;
    }
    self->ready = 1;
    Py_XSETREF(self->profile, profile);
    Py_XSETREF(self->counters, counters);
    return 0;
failed:
    Py_XDECREF(counters);
    Py_DECREF(profile);
    return -1;
}

static int init_context(SrtpContext *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"profile",  "master_key",           "master_salt", "replay_window", "mki",
                            "cryptex",  "encrypted_extensions", "max_ssrcs",   "encrypt_rtcp",  "allow_repeats",
                            NULL};
    PyObject *profile, *window = NULL, *max_ssrcs = NULL, *ids = NULL;
    Py_buffer key = {0}, salt = {0}, mki = {0};
    srtp_options options = {.encrypt_rtcp = 1};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Oy*y*|$Oz*pOOpp:SrtpContext", names, &profile, &key, &salt,
                                     &window, &mki, &options.cryptex, &ids, &max_ssrcs, &options.encrypt_rtcp,
                                     &options.allow_repeats))
        return -1;
    PyObject *thousand = PyLong_FromLong(1024), *none = PyTuple_New(0);
    int result = thousand && none ? check_options(self->state, window ? window : thousand,
                                                  max_ssrcs ? max_ssrcs : thousand, ids ? ids : none, &mki, &options)
                                  : -1;
    if (result == 0)
        result = begin(self, profile, &options, &key, &salt, &mki);
    Py_XDECREF(thousand);
    Py_XDECREF(none);
    PyBuffer_Release(&key);
    PyBuffer_Release(&salt);
    PyBuffer_Release(&mki);
    return result;
}

static int traverse_context(SrtpContext *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->profile);
    Py_VISIT(self->counters);
    for (int i = 0; i < REFUSALS; i++)
        Py_VISIT(self->refused[i]);
    return 0;
}

/* The others lead to no cycle, and stay for as long as there is somebody to call. */
static int clear_context(SrtpContext *self) {
    Py_CLEAR(self->counters);
    self->ready = 0;
    return 0;
}

static void dealloc_context(SrtpContext *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    srtp_close(&self->kernel);
    if (self->lock)
        PyThread_free_lock(self->lock);
    Py_CLEAR(self->profile);
    Py_CLEAR(self->counters);
    for (int i = 0; i < REFUSALS; i++)
        Py_CLEAR(self->refused[i]);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(pair_doc, "pair_from_dtls($type, endpoint, /, *, replay_window=1024, cryptex=False, "
                       "encrypted_extensions=(), max_ssrcs=1024, encrypt_rtcp=True, allow_repeats=False)\n--\n\n"
                       "The contexts of a connected DTLS endpoint: outbound, inbound.");

static PyObject *pair_from_dtls(PyObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"endpoint",  "replay_window", "cryptex",       "encrypted_extensions",
                            "max_ssrcs", "encrypt_rtcp",  "allow_repeats", NULL};
    PyObject *endpoint, *given[6] = {NULL}, *profile, *ours, *theirs;
    PyObject *module = PyType_GetModuleByDef((PyTypeObject *)type, &core_module);
    if (module == NULL ||
        !PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$OOOOOO:pair_from_dtls", names, &endpoint, &given[0],
                                     &given[1], &given[2], &given[3], &given[4], &given[5]))
        return NULL;
    PyObject *split = part_named(state_of(module), "split_keying_material");
    PyObject *options = split ? PyDict_New() : NULL;
    PyObject *ids = options && given[2] ? PySequence_Tuple(given[2]) : NULL, *material = NULL, *pair = NULL;
    if (options == NULL || (given[2] && ids == NULL))
        goto done;
    for (int i = 0; i < 6; i++) {
        PyObject *value = i == 2 ? ids : given[i];
        if (value && PyDict_SetItemString(options, names[i + 1], value) < 0)
            goto done;
    }
    material = PyObject_CallOneArg(split, endpoint);
    if (material == NULL || !PyArg_ParseTuple(material, "OO!O!", &profile, &PyTuple_Type, &ours, &PyTuple_Type, &theirs))
        goto done;
    pair = PyTuple_New(2);
    for (int i = 0; pair && i < 2; i++) {
        PyObject *first = PyTuple_Pack(1, profile);
        PyObject *all = first ? PySequence_Concat(first, i ? theirs : ours) : NULL;
        PyObject *context = all ? PyObject_Call(type, all, options) : NULL;
        Py_XDECREF(first);
        Py_XDECREF(all);
        if (context == NULL)
            Py_CLEAR(pair);
        else
            PyTuple_SET_ITEM(pair, i, context);
    }
done:
    Py_XDECREF(options);
    Py_XDECREF(ids);
    Py_XDECREF(material);
    return pair;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(add_key_doc, "add_key($self, /, master_key, master_salt, *, mki)\n--\n\n"
                          "Adds a master key: packets that carry `mki` are opened with it.");

static PyObject *add_key(SrtpContext *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"master_key", "master_salt", "mki", NULL};
    Py_buffer key = {0}, salt = {0}, mki = {0};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "y*y*$y*:add_key", names, &key, &salt, &mki))
        return NULL;
    int good = 0;
    if (srtp_enter(self) == 0) {
        size_t mki_bytes = self->kernel.layout.mki_bytes;
        if (mki_bytes == 0)
            raise_error(self->state, "InvalidAccessError",
                        "this context was made without a master key identifier, so it has one key only");
        else if ((size_t)mki.len != mki_bytes)
            raise_error(self->state, "InvalidArgumentError", "identifiers here have %zu bytes, got %zd", mki_bytes,
                        mki.len);
        else if (srtp_find_key(&self->kernel, mki.buf))
            raise_error(self->state, "InvalidArgumentError",
                        "this master key identifier is taken; remove its key first");
        else if (check_sizes(self, self->profile, self->kernel.layout.profile, &key, &salt) == 0) {
            good = srtp_add_key(&self->kernel, key.buf, salt.buf, mki.buf) == SRTP_OK;
            if (!good)
                PyErr_NoMemory();
        }
    }
    PyBuffer_Release(&key);
    PyBuffer_Release(&salt);
    PyBuffer_Release(&mki);
    return good ? Py_NewRef(Py_None) : NULL;
}

static srtp_key *known_key(SrtpContext *self, PyObject *given) {
    Py_buffer mki;
    if (PyObject_GetBuffer(given, &mki, PyBUF_SIMPLE) < 0)
        return NULL;
    srtp_key *key = NULL;
    if (srtp_enter(self) == 0) {
        if ((size_t)mki.len == self->kernel.layout.mki_bytes)
            key = srtp_find_key(&self->kernel, mki.buf ? mki.buf : (const uint8_t *)"");
        if (key == NULL)
            raise_error(self->state, "InvalidAccessError", "no key was added under this master key identifier");
    }
    PyBuffer_Release(&mki);
    return key;
}

PyDoc_STRVAR(use_key_doc, "use_key($self, mki, /)\n--\n\nProtects with this key from the next packet on.");

static PyObject *use_key(SrtpContext *self, PyObject *mki) {
    srtp_key *key = known_key(self, mki);
    if (key == NULL)
        return NULL;
    srtp_use_key(&self->kernel, key);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(remove_key_doc, "remove_key($self, mki, /)\n--\n\nForgets a key, and wipes it.");

static PyObject *remove_key(SrtpContext *self, PyObject *mki) {
    srtp_key *key = known_key(self, mki);
    if (key == NULL)
        return NULL;
    if (key == self->kernel.current) {
        raise_error(self->state, "InvalidArgumentError",
                    "this key protects what is sent; use another one first");
        return NULL;
    }
    srtp_remove_key(&self->kernel, key);
    Py_RETURN_NONE;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static int two_numbers(const char *name, PyObject *const *given, Py_ssize_t count, int64_t *first, int64_t *second) {
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "%s takes 2 arguments, got %zd", name, count);
        return -1;
    }
    return number_of(given[0], first) < 0 || number_of(given[1], second) < 0 ? -1 : 0;
}

static int is_word(int64_t number) {
    return number >= 0 && number <= UINT32_MAX;
}

PyDoc_STRVAR(rollover_counter_doc, "rollover_counter($self, ssrc, /)\n--\n\n"
                                   "How often the sequence number of `ssrc` has wrapped, None for a stream that is "
                                   "not known.");

static PyObject *rollover_counter(SrtpContext *self, PyObject *given) {
    int64_t ssrc;
    if (number_of(given, &ssrc) < 0 || srtp_enter(self) < 0)
        return NULL;
    int64_t found = is_word(ssrc) ? srtp_rollover_counter(&self->kernel, (uint32_t)ssrc) : -1;
    return found < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(found);
}

PyDoc_STRVAR(set_rollover_counter_doc, "set_rollover_counter($self, ssrc, roc, /)\n--\n\n"
                                       "Says which rollover counter the next packet of `ssrc` has.");

static PyObject *set_rollover_counter(SrtpContext *self, PyObject *const *given, Py_ssize_t count) {
    int64_t ssrc, roc;
    if (two_numbers("set_rollover_counter", given, count, &ssrc, &roc) < 0 || srtp_enter(self) < 0)
        return NULL;
    if (!is_word(ssrc) || !is_word(roc)) {
        raise_error(self->state, "InvalidArgumentError",
                    "rollover counters and SSRCs are 32 bits wide, got %S for %S", given[1], given[0]);
        return NULL;
    }
    srtp_status status = srtp_set_rollover_counter(&self->kernel, (uint32_t)ssrc, (uint32_t)roc);
    if (status == SRTP_TOO_MANY_STREAMS) {
        raise_error(self->state, "TooManyStreams", "%zu streams are expected already; raise max_ssrcs",
                    self->kernel.max_ssrcs);
        return NULL;
    }
    return status == SRTP_OK ? Py_NewRef(Py_None) : srtp_raise(self, status, 0);
}

PyDoc_STRVAR(rtcp_index_doc, "rtcp_index($self, ssrc, /)\n--\n\n"
                             "The index that the next RTCP packet sent by `ssrc` takes.");

static PyObject *rtcp_index(SrtpContext *self, PyObject *given) {
    int64_t ssrc;
    if (number_of(given, &ssrc) < 0 || srtp_enter(self) < 0)
        return NULL;
    return PyLong_FromLongLong(is_word(ssrc) ? srtp_rtcp_index(&self->kernel, (uint32_t)ssrc) : 0);
}

PyDoc_STRVAR(set_rtcp_index_doc, "set_rtcp_index($self, ssrc, index, /)\n--\n\nSkips SRTCP indices.");

static PyObject *set_rtcp_index(SrtpContext *self, PyObject *const *given, Py_ssize_t count) {
    int64_t ssrc, index;
    if (two_numbers("set_rtcp_index", given, count, &ssrc, &index) < 0 || srtp_enter(self) < 0)
        return NULL;
    if (!is_word(ssrc)) {
        raise_error(self->state, "InvalidArgumentError", "SSRCs are 32 bits wide, got %S", given[0]);
        return NULL;
    }
    int64_t next = srtp_rtcp_index(&self->kernel, (uint32_t)ssrc);
    if (index < next || index >= SRTP_RTCP_INDEX_LIMIT) {
        raise_error(self->state, "InvalidArgumentError", "the next SRTCP index of this stream is %lld, got %S",
                    (long long)next, given[1]);
        return NULL;
    }
    srtp_status status = srtp_set_rtcp_index(&self->kernel, (uint32_t)ssrc, index);
    return status == SRTP_OK ? Py_NewRef(Py_None) : srtp_raise(self, status, 0);
}

/* --- for tests ---------------------------------------------------------------------------------------------------- */

static PyObject *window_of(const SrtpContext *self, const srtp_stream *stream) {
    uint8_t bits[SRTP_MAX_WINDOW / 8] = {0};
    for (size_t n = 0; n < self->kernel.window && (int64_t)n <= stream->top; n++)
        if (srtp_was_seen(stream, self->kernel.words, stream->top - (int64_t)n))
            bits[n >> 3] |= (uint8_t)(1u << (n & 7));
    PyObject *raw = PyBytes_FromStringAndSize((const char *)bits, (Py_ssize_t)(self->kernel.window + 7) / 8);
    PyObject *seen = raw ? PyObject_CallMethod((PyObject *)&PyLong_Type, "from_bytes", "Os", raw, "little") : NULL;
    Py_XDECREF(raw);
    return seen ? Py_BuildValue("(LN)", (long long)stream->top, seen) : NULL;
}

static PyObject *listed(const SrtpContext *self, const srtp_table *table) {
    PyObject *list = PyList_New(0);
    for (const srtp_stream *stream = table->oldest; list && stream; stream = stream->newer) {
        PyObject *value = table->words ? window_of(self, stream) : PyLong_FromLongLong(stream->top);
        PyObject *pair = value ? Py_BuildValue("(kN)", (unsigned long)stream->ssrc, value) : NULL;
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

PyDoc_STRVAR(memory_doc, "_memory($self, /)\n--\n\n"
                         "All that decides what happens to the next packet: streams sent, received, RTCP sent, "
                         "received, and expected, each with its SSRC, oldest first.");

static PyObject *memory(SrtpContext *self, PyObject *Py_UNUSED(nothing)) {
    if (srtp_enter(self) < 0)
        return NULL;
    const srtp_context *kernel = &self->kernel;
    return Py_BuildValue("(NNNNN)", listed(self, &kernel->sent), listed(self, &kernel->received),
                         listed(self, &kernel->rtcp_sent), listed(self, &kernel->rtcp_received),
                         listed(self, &kernel->joining));
}

/* --- the type ----------------------------------------------------------------------------------------------------- */

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"pair_from_dtls", METHOD(pair_from_dtls), METH_VARARGS | METH_KEYWORDS | METH_CLASS, pair_doc},
    {"add_key", METHOD(add_key), METH_VARARGS | METH_KEYWORDS, add_key_doc},
    {"use_key", METHOD(use_key), METH_O, use_key_doc},
    {"remove_key", METHOD(remove_key), METH_O, remove_key_doc},
    {"rollover_counter", METHOD(rollover_counter), METH_O, rollover_counter_doc},
    {"set_rollover_counter", METHOD(set_rollover_counter), METH_FASTCALL, set_rollover_counter_doc},
    {"rtcp_index", METHOD(rtcp_index), METH_O, rtcp_index_doc},
    {"set_rtcp_index", METHOD(set_rtcp_index), METH_FASTCALL, set_rtcp_index_doc},
    {"protect", srtp_protect, METH_O, srtp_protect_doc},
    {"protect_many", srtp_protect_many, METH_O, srtp_protect_many_doc},
    {"unprotect", srtp_unprotect, METH_O, srtp_unprotect_doc},
    {"unprotect_many", srtp_unprotect_many, METH_O, srtp_unprotect_many_doc},
    {"protect_rtcp", srtp_protect_rtcp, METH_O, srtp_protect_rtcp_doc},
    {"protect_rtcp_many", srtp_protect_rtcp_many, METH_O, srtp_protect_rtcp_many_doc},
    {"unprotect_rtcp", srtp_unprotect_rtcp, METH_O, srtp_unprotect_rtcp_doc},
    {"unprotect_rtcp_many", srtp_unprotect_rtcp_many, METH_O, srtp_unprotect_rtcp_many_doc},
    {"_memory", METHOD(memory), METH_NOARGS, memory_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"profile", T_OBJECT_EX, offsetof(SrtpContext, profile), READONLY, "The protection profile."},
    {"counters", T_OBJECT_EX, offsetof(SrtpContext, counters), READONLY, "What happened so far."},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(context_doc, "SrtpContext(profile, master_key, master_salt, *, " OPTIONS ")\n--\n\n"
                          "Protects what is sent, or unprotects what is received, under one master key (or several, "
                          "with identifiers).");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)context_doc},
    {Py_tp_new, (void *)new_context},
    {Py_tp_init, (void *)init_context},
    {Py_tp_dealloc, (void *)dealloc_context},
    {Py_tp_traverse, (void *)traverse_context},
    {Py_tp_clear, (void *)clear_context},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "webrtc_stack.hot._core.SrtpContext",
    .basicsize = sizeof(SrtpContext),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int bind_srtp(PyObject *module) {
    core_state *state = state_of(module);
    if ((state->rtp_protected = PyUnicode_InternFromString("rtp_protected")) == NULL ||
        (state->rtp_unprotected = PyUnicode_InternFromString("rtp_unprotected")) == NULL ||
        (state->rtcp_protected = PyUnicode_InternFromString("rtcp_protected")) == NULL ||
        (state->rtcp_unprotected = PyUnicode_InternFromString("rtcp_unprotected")) == NULL ||
        (state->ssrcs_evicted = PyUnicode_InternFromString("ssrcs_evicted")) == NULL)
        return -1;
    if (state->libcrypto.handle == NULL)
        return 0; /* then there is no such class, and Python's serves */
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int result = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return result;
}
