#include "storage/registry.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>

#include "base/map.h"
#include "base/str.h"
#include "storage/volume.h"

enum { REPORT_MS = 1000, KEY_BYTES = 80 };

struct registry {
    /* set at create, then const */
    struct loop *loop;
    loop_fn *each_second;
    void *ctx;

    /* registry's loop only */
    struct recorder_link *links;
    struct map *open; /* "camera/stream" to struct writer, newest first */
    struct timer report;
};

/* --- links --- */

struct recorder_link *recorder_link_ref(struct recorder_link *l)
{
    refcount_inc(&l->refs);
    return l;
}

void recorder_link_unref(struct recorder_link **l)
{
    if (*l != NULL && refcount_dec(&(*l)->refs))
        free(*l);
    *l = NULL;
}

/* --- status: one message per owner's loop, whatever the number of recorders --- */

struct status_batch {
    size_t n, cap;
    struct status_entry {
        struct recorder_link *link; /* a reference */
        struct recorder_status status;
        bool is_gone; /* the last one: no status, only gone */
    } * entries;
};

static void deliver(void *ctx)
{
    struct status_batch *b = ctx;
    for (size_t i = 0; i < b->n; i++) {
        struct status_entry *e = &b->entries[i];
        if (e->is_gone) {
            e->link->is_gone = true;
            if (e->link->gone != NULL)
                e->link->gone(e->link->ctx);
        } else if (!e->link->is_gone && e->link->status != NULL) {
            e->link->status(e->link->ctx, &e->status);
        }
        recorder_link_unref(&e->link);
    }
    free(b->entries);
    free(b);
}

static void describe(const struct recorder_link *l, enum recorder_trouble trouble, char *dst,
                     size_t cap)
{
    const struct volume *v = atomic_load(&l->volume);
    switch (trouble) {
    case RECORDER_FINE:
    case RECORDER_WAITING:
        str_copy(dst, cap, "");
        return;
    case RECORDER_NO_DISK:
    case RECORDER_FAILED:
        str_copy(dst, cap,
                 trouble == RECORDER_FAILED
                     ? "a disk lost the newest pictures: it goes on with a key frame"
                     : "no volume can be written");
        if (v != NULL && !volume_is_ok(v))
            volume_describe(v, dst, cap);
        return;
    case RECORDER_SLOW:
        snprintf(dst, cap, "volume %.90s is too slow: pictures wait in memory no longer",
                 v != NULL ? v->path : "");
        return;
    }
}

static void fill_status(struct recorder_link *l, struct recorder_status *st)
{
    enum recorder_trouble trouble = (enum recorder_trouble)atomic_load(&l->trouble);
    *st = (struct recorder_status){.is_recording = trouble == RECORDER_FINE,
                                   .recorded_us = atomic_load(&l->recorded_us),
                                   .since_us = atomic_load(&l->since_us),
                                   .n_lost_fragments = atomic_load(&l->n_lost_fragments)};
    str_copy(st->camera_id, sizeof st->camera_id, l->camera_id);
    str_copy(st->stream, sizeof st->stream, stream_kind_name(l->stream));
    describe(l, trouble, st->detail, sizeof st->detail);
    l->reported_trouble = (int)trouble;
    l->reported_us = st->recorded_us;
    l->reported_lost = st->n_lost_fragments;
}

static struct status_entry *add_entry(struct status_batch *b, struct recorder_link *l)
{
    if (b->n == b->cap) {
        b->cap = MAX(1, b->cap * 2);
        b->entries = xrealloc(b->entries, b->cap * sizeof *b->entries);
    }
    struct status_entry *e = &b->entries[b->n++];
    *e = (struct status_entry){.link = recorder_link_ref(l)};
    return e;
}

static void send_batch(struct loop *loop, struct status_batch **b)
{
    if (*b != NULL)
        loop_post(loop, deliver, *b);
    *b = NULL;
}

static bool has_news(struct recorder_link *l)
{
    return atomic_load(&l->trouble) != l->reported_trouble ||
           atomic_load(&l->recorded_us) != l->reported_us ||
           atomic_load(&l->n_lost_fragments) != l->reported_lost;
}

static void on_report(void *ctx)
{
    struct registry *r = ctx;
    struct status_batch *batch = NULL;
    struct loop *home = NULL;
    for (struct recorder_link *l = r->links; l != NULL; l = l->next) {
        if (l->status_loop == NULL || !has_news(l))
            continue;
        if (home != l->status_loop)
            send_batch(home, &batch);
        home = l->status_loop;
        if (batch == NULL)
            batch = xcalloc(1, sizeof *batch);
        fill_status(l, &add_entry(batch, l)->status);
    }
    send_batch(home, &batch);
    if (r->each_second != NULL)
        r->each_second(r->ctx);
    timer_arm_ms(&r->report, REPORT_MS);
}

static void on_poke(void *ctx)
{
    struct recorder_link *l = ctx;
    atomic_store(&l->is_poked, false);
    if (l->status_loop != NULL && atomic_load(&l->trouble) != l->reported_trouble) {
        struct status_batch *batch = xcalloc(1, sizeof *batch);
        fill_status(l, &add_entry(batch, l)->status);
        send_batch(l->status_loop, &batch);
    }
    recorder_link_unref(&l);
}

void recorder_link_set(struct recorder_link *l, enum recorder_trouble trouble, int64_t now_us)
{
    if (atomic_exchange(&l->trouble, (int)trouble) == (int)trouble)
        return;
    atomic_store(&l->since_us, now_us);
    if (!atomic_exchange(&l->is_poked, true))
        loop_post(l->registry->loop, on_poke, recorder_link_ref(l));
}

/* --- recorders and their open segments --- */

static void check_gone(struct recorder_link *l)
{
    if (!l->is_stopping || l->n_open > 0)
        return;
    if (l->status_loop != NULL) {
        struct status_batch *batch = xcalloc(1, sizeof *batch);
        add_entry(batch, l)->is_gone = true;
        send_batch(l->status_loop, &batch);
    }
    if (l->next != NULL)
        l->next->prev_next = l->prev_next;
    *l->prev_next = l->next;
    recorder_link_unref(&l);
}

static void on_add(void *ctx)
{
    struct recorder_link *l = ctx;
    struct registry *r = l->registry;
    l->next = r->links;
    l->prev_next = &r->links;
    if (l->next != NULL)
        l->next->prev_next = &l->next;
    r->links = l;
}

static void on_stopped(void *ctx)
{
    struct recorder_link *l = ctx;
    l->is_stopping = true;
    check_gone(l);
}

static char *stream_key(const char *camera_id, enum stream_kind stream, char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "%.64s/%s", camera_id, stream_kind_name(stream));
    return key;
}

static void on_opened(void *ctx)
{
    struct writer *w = ctx;
    struct registry *r = w->link->registry;
    char key[KEY_BYTES];
    w->next_open = map_put(r->open, stream_key(w->id.camera_id, w->id.stream, key), w);
    w->link->n_open++;
}

static void on_settled(void *ctx)
{
    struct writer *w = ctx;
    struct registry *r = w->link->registry;
    struct recorder_link *l = w->link;
    char key[KEY_BYTES];
    stream_key(w->id.camera_id, w->id.stream, key);
    struct writer *first = map_remove(r->open, key);
    struct writer **at = &first;
    while (*at != w)
        at = &(*at)->next_open;
    *at = w->next_open;
    if (first != NULL)
        map_put(r->open, key, first);
    l->n_open--;
    check_gone(l);
    writer_unref(&w);
}

void registry_add(struct registry *r, struct recorder_link *l)
{
    loop_post(r->loop, on_add, recorder_link_ref(l));
}

void registry_stopped(struct registry *r, struct recorder_link *l)
{
    atomic_store(&l->is_stopped, true);
    loop_post(r->loop, on_stopped, l);
}

void registry_opened(struct registry *r, struct writer *w)
{
    loop_post(r->loop, on_opened, writer_ref(w));
}

void registry_settled(struct registry *r, struct writer *w)
{
    loop_post(r->loop, on_settled, w);
}

/* --- searches --- */

struct find_message {
    struct registry *registry;
    const char *key; /* NULL = every stream's */
    struct writer **list;
    size_t n;
    sem_t done;
};

static void add_stream(struct find_message *m, struct writer *newest)
{
    size_t n = 0;
    for (const struct writer *w = newest; w != NULL; w = w->next_open)
        n++;
    m->list = xrealloc(m->list, MAX(m->n + n, 1) * sizeof(struct writer *));
    size_t i = m->n += n; /* the chain is newest first */
    for (struct writer *w = newest; w != NULL; w = w->next_open)
        m->list[--i] = writer_ref(w);
}

static void on_find(void *ctx)
{
    struct find_message *m = ctx;
    const struct map *open = m->registry->open;
    size_t pos = 0;
    const char *key;
    void *newest;
    if (m->key != NULL)
        add_stream(m, map_get(open, m->key));
    while (m->key == NULL && map_next(open, &pos, &key, &newest))
        add_stream(m, newest);
    sem_post(&m->done);
}

size_t registry_find(struct registry *r, const char *camera_id, enum stream_kind stream,
                     struct writer ***out)
{
    char key[KEY_BYTES];
    struct find_message m = {.registry = r};
    if (camera_id != NULL)
        m.key = stream_key(camera_id, stream, key);
    assert(!loop_is_current(r->loop));
    sem_init(&m.done, 0, 0);
    loop_post(r->loop, on_find, &m);
    while (sem_wait(&m.done) < 0 && errno == EINTR)
        continue;
    sem_destroy(&m.done);
    *out = m.list;
    return m.n;
}

/* --- life --- */

static void on_start(void *ctx)
{
    struct registry *r = ctx;
    timer_arm_ms(&r->report, REPORT_MS);
}

struct registry *registry_create(loop_fn *each_second, void *ctx)
{
    struct registry *r = xcalloc(1, sizeof *r);
    r->each_second = each_second;
    r->ctx = ctx;
    r->loop = loop_create(&(struct loop_params){.name = "registry"});
    r->open = map_create();
    timer_init(&r->report, r->loop, on_report, r);
    loop_post(r->loop, on_start, r);
    loop_start(r->loop);
    return r;
}

void registry_destroy(struct registry **rp)
{
    struct registry *r = *rp;
    if (r == NULL)
        return;
    loop_stop(r->loop);
    loop_join(r->loop);
    timer_disarm(&r->report);
    loop_destroy(&r->loop);
    assert(r->links == NULL && "a recorder is not gone");
    map_destroy(&r->open);
    FREE(rp);
}
