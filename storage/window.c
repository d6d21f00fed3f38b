/* The pull side: windows of a recording, file by file in its order. A file that cannot be read is
 * passed over, and what it held is a gap. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "storage/list.h"
#include "storage/sampler.h"
#include "storage/storage_priv.h"

enum { MAX_SAMPLES = 400000, AHEAD = 64, GROUPS_BACK = 3 };

#define ADJACENT_US INT64_C(1000)     /* rounding of clocks to ticks may leave this */
#define JITTER_US   (200 * US_PER_MS) /* between pictures whose files' rows are gone */
#define SLACK_US    US_PER_S          /* a time so little before a picture is at it */
#define EDGE_US     (15 * US_PER_S)   /* the end of a recording so near to now may still grow */

struct loader {
    struct storage *storage;
    const struct window_query *query;
    enum stream_kind stream;
    struct sample_window *out;
    size_t n_pictures;   /* loaded */
    int64_t end_us;      /* wall clock at the end of the newest of them */
    bool is_passed_over; /* what is missing could not be read */
    bool is_recording;
};

/* --- one file --- */

static bool is_wanted(void *ctx, const struct fmp4_read_sample *s, int64_t wall_us)
{
    const struct loader *l = ctx;
    (void)wall_us;
    return s->is_video || l->query->wants_audio;
}

static void add_hole(struct loader *l, int64_t to_us)
{
    struct sample_map *map = l->out->map;
    map->gaps = list_room(map->gaps, map->n_gaps, sizeof *map->gaps);
    struct sample_gap *gap = &map->gaps[map->n_gaps++];
    *gap = (struct sample_gap){.from_us = l->end_us, .to_us = to_us};
    str_copy(gap->cause, sizeof gap->cause, "timeout"); /* as in the index: see gaps.h */
}

/* Adds the fragment; returns how many of its pictures lie behind dts. */
static size_t add_fragment(struct loader *l, struct sampler *s, int64_t dts)
{
    struct sample_map *map = l->out->map;
    size_t from = map->n_samples, n_behind = 0;
    bool is_after_hole = s->is_after_hole;
    if (from == 0)
        l->out->hint = s->r.fragment_at;
    sampler_add(s, SIZE_MAX, is_wanted, l);
    if (is_after_hole && map->n_samples > from)
        add_hole(l, s->r.fragment.wall_us);
    for (size_t i = from; i < map->n_samples; i++) {
        const struct sample *sample = &map->samples[i];
        if (!sample->is_video)
            continue;
        l->n_pictures++;
        n_behind += sample->dts > dts;
        uint32_t timescale = s->r.init.video->timescale;
        l->end_us = sample->wall_us + (int64_t)sample->duration * US_PER_S / timescale;
    }
    return n_behind;
}

/* Takes out the first n samples, with their holes. */
static void drop(struct sample_map *map, size_t n)
{
    size_t n_holes = 0;
    for (size_t i = 0; i < n; i++)
        n_holes += map->samples[i].is_after_gap;
    map->n_samples -= n;
    map->n_gaps -= n_holes;
    if (n > 0)
        memmove(map->samples, map->samples + n, map->n_samples * sizeof *map->samples);
    if (n_holes > 0)
        memmove(map->gaps, map->gaps + n_holes, map->n_gaps * sizeof *map->gaps);
    if (map->n_samples > 0 && map->samples[0].is_after_gap) { /* in front of the window */
        map->samples[0].is_after_gap = false;
        map->n_gaps--;
        memmove(map->gaps, map->gaps + 1, map->n_gaps * sizeof *map->gaps);
    }
}

static bool is_full(const struct loader *l)
{
    return l->out->map->n_samples >= MAX_SAMPLES;
}

static bool has_key(const struct loader *l)
{
    const struct sample_map *map = l->out->map;
    for (size_t i = 0; i < map->n_samples; i++)
        if (map->samples[i].is_video && map->samples[i].is_key)
            return true;
    return false;
}

/* From the newest key frame at or before the time to the first fragment behind it. */
static int read_at(struct loader *l, struct sampler *s, struct err *err)
{
    int64_t at_us = l->query->at_us;
    int rc = sampler_seek_wall(s, at_us, err);
    for (; rc == 1 && !is_full(l); rc = sampler_next(s, err)) {
        bool is_late = s->r.fragment.wall_us > at_us;
        if (!is_late && sampler_begins_with_key(s))
            drop(l->out->map, l->out->map->n_samples);
        add_fragment(l, s, 0);
        if (is_late)
            break;
    }
    l->out->is_whole = rc == 0;
    return rc < 0 ? rc : has_key(l);
}

/* From the group of keep_dts on; as much as that, and more, behind dts. */
static int read_behind(struct loader *l, struct sampler *s, int64_t keep_dts, int64_t dts,
                       uint64_t hint, struct err *err)
{
    size_t n_behind = 0;
    int rc = sampler_seek_dts(s, keep_dts, 0, hint, err);
    for (; rc == 1 && !is_full(l); rc = sampler_next(s, err)) {
        if (sampler_begins_with_key(s) && sampler_first_dts(s) <= keep_dts) {
            drop(l->out->map, l->out->map->n_samples);
            l->n_pictures = 0;
        }
        n_behind += add_fragment(l, s, dts);
        if (n_behind >= AHEAD && n_behind >= l->n_pictures / 2)
            break;
    }
    l->out->is_whole = rc == 0;
    return rc < 0 ? rc : n_behind > 0 && has_key(l);
}

/* Some groups that end in front of dts. */
static int read_before(struct loader *l, struct sampler *s, int64_t dts, struct err *err)
{
    struct sample_map *map = l->out->map;
    struct {
        size_t at;
        uint64_t hint;
    } starts[GROUPS_BACK + 1];
    size_t n = 0;
    int rc = sampler_seek_dts(s, dts - 1, GROUPS_BACK, 0, err);
    for (; rc == 1 && sampler_first_dts(s) < dts; rc = sampler_next(s, err)) {
        if (sampler_begins_with_key(s)) {
            if (n == ARRAY_LEN(starts)) { /* a file without a seek table: from its start */
                size_t cut = starts[1].at;
                drop(map, cut);
                l->out->hint = starts[1].hint;
                memmove(starts, starts + 1, --n * sizeof *starts);
                for (size_t i = 0; i < n; i++)
                    starts[i].at -= cut;
            }
            starts[n].at = map->n_samples;
            starts[n++].hint = s->r.fragment_at;
        }
        if (is_full(l))
            return 0;
        add_fragment(l, s, 0);
    }
    size_t keep = 0;
    while (keep < map->n_samples && (!map->samples[keep].is_video || map->samples[keep].dts < dts))
        keep++;
    map->n_samples = keep;
    l->out->is_whole = true;
    return rc < 0 ? rc : has_key(l);
}

static int read_file(struct loader *l, struct sampler *s, const struct found_segment *f,
                     bool is_own, struct err *err)
{
    const struct window_query *q = l->query;
    uint64_t hint = f->row.id.n == q->place.file_n ? q->place.hint : 0;
    switch (q->kind) {
    case WINDOW_AT:
        return read_at(l, s, err);
    case WINDOW_NEXT:
        if (is_own)
            return read_behind(l, s, q->keep_dts, q->place.dts, hint, err);
        return read_behind(l, s, INT64_MIN, INT64_MIN, 0, err);
    case WINDOW_PREV:
        return read_before(l, s, is_own ? q->place.dts : INT64_MAX, err);
    }
    return ERR_INVALID;
}

/* 1 = the window is filled; 0 = there is nothing in it, or not in what can be read of it. */
static int load(struct loader *l, const struct found_segment *f, bool is_own)
{
    struct sampler s;
    struct sample_window *out = l->out;
    struct err err = {0};
    out->map = xcalloc(1, sizeof *out->map);
    l->n_pictures = 0;
    int rc = sampler_open(&s, l->storage, f, out->map, &err);
    if (rc == 0)
        rc = read_file(l, &s, f, is_own, &err);
    sampler_close(&s);
    if (rc == 1) {
        out->file_us = f->row.id.from_us;
        out->file_n = f->row.id.n;
        out->is_whole = out->is_whole && (!f->is_open || l->query->kind == WINDOW_PREV);
        return 1;
    }
    if (rc < 0)
        log_debug(l->query->camera_id, "passed over: %s", err.msg);
    sample_map_free(&out->map);
    return 0;
}

/* --- gaps --- */

static void add_gap(struct loader *l, int64_t from_us, int64_t to_us)
{
    struct sample_gap *gap = &l->out->gap;
    struct recordings rec;
    int64_t longest_us = 0;
    *gap = (struct sample_gap){.from_us = from_us, .to_us = to_us};
    str_copy(gap->cause, sizeof gap->cause, l->is_passed_over ? "missing" : "unknown");
    if (l->is_passed_over)
        return;
    int rc = storage_recordings(l->storage, l->query->camera_id, l->query->stream, from_us, to_us,
                                &rec, NULL);
    for (size_t i = 0; rc >= 0 && i < rec.n_gaps; i++) {
        if (rec.gaps[i].to_us - rec.gaps[i].from_us <= longest_us)
            continue;
        longest_us = rec.gaps[i].to_us - rec.gaps[i].from_us;
        str_copy(gap->cause, sizeof gap->cause, rec.gaps[i].cause);
    }
    recordings_fini(&rec);
}

/* Where a segment ends: as its row says, unless what can be read of it ends earlier. */
static int64_t end_of(struct loader *l, const struct segment_row *row, int64_t read_to_us)
{
    if (row->to_us - read_to_us < SEGMENT_HOLE_US)
        return MAX(row->to_us, read_to_us);
    l->is_passed_over = true;
    return read_to_us;
}

/* --- from file to file --- */

static int find(struct loader *l, enum found_where where, int64_t from_us, int64_t n,
                struct found_one *out, struct err *err)
{
    int rc = found_one(l->storage, l->query->camera_id, l->stream, where, from_us, n, out, err);
    l->is_passed_over |= out->is_passed_over;
    l->is_recording |= out->is_recording;
    return rc;
}

/* The first file from this one on, or the last in front of it, with something to read. */
static int load_first(struct loader *l, enum found_where where, int64_t from_us, int64_t n,
                      struct found_one *one, struct err *err)
{
    int rc;
    while ((rc = find(l, where, from_us, n, one, err)) == 1) {
        const struct segment_id *id = &one->segment.row.id;
        if (load(l, &one->segment, false) == 1)
            return 1;
        l->is_passed_over = true;
        from_us = id->from_us;
        n = where == FOUND_BEFORE ? id->n : id->n + 1;
        where = where == FOUND_AT ? FOUND_FROM : where;
    }
    return rc;
}

static bool is_recent(const struct loader *l, int64_t end_us)
{
    return end_us > clock_wall_us(l->storage->clock) - EDGE_US;
}

static int window_at(struct loader *l, struct err *err)
{
    struct found_one one;
    int64_t at_us = l->query->at_us;
    int rc = load_first(l, FOUND_AT, at_us, 0, &one, err);
    if (rc == 1) {
        int64_t first_us = l->out->map->samples[0].wall_us;
        if (first_us - at_us > SLACK_US)
            add_gap(l, at_us, first_us);
        return 0;
    }
    if (rc == 0)
        rc = find(l, FOUND_BEFORE, INT64_MAX, INT64_MAX, &one, err);
    l->out->is_growing = l->is_recording || (rc == 1 && is_recent(l, one.segment.row.to_us));
    return rc < 0 ? rc : 0;
}

/* 1: the file of the place is still there, or its thinned twin, in which a picture has the same
 * place but for the number. */
static int find_own(struct loader *l, struct found_one *one, struct err *err)
{
    const struct sample_place *place = &l->query->place;
    const struct segment_id *id = &one->segment.row.id;
    int rc = find(l, FOUND_FROM, place->file_us, place->file_n, one, err);
    if (rc < 0 || (rc == 1 && id->from_us == place->file_us && id->n == place->file_n))
        return rc;
    rc = find(l, FOUND_FROM, place->file_us, 0, one, err);
    return rc == 1 ? id->from_us == place->file_us && one->segment.row.is_thinned : rc;
}

static int window_next(struct loader *l, struct err *err)
{
    const struct sample_place *place = &l->query->place;
    struct found_one one;
    int64_t end_us = place->end_us, slack_us = JITTER_US;
    int rc = find_own(l, &one, err);
    int64_t from_n = rc == 1 ? one.segment.row.id.n + 1 : place->file_n;
    l->is_passed_over = false; /* not between the place and itself */
    if (rc == 1 && load(l, &one.segment, true) == 1)
        return 0;
    if (rc == 1) {
        end_us = end_of(l, &one.segment.row, place->end_us);
        slack_us = ADJACENT_US;
    }
    if (rc >= 0)
        rc = load_first(l, FOUND_FROM, place->file_us, from_n, &one, err);
    if (rc == 1 && one.segment.row.id.from_us - end_us > slack_us)
        add_gap(l, end_us, one.segment.row.id.from_us);
    l->out->is_growing = rc == 0 && (l->is_recording || is_recent(l, end_us));
    return rc < 0 ? rc : 0;
}

static int window_prev(struct loader *l, struct err *err)
{
    const struct sample_place *place = &l->query->place;
    struct found_one one;
    int rc = place->file_us != INT64_MAX ? find_own(l, &one, err) : 0;
    int64_t before_n = rc == 1 ? one.segment.row.id.n : place->file_n;
    if (rc == 1 && load(l, &one.segment, true) == 1)
        return 0;
    l->is_passed_over = false;
    if (rc >= 0)
        rc = load_first(l, FOUND_BEFORE, place->file_us, before_n, &one, err);
    if (rc == 1 && place->wall_us != 0) {
        int64_t end_us = end_of(l, &one.segment.row, l->end_us);
        if (place->wall_us - end_us > ADJACENT_US)
            add_gap(l, end_us, place->wall_us);
    }
    return rc < 0 ? rc : 0;
}

int storage__window(struct source *source, const struct window_query *q, struct sample_window *out,
                    struct err *err)
{
    struct loader l = {
        .storage = CONTAINER_OF(source, struct storage, source), .query = q, .out = out};
    *out = (struct sample_window){0};
    if (stream_kind_parse(q->stream, &l.stream) < 0)
        return err_text(err, ERR_INVALID, "a stream is main or sub");
    switch (q->kind) {
    case WINDOW_AT:
        return window_at(&l, err);
    case WINDOW_NEXT:
        return window_next(&l, err);
    case WINDOW_PREV:
        return window_prev(&l, err);
    }
    return ERR_INVALID;
}
