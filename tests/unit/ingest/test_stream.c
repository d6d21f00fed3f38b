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
        gate_login_forget(rig->gate, "127.0.0.1", 0);
    }
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
        T(says_when_nobody_listens),
        T(H8_asks_anew_after_the_codec_was_switched),
        T(H10_names_a_smart_codec),
        T(refuses_addresses_it_cannot_try),
        T(says_why_no_link_comes_about),
        T(gives_up_on_silence),
        T(reconnects_after_a_stall),
        T(I7_knows_a_pulled_cable),
        T(does_not_stall_slow_cameras),
        T(H11_waits_for_a_key_frame_connected),
        T(gives_up_on_random_bytes),
        T(H8_gives_up_on_a_size_that_never_rests),
        T(runs_on_demand),
        T(keeps_the_session_alive),
        T(batches_reads_only_while_nobody_watches),
        T(stops_in_every_state),
        T(K8_stops_within_a_second_when_teardown_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
