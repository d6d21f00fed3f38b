/* Another sender on a track (quirks R3, R4, K6). The first one is the right one while it is alive:
 * what else speaks meanwhile is a ghost of an old session, or the encoder after a restart. Its
 * packets are kept until that is decided, so that its first key frame is not lost. */
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/receiver_priv.h"

#define SILENT_US   US_PER_S
#define RIVAL_MAX   20 /* packets in a row, each up to 64 KiB */
#define SLOW_FRAMES 3

struct rival {
    uint32_t ssrc;
    int n;
    struct {
        uint8_t *p;
        size_t n;
        struct arrival arrival;
    } held[RIVAL_MAX];
};

static void free_rival(struct track *t)
{
    for (int i = 0; i < t->rival->n; i++)
        free(t->rival->held[i].p);
    FREE(&t->rival);
}

void receiver__rival_fini(struct track *t)
{
    if (!t->rival)
        return;
    t->r->stats.n_foreign += (uint64_t)t->rival->n;
    free_rival(t);
}

static void hold(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n)
{
    if (t->rival && t->rival->ssrc != rtp->ssrc)
        receiver__rival_fini(t);
    if (!t->rival) {
        t->rival = xcalloc(1, sizeof *t->rival);
        t->rival->ssrc = rtp->ssrc;
    }
    struct rival *v = t->rival;
    uint8_t *copy = try_malloc(n);
    if (!copy)
        return;
    memcpy(copy, p, n);
    v->held[v->n].p = copy;
    v->held[v->n].n = n;
    v->held[v->n].arrival = t->r->arrival;
    v->n++;
}

/* Slow cameras are silent between their pictures. */
static bool is_silent(const struct track *t)
{
    int64_t limit_us = MAX(SILENT_US, SLOW_FRAMES * t->r->stats.frame_us);
    return t->r->arrival.mono_us - t->heard.mono_us >= limit_us;
}

void receiver__rival(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n)
{
    struct receiver *r = t->r;
    hold(t, rtp, p, n);
    struct rival *v = t->rival;
    /* Of two that speak at the start, the one with a key frame. */
    bool is_first_key = !t->is_sure && depay_begins_key(t->depay, rtp);
    if (v->n == 0 || (!is_silent(t) && !is_first_key && v->n < RIVAL_MAX))
        return;
    struct arrival now = r->arrival;
    t->rival = NULL;
    for (int i = 0; i < v->n; i++) {
        struct rtp held;
        r->arrival = v->held[i].arrival;
        bool is_readable = rtp_parse(v->held[i].p, v->held[i].n, &held) == 0;
        if (is_readable && i == 0)
            receiver__new_sender(t, &held);
        if (is_readable)
            receiver__take(t, &held, v->held[i].p, v->held[i].n);
    }
    r->arrival = now;
    t->rival = v;
    free_rival(t);
}
