/* The pull side: the sample map of a range, from the key frame at or before its start. Windows are
 * window.c's. */
#include <errno.h>

#include "base/str.h"
#include "storage/db_segments.h"
#include "storage/sampler.h"
#include "storage/storage_priv.h"

enum { DEFAULT_MAX_SAMPLES = 400000, MAX_FILES = 1024 };

#define ADJACENT_US INT64_C(1000)

struct builder {
    const struct sample_query *query;
    struct storage *storage;
    struct sample_map *map;
    size_t max_samples;
    int64_t end_us; /* wall clock up to which pictures are listed */
    bool is_first_segment;
    int64_t skip_to_us; /* segments overlap (a clock stepped back): go on at a key frame there */
    bool is_after_gap;
    bool is_full;
};

static bool is_wanted(void *ctx, const struct fmp4_read_sample *s, int64_t wall_us)
{
    struct builder *b = ctx;
    if (wall_us >= b->query->to_us)
        return false;
    if (b->skip_to_us != 0 && (!s->is_video || !s->is_key || wall_us < b->skip_to_us))
        return false;
    b->skip_to_us = 0;
    return s->is_video || b->query->wants_audio;
}

/* In a fragment of several groups, what precedes the wanted key frame is dropped again. */
static void drop_before_key(struct builder *b, int64_t from_us)
{
    struct sample_map *map = b->map;
    size_t key = 0;
    for (size_t i = 0; i < map->n_samples && map->samples[i].wall_us <= from_us; i++)
        if (map->samples[i].is_video && map->samples[i].is_key)
            key = i;
    if (key == 0)
        return;
    map->n_samples -= key;
    memmove(map->samples, map->samples + key, map->n_samples * sizeof *map->samples);
}

static int read_segment(struct builder *b, struct sampler *s, struct err *err)
{
    int64_t from_us = b->query->from_us;
    int rc = b->is_first_segment ? sampler_seek_wall(s, from_us, err) : sampler_next(s, err);
    for (; rc == 1 && s->r.fragment.wall_us < b->query->to_us; rc = sampler_next(s, err)) {
        bool is_searching = b->is_first_segment && s->r.fragment.wall_us <= from_us;
        if (is_searching && sampler_begins_with_key(s))
            b->map->n_samples = 0; /* nothing in front of this key frame is wanted */
        size_t max = is_searching ? DEFAULT_MAX_SAMPLES : b->max_samples;
        s->is_after_hole |= b->is_after_gap;
        b->map->next_us = sampler_add(s, max, is_wanted, b);
        b->is_after_gap = s->is_after_hole; /* nothing was added */
        b->is_full = b->map->next_us != 0;
        if (b->is_full)
            break;
    }
    if (b->is_first_segment)
        drop_before_key(b, from_us);
    return rc < 0 ? rc : 0;
}

/* A file that cannot be read is a gap; the others are still played. */
static int add_segment(struct builder *b, const struct found_segment *f, struct err *err)
{
    struct sample_map *map = b->map;
    if (map->n_files == MAX_FILES) {
        b->is_full = true;
        map->next_us = f->row.id.from_us;
        return 0;
    }
    struct sampler s;
    b->is_after_gap |= map->n_samples > 0 && f->row.id.from_us > b->end_us + ADJACENT_US;
    int rc = sampler_open(&s, b->storage, f, map, err);
    if (rc == 0) {
        b->skip_to_us = f->row.id.from_us < b->end_us - ADJACENT_US ? b->end_us : 0;
        rc = read_segment(b, &s, err);
        b->is_first_segment = b->is_first_segment && map->n_samples == 0;
        b->end_us = MAX(b->end_us, f->row.to_us);
    }
    b->is_after_gap |= rc < 0;
    sampler_close(&s);
    return rc == -ENOMEM ? rc : 0;
}

static int add_gaps(struct builder *b, const char *stream, struct err *err)
{
    const struct sample_query *q = b->query;
    struct recordings rec;
    int64_t to_us = b->is_full ? MIN(q->to_us, b->map->next_us) : q->to_us;
    if (to_us <= q->from_us)
        return 0;
    int rc = storage_recordings(b->storage, q->camera_id, stream, q->from_us, to_us, &rec, err);
    if (rc >= 0 && rec.n_gaps > 0) {
        b->map->gaps = xcalloc(rec.n_gaps, sizeof *b->map->gaps);
        for (size_t i = 0; i < rec.n_gaps; i++) {
            struct sample_gap *g = &b->map->gaps[b->map->n_gaps++];
            *g = (struct sample_gap){.from_us = rec.gaps[i].from_us, .to_us = rec.gaps[i].to_us};
            str_copy(g->cause, sizeof g->cause, rec.gaps[i].cause);
        }
    }
    recordings_fini(&rec);
    return rc;
}

static int search(struct storage *s, const struct sample_query *q, struct found *found,
                  const char **stream, struct err *err)
{
    static const char *const any[] = {"main", "sub"};
    const char *const *names = q->stream != NULL ? &q->stream : any;
    size_t n = q->stream != NULL ? 1 : ARRAY_LEN(any);
    int rc = ERR_NOT_FOUND;
    for (size_t i = 0; i < n && found->n == 0; i++) {
        enum stream_kind kind;
        if (stream_kind_parse(names[i], &kind) < 0)
            return err_text(err, ERR_INVALID, "a stream is main or sub");
        int found_rc = found_search(s, q->camera_id, kind, q->from_us, q->to_us, found, err);
        if (found_rc < 0 && found_rc != ERR_NOT_FOUND)
            return found_rc;
        if (found_rc == 0)
            rc = 0;
        if (i == 0 || found->n > 0)
            *stream = names[i];
    }
    return rc;
}

int storage__map(struct source *source, const struct sample_query *q, struct sample_map **out,
                 struct err *err)
{
    struct storage *s = CONTAINER_OF(source, struct storage, source);
    struct found found = {0};
    const char *stream = "main";
    struct builder b = {.query = q, .storage = s, .is_first_segment = true};
    *out = NULL;
    int rc = search(s, q, &found, &stream, err);
    if (rc < 0) {
        found_fini(&found);
        return rc;
    }
    b.map = xcalloc(1, sizeof *b.map);
    b.max_samples = q->max_samples > 0 ? q->max_samples : DEFAULT_MAX_SAMPLES;
    for (size_t i = 0; i < found.n && rc >= 0 && !b.is_full; i++)
        rc = add_segment(&b, &found.list[i], err);
    if (rc >= 0)
        rc = add_gaps(&b, stream, err);
    found_fini(&found);
    if (rc < 0)
        sample_map_free(&b.map);
    *out = b.map;
    return rc < 0 ? rc : 0;
}
