/* A context's life, keys and numbers. */
#include "srtp_context.h"

#include <stdlib.h>

srtp_status srtp_open(srtp_context *context, const libcrypto *lib, const srtp_options *options, const uint8_t *key,
                      const uint8_t *salt, const uint8_t *mki) {
    memset(context, 0, sizeof *context);
    context->layout =
        (srtp_layout){lib, options->profile, options->mki_bytes, options->cryptex, options->ids};
    if (options->profile->cipher == SRTP_NULL)
        context->layout.ids.any = 0; /* these profiles encrypt nothing, header elements included */
    context->window = options->window;
    context->words = srtp_window_words(options->window);
    context->max_ssrcs = options->max_ssrcs;
    context->rtcp_flag = options->encrypt_rtcp && options->profile->cipher != SRTP_NULL ? SRTP_E_BIT : 0;
    context->allow_repeats = options->allow_repeats;
    srtp_table_open(&context->sent, context->words);
    srtp_table_open(&context->received, context->words);
    srtp_table_open(&context->rtcp_sent, 0);
    srtp_table_open(&context->rtcp_received, context->words);
    srtp_table_open(&context->joining, 0);
    srtp_status status = srtp_add_key(context, key, salt, mki);
    if (status != SRTP_OK)
        srtp_close(context);
    else
        context->current = context->keys[0];
    return status;
}

void srtp_close(srtp_context *context) {
    const libcrypto *lib = context->layout.lib;
    if (lib == NULL)
        return;
    for (size_t i = 0; i < context->key_count; i++)
        srtp_key_free(lib, context->keys[i]);
    free(context->keys);
    srtp_table_close(&context->sent);
    srtp_table_close(&context->received);
    srtp_table_close(&context->rtcp_sent);
    srtp_table_close(&context->rtcp_received);
    srtp_table_close(&context->joining);
    free(context->journal);
    lib->cleanse(context, sizeof *context);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

srtp_key *srtp_find_key(const srtp_context *context, const uint8_t *mki) {
    for (size_t i = 0; i < context->key_count; i++)
        if (memcmp(context->keys[i]->mki, mki, context->layout.mki_bytes) == 0)
            return context->keys[i];
    return NULL;
}

srtp_status srtp_add_key(srtp_context *context, const uint8_t *key, const uint8_t *salt, const uint8_t *mki) {
    srtp_key **keys = realloc(context->keys, (context->key_count + 1) * sizeof *keys);
    if (keys == NULL)
        return SRTP_NO_MEMORY;
    context->keys = keys;
    const srtp_layout *layout = &context->layout;
    srtp_key *made =
        srtp_key_new(layout->lib, layout->profile, key, salt, (span){mki, layout->mki_bytes}, layout->ids.any);
    if (made == NULL)
        return SRTP_NO_MEMORY;
    keys[context->key_count++] = made;
    return SRTP_OK;
}

void srtp_use_key(srtp_context *context, srtp_key *key) {
    context->current = key;
}

void srtp_remove_key(srtp_context *context, srtp_key *key) {
    for (size_t i = 0; i < context->key_count; i++)
        if (context->keys[i] == key) {
            context->keys[i] = context->keys[--context->key_count];
            break;
        }
    srtp_key_free(context->layout.lib, key);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

int64_t srtp_rollover_counter(const srtp_context *context, uint32_t ssrc) {
    const srtp_stream *stream = srtp_table_find(&context->joining, ssrc);
    if (stream)
        return stream->top;
    stream = srtp_table_find(&context->sent, ssrc);
    if (stream == NULL)
        stream = srtp_table_find(&context->received, ssrc);
    return stream ? stream->top >> 16 : -1;
}

static srtp_status keep(srtp_context *context, srtp_table *table, uint32_t ssrc, int64_t number) {
    srtp_stream *stream = srtp_table_find(table, ssrc);
    if (stream == NULL && table->count >= context->max_ssrcs)
        return SRTP_TOO_MANY_STREAMS;
    if (stream == NULL && (stream = srtp_table_add(table, ssrc)) == NULL)
        return SRTP_NO_MEMORY;
    stream->top = number;
    return SRTP_OK;
}

srtp_status srtp_set_rollover_counter(srtp_context *context, uint32_t ssrc, uint32_t roc) {
    return keep(context, &context->joining, ssrc, roc);
}

int64_t srtp_rtcp_index(const srtp_context *context, uint32_t ssrc) {
    const srtp_stream *stream = srtp_table_find(&context->rtcp_sent, ssrc);
    return stream ? stream->top : 0;
}

srtp_status srtp_set_rtcp_index(srtp_context *context, uint32_t ssrc, int64_t index) {
    return keep(context, &context->rtcp_sent, ssrc, index);
}
