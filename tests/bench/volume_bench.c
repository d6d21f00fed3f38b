/* Writes recordings of N cameras through the real recorder, writer and volume, as fast as the disk
 * takes them or at a pace, and prints what it took as JSON; or writes one file from front to back,
 * as dd does. ./volume runs them by turns.
 *
 * Pictures share their bytes: this measures disks, not memory. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "media/hub.h"
#include "storage/storage_priv.h"

enum { GOP = 25, TICKS = 3600, QUEUE_FULL_BYTES = 128 << 20, MAX_FILES = 2000 };

struct bench {
    const char *dir;
    int n_files;
    int64_t total_bytes;
    int bitrate; /* of each camera, bit/s */
    int pace_s;  /* 0 = flat out */
    int sync_interval_s;
    struct volume_io io;

    struct loop *loop;
    struct catalogue *catalogue;
    struct storage *storage;
    struct hub *hubs[MAX_FILES];
    struct recorder *recorders[MAX_FILES];
    struct packet *key, *delta; /* templates */
    int64_t n_pictures, written_bytes, dirty_max_kb;
    uint64_t lost[MAX_FILES]; /* fragments, of each camera */
    int n_gone;
    struct timer pace;
};

static void die(const char *what)
{
    fprintf(stderr, "volume_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    return (double)clock_mono_us(clock_system()) / 1e6;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int64_t meminfo_kb(const char *name)
{
    char line[128];
    int64_t kb = 0;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtoll(line + strlen(name), NULL, 10);
    if (f != NULL)
        fclose(f);
    return kb;
}

/* --- the yardsticks --- */

/* One file from front to back, then a sync: through memory, or past it (what the disk can do). */
static void write_like_dd(const struct bench *b, int flags)
{
    char path[600];
    size_t block = 4 << 20;
    void *bytes = NULL;
    if (posix_memalign(&bytes, 4096, block) != 0)
        die("memory");
    memset(bytes, 7, block);
    snprintf(path, sizeof path, "%s/dd.bin", b->dir);
    double start_s = now_s(), start_cpu_s = cpu_s();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        die(path);
    for (int64_t at = 0; at < b->total_bytes; at += (int64_t)block)
        if (pwrite(fd, bytes, block, at) != (ssize_t)block)
            die("write");
    if (fdatasync(fd) < 0)
        die("sync");
    printf("{\"seconds\": %.3f, \"mb_per_s\": %.1f, \"cpu_s\": %.3f}\n", now_s() - start_s,
           (double)b->total_bytes / 1e6 / (now_s() - start_s), cpu_s() - start_cpu_s);
    close(fd);
    unlink(path);
    free(bytes);
}

/* --- cameras --- */

static struct packet *make_template(struct format *format, size_t size, bool is_key)
{
    struct packet *pkt = packet_create(size);
    memset(pkt->data, 3, size);
    pkt->size = size;
    pkt->format = format_ref(format);
    pkt->is_video = true;
    pkt->is_key = is_key;
    return pkt;
}

static struct format *make_format(void)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0x00};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct format *f = NULL;
    if (format_create_video(CODEC_H264, (struct nal_span){0}, (struct nal_span){sps, sizeof sps},
                            (struct nal_span){pps, sizeof pps}, &f) < 0)
        die("format");
    return f;
}

static struct packet *copy_of(const struct packet *from)
{
    struct packet *pkt = packet_create(from->size);
    memcpy(pkt->data, from->data, from->size);
    pkt->size = from->size;
    pkt->format = format_ref(from->format);
    pkt->is_video = true;
    pkt->is_key = from->is_key;
    return pkt;
}

/* One picture of every camera. */
static void publish_all(struct bench *b, int64_t wall_us)
{
    struct packet *pkt = copy_of(b->n_pictures % GOP == 0 ? b->key : b->delta);
    pkt->dts = pkt->pts = b->n_pictures * TICKS;
    pkt->wall_us = wall_us + b->n_pictures * 40000;
    pkt->arrival_mono_us = b->n_pictures * 40000 + 1;
    for (int i = 0; i < b->n_files; i++)
        hub_publish(b->hubs[i], pkt);
    b->n_pictures++;
    b->written_bytes += (int64_t)pkt->size * b->n_files;
    packet_unref(&pkt);
}

static void on_gone(void *ctx)
{
    struct bench *b = ctx;
    b->n_gone++;
}

static void on_status(void *ctx, const struct recorder_status *st)
{
    struct bench *b = ctx;
    b->lost[strtol(st->camera_id + 4, NULL, 10)] = st->n_lost_fragments;
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static void turn(struct bench *b, int ms)
{
    timer_arm_ms(&b->pace, ms);
    loop_turn(b->loop, true);
}

static void begin(struct bench *b)
{
    struct err err = {0};
    struct volume_config volume = {.path = xasprintf("%s/rec", b->dir), .reserve_bytes = 1 << 30};
    char *data_dir = xasprintf("%s/data", b->dir);
    struct format *format = make_format();
    size_t gop_bytes = (size_t)b->bitrate / 8;
    b->key = make_template(format, gop_bytes / 5, true);
    b->delta = make_template(format, gop_bytes * 4 / 5 / (GOP - 1), false);
    b->loop = loop_create(NULL);
    timer_init(&b->pace, b->loop, on_nothing, NULL);
    if (catalogue_open(data_dir, clock_system(), &b->catalogue, &err) < 0)
        die(err.msg);
    struct storage_params params = {.catalogue = b->catalogue,
                                    .volumes = &volume,
                                    .n_volumes = 1,
                                    .is_staggered = true,
                                    .sync_interval_us = b->sync_interval_s * US_PER_S,
                                    .io = &b->io};
    if (storage_open(&params, &b->storage, &err) < 0)
        die(err.msg);
    for (int i = 0; i < b->n_files; i++) {
        char id[32];
        snprintf(id, sizeof id, "cam-%04d", i);
        b->hubs[i] = hub_create(b->loop, id, "main", NULL);
        hub_set_up(b->hubs[i], true);
        b->recorders[i] =
            recorder_start(b->storage, &(struct recorder_params){.hub = b->hubs[i],
                                                                 .status_loop = b->loop,
                                                                 .status = on_status,
                                                                 .gone = on_gone,
                                                                 .ctx = b});
    }
    format_unref(&format);
    free(data_dir);
    free((char *)volume.path);
}

static void end(struct bench *b)
{
    for (int i = 0; i < b->n_files; i++)
        recorder_stop(b->recorders[i]);
    while (b->n_gone < b->n_files)
        turn(b, 5);
}

static void release(struct bench *b)
{
    for (int i = 0; i < b->n_files; i++) {
        hub_close(b->hubs[i]);
        loop_turn(b->loop, false);
        hub_unref(&b->hubs[i]);
    }
    timer_disarm(&b->pace);
    storage_close(&b->storage);
    catalogue_close(&b->catalogue);
    packet_unref(&b->key);
    packet_unref(&b->delta);
    loop_destroy(&b->loop);
}

/* --- what it looks like on the disk --- */

/* Pieces of a file that do not lie behind one another. */
static int64_t count_pieces(int fd)
{
    enum { AT_ONCE = 256 };
    struct fiemap *map = xcalloc(1, sizeof *map + AT_ONCE * sizeof(struct fiemap_extent));
    int64_t n_pieces = 0;
    uint64_t next_physical = 0;
    for (uint64_t at = 0;;) {
        *map = (struct fiemap){.fm_start = at,
                               .fm_length = FIEMAP_MAX_OFFSET - at,
                               .fm_flags = FIEMAP_FLAG_SYNC,
                               .fm_extent_count = AT_ONCE};
        if (ioctl(fd, FS_IOC_FIEMAP, map) < 0 || map->fm_mapped_extents == 0)
            break;
        for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
            const struct fiemap_extent *e = &map->fm_extents[i];
            n_pieces += e->fe_physical != next_physical;
            next_physical = e->fe_physical + e->fe_length;
            at = e->fe_logical + e->fe_length;
        }
    }
    free(map);
    return n_pieces;
}

static void count_extents(const struct bench *b, int64_t *n_files, int64_t *n_extents)
{
    char *root = xasprintf("%s/rec", b->dir);
    char *paths[] = {root, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;) {
        if (e->fts_info != FTS_F || strstr(e->fts_name, ".mp4") == NULL)
            continue;
        int fd = open(e->fts_path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        *n_files += 1;
        *n_extents += count_pieces(fd);
        close(fd);
    }
    if (tree != NULL)
        fts_close(tree);
    free(root);
}

static void report(struct bench *b, double seconds, double used_cpu_s,
                   const struct volume_status *st, int64_t cached_mb, uint64_t n_lost)
{
    int64_t n_files = 0, n_extents = 0;
    count_extents(b, &n_files, &n_extents);
    printf(
        "{\"seconds\": %.3f, \"mb_per_s\": %.1f, \"cpu_s\": %.3f, \"bytes\": %lld, \"files\": %lld,"
        " \"extents\": %lld, \"dirty_max_mb\": %lld, \"cached_mb\": %lld, \"lost\": %llu,"
        " \"write_ms\": [%.3f, %.3f, %.3f], \"sync_ms\": [%.3f, %.3f, %.3f], \"syncs\": %llu,"
        " \"errors\": %llu}\n",
        seconds, (double)b->written_bytes / 1e6 / seconds, used_cpu_s, (long long)b->written_bytes,
        (long long)n_files, (long long)n_extents, (long long)b->dirty_max_kb >> 10,
        (long long)cached_mb, (unsigned long long)n_lost, (double)st->writes.median_us / 1e3,
        (double)st->writes.p99_us / 1e3, (double)st->writes.max_us / 1e3,
        (double)st->syncs.median_us / 1e3, (double)st->syncs.p99_us / 1e3,
        (double)st->syncs.max_us / 1e3, (unsigned long long)st->syncs.n,
        (unsigned long long)st->n_errors);
}

static void sample_dirty(struct bench *b)
{
    b->dirty_max_kb = MAX(b->dirty_max_kb, meminfo_kb("Dirty:") + meminfo_kb("Writeback:"));
}

/* As fast as the disk takes them: the queue is kept half full. */
static void run_flat_out(struct bench *b, int64_t wall_us)
{
    struct volume *v = b->storage->volumes[0];
    while (b->written_bytes < b->total_bytes) {
        publish_all(b, wall_us);
        if (b->n_pictures % GOP == 0)
            sample_dirty(b);
        while (atomic_load(&v->queued_bytes) > QUEUE_FULL_BYTES)
            turn(b, 1);
    }
}

static void run_paced(struct bench *b, int64_t wall_us)
{
    double start_s = now_s();
    while (b->n_pictures < (int64_t)b->pace_s * GOP) {
        while ((double)b->n_pictures * 0.04 > now_s() - start_s)
            turn(b, 2);
        publish_all(b, wall_us);
        if (b->n_pictures % 5 == 0)
            sample_dirty(b);
    }
}

static void write_like_rookery(struct bench *b)
{
    struct volume_status st;
    int64_t cached_kb = meminfo_kb("Cached:");
    begin(b);
    int64_t wall_us = clock_wall_us(clock_system());
    double start_s = now_s(), start_cpu_s = cpu_s();
    if (b->pace_s > 0)
        run_paced(b, wall_us);
    else
        run_flat_out(b, wall_us);
    int64_t cached_mb = (meminfo_kb("Cached:") - cached_kb) / 1024;
    storage_volumes(b->storage, &st, 1);
    end(b);
    double seconds = now_s() - start_s, used_cpu_s = cpu_s() - start_cpu_s;
    uint64_t n_lost = 0;
    for (int i = 0; i < b->n_files; i++)
        n_lost += b->lost[i];
    report(b, seconds, used_cpu_s, &st, cached_mb, n_lost);
    release(b);
}

int main(int argc, char **argv)
{
    static struct bench b = {.n_files = 500, .total_bytes = INT64_C(4) << 30, .bitrate = 2000000};
    int dd_flags = -1; /* of open; -1 = cameras */
    int c;
    b.io = *volume_io_system();
    while ((c = getopt(argc, argv, "n:m:b:p:s:dDrfc")) >= 0) {
        switch (c) {
        case 'n':
            b.n_files = (int)strtol(optarg, NULL, 10);
            break;
        case 'm':
            b.total_bytes = strtoll(optarg, NULL, 10) << 20;
            break;
        case 'b':
            b.bitrate = (int)strtol(optarg, NULL, 10);
            break;
        case 'p':
            b.pace_s = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            b.sync_interval_s = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            dd_flags = 0;
            break;
        case 'D':
            dd_flags = O_DIRECT;
            break;
        case 'r':
            b.io.reserve = NULL;
            break;
        case 'f':
            b.io.flush = NULL;
            break;
        case 'c':
            b.io.forget = NULL;
            break;
        default:
            return 2;
        }
    }
    if (optind != argc - 1 || b.n_files < 1 || b.n_files > MAX_FILES) {
        fprintf(
            stderr,
            "usage: volume_bench [-n files] [-m MiB] [-b bit/s] [-p seconds] [-s sync interval] [-d|-D] [-r]"
            " [-f] [-c] DIR\n");
        return 2;
    }
    b.dir = argv[optind];
    log_set_level(LOG_ERROR);
    if (dd_flags >= 0)
        write_like_dd(&b, dd_flags);
    else
        write_like_rookery(&b);
    return 0;
}
