/* How much is recorded, in all and on every volume. */
#include "storage/db_volumes.h"
#include "storage/storage_priv.h"
#include "storage/writing.h"

struct counting {
    struct storage *storage;
    struct writing writing;
    struct segment_totals *all, *volumes;
};

static void add_writing(struct segment_totals *t, const struct segment_row *row)
{
    t->n++;
    t->bytes += row->bytes;
    if (t->oldest_us == 0 || row->id.from_us < t->oldest_us)
        t->oldest_us = row->id.from_us;
}

static int count_volume(struct db *db, const struct counting *c, size_t i, struct err *err)
{
    const struct volume *v = c->storage->volumes[i];
    int64_t key = atomic_load(&v->key);
    int rc = db_volume_totals(db, key, v->path, &c->volumes[i], err);
    for (size_t k = 0; k < c->writing.n && rc >= 0; k++)
        if (c->writing.rows[k].volume == key)
            add_writing(&c->volumes[i], &c->writing.rows[k]);
    return rc;
}

static int job_count(struct db *db, void *ctx, struct err *err)
{
    struct counting *c = ctx;
    int rc = writing_drop_settled(&c->writing, db, err);
    if (rc >= 0)
        rc = db_segment_totals(db, c->all, err);
    for (size_t k = 0; k < c->writing.n && rc >= 0; k++)
        add_writing(c->all, &c->writing.rows[k]);
    for (size_t i = 0; i < c->storage->n_volumes && rc >= 0; i++)
        rc = count_volume(db, c, i, err);
    return rc;
}

int storage_totals(struct storage *s, struct segment_totals *all, struct segment_totals *volumes,
                   struct err *err)
{
    struct counting c = {.storage = s, .all = all, .volumes = volumes};
    writing_ask(s, &c.writing);
    int rc = catalogue_read(s->catalogue, job_count, &c, err);
    writing_fini(&c.writing);
    return rc < 0 ? rc : 0;
}
