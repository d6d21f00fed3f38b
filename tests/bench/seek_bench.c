/* How long from "show me this moment" to the first byte of a picture: a camera is recorded as the
 * server does it, into many files, and a reader goes to random moments of it. Run by ./seek. */
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "media/hub.h"
#include "media/reader.h"
#include "storage/db.h"
#include "storage/storage_priv.h"

#define START_US      INT64_C(1790000000000000)
#define FRAME_US      INT64_C(40000)
#define GROUP         50
#define QUEUE_BYTES   (8 << 20)
#define KEY_BYTES     60000 /* with 49 of the others: 2 Mbit/s */
#define PICTURE_BYTES 8980

struct bench {
    struct clock_virtual clock;
    struct catalogue *catalogue;
    struct storage *storage;
    struct loop *loop;
    char dir[256];
    bool is_gone;
    int64_t end_us;
    int64_t n_rows;
};

static void check(int rc, const struct err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "seek_bench: %s\n", err->msg);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void wait_ms(void)
{
    struct timespec ms = {.tv_nsec = 1000000};
    nanosleep(&ms, NULL);
}

/* --- recording --- */

static void on_gone(void *ctx)
{
    ((struct bench *)ctx)->is_gone = true;
}

static void on_status(void *ctx, const struct recorder_status *st)
{
    (void)ctx, (void)st;
}

static struct format *make_format(void)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0x88};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct format *f = NULL;
    struct err err = {.msg = "format"};
    check(format_create_video(CODEC_H264, (struct nal_span){0}, (struct nal_span){sps, sizeof sps},
                              (struct nal_span){pps, sizeof pps}, &f),
          &err);
    return f;
}

static void record(struct bench *b, int64_t n_pictures)
{
    struct format *format = make_format();
    struct hub *hub = hub_create(b->loop, "cam", "main", NULL);
    hub_set_up(hub, true);
    struct recorder *recorder = recorder_start(
        b->storage,
        &(struct recorder_params){
            .hub = hub, .status_loop = b->loop, .status = on_status, .gone = on_gone, .ctx = b});
    for (int64_t i = 0; i < n_pictures; i++) {
        struct packet *pkt = packet_create(i % GROUP == 0 ? KEY_BYTES : PICTURE_BYTES);
        pkt->size = pkt->capacity;
        memset(pkt->data, (int)(i & 0xff), pkt->size);
        pkt->format = format_ref(format);
        pkt->is_video = true;
        pkt->is_key = i % GROUP == 0;
        pkt->dts = pkt->pts = i * 3600;
        pkt->wall_us = START_US + i * FRAME_US;
        pkt->arrival_mono_us = i * FRAME_US;
        atomic_store(&b->clock.now_wall_us, pkt->wall_us);
        hub_publish(hub, pkt);
        packet_unref(&pkt);
        while (atomic_load(&b->storage->volumes[0]->queued_bytes) > QUEUE_BYTES)
            wait_ms();
        loop_turn(b->loop, false);
    }
    b->end_us = START_US + n_pictures * FRAME_US;
    recorder_stop(recorder);
    while (!b->is_gone) {
        loop_turn(b->loop, false);
        wait_ms();
    }
    hub_close(hub);
    loop_turn(b->loop, false);
    hub_unref(&hub);
    format_unref(&format);
}

/* --- other cameras --- */

static int job_rows(struct db *db, void *ctx, struct err *err)
{
    const struct bench *b = ctx;
    /* 90 days of segments of ten minutes each, camera after camera */
    struct stmt *s = db_stmt(db,
                             "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c"
                             " WHERE i + 1 < ?1) INSERT INTO segments(camera, stream, from_us, n,"
                             " to_us, volume, bytes, frames, lost_packets, began, ended)"
                             " SELECT 1000 + i / 12960, 0, ?2 + i % 12960 * 600000000, i,"
                             " ?2 + (i % 12960 + 1) * 600000000, 1, 150000000, 15000, 0, 1, 1"
                             " FROM c",
                             err);
    if (s == NULL)
        return -1;
    stmt_bind_i64(s, 1, b->n_rows);
    stmt_bind_i64(s, 2, START_US);
    return stmt_run(s, err);
}

/* --- seeks --- */

static void forget_cache(const struct bench *b)
{
    char *paths[] = {(char *)b->dir, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;) {
        int fd = e->fts_info == FTS_F ? open(e->fts_path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    if (tree != NULL)
        fts_close(tree);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void print(const char *what, int64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_size);
    printf("| %s | %zu | %.2f | %.2f | %.2f |\n", what, n, (double)ns[n / 2] / 1e6,
           (double)ns[n * 99 / 100] / 1e6, (double)ns[n - 1] / 1e6);
    fflush(stdout);
}

/* A new reader each time, as for a page that seeks; to the bytes of the key frame. */
static int64_t seek_once(const struct bench *b, int64_t at_us, enum reader_pick pick)
{
    struct err err = {0};
    struct reader_item item;
    int64_t began_ns = now_ns();
    struct reader *r = reader_create(&(struct reader_params){
        .source = storage_source(b->storage), .camera_id = "cam", .stream = "main"});
    int rc = reader_seek(r, at_us, pick, &err);
    if (rc == READER_FOUND)
        rc = reader_read(r, &(struct reader_want){0}, &item, &err);
    check(rc, &err);
    int64_t took_ns = now_ns() - began_ns;
    if (rc == READER_FOUND)
        packet_unref(&item.pkt);
    reader_destroy(&r);
    return took_ns;
}

static int64_t random_us(const struct bench *b)
{
    return START_US + (int64_t)(drand48() * (double)(b->end_us - START_US - US_PER_S));
}

static void seeks(const struct bench *b, const char *what, size_t n, bool is_cold,
                  enum reader_pick pick)
{
    int64_t *ns = xcalloc(n, sizeof *ns);
    for (size_t i = 0; i < n; i++) {
        if (is_cold)
            forget_cache(b);
        ns[i] = seek_once(b, random_us(b), pick);
    }
    print(what, ns, n);
    free(ns);
}

static void steps(const struct bench *b, const char *what, size_t n,
                  int (*step)(struct reader *, struct err *))
{
    struct err err = {0};
    int64_t *ns = xcalloc(n, sizeof *ns);
    struct reader *r = reader_create(&(struct reader_params){
        .source = storage_source(b->storage), .camera_id = "cam", .stream = "main"});
    check(reader_seek(r, (START_US + b->end_us) / 2, READER_AT, &err), &err);
    size_t done = 0;
    for (int rc = READER_FOUND; done < n && rc == READER_FOUND; done++) {
        struct packet *pkt = NULL;
        int64_t began_ns = now_ns();
        rc = step(r, &err);
        if (rc == READER_FOUND)
            check(reader_picture(r, &pkt, &err), &err);
        ns[done] = now_ns() - began_ns;
        packet_unref(&pkt);
    }
    print(what, ns, done);
    reader_destroy(&r);
    free(ns);
}

static void open_all(struct bench *b, int64_t segment_us)
{
    char rec[300];
    struct err err = {0};
    snprintf(rec, sizeof rec, "%s/rec", b->dir);
    struct volume_config volume = {.path = rec};
    check(catalogue_open(b->dir, &b->clock.clock, &b->catalogue, &err), &err);
    check(storage_open(&(struct storage_params){.catalogue = b->catalogue,
                                                .clock = &b->clock.clock,
                                                .volumes = &volume,
                                                .n_volumes = 1,
                                                .segment_us = segment_us},
                       &b->storage, &err),
          &err);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("seek_bench DIR FILES SECONDS-PER-FILE SEEKS ROWS\n", stderr);
        return 2;
    }
    struct bench b = {.n_rows = strtoll(argv[5], NULL, 10)};
    int64_t n_files = strtol(argv[2], NULL, 10), seconds = strtol(argv[3], NULL, 10);
    size_t n = strtoul(argv[4], NULL, 10);
    struct err err = {0};
    snprintf(b.dir, sizeof b.dir, "%s", argv[1]);
    log_set_level(LOG_ERROR);
    clock_virtual_init(&b.clock, START_US);
    b.loop = loop_create(NULL);
    open_all(&b, seconds * US_PER_S);
    record(&b, n_files * seconds * US_PER_S / FRAME_US);
    if (b.n_rows > 0)
        check(catalogue_write(b.catalogue, job_rows, &b, &err), &err);
    sync();
    printf("| ms | n | p50 | p99 | max |\n|---|---|---|---|---|\n");
    seeks(&b, "seek to a time, nothing cached", n, true, READER_AT);
    seeks(&b, "the same, cached", n, false, READER_AT);
    seeks(&b, "picture before a time, nothing cached", n, true, READER_BEFORE);
    steps(&b, "a picture forward", 20 * n, reader_next);
    steps(&b, "a picture back", 20 * n, reader_prev);
    steps(&b, "a key frame back", n, reader_prev_key);
    storage_close(&b.storage);
    catalogue_close(&b.catalogue);
    loop_destroy(&b.loop);
    return 0;
}
