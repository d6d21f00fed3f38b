/* When a stream may try, and when it tries again. */
#include "stream_rig.h"

/* The next one stands for another channel of the same recorder. */
static void A8_spares_the_device_a_password_it_has_refused(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_WRONG_PASSWORD);
    until(rig, rig->status.retry_us > 0);
    stream_stop(rig->stream);
    until(rig, rig->is_gone);
    rig->is_gone = false;
    rig->status = (struct stream_status){0};
    int n = n_connections(rig);
    start(rig);
    until(rig, rig->status.retry_us > 0);
    assert_int_equal(rig->status.cause, CAUSE_AUTH);
    assert_non_null(strstr(rig->status.detail, "not tried: "));
    pass_ms(rig, 500000);
    assert_int_equal(n_connections(rig), n);
    str_copy(rig->config.password, sizeof rig->config.password, "corrected");
    fake_camera_set_mode(rig->cam, FAKE_OK);
    stream_configure(rig->stream, &rig->config);
    await_playing(rig);
}

/* What waits at the gate was let in to it before the password was known to be wrong. */
static void A8_does_not_try_what_was_refused_while_it_waited(void **state)
{
    struct rig *rig = *state;
    struct gate_pass other = {
        .enter = free, .login = login_of("admin", "secret", (uint16_t)fake_camera_port(rig->cam))};
    gate_enter(rig->gate, &other, "127.0.0.1", false);
    pass_ms(rig, 1);
    start_at(rig, FAKE_WRONG_PASSWORD);
    pass_ms(rig, 1000);
    assert_int_equal(n_connections(rig), 0);
    gate_login_refused(rig->gate, "127.0.0.1",
                       login_of("admin", "secret", (uint16_t)fake_camera_port(rig->cam)), false,
                       loop_mono_us(rig->loop) + 600 * US_PER_S);
    gate_leave(rig->gate, &other);
    until(rig, rig->status.cause == CAUSE_AUTH);
    assert_non_null(strstr(rig->status.detail, "not tried: "));
    assert_int_equal(n_connections(rig), 0);
}

static void L3_waits_for_its_turn(void **state)
{
    struct rig *rig = *state;
    struct gate_pass others[GATE_PER_HOST] = {0};
    for (int i = 0; i < GATE_PER_HOST; i++) {
        others[i].enter = free; /* of nothing */
        gate_enter(rig->gate, &others[i], "127.0.0.1", false);
    }
    start_at(rig, FAKE_OK);
    pass_ms(rig, 60000);
    assert_int_equal(n_connections(rig), 0);
    assert_int_equal(rig->status.cause, CAUSE_CONNECTING);
    gate_leave(rig->gate, &others[2]);
    pass_ms(rig, 1);
    await_playing(rig);
    assert_int_equal(gate_n_waiting(rig->gate), 0);
    for (int i = 0; i < GATE_PER_HOST; i++)
        gate_leave(rig->gate, &others[i]);
}

static void starts_again_quickly_after_a_reboot(void **state)
{
    struct rig *rig = *state;
    play(rig);
    fake_camera_listen(rig->cam, false);
    fake_camera_hang_up(rig->cam);
    until(rig, rig->status.cause == CAUSE_UNREACHABLE);
    assert_true(str_starts(rig->status.detail, "the camera closed the connection; next try in "));
    pass_ms(rig, 60000);
    assert_int_equal(rig->status.cause, CAUSE_REFUSED);
    fake_camera_listen(rig->cam, true);
    fake_camera_set_mode(rig->cam, FAKE_UNAVAILABLE); /* its encoder is not up yet */
    pass_ms(rig, 10000);
    assert_int_equal(rig->status.cause, CAUSE_BUSY);
    fake_camera_set_mode(rig->cam, FAKE_OK);
    pass_ms(rig, 5000);
    until(rig, fake_camera_counts(rig->cam)->is_playing);
}

static void A8_is_careful_with_a_wrong_password(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_WRONG_PASSWORD);
    until(rig, rig->status.cause == CAUSE_AUTH);
    assert_int_equal(fake_camera_counts(rig->cam)->n_signed, 1);
    pass_ms(rig, 599000);
    assert_int_equal(n_connections(rig), 1);
    fake_camera_set_mode(rig->cam, FAKE_OK);
    str_copy(rig->config.password, sizeof rig->config.password, "right");
    stream_configure(rig->stream, &rig->config); /* at once */
    await_playing(rig);
    assert_int_equal(n_connections(rig), 2);
}

static void L1_tells_a_limit_from_a_wrong_password(void **state)
{
    struct rig *rig = *state;
    play(rig);
    fake_camera_set_mode(rig->cam, FAKE_FORBIDDEN);
    fake_camera_hang_up(rig->cam);
    pass_ms(rig, 2000);
    until(rig, rig->status.cause == CAUSE_BUSY);
    assert_non_null(strstr(rig->status.detail, "limit"));
    fake_camera_set_mode(rig->cam, FAKE_WRONG_PASSWORD);
    stream_retry(rig->stream);
    until(rig, rig->status.cause == CAUSE_AUTH);
    assert_non_null(strstr(rig->status.detail, "worked before"));
    int64_t wait_us = rig->status.retry_us - loop_wall_us(rig->loop);
    assert_true(wait_us > 59 * US_PER_S && wait_us < 120 * US_PER_S);
}

static void U11_answers_a_challenge_on_the_next_connection(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_CHALLENGE_AND_CLOSE);
    await_playing(rig);
    assert_int_equal(n_connections(rig), 2);
}

static void retries_when_told(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_NOT_FOUND);
    until(rig, rig->status.cause == CAUSE_NOT_FOUND);
    fake_camera_set_mode(rig->cam, FAKE_OK);
    stream_retry(rig->stream);
    await_playing(rig);
    stream_retry(rig->stream); /* harmless */
    settle(rig);
    assert_int_equal(n_connections(rig), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(A8_spares_the_device_a_password_it_has_refused),
        T(A8_does_not_try_what_was_refused_while_it_waited),
        T(L3_waits_for_its_turn),
        T(starts_again_quickly_after_a_reboot),
        T(A8_is_careful_with_a_wrong_password),
        T(L1_tells_a_limit_from_a_wrong_password),
        T(U11_answers_a_challenge_on_the_next_connection),
        T(retries_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
