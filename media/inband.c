#include "media/inband.h"

#include <assert.h>

static void replace(struct format **at, struct format *f)
{
    struct format *old = *at;
    *at = f ? format_ref(f) : NULL;
    format_unref(&old);
}

void inband_begin(struct inband *b, struct format *entry)
{
    b->is_used = b->entry && format_eq(b->entry, entry) && !format_eq(b->now, entry);
    replace(&b->entry, entry);
    replace(&b->now, entry);
}

bool inband_fits(const struct inband *b, const struct format *next)
{
    return next == b->now || format_is_compatible(b->entry, next);
}

struct packet *inband_take(struct inband *b, struct packet *pkt)
{
    assert(b->entry && pkt->format);
    bool is_changed = pkt->format != b->now && !format_eq(pkt->format, b->now);
    struct packet *out = NULL;
    if (pkt->is_key && (is_changed || b->is_used))
        out = packet_with_sets(pkt, NULL);
    else if (is_changed)
        out = packet_with_sets(pkt, b->now);
    else
        out = packet_ref(pkt);
    b->is_used |= is_changed;
    if (pkt->format != b->now)
        replace(&b->now, pkt->format);
    return out;
}

void inband_fini(struct inband *b)
{
    format_unref(&b->entry);
    format_unref(&b->now);
}
