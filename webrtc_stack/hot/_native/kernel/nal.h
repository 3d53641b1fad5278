/* NAL units in a byte stream, and bytes cut evenly into payloads. Spec: ITU-T H.264 and H.265, annex B. */
#ifndef WEBRTC_STACK_NAL_H
#define WEBRTC_STACK_NAL_H

#include "span.h"

/* Where the next 00 00 01 begins, at `from` or behind; the size of the stream for none. */
size_t nal_next_start(span stream, size_t from);

/* Whether the first `size` bytes are zeros. */
int all_zero(span stream, size_t size);

/* The next unit that has bytes, without the zeros behind it. `at` is where its start code begins, and is moved on.
 * Returns: 0 for none. */
int nal_next_unit(span stream, size_t *at, span *unit);

/* How `length` bytes are cut: the first part, then `larger` parts of `size` + 1, then parts of `size`. */
typedef struct {
    size_t first, larger, size, count; /* `count` payloads in all */
} even_cut;

/* For payloads of at most `limit` bytes behind heads of `first_head` and `head` bytes, where one payload does not do.
 * Returns: 0, or -1 where the heads leave no room. */
int cut_evenly(size_t length, size_t first_head, size_t head, size_t limit, even_cut *cut);

#endif
