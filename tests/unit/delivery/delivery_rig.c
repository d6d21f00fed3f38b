#include "delivery_rig.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* avcC of a High profile 160x120 stream */
/* clang-format off */
static const uint8_t config[] = {
    0x01, 0x64, 0x00, 0x0a, 0xff, 0xe1, 0x00, 0x19, 0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x42,
    0x84, 0x7e, 0x5c, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x05, 0x03, 0xc4,
    0x89, 0x65, 0x80, 0x01, 0x00, 0x05, 0x68, 0xef, 0x82, 0x1c, 0xb0, 0xfd, 0xf8, 0xf8, 0x00,
};
/* clang-format on */

#define MARK_AT      (sizeof config - 5) /* the last byte of the PPS */
#define SPS_LEVEL_AT 11

int rig_mark(const struct format *f)
{
    return f->config[MARK_AT];
}

void rig_clock_init(struct rig_clock *c)
{
    clock_virtual_init(&c->clock, RIG_START_US);
    c->loop = loop_create(&(struct loop_params){.clock = &c->clock.clock});
}

void rig_clock_fini(struct rig_clock *c)
{
    rig_settle(c);
    loop_destroy(&c->loop);
}

void rig_settle(struct rig_clock *c)
{
    for (int i = 0; i < 4; i++)
        loop_advance(c->loop, &c->clock, 0);
}

void rig_advance_ms(struct rig_clock *c, int64_t ms)
{
    loop_advance(c->loop, &c->clock, ms * US_PER_MS);
}

static struct format *make_video(int mark, uint8_t level)
{
    struct format *f;
    uint8_t bytes[sizeof config];
    memcpy(bytes, config, sizeof config);
    bytes[MARK_AT] = (uint8_t)mark;
    bytes[3] = bytes[SPS_LEVEL_AT] = level;
    assert_int_equal(format_create_config(CODEC_H264, bytes, sizeof bytes, 0, 0, 0, 0, &f), 0);
    return f;
}

struct format *rig_video(int mark)
{
    return make_video(mark, config[3]);
}

struct format *rig_higher_video(int mark)
{
    return make_video(mark, config[3] + 1);
}

struct format *rig_audio(void)
{
    struct format *f;
    static const uint8_t lc_48k_mono[] = {0x11, 0x88};
    assert_int_equal(format_create_audio(CODEC_AAC, 48000, 1, lc_48k_mono, 2, &f), 0);
    return f;
}

static void number(struct packet *pkt, int64_t i)
{
    for (size_t k = 0; k < 8 && k < pkt->size; k++)
        pkt->data[k] = (uint8_t)(i >> (8 * k));
}

struct packet *rig_picture(struct format *format, int64_t i, size_t size)
{
    struct packet *pkt = packet_create(size);
    memset(pkt->data, (int)(i & 0xff), size);
    pkt->size = size;
    number(pkt, i);
    pkt->format = format_ref(format);
    pkt->is_video = true;
    pkt->is_key = i % RIG_GOP == 0;
    pkt->dts = pkt->pts = i * 90000 / RIG_FPS;
    pkt->wall_us = rig_time(i);
    return pkt;
}

struct packet *rig_sound(struct format *format, int64_t i)
{
    struct packet *pkt = packet_create(32);
    pkt->size = 32;
    memset(pkt->data, 0x55, 32);
    number(pkt, i);
    pkt->format = format_ref(format);
    pkt->dts = pkt->pts = i * 1024;
    pkt->wall_us = RIG_START_US + i * 1024 * US_PER_S / 48000;
    return pkt;
}

/* --- recordings --- */

struct builder {
    struct rig_source *s;
    const struct sample_query *q;
    struct sample_map *map;
    size_t cap, max;
    bool is_cut;
};

static void add(struct builder *b, const struct sample *s)
{
    struct sample_map *m = b->map;
    if (b->is_cut)
        return;
    if (m->n_samples == b->max) {
        b->is_cut = true;
        m->next_us = s->wall_us;
        return;
    }
    if (m->n_samples == b->cap) {
        b->cap = MAX(b->cap * 2, (size_t)64);
        m->samples = xrealloc(m->samples, b->cap * sizeof *m->samples);
    }
    m->samples[m->n_samples++] = *s;
}

/* All pictures of a run stand at picture_bytes apart, then its sound, 32 bytes each. */
static int run_fd(const struct rig_source *s, struct rig_run *run, struct format *video)
{
    if (run->fd == 0) {
        run->fd = memfd_create("run", MFD_CLOEXEC);
        assert_true(run->fd > 0);
        run->written_to = run->from;
    }
    struct buf bytes;
    buf_init(&bytes, 0);
    for (; run->written_to < run->to; run->written_to++) {
        struct packet *pkt = rig_picture(video, run->written_to, s->picture_bytes);
        buf_append(&bytes, pkt->data, pkt->size);
        packet_unref(&pkt);
        if (bytes.len > 1 << 20 || run->written_to + 1 == run->to) {
            assert_int_equal(write(run->fd, bytes.data, bytes.len), bytes.len);
            buf_clear(&bytes);
        }
    }
    buf_fini(&bytes);
    return fcntl(run->fd, F_DUPFD_CLOEXEC, 0);
}

static int64_t first_sound(const struct rig_run *run)
{
    return (run->from * 4800 + 1023) / 1024;
}

static int64_t sounds_before(int64_t picture)
{
    return (picture * 4800 + 1023) / 1024;
}

/* Sound k of a run stands anywhere but where a picture or other sound begins. */
static uint64_t sound_at(int64_t k)
{
    return (uint64_t)(k / 63 * 64 + 1 + k % 63);
}

static void add_group(struct builder *b, const struct rig_run *run, int64_t key, uint16_t file)
{
    struct rig_source *s = b->s;
    int64_t end = MIN(key + RIG_GOP, run->to);
    for (int64_t i = key; i < end && rig_time(i) < b->q->to_us; i++) {
        if (i >= run->hole_from && i < run->hole_to)
            continue;
        add(b, &(struct sample){.wall_us = rig_time(i),
                                .dts = (i - run->from) * 9000,
                                .duration = 9000,
                                .size = (uint32_t)s->picture_bytes,
                                .offset = (uint64_t)(i - run->from) * s->picture_bytes,
                                .file = file,
                                .format = (uint16_t)(2 * file),
                                .is_key = i == key || s->all_keys,
                                .is_video = true,
                                .is_after_gap =
                                    i == run->from && run != s->runs && !run->sound_first});
    }
    if (run->early_sound && key == run->from && b->q->wants_audio)
        add(b, &(struct sample){.wall_us = rig_time(run->early_sound),
                                .dts = (run->early_sound - run->from) * 4800,
                                .duration = 1024,
                                .size = 8,
                                .file = file,
                                .format = (uint16_t)(2 * file + 1)});
    for (int64_t i = sounds_before(key);
         run->has_audio && b->q->wants_audio && i < sounds_before(end); i++) {
        int64_t wall_us = RIG_START_US + i * 1024 * US_PER_S / 48000;
        bool is_in_hole = wall_us >= rig_time(run->hole_from) && wall_us < rig_time(run->hole_to);
        if (wall_us < b->q->to_us && !is_in_hole)
            add(b, &(struct sample){.wall_us = wall_us,
                                    .dts = (i - first_sound(run)) * 1024,
                                    .duration = 1024,
                                    .size = 8,
                                    .offset = sound_at(i - first_sound(run)),
                                    .file = file,
                                    .format = (uint16_t)(2 * file + 1)});
    }
}

/* Groups of the run from `first` to before `end`. */
static void add_file(struct builder *b, struct rig_run *run, int64_t first, int64_t end)
{
    struct sample_map *m = b->map;
    uint16_t file = (uint16_t)m->n_files;
    m->files = xrealloc(m->files, (m->n_files + 1) * sizeof *m->files);
    m->formats = xrealloc(m->formats, (2 * m->n_files + 2) * sizeof(struct format *));
    m->formats[2 * file] = rig_video(run->mark);
    m->formats[2 * file + 1] = rig_audio();
    m->files[m->n_files++].fd = run_fd(b->s, run, m->formats[2 * file]);
    m->n_formats = 2 * m->n_files;
    if (run->sound_first && first == run->from)
        add(b, &(struct sample){.wall_us = rig_time(first) - 1000,
                                .dts = 0,
                                .duration = 1024,
                                .size = 8,
                                .file = file,
                                .format = (uint16_t)(2 * file + 1),
                                .is_after_gap = true});
    for (int64_t key = first; key < end; key += RIG_GOP)
        add_group(b, run, key, file);
}

static void add_run(struct builder *b, struct rig_run *run)
{
    const struct sample_query *q = b->q;
    if (rig_time(run->from) >= q->to_us)
        return;
    int64_t first = run->from;
    while (first + RIG_GOP < run->to && rig_time(first + RIG_GOP) <= q->from_us)
        first += RIG_GOP;
    add_file(b, run, first, run->to);
}

static void add_gaps(struct builder *b)
{
    struct sample_map *m = b->map;
    m->gaps = xcalloc(b->s->n_runs, sizeof *m->gaps);
    for (size_t i = 1; i < b->s->n_runs; i++) {
        struct sample_gap gap = {.from_us = rig_time(b->s->runs[i - 1].to),
                                 .to_us = rig_time(b->s->runs[i].from)};
        str_copy(gap.cause, sizeof gap.cause, "timeout");
        if (gap.to_us > b->q->from_us && gap.from_us < b->q->to_us)
            m->gaps[m->n_gaps++] = gap;
    }
}

static int map_runs(struct source *source, const struct sample_query *q, struct sample_map **out,
                    struct err *err)
{
    struct rig_source *s = CONTAINER_OF(source, struct rig_source, source);
    s->n_calls++;
    if (s->fails_with < 0)
        return err_set(err, s->fails_with, "map");
    size_t max = q->max_samples ? q->max_samples : 400000;
    struct builder b = {.s = s, .q = q, .map = xcalloc(1, sizeof *b.map)};
    b.max = s->cut_after ? MIN(max, s->cut_after) : max;
    for (size_t i = 0; i < s->n_runs; i++)
        if (rig_time(s->runs[i].to) > q->from_us)
            add_run(&b, &s->runs[i]);
    add_gaps(&b);
    *out = b.map;
    return 0;
}

/* --- windows: of n_groups, one run each --- */

static int64_t key_of(const struct rig_run *run, int64_t picture)
{
    return run->from + (picture - run->from) / RIG_GOP * RIG_GOP;
}

static void fill_window(struct rig_source *s, const struct window_query *q, size_t i, int64_t first,
                        int64_t end, struct sample_window *out)
{
    const struct sample_query all = {.to_us = INT64_MAX, .wants_audio = q->wants_audio};
    struct builder b = {.s = s, .q = &all, .map = xcalloc(1, sizeof *b.map), .max = SIZE_MAX};
    add_file(&b, &s->runs[i], first, MIN(end, s->runs[i].to));
    for (size_t k = 0; k < b.map->n_samples; k++)
        b.map->samples[k].is_after_gap = false;
    *out = (struct sample_window){
        .map = b.map, .file_us = rig_time(s->runs[i].from), .file_n = (int64_t)i, .is_whole = true};
}

static void set_gap(struct sample_window *w, int64_t from_us, int64_t to_us)
{
    if (to_us <= from_us)
        return;
    w->gap = (struct sample_gap){.from_us = from_us, .to_us = to_us};
    str_copy(w->gap.cause, sizeof w->gap.cause, "timeout");
}

static void window_at(struct rig_source *s, const struct window_query *q, struct sample_window *out)
{
    for (size_t i = 0; i < s->n_runs; i++) {
        const struct rig_run *run = &s->runs[i];
        if (rig_time(run->to) <= q->at_us)
            continue;
        int64_t key = run->from;
        while (rig_time(key + RIG_GOP) <= q->at_us)
            key += RIG_GOP;
        fill_window(s, q, i, key, key + s->n_groups * RIG_GOP, out);
        set_gap(out, q->at_us, rig_time(key));
        return;
    }
}

static void window_next(struct rig_source *s, const struct window_query *q,
                        struct sample_window *out)
{
    size_t i = (size_t)q->place.file_n;
    const struct rig_run *run = &s->runs[i];
    int64_t next = run->from + q->place.dts / 9000 + 1;
    if (q->place.dts < 0)
        next = run->from;
    while (next >= run->hole_from && next < run->hole_to)
        next++;
    if (next < run->to) {
        int64_t first = key_of(run, run->from + q->keep_dts / 9000);
        fill_window(s, q, i, first, key_of(run, next) + s->n_groups * RIG_GOP, out);
    } else if (++i < s->n_runs) {
        fill_window(s, q, i, s->runs[i].from, s->runs[i].from + s->n_groups * RIG_GOP, out);
        set_gap(out, rig_time(run->to), rig_time(s->runs[i].from));
    }
}

static void window_prev(struct rig_source *s, const struct window_query *q,
                        struct sample_window *out)
{
    size_t i = q->place.file_us == INT64_MAX ? s->n_runs : (size_t)q->place.file_n;
    int64_t end = i < s->n_runs ? s->runs[i].from + q->place.dts / 9000 : INT64_MIN;
    bool is_inside = i < s->n_runs && end > s->runs[i].from;
    if (!is_inside && i == 0)
        return;
    if (!is_inside)
        end = s->runs[--i].to;
    int64_t first =
        MAX(key_of(&s->runs[i], end - 1) - (s->n_groups - 1) * RIG_GOP, s->runs[i].from);
    fill_window(s, q, i, first, end, out);
    if (!is_inside && i + 1 < s->n_runs)
        set_gap(out, rig_time(end), rig_time(s->runs[i + 1].from));
}

static int window_of_runs(struct source *source, const struct window_query *q,
                          struct sample_window *out, struct err *err)
{
    struct rig_source *s = CONTAINER_OF(source, struct rig_source, source);
    s->n_calls++;
    if (s->fails_with < 0)
        return err_set(err, s->fails_with, "window");
    switch (q->kind) {
    case WINDOW_AT:
        window_at(s, q, out);
        break;
    case WINDOW_NEXT:
        window_next(s, q, out);
        break;
    case WINDOW_PREV:
        window_prev(s, q, out);
        break;
    }
    int64_t end_us = rig_time(s->runs[s->n_runs - 1].to);
    out->is_growing = s->clock && end_us > clock_wall_us(s->clock) - 15 * US_PER_S;
    return 0;
}

void rig_source_init(struct rig_source *s, struct rig_run *runs, size_t n_runs)
{
    *s = (struct rig_source){.source = {map_runs, window_of_runs},
                             .runs = runs,
                             .n_runs = n_runs,
                             .picture_bytes = 64,
                             .n_groups = 4};
}

void rig_source_fini(struct rig_source *s)
{
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i].fd > 0)
            close(s->runs[i].fd);
}
