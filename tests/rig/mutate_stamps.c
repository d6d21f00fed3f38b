/* Timestamps that lie, and pictures that stay out. */
#include <math.h>

#include "mutate_priv.h"

static uint32_t ticks(const struct mutate_batch *b, double seconds)
{
    double rate = b->track == 0 ? 90000 : b->codec == CODEC_AAC ? 16000 : 8000;
    return (uint32_t)llround(seconds * rate);
}

/* Not sent, and not missing in the count: the encoder left it out. */
static void skip(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    (void)r;
    b->is_skipped = true;
}

/* The camera's clock runs at another speed. */
static void rate(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    uint32_t first = m->tracks[b->track].first_timestamp;
    double factor = mutate__real(r, "factor", 1) + mutate__real(r, "ppm", 0) / 1e6;
    b->timestamp = first + (uint32_t)llround((int32_t)(b->timestamp - first) * factor);
}

/* This one lies elsewhere; the next ones do not. */
static void shift(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)m;
    b->timestamp += ticks(b, mutate__real(r, "seconds", 0));
}

/* From here on everything lies elsewhere. */
static void jump(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    uint32_t by = ticks(b, mutate__real(r, "seconds", 0));
    m->tracks[b->track].offset += by;
    b->timestamp += by;
}

/* Like the one before. */
static void equal(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    (void)r;
    b->timestamp = m->tracks[b->track].last_timestamp;
}

/* The first picture has this stamp; times = 1. */
static void base(struct mutator *m, struct mutate_rule *r, struct mutate_batch *b)
{
    struct mutate_track *t = &m->tracks[b->track];
    t->offset += (uint32_t)mutate__int(r, "ticks", 0) - b->timestamp;
    b->timestamp = (uint32_t)mutate__int(r, "ticks", 0);
    t->first_timestamp = b->timestamp;
}

const struct mutate_change mutate__stamps[] = {
    {"skip", MUTATE_STAMP, "", skip},
    {"rate", MUTATE_STAMP, "factor ppm", rate},
    {"shift", MUTATE_STAMP, "seconds", shift},
    {"jump", MUTATE_STAMP, "seconds", jump},
    {"equal", MUTATE_STAMP, "", equal},
    {"base", MUTATE_STAMP, "ticks", base},
    {NULL, 0, NULL, NULL},
};
