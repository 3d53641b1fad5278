/* sources: kernel/srtp_context.c kernel/srtp_sending.c kernel/srtp_receiving.c kernel/srtp_streams.c kernel/srtp_header.c kernel/srtp_keys.c kernel/srtp_transforms.c kernel/aes.c kernel/hmac_sha1.c kernel/libcrypto.c -ldl -Wl,--wrap=free */
/* An SRTP context under mutated packets: what is refused changes nothing, what is sent comes back as it was, a burst
 * that fails is undone, and no memory is given back with a secret in it.
 *
 * The first bytes choose profile and options, the third what the rest is: what arrives, what is sent, or a burst, each
 * part led by its length.
 */
#define _GNU_SOURCE
#include <malloc.h>

#include "kernel/srtp_context.h"

#include "harness.h"

#define MAX_PARTS 24

static libcrypto lib, by_evp; /* the second one as if providers hid their functions, which must change nothing */
static uint8_t master_key[32], master_salt[14];
static const uint8_t mki[] = "ident";

/* --- secrets ------------------------------------------------------------------------------------------------------ */

static uint8_t secrets[64][32];
static size_t secret_sizes[64], secret_count;

static void keep_secret(const void *bytes, size_t size) {
    CHECK(secret_count < 64 && size <= 32);
    memcpy(secrets[secret_count], bytes, size);
    secret_sizes[secret_count++] = size;
}

void __real_free(void *pointer);
void __wrap_free(void *pointer);

/* Every free of the kernel comes by here. */
void __wrap_free(void *pointer) {
    if (pointer && secret_count) {
        size_t size = malloc_usable_size(pointer);
        for (size_t i = 0; i < secret_count; i++)
            CHECK(memmem(pointer, size, secrets[i], secret_sizes[i]) == NULL);
    }
    __real_free(pointer);
}

/* --- contexts ----------------------------------------------------------------------------------------------------- */

static const uint32_t numbers[] = {1, 2, 5, 6, 7, 8, 0x10001, 0x10002, 0x10003, 0x10004};

static void begin(srtp_context *context, const uint8_t choice[2], int evp) {
    srtp_options options = {.profile = srtp_profile_of(numbers[choice[0] % 10]), .max_ssrcs = 3};
    static const size_t windows[] = {64, 1, 100, 1024};
    options.window = windows[choice[1] >> 6];
    options.mki_bytes = choice[1] & 1 ? 5 : 0;
    options.cryptex = choice[1] & 2;
    options.encrypt_rtcp = !(choice[1] & 4);
    options.allow_repeats = choice[1] & 8;
    if (choice[1] & 16) {
        options.ids.any = 1;
        options.ids.bits[0] = 0x2A; /* 1, 3 and 5 */
    }
    CHECK(srtp_open(context, evp ? &by_evp : &lib, &options, master_key, master_salt, mki) == SRTP_OK);
}

static void end(srtp_context *context) {
    static const uint8_t zeros[sizeof *context];
    srtp_close(context);
    CHECK(memcmp(context, zeros, sizeof *context) == 0);
}

/* Numbers that tell whether any of a table has moved. */
static uint64_t sum_of(const srtp_table *table, size_t window) {
    uint64_t sum = table->count;
    for (const srtp_stream *stream = table->oldest; stream; stream = stream->newer) {
        sum = sum * 0x100000001B3u ^ stream->ssrc;
        sum = sum * 0x100000001B3u ^ (uint64_t)stream->top;
        for (int64_t n = 0; table->words && n < (int64_t)window && n <= stream->top; n++)
            sum = sum * 0x100000001B3u ^ (uint64_t)srtp_was_seen(stream, table->words, stream->top - n);
        CHECK(srtp_table_search(table, stream->ssrc) == stream);
        CHECK(stream->newer ? stream->newer->older == stream : table->newest == stream);
    }
    return sum;
}

static uint64_t sum_all(const srtp_context *context) {
    const srtp_table *tables[] = {&context->sent, &context->received, &context->rtcp_sent, &context->rtcp_received,
                                  &context->joining};
    uint64_t sum = context->evicted;
    for (size_t i = 0; i < 5; i++)
        sum = sum * 31 + sum_of(tables[i], context->window);
    return sum;
}

/* Room of exactly the size that was promised. */
static uint8_t *room(size_t size) {
    return malloc(size);
}

/* --- what is driven ----------------------------------------------------------------------------------------------- */

static srtp_status arrive(srtp_context *context, span packet, int rtcp, span *plain) {
    srtp_item item = {.in = packet};
    uint64_t before = sum_all(context);
    item.out_size = rtcp ? srtp_rtcp_room(context, packet.size) : srtp_rtp_room(context, packet.size);
    if (item.out_size)
        item.out = room(item.out_size);
    if (rtcp)
        srtp_run_open_rtcp(context, &item, 1);
    else
        srtp_run_open_rtp(context, &item, 1);
    CHECK(item.status <= SRTP_KEY_LIMIT);
    if (item.status != SRTP_OK)
        CHECK(sum_all(context) == before);
    if (plain && item.status == SRTP_OK)
        *plain = (span){item.out, item.out_size};
    else
        free(item.out);
    return (srtp_status)item.status;
}

/* Sends a burst; its items have their packets then, or nothing has changed. */
static srtp_status leave(srtp_context *context, srtp_item *items, size_t count, int rtcp) {
    uint64_t before = sum_all(context);
    size_t failed;
    srtp_status status = rtcp ? srtp_plan_rtcp(context, items, count, &failed)
                              : srtp_plan_rtp(context, items, count, &failed);
    if (status != SRTP_OK) {
        CHECK(failed <= count && sum_all(context) == before);
        return status;
    }
    srtp_undo(context); /* as if there were no room for the result */
    CHECK(sum_all(context) == before);
    CHECK((rtcp ? srtp_plan_rtcp(context, items, count, &failed)
                : srtp_plan_rtp(context, items, count, &failed)) == SRTP_OK);
    for (size_t i = 0; i < count; i++)
        items[i].out = room(items[i].out_size);
    CHECK((rtcp ? srtp_run_rtcp(context, items, count) : srtp_run_rtp(context, items, count)) == SRTP_OK);
    srtp_commit(context);
    return SRTP_OK;
}

static void check_opened(span in, span out, int cryptex) {
    if (in.size == out.size) {
        CHECK(memcmp(in.data, out.data, in.size) == 0);
        return;
    }
    size_t csrcs_end = srtp_csrcs_end(in.data);
    CHECK(cryptex && out.size == in.size + 4 && !(in.data[0] & 0x10));
    CHECK(out.data[0] == (in.data[0] | 0x10) && memcmp(out.data + 1, in.data + 1, csrcs_end - 1) == 0);
    CHECK(memcmp(out.data + csrcs_end, "\xbe\xde\0\0", 4) == 0);
    CHECK(memcmp(out.data + csrcs_end + 4, in.data + csrcs_end, in.size - csrcs_end) == 0);
}

static void round_trip(const uint8_t choice[2], span rest, int rtcp) {
    srtp_item items[MAX_PARTS] = {{.offset = 0}};
    size_t count = 0;
    while (rest.size && count < MAX_PARTS) {
        size_t size = rest.data[0] < rest.size ? rest.data[0] : rest.size - 1;
        items[count++].in = (span){rest.data + 1, size};
        rest = (span){rest.data + 1 + size, rest.size - 1 - size};
    }
    srtp_context sender, receiver;
    begin(&sender, choice, choice[0] & 128);
    begin(&receiver, choice, !(choice[0] & 128));
    if (choice[1] & 32)
        CHECK(srtp_set_rollover_counter(&sender, 2, 0xFFFFFFFF) == SRTP_OK &&
              srtp_set_rollover_counter(&receiver, 2, 0xFFFFFFFF) == SRTP_OK &&
              srtp_set_rtcp_index(&sender, 2, SRTP_RTCP_INDEX_LIMIT - 2) == SRTP_OK);
    if (leave(&sender, items, count, rtcp) != SRTP_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        span sealed = {items[i].out, items[i].out_size}, plain;
        uint8_t *damaged = malloc(sealed.size);
        memcpy(damaged, sealed.data, sealed.size);
        damaged[(choice[0] + 7 * i) % sealed.size] ^= (uint8_t)(1u << (i & 7));
        CHECK(arrive(&receiver, (span){damaged, sealed.size}, rtcp, NULL) != SRTP_OK);
        free(damaged);
        srtp_status status = arrive(&receiver, sealed, rtcp, &plain);
        if (status == SRTP_OK) {
            check_opened(items[i].in, plain, choice[1] & 2);
            free((void *)(uintptr_t)plain.data);
            status = arrive(&receiver, sealed, rtcp, NULL);
            CHECK(status == SRTP_REPLAYED);
        } else {
            CHECK(status == SRTP_REPLAYED || status == SRTP_TOO_OLD || status == SRTP_BAD_TAG);
        }
    }
    for (size_t i = 0; i < count; i++)
        free(items[i].out);
    end(&sender);
    end(&receiver);
}

static void strangers(const uint8_t choice[2], span packet) {
    static const uint8_t known[] = "\x80\x60\0\1\0\0\0\0\0\0\0\2payload";
    srtp_context context;
    begin(&context, choice, choice[0] & 128);
    srtp_item item = {.in = {known, sizeof known - 1}};
    CHECK(leave(&context, &item, 1, 0) == SRTP_OK);
    uint8_t other[32];
    for (size_t i = 0; i < sizeof other; i++)
        other[i] = (uint8_t)(i * 5 + 1);
    if (context.layout.mki_bytes) { /* a second key comes and goes */
        CHECK(srtp_add_key(&context, other, other, (const uint8_t *)"other") == SRTP_OK);
        srtp_remove_key(&context, srtp_find_key(&context, (const uint8_t *)"other"));
    }
    arrive(&context, packet, 0, NULL);
    arrive(&context, packet, 1, NULL);
    CHECK(arrive(&context, (span){item.out, item.out_size}, 0, NULL) == SRTP_OK || context.received.count);
    free(item.out);
    end(&context);
}

static void prepare(void) {
    CHECK(libcrypto_open(&lib));
    by_evp = lib;
    for (size_t i = 0; i < AES_SIZES; i++)
        by_evp.aes_ctr[i].make = by_evp.aes_gcm[i].make = NULL;
    for (size_t i = 0; i < sizeof master_key; i++)
        master_key[i] = (uint8_t)(i * 7 + 3);
    for (size_t i = 0; i < sizeof master_salt; i++)
        master_salt[i] = (uint8_t)(i * 11 + 5);
    uint8_t derived[32];
    for (size_t p = 0; p < 10; p++) {
        const srtp_profile *profile = srtp_profile_of(numbers[p]);
        if (p == 1 || p == 2 || p == 3 || p == 7 || p == 9)
            continue; /* the same keys as their neighbours' */
        for (uint8_t label = 0; label < 8; label++) {
            size_t size = label == 1 || label == 4 ? 20 : label == 2 || label == 5 || label == 7 ? profile->salt_bytes
                                                                                                : profile->key_bytes;
            CHECK(srtp_derive(&lib, profile, master_key, master_salt, label, derived, size));
            if (p != 4 && secret_count < 56) /* GCM's are those of the counter mode, but for shorter salts */
                keep_secret(derived, size);
        }
    }
    /* The states behind HMAC's pads are as good as the key: five words, 20 bytes. */
    const srtp_profile *profile = srtp_profile_of(1);
    hmac_sha1 mac;
    CHECK(srtp_derive(&lib, profile, master_key, master_salt, 1, derived, SHA1_BYTES));
    CHECK(hmac_sha1_open(&lib, &mac, (span){derived, SHA1_BYTES}));
    keep_secret(&mac.inner, 20);
    keep_secret(&mac.outer, 20);
    hmac_sha1_close(&lib, &mac);
}

static size_t seeds(uint8_t out[][MAX_INPUT], size_t sizes[], size_t space) {
    static const uint8_t rtp[] = "\x80\x60\0\1\0\0\0\0\0\0\0\2media";
    static const uint8_t extended[] = "\x91\x60\xff\xff\0\0\0\0\0\0\0\2csrc\xbe\xde\0\2\x10\xaa\x31\xbb\xcc\0\0\0media";
    static const uint8_t sources[] = "\x82\x60\0\2\0\0\0\0\0\0\0\2csrccsrcmedia";
    static const uint8_t two_byte[] = "\x90\x60\0\3\0\0\0\0\0\0\0\1\x10\0\0\2\1\0\3\1h\5\1imedia";
    static const uint8_t control[] = "\x81\xc8\0\3\0\0\0\2report..";
    static const struct { const uint8_t *data; uint8_t size; } parts[] = {
        {rtp, sizeof rtp - 1}, {extended, sizeof extended - 1}, {sources, sizeof sources - 1},
        {two_byte, sizeof two_byte - 1}, {control, sizeof control - 1}, {rtp, sizeof rtp - 1},
    };
    size_t count = 0;
    prepare();
    for (uint8_t choice = 0; choice < 120 && count < space; choice++) {
        uint8_t *at = out[count];
        *at++ = (uint8_t)(choice | choice % 7 << 7);
        *at++ = (uint8_t)(choice * 37);
        *at++ = choice % 3;
        for (size_t part = 0; part < 6; part++) {
            if (choice % 3 == 0 && part != choice / 3 % 6)
                continue; /* one alone, as it arrives */
            if (choice % 3)
                *at++ = parts[part].size;
            memcpy(at, parts[part].data, parts[part].size);
            at += parts[part].size;
        }
        if (choice % 3 == 0) { /* sealed, so that it opens */
            srtp_context context;
            srtp_item item = {.in = {out[count] + 3, (size_t)(at - out[count] - 3)}};
            int rtcp = choice / 3 % 6 == 4;
            begin(&context, out[count], 0);
            if (leave(&context, &item, 1, rtcp) == SRTP_OK) {
                memcpy(out[count] + 3, item.out, item.out_size);
                at = out[count] + 3 + item.out_size;
                free(item.out);
            }
            end(&context);
        }
        sizes[count] = (size_t)(at - out[count]);
        count++;
    }
    return count;
}

static void fuzz_one(span input) {
    if (input.size < 3)
        return;
    /* What follows is in memory of its own, so that a read before it is seen as well. */
    size_t size = input.size - 3;
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, input.data + 3, size);
    if (input.data[2] % 3 == 0)
        strangers(input.data, (span){exact, size});
    else
        round_trip(input.data, (span){exact, size}, input.data[2] % 3 == 2);
    free(exact);
}
