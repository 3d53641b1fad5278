/* libcrypto, found at run time: nothing of OpenSSL is needed to build, and its prototypes are declared here by hand.
 *
 * Both ABIs, 1.1 and 3, have all of it under these names but for the digest functions that may be left out of a build.
 */
#ifndef WEBRTC_STACK_LIBCRYPTO_H
#define WEBRTC_STACK_LIBCRYPTO_H

#include "span.h"

enum { AES_128, AES_192, AES_256, AES_SIZES };

#define LIBCRYPTO_GET_TAG 0x10 /* EVP_CTRL_AEAD_GET_TAG and SET_TAG */
#define LIBCRYPTO_SET_TAG 0x11

typedef struct evp_cipher evp_cipher;
typedef struct evp_cipher_ctx evp_cipher_ctx;
typedef struct evp_md evp_md;
typedef struct evp_md_ctx evp_md_ctx;

/* A SHA_CTX is 24 words, and is copied as it stands. There is more room than it takes, and the right alignment. */
typedef struct {
    uint64_t words[16];
} sha1_state;

/* The interface between libcrypto 3 and its providers, as far as it is used. */
#define PROVIDER_OCTETS 5 /* OSSL_PARAM_OCTET_STRING */

typedef struct {
    const char *key; /* NULL ends a list */
    unsigned type;
    void *data;
    size_t size, written;
} provider_parameter;

typedef int (*provider_init)(void *, const uint8_t *key, size_t key_size, const uint8_t *iv, size_t iv_size,
                             const provider_parameter *);

typedef struct {
    const evp_cipher *evp;
    size_t key_bytes, nonce_bytes;
    /* All of these or, where libcrypto does not hand them out, no `make`. */
    void *provider;
    void *(*make)(void *provider);
    void (*free)(void *);
    provider_init encrypt_init, decrypt_init;
    int (*update)(void *, uint8_t *out, size_t *written, size_t room, const uint8_t *in, size_t size);
    int (*final)(void *, uint8_t *out, size_t *written, size_t room);
    int (*get)(void *, provider_parameter *);
    int (*set)(void *, const provider_parameter *);
} aes_algorithm;

typedef struct {
    void *handle;   /* NULL: there is no libcrypto, and nothing below may be called */
    char text[384]; /* its version and where it came from, or why there is none */

    aes_algorithm aes_ctr[AES_SIZES], aes_gcm[AES_SIZES];
    const evp_md *sha1;

    evp_cipher_ctx *(*cipher_new)(void);
    void (*cipher_free)(evp_cipher_ctx *);
    int (*cipher_init)(evp_cipher_ctx *, const evp_cipher *, void *engine, const uint8_t *key, const uint8_t *iv,
                       int encrypt);
    int (*encrypt_init)(evp_cipher_ctx *, const evp_cipher *, void *engine, const uint8_t *key, const uint8_t *iv);
    int (*decrypt_init)(evp_cipher_ctx *, const evp_cipher *, void *engine, const uint8_t *key, const uint8_t *iv);
    int (*encrypt_update)(evp_cipher_ctx *, uint8_t *out, int *written, const uint8_t *in, int size);
    int (*decrypt_update)(evp_cipher_ctx *, uint8_t *out, int *written, const uint8_t *in, int size);
    int (*encrypt_final)(evp_cipher_ctx *, uint8_t *out, int *written);
    int (*decrypt_final)(evp_cipher_ctx *, uint8_t *out, int *written);
    int (*cipher_ctrl)(evp_cipher_ctx *, int type, int size, void *data);

    evp_md_ctx *(*md_new)(void);
    void (*md_free)(evp_md_ctx *);
    int (*md_init)(evp_md_ctx *, const evp_md *, void *engine);
    int (*md_update)(evp_md_ctx *, const void *, size_t);
    int (*md_final)(evp_md_ctx *, uint8_t *out, unsigned *written);
    int (*md_copy)(evp_md_ctx *to, const evp_md_ctx *from);

    /* All three or none of them. */
    int (*sha1_init)(sha1_state *);
    int (*sha1_update)(sha1_state *, const void *, size_t);
    int (*sha1_final)(uint8_t *out, sha1_state *);

    void (*cleanse)(void *, size_t);
} libcrypto;

/* Takes the libcrypto that this process has already, else loads one. Returns: 1, or 0 with the reason in `text`. */
int libcrypto_open(libcrypto *lib);
void libcrypto_close(libcrypto *lib);

/* Whether `size` bytes are the same, in a time that does not tell where they differ. */
int libcrypto_equal(const uint8_t *a, const uint8_t *b, size_t size);

#endif
