/* An SRTP context: one direction, every SSRC, one master key or several with identifiers. Spec: RFC 3711 section 3.
 *
 * Sending is two steps, as a burst is protected whole or not at all. *Planning* finds everything that can be wrong,
 * gives out the indices and writes down how to take them back; *running* encrypts. Then it is committed or undone.
 * Receiving is one step a packet: what is refused changes nothing.
 *
 * Nothing here is safe for two threads at once; the caller sees to that.
 */
#ifndef WEBRTC_STACK_SRTP_CONTEXT_H
#define WEBRTC_STACK_SRTP_CONTEXT_H

#include "srtp_transforms.h"

#define SRTP_INDEX_LIMIT ((int64_t)1 << 48)
#define SRTP_RTCP_INDEX_LIMIT ((int64_t)1 << 31)
#define SRTP_MAX_WINDOW 32768

typedef struct {
    const srtp_profile *profile;
    size_t window, max_ssrcs, mki_bytes;
    int cryptex, encrypt_rtcp, allow_repeats;
    srtp_ids ids;
} srtp_options;

/* A packet on its way. */
typedef struct {
    span in;
    uint8_t *out; /* room for out_size bytes */
    size_t out_size;
    int64_t index; /* RTCP: with the E bit */
    uint32_t head, offset;
    uint8_t shape, status;
} srtp_item;

typedef struct {
    srtp_layout layout;
    size_t window, words, max_ssrcs;
    uint32_t rtcp_flag;
    int allow_repeats;
    srtp_key **keys, *current;
    size_t key_count;
    srtp_table sent, received, rtcp_sent, rtcp_received;
    srtp_table joining; /* rollover counters told from outside, until the stream's next packet */
    uint64_t burst;     /* its number */
    uint64_t *journal;  /* how to undo it */
    size_t journal_words, journal_room;
    int joined;
    uint64_t evicted; /* received streams forgotten, since somebody set this to 0 */
} srtp_context;

/* Key and salt have the sizes of the profile. Returns: SRTP_OK, or SRTP_NO_MEMORY with nothing to close. */
srtp_status srtp_open(srtp_context *context, const libcrypto *lib, const srtp_options *options, const uint8_t *key,
                      const uint8_t *salt, const uint8_t *mki);
void srtp_close(srtp_context *context); /* wipes all of it */

srtp_key *srtp_find_key(const srtp_context *context, const uint8_t *mki);
srtp_status srtp_add_key(srtp_context *context, const uint8_t *key, const uint8_t *salt, const uint8_t *mki);
void srtp_use_key(srtp_context *context, srtp_key *key);
void srtp_remove_key(srtp_context *context, srtp_key *key); /* which is not in use */

int64_t srtp_rollover_counter(const srtp_context *context, uint32_t ssrc); /* -1: not known */
srtp_status srtp_set_rollover_counter(srtp_context *context, uint32_t ssrc, uint32_t roc);
int64_t srtp_rtcp_index(const srtp_context *context, uint32_t ssrc);
srtp_status srtp_set_rtcp_index(srtp_context *context, uint32_t ssrc, int64_t index); /* not one that was used */

/* Plans a burst out: `in` is given, `out_size` is told. If it fails, `failed` is the item at fault (or `count`) and
 * nothing has changed. */
srtp_status srtp_plan_rtp(srtp_context *context, srtp_item *items, size_t count, size_t *failed);
srtp_status srtp_plan_rtcp(srtp_context *context, srtp_item *items, size_t count, size_t *failed);
srtp_status srtp_run_rtp(const srtp_context *context, srtp_item *items, size_t count);
srtp_status srtp_run_rtcp(const srtp_context *context, srtp_item *items, size_t count);
void srtp_commit(srtp_context *context);
void srtp_undo(srtp_context *context);

/* Bytes that a packet of `size` has when it is opened; 0 if it has a length that no packet has. */
size_t srtp_rtp_room(const srtp_context *context, size_t size);
size_t srtp_rtcp_room(const srtp_context *context, size_t size);

/* Opens packets, one after the other; `status` tells of each. Those without an `out` are malformed. */
void srtp_run_open_rtp(srtp_context *context, srtp_item *items, size_t count);
void srtp_run_open_rtcp(srtp_context *context, srtp_item *items, size_t count);

#endif
