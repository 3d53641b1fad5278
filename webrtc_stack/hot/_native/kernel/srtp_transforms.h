/* AES-GCM, AES counter mode with HMAC-SHA1, HMAC-SHA1 alone, and the layouts of packets.
 *
 *   counter mode, null   header | payload* | MKI | tag       RTCP:  8 bytes | rest* | E, index | MKI | tag
 *   GCM                  header | payload* tag | MKI         RTCP:  8 bytes | rest* tag | E, index | MKI
 *
 * Spec: RFC 3711 sections 3.1, 3.4, 4.1.1, 4.2; RFC 7714 sections 8, 9; RFC 6188 section 3; RFC 9335 section 6.
 */
#ifndef WEBRTC_STACK_SRTP_TRANSFORMS_H
#define WEBRTC_STACK_SRTP_TRANSFORMS_H

#include "srtp_header.h"
#include "srtp_keys.h"

#define SRTP_E_BIT 0x80000000u

/* What all packets of a context have in common. */
typedef struct {
    const libcrypto *lib;
    const srtp_profile *profile;
    size_t mki_bytes;
    int cryptex;
    srtp_ids ids;
} srtp_layout;

/* Input and output do not overlap. Sealing gives SRTP_OK or SRTP_FAILED; opening SRTP_OK, SRTP_BAD_TAG, and for RTP
 * SRTP_MALFORMED (authentic, but its header extension cannot be read). What was not authentic is not left in `out`. */

/* `head` is where the header ends, `out` has room for what srtp_sealed_bytes says. */
srtp_status srtp_seal_rtp(const srtp_layout *layout, const srtp_key *key, span in, size_t head, srtp_shape shape,
                          int64_t index, uint8_t *out);
size_t srtp_sealed_bytes(const srtp_layout *layout, size_t size, srtp_shape shape);

/* The packet has at least `head` bytes and a trailer; `out` has room for it without the trailer. */
srtp_status srtp_open_rtp(const srtp_layout *layout, const srtp_key *key, span in, size_t head, int64_t index,
                          uint8_t *out);
size_t srtp_rtp_trailer(const srtp_layout *layout);

/* `word` is the E bit and the index. Sealed packets are longer by srtp_rtcp_overhead. */
srtp_status srtp_seal_rtcp(const srtp_layout *layout, const srtp_key *key, span in, uint32_t word, uint8_t *out);
srtp_status srtp_open_rtcp(const srtp_layout *layout, const srtp_key *key, span in, uint32_t word, uint8_t *out);
size_t srtp_rtcp_overhead(const srtp_layout *layout);

#endif
