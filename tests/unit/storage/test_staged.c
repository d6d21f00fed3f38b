/* Catalogues that take each other's place: staged, salvaged, damaged, on a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/catalogue.h"
#include "storage/data_lock.h"
#include "storage/db_district.h"
#include "storage/db_priv.h"
#include "storage/db_schema.h"
#include "storage/db_segments.h"
#include "storage/staged.h"

struct rig {
    char dir[64];
    struct catalogue *catalogue;
    char lost[512]; /* tables that were not read whole */
    int64_t n_cameras;
};

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    log_set_level(LOG_ERROR);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rk-staged-XXXXXX");
    if (mkdtemp(rig->dir) == NULL)
        return -1;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char cmd[128];
    catalogue_close(&rig->catalogue);
    snprintf(cmd, sizeof cmd, "rm -rf %s", rig->dir);
    int rc = system(cmd);
    free(rig);
    return rc;
}

/* --- small things --- */

static char *in(const struct rig *rig, const char *name)
{
    return xasprintf("%s/%s", rig->dir, name);
}

static void write_file(const struct rig *rig, const char *name, const char *text)
{
    char *path = in(rig, name);
    char *cut = strrchr(path, '/');
    *cut = '\0';
    mkdir(path, 0700);
    *cut = '/';
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

static void expect_file(const struct rig *rig, const char *name, const char *text)
{
    char *path = in(rig, name), have[64] = "(none)";
    FILE *f = fopen(path, "r");
    if (f != NULL) {
        if (fgets(have, sizeof have, f) == NULL)
            have[0] = '\0';
        fclose(f);
    }
    assert_string_equal(have, text != NULL ? text : "(none)");
    free(path);
}

static void open_it(struct rig *rig)
{
    struct err err = {0};
    if (catalogue_open(rig->dir, clock_system(), &rig->catalogue, &err) < 0)
        fail_msg("%s", err.msg);
}

/* --- staging --- */

static void stage(struct rig *rig, const char *text)
{
    char dir[256];
    struct err err = {0};
    assert_int_equal(staged_begin(rig->dir, dir, sizeof dir, &err), 0);
    char *name = xasprintf("restore.new/catalog.db");
    write_file(rig, name, text);
    free(name);
    write_file(rig, "restore.new/keys/a.key", text);
    write_file(rig, "restore.new/keys/b.key", text);
    if (staged_commit(rig->dir, "kept", &err) < 0)
        fail_msg("%s", err.msg);
}

static void write_old(struct rig *rig)
{
    write_file(rig, "catalog.db", "old");
    write_file(rig, "catalog.db-wal", "old log");
    write_file(rig, "keys/a.key", "old");
    write_file(rig, "keys/c.key", "mine");
}

static void expect_taken_over(struct rig *rig)
{
    expect_file(rig, "catalog.db", "new");
    expect_file(rig, "catalog.db-wal", NULL);
    expect_file(rig, "keys/a.key", "new");
    expect_file(rig, "keys/b.key", "new");
    expect_file(rig, "keys/c.key", "mine");
    expect_file(rig, "kept/catalog.db", "old");
    expect_file(rig, "kept/catalog.db-wal", "old log");
    expect_file(rig, "kept/keys/a.key", "old");
    assert_false(staged_is_waiting(rig->dir));
}

static void what_waits_takes_the_place_and_what_was_there_is_kept(void **state)
{
    struct rig *rig = *state;
    char aside[256];
    write_old(rig);
    assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 0);
    stage(rig, "never");
    stage(rig, "new"); /* the later one counts */
    expect_file(rig, "catalog.db", "old");
    assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 1);
    assert_true(str_ends(aside, "/kept"));
    expect_taken_over(rig);
    assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 0);
    expect_taken_over(rig);
}

/* In every state that a kill can leave: what was moved already is moved, the rest is not. */
static void killed_in_between_it_goes_on(void **state)
{
    static const char *const moved[][2] = {
        {"catalog.db-wal", "kept/catalog.db-wal"}, {"catalog.db", "kept/catalog.db"},
        {"restore/catalog.db", "catalog.db"},      {"keys/a.key", "kept/keys/a.key"},
        {"restore/keys/a.key", "keys/a.key"},      {"restore/keys/b.key", "keys/b.key"},
    };
    struct rig *rig = *state;
    for (size_t n = 1; n <= ARRAY_LEN(moved); n++) {
        char cmd[256], aside[256];
        snprintf(cmd, sizeof cmd, "rm -rf %s/* && mkdir -p %s/kept/keys", rig->dir, rig->dir);
        assert_int_equal(system(cmd), 0);
        write_old(rig);
        stage(rig, "new");
        for (size_t i = 0; i < n; i++) {
            char *from = in(rig, moved[i][0]), *to = in(rig, moved[i][1]);
            assert_int_equal(rename(from, to), 0);
            free(from);
            free(to);
        }
        assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 1);
        expect_taken_over(rig);
    }
}

static void a_restore_that_was_begun_changes_nothing(void **state)
{
    struct rig *rig = *state;
    char dir[256], aside[256];
    write_old(rig);
    assert_int_equal(staged_begin(rig->dir, dir, sizeof dir, NULL), 0);
    write_file(rig, "restore.new/catalog.db", "half");
    assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 0);
    expect_file(rig, "catalog.db", "old");
    stage(rig, "new");
    staged_discard(rig->dir);
    assert_int_equal(staged_apply(rig->dir, aside, sizeof aside, NULL), 0);
    expect_file(rig, "catalog.db", "old");
}

static void the_lock_tells_who_has_it(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    char pid[32];
    assert_false(data_lock_is_taken(rig->dir));
    int fd = data_lock_take(rig->dir, &err);
    assert_true(fd >= 0);
    assert_true(data_lock_is_taken(rig->dir));
    assert_int_equal(data_lock_take(rig->dir, &err), ERR_BUSY);
    snprintf(pid, sizeof pid, "process %ld)", (long)getpid());
    assert_non_null(strstr(err.msg, pid));
    close(fd);
    assert_false(data_lock_is_taken(rig->dir));
}

/* A command beside a server must not write into a catalogue that is about to go. */
static void a_command_does_not_use_a_catalogue_that_is_about_to_go(void **state)
{
    struct rig *rig = *state;
    char dir[256];
    open_it(rig);
    assert_int_equal(staged_begin(rig->dir, dir, sizeof dir, NULL), 0);
    char *copy = xasprintf("%s/catalog.db", dir);
    assert_int_equal(catalogue_backup(rig->catalogue, copy, NULL), 0);
    free(copy);
    assert_int_equal(staged_commit(rig->dir, "kept", NULL), 0);
    struct catalogue *beside = NULL;
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &beside, NULL), 0);
    catalogue_close(&beside);
    catalogue_close(&rig->catalogue);
    assert_int_equal(catalogue_open_shared(rig->dir, clock_system(), &beside, NULL),
                     ERR_UNSUPPORTED);
    open_it(rig);
    assert_false(staged_is_waiting(rig->dir));
    expect_file(rig, "kept/aside", NULL);
}

/* --- damage --- */

enum { N_CAMERAS = 3000 };

static int job_fill(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    struct institution_row i = {.id = "i-1",
                                .name = "一号园",
                                .type = "",
                                .township_id = "t-1",
                                .address = "",
                                .contact = "",
                                .phone = "",
                                .external_id = ""};
    int64_t key;
    int rc = db_township_put(db, &(struct township_row){"t-1", "甲镇"}, PUT_NEW, err);
    if (rc == 0)
        rc = db_institution_put(db, &i, PUT_NEW, err);
    for (int k = 0; k < N_CAMERAS && rc == 0; k++) {
        char id[32];
        snprintf(id, sizeof id, "camera-%05d", k);
        struct camera_row c = {.id = id,
                               .name = id,
                               .institution_id = "i-1",
                               .area = "",
                               .area_type = "other",
                               .main_url = "rtsp://127.0.0.1/a-long-enough-address-of-a-stream",
                               .sub_url = "",
                               .username = "",
                               .transport = "auto",
                               .record = "main"};
        rc = db_camera_put(db, &c, PUT_NEW, err);
        if (rc == 0)
            rc = db_camera_key(db, id, true, &key, err);
    }
    if (rc == 0)
        rc = db_exec(db,
                     "INSERT INTO states(camera, stream, from_us, cause, reachable, advancing,"
                     " recording) SELECT key, 0, 1, 'ok', 1, 1, 1 FROM camera_keys;"
                     "INSERT INTO segments(camera, stream, from_us, n, to_us, volume, bytes,"
                     " frames, lost_packets, began, ended) SELECT key, 0, 1, 1, 2, 1, 1, 1, 0, 0, 0"
                     " FROM camera_keys",
                     err);
    return rc;
}

static int64_t scalar(struct db *db, const char *sql, struct err *err)
{
    struct stmt *s = db_stmt(db, sql, err);
    if (s == NULL)
        return -1;
    int64_t v = stmt_step(s, err) == 1 ? stmt_i64(s, 0) : -1;
    stmt_done(s);
    return v;
}

static int job_roots(struct db *db, void *ctx, struct err *err)
{
    int64_t *roots = ctx;
    roots[0] = scalar(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'cameras'", err);
    roots[1] = scalar(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'segments'", err);
    roots[2] = scalar(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'camera_keys'", err);
    roots[3] = scalar(db, "PRAGMA page_size", err);
    return 0;
}

/* Offset of a leaf in the middle of an index tree (file format of SQLite, 1.6): the cells of an
 * interior page begin with the number of a page below. */
static int64_t leaf_of(int fd, int64_t root, int64_t page_bytes)
{
    uint8_t p[65536];
    assert_in_range(page_bytes, 512, sizeof p);
    for (;;) {
        assert_int_equal(pread(fd, p, (size_t)page_bytes, (root - 1) * page_bytes), page_bytes);
        if (p[0] != 2)
            return (root - 1) * page_bytes;
        int middle = (p[3] << 8 | p[4]) / 2;
        const uint8_t *cell = p + (p[12 + 2 * middle] << 8 | p[13 + 2 * middle]);
        root = (int64_t)cell[0] << 24 | cell[1] << 16 | cell[2] << 8 | cell[3];
    }
}

/* A catalogue with a district, closed; the pages of some tables are destroyed. */
static void make_damaged(struct rig *rig, const char *what)
{
    int64_t roots[4] = {0};
    struct err err = {0};
    open_it(rig);
    if (catalogue_write(rig->catalogue, job_fill, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(catalogue_read(rig->catalogue, job_roots, roots, NULL), 0);
    catalogue_close(&rig->catalogue);
    char *path = in(rig, "catalog.db"), junk[4096];
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    memset(junk, 0x5a, sizeof junk);
    int64_t page = roots[3], at = -1;
    if (strcmp(what, "header") == 0)
        at = 0;
    else if (strcmp(what, "segments") == 0)
        at = (roots[1] - 1) * page;
    else if (strcmp(what, "cameras") == 0) {
        at = leaf_of(fd, roots[0], page);
    }
    if (strcmp(what, "rows") == 0) /* every page but the first, which has the tables' names */
        for (at = page; at < lseek(fd, 0, SEEK_END); at += page)
            assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    else if (strcmp(what, "cut") == 0)
        assert_int_equal(ftruncate(fd, 10 * page), 0);
    else
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
    free(path);
}

static void on_table(void *ctx, const char *table, int64_t n_saved, bool is_whole)
{
    struct rig *rig = ctx;
    if (strcmp(table, "cameras") == 0)
        rig->n_cameras = n_saved;
    if (!is_whole)
        snprintf(rig->lost + strlen(rig->lost), sizeof rig->lost - strlen(rig->lost), "%s ", table);
}

static int job_counts(struct db *db, void *ctx, struct err *err)
{
    int64_t *n = ctx;
    n[0] = scalar(db, "SELECT count(*) FROM cameras", err);
    n[1] = scalar(db, "SELECT count(*) FROM states", err);
    n[2] = scalar(db, "SELECT count(*) FROM segments", err);
    n[3] = scalar(db, "SELECT count(*) FROM institutions", err);
    return 0;
}

static void a_damaged_catalogue_is_named_with_what_to_do(void **state)
{
    static const char *const kinds[] = {"header", "cut", "cameras"};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char cmd[128];
        struct err err = {0};
        snprintf(cmd, sizeof cmd, "rm -rf %s/*", rig->dir);
        assert_int_equal(system(cmd), 0);
        make_damaged(rig, kinds[i]);
        assert_int_equal(catalogue_open(rig->dir, clock_system(), &rig->catalogue, &err),
                         ERR_PARSE);
        assert_non_null(strstr(err.msg, "catalog.db is damaged"));
        assert_non_null(strstr(err.msg, "recordings are not touched"));
        assert_non_null(strstr(err.msg, "index rebuild"));
        assert_non_null(strstr(err.msg, "restore"));
    }
}

static void what_can_be_read_of_a_damaged_catalogue_is_saved(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    char aside[256] = "";
    int64_t n[4] = {0};
    make_damaged(rig, "cameras");
    if (catalogue_salvage(rig->dir, clock_system(), on_table, rig, aside, sizeof aside, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(rig->lost, "cameras ");
    assert_true(rig->n_cameras < N_CAMERAS && rig->n_cameras > N_CAMERAS * 9 / 10);
    assert_non_null(strstr(aside, "/damaged-"));
    char *kept = xasprintf("%s/catalog.db", aside);
    assert_int_equal(access(kept, F_OK), 0);
    free(kept);
    open_it(rig);
    assert_int_equal(catalogue_read(rig->catalogue, job_counts, n, NULL), 0);
    assert_int_equal(n[0], rig->n_cameras);
    assert_int_equal(n[1], N_CAMERAS); /* their states are known by number */
    assert_int_equal(n[2], 0);         /* the files tell again */
    assert_int_equal(n[3], 1);
}

static void damage_to_the_segments_alone_loses_nothing_else(void **state)
{
    struct rig *rig = *state;
    char aside[256];
    int64_t n[4] = {0};
    make_damaged(rig, "segments");
    open_it(rig); /* nobody looks at 20 million rows at start */
    catalogue_close(&rig->catalogue);
    assert_int_equal(
        catalogue_salvage(rig->dir, clock_system(), on_table, rig, aside, sizeof aside, NULL), 0);
    assert_string_equal(rig->lost, "");
    open_it(rig);
    assert_int_equal(catalogue_read(rig->catalogue, job_counts, n, NULL), 0);
    assert_int_equal(n[0], N_CAMERAS);
}

static void where_nothing_can_be_read_nothing_is_changed(void **state)
{
    static const char *const kinds[] = {"header", "rows"};
    struct rig *rig = *state;
    char aside[256];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct err err = {0};
        int64_t n[4] = {-1, -1, -1, -1};
        make_damaged(rig, kinds[i]);
        assert_int_equal(
            catalogue_salvage(rig->dir, clock_system(), on_table, rig, aside, sizeof aside, &err),
            ERR_PARSE);
        assert_int_equal(catalogue_open(rig->dir, clock_system(), &rig->catalogue, NULL),
                         ERR_PARSE);
        /* an empty one, when somebody says so */
        assert_int_equal(
            catalogue_salvage(rig->dir, clock_system(), NULL, NULL, aside, sizeof aside, &err), 0);
        open_it(rig);
        assert_int_equal(catalogue_read(rig->catalogue, job_counts, n, NULL), 0);
        assert_int_equal(n[0], 0);
        catalogue_close(&rig->catalogue);
    }
}

static int job_touch_segments(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "UPDATE segments SET n = n + 1000", err);
}

static int job_setting(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "INSERT OR REPLACE INTO settings VALUES('a', 'b')", err);
}

static void damage_found_at_run_time_is_remembered(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    make_damaged(rig, "segments");
    open_it(rig);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_FINE);
    assert_int_equal(catalogue_write(rig->catalogue, job_touch_segments, NULL, &err), ERR_PARSE);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_DAMAGED);
    assert_int_equal(catalogue_write(rig->catalogue, job_setting, NULL, NULL), 0);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_DAMAGED);
}

static int job_no_room(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    scalar(db, "PRAGMA max_page_count = 1", err); /* as many as there are */
    return 0;
}

static int job_room(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    scalar(db, "PRAGMA max_page_count = 1000000", err);
    return 0;
}

struct told {
    struct loop *loop;
    struct rig *rig;
    enum catalogue_trouble newest;
    int n;
};

static void on_trouble(void *ctx)
{
    struct told *t = ctx;
    t->newest = catalogue_trouble(t->rig->catalogue);
    t->n++;
}

static void a_full_disk_is_told_and_forgotten_when_there_is_room(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    struct told told = {.rig = rig, .loop = loop_create(&(struct loop_params){.name = "told"})};
    int64_t n[4];
    open_it(rig);
    catalogue_on_trouble(rig->catalogue, told.loop, on_trouble, &told);
    assert_int_equal(catalogue_write(rig->catalogue, job_no_room, NULL, NULL), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_fill, NULL, &err), -ENOSPC);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_FULL);
    assert_non_null(strstr(catalogue_trouble_text(CATALOGUE_FULL), "full"));
    assert_non_null(strstr(catalogue_trouble_advice(CATALOGUE_FULL), "make room"));
    loop_turn(told.loop, false);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.newest, CATALOGUE_FULL);
    assert_int_equal(catalogue_read(rig->catalogue, job_counts, n, NULL), 0);
    assert_int_equal(n[0], 0); /* and the job left nothing behind */
    assert_int_equal(catalogue_write(rig->catalogue, job_room, NULL, NULL), 0);
    assert_int_equal(catalogue_write(rig->catalogue, job_fill, NULL, NULL), 0);
    assert_int_equal(catalogue_trouble(rig->catalogue), CATALOGUE_FINE);
    assert_int_equal(catalogue_write(rig->catalogue, job_setting, NULL, NULL), 0);
    loop_turn(told.loop, false);
    assert_int_equal(told.n, 2); /* once per change */
    assert_int_equal(told.newest, CATALOGUE_FINE);
    loop_destroy(&told.loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_takes_the_place_and_what_was_there_is_kept),
        TEST(killed_in_between_it_goes_on),
        TEST(a_restore_that_was_begun_changes_nothing),
        TEST(the_lock_tells_who_has_it),
        TEST(a_command_does_not_use_a_catalogue_that_is_about_to_go),
        TEST(a_damaged_catalogue_is_named_with_what_to_do),
        TEST(what_can_be_read_of_a_damaged_catalogue_is_saved),
        TEST(damage_to_the_segments_alone_loses_nothing_else),
        TEST(where_nothing_can_be_read_nothing_is_changed),
        TEST(damage_found_at_run_time_is_remembered),
        TEST(a_full_disk_is_told_and_forgotten_when_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
