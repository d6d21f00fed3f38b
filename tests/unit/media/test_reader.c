/* The reader over recordings made up by chance: files of groups with and without B-frames, windows
 * of any size. What a real source gives is in tests/unit/storage/test_window.c. */
#include "media_rig.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "media/reader.h"

#define TICKS 3600 /* 40 ms */
#define FILES 4
#define MOST  400 /* pictures of a file */

struct file {
    int64_t from_us;
    struct sample list[MOST]; /* in decoding order */
    size_t n;
    size_t shown[MOST]; /* in the order of presentation */
};

struct model {
    struct source source;
    struct file files[FILES];
    size_t n_files;
    size_t readable; /* of the last file; the rest is not written yet */
    bool is_growing;
    int fd; /* the pictures of all files, 8 bytes each: their number */
    uint64_t seed;
    bool has_sound_in_front;
};

static size_t any(struct model *m, size_t most)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(m->seed >> 33) % most;
}

/* --- files --- */

static void add_picture(struct file *f, size_t number, size_t shown, bool is_key)
{
    int64_t dts = (int64_t)f->n * TICKS, pts = ((int64_t)shown + 1) * TICKS;
    f->shown[shown] = f->n;
    f->list[f->n++] = (struct sample){.wall_us = f->from_us + dts * 100 / 9,
                                      .dts = dts,
                                      .pts_offset = (int32_t)(pts - dts),
                                      .duration = TICKS,
                                      .size = 8,
                                      .offset = 8 * number,
                                      .is_key = is_key,
                                      .is_video = true};
}

/* A key frame, then runs of B-frames that are decoded after the picture shown behind them. */
static void add_group(struct model *m, struct file *f, size_t *number, size_t b_most)
{
    size_t end = f->n + 1 + any(m, 40), at = f->n;
    end = end > MOST ? MOST : end;
    add_picture(f, (*number)++, at++, true);
    while (at < end) {
        size_t n_b = any(m, b_most + 1);
        n_b = at + n_b >= end ? end - at - 1 : n_b;
        add_picture(f, (*number)++, at + n_b, false);
        for (size_t i = 0; i < n_b; i++)
            add_picture(f, (*number)++, at + i, false);
        at += n_b + 1;
    }
}

static int model_window(struct source *source, const struct window_query *q,
                        struct sample_window *out, struct err *err);

static void make(struct model *m, uint64_t seed, size_t b_most)
{
    size_t number = 0;
    *m = (struct model){.source = {.window = model_window}, .n_files = FILES, .seed = seed};
    for (size_t i = 0; i < FILES; i++) {
        struct file *f = &m->files[i];
        /* adjacent, a gap, or the clock was set back */
        int64_t steps[] = {0, 30 * US_PER_S, -3 * US_PER_S};
        int64_t after = i > 0 ? m->files[i - 1].from_us + (int64_t)m->files[i - 1].n * 40000 : 0;
        f->from_us = i > 0 ? after + steps[any(m, 3)] : INT64_C(1790000000) * US_PER_S;
        while (f->n < MOST - 50 && (f->n < 50 || any(m, 8) != 0))
            add_group(m, f, &number, b_most);
    }
    m->readable = m->files[FILES - 1].n;
    m->fd = memfd_create("pictures", MFD_CLOEXEC);
    static uint64_t numbers[FILES * MOST];
    for (uint64_t i = 0; i < number; i++)
        numbers[i] = i;
    assert_int_equal(write(m->fd, numbers, 8 * number), 8 * number);
}

static size_t length(const struct model *m, size_t file)
{
    return file + 1 == m->n_files ? m->readable : m->files[file].n;
}

/* --- the source --- */

static struct format *video(void)
{
    static const char sps[] = SPS_1080, pps[] = PPS_1080;
    struct bytes s = unhex(sps), p = unhex(pps);
    struct format *f = NULL;
    assert_int_equal(
        format_create_video(CODEC_H264, (struct nal_span){0}, span_bytes(&s), span_bytes(&p), &f),
        0);
    return f;
}

static size_t key_at(const struct file *f, size_t i)
{
    while (!f->list[i].is_key)
        i--;
    return i;
}

static void fill(struct model *m, size_t file, size_t from, size_t to, struct sample_window *out)
{
    const struct file *f = &m->files[file];
    struct sample_map *map = xcalloc(1, sizeof *map);
    size_t n = length(m, file), sound = m->has_sound_in_front;
    to = to > n ? n : to;
    map->n_samples = to - from + sound;
    map->samples = xcalloc(map->n_samples, sizeof *map->samples);
    if (sound)
        map->samples[0] = (struct sample){.dts = 1, .size = 8, .offset = 1 << 20, .format = 0};
    memcpy(map->samples + sound, f->list + from, (to - from) * sizeof *map->samples);
    map->files = xcalloc(1, sizeof *map->files);
    map->files[0].fd = dup(m->fd);
    map->n_files = map->n_formats = 1;
    map->formats = xcalloc(1, sizeof(struct format *));
    map->formats[0] = video();
    *out = (struct sample_window){.map = map,
                                  .file_us = f->from_us,
                                  .file_n = (int64_t)file,
                                  .is_whole = to == n && !(m->is_growing && file + 1 == FILES)};
}

static void set_gap(struct sample_window *w, int64_t from_us, int64_t to_us)
{
    if (to_us > from_us)
        w->gap = (struct sample_gap){.from_us = from_us, .to_us = to_us, .cause = "timeout"};
}

static int64_t end_us(const struct file *f)
{
    return f->from_us + (int64_t)f->n * 40000;
}

static void next_window(struct model *m, const struct window_query *q, struct sample_window *out)
{
    size_t file = (size_t)q->place.file_n, last = (size_t)((q->place.dts + TICKS) / TICKS);
    if (last < length(m, file)) {
        size_t from = key_at(&m->files[file], (size_t)(q->keep_dts / TICKS));
        fill(m, file, from, last + 1 + any(m, 20), out);
    } else if (++file < m->n_files && length(m, file) > 0) {
        fill(m, file, 0, 1 + any(m, 20), out);
        set_gap(out, end_us(&m->files[file - 1]), m->files[file].from_us);
    }
}

static void prev_window(struct model *m, const struct window_query *q, struct sample_window *out)
{
    bool is_end = q->place.file_us == INT64_MAX;
    size_t file = is_end ? m->n_files : (size_t)q->place.file_n;
    size_t end = is_end ? 0 : (size_t)(q->place.dts / TICKS);
    if (end == 0 && file == 0)
        return;
    bool is_other = end == 0;
    end = is_other ? length(m, --file) : end;
    size_t from = key_at(&m->files[file], end - 1);
    for (size_t n = any(m, 3); n > 0 && from > 0; n--)
        from = key_at(&m->files[file], from - 1);
    fill(m, file, from, end, out);
    out->is_whole = true;
    if (is_other && !is_end)
        set_gap(out, end_us(&m->files[file]), m->files[file + 1].from_us);
}

static void window_at(struct model *m, const struct window_query *q, struct sample_window *out)
{
    for (size_t i = 0; i < m->n_files; i++) {
        const struct file *f = &m->files[i];
        size_t at = 0;
        if (f->from_us + (int64_t)length(m, i) * 40000 <= q->at_us)
            continue;
        while (at + 1 < length(m, i) && f->list[at + 1].wall_us <= q->at_us)
            at++;
        fill(m, i, key_at(f, at), at + 2 + any(m, 20), out);
        set_gap(out, q->at_us, f->from_us);
        return;
    }
}

static int model_window(struct source *source, const struct window_query *q,
                        struct sample_window *out, struct err *err)
{
    struct model *m = (struct model *)source;
    (void)err;
    if (q->kind == WINDOW_NEXT)
        next_window(m, q, out);
    else if (q->kind == WINDOW_PREV)
        prev_window(m, q, out);
    else
        window_at(m, q, out);
    out->is_growing = m->is_growing;
    return 0;
}

/* --- walks --- */

static uint64_t number_at(struct reader *r)
{
    struct packet *pkt = NULL;
    uint64_t number;
    assert_int_equal(reader_picture(r, &pkt, NULL), 0);
    memcpy(&number, pkt->data, 8);
    packet_unref(&pkt);
    return number;
}

/* Numbers in the order of presentation. */
static size_t all_of(const struct model *m, uint64_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_files; i++)
        for (size_t k = 0; k < m->files[i].n; k++)
            if (m->files[i].shown[k] < length(m, i))
                out[n++] = m->files[i].list[m->files[i].shown[k]].offset / 8;
    return n;
}

static void walk(struct reader *r, const uint64_t *all, size_t n, size_t at, bool is_forward)
{
    int64_t last_us = reader_position(r)->wall_us;
    for (;;) {
        bool is_end = is_forward ? ++at == n : at-- == 0;
        int rc = is_forward ? reader_next(r, NULL) : reader_prev(r, NULL);
        assert_int_equal(rc, is_end ? READER_END : READER_FOUND);
        if (is_end)
            return;
        assert_int_equal(number_at(r), all[at]);
        int64_t us = reader_position(r)->wall_us, step_us = us - last_us;
        bool is_told = reader_position(r)->gap.to_us != 0;
        if (!is_told && (is_forward ? step_us : -step_us) > 0) /* else the clock was set back */
            assert_int_equal(step_us, is_forward ? 40000 : -40000);
        last_us = us;
    }
}

static struct reader *reader_of(struct model *m)
{
    return reader_create(
        &(struct reader_params){.source = &m->source, .camera_id = "cam", .stream = "main"});
}

static void check(uint64_t seed, size_t b_most, bool has_sound_in_front)
{
    struct model *m = xcalloc(1, sizeof *m);
    static uint64_t all[FILES * MOST];
    make(m, seed, b_most);
    m->has_sound_in_front = has_sound_in_front;
    size_t n = all_of(m, all);
    struct reader *r = reader_of(m);
    struct reader_item item;
    int64_t start_us = m->files[0].from_us, stop_us = end_us(&m->files[FILES - 1]);
    assert_int_equal(reader_seek(r, start_us - US_PER_S, READER_AT, NULL), READER_FOUND);
    for (size_t i = 0; i < n; i++) { /* decoding order: as they were made */
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        assert_memory_equal(item.pkt->data, &(uint64_t){i}, 8);
        packet_unref(&item.pkt);
    }
    assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_END);
    for (int i = 0; i < 20; i++) {
        int64_t us = start_us + (int64_t)any(m, (size_t)(stop_us - start_us));
        if (reader_seek(r, us, i % 2 != 0 ? READER_AT : READER_BEFORE, NULL) != READER_FOUND)
            continue;
        size_t at = 0;
        while (all[at] != number_at(r))
            at++;
        walk(r, all, n, at, i % 4 < 2);
        walk(r, all, n, i % 4 < 2 ? n - 1 : 0, i % 4 >= 2);
    }
    reader_destroy(&r);
    close(m->fd);
    free(m);
}

static void gives_every_picture_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++)
        check(seed, 0, seed % 2 == 0);
}

static void gives_b_frames_in_the_order_they_are_shown(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++)
        check(seed, 1 + seed % 3, seed % 2 == 0);
}

/* A picture is not given before all that is shown earlier is there. */
static void waits_for_b_frames_still_to_come(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct model *m = xcalloc(1, sizeof *m);
        static uint64_t all[FILES * MOST];
        make(m, seed, 3);
        size_t n = all_of(m, all), at = 0;
        m->is_growing = true;
        m->readable = 1;
        struct reader *r = reader_of(m);
        assert_int_equal(reader_seek(r, m->files[0].from_us, READER_AT, NULL), READER_FOUND);
        for (;;) {
            int rc = reader_next(r, NULL);
            at += rc == READER_FOUND;
            assert_int_equal(number_at(r), all[at]);
            if (rc == READER_FOUND)
                continue;
            assert_int_equal(rc, m->is_growing ? READER_AGAIN : READER_END);
            if (!m->is_growing)
                break;
            m->is_growing = m->readable < m->files[FILES - 1].n;
            m->readable += m->is_growing;
        }
        assert_int_equal(at, n - 1);
        reader_destroy(&r);
        close(m->fd);
        free(m);
    }
}

static void reads_key_frames_apart(void **state)
{
    (void)state;
    struct model *m = xcalloc(1, sizeof *m);
    make(m, 7, 0);
    struct reader *r = reader_of(m);
    struct reader_item item;
    struct reader_want want = {.only_keys = true, .key_step_us = 2 * US_PER_S};
    assert_int_equal(reader_seek(r, m->files[0].from_us, READER_AT, NULL), READER_FOUND);
    int64_t last_us = 0;
    int n = 0;
    for (; reader_read(r, &want, &item, NULL) == READER_FOUND; n++) {
        assert_true(item.pkt->is_key);
        assert_true(item.pkt->wall_us < last_us || item.pkt->wall_us >= last_us + 2 * US_PER_S);
        last_us = item.pkt->wall_us;
        packet_unref(&item.pkt);
    }
    assert_true(n > 5);

    /* all pictures again: not those that need what was passed over */
    assert_int_equal(reader_seek(r, m->files[0].from_us, READER_AT, NULL), READER_FOUND);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reader_read(r, &want, &item, NULL), READER_FOUND);
        assert_int_equal(item.is_after_skip, i > 0);
        packet_unref(&item.pkt);
    }
    int64_t number = item.place.dts / TICKS;
    want.only_keys = false;
    assert_int_equal(reader_read(r, &want, &item, NULL), READER_FOUND);
    assert_int_equal(item.place.dts / TICKS, number + 1); /* nothing was passed over behind it */
    assert_false(item.is_after_skip);
    packet_unref(&item.pkt);
    assert_int_equal(reader_next_key(r, NULL), READER_FOUND);
    want.only_keys = true;
    want.key_step_us = 3600 * US_PER_S; /* passes over all there is */
    assert_int_equal(reader_read(r, &want, &item, NULL), READER_FOUND);
    packet_unref(&item.pkt);
    m->is_growing = true;
    size_t last = m->files[FILES - 1].n;
    m->readable = last - 2;
    while (reader_read(r, &want, &item, NULL) == READER_FOUND)
        packet_unref(&item.pkt);
    m->readable = last;
    want = (struct reader_want){0};
    while (reader_read(r, &want, &item, NULL) == READER_FOUND) {
        assert_true(item.pkt->is_key && item.is_after_skip);
        packet_unref(&item.pkt);
    }
    reader_destroy(&r);
    close(m->fd);
    free(m);
}

static void goes_on_at_a_key_frame_behind_what_cannot_be_read(void **state)
{
    (void)state;
    struct model *m = xcalloc(1, sizeof *m);
    make(m, 3, 0);
    const struct file *f = &m->files[0];
    size_t broken = 5;
    while (f->list[broken].is_key || f->list[broken + 1].is_key)
        broken++;
    size_t key = broken;
    while (!f->list[key].is_key)
        key++;
    m->files[0].list[broken].offset = 1 << 20; /* behind the end of the file */
    struct reader *r = reader_of(m);
    struct reader_item item;
    assert_int_equal(reader_seek(r, f->from_us, READER_AT, NULL), READER_FOUND);
    for (size_t i = 0; i < key + 5; i = i + 1 == broken ? key : i + 1) {
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        assert_memory_equal(item.pkt->data, &(uint64_t){i}, 8);
        assert_int_equal(item.is_after_skip, i == key);
        packet_unref(&item.pkt);
    }
    reader_destroy(&r);
    close(m->fd);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_every_picture_once),
        cmocka_unit_test(gives_b_frames_in_the_order_they_are_shown),
        cmocka_unit_test(waits_for_b_frames_still_to_come),
        cmocka_unit_test(reads_key_frames_apart),
        cmocka_unit_test(goes_on_at_a_key_frame_behind_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
