/* The pull side: sample maps out of segment files, from the key frame at or before the asked start.
 * Only headers are read; the bytes of pictures stay where they are. */
#include <errno.h>
#include <fcntl.h>

#include "base/str.h"
#include "storage/db_segments.h"
#include "storage/found.h"
#include "storage/storage_priv.h"

enum { DEFAULT_MAX_SAMPLES = 400000, MAX_FILES = 1024, MAX_FORMATS = 256 };

#define ADJACENT_US INT64_C(1000)

struct builder {
    const struct sample_query *query;
    struct storage *storage;
    struct sample_map *map;
    size_t cap_samples, cap_files, max_samples;
    int64_t end_us; /* wall clock up to which pictures are listed */
    bool is_first_segment;
    int64_t skip_to_us; /* segments overlap (a clock stepped back): go on at a key frame there */
    bool is_after_gap;
    bool is_full;
};

static void *grow(void *list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    *cap = MAX(64, *cap * 2);
    return xrealloc(list, *cap * size);
}

/* Index of an equal format, added when it is new; UINT16_MAX when there are too many. */
static uint16_t use_format(struct sample_map *map, struct format *f)
{
    for (size_t i = 0; i < map->n_formats; i++)
        if (map->formats[i] == f || format_eq(map->formats[i], f))
            return (uint16_t)i;
    if (map->n_formats == MAX_FORMATS)
        return UINT16_MAX;
    map->formats = xrealloc(map->formats, (map->n_formats + 1) * sizeof(struct format *));
    map->formats[map->n_formats] = format_ref(f);
    return (uint16_t)map->n_formats++;
}

static int64_t ticks_to_us(int64_t ticks, uint32_t timescale)
{
    return ticks / timescale * US_PER_S + ticks % timescale * US_PER_S / timescale;
}

/* A file that has sound without saying so in its head has it in vain. */
static int64_t media_us(const struct segment_reader *r, const struct fmp4_read_sample *s)
{
    const struct format *format = s->is_video ? r->init.video : r->init.audio;
    return format != NULL ? ticks_to_us(s->dts, format->timescale) : 0;
}

/* Wall clock of a sample: the fragment's clock belongs to its first picture. */
static int64_t wall_of(const struct segment_reader *r, const struct fmp4_read_sample *s)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    return f->wall_us + media_us(r, s) - media_us(r, &f->samples[0]);
}

static bool is_wanted(struct builder *b, const struct fmp4_read_sample *s, int64_t wall_us)
{
    if (wall_us >= b->query->to_us)
        return false;
    if (b->skip_to_us != 0 && (!s->is_video || !s->is_key || wall_us < b->skip_to_us))
        return false;
    b->skip_to_us = 0;
    if (!s->is_video)
        return b->query->wants_audio && !b->query->keys_only;
    return s->is_key || !b->query->keys_only;
}

static void add_sample(struct builder *b, const struct segment_reader *r,
                       const struct fmp4_read_sample *s, int64_t wall_us, uint16_t file,
                       uint16_t format)
{
    struct sample_map *map = b->map;
    map->samples = grow(map->samples, map->n_samples, &b->cap_samples, sizeof *map->samples);
    map->samples[map->n_samples++] = (struct sample){.wall_us = wall_us,
                                                     .dts = s->dts,
                                                     .pts_offset = s->pts_offset,
                                                     .duration = s->duration,
                                                     .size = s->size,
                                                     .offset = r->fragment_at + s->offset,
                                                     .file = file,
                                                     .format = format,
                                                     .is_key = s->is_key,
                                                     .is_video = s->is_video,
                                                     .is_after_gap = b->is_after_gap};
    b->is_after_gap = false;
}

/* Samples of a fragment in the order of their times: pictures and sound interleaved. */
static void add_fragment(struct builder *b, const struct segment_reader *r, uint16_t file)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    uint16_t video = use_format(b->map, r->init.video);
    uint16_t audio = r->init.audio != NULL ? use_format(b->map, r->init.audio) : UINT16_MAX;
    size_t n_video = 0, v = 0;
    while (n_video < f->n_samples && f->samples[n_video].is_video)
        n_video++;
    size_t a = n_video;
    while (v < n_video || a < f->n_samples) {
        bool takes_video = a == f->n_samples || (v < n_video && wall_of(r, &f->samples[v]) <=
                                                                    wall_of(r, &f->samples[a]));
        const struct fmp4_read_sample *s = takes_video ? &f->samples[v++] : &f->samples[a++];
        int64_t wall_us = wall_of(r, s);
        uint16_t format = takes_video ? video : audio;
        if (format == UINT16_MAX || !is_wanted(b, s, wall_us))
            continue;
        if (b->map->n_samples >= b->max_samples) {
            b->is_full = true;
            b->map->next_us = wall_us;
            return;
        }
        add_sample(b, r, s, wall_us, file, format);
    }
}

/* --- finding the place --- */

/* Pictures before the newest key frame at or before `from` are not wanted; if there is no key frame
 * in front, the segment is read from its start. */
static bool starts_with_key_at_or_before(const struct segment_reader *r, int64_t from_us)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    return f->n_samples > 0 && f->samples[0].is_video && f->samples[0].is_key &&
           f->wall_us <= from_us;
}

/* By the seek table of a finished file: to the last entry that surely is not too late. */
static void seek_by_table(struct segment_reader *r, const struct fmp4_seek_entry *seeks, size_t n,
                          const struct segment_row *row, int64_t from_us)
{
    int64_t into_us = from_us - row->id.from_us;
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ticks_to_us((int64_t)seeks[mid].time, r->init.video->timescale) <= into_us)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* media time and wall clock part by a little: one entry back, then forward by the clocks */
    size_t i = lo > 2 ? lo - 2 : 0;
    if (n > 0)
        segment_reader_seek(r, seeks[i].offset);
}

/* Leaves the reader in front of the fragment to begin with. */
static int find_start(struct segment_reader *r, int fd, const struct found_segment *f,
                      int64_t from_us, struct err *err)
{
    struct fmp4_seek_entry *seeks = NULL;
    size_t n_seeks = 0;
    if (!f->is_open &&
        segment_read_end(fd, (uint64_t)f->row.bytes, NULL, &seeks, &n_seeks, NULL) > 0)
        seek_by_table(r, seeks, n_seeks, &f->row, from_us);
    free(seeks);
    uint64_t start_at = r->next_at;
    int rc;
    while ((rc = segment_reader_next(r, err)) == 1) {
        if (r->fragment.wall_us > from_us)
            break;
        if (starts_with_key_at_or_before(r, from_us))
            start_at = r->fragment_at;
    }
    r->next_at = start_at;
    return rc < 0 ? rc : 0;
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

/* --- files --- */

static int open_file(struct builder *b, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    const struct volume *v = storage__volume(b->storage, row->volume);
    if (v == NULL)
        return -ENODEV;
    int fd = openat(v->dirfd, segment_path(&row->id, path), O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The pictures of the fragment read last ended earlier than those of this one begin: the source
 * stood still between. *end_us: media time; INT64_MIN = there is none yet. */
static void note_hole(struct builder *b, const struct segment_reader *r, int64_t *end_us)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    const struct fmp4_read_sample *first = &f->samples[0];
    if (!first->is_video)
        return;
    int64_t ticks = first->dts;
    b->is_after_gap |= *end_us != INT64_MIN && media_us(r, first) - *end_us > SEGMENT_HOLE_US;
    for (size_t i = 0; i < f->n_samples && f->samples[i].is_video; i++)
        ticks += f->samples[i].duration;
    *end_us = ticks_to_us(ticks, r->init.video->timescale);
}

static int read_segment(struct builder *b, int fd, const struct found_segment *f, uint16_t file,
                        struct err *err)
{
    struct segment_reader r;
    int64_t from_us = b->query->from_us, end_us = INT64_MIN;
    int rc = segment_reader_init(&r, fd, (uint64_t)f->row.bytes, err);
    if (rc >= 0 && b->is_first_segment)
        rc = find_start(&r, fd, f, from_us, err);
    while (rc >= 0 && !b->is_full && (rc = segment_reader_next(&r, err)) == 1) {
        if (r.fragment.n_samples == 0 || r.fragment.wall_us == 0)
            continue;
        if (r.fragment.wall_us >= b->query->to_us)
            break;
        note_hole(b, &r, &end_us);
        add_fragment(b, &r, file);
    }
    if (b->is_first_segment)
        drop_before_key(b, from_us);
    segment_reader_fini(&r);
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
    int fd = open_file(b, &f->row);
    if (fd < 0) {
        b->is_after_gap = true;
        return 0;
    }
    b->is_after_gap |= map->n_samples > 0 && f->row.id.from_us > b->end_us + ADJACENT_US;
    b->skip_to_us = f->row.id.from_us < b->end_us - ADJACENT_US ? b->end_us : 0;
    map->files = grow(map->files, map->n_files, &b->cap_files, sizeof *map->files);
    map->files[map->n_files] = (struct sample_file){.fd = fd};
    uint16_t file = (uint16_t)map->n_files++;
    int rc = read_segment(b, fd, f, file, err);
    b->is_first_segment = b->is_first_segment && map->n_samples == 0;
    b->end_us = MAX(b->end_us, f->row.to_us);
    return rc == ERR_PARSE ? 0 : rc;
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
