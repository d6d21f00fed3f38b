#include "ingest/stream.h"

#include "stream_rig.h"

static void publishes_and_says_ok(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_OK);
    attach(rig, true);
    await_playing(rig);
    assert_int_equal(rig->status.cause, CAUSE_CONNECTING);
    assert_true(rig->status.is_reachable);
    assert_int_equal(rig->n_ups, 0);
    pictures(rig, 3, false); /* nothing to start from */
    assert_int_equal(rig->n_packets, 0);
    assert_false(rig->status.is_advancing);
    pictures(rig, 4, true);
    until(rig, rig->status.cause == CAUSE_OK);
    assert_true(rig->status.is_advancing);
    assert_int_equal(rig->n_ups, 1);
    assert_true(rig->first_was_key);
    assert_string_equal(rig->status.detail, "receiving H.264 640x360 over TCP");
    for (int i = 0; i < 4; i++)
        pictures(rig, 25, true);
    assert_true(rig->status.fps > 20 && rig->status.fps < 30);
    assert_true(rig->status.bitrate_bps > 50000 && rig->status.bitrate_bps < 75000);
    assert_true(rig->status.gop_s > 0.95 && rig->status.gop_s < 1.05);
    assert_int_equal(rig->status.width, 640);
    assert_int_equal(rig->status.n_viewers, 1);
    assert_true(rig->status.advancing_us > rig->status.since_us);
    stream_stop(rig->stream);
    until(rig, rig->is_gone);
    assert_int_equal(fake_camera_counts(rig->cam)->n[RTSP_TEARDOWN], 1);
    assert_true(rig->sink_is_gone);
    assert_int_equal(rig->n_downs, 1);
}

static void names_each_cause(void **state)
{
    static const struct {
        enum fake_mode mode;
        enum stream_cause cause;
        bool is_reachable;
        const char *detail;
    } rows[] = {
        {FAKE_NOT_FOUND, CAUSE_NOT_FOUND, true, "404 Not Found to DESCRIBE; next try in "},
        {FAKE_UNAVAILABLE, CAUSE_BUSY, true, "503"},
        {FAKE_WRONG_PASSWORD, CAUSE_AUTH, true, "wrong user or password; next try in "},
        {FAKE_FORBIDDEN, CAUSE_AUTH, true, "403 Forbidden"},
        {FAKE_WEB_SERVER, CAUSE_PROTOCOL, false, "HTTP"},
        {FAKE_NO_VIDEO, CAUSE_NO_VIDEO, true, "no video"},
        {FAKE_MPEG2, CAUSE_UNSUPPORTED, true, "MPV"},
        {FAKE_HANGS_UP, CAUSE_REFUSED, false, "instead of answering OPTIONS"},
        {FAKE_REDIRECT, CAUSE_PROTOCOL, true, "redirects"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig->is_gone = false;
        rig->status = (struct stream_status){0};
        start_at(rig, rows[i].mode);
        until(rig, rig->status.retry_us > 0);
        if (rig->status.cause != rows[i].cause || !strstr(rig->status.detail, rows[i].detail))
            fail_msg("row %zu: %s: %s", i, cause_name(rig->status.cause), rig->status.detail);
        assert_int_equal(rig->status.is_reachable, rows[i].is_reachable);
        stream_stop(rig->stream);
        until(rig, rig->is_gone);
        gate_login_forget(rig->gate, "127.0.0.1");
    }
}

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
    struct gate_pass other = {.enter = free, .login = 1};
    gate_enter(rig->gate, &other, "127.0.0.1", false);
    pass_ms(rig, 1);
    start_at(rig, FAKE_WRONG_PASSWORD);
    pass_ms(rig, 1000);
    assert_int_equal(n_connections(rig), 0);
    gate_login_refused(rig->gate, "127.0.0.1", gate_login_of("admin", "secret"),
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

static void says_when_nobody_listens(void **state)
{
    struct rig *rig = *state;
    fake_camera_listen(rig->cam, false);
    start(rig);
    until(rig, rig->status.cause == CAUSE_REFUSED);
    char text[128];
    snprintf(text, sizeof text, "connection refused by 127.0.0.1:%d; next try in 1 s",
             fake_camera_port(rig->cam));
    assert_string_equal(rig->status.detail, text);
    assert_false(rig->status.is_reachable);
    fake_camera_listen(rig->cam, true);
    pass_ms(rig, 2000);
    await_playing(rig);
    assert_int_equal(rig->status.cause, CAUSE_REFUSED); /* until media flows */
    pictures(rig, 2, true);
    until(rig, rig->status.cause == CAUSE_OK);
}

static void H8_asks_anew_after_the_codec_was_switched(void **state)
{
    struct rig *rig = *state;
    play(rig);
    int n = n_connections(rig);
    for (int i = 0; i < 80 && n_connections(rig) == n; i++) {
        fake_camera_foreign(rig->cam);
        pass_ms(rig, 100);
    }
    assert_int_equal(n_connections(rig), n + 1); /* long before the stall */
    await_playing(rig);
    pictures(rig, 30, true);
    until(rig, rig->status.cause == CAUSE_OK);
    assert_int_equal(fake_camera_counts(rig->cam)->n[RTSP_TEARDOWN], 1);
}

static void H10_names_a_smart_codec(void **state)
{
    struct rig *rig = *state;
    play(rig);
    for (int i = 0; i < 30; i++)
        pictures(rig, 25, false);
    pictures(rig, 80, true);
    assert_int_equal(rig->status.cause, CAUSE_OK);
    assert_non_null(strstr(rig->status.detail, "; a key frame every 32 s only: switch"));
}

static void refuses_addresses_it_cannot_try(void **state)
{
    struct rig *rig = *state;
    str_copy(rig->config.url, sizeof rig->config.url, "http://127.0.0.1/");
    start(rig);
    until(rig, rig->status.cause == CAUSE_UNSUPPORTED);
    pass_ms(rig, 60000);
    snprintf(rig->config.url, sizeof rig->config.url, "rtsp://127.0.0.1:%d/x",
             fake_camera_port(rig->cam));
    stream_configure(rig->stream, &rig->config);
    await_playing(rig);
}

/* The camera speaks plain RTSP, or nothing, where TLS or HTTP is asked for. */
static void says_why_no_link_comes_about(void **state)
{
    static const struct {
        const char *scheme;
        enum stream_transport transport;
        enum fake_mode mode;
        enum stream_cause cause;
        const char *detail;
    } rows[] = {
        {"rtsps", TRANSPORT_AUTO, FAKE_SILENT, CAUSE_TIMEOUT, "to the handshake within 15 s"},
        {"rtsps", TRANSPORT_TCP, FAKE_HANGS_UP, CAUSE_PROTOCOL, "TLS: the camera broke off"},
        {"rtspsh", TRANSPORT_AUTO, FAKE_HANGS_UP, CAUSE_PROTOCOL, ", try rtsph://; next try in"},
        {"rtsph", TRANSPORT_AUTO, FAKE_SILENT, CAUSE_TIMEOUT, "to GET within 15 s; next try in"},
        {"rtsph", TRANSPORT_AUTO, FAKE_HANGS_UP, CAUSE_UNREACHABLE, "HTTP tunnel, GET: "},
        {"rtsps", TRANSPORT_UDP, FAKE_OK, CAUSE_UNSUPPORTED, "choose tcp or auto"},
        {"rtsph", TRANSPORT_UDP, FAKE_OK, CAUSE_UNSUPPORTED, "choose tcp or auto"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig->is_gone = false;
        rig->status = (struct stream_status){0};
        rig->config.transport = rows[i].transport;
        snprintf(rig->config.url, sizeof rig->config.url, "%s://127.0.0.1:%d/x", rows[i].scheme,
                 fake_camera_port(rig->cam));
        start_at(rig, rows[i].mode);
        pass_until(rig, 16000, rig->status.cause == rows[i].cause);
        if (!strstr(rig->status.detail, rows[i].detail))
            fail_msg("row %zu: %s", i, rig->status.detail);
        assert_false(rig->status.is_reachable);
        stream_stop(rig->stream);
        until(rig, rig->is_gone);
    }
}

static void gives_up_on_silence(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_SILENT);
    until(rig, fake_camera_counts(rig->cam)->n_open == 1);
    settle(rig);
    pass_ms(rig, 9000);
    assert_int_equal(rig->status.cause, CAUSE_CONNECTING);
    pass_ms(rig, 1500);
    assert_int_equal(rig->status.cause, CAUSE_TIMEOUT);
    assert_non_null(strstr(rig->status.detail, "connected, but no answer to OPTIONS within 10 s"));
    assert_false(rig->status.is_reachable);
}

static void reconnects_after_a_stall(void **state)
{
    struct rig *rig = *state;
    play(rig);
    attach(rig, true);
    pass_ms(rig, 2500);
    assert_true(rig->status.is_advancing);
    pass_ms(rig, 2000);
    assert_false(rig->status.is_advancing);
    assert_int_equal(rig->status.cause, CAUSE_TIMEOUT);
    assert_int_equal(n_connections(rig), 1);
    fake_camera_picture(rig->cam, false); /* it was only slow */
    until(rig, rig->status.cause == CAUSE_OK);
    pass_until(rig, 11500, str_starts(rig->status.detail, "no picture for 10 s; next try in "));
    assert_int_equal(rig->status.cause, CAUSE_TIMEOUT);
    assert_true(rig->status.is_reachable); /* it was asked, and answered */
    assert_int_equal(fake_camera_counts(rig->cam)->n[RTSP_TEARDOWN], 1);
    assert_int_equal(rig->n_downs, 1);
    pass_ms(rig, 2000);
    until(rig, fake_camera_counts(rig->cam)->is_playing);
    settle(rig);
    pictures(rig, 2, true);
    until(rig, rig->status.cause == CAUSE_OK);
    assert_int_equal(rig->status.n_reconnects, 1);
    assert_int_equal(n_connections(rig), 2);
}

static void I7_knows_a_pulled_cable(void **state)
{
    struct rig *rig = *state;
    play(rig);
    fake_camera_set_mode(rig->cam, FAKE_SILENT);
    pass_until(rig, 16000, str_starts(rig->status.detail, "no picture for 10 s"));
    assert_false(rig->status.is_reachable);
}

static void does_not_stall_slow_cameras(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_OK);
    await_playing(rig);
    for (int i = 0; i < 12; i++) {
        fake_camera_picture(rig->cam, i == 0);
        pass_ms(rig, i < 2 ? 1000 : 9000); /* the stamps say 40 ms, whatever */
    }
    assert_int_equal(n_connections(rig), 1);
}

static void H11_waits_for_a_key_frame_connected(void **state)
{
    struct rig *rig = *state;
    start_at(rig, FAKE_OK);
    await_playing(rig);
    for (int i = 0; i < 15; i++) {
        pictures(rig, 2, false);
        pass_ms(rig, 920);
    }
    assert_int_equal(rig->status.cause, CAUSE_NO_KEYFRAME);
    assert_true(rig->status.is_reachable);
    assert_int_equal(n_connections(rig), 1);
    pictures(rig, 2, true);
    until(rig, rig->status.cause == CAUSE_OK);
}

static void gives_up_on_random_bytes(void **state)
{
    struct rig *rig = *state;
    uint8_t trash[4096];
    uint32_t x = 1;
    start_at(rig, FAKE_OK);
    await_playing(rig);
    for (int i = 0; i < 400 && rig->status.retry_us == 0; i++) {
        for (size_t j = 0; j < sizeof trash; j++) {
            x = x * 1664525 + 1013904223;
            trash[j] = (uint8_t)(x >> 24);
        }
        fake_camera_bytes(rig->cam, trash, sizeof trash);
        settle(rig);
    }
    assert_int_equal(rig->status.cause, CAUSE_PROTOCOL);
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

/* One group of pictures of half a second. */
static void group_of_size(struct rig *rig, bool is_other)
{
    fake_camera_size(rig->cam, is_other);
    pictures(rig, 12, true);
}

static void H8_gives_up_on_a_size_that_never_rests(void **state)
{
    struct rig *rig = *state;
    play(rig);
    for (int i = 0; i < 60; i++) { /* one each second: as it likes */
        group_of_size(rig, i % 2);
        group_of_size(rig, i % 2);
    }
    group_of_size(rig, false);
    assert_int_equal(rig->status.cause, CAUSE_OK);
    assert_int_equal(rig->status.width, 640);
    assert_int_equal(n_connections(rig), 1);
    for (int i = 0; i < 140 && rig->status.cause == CAUSE_OK; i++)
        group_of_size(rig, i % 2);
    assert_int_equal(rig->status.cause, CAUSE_PROTOCOL);
    assert_non_null(strstr(rig->status.detail,
                           "the size of its pictures changed more than 60 times a minute; next"));
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

static void runs_on_demand(void **state)
{
    struct rig *rig = *state;
    rig->config.is_on_demand = true;
    start_at(rig, FAKE_OK);
    until(rig, rig->status.cause == CAUSE_IDLE);
    pass_ms(rig, 5000);
    assert_int_equal(n_connections(rig), 0);
    attach(rig, true);
    await_playing(rig);
    pictures(rig, 2, true);
    until(rig, rig->status.cause == CAUSE_OK);
    hub_detach(stream_hub(rig->stream), &rig->sink);
    until(rig, rig->sink_is_gone);
    pictures(rig, 225, false); /* 9 s */
    assert_int_equal(rig->status.cause, CAUSE_OK);
    attach(rig, true);
    hub_detach(stream_hub(rig->stream), &rig->sink);
    pictures(rig, 225, false);
    assert_int_equal(rig->status.cause, CAUSE_OK);
    pictures(rig, 50, false);
    until(rig, rig->status.cause == CAUSE_IDLE);
    until(rig, fake_camera_counts(rig->cam)->n_open == 0);
    assert_int_equal(fake_camera_counts(rig->cam)->n[RTSP_TEARDOWN], 1);
    assert_int_equal(n_connections(rig), 1);
}

static void keeps_the_session_alive(void **state)
{
    struct rig *rig = *state;
    play(rig);
    for (int i = 0; i < 60; i++)
        pictures(rig, 25, i % 4 == 0);
    const struct fake_counts *counts = fake_camera_counts(rig->cam);
    assert_int_equal(counts->n[RTSP_GET_PARAMETER], 2); /* every 25 s of 60 */
    assert_in_range(counts->n_reports, 11, 12);         /* every 5 s */
    assert_int_equal(rig->status.cause, CAUSE_OK);
}

static void batches_reads_only_while_nobody_watches(void **state)
{
    struct rig *rig = *state;
    play(rig);
    pass_ms(rig, 1000);
    struct hub_stats stats;
    hub_stats(stream_hub(rig->stream), &stats);
    uint64_t before = stats.n_packets;
    fake_camera_picture(rig->cam, false);
    settle(rig);
    hub_stats(stream_hub(rig->stream), &stats);
    assert_int_equal(stats.n_packets, before); /* it waits for more, or for the tick */
    pass_ms(rig, 250);
    hub_stats(stream_hub(rig->stream), &stats);
    assert_int_equal(stats.n_packets, before + 1);
    attach(rig, true);
    for (int i = 0; i < 3; i++) {
        fake_camera_picture(rig->cam, false);
        until(rig, (hub_stats(stream_hub(rig->stream), &stats),
                    stats.n_packets == before + 2 + (uint64_t)i));
    }
}

static void stops_in_every_state(void **state)
{
    struct rig *rig = *state;
    for (int turns = 0; turns < 60; turns++) {
        rig->is_gone = false;
        start_at(rig, turns % 2 ? FAKE_OK : FAKE_NOT_FOUND);
        for (int i = 0; i < turns; i++)
            loop_turn(rig->loop, false);
        stream_stop(rig->stream);
        until(rig, rig->is_gone);
    }
    rig->is_gone = false;
    start_at(rig, FAKE_SILENT);
    until(rig, fake_camera_counts(rig->cam)->n_open == 1);
    stream_stop(rig->stream);
    until(rig, rig->is_gone); /* no session: nothing to wait for */
}

static void K8_stops_within_a_second_when_teardown_is_not_answered(void **state)
{
    struct rig *rig = *state;
    play(rig);
    fake_camera_set_mode(rig->cam, FAKE_SILENT);
    stream_stop(rig->stream);
    settle(rig);
    assert_false(rig->is_gone);
    pass_ms(rig, 1000);
    until(rig, rig->is_gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(publishes_and_says_ok),
        T(names_each_cause),
        T(says_why_no_link_comes_about),
        T(A8_spares_the_device_a_password_it_has_refused),
        T(A8_does_not_try_what_was_refused_while_it_waited),
        T(L3_waits_for_its_turn),
        T(says_when_nobody_listens),
        T(H8_asks_anew_after_the_codec_was_switched),
        T(H10_names_a_smart_codec),
        T(refuses_addresses_it_cannot_try),
        T(gives_up_on_silence),
        T(reconnects_after_a_stall),
        T(I7_knows_a_pulled_cable),
        T(does_not_stall_slow_cameras),
        T(H11_waits_for_a_key_frame_connected),
        T(gives_up_on_random_bytes),
        T(starts_again_quickly_after_a_reboot),
        T(A8_is_careful_with_a_wrong_password),
        T(L1_tells_a_limit_from_a_wrong_password),
        T(U11_answers_a_challenge_on_the_next_connection),
        T(retries_when_told),
        T(P6_falls_back_to_udp),
        T(P5_sets_up_the_rest_when_nothing_comes),
        T(P5_returns_to_the_usual_when_that_was_not_it),
        T(P5_sets_up_no_more_when_something_comes),
        T(H8_gives_up_on_a_size_that_never_rests),
        T(M1_shows_pictures_without_the_sound_that_hangs),
        T(M1_asks_for_sound_again_when_the_camera_was_away),
        T(runs_on_demand),
        T(keeps_the_session_alive),
        T(batches_reads_only_while_nobody_watches),
        T(stops_in_every_state),
        T(K8_stops_within_a_second_when_teardown_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
