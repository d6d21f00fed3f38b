/* What deleting costs at a district's size, beside the catalogue's other work.
 *
 *   retention_bench DIR CAMERAS DAYS FILES VOLUMES DELETED
 *
 * DIR is made: a catalogue of CAMERAS x 2 streams x DAYS of segments of ten minutes, and small
 * files for the FILES oldest. Of the DELETED oldest, half go by age, then the other half by space.
 * Meanwhile the catalogue gets the rows that so many cameras make. tests/bench/retention runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "storage/candidates.h"
#include "storage/db_ledger.h"
#include "storage/db_priv.h"
#include "storage/dirs.h"
#include "storage/stock.h"
#include "storage/storage.h"
#include "storage/volume_io.h"

#define SEGMENT_US INT64_C(600000000)
#define END_US     INT64_C(1790000400000000)

enum { MAX_TIMES = 100000, KEEP_DAYS = 3650 };

struct times {
    double ms[MAX_TIMES];
    size_t n;
};

struct bench {
    const char *dir;
    int64_t n_cameras, n_slots, n_files, n_deleted; /* slots: of ten minutes */
    size_t n_volumes;
    struct volume_config volumes[STORAGE_MAX_VOLUMES];
    struct volume_io io;
    struct clock_virtual clock;
    struct catalogue *catalogue;
    struct storage *storage;
    int64_t n_rows;
    struct times writes;
};

static atomic_bool is_short_of_space, is_loading;

static double now_s(void)
{
    return (double)clock_mono_us(clock_system()) / 1e6;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void must(int rc, const char *what, const struct err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, err != NULL && err->code != 0 ? err->msg : err_name(rc));
    exit(1);
}

static int by_size(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

static void print_times(const char *what, struct times *t)
{
    if (t->n == 0)
        return;
    qsort(t->ms, t->n, sizeof t->ms[0], by_size);
    printf("| %s | %.2f | %.2f | %.2f |\n", what, t->ms[t->n / 2], t->ms[t->n * 99 / 100],
           t->ms[t->n - 1]);
    t->n = 0;
}

static void note(struct times *t, double since_s)
{
    if (t->n < MAX_TIMES)
        t->ms[t->n++] = (now_s() - since_s) * 1000;
}

/* --- the disk --- */

static int space(const struct volume_io *io, int dirfd, int64_t *total, int64_t *free_bytes)
{
    (void)io;
    (void)dirfd;
    *total = INT64_C(1) << 50;
    *free_bytes = atomic_load(&is_short_of_space) ? 0 : INT64_C(1) << 49;
    return 0;
}

static void open_all(struct bench *b, int retention_days)
{
    struct err err = {0};
    must(catalogue_open(b->dir, &b->clock.clock, &b->catalogue, &err), "catalogue", &err);
    must(storage_open(&(struct storage_params){.catalogue = b->catalogue,
                                               .clock = &b->clock.clock,
                                               .volumes = b->volumes,
                                               .n_volumes = b->n_volumes,
                                               .retention_days = retention_days,
                                               .io = &b->io},
                      &b->storage, &err),
         "storage", &err);
}

static void close_all(struct bench *b)
{
    storage_close(&b->storage);
    catalogue_close(&b->catalogue);
}

/* --- making it --- */

static struct segment_id id_of(const struct bench *b, int64_t slot, int64_t stream)
{
    struct segment_id id = {.stream = stream % 2 == 0 ? STREAM_MAIN : STREAM_SUB, .n = 1};
    /* cameras begin at different moments */
    id.from_us = END_US - (b->n_slots - slot) * SEGMENT_US + stream * 97 * 1000;
    snprintf(id.camera_id, sizeof id.camera_id, "camera-%05lld", (long long)(stream / 2));
    return id;
}

static int64_t volume_of(const struct bench *b, int64_t stream)
{
    return 1 + stream / 2 % (int64_t)b->n_volumes;
}

static int put_row(const struct bench *b, struct db *db, int64_t slot, int64_t stream,
                   struct err *err)
{
    struct segment_id id = id_of(b, slot, stream);
    struct stmt *s =
        db_stmt(db,
                "INSERT INTO segments(camera, stream, from_us, n, to_us, volume, bytes,"
                " frames, lost_packets, began, ended) VALUES(?1, ?2, ?3, 1, ?4, ?5,"
                " 150000000, 15000, 0, 1, 1)",
                err);
    if (s == NULL)
        return -EIO;
    const int64_t values[] = {stream / 2 + 1, stream % 2, id.from_us, id.from_us + SEGMENT_US,
                              volume_of(b, stream)};
    for (int i = 0; i < (int)ARRAY_LEN(values); i++)
        stmt_bind_i64(s, i + 1, values[i]);
    return stmt_run(s, err);
}

static void make_rows(struct bench *b)
{
    struct err err = {0};
    struct db *db;
    char path[4096];
    snprintf(path, sizeof path, "%s/catalog.db", b->dir);
    must(db__open(path, false, &db, &err), "open", &err);
    must(db_exec(db,
                 "PRAGMA synchronous = 0; PRAGMA cache_size = -262144; DROP TRIGGER"
                 " segments_insert; BEGIN",
                 &err),
         "prepare", &err);
    for (int64_t i = 0; i < b->n_cameras; i++) {
        int64_t key;
        must(db_camera_key(db, id_of(b, 0, 2 * i).camera_id, true, &key, &err), "camera", &err);
    }
    for (int64_t slot = 0; slot < b->n_slots; slot++) {
        for (int64_t stream = 0; stream < 2 * b->n_cameras; stream++)
            must(put_row(b, db, slot, stream, &err), "row", &err);
        if (slot % 100 == 99)
            must(db_exec(db, "COMMIT; BEGIN", &err), "commit", &err);
    }
    must(
        db_exec(db,
                "CREATE TRIGGER segments_insert AFTER INSERT ON segments BEGIN"
                " UPDATE volumes SET segments = segments + 1, bytes = bytes + NEW.bytes"
                " WHERE key = NEW.volume; END;"
                "UPDATE volumes SET (segments, bytes) = (SELECT count(*), coalesce(sum(s.bytes), 0)"
                " FROM segments s WHERE s.volume = volumes.key); COMMIT;"
                "PRAGMA wal_checkpoint(TRUNCATE)",
                &err),
        "finish", &err);
    db__close(&db);
    b->n_rows = b->n_slots * 2 * b->n_cameras;
}

static void make_files(struct bench *b)
{
    static const char text[] = "no picture";
    int fds[STORAGE_MAX_VOLUMES];
    for (size_t i = 0; i < b->n_volumes; i++)
        fds[i] = open(b->volumes[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int64_t i = 0; i < b->n_files; i++) {
        char path[SEGMENT_PATH_BYTES];
        int64_t stream = i % (2 * b->n_cameras);
        struct segment_id id = id_of(b, i / (2 * b->n_cameras), stream);
        int dirfd = fds[volume_of(b, stream) - 1];
        int fd = volume_io_system()->create(volume_io_system(), dirfd, segment_path(&id, path));
        must(fd, path, NULL);
        if (write(fd, text, sizeof text) != (ssize_t)sizeof text)
            must(-EIO, path, NULL);
        close(fd);
    }
    for (size_t i = 0; i < b->n_volumes; i++)
        close(fds[i]);
}

/* --- the load: what recording writes into the catalogue --- */

static int job_open(struct db *db, void *ctx, struct err *err)
{
    return db_segment_open(db, ctx, err);
}

static int job_finish(struct db *db, void *ctx, struct err *err)
{
    return db_segment_finish(db, ctx, err);
}

/* Six segments an hour of every stream: a row when it begins, one when it ends. */
static void *load(void *ctx)
{
    struct bench *b = ctx;
    int64_t per_s = MAX(b->n_cameras * 2 * 6 / 3600, 1);
    for (int64_t i = 0; atomic_load(&is_loading); i++) {
        struct segment_row row = {
            .id = id_of(b, b->n_slots + i / (2 * b->n_cameras), i % (2 * b->n_cameras)),
            .volume = 1,
            .bytes = 1000};
        row.id.n = 2 + i;
        row.to_us = row.id.from_us + SEGMENT_US;
        double start_s = now_s();
        must(catalogue_write(b->catalogue, job_open, &row, NULL), "load", NULL);
        note(&b->writes, start_s);
        start_s = now_s();
        must(catalogue_write(b->catalogue, job_finish, &row, NULL), "load", NULL);
        note(&b->writes, start_s);
        struct timespec wait = {.tv_nsec = 1000000000 / per_s};
        nanosleep(&wait, NULL);
    }
    return NULL;
}

static pthread_t start_load(struct bench *b)
{
    pthread_t t;
    atomic_store(&is_loading, true);
    pthread_create(&t, NULL, load, b);
    return t;
}

static void end_load(pthread_t t)
{
    atomic_store(&is_loading, false);
    pthread_join(t, NULL);
}

/* --- measuring --- */

static int job_deleted(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT coalesce(sum(segments), 0) FROM deletions", err);
    int rc = s != NULL ? stmt_step(s, err) : -EIO;
    *(int64_t *)ctx = rc == 1 ? stmt_i64(s, 0) : 0;
    if (s != NULL)
        stmt_done(s);
    return rc < 0 ? rc : 0;
}

static int64_t n_deleted(struct bench *b)
{
    int64_t n = 0;
    struct err err = {0};
    must(catalogue_read(b->catalogue, job_deleted, &n, &err), "count", &err);
    return n;
}

static void wait_deleted(struct bench *b, int64_t n)
{
    while (n_deleted(b) < n)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void delete_until(struct bench *b, const char *what, int64_t from, int64_t to)
{
    char text[80];
    pthread_t t = start_load(b);
    double start_s = now_s(), start_cpu_s = cpu_s();
    wait_deleted(b, to);
    double s = now_s() - start_s, cpu = cpu_s() - start_cpu_s;
    int64_t n = n_deleted(b) - from;
    end_load(t);
    printf("\n%s: %lld segments in %.1f s = %.0f a second, %.2f ms CPU each; needed are %.1f a "
           "second\n\n| ms | median | p99 | max |\n|---|---|---|---|\n",
           what, (long long)n, s, (double)n / s, cpu * 1000 / (double)n,
           (double)b->n_cameras * 2 * 6 / 3600);
    snprintf(text, sizeof text, "a row of recording meanwhile");
    print_times(text, &b->writes);
}

struct ask {
    struct bench *bench;
    struct frontier *frontier;
    struct candidates *found;
    int64_t n_listed;
};

static int job_nothing(struct db *db, void *ctx, struct err *err)
{
    struct ask *a = ctx;
    const struct candidates_query q = {.now_us = END_US, .default_days = KEEP_DAYS};
    int rc = candidates_refresh(db, a->frontier, &q, err);
    return rc < 0 ? rc : candidates_find(db, a->frontier, &q, a->found, err);
}

static int add_listed(void *ctx, const struct ledger_row *row)
{
    struct ask *a = ctx;
    (void)row;
    a->n_listed++;
    return 0;
}

static int job_ledger(struct db *db, void *ctx, struct err *err)
{
    const struct ledger_query q = {.limit = 100};
    return db_ledger_find(db, &q, add_listed, ctx, err);
}

static void measure_questions(struct bench *b)
{
    struct frontier frontier = {.n = 0};
    struct ask a = {.bench = b, .frontier = &frontier, .found = xcalloc(1, sizeof *a.found)};
    static struct times t;
    printf("\n| ms | median | p99 | max |\n|---|---|---|---|\n");
    for (int i = 0; i < 20; i++) {
        double start_s = now_s();
        struct stock *stock = storage_stock(b->storage, NULL);
        note(&t, start_s);
        stock_unref(&stock);
        storage_holds_changed(b->storage);
    }
    print_times("stock: kept per camera, forecast (made at most once a minute)", &t);
    for (int i = 0; i < 50; i++) {
        double start_s = now_s();
        must(catalogue_read(b->catalogue, job_nothing, &a, NULL), "find", NULL);
        note(&t, start_s);
    }
    print_times("what is too old, when nothing is (once a minute)", &t);
    for (int i = 0; i < 50; i++) {
        double start_s = now_s();
        must(catalogue_read(b->catalogue, job_ledger, &a, NULL), "ledger", NULL);
        note(&t, start_s);
    }
    print_times("the ledger's newest 100 entries", &t);
    frontier_fini(&frontier);
    free(a.found);
}

static void run(struct bench *b)
{
    int64_t half = b->n_deleted / 2, per_slot = 2 * b->n_cameras;
    double start_s = now_s();
    open_all(b, KEEP_DAYS);
    close_all(b);
    make_rows(b);
    make_files(b);
    fprintf(stderr, "made %lld rows and %lld files in %.0f s\n", (long long)b->n_rows,
            (long long)b->n_files, now_s() - start_s);
    printf("%lld rows, %lld streams, %lld files, %zu volumes\n", (long long)b->n_rows,
           (long long)per_slot, (long long)b->n_files, b->n_volumes);
    open_all(b, KEEP_DAYS);
    pthread_t t = start_load(b);
    nanosleep(&(struct timespec){.tv_sec = 5}, NULL);
    end_load(t);
    printf("\n| ms | median | p99 | max |\n|---|---|---|---|\n");
    print_times("a row of recording, nothing else to do", &b->writes);
    close_all(b);
    /* what began before this is one day too old */
    int64_t old_us = END_US - (b->n_slots - half / per_slot) * SEGMENT_US;
    atomic_store(&b->clock.now_wall_us, old_us + US_PER_DAY);
    open_all(b, 1);
    int64_t by_age = (half / per_slot) * per_slot - per_slot;
    delete_until(b, "by age", 0, by_age);
    close_all(b);
    atomic_store(&b->clock.now_wall_us, END_US);
    open_all(b, KEEP_DAYS);
    int64_t n = n_deleted(b);
    atomic_store(&is_short_of_space, true);
    delete_until(b, "by space", n, b->n_deleted - per_slot);
    atomic_store(&is_short_of_space, false);
    measure_questions(b);
    close_all(b);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: retention_bench DIR CAMERAS DAYS FILES VOLUMES DELETED\n");
        return 2;
    }
    struct bench *b = xcalloc(1, sizeof *b);
    log_set_level(LOG_WARN);
    b->dir = argv[1];
    b->n_cameras = strtol(argv[2], NULL, 10);
    b->n_slots = strtol(argv[3], NULL, 10) * 144;
    b->n_files = strtol(argv[4], NULL, 10);
    b->n_volumes = (size_t)strtol(argv[5], NULL, 10);
    b->n_deleted = strtol(argv[6], NULL, 10);
    if (b->n_cameras < 1 || b->n_slots < 1 || b->n_files > b->n_slots * b->n_cameras * 2 ||
        b->n_deleted > b->n_files || b->n_deleted < 8 * b->n_cameras || b->n_volumes < 1 ||
        b->n_volumes > STORAGE_MAX_VOLUMES)
        return 2;
    b->io = *volume_io_system();
    b->io.space = space;
    for (size_t i = 0; i < b->n_volumes; i++)
        b->volumes[i] = (struct volume_config){.path = xasprintf("%s/volume-%zu", b->dir, i + 1),
                                               .reserve_bytes = INT64_C(1) << 40};
    clock_virtual_init(&b->clock, END_US);
    must(dirs_make(b->dir, NULL), b->dir, NULL);
    run(b);
    for (size_t i = 0; i < b->n_volumes; i++)
        free((char *)b->volumes[i].path);
    free(b);
    return 0;
}
