/* NAL units in byte streams (ISO/IEC 14496-10 annex B, 23008-2 annex B).
 * Thread: pure functions on caller's bytes. */
#ifndef MEDIA_NAL_H
#define MEDIA_NAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/format.h"

#define NAL_SETS_MAX 16 /* parameter sets of one format */

/* Offset of the first 00 00 01 at or after `from`; n when there is none. */
size_t nal_find_start_code(const uint8_t *p, size_t n, size_t from);

/* The next NAL unit of an annex B stream; bytes in front of the first start code count as one.
 * Starts at *pos = 0; false at the end. Trailing zero bytes are left out, empty units skipped. */
bool nal_next(const uint8_t *p, size_t n, size_t *pos, struct nal_span *out);

/* Without trailing zero bytes, which no NAL unit ends with. */
struct nal_span nal_trim(struct nal_span nal);

#endif
