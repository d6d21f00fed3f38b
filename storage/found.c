#include "storage/found.h"

#include "base/str.h"
#include "storage/list.h"

struct search {
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us;
    struct found *out;
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

/* Asked before the catalogue: a segment that is settled in between is found in both, not in none.
 */
static void search_open(struct storage *s, struct search *q)
{
    struct writer **list = NULL;
    size_t n = s->registry != NULL ? registry_find(s->registry, q->camera_id, q->stream, &list) : 0;
    for (size_t i = 0; i < n; i++) {
        struct writer *w = list[i];
        struct segment_row row = {.id = w->id, .is_recorded = false};
        row.bytes = (int64_t)atomic_load(&w->readable_bytes);
        row.to_us = atomic_load(&w->readable_us);
        row.holes.n = atomic_load(&w->n_readable_holes);
        memcpy(row.holes.list, w->readable_holes, row.holes.n * sizeof row.holes.list[0]);
        row.frames = atomic_load(&w->readable_frames);
        row.lost_packets = atomic_load(&w->readable_lost);
        row.volume = atomic_load(&w->volume->key);
        if (row.bytes > 0 && row.id.from_us < q->to_us && row.to_us > q->from_us)
            *add(q->out) = (struct found_segment){.row = row, .is_open = true};
        writer_unref(&list[i]);
    }
    free(list);
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
    struct search q = {
        .camera_id = camera_id, .stream = stream, .from_us = from_us, .to_us = to_us, .out = out};
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

void found_fini(struct found *f)
{
    free(f->list);
    *f = (struct found){0};
}
