#include "ingest/rtsp_push.h"

#include "rig.h"

#define SDP_V  RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:streamid=0\r\n"
#define SDP_AV SDP_V RIG_AUDIO "a=control:streamid=1\r\n"

struct rig {
    struct session *session;
    int64_t now_us;
    struct buf pending; /* bytes the session left over */
    struct buf reply;   /* the answers to what was said last */
    int cseq;
    size_t n_frames[2];
    int n_ports;
    size_t step; /* feed at most so many bytes at once */
    bool has_udp;
};

static void on_frame(void *ctx, int track, const uint8_t *p, size_t n)
{
    struct rig *rig = ctx;
    (void)p;
    (void)n;
    rig->n_frames[track]++;
}

static int on_open_udp(void *ctx, int track)
{
    struct rig *rig = ctx;
    rig->n_ports++;
    return rig->has_udp ? 40000 + 2 * track : -1;
}

static const struct session_host host = {.frame = on_frame, .open_udp = on_open_udp};

static int set_up(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig->now_us = 1000 * US_PER_S;
    rig->has_udp = true;
    buf_init(&rig->pending, 0);
    buf_init(&rig->reply, 0);
    struct rtsp_push_params params = {.host = &host, .ctx = rig, .mono_us = rig->now_us};
    rig->session = rtsp_push_create(&params);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    session_destroy(&rig->session);
    buf_fini(&rig->pending);
    buf_fini(&rig->reply);
    free(rig);
    return 0;
}

static void feed(struct rig *rig, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n > 0) {
        size_t some = rig->step ? MIN(rig->step, n) : n;
        buf_append(&rig->pending, p, some);
        p += some;
        n -= some;
        size_t used = session_input(rig->session, rig->now_us, rig->pending.data, rig->pending.len);
        buf_consume(&rig->pending, used);
    }
    struct buf *out = &rig->session->out;
    buf_append(&rig->reply, out->data, out->len);
    buf_consume(out, out->len);
}

/* head: request line and headers, LF ended, without CSeq. */
static const char *ask(struct rig *rig, const char *head, const char *body)
{
    char text[8192];
    const char *rest = strchr(head, '\n');
    assert_non_null(rest);
    int n = snprintf(text, sizeof text, "%.*sCSeq: %d\n%s", (int)(rest + 1 - head), head,
                     ++rig->cseq, rest + 1);
    if (body)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "Content-Type: application/sdp\nContent-Length: %zu\n\n%s", strlen(body),
                      body);
    else
        n += snprintf(text + n, sizeof text - (size_t)n, "\n");
    assert_true((size_t)n < sizeof text);
    buf_clear(&rig->reply);
    feed(rig, text, (size_t)n);
    return buf_cstr(&rig->reply);
}

static void assert_reply(struct rig *rig, const char *part)
{
    if (!strstr(buf_cstr(&rig->reply), part))
        fail_msg("no \"%s\" in \"%s\"", part, buf_cstr(&rig->reply));
}

static void assert_no_reply(struct rig *rig, const char *part)
{
    if (strstr(buf_cstr(&rig->reply), part))
        fail_msg("\"%s\" in \"%s\"", part, buf_cstr(&rig->reply));
}

static void assert_end(struct rig *rig, enum session_verdict verdict, enum stream_cause cause,
                       const char *text)
{
    const struct session_end *end = &rig->session->end;
    assert_int_equal(session_phase(rig->session), SESSION_ENDED);
    if (end->verdict != verdict || end->cause != cause || strcmp(end->text, text) != 0)
        fail_msg("verdict %d, cause %s: %s", end->verdict, cause_name(end->cause), end->text);
}

static void announce(struct rig *rig, const char *sdp)
{
    ask(rig, "ANNOUNCE rtsp://h/cam-001 RTSP/1.0\n", sdp);
    assert_reply(rig, "RTSP/1.0 200 OK\r\n");
}

static void set_up_tcp(struct rig *rig, int stream)
{
    char head[256];
    snprintf(head, sizeof head,
             "SETUP rtsp://h/cam-001/streamid=%d RTSP/1.0\n"
             "Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d;mode=record\n",
             stream, 2 * stream, 2 * stream + 1);
    ask(rig, head, NULL);
    assert_reply(rig, "RTSP/1.0 200 OK\r\n");
}

static void record(struct rig *rig)
{
    ask(rig, "RECORD rtsp://h/cam-001 RTSP/1.0\nRange: npt=0.000-\n", NULL);
    assert_reply(rig, "RTSP/1.0 200 OK\r\n");
    assert_int_equal(session_phase(rig->session), SESSION_PLAYING);
}

static void to_recording(struct rig *rig)
{
    announce(rig, SDP_AV);
    set_up_tcp(rig, 0);
    set_up_tcp(rig, 1);
    record(rig);
}

static void send_frame(struct rig *rig, uint8_t channel)
{
    uint8_t bytes[4 + 40] = {'$', channel, 0, 40, 0x80, 96};
    feed(rig, bytes, sizeof bytes);
}

static void wait_s(struct rig *rig, int s)
{
    rig->now_us += s * US_PER_S;
    session_timeout(rig->session, rig->now_us);
}

/* --- tests --- */

static void records_over_tcp(void **state)
{
    struct rig *rig = *state;
    ask(rig, "OPTIONS rtsp://h/cam-001 RTSP/1.0\n", NULL);
    assert_reply(rig, "Public: OPTIONS, ANNOUNCE, SETUP, RECORD,");
    announce(rig, SDP_AV);
    set_up_tcp(rig, 0);
    assert_reply(rig, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n");
    assert_reply(rig, ";timeout=60\r\n");
    set_up_tcp(rig, 1);
    assert_int_equal(session_phase(rig->session), SESSION_OPENING);
    record(rig);
    assert_reply(rig, "CSeq: 5\r\n");
    assert_int_equal(rig->session->n_tracks, 2);
    assert_int_equal(rig->session->tracks[0].media->codec, CODEC_H264);
    assert_true(rig->session->tracks[0].is_tcp);
    assert_int_equal(rig->session->tracks[1].channel[1], 3);
    for (uint8_t c = 0; c < 5; c++)
        send_frame(rig, c);
    assert_int_equal(rig->n_frames[0], 2);
    assert_int_equal(rig->n_frames[1], 2);
    assert_int_equal(rig->n_ports, 0);
    ask(rig, "TEARDOWN rtsp://h/cam-001 RTSP/1.0\n", NULL);
    assert_reply(rig, "RTSP/1.0 200 OK\r\n");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE, "the encoder ended the session");
}

static void reads_byte_by_byte(void **state)
{
    struct rig *rig = *state;
    rig->step = 1;
    to_recording(rig);
    send_frame(rig, 0);
    assert_int_equal(rig->n_frames[0], 1);
}

static void takes_frames_that_come_with_the_request(void **state)
{
    struct rig *rig = *state;
    static const char head[] = "RECORD rtsp://h/cam-001 RTSP/1.0\r\nCSeq: 9\r\n\r\n";
    uint8_t bytes[sizeof head - 1 + 44] = {0};
    announce(rig, SDP_V);
    set_up_tcp(rig, 0);
    memcpy(bytes, head, sizeof head - 1);
    memcpy(bytes + sizeof head - 1, (uint8_t[]){'$', 0, 0, 40, 0x80, 96}, 6);
    feed(rig, bytes, sizeof bytes);
    assert_int_equal(rig->n_frames[0], 1);
}

static void records_over_udp(void **state)
{
    struct rig *rig = *state;
    announce(rig, SDP_AV);
    ask(rig,
        "SETUP rtsp://h/cam-001/streamid=0 RTSP/1.0\n"
        "Transport: RTP/AVP/UDP;unicast;client_port=5000-5001;mode=record\n",
        NULL);
    assert_reply(rig, "Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=40000-40001;"
                      "mode=record\r\n");
    ask(rig,
        "SETUP rtsp://h/cam-001/streamid=1 RTSP/1.0\nTransport: RTP/AVP;unicast;client_port=5002\n",
        NULL);
    assert_reply(rig, "server_port=40002-40003\r\n");
    record(rig);
    assert_false(rig->session->tracks[0].is_tcp);
    assert_int_equal(rig->session->tracks[0].server_port[0], 5000);
    assert_int_equal(rig->session->tracks[1].server_port[1], 5003);
    /* Media does not come this way, so silence here says nothing. */
    wait_s(rig, 3600);
    assert_int_equal(session_phase(rig->session), SESSION_PLAYING);
}

static void refuses_udp_without_ports_and_takes_tcp_after_it(void **state)
{
    struct rig *rig = *state;
    rig->has_udp = false;
    announce(rig, SDP_V);
    ask(rig, "SETUP rtsp://h/x/streamid=0 RTSP/1.0\nTransport: RTP/AVP;unicast;client_port=5000\n",
        NULL);
    assert_reply(rig, "RTSP/1.0 461 Unsupported Transport\r\n");
    set_up_tcp(rig, 0);
    record(rig);
}

static void takes_the_first_alternative_it_can(void **state)
{
    struct rig *rig = *state;
    announce(rig, SDP_AV);
    ask(rig,
        "SETUP rtsp://h/x/streamid=0 RTSP/1.0\nTransport: RTP/AVP;multicast;client_port=5000-5001,"
        "RTP/AVP/TCP;unicast;interleaved=6-7\n",
        NULL);
    assert_reply(rig, "Transport: RTP/AVP/TCP;unicast;interleaved=6-7\r\n");
    /* All tracks go the same way. */
    ask(rig, "SETUP rtsp://h/x/streamid=1 RTSP/1.0\nTransport: RTP/AVP;unicast;client_port=5002\n",
        NULL);
    assert_reply(rig, "RTSP/1.0 461 ");
    record(rig);
    assert_int_equal(rig->session->n_tracks, 1);
    assert_int_equal(rig->session->left_out_codec, CODEC_PCMA);
    assert_string_equal(rig->session->left_out_why, "it was announced and not set up");
}

static void gives_free_channels_where_none_or_taken_ones_are_asked_for(void **state)
{
    struct rig *rig = *state;
    announce(rig, SDP_AV);
    ask(rig, "SETUP rtsp://h/x/streamid=0 RTSP/1.0\nTransport: RTP/AVP/TCP;unicast\n", NULL);
    assert_reply(rig, "interleaved=0-1\r\n");
    ask(rig,
        "SETUP rtsp://h/x/streamid=1 RTSP/1.0\nTransport: RTP/AVP/TCP;unicast;interleaved=1-2\n",
        NULL);
    assert_reply(rig, "interleaved=2-3\r\n");
}

static void finds_the_track_by_its_control(void **state)
{
    static const struct {
        const char *uri;
        int track;
    } table[] = {
        {"rtsp://h/cam-001/streamid=1", 1},
        {"rtsp://h/cam-001/streamid=0", 0},
        {"rtsp://h/cam-001?key=k/streamid=1", 1},
        {"rtsp://h/cam-001/streamid=1?key=k", 1},
        {"streamid=1", 1},
        {"rtsp://h/cam-001", 0},             /* none: the next that is not set up */
        {"rtsp://h/cam-001/xstreamid=1", 0}, /* another one that ends alike */
        {"*", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct rig *rig = *state;
        char head[256];
        announce(rig, SDP_AV);
        snprintf(head, sizeof head,
                 "SETUP %s RTSP/1.0\nTransport: RTP/AVP;unicast;client_port=7000\n", table[i].uri);
        ask(rig, head, NULL);
        assert_reply(rig, table[i].track == 0 ? "server_port=40000" : "server_port=40002");
        tear_down(state);
        set_up(state);
    }
}

static void takes_what_it_does_not_carry_and_leaves_it_aside(void **state)
{
    struct rig *rig = *state;
    announce(rig, RIG_SDP_HEAD
             "m=application 0 RTP/AVP 107\r\na=control:streamid=0\r\n" RIG_VIDEO RIG_FMTP
             "a=control:streamid=1\r\n");
    set_up_tcp(rig, 0);
    set_up_tcp(rig, 1);
    record(rig);
    assert_int_equal(rig->session->n_tracks, 1);
    send_frame(rig, 0);
    assert_int_equal(rig->n_frames[0], 0);
    send_frame(rig, 2);
    assert_int_equal(rig->n_frames[0], 1);
}

static void P5_counts_only_what_was_never_agreed(void **state)
{
    struct rig *rig = *state;
    announce(rig, SDP_V "m=application 0 RTP/AVP 107\r\na=control:streamid=1\r\n");
    set_up_tcp(rig, 0);
    set_up_tcp(rig, 1);
    record(rig);
    for (uint8_t c = 0; c < 6; c++)
        send_frame(rig, c);
    assert_int_equal(rig->n_frames[0], 2);
    assert_int_equal(rig->session->n_unrequested, 2); /* 4 and 5; 2 and 3 were set up */
}

static void ends_a_session_that_announces_nothing_usable(void **state)
{
    static const struct {
        const char *sdp, *reply, *text;
        enum stream_cause cause;
    } table[] = {
        {"hello", "RTSP/1.0 400 The body is no session description\r\n",
         "the encoder announced no session description", CAUSE_PROTOCOL},
        {RIG_SDP_HEAD RIG_AUDIO, "RTSP/1.0 415 No video is announced\r\n",
         "the encoder announces no video", CAUSE_NO_VIDEO},
        {RIG_SDP_HEAD "m=video 0 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n",
         "RTSP/1.0 415 This video is not supported: send H.264, H.265 or MJPEG\r\n",
         "the encoder sends VP8 video; H.264, H.265 and MJPEG are supported", CAUSE_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct rig *rig = *state;
        ask(rig, "ANNOUNCE rtsp://h/cam-001 RTSP/1.0\n", table[i].sdp);
        assert_reply(rig, table[i].reply);
        assert_end(rig, SESSION_VERDICT_FAILED, table[i].cause, table[i].text);
        tear_down(state);
        set_up(state);
    }
}

static void refuses_what_comes_out_of_order(void **state)
{
    static const char *const early[] = {
        "SETUP rtsp://h/x RTSP/1.0\nTransport: RTP/AVP/TCP;interleaved=0-1\n",
        "RECORD rtsp://h/x RTSP/1.0\n", "PAUSE rtsp://h/x RTSP/1.0\n"};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(early); i++) {
        ask(rig, early[i], NULL);
        assert_reply(rig, "RTSP/1.0 455 ");
    }
    ask(rig, "DESCRIBE rtsp://h/x RTSP/1.0\n", NULL);
    assert_reply(rig, "RTSP/1.0 501 ");
    ask(rig, "PLAY rtsp://h/x RTSP/1.0\n", NULL);
    assert_reply(rig, "RTSP/1.0 501 ");
    announce(rig, SDP_AV);
    set_up_tcp(rig, 1);
    ask(rig, "RECORD rtsp://h/x RTSP/1.0\n", NULL); /* audio alone */
    assert_reply(rig, "RTSP/1.0 455 No video track was set up\r\n");
    set_up_tcp(rig, 0);
    record(rig);
    ask(rig, early[0], NULL);
    assert_reply(rig, "RTSP/1.0 455 ");
    assert_int_equal(session_phase(rig->session), SESSION_PLAYING);
}

static void answers_what_keeps_it_alive(void **state)
{
    static const char *const heads[] = {
        "GET_PARAMETER rtsp://h/x RTSP/1.0\n", "SET_PARAMETER rtsp://h/x RTSP/1.0\n",
        "OPTIONS rtsp://h/x RTSP/1.0\n", "PAUSE rtsp://h/x RTSP/1.0\n",
        "RECORD rtsp://h/x RTSP/1.0\n"};
    struct rig *rig = *state;
    to_recording(rig);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        wait_s(rig, 59);
        ask(rig, heads[i], NULL);
        assert_reply(rig, "RTSP/1.0 200 OK\r\n");
        assert_reply(rig, "\r\nSession: ");
    }
    wait_s(rig, 59);
    send_frame(rig, 0);
    wait_s(rig, 59);
    assert_int_equal(session_phase(rig->session), SESSION_PLAYING);
    wait_s(rig, 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT, "nothing from the encoder for 60 s");
}

static void does_not_wait_for_a_peer_that_dawdles(void **state)
{
    struct rig *rig = *state;
    announce(rig, SDP_V);
    set_up_tcp(rig, 0);
    for (int i = 0; i < 29; i++) {
        wait_s(rig, 1);
        ask(rig, "OPTIONS rtsp://h/x RTSP/1.0\n", NULL);
        assert_int_equal(session_phase(rig->session), SESSION_OPENING);
    }
    assert_int_equal(session_due_us(rig->session), rig->now_us + US_PER_S);
    wait_s(rig, 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT,
               "the encoder connected, but did not begin to send in time");
}

static void restarts_at_a_fresh_description(void **state)
{
    struct rig *rig = *state;
    to_recording(rig);
    ask(rig, "ANNOUNCE rtsp://h/cam-001 RTSP/1.0\n", SDP_V);
    assert_end(rig, SESSION_VERDICT_RESTART, CAUSE_PROTOCOL,
               "the encoder announced another session description");
    assert_int_equal(rig->reply.len, 0);
    /* The request is left over: a new session on the same connection answers it. */
    assert_true(rig->pending.len > 0);
    session_destroy(&rig->session);
    struct rtsp_push_params params = {.host = &host, .ctx = rig, .mono_us = rig->now_us};
    rig->session = rtsp_push_create(&params);
    feed(rig, "\r\n", 2);
    assert_reply(rig, "RTSP/1.0 200 OK\r\nCSeq: 5\r\n");
    set_up_tcp(rig, 0);
    record(rig);
}

static void tells_how_the_connection_ended(void **state)
{
    struct rig *rig = *state;
    session_closed(rig->session, CAUSE_UNREACHABLE, "the encoder closed the connection");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE,
               "the encoder closed the connection before it began to send");
    tear_down(state);
    set_up(state);
    rig = *state;
    to_recording(rig);
    session_closed(rig->session, CAUSE_UNREACHABLE, "the encoder closed the connection");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE, "the encoder closed the connection");
}

static void stops_at_once_and_stays_stopped(void **state)
{
    struct rig *rig = *state;
    to_recording(rig);
    session_stop(rig->session, rig->now_us);
    assert_end(rig, SESSION_VERDICT_STOPPED, CAUSE_OK, "stopped");
    send_frame(rig, 0);
    assert_int_equal(rig->n_frames[0], 0);
    assert_int_equal(rig->pending.len, 0);
    session_closed(rig->session, CAUSE_TIMEOUT, "late");
    assert_end(rig, SESSION_VERDICT_STOPPED, CAUSE_OK, "stopped");
}

static void gives_up_a_peer_that_reads_nothing(void **state)
{
    struct rig *rig = *state;
    static const char one[] = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    to_recording(rig);
    struct buf flood;
    buf_init(&flood, 0);
    for (int i = 0; i < 2000; i++)
        buf_puts(&flood, one);
    session_input(rig->session, rig->now_us, flood.data, flood.len);
    buf_fini(&flood);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_TIMEOUT, "the encoder does not read our answers");
}

static void gives_up_a_peer_that_sends_garbage(void **state)
{
    struct rig *rig = *state;
    uint8_t garbage[32768];
    memset(garbage, 0xee, sizeof garbage);
    to_recording(rig);
    for (int i = 0; i < 40 && session_phase(rig->session) != SESSION_ENDED; i++)
        feed(rig, garbage, sizeof garbage);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
               "the encoder sends bytes that are neither RTSP nor RTP");
}

static void names_a_peer_that_speaks_something_else(void **state)
{
    struct rig *rig = *state;
    static const char http[] = "HTTP/1.1 200 OK\r\n\r\n";
    feed(rig, http, sizeof http - 1);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
               "the encoder: peer speaks HTTP, not RTSP");
}

static void names_another_kind_of_peer(void **state)
{
    struct rig *rig = *state;
    static const struct session_host tcp_only = {.frame = on_frame};
    session_destroy(&rig->session);
    struct rtsp_push_params params = {.host = &tcp_only,
                                      .ctx = rig,
                                      .mono_us = rig->now_us,
                                      .opening_s = 90,
                                      .peer = "the converter"};
    rig->session = rtsp_push_create(&params);
    wait_s(rig, 80);
    announce(rig, SDP_V);
    ask(rig, "SETUP x/streamid=0 RTSP/1.0\nTransport: RTP/AVP;unicast;client_port=5000\n", NULL);
    assert_reply(rig, "RTSP/1.0 461 ");
    assert_no_reply(rig, "Transport: ");
    ask(rig, "TEARDOWN x RTSP/1.0\n", NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE, "the converter ended the session");
}

static void only_our_own_process_may_say_why_it_ends(void **state)
{
    struct rig *rig = *state;
    static const char goodbye[] =
        "TEARDOWN * RTSP/1.0\nCause: not_found\nReason: the server answered 404\n";
    ask(rig, goodbye, NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE, "the encoder ended the session");
    session_destroy(&rig->session);
    struct rtsp_push_params params = {
        .host = &host, .ctx = rig, .mono_us = rig->now_us, .is_own = true};
    rig->session = rtsp_push_create(&params);
    ask(rig, goodbye, NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_NOT_FOUND, "the server answered 404");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_over_tcp),
        TEST(reads_byte_by_byte),
        TEST(only_our_own_process_may_say_why_it_ends),
        TEST(takes_frames_that_come_with_the_request),
        TEST(records_over_udp),
        TEST(refuses_udp_without_ports_and_takes_tcp_after_it),
        TEST(takes_the_first_alternative_it_can),
        TEST(gives_free_channels_where_none_or_taken_ones_are_asked_for),
        TEST(finds_the_track_by_its_control),
        TEST(takes_what_it_does_not_carry_and_leaves_it_aside),
        TEST(P5_counts_only_what_was_never_agreed),
        TEST(ends_a_session_that_announces_nothing_usable),
        TEST(refuses_what_comes_out_of_order),
        TEST(answers_what_keeps_it_alive),
        TEST(does_not_wait_for_a_peer_that_dawdles),
        TEST(restarts_at_a_fresh_description),
        TEST(tells_how_the_connection_ended),
        TEST(stops_at_once_and_stays_stopped),
        TEST(gives_up_a_peer_that_reads_nothing),
        TEST(gives_up_a_peer_that_sends_garbage),
        TEST(names_a_peer_that_speaks_something_else),
        TEST(names_another_kind_of_peer),
    };
    return cmocka_run_group_tests_name("rtsp_push", tests, NULL, NULL);
}
