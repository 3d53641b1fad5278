/* What a master key becomes: session keys, scheduled once. Spec: RFC 3711 section 4.3; RFC 6188; RFC 7714; RFC 6904. */
#ifndef WEBRTC_STACK_SRTP_KEYS_H
#define WEBRTC_STACK_SRTP_KEYS_H

#include "aes.h"
#include "hmac_sha1.h"

#define SRTP_MAX_MKI 128

typedef enum { SRTP_NULL, SRTP_COUNTER_MODE, SRTP_GCM } srtp_cipher;

typedef struct {
    uint32_t number;
    uint8_t cipher, key_bytes, salt_bytes, rtp_tag_bytes, rtcp_tag_bytes;
} srtp_profile;

/* One kind of packet under one key. Counter mode has one cipher, which goes both ways. */
typedef struct {
    aes *seal, *open;
    hmac_sha1 mac;
    uint8_t salt[16]; /* zeros behind its 12 or 14 bytes */
} srtp_session;

typedef struct {
    srtp_session rtp, rtcp;
    aes *header; /* for chosen extension elements; NULL if none were chosen */
    uint8_t header_salt[16];
    uint8_t mki[SRTP_MAX_MKI];
} srtp_key;

/* The profile of this number, or NULL. */
const srtp_profile *srtp_profile_of(uint32_t number);

/* `size` bytes (at most 32) of the key derivation function for `label`. Returns: whether libcrypto did it. */
int srtp_derive(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                uint8_t label, uint8_t *out, size_t size);

/* Key and salt have the sizes of the profile. Returns: NULL if there is no memory, or libcrypto failed. */
srtp_key *srtp_key_new(const libcrypto *lib, const srtp_profile *profile, const uint8_t *key, const uint8_t *salt,
                       span mki, int elements);

/* Wipes and frees it. */
void srtp_key_free(const libcrypto *lib, srtp_key *key);

#endif
