/* Backups: what is in one comes back, what is not whole is refused. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "server/backup.h"
#include "server/tar.h"

static void a_header_that_was_written_is_read(void **state)
{
    (void)state;
    const struct tar_entry cases[] = {
        {.name = "a", .bytes = 0, .mode = 0600},
        {.name = "keys/camera.key", .bytes = 8589934591, .mtime_s = 1790000000, .mode = 0644},
        {.name = "catalog.db", .bytes = 8589934592, .mtime_s = 1790000000, .mode = 0600},
        {.name = "catalog.db", .bytes = UINT64_C(1) << 40, .mtime_s = 1, .mode = 0600},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t block[TAR_BLOCK];
        struct tar_entry e;
        tar_write_header(&cases[i], block);
        assert_int_equal(tar_read_header(block, &e), 1);
        assert_string_equal(e.name, cases[i].name);
        assert_true(e.bytes == cases[i].bytes && e.mtime_s == cases[i].mtime_s);
        assert_int_equal(e.mode, cases[i].mode);
        block[3] ^= 1;
        assert_int_equal(tar_read_header(block, &e), ERR_PARSE);
    }
    uint8_t zeros[TAR_BLOCK] = {0};
    struct tar_entry e;
    assert_int_equal(tar_read_header(zeros, &e), 0);
}

struct rig {
    char *dir, *data, *file, *out, *keys;
};

static int setup(void **state)
{
    struct rig *r = xcalloc(1, sizeof *r);
    struct catalogue *c = NULL;
    struct backup_facts facts;
    struct err err = {0};
    r->dir = unit_folder();
    r->data = xasprintf("%s/data", r->dir);
    r->file = xasprintf("%s/b.tar", r->dir);
    r->out = xasprintf("%s/out", r->dir);
    r->keys = xasprintf("%s/data/keys", r->dir);
    if (catalogue_open(r->data, clock_system(), &c, &err) < 0 || mkdir(r->keys, 0700) < 0 ||
        mkdir(r->out, 0700) < 0)
        return -1;
    char *key = xasprintf("%s/camera.key", r->keys);
    unit_write(key, "a secret");
    free(key);
    int rc = backup_write(c, r->data, r->file, 1790000000000000, &facts, &err);
    catalogue_close(&c);
    *state = r;
    return rc;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    unit_folder_remove(&r->dir);
    free(r->data);
    free(r->file);
    free(r->out);
    free(r->keys);
    free(r);
    return 0;
}

static void what_is_in_it_comes_back(void **state)
{
    struct rig *r = *state;
    struct backup_facts facts;
    struct err err = {0};
    struct stat st;
    char text[32] = "";
    assert_int_equal(stat(r->file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    if (backup_read(r->file, r->out, &facts, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(facts.made_us == 1790000000000000);
    assert_int_equal(facts.n_keys, 1);
    char *path = xasprintf("%s/keys/camera.key", r->out);
    FILE *f = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "a secret");
    free(path);
    path = xasprintf("%s/catalog.db", r->out);
    assert_int_equal(catalogue_prepare(path, &err), 0);
    free(path);
    /* nothing is left beside it, and an existing file is not overwritten */
    struct catalogue *c = NULL;
    assert_int_equal(catalogue_open(r->data, clock_system(), &c, NULL), 0);
    assert_int_equal(backup_write(c, r->data, r->file, 1, &facts, &err), ERR_CONFLICT);
    catalogue_close(&c);
    char cmd[200];
    snprintf(cmd, sizeof cmd,
             "test $(ls %s | wc -l) = 3 && cd %s && tar xf b.tar && sha256sum -c "
             "--quiet SHA256SUMS",
             r->dir, r->dir);
    assert_int_equal(system(cmd), 0);
}

/* At every block, and in the middle of some. */
static void cut_off_anywhere_it_is_refused(void **state)
{
    struct rig *r = *state;
    struct stat st;
    struct backup_facts facts;
    assert_int_equal(stat(r->file, &st), 0);
    int64_t sums_end = st.st_size - 2 * TAR_BLOCK; /* only the zeros at the end may be missing */
    for (int64_t n = sums_end - 1; n >= 0; n -= n > 8192 && n < sums_end - 8192 ? 16384 + 7 : 500) {
        struct err err = {0};
        assert_int_equal(truncate(r->file, n), 0);
        assert_int_equal(backup_read(r->file, NULL, &facts, &err), ERR_PARSE);
        assert_non_null(strstr(err.msg, n < 2 * TAR_BLOCK ? "no backup" : "cut off"));
    }
}

static void one_changed_byte_anywhere_is_refused(void **state)
{
    struct rig *r = *state;
    struct stat st;
    struct backup_facts facts;
    int fd = open(r->file, O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    for (int64_t at = TAR_BLOCK + 3; at < st.st_size - 2 * TAR_BLOCK; at += 3571) {
        uint8_t byte, other;
        struct err err = {0};
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        other = byte ^ 0x40;
        assert_int_equal(pwrite(fd, &other, 1, at), 1);
        int rc = backup_read(r->file, NULL, &facts, &err);
        /* the padding of a block holds nothing */
        if (rc == 0)
            assert_int_equal(byte, 0);
        else
            assert_int_equal(rc, ERR_PARSE);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_int_equal(backup_read(r->file, NULL, &facts, NULL), 0);
}

static void what_is_no_backup_is_refused(void **state)
{
    struct rig *r = *state;
    struct err err = {0};
    struct backup_facts facts;
    char cmd[300];
    /* another archive, with the right name in it */
    snprintf(cmd, sizeof cmd,
             "cd %s && mkdir x && echo hello > x/rookery-backup.txt && tar cf b.tar -C x "
             "rookery-backup.txt",
             r->dir);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(backup_read(r->file, NULL, &facts, &err), ERR_PARSE);
    assert_non_null(strstr(err.msg, "no backup"));
    unit_write(r->file, "");
    assert_int_equal(backup_read(r->file, NULL, &facts, &err), ERR_PARSE);
    unlink(r->file);
    assert_int_equal(backup_read(r->file, NULL, &facts, &err), -ENOENT);
}

static void put_entry(FILE *f, const char *name, const char *text)
{
    uint8_t block[TAR_BLOCK];
    struct tar_entry e = {.bytes = strlen(text), .mode = 0600};
    str_copy(e.name, sizeof e.name, name);
    tar_write_header(&e, block);
    fwrite(block, sizeof block, 1, f);
    memset(block, 0, sizeof block);
    memcpy(block, text, strlen(text));
    fwrite(block, sizeof block, 1, f);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const names[] = {"../evil",  "/tmp/evil", "keys/../evil",   "keys/.hidden",
                                        "keys/a/b", "keys/",     "catalog.db-wal", "lock"};
    struct rig *r = *state;
    struct backup_facts facts;
    char cmd[200];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        FILE *f = fopen(r->file, "w");
        put_entry(f, "rookery-backup.txt",
                  "rookery backup 1\nversion 0\nschema 1\nmade 2026-11-23T04:05:06Z\n");
        put_entry(f, names[i], "x");
        fclose(f);
        assert_int_equal(backup_read(r->file, r->out, &facts, NULL), ERR_PARSE);
    }
    snprintf(cmd, sizeof cmd, "test -z \"$(find %s -type f)\"", r->out);
    assert_int_equal(system(cmd), 0);
}

static void one_of_a_newer_program_is_refused(void **state)
{
    struct rig *r = *state;
    struct err err = {0};
    struct backup_facts facts;
    char cmd[600];
    snprintf(cmd, sizeof cmd,
             "cd %s && mkdir x && tar xf b.tar -C x && cd x && sed -i 's/schema .*/schema 999/' "
             "rookery-backup.txt && sha256sum rookery-backup.txt catalog.db keys/camera.key > "
             "SHA256SUMS && tar --format=ustar -cf ../b.tar rookery-backup.txt catalog.db "
             "keys/camera.key SHA256SUMS",
             r->dir);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(backup_read(r->file, NULL, &facts, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "newer"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_was_written_is_read),
        TEST(what_is_in_it_comes_back),
        TEST(cut_off_anywhere_it_is_refused),
        TEST(one_changed_byte_anywhere_is_refused),
        TEST(what_is_no_backup_is_refused),
        TEST(names_that_lead_elsewhere_are_refused),
        TEST(one_of_a_newer_program_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
