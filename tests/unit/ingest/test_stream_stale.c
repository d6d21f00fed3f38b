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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(K6_waits_for_a_stale_session_to_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
