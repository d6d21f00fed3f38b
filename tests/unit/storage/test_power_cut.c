/* The power goes at any moment: a child works on a journalled directory; the parent builds what a
 * disk may hold after a cut at any record of the journal, recovers it as at a start, and looks
 * whether the invariants of docs/design/0002 hold and everything that a sync covered is there, byte
 * by byte.
 *
 * ROOKERY_CUTS: cuts per procedure (default 20). ROOKERY_CUT_SEED: another choice of them.
 * ROOKERY_KEEP: leaves the directory of a cut that went wrong. */
#include "rig.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "media/source.h"
#include "storage/db_segments.h"
#include "replay.h"
#include "tap.h"

enum { PICTURES_MAX = 1024, GROUP = 25 };
#define AFTER_CUT_US (RIG_START_US + 300 * 86400 * US_PER_S)

struct bench {
    struct rig *rig;
    char base[64];
    struct replay *replay;
    /* of the cut that is looked at, for the message when something is wrong */
    bool is_looking;
    bool is_thinning;
    size_t cut;
    uint64_t seed;
    bool is_rebuild_needed;
};

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    void *rig = NULL;
    if (rig_setup(&rig) < 0)
        return -1;
    b->rig = rig;
    snprintf(b->base, sizeof b->base, "%s", b->rig->dir);
    b->rig->params.io = NULL;
    b->rig->params.segment_us = 4 * US_PER_S;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    void *rig = b->rig;
    if (b->is_looking)
        print_message("at cut %zu of %zu, seed %" PRIu64 "\n", b->cut, replay_records(b->replay),
                      b->seed);
    tap_stop();
    rig_close(b->rig);
    replay_close(&b->replay);
    if (b->is_looking && getenv("ROOKERY_KEEP") != NULL) {
        print_message("kept: %s\n", b->base);
        return -1;
    }
    snprintf(b->rig->dir, sizeof b->rig->dir, "%s", b->base);
    free(b);
    return rig_teardown(&rig);
}

static void use_directory(struct bench *b, const char *name)
{
    struct rig *rig = b->rig;
    snprintf(rig->dir, sizeof rig->dir, "%.50s/%s", b->base, name);
    free((char *)rig->volumes[0].path);
    rig->volumes[0].path = xasprintf("%s/rec", rig->dir);
    if (mkdir(rig->dir, 0750) < 0)
        assert_int_equal(errno, EEXIST);
}

/* --- the child --- */

typedef void work_fn(struct rig *rig);

/* In a child, below a tap that journals; ends at its n-th step when n > 0. */
static void work(struct bench *b, work_fn *fn, int steps_to_death)
{
    int status = 0;
    char journal[80];
    snprintf(journal, sizeof journal, "%s/journal", b->base);
    use_directory(b, "live");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        tap_start(b->rig->dir, journal);
        tap_die_at(steps_to_death);
        fn(b->rig);
        tap_stop();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), steps_to_death > 0 ? 42 : 0);
}

static void record(struct rig *rig, int n_groups)
{
    rig_record(rig, "cam");
    for (int i = 0; i < n_groups; i++) {
        rig_pictures(rig, GROUP, GROUP);
        rig_wait(rig, rig_is_written);
    }
    rig_stop(rig);
}

static void open_and_record(struct rig *rig)
{
    rig_open(rig);
    record(rig, 12);
    rig_close(rig);
}

/* After a crash: what it left open is recovered, and recording goes on. */
static void open_and_go_on(struct rig *rig)
{
    rig->wall_us += 20 * US_PER_S;
    rig->next_number = PICTURES_MAX / 2;
    rig_open(rig);
    record(rig, 5);
    rig_close(rig);
}

static bool has_no_rows(struct rig *rig)
{
    return rig_rows(rig, NULL, 0) == 0;
}

static void expire_all(struct rig *rig)
{
    rig->wall_us += 100 * 86400 * US_PER_S;
    atomic_store(&rig->clock.now_wall_us, rig->wall_us);
    rig->next_number = PICTURES_MAX / 2;
    rig_open(rig);
    rig_wait(rig, has_no_rows);
    record(rig, 5);
    rig_close(rig);
}

static bool is_all_thinned(struct rig *rig)
{
    struct segment_row rows[32];
    size_t n = rig_rows(rig, rows, 32);
    bool is_all = rig_unsettled(rig) == 0;
    for (size_t i = 0; i < n; i++)
        is_all &= rows[i].is_thinned;
    return is_all;
}

static void thin_all(struct rig *rig)
{
    rig->wall_us += 40 * 86400 * US_PER_S;
    atomic_store(&rig->clock.now_wall_us, rig->wall_us);
    rig->params.thin_after_days = 30;
    rig_open(rig);
    rig_wait(rig, is_all_thinned);
    rig_close(rig);
}

static int job_doom(struct db *db, void *ctx, struct err *err)
{
    return db_segment_doom(db, ctx, "expired", RIG_START_US, err);
}

/* Killed before it unlinked the file. */
static void doom_the_oldest(struct rig *rig)
{
    struct segment_row rows[8];
    rig_open(rig);
    if (rig_rows(rig, rows, 8) == 0 ||
        catalogue_write(rig->catalogue, job_doom, &rows[0], NULL) < 0)
        _exit(1);
    rig_close(rig);
}

static void rebuild(struct rig *rig)
{
    struct index_report report;
    rig_open(rig);
    tap_note("rebuild", 1);
    if (storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL) < 0)
        _exit(1);
    tap_note("rebuild", 0);
    rig_close(rig);
}

/* --- after the cut --- */

static void on_problem(void *ctx, const char *path, const char *what)
{
    print_message("index check: %s: %s\n", path, what);
    ++*(int *)ctx;
}

static void check_index(struct rig *rig)
{
    struct index_report report;
    int n = 0;
    assert_int_equal(storage_index_check(rig->storage, true, on_problem, &n, &report, NULL), 0);
    assert_int_equal(n, 0);
}

struct found {
    bool is_there[PICTURES_MAX];
    bool is_thinning; /* only key frames must be there */
    size_t n_missing;
};

/* Every picture that playback gives is whole, none comes twice, and they come in order. */
static void look(struct rig *rig, struct found *found)
{
    struct sample_map *map = NULL;
    struct sample_query q = {.camera_id = "cam",
                             .from_us = RIG_START_US - US_PER_S,
                             .to_us = RIG_START_US + 200 * 86400 * US_PER_S};
    int64_t last = -1;
    int rc = source_map(storage_source(rig->storage), &q, &map, NULL);
    for (size_t i = 0; rc == 0 && i < map->n_samples; i++) {
        struct packet *pkt = NULL;
        assert_int_equal(sample_read(map, i, &pkt, NULL), 0);
        int64_t number = rig_number_of(pkt->data, pkt->size);
        packet_unref(&pkt);
        assert_true(number >= 0 && number < PICTURES_MAX);
        assert_true(number > last);
        found->is_there[number] = true;
        last = number;
    }
    sample_map_free(&map);
}

static void miss(void *ctx, int64_t number)
{
    struct found *found = ctx;
    if (!found->is_there[number] && (!found->is_thinning || number % GROUP == 0)) {
        if (found->n_missing++ == 0)
            print_message("picture %" PRId64 " was durable and is missing\n", number);
    }
}

static void must_be_there(void *ctx, const uint8_t *data, size_t n)
{
    rig_each_number(data, n, miss, ctx);
}

static void look_after_cut(struct bench *b, size_t cut, uint64_t seed)
{
    struct rig *rig = b->rig;
    struct found *found = xcalloc(1, sizeof *found);
    found->is_thinning = b->is_thinning;
    struct index_report report;
    char cmd[160];
    b->is_looking = true;
    b->cut = cut;
    b->seed = seed;
    use_directory(b, "cut");
    snprintf(cmd, sizeof cmd, "rm -rf %s/*", rig->dir);
    assert_int_equal(system(cmd), 0);
    replay_build(b->replay, cut, seed, rig->dir);
    tap_start(rig->dir, NULL);
    atomic_store(&rig->clock.now_wall_us, RIG_START_US); /* nothing is too old */
    rig_open(rig);
    if (replay_noted(b->replay, cut, "rebuild") != 0)
        assert_int_equal(storage_index_rebuild(rig->storage, NULL, NULL, &report, NULL), 0);
    int64_t n = rig_check(rig);
    check_index(rig);
    look(rig, found);
    replay_durable(b->replay, cut, ".mp4", must_be_there, found);
    assert_int_equal(found->n_missing, 0);
    if (seed % 4 == 0) { /* it goes on: the volume was found again */
        rig->wall_us = AFTER_CUT_US;
        record(rig, 1);
        assert_int_equal(rig_check(rig), n + GROUP);
    }
    rig_close(rig);
    tap_stop();
    free(found);
    b->is_looking = false;
}

/* Cuts spread evenly over the journal, at places and with outcomes that the seed chooses. */
static void cut_everywhere(struct bench *b)
{
    char journal[80];
    snprintf(journal, sizeof journal, "%s/journal", b->base);
    b->replay = replay_open(journal);
    uint64_t seed = from_environment("ROOKERY_CUT_SEED", 1) * 1000003;
    size_t n = replay_records(b->replay), n_cuts = from_environment("ROOKERY_CUTS", 20);
    for (size_t i = 0; i < n_cuts; i++) {
        size_t from = n * i / n_cuts, to = n * (i + 1) / n_cuts;
        look_after_cut(b, from + (seed + i * 7919) % MAX(to - from, 1), seed + i);
    }
    look_after_cut(b, n, seed);
}

static void while_recording(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 0);
    cut_everywhere(b);
}

static void after_a_crash_and_while_recovering(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 45);
    work(b, open_and_go_on, 0);
    cut_everywhere(b);
}

/* Nothing was durable yet but the rows of what is unsettled. */
static void after_an_early_crash(void **state)
{
    struct bench *b = *state;
    b->rig->params.sync_interval_us = 60 * US_PER_S;
    work(b, open_and_record, 34);
    work(b, open_and_go_on, 0);
    cut_everywhere(b);
}

static void after_a_crash_while_deleting(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 0);
    work(b, doom_the_oldest, 0);
    work(b, open_and_go_on, 0);
    cut_everywhere(b);
}

static void while_deleting(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 0);
    work(b, expire_all, 0);
    cut_everywhere(b);
}

static void while_thinning(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 0);
    work(b, thin_all, 0);
    b->is_thinning = true;
    cut_everywhere(b);
}

static void while_rebuilding(void **state)
{
    struct bench *b = *state;
    work(b, open_and_record, 0);
    work(b, rebuild, 0);
    cut_everywhere(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(while_recording), TEST(after_a_crash_and_while_recovering), TEST(after_an_early_crash),
        TEST(while_deleting),  TEST(after_a_crash_while_deleting),       TEST(while_rebuilding),
        TEST(while_thinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
