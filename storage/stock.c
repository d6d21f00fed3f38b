/* The newest stock, made when it is asked for and old: after a hundred times what making it took,
 * so that it costs a hundredth of one thread however often it is asked for. Whoever finds it old
 * makes the next one; others take the old one meanwhile, and wait only for the first of all. */
#include "storage/stock.h"

#include <sys/stat.h>

#include "base/queue.h"
#include "storage/storage_priv.h"
#include "storage/writing.h"

#define STOCK_FRESH_MIN_US (5 * US_PER_S)
#define STOCK_FRESH_MAX_US (60 * US_PER_S)

struct making {
    struct storage *storage;
    struct writing writing;
    struct stock *stock;
};

/* Whether an earlier volume lies in the same file system, whose free space counts once. */
static bool is_shared(const struct storage *s, size_t i, dev_t dev)
{
    struct stat st;
    for (size_t k = 0; k < i; k++)
        if (s->volumes[k]->dirfd >= 0 && fstat(s->volumes[k]->dirfd, &st) == 0 && st.st_dev == dev)
            return true;
    return false;
}

/* A volume that cannot be written to holds nothing more. */
static bool counts(const struct volume *v)
{
    int fault = atomic_load(&v->fault);
    return atomic_load(&v->key) != 0 && (fault == VOLUME_OK || fault == VOLUME_FULL);
}

static int add_volume(struct db *db, struct making *m, size_t i, struct err *err)
{
    struct volume *v = m->storage->volumes[i];
    struct stat st;
    int64_t bytes, free_bytes = 0;
    int rc = counts(v) ? db_stock_of_volume(db, atomic_load(&v->key), &bytes, err) : 0;
    if (rc < 0 || !counts(v))
        return rc;
    for (size_t k = 0; k < m->writing.n; k++)
        if (m->writing.rows[k].volume == atomic_load(&v->key))
            bytes += m->writing.rows[k].bytes;
    if (fstat(v->dirfd, &st) == 0 && !is_shared(m->storage, i, st.st_dev))
        free_bytes = atomic_load(&v->free_bytes) - volume_reserve_bytes(v);
    m->stock->capacity_bytes += MAX(bytes + free_bytes, 0);
    return 0;
}

static int job_make(struct db *db, void *ctx, struct err *err)
{
    struct making *m = ctx;
    int rc = writing_drop_settled(&m->writing, db, err);
    struct stock_query q = {.writing = &m->writing,
                            .now_us = clock_wall_us(m->storage->clock),
                            .thin_after_days = m->storage->thin_after_days};
    if (rc == 0)
        rc = db_stock_load(db, &q, &m->stock, err);
    for (size_t i = 0; i < m->storage->n_volumes && rc == 0; i++)
        rc = add_volume(db, m, i, err);
    return rc;
}

void stock__open(struct storage *s)
{
    s->stock_cell = queue_create(&(struct queue_params){.max_entries = 1});
    struct stock *none = xcalloc(1, sizeof *none);
    refcount_init(&none->refs);
    atomic_store(&s->is_stock_old, true);
    queue_push(s->stock_cell, none, 0, NULL);
}

void stock__close(struct storage *s)
{
    struct stock *stock = s->stock_cell != NULL ? queue_pop(s->stock_cell) : NULL;
    stock_unref(&stock);
    queue_destroy(&s->stock_cell);
}

static bool is_old(struct storage *s, const struct stock *stock)
{
    return stock->as_of_us == 0 || atomic_load(&s->is_stock_old) ||
           clock_mono_us(s->clock) - stock->as_of_mono_us > stock->serves_us;
}

/* NULL with err when the catalogue cannot be read: the next one tries again. */
static struct stock *make(struct storage *s, struct err *err)
{
    struct making m = {.storage = s};
    int64_t mono_us = clock_mono_us(s->clock);
    atomic_store(&s->is_stock_old, false);
    writing_ask(s, &m.writing);
    int rc = catalogue_read(s->catalogue, job_make, &m, err);
    writing_fini(&m.writing);
    if (rc < 0) {
        atomic_store(&s->is_stock_old, true);
        stock_unref(&m.stock);
        return NULL;
    }
    m.stock->as_of_mono_us = mono_us;
    m.stock->serves_us =
        CLAMP(100 * (clock_mono_us(s->clock) - mono_us), STOCK_FRESH_MIN_US, STOCK_FRESH_MAX_US);
    return m.stock;
}

struct stock *storage_stock(struct storage *s, struct err *err)
{
    struct stock *stock = queue_wait(s->stock_cell);
    bool is_first = stock->as_of_us == 0;
    if (!is_old(s, stock) || (!is_first && atomic_exchange(&s->is_stock_made, true))) {
        struct stock *mine = stock_ref(stock);
        queue_push(s->stock_cell, stock, 0, NULL);
        return mine;
    }
    if (!is_first) /* the others take this one meanwhile */
        queue_push(s->stock_cell, stock, 0, NULL);
    struct stock *made = make(s, err);
    if (!is_first)
        stock = queue_wait(s->stock_cell);
    if (made != NULL) {
        stock_unref(&stock);
        stock = stock_ref(made);
    }
    queue_push(s->stock_cell, stock, 0, NULL);
    if (!is_first)
        atomic_store(&s->is_stock_made, false);
    return made;
}

void storage_holds_changed(struct storage *s)
{
    atomic_store(&s->is_stock_old, true);
    atomic_fetch_add(&s->n_hold_changes, 1);
}
