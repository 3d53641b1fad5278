/* Master keys into ciphers: derivation, scheduling, wiping. */
#include "srtp_keys.h"

#include <stdlib.h>

enum { RTP_ENCRYPTION, RTP_AUTHENTICATION, RTP_SALT, RTCP_ENCRYPTION, HEADER_ENCRYPTION = 6, HEADER_SALT = 7 };

static const srtp_profile profiles[] = {
    {0x00001, SRTP_COUNTER_MODE, 16, 14, 10, 10}, {0x00002, SRTP_COUNTER_MODE, 16, 14, 4, 10},
    {0x00005, SRTP_NULL, 16, 14, 10, 10},         {0x00006, SRTP_NULL, 16, 14, 4, 10},
    {0x00007, SRTP_GCM, 16, 12, 16, 16},          {0x00008, SRTP_GCM, 32, 12, 16, 16},
    {0x10001, SRTP_COUNTER_MODE, 24, 14, 10, 10}, {0x10002, SRTP_COUNTER_MODE, 24, 14, 4, 10},
    {0x10003, SRTP_COUNTER_MODE, 32, 14, 10, 10}, {0x10004, SRTP_COUNTER_MODE, 32, 14, 4, 10},
};

const srtp_profile *srtp_profile_of(uint32_t number) {
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        if (profiles[i].number == number)
            return &profiles[i];
    return NULL;
}

static int size_of(const srtp_profile *profile) {
    return profile->key_bytes == 16 ? AES_128 : profile->key_bytes == 24 ? AES_192 : AES_256;
}

int srtp_derive(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                uint8_t label, uint8_t *out, size_t size) {
    static const uint8_t zeros[32];
    uint8_t block[16] = {0};
    memcpy(block, salt, profile->salt_bytes);
    block[7] ^= label;
    aes *cipher = aes_new(lib, &lib->aes_ctr[size_of(profile)], key, 1);
    int good = cipher && size <= sizeof zeros && aes_begin(lib, cipher, block) &&
               aes_update(lib, cipher, out, zeros, size);
    aes_free(lib, cipher);
    lib->cleanse(block, sizeof block);
    return good;
}

static int open_session(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                        uint8_t first_label, srtp_session *session) {
    uint8_t encryption[32], authentication[SHA1_BYTES];
    int good =
        srtp_derive(lib, profile, key, salt, first_label, encryption, profile->key_bytes) &&
        srtp_derive(lib, profile, key, salt, (uint8_t)(first_label + RTP_AUTHENTICATION), authentication, SHA1_BYTES) &&
        srtp_derive(lib, profile, key, salt, (uint8_t)(first_label + RTP_SALT), session->salt, profile->salt_bytes);
    if (good && profile->cipher == SRTP_GCM) {
        const aes_algorithm *gcm = &lib->aes_gcm[size_of(profile)];
        session->seal = aes_new(lib, gcm, encryption, 1);
        session->open = aes_new(lib, gcm, encryption, 0);
        good = session->seal && session->open;
    } else if (good) {
        good = hmac_sha1_open(lib, &session->mac, (span){authentication, SHA1_BYTES});
        if (good && profile->cipher == SRTP_COUNTER_MODE)
            good = (session->seal = aes_new(lib, &lib->aes_ctr[size_of(profile)], encryption, 1)) != NULL;
    }
    lib->cleanse(encryption, sizeof encryption);
    lib->cleanse(authentication, sizeof authentication);
    return good;
}

static int open_header(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                       srtp_key *to) {
    uint8_t encryption[32];
    int good = srtp_derive(lib, profile, key, salt, HEADER_ENCRYPTION, encryption, profile->key_bytes) &&
               srtp_derive(lib, profile, key, salt, HEADER_SALT, to->header_salt, profile->salt_bytes) &&
               (to->header = aes_new(lib, &lib->aes_ctr[size_of(profile)], encryption, 1)) != NULL;
    lib->cleanse(encryption, sizeof encryption);
    return good;
}

srtp_key *srtp_key_new(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                       span mki, int elements) {
    srtp_key *made = mki.size <= SRTP_MAX_MKI ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return NULL;
    memcpy(made->mki, mki.data, mki.size);
    if (open_session(lib, profile, key, salt, RTP_ENCRYPTION, &made->rtp) &&
        open_session(lib, profile, key, salt, RTCP_ENCRYPTION, &made->rtcp) &&
        (!elements || open_header(lib, profile, key, salt, made)))
        return made;
    srtp_key_free(lib, made);
    return NULL;
}

void srtp_key_free(const libcrypto *lib, srtp_key *key) {
    if (key == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        srtp_session *session = i ? &key->rtcp : &key->rtp;
        aes_free(lib, session->seal);
        aes_free(lib, session->open);
        hmac_sha1_close(lib, &session->mac);
    }
    aes_free(lib, key->header);
    lib->cleanse(key, sizeof *key);
    free(key);
}
