#include "aes.h"

#include <stdlib.h>

struct aes {
    const aes_algorithm *algorithm;
    void *direct; /* a provider's context; NULL where EVP serves */
    evp_cipher_ctx *evp;
    int encrypts;
};

static int keyed(const libcrypto *lib, aes *cipher, const uint8_t *key) {
    static const uint8_t no_nonce[16];
    const aes_algorithm *algorithm = cipher->algorithm;
    if (algorithm->make == NULL) {
        cipher->evp = lib->cipher_new();
        return cipher->evp && lib->cipher_init(cipher->evp, algorithm->evp, NULL, key, no_nonce, cipher->encrypts);
    }
    cipher->direct = algorithm->make(algorithm->provider);
    provider_init init = cipher->encrypts ? algorithm->encrypt_init : algorithm->decrypt_init;
    return cipher->direct && init(cipher->direct, key, algorithm->key_bytes, no_nonce, algorithm->nonce_bytes, NULL);
}

aes *aes_new(const libcrypto *lib, const aes_algorithm *algorithm, const uint8_t *key, int encrypts) {
    aes *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->algorithm = algorithm;
    made->encrypts = encrypts;
    if (keyed(lib, made, key))
        return made;
    aes_free(lib, made);
    return NULL;
}

void aes_free(const libcrypto *lib, aes *cipher) {
    if (cipher == NULL)
        return;
    if (cipher->direct)
        cipher->algorithm->free(cipher->direct);
    lib->cipher_free(cipher->evp);
    free(cipher);
}

int aes_begin(const libcrypto *lib, aes *cipher, const uint8_t *nonce) {
    const aes_algorithm *algorithm = cipher->algorithm;
    if (cipher->direct) {
        provider_init init = cipher->encrypts ? algorithm->encrypt_init : algorithm->decrypt_init;
        return init(cipher->direct, NULL, 0, nonce, algorithm->nonce_bytes, NULL);
    }
    return (cipher->encrypts ? lib->encrypt_init : lib->decrypt_init)(cipher->evp, NULL, NULL, NULL, nonce);
}

int aes_update(const libcrypto *lib, aes *cipher, uint8_t *out, const uint8_t *in, size_t size) {
    if (size == 0)
        return 1;
    if (cipher->direct) {
        size_t written;
        return cipher->algorithm->update(cipher->direct, out, &written, size, in, size);
    }
    int written;
    return (cipher->encrypts ? lib->encrypt_update : lib->decrypt_update)(cipher->evp, out, &written, in, (int)size);
}

int aes_give_tag(const libcrypto *lib, aes *cipher, uint8_t tag[AES_GCM_TAG]) {
    if (cipher->direct) {
        size_t written;
        provider_parameter wanted[2] = {{"tag", PROVIDER_OCTETS, tag, AES_GCM_TAG, 0}, {0}};
        return cipher->algorithm->final(cipher->direct, tag, &written, AES_GCM_TAG) &&
               cipher->algorithm->get(cipher->direct, wanted);
    }
    int written;
    return lib->encrypt_final(cipher->evp, tag, &written) &&
           lib->cipher_ctrl(cipher->evp, LIBCRYPTO_GET_TAG, AES_GCM_TAG, tag);
}

int aes_expect_tag(const libcrypto *lib, aes *cipher, const uint8_t tag[AES_GCM_TAG]) {
    uint8_t expected[AES_GCM_TAG], nothing[AES_GCM_TAG];
    memcpy(expected, tag, sizeof expected);
    if (cipher->direct) {
        size_t written;
        const provider_parameter given[2] = {{"tag", PROVIDER_OCTETS, expected, AES_GCM_TAG, 0}, {0}};
        return cipher->algorithm->set(cipher->direct, given) &&
               cipher->algorithm->final(cipher->direct, nothing, &written, AES_GCM_TAG) > 0;
    }
    int written;
    return lib->cipher_ctrl(cipher->evp, LIBCRYPTO_SET_TAG, AES_GCM_TAG, expected) &&
           lib->decrypt_final(cipher->evp, nothing, &written) > 0;
}
