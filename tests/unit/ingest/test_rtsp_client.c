#include "rtsp_client_rig.h"

static void U12_U14_plays_over_tcp(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    assert_request(rig, "OPTIONS " URL " RTSP/1.0\r\nCSeq: 1\r\n");
    assert_header(rig, "User-Agent: ");
    to_describe(rig);
    assert_request(rig, "DESCRIBE " URL " RTSP/1.0\r\nCSeq: 2\r\n");
    assert_header(rig, "Accept: application/sdp\r\n");
    answer(rig, "200 OK\nContent-Base: " URL "/\n", sdp_av);
    assert_request(rig, "SETUP " URL "/track1 RTSP/1.0\r\n");
    assert_header(rig, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
    assert_no_header(rig, "Session");
    answer(rig, "200 OK\nSession:        abc;timeout=60\nTransport: RTP/AVP/TCP;interleaved=0-1\n",
           NULL);
    assert_request(rig, "SETUP " URL "/track2 RTSP/1.0\r\n");
    assert_header(rig, "interleaved=2-3\r\n");
    assert_header(rig, "Session: abc\r\n");
    answer(rig, "200 OK\nSession: xyz\nTransport: RTP/AVP/TCP;interleaved=2-3\n", NULL);
    assert_request(rig, "PLAY " URL "/ RTSP/1.0\r\n");
    assert_header(rig, "Range: npt=0.000-\r\n");
    assert_header(rig, "Session: abc\r\n"); /* the first one wins */
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    assert_int_equal(rig->session->n_tracks, 2);
    send_frame(rig, 0, 96);
    send_frame(rig, 2, 8);
    send_frame(rig, 3, 200);
    send_frame(rig, 9, 96); /* nobody asked for it */
    assert_int_equal(rig->n_frames[0], 1);
    assert_int_equal(rig->n_frames[1], 2);
    session_stop(rig->session, rig->now_us);
    drain(rig);
    assert_request(rig, "TEARDOWN " URL "/ RTSP/1.0\r\n");
    assert_header(rig, "Session: abc\r\n");
    send_frame(rig, 0, 96); /* is not delivered any more */
    assert_int_equal(rig->n_frames[0], 1);
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_ENDED);
    assert_end(rig, SESSION_VERDICT_STOPPED, CAUSE_OK);
}

static void plays_byte_by_byte(void **state)
{
    struct rig *rig = *state;
    rig->step = 1;
    to_playing(rig);
    for (int i = 0; i < 5; i++)
        send_frame(rig, 0, 96);
    assert_int_equal(rig->n_frames[0], 5);
    assert_int_equal(rig->n_frame_bytes, 200);
}

static void names_the_cause_of_a_refusal(void **state)
{
    static const struct {
        const char *status;
        enum stream_cause cause;
    } rows[] = {
        {"404 Stream Not Found\n", CAUSE_NOT_FOUND},
        {"403 Forbidden\n", CAUSE_AUTH},
        {"453 Not Enough Bandwidth\n", CAUSE_BUSY},
        {"503 Service Unavailable\n", CAUSE_BUSY},
        {"500 Internal Server Error\n", CAUSE_PROTOCOL},
        {"501 Not Implemented\n", CAUSE_UNSUPPORTED},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rig);
        to_describe(rig);
        answer(rig, rows[i].status, NULL);
        assert_end(rig, SESSION_VERDICT_FAILED, rows[i].cause);
        assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_ENDED);
        assert_non_null(strstr(rig->session->end.text, "to DESCRIBE"));
    }
}

static void U8_goes_on_when_options_is_refused(void **state)
{
    static const char *const answers[] = {"501 Not Implemented\n", "403 Forbidden\n",
                                          "405 Method Not Allowed\n", "200\n"};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        begin(rig);
        answer(rig, answers[i], NULL);
        assert_request(rig, "DESCRIBE ");
    }
}

static void follows_redirects(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "302 Moved\nLocation: rtsp://10.0.0.6/cam?token=1\n", NULL);
    assert_end(rig, SESSION_VERDICT_REDIRECTED, CAUSE_PROTOCOL);
    assert_string_equal(rig->session->end.url.host, "10.0.0.6");

    begin(rig);
    to_describe(rig);
    answer(rig, "302 Moved\nLocation: http://x/\n", NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL);
}

static void U8_leaves_options_out_where_it_was_not_answered(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    assert_request(rig, "OPTIONS " URL);
    wait_s(rig, 10);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT);
    begin(rig);
    assert_request(rig, "DESCRIBE " URL);
    wait_s(rig, 15);
    wait_s(rig, 1); /* nothing at all: OPTIONS is not to blame */
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT);
    begin(rig);
    assert_request(rig, "OPTIONS " URL);
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    begin(rig);
    assert_request(rig, "DESCRIBE " URL);
    answer(rig, "200 OK\n", sdp_v);
    assert_request(rig, "SETUP " URL);
}

/* From TLS to plain never; inside a tunnel the camera does not know of it. */
static void U9_redirects_keep_what_protects(void **state)
{
    static const char *const rows[][3] = {
        {"rtsps://h/x", "rtsp://h2/y", NULL},
        {"rtsps://h/x", "rtsps://h2/y", "rtsps://h2/y"},
        {"rtsp://h/x", "rtsps://h2/y", "rtsps://h2/y"},
        {"rtsph://h:8080/x", "rtsp://h2/y", "rtsph://h2:8080/y"},
        {"rtsph://h/x", "rtsp://h2:554/y", "rtsph://h2/y"},
        {"rtspsh://h/x", "rtsp://h2:8554/y", "rtspsh://h2:8554/y"},
        {"rtspsh://h/x", "rtsph://h2/y", NULL},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[URL_TEXT_BYTES];
        begin_as(rig, rows[i][0], "", "", false);
        to_describe(rig);
        snprintf(text, sizeof text, "302 Moved\nLocation: %s\n", rows[i][1]);
        answer(rig, text, NULL);
        assert_end(rig, rows[i][2] ? SESSION_VERDICT_REDIRECTED : SESSION_VERDICT_FAILED,
                   CAUSE_PROTOCOL);
        if (rows[i][2]) {
            assert_true(url_print(&rig->session->end.url, text, sizeof text));
            assert_string_equal(text, rows[i][2]);
        }
    }
}

static void K8_plays_each_track_when_the_aggregate_is_refused(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_request(rig, "PLAY " URL " ");
    answer(rig, "460 Only Aggregate Operation Allowed\n", NULL);
    assert_request(rig, "PLAY " URL "/track1 ");
    answer(rig, "200 OK\n", NULL);
    assert_request(rig, "PLAY " URL "/track2 ");
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
}

static void tears_down_after_a_failure_with_a_session(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "500 Internal Server Error\n", NULL);
    assert_request(rig, "TEARDOWN " URL " ");
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_TEARDOWN);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL);
    wait_s(rig, 1); /* no answer */
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_ENDED);
}

static void says_who_was_silent(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    wait_s(rig, 9);
    assert_int_equal(rig->session->end.verdict, SESSION_VERDICT_NONE);
    wait_s(rig, 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT);
    assert_false(rig->session->has_answered);

    rig->memory = (struct rtsp_memory){0};
    begin(rig);
    to_describe(rig);
    wait_s(rig, 15);
    wait_s(rig, 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT);
    assert_string_equal(rig->session->end.text, "no answer to DESCRIBE within 15 s");
}

static void F4_reads_a_body_shorter_than_announced(void **state)
{
    struct rig *rig = *state;
    char text[1024];
    begin(rig);
    to_describe(rig);
    int n =
        snprintf(text, sizeof text, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: %zu\r\n\r\n%s",
                 sizeof sdp_v + 30, sdp_v);
    feed(rig, text, (size_t)n);
    wait_s(rig, 15);
    assert_request(rig, "SETUP ");
}

static void plays_when_only_the_answer_to_play_is_missing(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    send_frame(rig, 0, 96); /* a stale session's: not ours */
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_int_equal(rig->n_frames[0], 0);
    send_frame(rig, 0, 96);
    assert_int_equal(rig->n_frames[0], 1);
    wait_s(rig, 10);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
}

static void F6_refuses_a_web_server(void **state)
{
    static const char page[] = "HTTP/1.0 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";
    struct rig *rig = *state;
    begin(rig);
    feed(rig, page, sizeof page - 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL);
    assert_non_null(strstr(rig->session->end.text, "HTTP"));
}

static void gives_up_on_endless_garbage(void **state)
{
    struct rig *rig = *state;
    static uint8_t trash[64 << 10];
    uint32_t x = 7;
    to_playing(rig);
    int i = 0;
    for (; i < 40 && rig->session->end.verdict == SESSION_VERDICT_NONE; i++) {
        for (size_t j = 0; j < sizeof trash; j++) {
            x = x * 1664525 + 1013904223;
            trash[j] = (uint8_t)(x >> 24);
        }
        feed(rig, trash, sizeof trash);
    }
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_ENDED);
}

static void finds_its_way_after_a_little_garbage(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    send_frame(rig, 0, 96);
    feed(rig, "\x24\x61\x20\xeb lost bytes", 15);
    send_frame(rig, 0, 96);
    send_frame(rig, 0, 96);
    send_frame(rig, 0, 96);
    assert_true(rig->n_frames[0] >= 3);
    assert_int_equal(rig->session->parser.n_losses, 1);
    assert_int_equal(rig->session->end.verdict, SESSION_VERDICT_NONE);
}

static void lose_framing(struct rig *rig)
{
    feed(rig, "\x24\x61\x20\xeb lost bytes", 15);
    for (int i = 0; i < 3; i++)
        send_frame(rig, 0, 96);
}

/* Five are borne, whether or not pictures were lost by them. */
static void I1_gives_up_at_the_sixth_loss_of_a_minute(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    for (int i = 0; i < 20; i++) {
        lose_framing(rig);
        wait_s(rig, 13);
    }
    wait_s(rig, 61);
    for (int i = 0; i < 5; i++)
        lose_framing(rig);
    assert_int_equal(rig->session->parser.n_losses, 25);
    assert_int_equal(rig->session->end.verdict, SESSION_VERDICT_NONE);
    lose_framing(rig);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL);
}

/* --- keepalive --- */

static void K3_P4_keeps_alive_in_time(void **state)
{
    static const struct {
        const char *session;
        int interval_s;
    } rows[] = {{"Session: 1;timeout=60\n", 25},
                {"Session: 1; timeout=15\n", 6},
                {"Session: 1;timeout=20\n", 9},
                {"Session: 1;timeout=5\n", 4},
                {"Session: 1;timeout=0\n", 25},
                {"Session: 1\n", 25},
                {"", 25}};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[128];
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp_v);
        snprintf(head, sizeof head, "200 OK\n%s", rows[i].session);
        answer(rig, head, NULL);
        answer(rig, "200 OK\nSession: 1;timeout=120\n", NULL); /* the smallest counts */
        assert_int_equal(rtsp_client_keepalive_s(rig->client), rows[i].interval_s);
        wait_s(rig, rows[i].interval_s - 1);
        assert_string_equal(rig->request, "");
        wait_s(rig, 1);
        assert_request(rig, "GET_PARAMETER " URL " RTSP/1.0\r\n");
        assert_header(rig, "Session: 1\r\n");
        assert_int_equal(session_due_us(rig->session), rig->now_us + rows[i].interval_s * US_PER_S);
        rig->memory = (struct rtsp_memory){0};
    }
}

static void K1_falls_back_to_options(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    wait_s(rig, 25);
    assert_request(rig, "GET_PARAMETER " URL "/ ");
    wait_s(rig, 25); /* unanswered: never again */
    assert_request(rig, "OPTIONS " URL "/ ");
    assert_header(rig, "Session: abc\r\n");
    answer(rig, "200 OK\nPublic: OPTIONS, GET_PARAMETER\n", NULL);
    wait_s(rig, 25);
    assert_request(rig, "OPTIONS ");
    wait_s(rig, 25); /* quirk K4: unanswered is no reason to end */
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);

    to_playing(rig); /* and the next connection remembers */
    wait_s(rig, 25);
    assert_request(rig, "OPTIONS ");

    rig->memory = (struct rtsp_memory){0};
    to_playing(rig);
    wait_s(rig, 25);
    assert_request(rig, "GET_PARAMETER ");
    answer(rig, "454 Session Not Found\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    wait_s(rig, 25);
    assert_request(rig, "OPTIONS ");
}

static void K9_answers_the_camera(void **state)
{
    static const struct {
        const char *request, *answer;
    } rows[] = {
        {"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 77\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 77\r\n"},
        {"GET_PARAMETER * RTSP/1.0\r\nCSeq: 78\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 78\r\n"},
        {"SET_PARAMETER * RTSP/1.0\r\nCSeq: 79\r\nContent-Length: 3\r\n\r\nx:1",
         "RTSP/1.0 200 OK\r\nCSeq: 79\r\n"},
        {"RECORD * RTSP/1.0\r\nCSeq: 80\r\n\r\n", "RTSP/1.0 501 "}};
    struct rig *rig = *state;
    to_playing(rig);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        feed(rig, rows[i].request, strlen(rows[i].request));
        drain(rig);
        assert_request(rig, rows[i].answer);
        assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    }
    static const char announce[] = "ANNOUNCE * RTSP/1.0\r\nCSeq: 81\r\nContent-Length: 0\r\n\r\n";
    feed(rig, announce, sizeof announce - 1);
    drain(rig);
    assert_request(rig, "RTSP/1.0 200 OK\r\nCSeq: 81\r\n");
    drain(rig);
    assert_request(rig, "TEARDOWN ");
    assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_PROTOCOL);
}

static void sends_reports_between_requests(void **state)
{
    struct rig *rig = *state;
    static const uint8_t report[32] = {0x81, 201, 0, 7};
    to_playing(rig);
    session_report(rig->session, 1, report, sizeof report);
    struct buf *out = &rig->session->out;
    assert_int_equal(out->len, 36);
    assert_memory_equal(out->data, "$\x03\0\x20\x81", 5);
    for (int i = 0; i < 10000; i++) /* nobody reads: bounded */
        session_report(rig->session, 1, report, sizeof report);
    assert_true(out->len <= SESSION_OUT_BYTES / 2);
}

static void ends_when_the_connection_ends(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_ENDED);
    assert_int_equal(session_due_us(rig->session), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(U12_U14_plays_over_tcp),
        T(plays_byte_by_byte),
        T(names_the_cause_of_a_refusal),
        T(U8_goes_on_when_options_is_refused),
        T(follows_redirects),
        T(U8_leaves_options_out_where_it_was_not_answered),
        T(U9_redirects_keep_what_protects),
        T(K8_plays_each_track_when_the_aggregate_is_refused),
        T(tears_down_after_a_failure_with_a_session),
        T(says_who_was_silent),
        T(F4_reads_a_body_shorter_than_announced),
        T(plays_when_only_the_answer_to_play_is_missing),
        T(F6_refuses_a_web_server),
        T(gives_up_on_endless_garbage),
        T(finds_its_way_after_a_little_garbage),
        T(I1_gives_up_at_the_sixth_loss_of_a_minute),
        T(K3_P4_keeps_alive_in_time),
        T(K1_falls_back_to_options),
        T(K9_answers_the_camera),
        T(sends_reports_between_requests),
        T(ends_when_the_connection_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
