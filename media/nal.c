#include "media/nal.h"

#include <string.h>

/* True when one of the 8 bytes may be zero (exact for the absence of zeros). */
static bool has_zero(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ((v - UINT64_C(0x0101010101010101)) & ~v & UINT64_C(0x8080808080808080)) != 0;
}

size_t nal_find_start_code(const uint8_t *p, size_t n, size_t from)
{
    size_t i = from;
    while (i + 3 <= n) {
        /* A start code that begins in these 8 bytes has a zero among them. */
        if (i + 8 <= n && !has_zero(p + i)) {
            i += 8;
            continue;
        }
        size_t stop = i + 8 <= n ? i + 8 : n - 2;
        for (; i < stop && i + 3 <= n; i++) {
            if (p[i] == 0 && p[i + 1] == 0 && p[i + 2] == 1)
                return i;
        }
    }
    return n;
}

struct nal_span nal_trim(struct nal_span nal)
{
    while (nal.n > 0 && nal.p[nal.n - 1] == 0)
        nal.n--;
    return nal;
}

bool nal_next(const uint8_t *p, size_t n, size_t *pos, struct nal_span *out)
{
    while (*pos < n) {
        size_t from = *pos;
        size_t code = nal_find_start_code(p, n, from);
        *pos = code < n ? code + 3 : n;
        *out = nal_trim((struct nal_span){p + from, code - from});
        if (out->n > 0)
            return true;
    }
    return false;
}
