/* What the catalogue costs at a district's size; tests/bench/catalogue runs it.
 *
 *   catalogue_bench make DIR [CAMERAS DAYS VOLUMES SCHEMA now]   a synthetic catalogue
 *   catalogue_bench index DIR CAMERAS DAYS VOLUMES               a small file per row: check,
 * rebuild catalogue_bench run DIR CAMERAS DAYS VOLUMES FILES OPEN      measures, and prints a table
 */
#include "synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/db_volumes.h"
#include "storage/storage.h"

struct bench {
    struct synthetic plan;
    int n_files, n_open;
    struct clock_virtual clock;
    struct catalogue *catalogue;
    struct storage *storage;
};

/* --- figures --- */

struct times {
    double ms[4096], cpu_ms[4096];
    size_t n;
};

/* The processor's time of all threads tells more than the clock's when the machine is busy. */
struct moment {
    int64_t mono_us, cpu_us;
};

static int64_t us_of(struct timeval t)
{
    return t.tv_sec * US_PER_S + t.tv_usec;
}

static struct moment now(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (struct moment){clock_mono_us(clock_system()), us_of(u.ru_utime) + us_of(u.ru_stime)};
}

static void note(struct times *t, struct moment since)
{
    struct moment at = now();
    if (t->n == ARRAY_LEN(t->ms))
        return;
    t->cpu_ms[t->n] = (double)(at.cpu_us - since.cpu_us) / 1000.0;
    t->ms[t->n++] = (double)(at.mono_us - since.mono_us) / 1000.0;
}

static int by_size(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

static void print_times(const char *what, struct times *t, const char *budget)
{
    if (t->n == 0)
        return;
    qsort(t->ms, t->n, sizeof t->ms[0], by_size);
    qsort(t->cpu_ms, t->n, sizeof t->cpu_ms[0], by_size);
    printf("| %s | %.2f | %.2f | %.2f | %.2f | %s |\n", what, t->ms[t->n / 2], t->cpu_ms[t->n / 2],
           t->ms[MIN(t->n - 1, t->n * 99 / 100)], t->ms[t->n - 1], budget);
    fflush(stdout);
}

static void print_rate(const char *what, int64_t n, struct moment since, double needed)
{
    double rate = (double)n * 1e6 / (double)MAX(now().mono_us - since.mono_us, 1);
    printf("| %s | %.0f per s, %.0f times what is needed | | | | 10 times %.1f per s |\n", what,
           rate, rate / needed, needed);
    fflush(stdout);
}

static void check(int rc, const struct err *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "catalogue_bench: %s: %s\n", what,
            err->msg[0] != '\0' ? err->msg : err_name(rc));
    exit(1);
}

static uint64_t next_random(struct bench *b)
{
    b->plan.seed = b->plan.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return b->plan.seed >> 33;
}

/* --- opening --- */

static void open_catalogue(struct bench *b)
{
    struct err err = {0};
    check(catalogue_open(b->plan.data_dir, &b->clock.clock, &b->catalogue, &err), &err, "open");
}

static void open_storage(struct bench *b)
{
    struct volume_config volumes[STORAGE_MAX_VOLUMES];
    char paths[STORAGE_MAX_VOLUMES][512];
    struct err err = {0};
    for (int i = 0; i < b->plan.n_volumes; i++) {
        synthetic_volume_path(&b->plan, i, paths[i], sizeof paths[i]);
        volumes[i] = (struct volume_config){.path = paths[i], .reserve_bytes = 1 << 20};
    }
    int rc = storage_open(&(struct storage_params){.catalogue = b->catalogue,
                                                   .clock = &b->clock.clock,
                                                   .volumes = volumes,
                                                   .n_volumes = (size_t)b->plan.n_volumes,
                                                   .retention_days = b->plan.n_days + 10},
                          &b->storage, &err);
    check(rc, &err, "open storage");
}

static void close_all(struct bench *b)
{
    storage_close(&b->storage);
    catalogue_close(&b->catalogue);
}

/* What the kernel keeps of it goes; what is dirty is written first. */
static void evict(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static void evict_catalogue(const struct bench *b)
{
    static const char *const names[] = {"catalog.db", "catalog.db-wal"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", b->plan.data_dir, names[i]);
        evict(path);
    }
}

static void evict_segment(const struct bench *b, const struct segment_row *row)
{
    char dir[512], path[SEGMENT_PATH_BYTES], full[1024];
    for (int i = 0; i < b->plan.n_volumes; i++) {
        if (b->plan.volume_keys[i] != row->volume)
            continue;
        synthetic_volume_path(&b->plan, i, dir, sizeof dir);
        snprintf(full, sizeof full, "%s/%s", dir, segment_path(&row->id, path));
        evict(full);
    }
}

static void reopen_cold(struct bench *b)
{
    close_all(b);
    evict_catalogue(b);
    open_catalogue(b);
    open_storage(b);
}

/* --- start --- */

static void bench_start(struct bench *b)
{
    struct times cold = {0}, warm = {0};
    for (int i = 0; i < 10; i++) {
        close_all(b);
        if (i < 5)
            evict_catalogue(b);
        struct moment since = now();
        open_catalogue(b);
        open_storage(b);
        note(i < 5 ? &cold : &warm, since);
    }
    print_times("start, cold", &cold, "5,000");
    print_times("start, warm", &warm, "5,000");
}

/* --- searches --- */

static void find_spans(struct bench *b, int camera, int64_t from_us, int64_t to_us)
{
    char id[65];
    struct err err = {0};
    struct recordings found;
    synthetic_camera_id(camera, id);
    check(storage_recordings(b->storage, id, "main", from_us, to_us, &found, &err), &err, id);
    if (found.n_spans == 0)
        check(ERR_NOT_FOUND, &err, id);
    recordings_fini(&found);
}

static void bench_spans(struct bench *b)
{
    struct times cold = {0}, warm = {0}, day_cold = {0}, day_warm = {0};
    int64_t end_us = b->plan.end_us, start_us = end_us - b->plan.n_days * US_PER_DAY;
    for (int i = 0; i < 20; i++) {
        reopen_cold(b);
        int camera = (int)(next_random(b) % (uint64_t)b->plan.n_cameras);
        struct moment since = now();
        find_spans(b, camera, start_us, end_us);
        note(&cold, since);
        for (int k = 0; k < 10; k++) {
            since = now();
            find_spans(b, camera, start_us, end_us);
            note(&warm, since);
        }
    }
    print_times("one camera's spans of all days, cold", &cold, "30");
    print_times("one camera's spans of all days, warm", &warm, "30");
    for (int i = 0; i < 20; i++) {
        int first = (int)(next_random(b) % (uint64_t)b->plan.n_cameras);
        int64_t from_us =
            start_us + (int64_t)(next_random(b) % (uint64_t)b->plan.n_days) * US_PER_DAY;
        reopen_cold(b);
        for (int k = 0; k < 6; k++) {
            struct moment since = now();
            for (int n = 0; n < 64; n++)
                find_spans(b, (first + n) % b->plan.n_cameras, from_us, from_us + US_PER_DAY);
            note(k == 0 ? &day_cold : &day_warm, since);
        }
    }
    print_times("a day of 64 cameras, cold", &day_cold, "100");
    print_times("a day of 64 cameras, warm", &day_warm, "100");
}

/* --- seeking --- */

struct rows {
    struct segment_row *list;
    size_t n, cap;
};

static int add_row(void *ctx, const struct segment_row *row)
{
    struct rows *r = ctx;
    if (r->n == r->cap) {
        r->cap = MAX(256, r->cap * 2);
        r->list = xrealloc(r->list, r->cap * sizeof *r->list);
    }
    r->list[r->n++] = *row;
    return 0;
}

struct last_rows {
    char camera_id[65];
    int64_t from_us, to_us;
    struct rows *rows;
};

static int job_last(struct db *db, void *ctx, struct err *err)
{
    struct last_rows *q = ctx;
    return db_segments_in(db, q->camera_id, STREAM_MAIN, q->from_us, q->to_us, add_row, q->rows,
                          err);
}

static int job_finish(struct db *db, void *ctx, struct err *err)
{
    struct rows *r = ctx;
    int rc = 0;
    for (size_t i = 0; i < r->n && rc == 0; i++)
        rc = db_segment_finish(db, &r->list[i], err);
    return rc;
}

static int dir_of(const struct bench *b, const struct segment_row *row)
{
    char path[512];
    for (int i = 0; i < b->plan.n_volumes; i++) {
        if (b->plan.volume_keys[i] != row->volume)
            continue;
        synthetic_volume_path(&b->plan, i, path, sizeof path);
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return -1;
}

static void make_file(const struct bench *b, struct segment_row *row, int64_t us, bool is_open)
{
    struct err err = {0};
    int dirfd = dir_of(b, row);
    check(synthetic_file(dirfd, row, us, is_open, &err), &err, "file");
    close(dirfd);
}

/* Files for the newest rows of some cameras, spread over the volumes. */
static void make_files(struct bench *b, struct rows *rows)
{
    struct err err = {0};
    int64_t us = 0;
    for (int i = 0; (int)rows->n < b->n_files && i < b->plan.n_cameras; i++) {
        struct last_rows q = {
            .from_us = b->plan.end_us - US_PER_DAY, .to_us = b->plan.end_us, .rows = rows};
        synthetic_camera_id(i, q.camera_id);
        check(catalogue_read(b->catalogue, job_last, &q, &err), &err, q.camera_id);
    }
    rows->n = MIN(rows->n, (size_t)b->n_files);
    for (size_t i = 0; i < rows->n; i++) {
        us = rows->list[i].to_us - rows->list[i].id.from_us;
        make_file(b, &rows->list[i], us, false);
    }
    check(catalogue_write(b->catalogue, job_finish, rows, &err), &err, "rows of files");
}

static void seek(struct bench *b, const struct segment_row *row)
{
    struct err err = {0};
    struct sample_map *map = NULL;
    struct packet *pkt = NULL;
    int64_t at_us = row->id.from_us + (int64_t)(next_random(b) % 590) * US_PER_S;
    struct sample_query q = {.camera_id = row->id.camera_id,
                             .stream = "main",
                             .from_us = at_us,
                             .to_us = at_us + 60 * US_PER_S,
                             .max_samples = 256};
    check(source_map(storage_source(b->storage), &q, &map, &err), &err, "seek");
    if (map->n_samples == 0)
        check(ERR_NOT_FOUND, &err, "seek");
    check(sample_read(map, 0, &pkt, &err), &err, "read");
    packet_unref(&pkt);
    sample_map_free(&map);
}

static void bench_seek(struct bench *b)
{
    struct times cold = {0}, warm = {0};
    struct rows rows = {0};
    make_files(b, &rows);
    for (int i = 0; i < 300 && rows.n > 0; i++) {
        const struct segment_row *row = &rows.list[next_random(b) % rows.n];
        evict_catalogue(b);
        evict_segment(b, row);
        struct moment since = now();
        seek(b, row);
        note(&cold, since);
    }
    for (int i = 0; i < 3000 && rows.n > 0; i++) {
        const struct segment_row *row = &rows.list[next_random(b) % rows.n];
        struct moment since = now();
        seek(b, row);
        note(&warm, since);
    }
    print_times("seek to the first picture's bytes, file and database cold", &cold, "30");
    print_times("seek to the first picture's bytes, warm", &warm, "30");
    free(rows.list);
}

/* --- writing --- */

struct many {
    struct bench *bench;
    struct rows rows;
    size_t at, n; /* this batch */
};

static int job_open_many(struct db *db, void *ctx, struct err *err)
{
    struct many *m = ctx;
    int rc = 0;
    for (size_t i = 0; i < m->n && rc == 0; i++)
        rc = db_segment_open(db, &m->rows.list[m->at + i], err);
    return rc;
}

static int job_finish_many(struct db *db, void *ctx, struct err *err)
{
    struct many *m = ctx;
    int rc = 0;
    for (size_t i = 0; i < m->n && rc == 0; i++)
        rc = db_segment_finish(db, &m->rows.list[m->at + i], err);
    return rc;
}

/* Segments behind the newest ones, one per camera by turns. */
static void plan_new(struct many *m, size_t n)
{
    const struct synthetic *p = &m->bench->plan;
    for (size_t i = 0; i < n; i++) {
        int camera = (int)(i % (size_t)p->n_cameras);
        int64_t from_us =
            p->end_us + US_PER_S + (int64_t)(i / (size_t)p->n_cameras) * SYNTHETIC_SEGMENT_US;
        struct segment_row row = {.id.from_us = from_us,
                                  .id.n = (int64_t)(INT64_C(1) << 40) + (int64_t)i,
                                  .to_us = from_us + SYNTHETIC_SEGMENT_US,
                                  .volume = p->volume_keys[camera % p->n_volumes],
                                  .bytes = 150000000,
                                  .frames = 15000,
                                  .began = SEGMENT_ROTATED,
                                  .ended = SEGMENT_ROTATED};
        synthetic_camera_id(camera, row.id.camera_id);
        add_row(&m->rows, &row);
    }
}

static void write_batches(struct many *m, size_t batch)
{
    struct err err = {0};
    struct catalogue *c = m->bench->catalogue;
    for (m->at = 0; m->at < m->rows.n; m->at += m->n) {
        m->n = MIN(batch, m->rows.n - m->at);
        check(catalogue_write(c, job_open_many, m, &err), &err, "open segments");
        check(catalogue_write(c, job_finish_many, m, &err), &err, "finish segments");
    }
}

static void bench_insert(struct bench *b)
{
    double needed = (double)b->plan.n_cameras / ((double)SYNTHETIC_SEGMENT_US / 1e6);
    struct many one = {.bench = b}, many = {.bench = b};
    plan_new(&one, 300);
    struct moment since = now();
    write_batches(&one, 1);
    print_rate("segments opened and finished, one at a time", (int64_t)one.rows.n, since, needed);
    plan_new(&many, 25600);
    since = now();
    write_batches(&many, 256);
    print_rate("segments opened and finished, 256 at a time", (int64_t)many.rows.n, since, needed);
    free(one.rows.list);
    free(many.rows.list);
}

/* --- crash --- */

static int job_unsettled(struct db *db, void *ctx, struct err *err)
{
    struct rows *r = ctx;
    r->n = 0;
    return db_segments_unsettled(db, add_row, r, err);
}

static size_t count_unsettled(struct bench *b)
{
    struct rows r = {0};
    struct err err = {0};
    check(catalogue_read(b->catalogue, job_unsettled, &r, &err), &err, "unsettled");
    free(r.list);
    return r.n;
}

/* A server that dies: files half written, their rows open, and a log of the database that was not
 * carried over. */
static void crash(struct bench *b, int64_t shift_us, bool is_cold)
{
    struct many open = {.bench = b};
    plan_new(&open, (size_t)b->n_open);
    for (size_t i = 0; i < open.rows.n; i++) {
        struct segment_row *row = &open.rows.list[i];
        row->id.from_us += shift_us;
        make_file(b, row, SYNTHETIC_SEGMENT_US / 2, true);
        if (is_cold)
            evict_segment(b, row);
    }
    sync(); /* a server leaves 5 s of it in memory, not all */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct many more = {.bench = b};
        open_catalogue(b);
        plan_new(&more, 20000);
        for (size_t i = 0; i < more.rows.n; i++)
            more.rows.list[i].id.from_us += shift_us - 30 * US_PER_DAY;
        write_batches(&more, 512);
        struct err err = {0};
        open.n = open.rows.n;
        check(catalogue_write(b->catalogue, job_open_many, &open, &err), &err, "open segments");
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        check(-EIO, &(struct err){0}, "the process that shall die");
    free(open.rows.list);
    if (is_cold)
        evict_catalogue(b);
}

static void bench_crash(struct bench *b)
{
    for (int round = 0; round < 2 && b->n_open > 0; round++) {
        bool is_cold = round == 1;
        struct times start = {0}, whole = {0};
        close_all(b);
        crash(b, (round + 20) * US_PER_DAY, is_cold);
        struct moment since = now();
        open_catalogue(b);
        open_storage(b);
        note(&start, since);
        while (count_unsettled(b) > 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        note(&whole, since);
        print_times(is_cold ? "start after a crash, cold" : "start after a crash, warm", &start,
                    "5,000");
        print_times(is_cold ? "until every open segment is recovered, cold"
                            : "until every open segment is recovered, warm",
                    &whole, "5,000");
    }
}

static int job_keys(struct db *db, void *ctx, struct err *err);

/* --- checking and rebuilding the index --- */

static void on_problem(void *ctx, const char *path, const char *what)
{
    int *n = ctx;
    if (++*n <= 3)
        fprintf(stderr, "%s: %s\n", path, what);
}

static int job_page(struct db *db, void *ctx, struct err *err)
{
    struct many *m = ctx;
    struct segment_row after = {0};
    if (m->rows.n > 0)
        after = m->rows.list[m->rows.n - 1];
    m->at = m->rows.n;
    return db_segments_page(db, &after, 10000, add_row, &m->rows, err);
}

/* A small file for every row. */
static void make_all_files(struct bench *b)
{
    struct many m = {.bench = b};
    struct err err = {0};
    do {
        check(catalogue_read(b->catalogue, job_page, &m, &err), &err, "rows");
        m.n = m.rows.n - m.at;
        for (size_t i = 0; i < m.n; i++)
            make_file(b, &m.rows.list[m.at + i], 2 * US_PER_S, false);
    } while (m.n > 0);
    free(m.rows.list);
}

static void print_files(const char *what, const struct index_report *r, struct moment since)
{
    struct moment at = now();
    printf("| %s | %.0f files per s | %.0f us of CPU per file |\n", what,
           (double)r->n_files * 1e6 / (double)(at.mono_us - since.mono_us),
           (double)(at.cpu_us - since.cpu_us) / (double)MAX(r->n_files, 1));
    fflush(stdout);
}

/* Files are made first, so rebuilding learns what they say; then they and the rows agree. */
static int run_index(struct bench *b)
{
    struct err err = {0};
    struct index_report report;
    int n_problems = 0;
    open_catalogue(b);
    check(catalogue_read(b->catalogue, job_keys, &b->plan, &err), &err, "volumes");
    open_storage(b);
    make_all_files(b);
    struct moment since = now();
    check(storage_index_rebuild(b->storage, on_problem, &n_problems, &report, &err), &err,
          "rebuild");
    print_files("index rebuild, warm", &report, since);
    for (int i = 0; i < 3; i++) {
        since = now();
        check(storage_index_check(b->storage, i == 2, on_problem, &n_problems, &report, &err), &err,
              "check");
        print_files(i == 2 ? "index check --deep, warm" : "index check, warm", &report, since);
    }
    close_all(b);
    return n_problems > 0;
}

/* --- */

static int job_keys(struct db *db, void *ctx, struct err *err)
{
    struct synthetic *s = ctx;
    int rc = 0;
    for (int i = 0; i < s->n_volumes && rc == 0; i++) {
        char path[512];
        synthetic_volume_path(s, i, path, sizeof path);
        rc = db_volume_find(db, path, &s->volume_keys[i], err);
    }
    return rc;
}

static int run(struct bench *b)
{
    struct err err = {0};
    struct times first = {0};
    struct moment since = now();
    open_catalogue(b);
    note(&first, since);
    check(catalogue_read(b->catalogue, job_keys, &b->plan, &err), &err, "volumes");
    open_storage(b);
    printf("| what | median, ms | of it CPU | p99 | max | budget |\n|---|---|---|---|---|---|\n");
    print_times("first open, with the upgrade of the schema", &first, "5,000");
    bench_start(b);
    bench_spans(b);
    bench_seek(b);
    bench_insert(b);
    bench_crash(b);
    close_all(b);
    return 0;
}

static int number(int argc, char **argv, int i, int otherwise)
{
    return i < argc ? (int)strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench b = {.plan = {.end_us = SYNTHETIC_END_US, .seed = 1}};
    struct err err = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: catalogue_bench make|run DIR …; see tests/bench/README.md\n");
        return 2;
    }
    log_set_level(LOG_ERROR);
    b.plan.data_dir = argv[2];
    b.plan.n_cameras = number(argc, argv, 3, 1600);
    b.plan.n_days = number(argc, argv, 4, 90);
    b.plan.n_volumes = CLAMP(number(argc, argv, 5, 4), 1, 64);
    if (strcmp(argv[1], "make") == 0) {
        b.plan.version = (size_t)number(argc, argv, 6, 0);
        if (argc > 7 && strcmp(argv[7], "now") == 0)
            b.plan.end_us = clock_wall_us(clock_system());
        check(synthetic_make(&b.plan, &err), &err, "make");
        printf("%lld segments of %d cameras, %d days\n", (long long)b.plan.n_segments,
               b.plan.n_cameras, b.plan.n_days);
        return 0;
    }
    clock_virtual_init(&b.clock, b.plan.end_us);
    if (strcmp(argv[1], "index") == 0)
        return run_index(&b);
    b.n_files = number(argc, argv, 6, 200);
    b.n_open = number(argc, argv, 7, b.plan.n_cameras);
    return run(&b);
}
