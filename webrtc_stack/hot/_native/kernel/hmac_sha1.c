/* HMAC-SHA1 from states saved behind the pads. */
#include "hmac_sha1.h"

#define BLOCK 64

static int padded(const libcrypto *lib, sha1_state *state, evp_md_ctx *md, const uint8_t pad[BLOCK]) {
    if (lib->sha1_init)
        return lib->sha1_init(state) && lib->sha1_update(state, pad, BLOCK);
    return md && lib->md_init(md, lib->sha1, NULL) && lib->md_update(md, pad, BLOCK);
}

int hmac_sha1_open(const libcrypto *lib, hmac_sha1 *mac, span key) {
    uint8_t inner[BLOCK], outer[BLOCK];
    memset(mac, 0, sizeof *mac);
    if (key.size > BLOCK)
        return 0; /* session keys are as long as a tag */
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5C, sizeof outer);
    for (size_t i = 0; i < key.size; i++) {
        inner[i] ^= key.data[i];
        outer[i] ^= key.data[i];
    }
    if (!lib->sha1_init) {
        mac->inner_md = lib->md_new();
        mac->outer_md = lib->md_new();
        mac->work = lib->md_new();
    }
    int good = padded(lib, &mac->inner, mac->inner_md, inner) && padded(lib, &mac->outer, mac->outer_md, outer) &&
               (lib->sha1_init || mac->work);
    lib->cleanse(inner, sizeof inner);
    lib->cleanse(outer, sizeof outer);
    if (!good)
        hmac_sha1_close(lib, mac);
    return good;
}

void hmac_sha1_close(const libcrypto *lib, hmac_sha1 *mac) {
    lib->md_free(mac->inner_md);
    lib->md_free(mac->outer_md);
    lib->md_free(mac->work);
    lib->cleanse(mac, sizeof *mac);
}

static int by_digests(const libcrypto *lib, const hmac_sha1 *mac, span first, span second, uint8_t *tag) {
    return lib->md_copy(mac->work, mac->inner_md) && lib->md_update(mac->work, first.data, first.size) &&
           lib->md_update(mac->work, second.data, second.size) && lib->md_final(mac->work, tag, NULL) &&
           lib->md_copy(mac->work, mac->outer_md) && lib->md_update(mac->work, tag, SHA1_BYTES) &&
           lib->md_final(mac->work, tag, NULL);
}

int hmac_sha1_tag(const libcrypto *lib, const hmac_sha1 *mac, span first, span second, uint8_t tag[SHA1_BYTES]) {
    if (!lib->sha1_init)
        return by_digests(lib, mac, first, second, tag);
    sha1_state state = mac->inner; /* `sha1_final` wipes it */
    if (!lib->sha1_update(&state, first.data, first.size) || !lib->sha1_update(&state, second.data, second.size) ||
        !lib->sha1_final(tag, &state))
        return 0;
    state = mac->outer;
    return lib->sha1_update(&state, tag, SHA1_BYTES) && lib->sha1_final(tag, &state);
}
