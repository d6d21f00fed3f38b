/* Descriptors are for more than cameras: what a stream says that gets none, and that it gives back
 * what it has taken, however its connection ends. */
#include "ingest/allowance.h"

#include "stream_rig.h"

static void takes_all_or_nothing(void **state)
{
    (void)state;
    struct allowance a;
    allowance_init(&a, 5);
    assert_true(allowance_take(&a, 3));
    assert_false(allowance_take(&a, 3));
    assert_true(allowance_take(&a, 2));
    assert_false(allowance_take(&a, 1));
    allowance_give(&a, 3);
    assert_true(allowance_take(&a, 1));
    assert_true(allowance_take(NULL, 1000));
    allowance_give(NULL, 1000);
}

static void a_stream_without_a_descriptor_says_so_and_comes_later(void **state)
{
    struct rig *rig = *state;
    struct allowance *a = &rig->allowance;
    allowance_init(a, 2);
    assert_true(allowance_take(a, 1));
    start_at(rig, FAKE_OK);
    until(rig, rig->status.retry_us > 0);
    assert_int_equal(rig->status.cause, CAUSE_INTERNAL);
    assert_non_null(strstr(rig->status.detail, "may open no more files and connections for cameras "
                                               "(2; raise LimitNOFILE"));
    assert_non_null(strstr(rig->status.detail, "next try in "));
    assert_int_equal(n_connections(rig), 0);
    allowance_give(a, 1);
    pass_until(rig, 60000, fake_camera_counts(rig->cam)->is_playing);
    pictures(rig, 5, true);
    until(rig, rig->status.cause == CAUSE_OK);
    assert_int_equal(a->n_taken, 2);
    stream_stop(rig->stream);
    until(rig, rig->is_gone);
    assert_int_equal(a->n_taken, 0);
}

static void whatever_ends_a_connection_gives_its_descriptors_back(void **state)
{
    static const enum fake_mode modes[] = {FAKE_OK,       FAKE_NOT_FOUND, FAKE_WRONG_PASSWORD,
                                           FAKE_HANGS_UP, FAKE_REDIRECT,  FAKE_WEB_SERVER};
    struct rig *rig = *state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(modes); i++) {
        rig->is_gone = false;
        rig->status = (struct stream_status){0};
        rig->config.transport = i % 2 ? TRANSPORT_UDP : TRANSPORT_AUTO;
        start_at(rig, modes[i / 2]);
        if (modes[i / 2] == FAKE_OK) {
            until(rig, fake_camera_counts(rig->cam)->is_playing);
            assert_int_equal(rig->allowance.n_taken, i % 2 ? 4 : 2); /* RTP and RTCP */
            pass_until(rig, 20000, rig->status.retry_us > 0);        /* no pictures */
        }
        until(rig, rig->status.retry_us > 0);
        pass_ms(rig, 2000);
        stream_stop(rig->stream);
        pass_ms(rig, 2000);
        until(rig, rig->is_gone);
        assert_int_equal(rig->allowance.n_taken, 0);
        gate_login_forget(rig->gate, "127.0.0.1", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_all_or_nothing),
        T(a_stream_without_a_descriptor_says_so_and_comes_later),
        T(whatever_ends_a_connection_gives_its_descriptors_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
