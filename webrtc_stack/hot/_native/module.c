/* The extension module webrtc_stack.hot._core: its state, and what it is put together from.
 *
 * Multi-phase initialisation, heap types and all state in the module, so that every interpreter has its own.
 */
#include "bind/bind.h"

static int exec_module(PyObject *module) {
    core_state *state = state_of(module);
    state->errors = PyImport_ImportModule("webrtc_stack.errors");
    if (state->errors == NULL)
        return -1;
    if (bind_rooms(module) < 0 || bind_crc32c(module) < 0 || bind_srtp(module) < 0 || bind_rtp(module) < 0 ||
        bind_packetization(module) < 0)
        return -1;
    return 0;
}

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    core_state *state = state_of(module);
    Py_VISIT(state->errors);
    Py_VISIT(state->parts);
    PyObject **parts[] = {&state->rtp.native, &state->rtp.codecs, &state->rtp.levels,
                          &state->rtp.latest_map, &state->rtp.latest_codecs, &state->rtp.python,
                          &state->rtp.header_extensions,
                          &state->rtp.audio_level, &state->rtp.parse_error, &state->rtp.parse_mid,
                          &state->rtp.parse_u24, &state->rtp.parse_transport_cc, &state->rtp.parse_audio_level};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        Py_VISIT(*parts[i]);
    for (size_t i = 0; i < sizeof state->rtp.names / sizeof *state->rtp.names; i++)
        Py_VISIT(state->rtp.names[i]);
    return 0;
}

static int clear_module(PyObject *module) {
    core_state *state = state_of(module);
    Py_CLEAR(state->errors);
    Py_CLEAR(state->parts);
    PyObject **parts[] = {&state->rtp.native, &state->rtp.codecs, &state->rtp.levels,
                          &state->rtp.latest_map, &state->rtp.latest_codecs, &state->rtp.python,
                          &state->rtp.header_extensions,
                          &state->rtp.audio_level, &state->rtp.parse_error, &state->rtp.parse_mid,
                          &state->rtp.parse_u24, &state->rtp.parse_transport_cc, &state->rtp.parse_audio_level};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        Py_CLEAR(*parts[i]);
    for (size_t i = 0; i < sizeof state->rtp.names / sizeof *state->rtp.names; i++)
        Py_CLEAR(state->rtp.names[i]);
    for (size_t i = 0; i < sizeof state->packet_names / sizeof *state->packet_names; i++)
        Py_CLEAR(state->packet_names[i]);
    Py_CLEAR(state->serialize_name);
    Py_CLEAR(state->rtp_protected);
    Py_CLEAR(state->rtp_unprotected);
    Py_CLEAR(state->rtcp_protected);
    Py_CLEAR(state->rtcp_unprotected);
    Py_CLEAR(state->ssrcs_evicted);
    return 0;
}

static void free_module(void *module) {
    clear_module((PyObject *)module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)exec_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "webrtc_stack.hot._core",
    .m_doc = "C twins of classes and functions that exist in Python; see hot/README.md.",
    .m_size = sizeof(core_state),
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&core_module);
}
