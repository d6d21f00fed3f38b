#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "storage/catalogue.h"
#include "storage/db_priv.h"
#include "storage/db_schema.h"

struct rig {
    char dir[64];
    char file[96];
    struct catalogue *catalogue;
    struct loop *loop;
    int n_done, n_failed;
};

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    log_set_level(LOG_ERROR);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rk-catalogue-XXXXXX");
    if (mkdtemp(rig->dir) == NULL)
        return -1;
    snprintf(rig->file, sizeof rig->file, "%s/catalog.db", rig->dir);
    rig->loop = loop_create(NULL);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char cmd[128];
    catalogue_close(&rig->catalogue);
    loop_destroy(&rig->loop);
    snprintf(cmd, sizeof cmd, "rm -rf %s", rig->dir);
    int rc = system(cmd);
    free(rig);
    return rc;
}

static void open_catalogue(struct rig *rig)
{
    struct err err = {0};
    if (catalogue_open(rig->dir, clock_system(), &rig->catalogue, &err) < 0)
        fail_msg("%s", err.msg);
}

static int job_add(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "INSERT INTO settings(key, value) VALUES(?1, 'x')", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_text(s, 1, ctx);
    return stmt_run(s, err);
}

static int job_add_then_fail(struct db *db, void *ctx, struct err *err)
{
    int rc = job_add(db, ctx, err);
    return rc < 0 ? rc : err_text(err, ERR_INVALID, "on purpose");
}

static int job_count(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT count(*) FROM settings", err);
    if (s == NULL)
        return -EIO;
    int rc = stmt_step(s, err);
    *(int64_t *)ctx = stmt_i64(s, 0);
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

static int64_t count(struct rig *rig)
{
    int64_t n = -1;
    assert_int_equal(catalogue_read(rig->catalogue, job_count, &n, NULL), 0);
    return n;
}

static int job_answer(struct db *db, void *ctx, struct err *err)
{
    int rc = job_add(db, ctx, err);
    return rc < 0 ? rc : 42;
}

static void a_failing_job_undoes_only_itself(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    open_catalogue(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "a", &err), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_add_then_fail, "b", &err), ERR_INVALID);
    assert_string_equal(err.msg, "on purpose");
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "a", &err), ERR_CONFLICT);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "c", &err), 0);
    assert_int_equal(count(rig), 2);
    assert_int_equal(catalogue_write(rig->catalogue, job_answer, "d", &err), 42);
}

static struct rig *posted_rig;

static void on_done(void *ctx, const struct err *err)
{
    (void)ctx;
    posted_rig->n_done++;
    posted_rig->n_failed += err != NULL;
}

static void posted_jobs_report_to_their_loop(void **state)
{
    struct rig *rig = *state;
    char names[300][16];
    posted_rig = rig;
    open_catalogue(rig);
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "%d", i / 2); /* every second one is a double */
        assert_int_equal(catalogue_post(rig->catalogue, job_add, names[i], rig->loop, on_done), 0);
    }
    while (rig->n_done < 300)
        loop_turn(rig->loop, true);
    assert_int_equal(rig->n_failed, 150);
    assert_int_equal(count(rig), 150);
}

static void closing_applies_what_was_posted(void **state)
{
    struct rig *rig = *state;
    open_catalogue(rig);
    assert_int_equal(catalogue_post(rig->catalogue, job_add, "late", NULL, NULL), 0);
    catalogue_close(&rig->catalogue);
    open_catalogue(rig);
    assert_int_equal(count(rig), 1);
}

static int job_write_from_a_reader(struct db *db, void *ctx, struct err *err)
{
    return job_add(db, ctx, err);
}

static void readers_cannot_write(void **state)
{
    struct rig *rig = *state;
    open_catalogue(rig);
    assert_true(catalogue_read(rig->catalogue, job_write_from_a_reader, "x", NULL) < 0);
    assert_int_equal(count(rig), 0);
}

/* --- threads --- */

struct crowd {
    struct rig *rig;
    int id;
    atomic_int *n_bad;
};

static int job_count_twice(struct db *db, void *ctx, struct err *err)
{
    int64_t first = -1, second = -2;
    int rc = job_count(db, &first, err);
    if (rc == 0)
        rc = job_count(db, &second, err);
    *(bool *)ctx = first == second;
    return rc;
}

static void crowd_work(void *ctx)
{
    struct crowd *c = ctx;
    for (int i = 0; i < 40; i++) {
        char name[24];
        bool is_same = false;
        snprintf(name, sizeof name, "%d-%d", c->id, i);
        if (catalogue_write(c->rig->catalogue, job_add, name, NULL) < 0 ||
            catalogue_read(c->rig->catalogue, job_count_twice, &is_same, NULL) < 0 || !is_same)
            atomic_fetch_add(c->n_bad, 1);
    }
}

static void threads_read_snapshots_while_others_write(void **state)
{
    struct rig *rig = *state;
    struct crowd crowd[8];
    atomic_int n_bad = 0;
    open_catalogue(rig);
    struct pool *pool = pool_create(&(struct pool_params){.n_threads = 8});
    for (int i = 0; i < 8; i++) {
        crowd[i] = (struct crowd){rig, i, &n_bad};
        assert_true(pool_submit(pool, crowd_work, NULL, NULL, &crowd[i]));
    }
    pool_destroy(&pool);
    assert_int_equal(atomic_load(&n_bad), 0);
    assert_int_equal(count(rig), 320);
}

/* --- the lock --- */

static void a_second_server_is_told_who_is_first(void **state)
{
    struct rig *rig = *state;
    struct catalogue *second = NULL;
    struct err err = {0};
    char pid[32];
    open_catalogue(rig);
    assert_int_equal(catalogue_open(rig->dir, clock_system(), &second, &err), ERR_BUSY);
    assert_null(second);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.msg, pid));
    assert_non_null(strstr(err.msg, rig->dir));
    catalogue_close(&rig->catalogue);
    open_catalogue(rig);
}

static void tools_may_come_beside_the_server(void **state)
{
    struct rig *rig = *state;
    struct catalogue *tool = NULL;
    struct err err = {0};
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &tool, &err), ERR_NOT_FOUND);
    open_catalogue(rig);
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &tool, &err), 0);
    assert_int_equal(catalogue_write(tool, job_add, "from the tool", &err), 0);
    catalogue_close(&tool);
    assert_int_equal(count(rig), 1);
}

static void a_backup_is_a_catalogue(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    char path[128];
    struct db *db;
    int64_t n = 0;
    open_catalogue(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "kept", &err), 0);
    snprintf(path, sizeof path, "%s/backup.db", rig->dir);
    if (catalogue_backup(rig->catalogue, path, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(db__open(path, false, &db, &err), 0);
    assert_int_equal(job_count(db, &n, &err), 0);
    assert_int_equal(n, 1);
    db__close(&db);
}

static int job_page_bytes(struct db *db, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db, "PRAGMA page_size", err);
    if (s == NULL)
        return -1;
    int rc = stmt_step(s, err) == 1 ? 0 : -1;
    *(int64_t *)ctx = stmt_i64(s, 0);
    stmt_done(s);
    return rc;
}

/* A file keeps the pages that it was made with, and a copy of it has those of today. */
static void a_backup_has_pages_of_todays_size(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct db *db;
    int64_t n = 0, was_bytes = 0, is_bytes = 0;
    assert_int_equal(db__open(rig->file, false, &db, NULL), 0);
    assert_int_equal(
        db_exec(db, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM", NULL), 0);
    db__close(&db);
    open_catalogue(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "kept", NULL), 0);
    assert_int_equal(catalogue_read(rig->catalogue, job_page_bytes, &was_bytes, NULL), 0);
    snprintf(path, sizeof path, "%s/backup.db", rig->dir);
    assert_int_equal(catalogue_backup(rig->catalogue, path, NULL), 0);
    assert_int_equal(db__open(path, false, &db, NULL), 0);
    assert_int_equal(job_page_bytes(db, &is_bytes, NULL), 0);
    assert_int_equal(job_count(db, &n, NULL), 0);
    db__close(&db);
    assert_int_equal(was_bytes, 4096);
    assert_int_equal(is_bytes, 16384);
    assert_int_equal(n, 1);
}

/* What is written goes to a file without a name. */
static void a_file_that_was_removed_is_told_and_put_back(void **state)
{
    struct rig *rig = *state;
    open_catalogue(rig);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "a", NULL), 0);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_FINE);
    assert_int_equal(unlink(rig->file), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_add, "b", NULL), 0);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_REMOVED);
    catalogue_close(&rig->catalogue);
    open_catalogue(rig);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_FINE);
    assert_int_equal(count(rig), 2);
}

static void a_broken_file_is_an_error(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    FILE *f = fopen(rig->file, "wb");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", f);
    fclose(f);
    assert_int_equal(catalogue_open(rig->dir, clock_system(), &rig->catalogue, &err), ERR_PARSE);
    assert_non_null(strstr(err.msg, rig->file));
}

/* --- migrations --- */

/* Something in each version's tables that must survive. */
static const char *const relics[] = {
    [1] = "INSERT INTO townships VALUES('t1', 'Town');"
          "INSERT INTO institutions(id, name, township_id) VALUES('i1', 'Inst', 't1');"
          "INSERT INTO cameras(id, name, institution_id) VALUES('c1', 'Cam', 'i1');",
    [2] = "INSERT INTO camera_keys VALUES(1, 'c1');"
          "INSERT INTO volumes VALUES(1, 'u1', '/a');"
          "INSERT INTO segments VALUES(1, 0, 1000, 1, 2000, 1, 10, 5, 0, 0, 1);",
    [3] = "INSERT INTO states(camera, stream, from_us, cause, reachable, advancing, recording)"
          " VALUES(1, 0, 1000, 'ok', 1, 1, 1);",
    [4] = "INSERT INTO volumes(key, uuid, path) VALUES(2, 'u2', '/b');"
          "INSERT INTO segments VALUES(1, 0, 5000, 2, 6000, 2, 70, 5, 0, 0, 1);",
    [5] = "INSERT INTO segments VALUES(1, 0, 8000, 3, 9000, 2, 70, 5, 0, 0, 1, '8100-8200 ');",
    [6] = "INSERT INTO states(camera, stream, from_us, cause, reachable, advancing, recording,"
          " evidence_us) VALUES(1, 1, 2000, 'timeout', 0, 0, 0, 1999);",
    [7] = "INSERT INTO holds(id, camera, from_us, to_us, user, created_us, released_us)"
          " VALUES('h1', 1, 1000, 2000, 'admin', 3000, 4000);"
          "INSERT INTO chains VALUES(1, 0, 1000, 1, 0, 1000, 1, x'00');",
    [8] = "INSERT INTO watched VALUES(1, 1000, 2000);",
    [9] =
        "INSERT INTO states(camera, stream, from_us, cause, reachable, advancing, recording, asked)"
        " VALUES(1, 2, 3000, 'ok', 1, 1, 0, 0);",
};
static const char *const relic_counts[] = {
    [1] = "SELECT count(*) FROM cameras",
    [2] = "SELECT bytes = 10 AND segments = 1 FROM volumes WHERE key = 1",
    [3] = "SELECT count(*) FROM states WHERE stream = 0",
    [4] = "SELECT bytes >= 70 AND segments >= 1 FROM volumes WHERE key = 2",
    [5] = "SELECT holes = '8100-8200 ' FROM segments WHERE n = 3",
    [6] = "SELECT evidence_us = 1999 FROM states WHERE stream = 1",
    [7] = "SELECT (SELECT released_us FROM holds) = 4000 AND (SELECT segments FROM chains) = 1",
    [8] = "SELECT to_us = 2000 FROM watched",
    [9] = "SELECT asked = 0 FROM states WHERE stream = 2",
};

static int64_t ask(struct db *db, const char *sql)
{
    struct stmt *s = db_stmt(db, sql, NULL);
    assert_non_null(s);
    assert_int_equal(stmt_step(s, NULL), 1);
    int64_t n = stmt_i64(s, 0);
    stmt_done(s);
    return n;
}

static void every_older_version_is_brought_up(void **state)
{
    struct rig *rig = *state;
    /* a new migration needs its relic here */
    assert_int_equal(ARRAY_LEN(relics), db_schema_version() + 1);
    for (size_t version = 0; version <= db_schema_version(); version++) {
        struct db *db;
        struct err err = {0};
        unlink(rig->file);
        assert_int_equal(db__open(rig->file, false, &db, &err), 0);
        for (size_t v = 1; v <= version; v++) {
            assert_int_equal(db_migrate_to(db, v, &err), 0);
            assert_int_equal(db_exec(db, relics[v], &err), 0);
        }
        db__close(&db);
        assert_int_equal(db__open(rig->file, false, &db, &err), 0);
        assert_int_equal(db_migrate(db, &err), 0);
        assert_int_equal(ask(db, "PRAGMA user_version"), db_schema_version());
        for (size_t v = 1; v <= version; v++)
            assert_int_equal(ask(db, relic_counts[v]), 1);
        db__close(&db);
    }
}

static void a_newer_version_is_left_alone(void **state)
{
    struct rig *rig = *state;
    struct db *db;
    struct err err = {0};
    assert_int_equal(db__open(rig->file, false, &db, &err), 0);
    assert_int_equal(db_exec(db, "PRAGMA user_version = 1000", &err), 0);
    db__close(&db);
    assert_int_equal(catalogue_open(rig->dir, clock_system(), &rig->catalogue, &err),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "newer"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failing_job_undoes_only_itself),
        TEST(posted_jobs_report_to_their_loop),
        TEST(closing_applies_what_was_posted),
        TEST(readers_cannot_write),
        TEST(threads_read_snapshots_while_others_write),
        TEST(a_second_server_is_told_who_is_first),
        TEST(tools_may_come_beside_the_server),
        TEST(a_backup_is_a_catalogue),
        TEST(a_backup_has_pages_of_todays_size),
        TEST(a_file_that_was_removed_is_told_and_put_back),
        TEST(a_broken_file_is_an_error),
        TEST(every_older_version_is_brought_up),
        TEST(a_newer_version_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
