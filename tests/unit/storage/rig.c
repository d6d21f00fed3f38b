#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>

#include "base/buf.h"
#include "base/log.h"
#include "media/hub.h"
#include "storage/db.h"
#include "storage/db_segments.h"
#include "storage/repair.h"

/* --- the disk --- */

static struct rig_io *disk_of(const struct volume_io *io)
{
    return CONTAINER_OF(io, struct rig_io, io);
}

static int rig_create(const struct volume_io *io, int dirfd, const char *path)
{
    struct rig_io *d = disk_of(io);
    atomic_fetch_add(&d->n_creates, 1);
    int error = atomic_load(&d->create_error);
    return error < 0 ? error : volume_io_system()->create(io, dirfd, path);
}

static int rig_write(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    struct rig_io *d = disk_of(io);
    atomic_fetch_add(&d->n_writes, 1);
    while (atomic_load(&d->is_stuck)) {
        struct timespec ms = {.tv_nsec = 1000000};
        nanosleep(&ms, NULL);
    }
    int error = atomic_load(&d->write_error);
    if (error < 0) { /* half of it arrives */
        iov[0].iov_len /= 2;
        volume_io_system()->write(io, fd, iov, 1, at);
        return error;
    }
    return volume_io_system()->write(io, fd, iov, n, at);
}

static int rig_cut(const struct volume_io *io, int fd, uint64_t size_bytes)
{
    int error = atomic_load(&disk_of(io)->cut_error);
    return error < 0 ? error : volume_io_system()->cut(io, fd, size_bytes);
}

static int rig_sync(const struct volume_io *io, int dirfd)
{
    struct rig_io *d = disk_of(io);
    atomic_fetch_add(&d->n_syncs, 1);
    int error = atomic_load(&d->sync_error);
    return error < 0 || !d->is_sync_real ? error : volume_io_system()->sync(io, dirfd);
}

static int64_t used_bytes(int dirfd)
{
    char path[64];
    char *paths[] = {path, NULL};
    int64_t sum = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d/.", dirfd);
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;)
        sum += e->fts_info == FTS_F ? e->fts_statp->st_size : 0;
    if (tree != NULL)
        fts_close(tree);
    return sum;
}

static int rig_space(const struct volume_io *io, int dirfd, int64_t *total, int64_t *free_bytes)
{
    struct rig_io *d = disk_of(io);
    int64_t capacity = atomic_load(&d->capacity);
    if (capacity < 0)
        return volume_io_system()->space(io, dirfd, total, free_bytes);
    *total = capacity;
    *free_bytes = MAX(capacity - used_bytes(dirfd), 0);
    return 0;
}

/* --- life --- */

int rig_setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    log_set_level(LOG_ERROR);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rk-storage-XXXXXX");
    if (mkdtemp(rig->dir) == NULL)
        return -1;
    rig->disk.io = (struct volume_io){.create = rig_create,
                                      .write = rig_write,
                                      .cut = rig_cut,
                                      .sync = rig_sync,
                                      .space = rig_space};
    atomic_store(&rig->disk.capacity, -1);
    clock_virtual_init(&rig->clock, RIG_START_US);
    rig->volumes[0].path = xasprintf("%s/rec", rig->dir);
    rig->params = (struct storage_params){.clock = &rig->clock.clock,
                                          .volumes = rig->volumes,
                                          .n_volumes = 1,
                                          .sync_interval_us = 10000,
                                          .io = &rig->disk.io};
    rig->loop = loop_create(NULL);
    rig->format = rig_format(0);
    int rc = format_create_audio(CODEC_PCMA, 8000, 1, NULL, 0, &rig->audio);
    rig->wall_us = RIG_START_US;
    *state = rig;
    return rc;
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    char cmd[128];
    if (rig->recorder != NULL)
        rig_stop(rig);
    rig_close(rig);
    format_unref(&rig->format);
    format_unref(&rig->audio);
    loop_destroy(&rig->loop);
    for (size_t i = 0; i < ARRAY_LEN(rig->volumes); i++)
        free((char *)rig->volumes[i].path);
    snprintf(cmd, sizeof cmd, "rm -rf %s", rig->dir);
    int rc = system(cmd);
    free(rig);
    return rc;
}

void rig_open(struct rig *rig)
{
    struct err err = {0};
    if (catalogue_open(rig->dir, &rig->clock.clock, &rig->catalogue, &err) < 0)
        fail_msg("%s", err.msg);
    rig->params.catalogue = rig->catalogue;
    if (storage_open(&rig->params, &rig->storage, &err) < 0)
        fail_msg("%s", err.msg);
}

void rig_close(struct rig *rig)
{
    storage_close(&rig->storage);
    catalogue_close(&rig->catalogue);
}

/* --- the camera --- */

void rig_reopen(struct rig *rig)
{
    rig_close(rig);
    rig_open(rig);
}

void rig_shell(const struct rig *rig, const char *fmt, ...)
{
    char command[700];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    char *there = xasprintf("cd %s && %s", rig->dir, command);
    assert_int_equal(system(there), 0);
    free(there);
}

static int job_sql(struct db *db, void *ctx, struct err *err)
{
    return db_exec(db, ctx, err);
}

void rig_sql(struct rig *rig, const char *sql)
{
    struct err err = {0};
    if (catalogue_write(rig->catalogue, job_sql, (void *)sql, &err) < 0)
        fail_msg("%s", err.msg);
}

struct format *rig_format(uint8_t flavour)
{
    const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, flavour};
    const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct format *f = NULL;
    int rc =
        format_create_video(CODEC_H264, (struct nal_span){0}, (struct nal_span){sps, sizeof sps},
                            (struct nal_span){pps, sizeof pps}, &f);
    assert_int_equal(rc, 0);
    return f;
}

static void on_status(void *ctx, const struct recorder_status *st)
{
    struct rig *rig = ctx;
    rig->status = *st;
}

static void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    rig->n_gone++;
}

void rig_record(struct rig *rig, const char *camera_id)
{
    rig->hub = hub_create(rig->loop, camera_id, "main", NULL);
    hub_set_up(rig->hub, true);
    rig_start_recorder(rig);
}

void rig_start_recorder(struct rig *rig)
{
    rig->n_gone = 0;
    rig->recorder = recorder_start(rig->storage, &(struct recorder_params){.hub = rig->hub,
                                                                           .status_loop = rig->loop,
                                                                           .status = on_status,
                                                                           .gone = on_gone,
                                                                           .ctx = rig});
}

static bool is_gone(struct rig *rig)
{
    return rig->n_gone > 0;
}

void rig_stop(struct rig *rig)
{
    recorder_stop(rig->recorder);
    rig_wait(rig, is_gone);
    assert_int_equal(rig->n_gone, 1);
    rig->recorder = NULL;
    hub_close(rig->hub);
    loop_turn(rig->loop, false);
    hub_unref(&rig->hub);
}

void rig_record_some(struct rig *rig)
{
    rig->params.segment_us = 4 * US_PER_S;
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 400, 25);
    rig_stop(rig);
}

static const char picture_mark[8] = "RIGMARK!";

void rig_fill(uint8_t *data, size_t n, int64_t number)
{
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)(number * 31 + (int64_t)i * 7 + (int64_t)(i >> 8) + 1);
    memcpy(data, &number, sizeof number);
    if (n >= 16)
        memcpy(data + 8, picture_mark, sizeof picture_mark);
}

int64_t rig_number_of(const uint8_t *data, size_t n)
{
    int64_t number = -1;
    uint8_t want[8192];
    if (n < 16 || n > sizeof want)
        return -1;
    memcpy(&number, data, sizeof number);
    rig_fill(want, n, number);
    return memcmp(data, want, n) == 0 ? number : -1;
}

void rig_each_number(const uint8_t *data, size_t n, void (*fn)(void *ctx, int64_t number),
                     void *ctx)
{
    int64_t number;
    const uint8_t *end = data + n;
    for (const uint8_t *p = data; p < end; p += sizeof picture_mark) {
        p = memmem(p, (size_t)(end - p), picture_mark, sizeof picture_mark);
        if (p == NULL)
            return;
        memcpy(&number, p - sizeof number, sizeof number);
        fn(ctx, number);
    }
}

static struct packet *make_packet(struct rig *rig, size_t size)
{
    struct packet *pkt = packet_create(size);
    rig_fill(pkt->data, size, rig->next_number);
    pkt->size = size;
    rig->next_number++;
    return pkt;
}

void rig_picture(struct rig *rig, bool is_key)
{
    size_t size = rig->picture_bytes > 0 ? rig->picture_bytes : is_key ? 4000 : 1000;
    struct packet *pkt = make_packet(rig, size);
    pkt->format = format_ref(rig->format);
    pkt->is_video = true;
    pkt->is_key = is_key;
    pkt->dts = pkt->pts = rig->ticks;
    pkt->wall_us = rig->wall_us;
    pkt->arrival_mono_us = rig->mono_us;
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
    rig->ticks += 3600;
    rig->wall_us += RIG_FRAME_US;
    rig->mono_us += RIG_FRAME_US;
    atomic_store(&rig->clock.now_wall_us, rig->wall_us);
}

void rig_pause(struct rig *rig, int64_t us, bool is_media_time_going_on)
{
    rig->wall_us += us;
    rig->mono_us += us;
    rig->ticks += is_media_time_going_on ? us * 9 / 100 : 0;
}

void rig_outage(struct rig *rig, int64_t us)
{
    hub_set_up(rig->hub, false);
    rig->wall_us += us;
    hub_set_up(rig->hub, true);
}

void rig_pictures(struct rig *rig, size_t n, size_t group)
{
    for (size_t i = 0; i < n; i++)
        rig_picture(rig, i % group == 0);
}

void rig_sound(struct rig *rig, int64_t ticks, int64_t wall_us)
{
    struct packet *pkt = make_packet(rig, 160);
    pkt->format = format_ref(rig->audio);
    pkt->dts = pkt->pts = ticks;
    pkt->wall_us = wall_us;
    hub_publish(rig->hub, pkt);
    packet_unref(&pkt);
}

/* --- waiting --- */

static void on_wake(void *ctx)
{
    (void)ctx;
}

#define WAIT_MAX_US (60 * US_PER_S) /* a busy machine's disk */

void rig_wait(struct rig *rig, rig_condition *condition)
{
    struct timer wake = {0};
    int64_t until_us = clock_mono_us(clock_system()) + WAIT_MAX_US;
    timer_init(&wake, rig->loop, on_wake, NULL);
    while (!condition(rig)) {
        if (clock_mono_us(clock_system()) > until_us)
            fail_msg("waited in vain");
        timer_arm_ms(&wake, 2);
        loop_turn(rig->loop, true);
    }
    timer_disarm(&wake);
}

bool rig_is_recording(struct rig *rig)
{
    return rig->status.is_recording;
}

bool rig_is_written(struct rig *rig)
{
    for (size_t i = 0; i < rig->params.n_volumes; i++)
        if (atomic_load(&rig->storage->volumes[i]->queued_bytes) != 0)
            return false;
    return true;
}

/* --- looking --- */

void rig_recordings(struct rig *rig, struct recordings *out)
{
    struct err err = {0};
    int rc = storage_recordings(rig->storage, "cam", "main", RIG_START_US - 60 * US_PER_S,
                                RIG_START_US + 3600 * US_PER_S, out, &err);
    if (rc < 0)
        fail_msg("%s", err.msg);
}

struct row_list {
    struct segment_row *rows;
    size_t n, cap;
};

static int add_row(void *ctx, const struct segment_row *row)
{
    struct row_list *l = ctx;
    if (l->n < l->cap)
        l->rows[l->n] = *row;
    l->n++;
    return 0;
}

static int job_rows(struct db *db, void *ctx, struct err *err)
{
    struct segment_row after = {0};
    return db_segments_page(db, &after, 10000, add_row, ctx, err);
}

static int job_unsettled(struct db *db, void *ctx, struct err *err)
{
    return db_segments_unsettled(db, add_row, ctx, err);
}

size_t rig_rows(struct rig *rig, struct segment_row *out, size_t cap)
{
    struct row_list l = {.rows = out, .cap = cap};
    assert_true(catalogue_read(rig->catalogue, job_rows, &l, NULL) >= 0);
    return l.n;
}

size_t rig_unsettled(struct rig *rig)
{
    struct row_list l = {0};
    assert_true(catalogue_read(rig->catalogue, job_unsettled, &l, NULL) >= 0);
    return l.n;
}

char *rig_file(const struct rig *rig, const struct segment_row *row, char dst[RIG_PATH_BYTES])
{
    char path[SEGMENT_PATH_BYTES];
    snprintf(dst, RIG_PATH_BYTES, "%s/rec/%s", rig->dir, segment_path(&row->id, path));
    return dst;
}

static int64_t oldest_of(const struct segment_row *rows, size_t n)
{
    int64_t oldest_us = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        oldest_us = MIN(oldest_us, rows[i].id.from_us);
    return oldest_us;
}

static size_t count_files(struct rig *rig)
{
    char cmd[160], text[32] = "";
    snprintf(cmd, sizeof cmd, "find %s -name '*.mp4' | wc -l", rig->dir);
    FILE *f = popen(cmd, "r");
    assert_non_null(fgets(text, sizeof text, f));
    pclose(f);
    return (size_t)strtol(text, NULL, 10);
}

static int job_totals(struct db *db, void *ctx, struct err *err)
{
    return db_segment_totals(db, ctx, err);
}

static void print_problem(void *ctx, const char *path, const char *what)
{
    (void)ctx;
    print_error("%s: %s\n", path, what);
}

int64_t rig_check(struct rig *rig)
{
    struct segment_row rows[256], seen;
    size_t n = rig_rows(rig, rows, ARRAY_LEN(rows));
    int64_t frames = 0;
    assert_true(n <= ARRAY_LEN(rows));
    assert_int_equal(rig_unsettled(rig), 0);
    assert_int_equal(count_files(rig), n);
    struct segment_totals totals = {0};
    assert_int_equal(catalogue_read(rig->catalogue, job_totals, &totals, NULL), 0);
    assert_int_equal(totals.n, n);
    assert_int_equal(totals.oldest_us, n > 0 ? oldest_of(rows, n) : 0);
    for (size_t i = 0; i < n; i++) {
        char path[SEGMENT_PATH_BYTES];
        struct err err = {0};
        struct volume *v = storage__volume(rig->storage, rows[i].volume);
        assert_non_null(v);
        seen = rows[i];
        if (inspect_segment(v->dirfd, segment_path(&rows[i].id, path), true, &seen, &err) < 0)
            fail_msg("%s: %s", path, err.msg);
        assert_int_equal(seen.frames, rows[i].frames);
        assert_int_equal(seen.bytes, rows[i].bytes);
        assert_int_equal(seen.to_us, rows[i].to_us);
        assert_int_equal(seen.holes.n, rows[i].holes.n);
        for (size_t k = 0; k < seen.holes.n; k++) {
            assert_int_equal(seen.holes.list[k].from_us, rows[i].holes.list[k].from_us);
            assert_int_equal(seen.holes.list[k].to_us, rows[i].holes.list[k].to_us);
        }
        assert_int_equal(seen.lost_packets, rows[i].lost_packets);
        assert_true(rows[i].to_us > rows[i].id.from_us);
        frames += rows[i].frames;
        totals.bytes -= rows[i].bytes;
    }
    assert_int_equal(totals.bytes, 0);
    struct index_report report;
    assert_int_equal(storage_index_check(rig->storage, true, print_problem, NULL, &report, NULL),
                     0);
    assert_int_equal(report.n_changed, 0);
    return frames;
}

void rig_check_one_span(struct rig *rig, int64_t frames)
{
    struct recordings rec;
    rig_recordings(rig, &rec);
    assert_int_equal(rec.n_spans, 1);
    assert_int_equal(rec.spans[0].from_us, RIG_START_US);
    assert_int_equal(rec.spans[0].to_us, RIG_START_US + frames * RIG_FRAME_US);
    assert_int_equal(rec.spans[0].frames, frames);
    recordings_fini(&rec);
}
