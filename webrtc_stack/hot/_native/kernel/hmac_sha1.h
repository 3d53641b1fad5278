/* HMAC-SHA1, keyed once: each message starts from copies of the states behind the two pads. Spec: RFC 2104. */
#ifndef WEBRTC_STACK_HMAC_SHA1_H
#define WEBRTC_STACK_HMAC_SHA1_H

#include "libcrypto.h"

#define SHA1_BYTES 20

typedef struct {
    sha1_state inner, outer;
    evp_md_ctx *inner_md, *outer_md, *work; /* instead, where libcrypto has no functions for the states alone */
} hmac_sha1;

/* Returns: 1, or 0 with nothing to close. */
int hmac_sha1_open(const libcrypto *lib, hmac_sha1 *mac, span key);
void hmac_sha1_close(const libcrypto *lib, hmac_sha1 *mac);

/* The tag of `first` and `second`, one behind the other. Returns: 1, or 0 if libcrypto failed. */
int hmac_sha1_tag(const libcrypto *lib, const hmac_sha1 *mac, span first, span second, uint8_t tag[SHA1_BYTES]);

#endif
