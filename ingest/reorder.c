/* A small window that puts packets of UDP back in order (quirk R7). */
#include "base/mem.h"
#include "ingest/receiver_priv.h"

static void deliver_held(struct track *t, struct held *h)
{
    struct rtp rtp;
    uint8_t *p = h->p;
    h->p = NULL;
    t->reorder.n_held--;
    if (rtp_parse(p, h->n, &rtp) == 0)
        receiver__deliver(t, &rtp);
    free(p);
}

static void deliver_ready(struct track *t)
{
    while (t->reorder.n_held > 0) {
        struct held *h = &t->reorder.held[t->seq.expected % RECEIVER_WINDOW];
        if (!h->p || h->seq != t->seq.expected)
            return;
        deliver_held(t, h);
    }
}

/* The held packet that is next in order, whatever is missing before it. */
static struct held *lowest(struct track *t)
{
    for (int ahead = 0; ahead < RECEIVER_WINDOW; ahead++) {
        uint16_t seq = (uint16_t)(t->seq.expected + ahead);
        struct held *h = &t->reorder.held[seq % RECEIVER_WINDOW];
        if (h->p && h->seq == seq)
            return h;
    }
    return NULL;
}

static void give_up_one(struct track *t)
{
    struct held *h = lowest(t);
    if (!h) { /* the sequence moved away from under them */
        receiver__reorder_fini(&t->reorder);
        return;
    }
    deliver_held(t, h);
    deliver_ready(t);
}

static void hold(struct track *t, uint16_t seq, const uint8_t *p, size_t n)
{
    struct held *h = &t->reorder.held[seq % RECEIVER_WINDOW];
    if (h->p) /* a duplicate */
        return;
    h->p = try_malloc(n);
    if (!h->p)
        return;
    memcpy(h->p, p, n);
    h->n = n;
    h->seq = seq;
    h->mono_us = t->r->arrival.mono_us;
    t->reorder.n_held++;
}

void receiver__reorder_tick(struct track *t, int64_t mono_us)
{
    while (t->reorder.n_held > 0) {
        const struct held *h = lowest(t);
        if (h && mono_us - h->mono_us < RECEIVER_WINDOW_US)
            return;
        give_up_one(t);
    }
}

void receiver__reorder(struct track *t, const struct rtp *rtp, const uint8_t *p, size_t n)
{
    if (t->reorder.n_held > 0)
        receiver__reorder_tick(t, t->r->arrival.mono_us);
    uint16_t ahead = (uint16_t)(rtp->seq - t->seq.expected);
    while (t->seq.is_started && ahead >= RECEIVER_WINDOW && ahead < 0x8000 &&
           t->reorder.n_held > 0) {
        give_up_one(t);
        ahead = (uint16_t)(rtp->seq - t->seq.expected);
    }
    if (t->seq.is_started && ahead > 0 && ahead < RECEIVER_WINDOW) {
        hold(t, rtp->seq, p, n);
        return;
    }
    receiver__deliver(t, rtp);
    deliver_ready(t);
}

void receiver__reorder_fini(struct reorder *w)
{
    for (int i = 0; w->n_held > 0 && i < RECEIVER_WINDOW; i++) {
        if (!w->held[i].p)
            continue;
        FREE(&w->held[i].p);
        w->n_held--;
    }
}
