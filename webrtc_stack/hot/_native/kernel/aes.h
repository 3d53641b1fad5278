/* AES in counter mode and GCM: keyed once, then each packet brings its nonce.
 *
 * By the functions that libcrypto 3 gets from its providers, called directly (provider-cipher(7)): EVP's own checks
 * and parameters cost a sixth of a packet. Where they cannot be had, as in libcrypto 1.1, by EVP.
 */
#ifndef WEBRTC_STACK_AES_H
#define WEBRTC_STACK_AES_H

#include "libcrypto.h"

#define AES_GCM_TAG 16

typedef struct aes aes;

/* The key has the algorithm's length. Returns: NULL if there is no memory, or libcrypto failed. */
aes *aes_new(const libcrypto *lib, const aes_algorithm *algorithm, const uint8_t *key, int encrypts);
/* NULL is none. What it held of the key is wiped. */
void aes_free(const libcrypto *lib, aes *cipher);

/* All of these return whether libcrypto did it. */
int aes_begin(const libcrypto *lib, aes *cipher, const uint8_t *nonce);
/* Without `out`, data that GCM authenticates only. */
int aes_update(const libcrypto *lib, aes *cipher, uint8_t *out, const uint8_t *in, size_t size);
int aes_give_tag(const libcrypto *lib, aes *cipher, uint8_t tag[AES_GCM_TAG]);
int aes_expect_tag(const libcrypto *lib, aes *cipher, const uint8_t tag[AES_GCM_TAG]);

#endif
