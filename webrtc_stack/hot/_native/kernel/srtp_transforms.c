/* One packet protected or unprotected, by ciphers that were keyed before: each packet brings only its nonce. */
#include "srtp_transforms.h"

/* Bytes that are encrypted, from one place to another. */
typedef struct {
    const uint8_t *in;
    uint8_t *out;
    size_t size;
} run;

static inline void xor_numbers(uint8_t *at, uint32_t ssrc, uint64_t index) {
    uint8_t numbers[10];
    write_u32(numbers, ssrc);
    write_u16(numbers + 4, (uint16_t)(index >> 32));
    write_u32(numbers + 6, (uint32_t)index);
    for (int i = 0; i < 10; i++)
        at[i] ^= numbers[i];
}

/* Room for what counter mode takes; GCM takes the first 12. */
static inline void nonce_of(uint8_t nonce[16], const uint8_t salt[16], int gcm, uint32_t ssrc, int64_t index) {
    memcpy(nonce, salt, 16);
    xor_numbers(nonce + (gcm ? 2 : 4), ssrc, (uint64_t)index);
}

/* --- ciphers ------------------------------------------------------------------------------------------------------ */

static int count(const libcrypto *lib, aes *cipher, const uint8_t nonce[16], run first, run second) {
    return aes_begin(lib, cipher, nonce) && aes_update(lib, cipher, first.out, first.in, first.size) &&
           aes_update(lib, cipher, second.out, second.in, second.size);
}

/* All of GCM but the tag. */
static int gcm_run(const libcrypto *lib, aes *cipher, const uint8_t *nonce, span clear, span more, run first,
                   run second) {
    return aes_begin(lib, cipher, nonce) && aes_update(lib, cipher, NULL, clear.data, clear.size) &&
           aes_update(lib, cipher, NULL, more.data, more.size) &&
           aes_update(lib, cipher, first.out, first.in, first.size) &&
           aes_update(lib, cipher, second.out, second.in, second.size);
}

static int gcm_seal(const libcrypto *lib, aes *cipher, const uint8_t *nonce, span clear, span more, run first,
                    run second, uint8_t *tag) {
    return gcm_run(lib, cipher, nonce, clear, more, first, second) && aes_give_tag(lib, cipher, tag);
}

static int gcm_open(const libcrypto *lib, aes *cipher, const uint8_t *nonce, span clear, span more, run first,
                    run second, const uint8_t *tag) {
    return gcm_run(lib, cipher, nonce, clear, more, first, second) && aes_expect_tag(lib, cipher, tag);
}

/* --- header elements ---------------------------------------------------------------------------------------------- */

static int skip(const libcrypto *lib, aes *cipher, size_t size) {
    uint8_t zeros[256] = {0}, unused[256];
    for (size_t part; size; size -= part) {
        part = size < sizeof zeros ? size : sizeof zeros;
        if (!aes_update(lib, cipher, unused, zeros, part))
            return 0;
    }
    return 1;
}

/* Encrypts, or decrypts, which is the same, chosen elements of a header: the key stream runs along the whole body. */
static srtp_status crypt_elements(const srtp_layout *layout, const srtp_key *key, uint8_t *packet, int64_t index) {
    const libcrypto *lib = layout->lib;
    srtp_elements elements;
    int found;
    srtp_elements_begin(&elements, packet, srtp_csrcs_end(packet), &layout->ids);
    srtp_elements first = elements;
    while ((found = srtp_elements_next(&elements)) > 0)
        ;
    if (found < 0)
        return SRTP_MALFORMED;
    uint8_t nonce[16];
    nonce_of(nonce, key->header_salt, 0, read_u32(packet + 8), index);
    if (!aes_begin(lib, key->header, nonce))
        return SRTP_FAILED;
    elements = first;
    for (size_t at = elements.at; srtp_elements_next(&elements) > 0; at = elements.right) {
        uint8_t *data = packet + elements.left;
        if (!skip(lib, key->header, elements.left - at) ||
            !aes_update(lib, key->header, data, data, elements.right - elements.left))
            return SRTP_FAILED;
    }
    return SRTP_OK;
}

/* --- RTP ---------------------------------------------------------------------------------------------------------- */

size_t srtp_rtp_trailer(const srtp_layout *layout) {
    return layout->profile->rtp_tag_bytes + layout->mki_bytes;
}

size_t srtp_sealed_bytes(const srtp_layout *layout, size_t size, srtp_shape shape) {
    return size + srtp_rtp_trailer(layout) + (shape == SRTP_CRYPTEX_ADDED ? 4 : 0);
}

static int rtp_tag(const srtp_layout *layout, const srtp_key *key, span packet, int64_t index, uint8_t *tag) {
    uint8_t rollover_counter[4];
    write_u32(rollover_counter, (uint32_t)(index >> 16));
    return hmac_sha1_tag(layout->lib, &key->rtp.mac, packet, (span){rollover_counter, 4}, tag);
}

srtp_status srtp_seal_rtp(const srtp_layout *layout, const srtp_key *key, span in, size_t head, srtp_shape shape,
                          int64_t index, uint8_t *out) {
    const libcrypto *lib = layout->lib;
    const srtp_session *session = &key->rtp;
    size_t csrcs_end = srtp_csrcs_end(in.data), added = shape == SRTP_CRYPTEX_ADDED ? 4 : 0;
    uint8_t *end = out + in.size + added;
    uint8_t nonce[16];
    span clear = {out, head}, more = {out, 0};
    run first = {in.data, out, 0}, second = {in.data + head, out + head, in.size - head};
    nonce_of(nonce, session->salt, layout->profile->cipher == SRTP_GCM, read_u32(in.data + 8), index);
    if (shape >= SRTP_CRYPTEX) {
        memcpy(out, in.data, csrcs_end);
        if (added) {
            out[0] |= 0x10;
            write_u16(out + csrcs_end, 0xC0DE);
            write_u16(out + csrcs_end + 2, 0);
        } else {
            write_u16(out + csrcs_end, srtp_encrypted_profile(read_u16(in.data + csrcs_end)));
            memcpy(out + csrcs_end + 2, in.data + csrcs_end + 2, 2);
        }
        clear.size = 12;
        more = (span){out + csrcs_end, 4};
        first = (run){in.data + 12, out + 12, csrcs_end - 12};
        second = (run){in.data + csrcs_end + 4 - added, out + csrcs_end + 4, in.size - (csrcs_end + 4 - added)};
    } else {
        memcpy(out, in.data, head);
        if (shape == SRTP_ELEMENTS && crypt_elements(layout, key, out, index) != SRTP_OK)
            return SRTP_FAILED;
    }
    if (layout->profile->cipher == SRTP_GCM) {
        if (!gcm_seal(lib, session->seal, nonce, clear, more, first, second, end))
            return SRTP_FAILED;
        memcpy(end + AES_GCM_TAG, key->mki, layout->mki_bytes);
        return SRTP_OK;
    }
    uint8_t tag[SHA1_BYTES];
    if (layout->profile->cipher == SRTP_NULL) {
        memcpy(first.out, first.in, first.size);
        memcpy(second.out, second.in, second.size);
    } else if (!count(lib, session->seal, nonce, first, second)) {
        return SRTP_FAILED;
    }
    if (!rtp_tag(layout, key, (span){out, (size_t)(end - out)}, index, tag))
        return SRTP_FAILED;
    memcpy(end, key->mki, layout->mki_bytes);
    memcpy(end + layout->mki_bytes, tag, layout->profile->rtp_tag_bytes);
    return SRTP_OK;
}

srtp_status srtp_open_rtp(const srtp_layout *layout, const srtp_key *key, span in, size_t head, int64_t index,
                          uint8_t *out) {
    const libcrypto *lib = layout->lib;
    const srtp_session *session = &key->rtp;
    size_t csrcs_end = srtp_csrcs_end(in.data), end = in.size - srtp_rtp_trailer(layout);
    size_t tag_bytes = layout->profile->rtp_tag_bytes;
    uint8_t nonce[16];
    span clear = {in.data, head}, more = {in.data, 0};
    run first = {in.data, out, 0}, second = {in.data + head, out + head, end - head};
    uint16_t profile = 0;
    if (layout->cryptex && in.data[0] & 0x10)
        profile = srtp_readable_profile(read_u16(in.data + csrcs_end));
    if (profile) {
        clear.size = 12;
        more = (span){in.data + csrcs_end, 4};
        first = (run){in.data + 12, out + 12, csrcs_end - 12};
        second = (run){in.data + csrcs_end + 4, out + csrcs_end + 4, end - (csrcs_end + 4)};
    }
    nonce_of(nonce, session->salt, layout->profile->cipher == SRTP_GCM, read_u32(in.data + 8), index);
    if (layout->profile->cipher == SRTP_GCM) {
        if (!gcm_open(lib, session->open, nonce, clear, more, first, second, in.data + end)) {
            memset(out, 0, end);
            return SRTP_BAD_TAG;
        }
    } else {
        uint8_t tag[SHA1_BYTES];
        if (!rtp_tag(layout, key, (span){in.data, end}, index, tag) ||
            !libcrypto_equal(tag, in.data + in.size - tag_bytes, tag_bytes))
            return SRTP_BAD_TAG;
        if (layout->profile->cipher == SRTP_NULL) {
            memcpy(first.out, first.in, first.size);
            memcpy(second.out, second.in, second.size);
        } else if (!count(lib, session->seal, nonce, first, second)) {
            return SRTP_BAD_TAG;
        }
    }
    memcpy(out, clear.data, clear.size);
    if (profile) {
        write_u16(out + csrcs_end, profile);
        memcpy(out + csrcs_end + 2, in.data + csrcs_end + 2, 2);
        return SRTP_OK;
    }
    if (layout->ids.any && in.data[0] & 0x10)
        return crypt_elements(layout, key, out, index) == SRTP_OK ? SRTP_OK : SRTP_MALFORMED;
    return SRTP_OK;
}

/* --- RTCP --------------------------------------------------------------------------------------------------------- */

size_t srtp_rtcp_overhead(const srtp_layout *layout) {
    return 4u + layout->profile->rtcp_tag_bytes + layout->mki_bytes;
}

srtp_status srtp_seal_rtcp(const srtp_layout *layout, const srtp_key *key, span in, uint32_t word, uint8_t *out) {
    const libcrypto *lib = layout->lib;
    const srtp_session *session = &key->rtcp;
    int gcm = layout->profile->cipher == SRTP_GCM;
    size_t clear = word & SRTP_E_BIT ? 8 : in.size;
    uint8_t nonce[16];
    run none = {in.data, out, 0}, rest = {in.data + clear, out + clear, in.size - clear};
    uint8_t *behind = out + in.size + (gcm ? AES_GCM_TAG : 0); /* where the word comes to stand */
    nonce_of(nonce, session->salt, gcm, read_u32(in.data + 4), word & ~SRTP_E_BIT);
    memcpy(out, in.data, clear);
    write_u32(behind, word);
    memcpy(behind + 4, key->mki, layout->mki_bytes);
    if (gcm)
        return gcm_seal(lib, session->seal, nonce, (span){out, clear}, (span){behind, 4}, none, rest, out + in.size)
                   ? SRTP_OK
                   : SRTP_FAILED;
    uint8_t tag[SHA1_BYTES];
    if (layout->profile->cipher == SRTP_NULL)
        memcpy(rest.out, rest.in, rest.size);
    else if (!count(lib, session->seal, nonce, none, rest))
        return SRTP_FAILED;
    if (!hmac_sha1_tag(lib, &session->mac, (span){out, in.size + 4}, (span){out, 0}, tag))
        return SRTP_FAILED;
    memcpy(behind + 4 + layout->mki_bytes, tag, layout->profile->rtcp_tag_bytes);
    return SRTP_OK;
}

srtp_status srtp_open_rtcp(const srtp_layout *layout, const srtp_key *key, span in, uint32_t word, uint8_t *out) {
    const libcrypto *lib = layout->lib;
    const srtp_session *session = &key->rtcp;
    int gcm = layout->profile->cipher == SRTP_GCM;
    size_t size = in.size - srtp_rtcp_overhead(layout), clear = word & SRTP_E_BIT ? 8 : size;
    size_t tag_bytes = layout->profile->rtcp_tag_bytes;
    uint8_t nonce[16];
    run none = {in.data, out, 0}, rest = {in.data + clear, out + clear, size - clear};
    nonce_of(nonce, session->salt, gcm, read_u32(in.data + 4), word & ~SRTP_E_BIT);
    if (gcm) {
        span tail = {in.data + size + AES_GCM_TAG, 4};
        if (!gcm_open(lib, session->open, nonce, (span){in.data, clear}, tail, none, rest, in.data + size)) {
            memset(out, 0, size);
            return SRTP_BAD_TAG;
        }
    } else {
        uint8_t tag[SHA1_BYTES];
        if (!hmac_sha1_tag(lib, &session->mac, (span){in.data, size + 4}, (span){in.data, 0}, tag) ||
            !libcrypto_equal(tag, in.data + in.size - tag_bytes, tag_bytes))
            return SRTP_BAD_TAG;
        if (layout->profile->cipher == SRTP_NULL)
            memcpy(rest.out, rest.in, rest.size);
        else if (!count(lib, session->seal, nonce, none, rest))
            return SRTP_BAD_TAG;
    }
    memcpy(out, in.data, clear);
    return SRTP_OK;
}
