/* Killed at every step: every procedure of docs/design/0002 has a row here, and a procedure without
 * one fails the test. A child works on a tapped directory and ends at its n-th change of a file or
 * sync of the catalogue, for every n; the parent starts as the next server would and checks the
 * invariants. What a power cut does on top of it: test_power_cut.c. */
#include "rig.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "storage/db.h"
#include "storage/db_holds.h"
#include "storage/db_segments.h"
#include "tap.h"

enum { GROUP = 25, KILLED = 42 };
#define LATER_US (100 * 86400 * US_PER_S)

/* Told by the child until it dies. */
struct told {
    int n;                    /* the step to die at */
    _Atomic int64_t n_safe;   /* pictures in fragments that were handed over and not refused */
    _Atomic int64_t n_placed; /* holds that were acknowledged */
    _Atomic int64_t n_released;
};

struct bench {
    struct rig *rig;
    char base[64];
    struct told *told;
    const char *procedure;
    bool is_looking;
};

static struct told *told; /* of the bench; the work of a child gets a rig only */

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    void *rig = NULL;
    if (rig_setup(&rig) < 0)
        return -1;
    b->rig = rig;
    snprintf(b->base, sizeof b->base, "%s", b->rig->dir);
    b->told = told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(b->rig->dir, sizeof b->rig->dir, "%.50s/live", b->base);
    free((char *)b->rig->volumes[0].path);
    b->rig->volumes[0].path = xasprintf("%s/rec", b->rig->dir);
    b->rig->params.segment_us = 4 * US_PER_S;
    b->rig->disk.is_sync_real = true;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    void *rig = b->rig;
    if (b->is_looking)
        print_message("%s, killed at step %d\n", b->procedure, b->told->n);
    tap_stop();
    rig_close(b->rig);
    munmap(b->told, sizeof *b->told);
    snprintf(b->rig->dir, sizeof b->rig->dir, "%s", b->base);
    free(b);
    return rig_teardown(&rig);
}

static void shell(const struct bench *b, const char *what)
{
    char cmd[300];
    snprintf(cmd, sizeof cmd, "cd %s && %s", b->base, what);
    assert_int_equal(system(cmd), 0);
}

/* --- children --- */

/* Steps count from here. */
static void begin_steps(void)
{
    tap_die_at(told->n);
}

static void publish(struct rig *rig, int n_groups)
{
    for (int i = 0; i < n_groups; i++) {
        rig_pictures(rig, GROUP, GROUP);
        rig_wait(rig, rig_is_written);
        /* the newest group is still with the recorder */
        atomic_store(&told->n_safe, rig->next_number - GROUP);
    }
}

static void record_three(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    publish(rig, 12);
    rig_stop(rig);
    rig_close(rig);
}

static void work_record(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    begin_steps();
    publish(rig, 8);
    rig_stop(rig);
    rig_close(rig);
}

static void work_close(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    publish(rig, 3);
    begin_steps();
    rig_stop(rig);
    rig_close(rig);
}

static bool is_refused(struct rig *rig)
{
    return rig->status.n_lost_fragments > 0;
}

static bool is_back(struct rig *rig)
{
    struct volume_status st;
    return storage_volumes(rig->storage, &st, 1) == 1 && st.is_ok;
}

static void work_write_fails(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    publish(rig, 3);
    atomic_store(&rig->disk.write_error, -EIO);
    begin_steps();
    rig_pictures(rig, 2 * GROUP, GROUP);
    rig_wait(rig, is_refused);
    atomic_store(&rig->disk.write_error, 0);
    rig_wait(rig, is_back);
    rig_pictures(rig, 2 * GROUP, GROUP);
    rig_stop(rig);
    rig_close(rig);
}

/* Killed with three segments open or not indexed. */
static void crash(struct rig *rig)
{
    rig_open(rig);
    rig_record(rig, "cam");
    publish(rig, 9);
    _exit(0);
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    return db_segment_doom(db, ctx, "expired", RIG_START_US, err);
}

static void crash_with_a_doomed_file(struct rig *rig)
{
    struct segment_row rows[8];
    record_three(rig);
    rig_open(rig);
    if (rig_rows(rig, rows, 8) != 3 ||
        catalogue_write(rig->catalogue, job_doom, &rows[0], NULL) < 0)
        _exit(1);
    rig->wall_us += 60 * US_PER_S;
    rig_record(rig, "cam");
    publish(rig, 3);
    _exit(0);
}

static void work_recover(struct rig *rig)
{
    begin_steps();
    rig_open(rig);
    rig_close(rig);
}

static int job_hold(struct db *db, void *ctx, struct err *err)
{
    const struct hold_row row = {.id = "h1",
                                 .camera_id = "cam",
                                 .from_us = RIG_START_US + 5 * US_PER_S,
                                 .to_us = RIG_START_US + 6 * US_PER_S,
                                 .user = "inspector",
                                 .reason = "evidence",
                                 .created_us = RIG_START_US};
    (void)ctx;
    return db_hold_add(db, &row, err);
}

static int job_release(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_hold_release(db, "h1", "inspector", "closed", RIG_START_US + US_PER_S, err);
}

static void record_and_hold_the_second(struct rig *rig)
{
    record_three(rig);
    rig_open(rig);
    if (catalogue_write(rig->catalogue, job_hold, NULL, NULL) < 0)
        _exit(1);
    rig_close(rig);
}

static bool has_one_row(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == 1 && rig_unsettled(rig) == 0;
}

static void work_expire(struct rig *rig)
{
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + LATER_US);
    begin_steps();
    rig_open(rig);
    rig_wait(rig, has_one_row);
    rig_close(rig);
}

/* The disk is too small for three. */
static void work_make_room(struct rig *rig)
{
    rig->volumes[0].reserve_bytes = 1 << 20;
    atomic_store(&rig->disk.capacity, (1 << 20) + 150000);
    begin_steps();
    rig_open(rig);
    rig_wait(rig, has_one_row);
    rig_close(rig);
}

static bool is_thinned(struct rig *rig)
{
    struct segment_row rows[8];
    size_t n = rig_rows(rig, rows, 8), n_thinned = 0;
    for (size_t i = 0; i < n; i++)
        n_thinned += rows[i].is_thinned;
    return n_thinned == 2 && rig_unsettled(rig) == 0;
}

/* The second is held and stays whole. */
static void work_thin(struct rig *rig)
{
    rig->params.thin_after_days = 30;
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + 40 * 86400 * US_PER_S);
    begin_steps();
    rig_open(rig);
    rig_wait(rig, is_thinned);
    rig_close(rig);
}

static void work_rebuild(struct rig *rig)
{
    struct index_report report;
    rig_open(rig);
    begin_steps();
    if (storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL) < 0)
        _exit(1);
    rig_close(rig);
}

static void work_open(struct rig *rig)
{
    begin_steps();
    rig_open(rig);
    rig_close(rig);
}

static void work_hold(struct rig *rig)
{
    rig_open(rig);
    begin_steps();
    if (catalogue_write(rig->catalogue, job_hold, NULL, NULL) < 0)
        _exit(1);
    atomic_store(&told->n_placed, 1);
    if (catalogue_write(rig->catalogue, job_release, NULL, NULL) < 0)
        _exit(1);
    atomic_store(&told->n_released, 1);
    rig_close(rig);
}

/* --- what must be true, beyond the invariants --- */

static void check_recorded(struct rig *rig, int64_t frames, bool was_killed)
{
    struct segment_row rows[16];
    size_t n = rig_rows(rig, rows, ARRAY_LEN(rows));
    for (size_t i = 0; i + 1 < n; i++)
        assert_true(rows[i].to_us <= rows[i + 1].id.from_us);
    assert_int_equal(frames % GROUP, 0);
    /* a crash costs at most the open fragment */
    assert_true(frames >= atomic_load(&told->n_safe));
    if (!was_killed)
        assert_true(frames >= atomic_load(&told->n_safe) + GROUP);
    (void)rig;
}

/* One group was refused, and the two it stood between are there. */
static void check_refused(struct rig *rig, int64_t frames, bool was_killed)
{
    (void)rig;
    assert_true(frames >= 2 * GROUP);
    if (!was_killed)
        assert_true(frames >= 3 * GROUP);
}

static void check_all_nine(struct rig *rig, int64_t frames, bool was_killed)
{
    (void)rig;
    (void)was_killed;
    assert_int_equal(frames, 8 * GROUP); /* all but what the recorder still had */
}

static void check_doomed(struct rig *rig, int64_t frames, bool was_killed)
{
    struct segment_row rows[8];
    (void)was_killed;
    assert_int_equal(rig_rows(rig, rows, 8), 3);
    assert_int_equal(frames, 8 * GROUP + 2 * GROUP);
}

static int job_deleted(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT coalesce(sum(segments), 0) FROM deletions", err);
    int rc = s != NULL ? stmt_step(s, err) : -EIO;
    if (rc == 1)
        *(int64_t *)ctx = stmt_i64(s, 0);
    if (s != NULL)
        stmt_done(s);
    return rc == 1 ? 0 : -EIO;
}

/* Every row that is gone is in the ledger; what is held is there. */
static void check_deleted(struct rig *rig, int64_t frames, bool was_killed)
{
    struct segment_row rows[8];
    int64_t n_deleted = 0;
    size_t n = rig_rows(rig, rows, 8);
    (void)frames;
    assert_int_equal(catalogue_read(rig->catalogue, job_deleted, &n_deleted, NULL), 0);
    assert_int_equal((int64_t)n + n_deleted, 3);
    assert_true(was_killed || n == 1);
    bool is_held_there = false;
    for (size_t i = 0; i < n; i++)
        is_held_there |= rows[i].id.from_us == RIG_START_US + 4 * US_PER_S;
    assert_true(is_held_there);
}

/* Each is whole or thinned, and the ledger knows which. */
static void check_thinned(struct rig *rig, int64_t frames, bool was_killed)
{
    struct segment_row rows[8];
    int64_t n_deleted = 0, n_thinned = 0;
    assert_int_equal(rig_rows(rig, rows, 8), 3);
    for (size_t i = 0; i < 3; i++)
        n_thinned += rows[i].is_thinned;
    assert_int_equal(catalogue_read(rig->catalogue, job_deleted, &n_deleted, NULL), 0);
    assert_int_equal(n_deleted, n_thinned);
    assert_int_equal(frames, (12 - 4 * n_thinned) * GROUP + 4 * n_thinned);
    assert_false(rows[1].is_thinned);
    assert_true(was_killed || n_thinned == 2);
}

static void check_rebuilt(struct rig *rig, int64_t frames, bool was_killed)
{
    (void)was_killed;
    assert_int_equal(rig_rows(rig, NULL, 0), 3);
    assert_int_equal(frames, 12 * GROUP);
}

static bool is_expired(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) <= 1;
}

/* The volume is usable, or becomes so. */
static void check_volume(struct rig *rig, int64_t frames, bool was_killed)
{
    (void)was_killed;
    assert_int_equal(frames, 0);
    rig_record(rig, "cam");
    rig_pictures(rig, 2 * GROUP, GROUP);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), 2 * GROUP);
}

static int count_active(void *ctx, const struct hold_row *row)
{
    *(int *)ctx += row->released_us == 0;
    return 0;
}

static int job_holds(struct db *db, void *ctx, struct err *err)
{
    const struct hold_query all = {.is_active = -1};
    return db_holds_find(db, &all, count_active, ctx, err);
}

/* What was acknowledged holds, also against the next deletion. */
static void check_hold(struct rig *rig, int64_t frames, bool was_killed)
{
    int n_active = 0;
    (void)frames;
    (void)was_killed;
    assert_true(catalogue_read(rig->catalogue, job_holds, &n_active, NULL) >= 0);
    if (atomic_load(&told->n_released) == 1)
        assert_int_equal(n_active, 0);
    rig_close(rig);
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + LATER_US);
    rig_open(rig);
    rig_wait(rig, is_expired);
    if (n_active == 1)
        assert_int_equal(rig_rows(rig, NULL, 0), 1);
    atomic_store(&rig->clock.now_wall_us, RIG_START_US);
}

/* --- the table --- */

typedef void work_fn(struct rig *rig);

static const struct procedure {
    const char *name; /* as in docs/design/0002 */
    work_fn *prepare; /* not killed; NULL = an empty directory */
    work_fn *work;    /* killed at every step after begin_steps */
    /* After the next start, where the invariants hold. */
    void (*check)(struct rig *rig, int64_t frames, bool was_killed);
    bool is_repeated; /* killed in between: once more */
    int least_steps;
} procedures[] = {
    {"Record", NULL, work_record, check_recorded, .least_steps = 15},
    {"Close", NULL, work_close, check_recorded, .least_steps = 3},
    {"A write fails", NULL, work_write_fails, check_refused, .least_steps = 8},
    {"Recover", crash, work_recover, check_all_nine, .least_steps = 3},
    {"Recover", crash_with_a_doomed_file, work_recover, check_doomed, .least_steps = 3},
    {"Delete", record_and_hold_the_second, work_expire, check_deleted, .least_steps = 5},
    {"Delete", record_and_hold_the_second, work_make_room, check_deleted, .least_steps = 5},
    {"Thin", record_and_hold_the_second, work_thin, check_thinned, .least_steps = 12},
    {"Rebuild the index", record_three, work_rebuild, check_rebuilt, true, 2},
    {"Take a new volume", NULL, work_open, check_volume, .least_steps = 6},
    {"Hold", record_three, work_hold, check_hold, .least_steps = 2},
};

/* Returns the exit code. */
static int in_child(struct bench *b, work_fn *fn, int n)
{
    int status = 0;
    b->told->n = n;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        tap_start(b->rig->dir, NULL);
        fn(b->rig);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void on_problem(void *ctx, const char *path, const char *what)
{
    print_message("index check: %s: %s\n", path, what);
    ++*(int *)ctx;
}

static void look(struct bench *b, const struct procedure *p, bool was_killed)
{
    struct rig *rig = b->rig;
    struct index_report report;
    int n_problems = 0;
    b->is_looking = true;
    tap_start(rig->dir, NULL);
    rig_open(rig);
    if (p->is_repeated)
        assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    int64_t frames = rig_check(rig);
    assert_int_equal(
        storage_index_check(rig->storage, true, on_problem, &n_problems, &report, NULL), 0);
    assert_int_equal(n_problems, 0);
    p->check(rig, frames, was_killed);
    rig_close(rig);
    tap_stop();
    b->is_looking = false;
}

static void run_procedure(struct bench *b, const struct procedure *p)
{
    int n = 1;
    b->procedure = p->name;
    shell(b, "rm -rf live first && mkdir live");
    if (p->prepare != NULL)
        assert_int_equal(in_child(b, p->prepare, 0), 0);
    shell(b, "cp -a live first");
    for (int rc = KILLED; rc == KILLED; n++) {
        atomic_store(&b->told->n_safe, 0);
        atomic_store(&b->told->n_placed, 0);
        atomic_store(&b->told->n_released, 0);
        shell(b, "rm -rf live && cp -a first live");
        rc = in_child(b, p->work, n);
        assert_true(rc == 0 || rc == KILLED);
        look(b, p, rc == KILLED);
    }
    print_message("%s: %d steps\n", p->name, n - 2);
    if (n - 2 < p->least_steps)
        fail_msg("%s: only %d steps were seen", p->name, n - 2);
}

static void run_named(struct bench *b, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(procedures); i++)
        if (strcmp(procedures[i].name, name) == 0)
            run_procedure(b, &procedures[i]);
}

#define RUNS(fn, name)                                                                             \
    static void fn(void **state)                                                                   \
    {                                                                                              \
        run_named(*state, name);                                                                   \
    }
RUNS(killed_while_recording, "Record")
RUNS(killed_while_closing, "Close")
RUNS(killed_while_a_write_fails, "A write fails")
RUNS(killed_while_recovering, "Recover")
RUNS(killed_while_deleting, "Delete")
RUNS(killed_while_thinning, "Thin")
RUNS(killed_while_rebuilding, "Rebuild the index")
RUNS(killed_while_taking_a_volume, "Take a new volume")
RUNS(killed_while_holding, "Hold")

/* --- the document and the table tell of the same --- */

static bool is_in_table(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(procedures); i++)
        if (strcmp(procedures[i].name, name) == 0)
            return true;
    return false;
}

static void every_procedure_of_the_document_is_killed(void **state)
{
    char line[512], name[80];
    bool is_procedures = false;
    size_t n = 0, n_names = 0;
    FILE *f = fopen(SOURCE_DIR "/docs/design/0002-recording-lifecycle.md", "re");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "## ", 3) == 0)
            is_procedures = strcmp(line, "## Procedures\n") == 0;
        if (!is_procedures || sscanf(line, "**%79[^*]**", name) != 1)
            continue;
        n++;
        if (!is_in_table(name))
            fail_msg("%s: a procedure that no test kills at every step", name);
    }
    fclose(f);
    for (size_t i = 0; i < ARRAY_LEN(procedures); i++)
        n_names += i == 0 || strcmp(procedures[i].name, procedures[i - 1].name) != 0;
    assert_int_equal(n, n_names);
}

/* --- single cases --- */

static int job_keep_open(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db,
                   "INSERT INTO open_segments(camera, stream, from_us, n, volume, began, doomed)"
                   " SELECT camera, stream, from_us, n, volume, began, 0 FROM segments;"
                   "DELETE FROM segments",
                   err);
}

/* The row of the finished segment never arrived: the file tells everything. */
static void a_closed_file_without_its_row_is_adopted(void **state)
{
    struct bench *b = *state;
    struct rig *rig = b->rig;
    struct segment_row before[8], after[8];
    shell(b, "mkdir live");
    rig_open(rig);
    rig_record(rig, "cam");
    rig_pictures(rig, 250, GROUP);
    rig_stop(rig);
    size_t n = rig_rows(rig, before, 8);
    assert_int_equal(catalogue_write(rig->catalogue, job_keep_open, NULL, NULL), 0);
    rig_close(rig);
    rig_open(rig);
    assert_int_equal(rig_rows(rig, after, 8), n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&before[i], &after[i], sizeof before[i]);
    rig_check(rig);
}

/* Without the key nobody can tell whether the newest fragments are what was written; they stay. */
static void a_lost_key_costs_no_recording(void **state)
{
    static const uint8_t another[CHAIN_KEY_BYTES] = {1};
    struct bench *b = *state;
    struct rig *rig = b->rig;
    shell(b, "mkdir live");
    assert_int_equal(in_child(b, crash, 0), 0);
    rig->params.secret = another;
    rig_open(rig);
    assert_int_equal(rig_check(rig), 8 * GROUP);
}

static bool is_failed(struct rig *rig)
{
    return !is_back(rig);
}

/* What the system could not write when a sync failed it drops, and the next sync says nothing. */
static void a_sync_that_failed_is_not_believed_later(void **state)
{
    struct bench *b = *state;
    struct rig *rig = b->rig;
    struct segment_row rows[4];
    struct index_report report;
    int n_problems = 0;
    shell(b, "mkdir live");
    rig_open(rig);
    rig_record(rig, "cam");
    publish(rig, 2);
    atomic_store(&rig->disk.sync_error, -EIO);
    rig_pictures(rig, GROUP, GROUP);
    rig_wait(rig, is_failed);
    rig_wait(rig, rig_is_written);
    shell(b, "f=$(find live/rec -name '*.mp4') && "
             "dd if=/dev/zero of=$f bs=1 count=9 conv=notrunc status=none "
             "seek=$(($(stat -c %s $f) - 3000))");
    atomic_store(&rig->disk.sync_error, 0);
    rig_wait(rig, is_back);
    rig_pictures(rig, 2 * GROUP, GROUP);
    rig_stop(rig);
    assert_int_equal(rig_rows(rig, rows, 4), 2);
    assert_int_equal(rows[0].frames, GROUP);
    assert_int_equal(rows[0].ended, SEGMENT_DISK);
    assert_int_equal(
        storage_index_check(rig->storage, true, on_problem, &n_problems, &report, NULL), 0);
    assert_int_equal(n_problems, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_procedure_of_the_document_is_killed),
        TEST(killed_while_recording),
        TEST(killed_while_closing),
        TEST(killed_while_a_write_fails),
        TEST(killed_while_recovering),
        TEST(killed_while_deleting),
        TEST(killed_while_thinning),
        TEST(killed_while_rebuilding),
        TEST(killed_while_taking_a_volume),
        TEST(killed_while_holding),
        TEST(a_closed_file_without_its_row_is_adopted),
        TEST(a_lost_key_costs_no_recording),
        TEST(a_sync_that_failed_is_not_believed_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
