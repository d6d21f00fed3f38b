#include "storage/found.h"

#include "base/str.h"
#include "storage/list.h"

struct search {
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us;
    struct found *out;
    int64_t read_mono_us; /* not 0: somebody is going to read what is found */
};

static struct found_segment *add(struct found *f)
{
    f->list = list_room(f->list, f->n, sizeof *f->list);
    return &f->list[f->n++];
}

static int add_row(void *ctx, const struct segment_row *row)
{
    struct search *q = ctx;
    *add(q->out) = (struct found_segment){.row = *row};
    return 0;
}

static int job_search(struct db *db, void *ctx, struct err *err)
{
    struct search *q = ctx;
    return db_segments_in(db, q->camera_id, q->stream, q->from_us, q->to_us, add_row, q, err);
}

struct segment_row found_row(struct writer *w)
{
    struct segment_row row = {.id = w->id, .is_recorded = false};
    row.bytes = (int64_t)atomic_load(&w->readable_bytes);
    row.to_us = atomic_load(&w->readable_us);
    row.holes.n = atomic_load(&w->n_readable_holes);
    memcpy(row.holes.list, w->readable_holes, row.holes.n * sizeof row.holes.list[0]);
    row.frames = atomic_load(&w->readable_frames);
    row.lost_packets = atomic_load(&w->readable_lost);
    row.volume = atomic_load(&w->volume->key);
    if (atomic_load(&w->is_failed))
        row.ended = SEGMENT_DISK;
    return row;
}

/* Asked before the catalogue: a segment that is settled in between is found in both, not in none.
 * True: there is one, though nothing of it may be readable yet. */
static bool search_open(struct storage *s, struct search *q)
{
    struct writer **list = NULL;
    size_t n = s->registry != NULL ? registry_find(s->registry, q->camera_id, q->stream, &list) : 0;
    for (size_t i = 0; i < n; i++) {
        struct writer *w = list[i];
        struct segment_row row = found_row(w);
        if (row.bytes > 0 && row.id.from_us < q->to_us && row.to_us > q->from_us) {
            *add(q->out) = (struct found_segment){.row = row, .is_open = true};
            if (q->read_mono_us != 0) /* what is being written stays in memory for a while */
                atomic_store(&w->read_mono_us, q->read_mono_us);
        }
        writer_unref(&list[i]);
    }
    free(list);
    return n > 0;
}

size_t storage_open_spans(struct storage *s, const char *camera_id, const char *stream,
                          struct uptime_span **out)
{
    enum stream_kind kind;
    struct found found = {0};
    *out = NULL;
    if (stream_kind_parse(stream, &kind) < 0)
        return 0;
    struct search q = {.camera_id = camera_id,
                       .stream = kind,
                       .from_us = INT64_MIN,
                       .to_us = INT64_MAX,
                       .out = &found};
    search_open(s, &q);
    size_t n = 0;
    for (size_t i = 0; i < found.n; i++)
        n += found.list[i].row.holes.n + 1;
    *out = xcalloc(n + 1, sizeof **out);
    n = 0;
    for (size_t i = 0; i < found.n; i++) {
        for (size_t k = 0; k <= found.list[i].row.holes.n; k++) {
            struct segment_hole piece = segment_row_piece(&found.list[i].row, k);
            (*out)[n++] = (struct uptime_span){piece.from_us, piece.to_us};
        }
    }
    free(found.list);
    return n;
}

static int in_order(const void *pa, const void *pb)
{
    const struct found_segment *a = pa, *b = pb;
    if (a->row.id.from_us != b->row.id.from_us)
        return a->row.id.from_us < b->row.id.from_us ? -1 : 1;
    if (a->row.id.n != b->row.id.n)
        return a->row.id.n < b->row.id.n ? -1 : 1;
    return a->is_open - b->is_open; /* the finished one first */
}

static void drop_doubles(struct found *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (n > 0 && f->list[n - 1].row.id.from_us == f->list[i].row.id.from_us &&
            f->list[n - 1].row.id.n == f->list[i].row.id.n)
            continue;
        f->list[n++] = f->list[i];
    }
    f->n = n;
}

int found_search(struct storage *s, const char *camera_id, enum stream_kind stream, int64_t from_us,
                 int64_t to_us, struct found *out, struct err *err)
{
    struct search q = {.camera_id = camera_id,
                       .stream = stream,
                       .from_us = from_us,
                       .to_us = to_us,
                       .out = out,
                       .read_mono_us = clock_mono_us(s->clock)};
    search_open(s, &q);
    int rc = catalogue_read(s->catalogue, job_search, &q, err);
    if (rc == ERR_NOT_FOUND && out->n > 0)
        rc = 0;
    if (rc < 0)
        return rc;
    if (out->n > 0)
        qsort(out->list, out->n, sizeof *out->list, in_order);
    drop_doubles(out);
    return 0;
}

/* --- one segment --- */

struct one_search {
    struct storage *storage;
    const char *camera_id;
    enum stream_kind stream;
    enum found_where where;
    int64_t from_us, n;
    struct found_one *out;
    bool has_one;
};

static int compare(const struct segment_row *row, int64_t from_us, int64_t n)
{
    if (row->id.from_us != from_us)
        return row->id.from_us < from_us ? -1 : 1;
    return row->id.n < n ? -1 : row->id.n > n;
}

/* Rows come in the order of the search; the first on a volume that is there is it. */
static int take_row(void *ctx, const struct segment_row *row)
{
    struct one_search *q = ctx;
    if (q->where == FOUND_AT && row->to_us <= q->from_us)
        return 0;
    if (storage__volume(q->storage, row->volume) == NULL) {
        q->out->is_passed_over = true;
        return 0;
    }
    q->out->segment = (struct found_segment){.row = *row};
    q->has_one = true;
    return ERR_EOF; /* enough */
}

static int job_one(struct db *db, void *ctx, struct err *err)
{
    struct one_search *q = ctx;
    int rc;
    if (q->where == FOUND_BEFORE)
        rc = db_segments_before(db, q->camera_id, q->stream, q->from_us, q->n, take_row, q, err);
    else
        rc = db_segments_from(db, q->camera_id, q->stream,
                              q->where == FOUND_AT ? q->from_us - SEGMENT_LIMIT_US : q->from_us,
                              q->n, take_row, q, err);
    return rc == ERR_EOF ? 0 : rc;
}

/* Whether this one, being written, is what is looked for, and comes first. */
static bool is_better(const struct one_search *q, const struct segment_row *row)
{
    const struct segment_row *best = &q->out->segment.row;
    if (q->where == FOUND_AT && row->to_us <= q->from_us)
        return false;
    if (q->where != FOUND_AT && (compare(row, q->from_us, q->n) < 0) != (q->where == FOUND_BEFORE))
        return false;
    int order = q->has_one ? compare(row, best->id.from_us, best->id.n) : 0;
    return !q->has_one || (q->where == FOUND_BEFORE ? order > 0 : order < 0);
}

int found_one(struct storage *s, const char *camera_id, enum stream_kind stream,
              enum found_where where, int64_t from_us, int64_t n, struct found_one *out,
              struct err *err)
{
    struct found open = {0};
    *out = (struct found_one){0};
    struct one_search q = {.storage = s,
                           .camera_id = camera_id,
                           .stream = stream,
                           .where = where,
                           .from_us = from_us,
                           .n = where == FOUND_AT ? INT64_MIN : n,
                           .out = out};
    struct search all = {.camera_id = camera_id,
                         .stream = stream,
                         .from_us = INT64_MIN,
                         .to_us = INT64_MAX,
                         .out = &open};
    out->is_recording = search_open(s, &all);
    int rc = catalogue_read(s->catalogue, job_one, &q, err);
    if (rc == ERR_NOT_FOUND && out->is_recording)
        rc = 0;
    for (size_t i = 0; i < open.n && rc == 0; i++) {
        if (!is_better(&q, &open.list[i].row))
            continue;
        out->segment = open.list[i];
        q.has_one = true;
    }
    found_fini(&open);
    return rc < 0 ? rc : q.has_one;
}

void found_fini(struct found *f)
{
    free(f->list);
    *f = (struct found){0};
}
