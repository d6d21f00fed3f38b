#include "analysis_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "analysis/worker.h"
#include "base/err.h"
#include "base/mem.h"

struct rig {
    struct loop *loop;
    struct worker *worker;
    bool is_stopped;
};

struct answer {
    bool is_here;
    int code; /* 0 = success */
    size_t n;
    uint8_t start[4], end[2];
    struct luma_grid grid;
};

static void rig_start_at(struct rig *rig, const char *path, int64_t deadline_ms,
                         const struct clock *clock)
{
    *rig = (struct rig){.loop = loop_create(&(struct loop_params){.clock = clock})};
    rig->worker = worker_create(&(struct worker_params){
        .loop = rig->loop, .path = path, .deadline_ms = deadline_ms, .max_waiting = 4});
}

static void rig_start(struct rig *rig, const char *path, int64_t deadline_ms)
{
    rig_start_at(rig, path, deadline_ms, NULL);
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void rig_end(struct rig *rig)
{
    worker_stop(rig->worker, on_stopped, &rig->is_stopped);
    RIG_WAIT(rig->loop, rig->is_stopped);
    loop_destroy(&rig->loop);
}

static void on_picture(void *ctx, const uint8_t *jpeg, size_t n, const struct err *err)
{
    struct answer *a = ctx;
    assert_false(a->is_here);
    a->is_here = true;
    a->code = err ? err->code : 0;
    a->n = n;
    if (!err && n > 4) {
        memcpy(a->start, jpeg, 4);
        memcpy(a->end, jpeg + n - 2, 2);
    }
}

static void on_grid(void *ctx, const struct luma_grid *grid, const struct err *err)
{
    struct answer *a = ctx;
    assert_false(a->is_here);
    a->is_here = true;
    a->code = err ? err->code : 0;
    if (grid)
        a->grid = *grid;
}

static int ask_picture(struct rig *rig, enum codec codec, int width, struct answer *a)
{
    struct packet *key = rig_key(codec, 1);
    *a = (struct answer){0};
    int rc = worker_picture(rig->worker, key, width, on_picture, a);
    packet_unref(&key);
    return rc;
}

static int pid_of(struct rig *rig)
{
    struct worker_stats stats;
    worker_stats(rig->worker, &stats);
    return stats.pid;
}

static void makes_jpegs_of_real_key_frames(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a[4];
    rig_start(&rig, WORKER_PATH, 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a[0]), 0);
    assert_int_equal(ask_picture(&rig, CODEC_H265, 0, &a[1]), 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 80, &a[2]), 0);
    assert_int_equal(ask_picture(&rig, CODEC_JPEG, 80, &a[3]), 0);
    assert_false(a[0].is_here);
    RIG_WAIT(rig.loop, a[0].is_here && a[1].is_here && a[2].is_here && a[3].is_here);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(a[i].code, 0);
        assert_true(a[i].n > 300);
        assert_memory_equal(a[i].start, "\xff\xd8\xff", 3);
        assert_memory_equal(a[i].end, "\xff\xd9", 2);
    }
    assert_true(a[2].n < a[0].n);
    assert_in_range(a[3].n, a[2].n / 2, a[2].n * 2);
    rig_end(&rig);
}

static void makes_grids(void **state)
{
    (void)state;
    struct rig rig;
    static const enum codec codecs[] = {CODEC_H264, CODEC_H265, CODEC_JPEG};
    static struct answer a[3];
    rig_start(&rig, WORKER_PATH, 0);
    for (int i = 0; i < 3; i++) {
        a[i] = (struct answer){0};
        struct packet *key = rig_key(codecs[i], 1);
        assert_int_equal(worker_grid(rig.worker, key, on_grid, &a[i]), 0);
        packet_unref(&key);
        RIG_WAIT(rig.loop, a[i].is_here);
        assert_int_equal(a[i].code, 0);
        assert_int_equal(a[i].grid.cols, 80);
        assert_int_equal(a[i].grid.rows, 60);
    }
    /* the same picture through three codecs, and it has dark and bright parts */
    int64_t apart[2] = {0};
    int low = 65535, high = 0;
    for (int i = 0; i < 80 * 60; i++) {
        for (int k = 0; k < 2; k++)
            apart[k] += abs(a[0].grid.mean[i] - a[k + 1].grid.mean[i]);
        low = MIN(low, a[0].grid.mean[i]);
        high = MAX(high, a[0].grid.mean[i]);
    }
    assert_true(apart[0] / (80 * 60) < 6 * 256);
    assert_true(apart[1] / (80 * 60) < 16 * 256); /* full range */
    assert_true(high - low > 100 * 256);
    rig_end(&rig);
}

static void garbage_fails_but_the_next_one_works(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a;
    rig_start(&rig, WORKER_PATH, 0);
    for (unsigned seed = 1; seed < 40; seed++) {
        struct packet *key = rig_key(seed % 2 ? CODEC_H264 : CODEC_H265, 1);
        for (size_t i = seed % 3 ? 5 : 0; i < key->size; i += 1 + seed % 7)
            key->data[i] = (uint8_t)(key->data[i] * 31 + i * seed);
        a = (struct answer){0};
        assert_int_equal(worker_picture(rig.worker, key, 0, on_picture, &a), 0);
        packet_unref(&key);
        RIG_WAIT(rig.loop, a.is_here);
        assert_true(a.code == 0 || a.code == ERR_PARSE || a.code == ERR_EOF);
    }
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, 0);
    rig_end(&rig);
}

static void refuses_what_is_no_key_frame_and_too_many(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a[5];
    rig_start(&rig, WORKER_PATH, 0);
    struct packet *delta = rig_key(CODEC_H264, 1);
    delta->is_key = false;
    assert_int_equal(worker_picture(rig.worker, delta, 0, on_picture, NULL), ERR_INVALID);
    delta->is_key = true;
    format_unref(&delta->format);
    assert_int_equal(worker_grid(rig.worker, delta, on_grid, NULL), ERR_INVALID);
    packet_unref(&delta);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a[i]), 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a[4]), ERR_BUSY);
    RIG_WAIT(rig.loop, a[3].is_here);
    rig_end(&rig);
}

static void a_worker_killed_in_the_middle_is_replaced(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a, next;
    rig_start(&rig, WORKER_PATH, 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    int first = pid_of(&rig);
    assert_true(first > 0);
    kill(first, SIGSTOP); /* so that the request is surely under way */
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    assert_int_equal(ask_picture(&rig, CODEC_H265, 0, &next), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(rig.loop, false);
    kill(first, SIGKILL);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, ERR_EOF);
    RIG_WAIT(rig.loop, next.is_here);
    assert_int_equal(next.code, 0);
    assert_int_not_equal(pid_of(&rig), first);
    rig_end(&rig);
}

static void a_worker_that_hangs_is_killed(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a;
    struct clock_virtual clock;
    clock_virtual_init(&clock, 0);
    rig_start_at(&rig, WORKER_PATH, 500, &clock.clock);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, 0);
    kill(pid_of(&rig), SIGSTOP);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    loop_turn(rig.loop, false);
    assert_false(a.is_here);
    clock_virtual_advance(&clock, 500 * US_PER_MS);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, -ETIMEDOUT);
    RIG_WAIT(rig.loop, pid_of(&rig) <= 0);
    clock_virtual_advance(&clock, US_PER_S); /* the pause before another */
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, 0);
    rig_end(&rig);
}

static void a_missing_program_fails_the_request(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a;
    rig_start(&rig, "/nonexistent/rookery-worker", 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, -ENOENT);
    rig_end(&rig);
}

static void a_worker_that_talks_nonsense_is_killed(void **state)
{
    (void)state;
    char path[] = "/tmp/rookery-test-worker-XXXXXX";
    int fd = mkstemp(path);
    const char script[] = "#!/bin/sh\nexec cat /dev/zero >&3\n";
    assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
    fchmod(fd, 0700);
    close(fd);
    struct rig rig;
    struct answer a;
    rig_start(&rig, path, 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a), 0);
    RIG_WAIT(rig.loop, a.is_here);
    assert_int_equal(a.code, ERR_PROTOCOL);
    rig_end(&rig);
    unlink(path);
}

static void stopping_fails_what_waits(void **state)
{
    (void)state;
    struct rig rig;
    struct answer a[3];
    rig_start(&rig, WORKER_PATH, 0);
    assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a[0]), 0);
    RIG_WAIT(rig.loop, a[0].is_here);
    kill(pid_of(&rig), SIGSTOP);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_picture(&rig, CODEC_H264, 0, &a[i]), 0);
    loop_turn(rig.loop, false);
    rig_end(&rig);
    for (int i = 0; i < 3; i++) {
        assert_true(a[i].is_here);
        assert_int_equal(a[i].code, ERR_CLOSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_jpegs_of_real_key_frames),
        cmocka_unit_test(makes_grids),
        cmocka_unit_test(garbage_fails_but_the_next_one_works),
        cmocka_unit_test(refuses_what_is_no_key_frame_and_too_many),
        cmocka_unit_test(a_worker_killed_in_the_middle_is_replaced),
        cmocka_unit_test(a_worker_that_hangs_is_killed),
        cmocka_unit_test(a_missing_program_fails_the_request),
        cmocka_unit_test(a_worker_that_talks_nonsense_is_killed),
        cmocka_unit_test(stopping_fails_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
