/* Quirk K6, as far as the stream decides. */
#include "stream_rig.h"

/* On the newest connection, in front of all that the camera says itself. */
static void send_older_session(struct rig *rig)
{
    static const uint8_t packet[4 + 40] = {'$', 0, 0, 40, 0x80, 96};
    fake_camera_bytes(rig->cam, packet, sizeof packet);
}

static void meet_older_session(struct rig *rig)
{
    until(rig, fake_camera_counts(rig->cam)->n_open == 1);
    settle(rig);
    send_older_session(rig);
    settle(rig);
}

static void K6_waits_for_a_stale_session_to_expire(void **state)
{
    struct rig *rig = *state;
    rig->config.transport = TRANSPORT_TCP;
    start_at(rig, FAKE_SILENT);
    meet_older_session(rig);
    pass_ms(rig, 10500);
    assert_non_null(strstr(rig->status.detail, "must expire first; next try in 65 s"));
    pass_ms(rig, 60000);
    assert_int_equal(n_connections(rig), 1);
    fake_camera_set_mode(rig->cam, FAKE_OK);
    pass_ms(rig, 6000);
    await_playing(rig);
}

/* Breaks TCP by an older session, and lets the next try begin. */
static void avoid_tcp(struct rig *rig, enum fake_mode next)
{
    start_at(rig, FAKE_SILENT);
    meet_older_session(rig);
    fake_camera_hang_up(rig->cam);
    until(rig, strstr(rig->status.detail, "packets of an older session arrived on our connection"));
    assert_non_null(strstr(rig->status.detail, "; trying UDP in "));
    fake_camera_set_mode(rig->cam, next);
    pass_until(rig, 2000, n_connections(rig) == 2);
}

static void await_pictures_over(struct rig *rig, const char *carrier)
{
    await_playing(rig);
    pictures(rig, 3, true);
    until(rig, rig->status.cause == CAUSE_OK);
    if (!strstr(rig->status.detail, carrier))
        fail_msg("not over %s: %s", carrier, rig->status.detail);
}

static void K6_goes_around_an_older_session_by_udp(void **state)
{
    struct rig *rig = *state;
    avoid_tcp(rig, FAKE_OK);
    await_pictures_over(rig, "over UDP, because an older session was in the way of TCP");
    /* What breaks before the older session has expired is connected by UDP again. */
    pictures(rig, 500, true);
    fake_camera_hang_up(rig->cam);
    pass_until(rig, 6000, n_connections(rig) == 3);
    await_pictures_over(rig, "over UDP");
    /* It stays while it works, however long, and TCP follows. */
    pictures(rig, 1250, true);
    assert_int_equal(n_connections(rig), 3);
    assert_int_equal(rig->status.cause, CAUSE_OK);
    fake_camera_hang_up(rig->cam);
    pass_until(rig, 6000, n_connections(rig) == 4);
    await_pictures_over(rig, "over TCP");
}

/* Also where it is no failure: what was switched in the camera is asked for again at once. */
static void K6_returns_to_tcp_with_any_new_connection(void **state)
{
    struct rig *rig = *state;
    avoid_tcp(rig, FAKE_OK);
    await_pictures_over(rig, "over UDP");
    pictures(rig, 1700, true);
    for (int i = 0; i < 80 && n_connections(rig) == 2; i++) {
        fake_camera_foreign(rig->cam);
        pass_ms(rig, 100);
    }
    assert_int_equal(n_connections(rig), 3);
    await_pictures_over(rig, "over TCP");
}

static void K6_returns_to_tcp_when_udp_is_refused(void **state)
{
    struct rig *rig = *state;
    avoid_tcp(rig, FAKE_NO_UDP);
    until(rig, strstr(rig->status.detail, "the camera refuses to send over UDP; TCP again when the "
                                          "older session has expired; next try in 6"));
    assert_int_equal(rig->status.cause, CAUSE_PROTOCOL);
    pass_ms(rig, 60000);
    assert_int_equal(n_connections(rig), 2);
    pass_until(rig, 6000, n_connections(rig) == 3);
    await_pictures_over(rig, "over TCP");
    /* It is not tried in vain again. */
    fake_camera_set_mode(rig->cam, FAKE_SILENT);
    fake_camera_hang_up(rig->cam);
    pass_until(rig, 6000, n_connections(rig) == 4);
    meet_older_session(rig);
    fake_camera_hang_up(rig->cam);
    until(rig, strstr(rig->status.detail, "and it must expire first; next try in 65 s"));
}

static void K6_returns_to_tcp_when_nothing_comes_by_udp(void **state)
{
    struct rig *rig = *state;
    avoid_tcp(rig, FAKE_OK);
    await_playing(rig);
    pass_ms(rig, 11000);
    assert_int_equal(rig->status.cause, CAUSE_TIMEOUT);
    assert_non_null(strstr(rig->status.detail,
                           "no video over UDP for 10 s; a firewall may hold it "
                           "back; TCP again when the older session has expired"));
    pass_ms(rig, 48000);
    assert_int_equal(n_connections(rig), 2);
    pass_until(rig, 8000, n_connections(rig) == 3);
    await_pictures_over(rig, "over TCP");
}

/* A connection that does not come about says nothing about UDP. */
static void K6_tries_udp_after_the_camera_was_away(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_SILENT);
    meet_older_session(rig);
    fake_camera_listen(rig->cam, false);
    fake_camera_hang_up(rig->cam);
    pass_until(rig, 2500, strstr(rig->status.detail, "connection refused"));
    assert_non_null(strstr(rig->status.detail, "; trying UDP in "));
    fake_camera_set_mode(rig->cam, FAKE_OK);
    fake_camera_listen(rig->cam, true);
    pass_until(rig, 10000, n_connections(rig) == 2);
    await_pictures_over(rig, "over UDP");
}

static void K6_knows_an_older_session_that_breaks_what_already_plays(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_OK);
    until(rig, fake_camera_counts(rig->cam)->n_open == 1);
    send_older_session(rig);
    await_pictures_over(rig, "over TCP");
    fake_camera_hang_up(rig->cam);
    pass_until(rig, 3000, n_connections(rig) == 2);
    await_pictures_over(rig, "over UDP");
}

static void K6_asks_for_nothing_else_where_the_camera_says_no(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_NOT_FOUND);
    until(rig, fake_camera_counts(rig->cam)->n_open == 1);
    send_older_session(rig);
    until(rig, rig->status.cause == CAUSE_NOT_FOUND);
    assert_non_null(strstr(rig->status.detail, "and it must expire first; next try in 65 s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(K6_waits_for_a_stale_session_to_expire),
        T(K6_goes_around_an_older_session_by_udp),
        T(K6_returns_to_tcp_with_any_new_connection),
        T(K6_returns_to_tcp_when_udp_is_refused),
        T(K6_returns_to_tcp_when_nothing_comes_by_udp),
        T(K6_tries_udp_after_the_camera_was_away),
        T(K6_knows_an_older_session_that_breaks_what_already_plays),
        T(K6_asks_for_nothing_else_where_the_camera_says_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
