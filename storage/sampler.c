#include "storage/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/list.h"

enum { MAX_FORMATS = 256 };

/* A file that has sound without saying so in its head has it in vain. */
static int64_t media_us(const struct sampler *s, const struct fmp4_read_sample *sample)
{
    const struct format *format = sample->is_video ? s->r.init.video : s->r.init.audio;
    return format != NULL ? us_of_ticks(sample->dts, format->timescale) : 0;
}

/* Wall clock of a sample: the fragment's clock belongs to its first. */
static int64_t wall_us_of(const struct sampler *s, const struct fmp4_read_sample *sample)
{
    const struct fmp4_read_fragment *f = &s->r.fragment;
    return f->wall_us + media_us(s, sample) - media_us(s, &f->samples[0]);
}

/* --- the file --- */

/* Index of an equal format, added when it is new; UINT16_MAX when there are too many, or none. */
static uint16_t use_format(struct sample_map *map, struct format *f)
{
    if (f == NULL)
        return UINT16_MAX;
    for (size_t i = 0; i < map->n_formats; i++)
        if (map->formats[i] == f || format_eq(map->formats[i], f))
            return (uint16_t)i;
    if (map->n_formats == MAX_FORMATS)
        return UINT16_MAX;
    map->formats = list_room(map->formats, map->n_formats, sizeof(struct format *));
    map->formats[map->n_formats] = format_ref(f);
    return (uint16_t)map->n_formats++;
}

static int open_file(const struct storage *storage, const struct segment_row *row)
{
    char path[SEGMENT_PATH_BYTES];
    const struct volume *v = storage__volume(storage, row->volume);
    if (v == NULL)
        return -ENODEV;
    int fd = openat(v->dirfd, segment_path(&row->id, path), O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int sampler_open(struct sampler *s, struct storage *storage, const struct found_segment *f,
                 struct sample_map *map, struct err *err)
{
    *s = (struct sampler){.map = map, .from_us = f->row.id.from_us, .end_us = INT64_MIN};
    int fd = open_file(storage, &f->row);
    if (fd < 0)
        return err_set(err, fd, "open a segment of camera %s", f->row.id.camera_id);
    struct stat st; /* cut off: what is left of it */
    uint64_t bytes = fstat(fd, &st) == 0 ? (uint64_t)MIN(st.st_size, f->row.bytes) : 0;
    int rc = segment_reader_init(&s->r, fd, bytes, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    if (!f->is_open)
        segment_read_end(fd, bytes, NULL, &s->seeks, &s->n_seeks, NULL);
    s->video = use_format(map, s->r.init.video);
    s->audio = use_format(map, s->r.init.audio);
    map->files = list_room(map->files, map->n_files, sizeof *map->files);
    map->files[map->n_files] = (struct sample_file){.fd = fd};
    s->file = (uint16_t)map->n_files++;
    return 0;
}

void sampler_close(struct sampler *s)
{
    segment_reader_fini(&s->r);
    FREE(&s->seeks);
}

/* --- finding the place --- */

/* Entries of the seek table whose time is not later. */
static size_t entries_until(const struct sampler *s, int64_t dts)
{
    size_t lo = 0, hi = s->n_seeks;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if ((int64_t)s->seeks[mid].time <= dts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int read_entry(struct sampler *s, size_t i, struct err *err)
{
    s->end_us = INT64_MIN;
    segment_reader_seek(&s->r, s->seeks[i].offset);
    return sampler_next(s, err);
}

/* Where in the file the time is by the seek table, if the clocks agree up to this drift. */
static size_t entry_at(const struct sampler *s, int64_t wall_us, int64_t drift_us)
{
    uint32_t timescale = s->r.init.video->timescale;
    int64_t into_us = MAX(wall_us - s->from_us - drift_us, 0);
    int64_t ticks = into_us / US_PER_S * timescale + into_us % US_PER_S * timescale / US_PER_S;
    size_t n = entries_until(s, ticks);
    return n > 0 ? n - 1 : 0;
}

/* Media time and wall clock part by a little, in a long file by seconds: a look at the fragment
 * tells by how much there. */
int sampler_seek_wall(struct sampler *s, int64_t wall_us, struct err *err)
{
    if (s->n_seeks == 0)
        return sampler_next(s, err);
    size_t i = entry_at(s, wall_us, 0);
    int rc = read_entry(s, i, err);
    if (rc != 1)
        return rc;
    uint32_t timescale = s->r.init.video->timescale;
    int64_t media = us_of_ticks((int64_t)s->seeks[i].time, timescale);
    size_t nearer = entry_at(s, wall_us, s->r.fragment.wall_us - s->from_us - media);
    if (nearer != i) {
        i = nearer;
        rc = read_entry(s, i, err);
    }
    while (rc == 1 && i > 0 && s->r.fragment.wall_us > wall_us)
        rc = read_entry(s, --i, err);
    return rc;
}

int sampler_seek_dts(struct sampler *s, int64_t dts, size_t back, uint64_t hint, struct err *err)
{
    size_t n = entries_until(s, dts);
    if (n > 0)
        return read_entry(s, n > back ? n - 1 - back : 0, err);
    if (hint > s->r.next_at) {
        uint64_t first_at = s->r.next_at;
        s->r.next_at = hint;
        if (sampler_next(s, err) == 1 && sampler_begins_with_key(s) && sampler_first_dts(s) <= dts)
            return 1;
        s->r.next_at = first_at;
        s->end_us = INT64_MIN;
    }
    return sampler_next(s, err);
}

/* --- fragments --- */

bool sampler_begins_with_key(const struct sampler *s)
{
    return s->r.fragment.samples[0].is_video && s->r.fragment.samples[0].is_key;
}

int64_t sampler_first_dts(const struct sampler *s)
{
    const struct fmp4_read_sample *first = &s->r.fragment.samples[0];
    return first->is_video ? first->dts : INT64_MIN;
}

/* Where the pictures read last ended earlier than those of this fragment begin, the source stood
 * still between. */
static void note_hole(struct sampler *s)
{
    const struct fmp4_read_fragment *f = &s->r.fragment;
    const struct fmp4_read_sample *first = &f->samples[0];
    s->is_after_hole = false;
    if (!first->is_video)
        return;
    int64_t ticks = first->dts;
    s->is_after_hole = s->end_us != INT64_MIN && media_us(s, first) - s->end_us > SEGMENT_HOLE_US;
    for (size_t i = 0; i < f->n_samples && f->samples[i].is_video; i++)
        ticks += f->samples[i].duration;
    s->end_us = us_of_ticks(ticks, s->r.init.video->timescale);
}

int sampler_next(struct sampler *s, struct err *err)
{
    int rc;
    do
        rc = segment_reader_next(&s->r, err);
    while (rc == 1 && (s->r.fragment.n_samples == 0 || s->r.fragment.wall_us == 0));
    if (rc == 1)
        note_hole(s);
    return rc;
}

int64_t sampler_add(struct sampler *s, size_t max, sampler_wants_fn *is_wanted, void *ctx)
{
    const struct fmp4_read_fragment *f = &s->r.fragment;
    struct sample_map *map = s->map;
    size_t n_video = 0, v = 0;
    while (n_video < f->n_samples && f->samples[n_video].is_video)
        n_video++;
    size_t a = n_video;
    while (v < n_video || a < f->n_samples) {
        bool takes_video = a == f->n_samples || (v < n_video && wall_us_of(s, &f->samples[v]) <=
                                                                    wall_us_of(s, &f->samples[a]));
        const struct fmp4_read_sample *sample = &f->samples[takes_video ? v++ : a++];
        int64_t wall_us = wall_us_of(s, sample);
        uint16_t format = takes_video ? s->video : s->audio;
        if (format == UINT16_MAX || (is_wanted != NULL && !is_wanted(ctx, sample, wall_us)))
            continue;
        if (map->n_samples >= max)
            return wall_us;
        map->samples = list_room(map->samples, map->n_samples, sizeof *map->samples);
        map->samples[map->n_samples++] =
            (struct sample){.wall_us = wall_us,
                            .dts = sample->dts,
                            .pts_offset = sample->pts_offset,
                            .duration = sample->duration,
                            .size = sample->size,
                            .offset = s->r.fragment_at + sample->offset,
                            .file = s->file,
                            .format = format,
                            .is_key = sample->is_key,
                            .is_video = sample->is_video,
                            .is_after_gap = s->is_after_hole};
        s->is_after_hole = false;
    }
    return 0;
}
