#include "storage/writing.h"

#include "storage/found.h"
#include "storage/list.h"

static int in_order(const void *pa, const void *pb)
{
    const struct segment_row *a = pa, *b = pb;
    int order = strcmp(a->id.camera_id, b->id.camera_id);
    if (order == 0)
        order = (int)a->id.stream - (int)b->id.stream;
    if (order == 0)
        order = (a->id.from_us > b->id.from_us) - (a->id.from_us < b->id.from_us);
    return order != 0 ? order : (a->id.n > b->id.n) - (a->id.n < b->id.n);
}

void writing_ask(struct storage *s, struct writing *out)
{
    struct writer **list = NULL;
    size_t n = s->registry != NULL ? registry_find(s->registry, NULL, STREAM_MAIN, &list) : 0;
    *out = (struct writing){0};
    for (size_t i = 0; i < n; i++) {
        struct segment_row row = found_row(list[i]);
        if (row.bytes > 0) {
            out->rows = list_room(out->rows, out->n, sizeof *out->rows);
            out->rows[out->n++] = row;
        }
        writer_unref(&list[i]);
    }
    free(list);
    if (out->n > 0)
        qsort(out->rows, out->n, sizeof *out->rows, in_order);
}

int writing_drop_settled(struct writing *w, struct db *db, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct segment_row settled;
        int rc = db_segment_get(db, &w->rows[i].id, &settled, err);
        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
        if (rc == ERR_NOT_FOUND)
            w->rows[n++] = w->rows[i];
    }
    w->n = n;
    return 0;
}

int64_t writing_bytes(const struct writing *w, const char *camera_id, int64_t from_us,
                      int64_t to_us)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct segment_row *row = &w->rows[i];
        if (row->id.from_us < to_us && row->to_us > from_us &&
            strcmp(row->id.camera_id, camera_id) == 0)
            bytes += row->bytes;
    }
    return bytes;
}

void writing_fini(struct writing *w)
{
    free(w->rows);
    *w = (struct writing){0};
}
