#include "storage/storage_priv.h"

#include <semaphore.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/volume_io.h"

enum { RETENTION_MS = 1000, BY_AGE_MS = 60000, RECOVERY_WAIT_MS = 3000 };

/* --- volumes --- */

struct volume *storage__pick_volume(struct storage *s, const char *camera_id)
{
    return volume_pick(s->volumes, s->n_volumes, camera_id, clock_mono_us(s->clock));
}

struct volume *storage__volume(const struct storage *s, int64_t key)
{
    for (size_t i = 0; i < s->n_volumes; i++)
        if (key != 0 && atomic_load(&s->volumes[i]->key) == key)
            return s->volumes[i];
    return NULL;
}

size_t storage_volumes(struct storage *s, struct volume_status *out, size_t cap)
{
    size_t n = MIN(s->n_volumes, cap);
    for (size_t i = 0; i < n; i++)
        volume_fill_status(s->volumes[i], clock_mono_us(s->clock), &out[i]);
    return n;
}

struct storage_policy storage_policy(const struct storage *s)
{
    return (struct storage_policy){.retention_days = s->retention_days,
                                   .thin_after_days = s->thin_after_days,
                                   .thin_keep = s->thin_keep};
}

struct change {
    void (*fn)(void *ctx, const struct volume_status *st);
    void *ctx;
    struct volume_status status;
};

static void deliver_change(void *ctx)
{
    struct change *c = ctx;
    c->fn(c->ctx, &c->status);
    free(c);
}

/* What a fault is, its volume has logged; a stall it cannot tell itself. */
static void tell_change(struct storage *s, struct volume *v, enum volume_fault before)
{
    struct change *c = xcalloc(1, sizeof *c);
    c->fn = s->volume_changed;
    c->ctx = s->volume_ctx;
    volume_fill_status(v, clock_mono_us(s->clock), &c->status);
    if (v->reported_fault == VOLUME_STALLED)
        log_error(v->path, "%s", c->status.detail);
    else if (before == VOLUME_STALLED && v->reported_fault == VOLUME_OK)
        log_info(v->path, "volume answers promptly again");
    if (c->fn != NULL)
        loop_post(s->status_loop, deliver_change, c);
    else
        free(c);
}

/* [registry's loop, each second] It waits for no disk, so it sees one that does not answer. */
static void watch_volumes(void *ctx)
{
    struct storage *s = ctx;
    for (size_t i = 0; i < s->n_volumes; i++) {
        struct volume *v = s->volumes[i];
        enum volume_fault before = (enum volume_fault)v->reported_fault;
        v->reported_fault = (int)volume_state(v, clock_mono_us(s->clock));
        if (v->reported_fault != (int)before)
            tell_change(s, v, before);
    }
}

struct source *storage_source(struct storage *s)
{
    return &s->source;
}

/* --- the keeper: recovery, then retention --- */

static void on_retention(void *ctx)
{
    struct storage *s = ctx;
    bool is_by_age = loop_mono_us(s->keeper) >= s->by_age_mono_us;
    storage__recover_returned(s, is_by_age);
    bool has_more = storage__retain(s, is_by_age);
    if (is_by_age && !has_more)
        s->by_age_mono_us = loop_mono_us(s->keeper) + BY_AGE_MS * US_PER_MS;
    timer_arm_ms(&s->retention_tick, has_more ? 1 : RETENTION_MS);
}

struct recovery {
    struct storage *storage;
    atomic_int refs; /* keeper and opener */
    sem_t done;
};

static void recovery_unref(struct recovery *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    sem_destroy(&r->done);
    free(r);
}

static void on_keeper_start(void *ctx)
{
    struct recovery *r = ctx;
    storage__recover(r->storage);
    if (!r->storage->is_offline) {
        timer_arm_ms(&r->storage->retention_tick, 1);
        thinning__start(r->storage);
    }
    sem_post(&r->done);
    recovery_unref(r);
}

/* Usually done within milliseconds; cold disks with a thousand open files go on in the background,
 * beside new recordings. */
static void start_keeper(struct storage *s)
{
    struct recovery *r = xcalloc(1, sizeof *r);
    struct timespec until;
    r->storage = s;
    atomic_init(&r->refs, 2);
    sem_init(&r->done, 0, 0);
    s->keeper = loop_create(&(struct loop_params){.name = "keeper"});
    timer_init(&s->retention_tick, s->keeper, on_retention, s);
    loop_post(s->keeper, on_keeper_start, r);
    loop_start(s->keeper);
    int64_t until_us = clock_mono_us(clock_system()) + RECOVERY_WAIT_MS * US_PER_MS;
    until = (struct timespec){until_us / US_PER_S, until_us % US_PER_S * 1000};
    while (s->is_offline && sem_wait(&r->done) < 0)
        continue;
    if (!s->is_offline && sem_clockwait(&r->done, CLOCK_MONOTONIC, &until) < 0)
        log_warn("storage", "recovery goes on in the background");
    recovery_unref(r);
}

/* --- life --- */

/* A quarter of the memory for pictures that wait; one volume that stalls leaves room for the
 * others. */
static int64_t plan_queues(struct storage *s, size_t n_volumes)
{
    int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    s->budget.max_bytes = MAX(memory / 4, INT64_C(64) << 20);
    return MIN(s->budget.max_bytes * 2 / ((int64_t)n_volumes + 1), VOLUME_QUEUE_MAX_BYTES);
}

static void open_volumes(struct storage *s, const struct storage_params *params)
{
    int64_t queue_max_bytes = plan_queues(s, params->n_volumes);
    for (size_t i = 0; i < params->n_volumes; i++) {
        struct volume_params vp = {
            .index = i,
            .clock = s->clock,
            .siblings = s->volumes,
            .budget = &s->budget,
            .queue_max_bytes = queue_max_bytes,
            .config = params->volumes[i],
            .catalogue = params->catalogue,
            .io = params->io != NULL ? params->io : volume_io_system(),
            .chain = &s->chain,
            .sync_interval_us =
                params->sync_interval_us > 0 ? params->sync_interval_us : 5 * US_PER_S,
            .is_reader = params->is_reader,
        };
        s->volumes[s->n_volumes++] = volume_create(&vp);
    }
}

int storage_open(const struct storage_params *params, struct storage **out, struct err *err)
{
    static const uint8_t no_secret[CHAIN_KEY_BYTES];
    if (params->n_volumes == 0 || params->n_volumes > STORAGE_MAX_VOLUMES)
        return err_text(err, ERR_INVALID, "between 1 and %d volumes are needed, not %zu",
                        STORAGE_MAX_VOLUMES, params->n_volumes);
    struct storage *s = xcalloc(1, sizeof *s);
    s->catalogue = params->catalogue;
    s->clock = params->clock != NULL ? params->clock : clock_system();
    s->retention_days = params->retention_days > 0 ? params->retention_days : 90;
    s->thin_after_days = params->thin_after_days;
    s->thin_keep = params->thin_keep;
    s->segment_us =
        params->segment_us > 0 ? MIN(params->segment_us, SEGMENT_LIMIT_US / 2) : 600 * US_PER_S;
    s->segment_max_bytes =
        params->segment_max_bytes > 0 ? params->segment_max_bytes : INT64_C(512) << 20;
    s->is_reader = params->is_reader;
    s->is_offline = params->is_offline;
    chain_key_init(&s->chain, params->secret != NULL ? params->secret : no_secret);
    s->is_staggered = params->is_staggered;
    s->status_loop = params->status_loop;
    s->volume_changed = params->volume_changed;
    s->volume_ctx = params->ctx;
    s->source = (struct source){.map = storage__map, .window = storage__window};
    atomic_init(&s->next_n, 1);
    stock__open(s);
    open_volumes(s, params);
    if (!s->is_reader) {
        s->registry = registry_create(watch_volumes, s);
        for (size_t i = 0; i < s->n_volumes; i++)
            volume_start(s->volumes[i]);
        start_keeper(s);
    }
    *out = s;
    return 0;
}

void storage_close(struct storage **sp)
{
    struct storage *s = *sp;
    if (s == NULL)
        return;
    if (!s->is_reader) {
        atomic_store(&s->is_closing, true);
        loop_stop(s->keeper);
        loop_join(s->keeper);
        timer_disarm(&s->retention_tick);
        thinning__stop(s);
        loop_destroy(&s->keeper);
        for (size_t i = 0; i < s->n_volumes; i++)
            volume_stop(s->volumes[i]);
    }
    registry_destroy(&s->registry); /* volumes told it what they did, and it looks at them */
    for (size_t i = 0; i < s->n_volumes; i++)
        volume_destroy(&s->volumes[i]);
    stock__close(s);
    storage__retention_fini(s);
    storage__recovery_fini(s);
    FREE(sp);
}
