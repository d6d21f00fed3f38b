/* What of a camera's offer a stream sets up, and over what. */
#include "stream_rig.h"

static void P6_falls_back_to_udp(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_NO_TCP);
    attach(rig, true);
    await_playing(rig);
    assert_int_equal(n_connections(rig), 2);
    for (int i = 0; i < 5; i++) {
        fake_camera_picture(rig->cam, i == 0);
        settle(rig);
    }
    until(rig, rig->n_packets == 5);
    assert_string_equal(rig->status.detail, "receiving H.264 640x360 over UDP");

    rig->config.transport = TRANSPORT_TCP;
    stream_configure(rig->stream, &rig->config);
    until(rig, rig->status.cause == CAUSE_UNSUPPORTED);
}

/* To the silence that makes it doubt, and to PLAY of the next connection. */
static void await_next_try(struct rig *rig, const char *detail)
{
    pass_until(rig, 11500, rig->status.retry_us > 0);
    if (!strstr(rig->status.detail, detail))
        fail_msg("no \"%s\" in \"%s\"", detail, rig->status.detail);
    pass_until(rig, 60000, rig->status.retry_us == 0 && fake_camera_counts(rig->cam)->is_playing);
    await_playing(rig);
}

static void P5_sets_up_the_rest_when_nothing_comes(void **state)
{
    static const struct {
        enum stream_transport transport;
        const char *detail;
    } rows[] = {{TRANSPORT_TCP, "no video for 10 s; all it describes will be set up; next try in"},
                {TRANSPORT_UDP, "hold it back; all it describes will be set up; next try in"}};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct fake_counts *counts = fake_camera_counts(rig->cam);
        uint8_t extra[4 + 40] = {'$', 2, 0, 40, 0x80, 107};
        uint8_t other[4 + 40] = {'$', 6, 0, 40, 0x80, 107};
        rig->is_gone = false;
        rig->status = (struct stream_status){0};
        rig->config.transport = rows[i].transport;
        start_at(rig, FAKE_METADATA);
        await_playing(rig);
        assert_int_equal(counts->n_setups, 1);
        await_next_try(rig, rows[i].detail);
        assert_int_equal(counts->n_setups, 2);
        if (rows[i].transport == TRANSPORT_UDP)
            assert_true(fake_camera_datagram(rig->cam));
        else
            fake_camera_bytes(rig->cam, extra, sizeof extra);
        fake_camera_bytes(rig->cam, other, sizeof other);
        pictures(rig, 60, true);
        until(rig, rig->status.cause == CAUSE_OK);
        assert_non_null(strstr(rig->status.detail, "; all it describes is set up, without which"));
        assert_int_equal(rig->status.n_unrequested, 1);
        fake_camera_hang_up(rig->cam); /* it is not forgotten */
        pass_until(rig, 6000, rig->status.retry_us > 0);
        pass_until(rig, 6000, counts->n_setups == 2 && counts->is_playing);
        stream_stop(rig->stream);
        until(rig, rig->is_gone);
        assert_int_equal(rig->status.n_unrequested, 1);
    }
}

static void P5_returns_to_the_usual_when_that_was_not_it(void **state)
{
    struct rig *rig = *state;
    const struct fake_counts *counts = fake_camera_counts(rig->cam);
    start_at(rig, FAKE_METADATA);
    await_playing(rig);
    await_next_try(rig, "; all it describes will be set up; next try in");
    assert_int_equal(counts->n_setups, 2);
    await_next_try(rig, "no video for 10 s; next try in"); /* no channel has a signal so */
    assert_int_equal(counts->n_setups, 1);
    pictures(rig, 60, true);
    until(rig, rig->status.cause == CAUSE_OK);
    pass_until(rig, 12500, str_starts(rig->status.detail, "no picture for 10 s; next try in "));
    pass_until(rig, 6000, counts->is_playing);
    assert_int_equal(counts->n_setups, 1); /* this is another silence */
}

static void P5_sets_up_no_more_when_something_comes(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_METADATA);
    await_playing(rig);
    fake_camera_foreign(rig->cam); /* of a payload type it did not describe */
    await_next_try(rig, "no video for 10 s; next try in");
    assert_int_equal(fake_camera_counts(rig->cam)->n_setups, 1);
}

/* The try at whose SETUP of sound time passes, and the one at once behind it. */
static void pass_mute_sound(struct rig *rig)
{
    const struct fake_counts *counts = fake_camera_counts(rig->cam);
    pass_until(rig, 2000, counts->n_setups == 2);
    int n = n_connections(rig);
    pass_ms(rig, 10250);
    pass_until(rig, 1500, n_connections(rig) == n + 1);
    until(rig, counts->is_playing);
    assert_int_equal(counts->n_setups, 1);
}

static void await_pictures_without_sound(struct rig *rig)
{
    pictures(rig, 60, true);
    until(rig, rig->status.cause == CAUSE_OK);
    assert_non_null(strstr(rig->status.detail, "; without sound: no answer to SETUP of its sound"));
    assert_int_equal(rig->status.sound.state, SOUND_LEFT_OUT);
    assert_string_equal(rig->status.sound.codec, "pcma");
    assert_string_equal(rig->status.sound.detail, "no answer to SETUP of its sound within 10 s");
}

static void M1_shows_pictures_without_the_sound_that_hangs(void **state)
{
    struct rig *rig = *state;
    const struct fake_counts *counts = fake_camera_counts(rig->cam);
    start_at(rig, FAKE_MUTE_SOUND);
    pass_mute_sound(rig);
    await_pictures_without_sound(rig);
    pictures(rig, 800, true);
    fake_camera_hang_up(rig->cam); /* the next connection makes sure */
    pass_until(rig, 2000, n_connections(rig) == 3);
    pass_mute_sound(rig);
    await_pictures_without_sound(rig);
    for (int n = 4; n < 8; n++) { /* from now on no second is lost for it */
        pictures(rig, 800, true);
        fake_camera_hang_up(rig->cam);
        pass_until(rig, 6000, n_connections(rig) == n + 1);
        until(rig, counts->is_playing);
        assert_int_equal(counts->n_setups, 1);
        await_pictures_without_sound(rig);
    }
    /* New settings forget it. */
    str_copy(rig->config.password, sizeof rig->config.password, "another");
    stream_configure(rig->stream, &rig->config);
    pass_until(rig, 2000, n_connections(rig) == 9);
    pass_until(rig, 2000, counts->n_setups == 2);
}

/* Its power failed while sound was set up: that is no reason to do without it. */
static void M1_asks_for_sound_again_when_the_camera_was_away(void **state)
{
    struct rig *rig = *state;
    const struct fake_counts *counts = fake_camera_counts(rig->cam);
    start_at(rig, FAKE_MUTE_SOUND);
    until(rig, counts->n_setups == 2);
    fake_camera_listen(rig->cam, false);
    pass_ms(rig, 12000);
    fake_camera_hang_up(rig->cam);
    pass_ms(rig, 4000);
    assert_int_equal(rig->status.cause, CAUSE_REFUSED);
    fake_camera_listen(rig->cam, true);
    pass_until(rig, 30000, counts->n_setups == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(P6_falls_back_to_udp),
        T(P5_sets_up_the_rest_when_nothing_comes),
        T(P5_returns_to_the_usual_when_that_was_not_it),
        T(P5_sets_up_no_more_when_something_comes),
        T(M1_shows_pictures_without_the_sound_that_hangs),
        T(M1_asks_for_sound_again_when_the_camera_was_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
