#include "delivery/packager.h"

#include <assert.h>

#include "delivery/fragment.h"
#include "delivery/track_clock.h"
#include "media/inband.h"
#include "media/relay.h"

enum { WITHOUT_AUDIO, WITH_AUDIO };

struct packager {
    struct packager_table *table;
    struct packager *next, *prev; /* in the table; a leaving one is only counted there */
    struct hub *hub;              /* identity; the relay holds the reference */
    struct relay *relay;
    bool is_leaving; /* no viewer may come any more */
    struct timer linger;

    struct viewer *viewers;
    int n_viewers;
    struct viewer *iter_next; /* where the walk over viewers goes on; moved by packager_detach */

    struct axis axis;
    struct track_clock video_clock, audio_clock;
    struct inband sets;       /* of the pictures; its entry is that of the init segments */
    struct format *audio;     /* of what is sent now */
    struct fragment *init[2]; /* WITHOUT_AUDIO, WITH_AUDIO; NULL = not known yet */
    uint32_t init_id[2];
    uint32_t next_init_id, next_sequence;
    uint32_t next_seq; /* of the hub's video packets */
    bool is_waiting;   /* for a key frame */

    struct fragment **gop; /* gop[0] is its key frame */
    size_t n_gop, cap_gop, gop_bytes;
    bool is_gop_cut; /* only the key frame is left of it */
};

struct packager_table {
    struct loop *loop;
    struct packager *packagers;
    int n_alive; /* including those that leave */
    bool is_stopping;
    loop_fn *done;
    void *done_ctx;
};

/* --- the kept group --- */

static void forget_group(struct packager *p, size_t keep)
{
    while (p->n_gop > keep)
        fragment_unref(&p->gop[--p->n_gop]);
    p->gop_bytes = p->n_gop > 0 ? fragment_size(p->gop[0]) : 0;
    p->is_gop_cut = keep > 0;
}

static void keep(struct packager *p, struct fragment *f)
{
    if (f->is_key)
        forget_group(p, 0);
    else if (p->n_gop == 0 || p->is_gop_cut)
        return;
    if (p->n_gop >= HUB_GOP_MAX_PACKETS ||
        p->gop_bytes + fragment_size(f) > PACKAGER_GOP_MAX_BYTES) {
        forget_group(p, MIN(p->n_gop, (size_t)1));
        if (p->n_gop > 0)
            return;
    }
    if (p->n_gop == p->cap_gop) {
        p->cap_gop = MAX(p->cap_gop * 2, (size_t)32);
        p->gop = xrealloc(p->gop, p->cap_gop * sizeof(struct fragment *));
    }
    p->gop[p->n_gop++] = fragment_ref(f);
    p->gop_bytes += fragment_size(f);
}

/* --- viewers --- */

/* What this viewer should have: with sound only when it wants it and there is some. */
static int init_index(const struct packager *p, const struct viewer *v)
{
    return v->wants_audio && p->init[WITH_AUDIO] ? WITH_AUDIO : WITHOUT_AUDIO;
}

/* Each step may detach the viewer. */
static void offer(struct packager *p, struct viewer *v, struct fragment *f)
{
    if (f->is_key && p->init[WITHOUT_AUDIO]) {
        int i = init_index(p, v);
        v->needs_key = false;
        if (v->init_id != p->init_id[i]) {
            v->init_id = p->init_id[i];
            v->ops->init(v, p->init[i]);
        }
    }
    if (v->packager != p || v->needs_key)
        return;
    if (f->is_audio && (!p->init[WITH_AUDIO] || v->init_id != p->init_id[WITH_AUDIO]))
        return;
    v->ops->push(v, f);
}

static struct viewer *walk_next(struct packager *p)
{
    struct viewer *v = p->iter_next;
    p->iter_next = v ? v->next : NULL;
    return v;
}

static struct viewer *walk_start(struct packager *p)
{
    p->iter_next = p->viewers;
    return walk_next(p);
}

/* Viewers may detach themselves or each other in their callbacks; new ones come in front. */
#define FOR_EACH_VIEWER(p, v) for (struct viewer *v = walk_start(p); v; v = walk_next(p))

/* --- packets to fragments --- */

static void replace_init(struct packager *p, int i, struct format *video, struct format *audio)
{
    fragment_unref(&p->init[i]);
    p->init[i] = fragment_create_init(video, audio);
    p->init_id[i] = ++p->next_init_id;
}

/* At a key frame: a format that the init segment cannot serve takes effect. */
static void take_video_format(struct packager *p, struct format *format)
{
    bool is_new = !p->sets.entry || !inband_fits(&p->sets, format);
    if (is_new) {
        inband_begin(&p->sets, format);
        replace_init(p, WITHOUT_AUDIO, format, NULL);
    }
    if (p->audio && (is_new || !p->init[WITH_AUDIO]))
        replace_init(p, WITH_AUDIO, p->sets.entry, p->audio);
}

/* A reference to what is sent for this picture; NULL: there is no place for it. */
static struct packet *accept_video(struct packager *p, struct packet *pkt)
{
    if (pkt->is_key) {
        take_video_format(p, pkt->format);
        p->is_waiting = p->init[WITHOUT_AUDIO] == NULL;
    } else if (!p->sets.entry || !inband_fits(&p->sets, pkt->format)) {
        p->is_waiting = true; /* a format without a key frame */
    }
    if (p->is_waiting)
        return NULL;
    struct packet *out = inband_take(&p->sets, pkt);
    p->is_waiting = out == NULL;
    return out;
}

static struct packet *accept_audio(struct packager *p, struct packet *pkt)
{
    if (!fragment_takes_sound(pkt->format))
        return NULL;
    if (!p->audio || (pkt->format != p->audio && !format_eq(p->audio, pkt->format))) {
        format_unref(&p->audio);
        p->audio = format_ref(pkt->format);
        if (p->sets.entry) /* viewers take it at their next key frame */
            replace_init(p, WITH_AUDIO, p->sets.entry, p->audio);
    }
    bool is_fit =
        !p->is_waiting && p->init[WITH_AUDIO] && format_eq(p->init[WITH_AUDIO]->audio, p->audio);
    return is_fit ? packet_ref(pkt) : NULL;
}

static void on_packet(void *ctx, struct packet *pkt)
{
    struct packager *p = ctx;
    struct packet *out = pkt->is_video ? accept_video(p, pkt) : accept_audio(p, pkt);
    bool is_hole = pkt->is_discontinuity || pkt->lost_before > 0;
    if (pkt->is_video) {
        is_hole |= p->video_clock.is_started && pkt->seq != p->next_seq;
        p->next_seq = pkt->seq + 1;
    }
    if (!out)
        return;
    struct track_clock *clock = pkt->is_video ? &p->video_clock : &p->audio_clock;
    int64_t dts = track_clock_next(clock, &p->axis, pkt, false);
    struct fragment *f = fragment_create(out, dts, clock->duration, ++p->next_sequence, is_hole);
    packet_unref(&out);
    if (!f)
        return;
    keep(p, f);
    FOR_EACH_VIEWER(p, v)
    offer(p, v, f);
    fragment_unref(&f);
}

static void on_source_changed(void *ctx, bool is_up)
{
    struct packager *p = ctx;
    if (!is_up)
        forget_group(p, 0); /* a picture of before must not look like now */
    FOR_EACH_VIEWER(p, v)
    {
        v->needs_key |= !is_up;
        if (v->ops->source_changed)
            v->ops->source_changed(v, is_up);
    }
}

/* --- coming and going --- */

static void table_free_if_done(struct packager_table *t)
{
    if (!t->is_stopping || t->n_alive > 0)
        return;
    loop_fn *done = t->done;
    void *done_ctx = t->done_ctx;
    free(t);
    if (done)
        done(done_ctx);
}

static void after_stop(void *ctx)
{
    struct packager_table *t = ctx;
    t->n_alive--;
    table_free_if_done(t);
}

static void unlink_packager(struct packager *p)
{
    if (p->is_leaving)
        return;
    p->is_leaving = true;
    if (p->prev)
        p->prev->next = p->next;
    else
        p->table->packagers = p->next;
    if (p->next)
        p->next->prev = p->prev;
}

static void drop_viewers(struct packager *p)
{
    for (struct viewer *v; (v = p->viewers);) {
        packager_detach(v);
        if (v->ops->gone)
            v->ops->gone(v);
    }
}

static void on_gone(void *ctx)
{
    struct packager *p = ctx;
    struct packager_table *t = p->table;
    unlink_packager(p);
    drop_viewers(p);
    timer_disarm(&p->linger);
    forget_group(p, 0);
    free(p->gop);
    fragment_unref(&p->init[WITHOUT_AUDIO]);
    fragment_unref(&p->init[WITH_AUDIO]);
    inband_fini(&p->sets);
    format_unref(&p->audio);
    free(p);
    t->n_alive--;
    table_free_if_done(t);
}

static void leave(void *ctx)
{
    struct packager *p = ctx;
    if (p->is_leaving)
        return;
    unlink_packager(p);
    timer_disarm(&p->linger);
    relay_stop(p->relay);
}

static struct packager *packager_create(struct packager_table *t, struct hub *hub)
{
    struct packager *p = xcalloc(1, sizeof *p);
    p->table = t;
    p->hub = hub;
    p->is_waiting = true;
    timer_init(&p->linger, t->loop, leave, p);
    p->next = t->packagers;
    if (p->next)
        p->next->prev = p;
    t->packagers = p;
    t->n_alive++;
    p->relay = relay_start(&(struct relay_params){.hub = hub,
                                                  .far = t->loop,
                                                  .wants_audio = true,
                                                  .is_viewer = true,
                                                  .is_live = true,
                                                  .push = on_packet,
                                                  .source_changed = on_source_changed,
                                                  .gone = on_gone,
                                                  .ctx = p});
    return p;
}

struct packager_table *packager_table_create(struct loop *loop)
{
    struct packager_table *t = xcalloc(1, sizeof *t);
    t->loop = loop;
    return t;
}

void packager_table_stop(struct packager_table *t, loop_fn *done, void *ctx)
{
    loop_assert(t->loop);
    assert(!t->is_stopping);
    t->is_stopping = true;
    t->done = done;
    t->done_ctx = ctx;
    for (struct packager *p; (p = t->packagers);) {
        leave(p);
        drop_viewers(p);
    }
    t->n_alive++; /* the deferred call: `done` never fires from within */
    loop_defer(t->loop, after_stop, t);
}

static struct packager *find(const struct packager_table *t, const struct hub *hub)
{
    struct packager *p = t->packagers;
    while (p && p->hub != hub)
        p = p->next;
    return p;
}

void packager_attach(struct packager_table *t, struct hub *hub, struct viewer *v)
{
    loop_assert(t->loop);
    assert(!v->packager && !t->is_stopping);
    struct packager *p = find(t, hub);
    if (!p)
        p = packager_create(t, hub);
    timer_disarm(&p->linger);
    v->packager = p;
    v->prev = NULL;
    v->next = p->viewers;
    if (v->next)
        v->next->prev = v;
    p->viewers = v;
    p->n_viewers++;
    v->needs_key = true;
    v->init_id = 0;
    for (size_t i = 0; i < p->n_gop && v->packager == p; i++)
        offer(p, v, p->gop[i]);
    if (v->packager == p && p->is_gop_cut)
        v->needs_key = true;
}

int packager_viewers(const struct packager_table *t, const struct hub *hub)
{
    const struct packager *p = find(t, hub);
    return p ? p->n_viewers : 0;
}

bool packager_has_audio(const struct viewer *v)
{
    return v->packager && v->packager->init[WITH_AUDIO];
}

void packager_detach(struct viewer *v)
{
    struct packager *p = v->packager;
    if (!p)
        return;
    if (p->iter_next == v)
        p->iter_next = v->next;
    if (v->prev)
        v->prev->next = v->next;
    else
        p->viewers = v->next;
    if (v->next)
        v->next->prev = v->prev;
    p->n_viewers--;
    v->packager = NULL;
    v->next = v->prev = NULL;
    if (!p->viewers && !p->is_leaving)
        timer_arm_ms(&p->linger, PACKAGER_LINGER_MS);
}
