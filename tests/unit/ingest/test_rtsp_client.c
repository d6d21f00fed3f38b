#include "ingest/rtsp_client.h"

#include "rig.h"

#define URL "rtsp://10.0.0.5:554/cam"

struct rig {
    struct rtsp_client *client;
    struct session *session; /* the client, as its owner sees it */
    struct rtsp_memory memory;
    struct url url;
    int64_t now_us;
    char request[4096]; /* the one taken last */
    int cseq;
    size_t n_frames[2];
    size_t n_frame_bytes;
    int n_ports;
    struct buf pending; /* bytes the client left over */
    size_t step;        /* feed at most so many bytes at once */
    char trace[512];    /* "OPTIONS DESCRIBE …" of this client */
};

static void on_frame(void *ctx, int track, const uint8_t *p, size_t n)
{
    struct rig *rig = ctx;
    (void)p;
    rig->n_frames[track]++;
    rig->n_frame_bytes += n;
}

static int on_open_udp(void *ctx, int track)
{
    struct rig *rig = ctx;
    rig->n_ports++;
    return 40000 + 2 * track;
}

static const struct session_host ops = {.frame = on_frame, .open_udp = on_open_udp};

static void drain(struct rig *rig)
{
    struct buf *out = &rig->session->out;
    const char *text = buf_cstr(out);
    const char *end = strstr(text, "\r\n\r\n");
    rig->request[0] = 0;
    if (!end)
        return;
    struct span all = {text, (size_t)(end - text) + 4};
    assert_true(span_copy(all, rig->request, sizeof rig->request));
    const char *cseq = strstr(rig->request, "CSeq: ");
    uint64_t n = 0;
    assert_non_null(cseq);
    struct span line, rest = span_of(cseq + 6);
    span_line(&rest, &line);
    assert_true(span_u64(line, &n));
    rig->cseq = (int)n;
    buf_consume(out, all.n);
    struct span head, method = span_of(rig->request);
    span_cut(&method, ' ', &head);
    size_t at = strlen(rig->trace);
    snprintf(rig->trace + at, sizeof rig->trace - at, "%s%.*s", at ? " " : "", (int)head.n, head.p);
}

static void begin_as(struct rig *rig, const char *url, const char *user, const char *password,
                     bool is_udp)
{
    assert_int_equal(url_parse(url, &rig->url, NULL), 0);
    struct rtsp_client_params params = {.url = &rig->url,
                                        .user = user,
                                        .password = password,
                                        .is_udp = is_udp,
                                        .memory = &rig->memory,
                                        .host = &ops,
                                        .ctx = rig};
    session_destroy(&rig->session);
    buf_clear(&rig->pending);
    rig->trace[0] = 0;
    rig->client = rtsp_client_create(&params);
    rig->session = rtsp_client_session(rig->client);
    rtsp_client_start(rig->client, rig->now_us);
    drain(rig);
}

static void begin(struct rig *rig)
{
    begin_as(rig, URL, "", "", false);
}

static void feed(struct rig *rig, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n > 0) {
        size_t some = rig->step ? MIN(rig->step, n) : n;
        buf_append(&rig->pending, p, some);
        p += some;
        n -= some;
        buf_consume(&rig->pending,
                    session_input(rig->session, rig->now_us, rig->pending.data, rig->pending.len));
    }
}

/* Answers the request taken last, takes the next one. head: status line and headers, LF ended. */
static void answer(struct rig *rig, const char *head, const char *body)
{
    char text[8192];
    const char *rest = strchr(head, '\n');
    assert_non_null(rest);
    int n = snprintf(text, sizeof text, "RTSP/1.0 %.*sCSeq: %d\n%s", (int)(rest + 1 - head), head,
                     rig->cseq, rest + 1);
    if (body)
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %zu\n\n%s", strlen(body),
                      body);
    else
        n += snprintf(text + n, sizeof text - (size_t)n, "\n");
    assert_true((size_t)n < sizeof text);
    feed(rig, text, (size_t)n);
    drain(rig);
}

static void wait_s(struct rig *rig, int s)
{
    rig->now_us += s * US_PER_S;
    session_timeout(rig->session, rig->now_us);
    feed(rig, "", 0);
    if (rig->pending.len > 0)
        buf_consume(&rig->pending,
                    session_input(rig->session, rig->now_us, rig->pending.data, rig->pending.len));
    drain(rig);
}

static void assert_request(struct rig *rig, const char *start)
{
    if (!str_starts(rig->request, start))
        fail_msg("expected \"%s…\", got \"%s\"", start, rig->request);
}

static void assert_header(struct rig *rig, const char *line)
{
    if (!strstr(rig->request, line))
        fail_msg("no \"%s\" in \"%s\"", line, rig->request);
}

static void assert_no_header(struct rig *rig, const char *name)
{
    if (strstr(rig->request, name))
        fail_msg("\"%s\" in \"%s\"", name, rig->request);
}

static void assert_end(struct rig *rig, enum session_verdict verdict, enum stream_cause cause)
{
    const struct session_end *end = &rig->session->end;
    if (end->verdict != verdict || end->cause != cause)
        fail_msg("verdict %d, cause %s: %s", end->verdict, cause_name(end->cause), end->text);
}

static const char sdp_av[] =
    RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:track1\r\n" RIG_AUDIO "a=control:track2\r\n";
static const char sdp_v[] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:track1\r\n";

static void to_describe(struct rig *rig)
{
    answer(rig, "200 OK\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\n", NULL);
}

/* Video and audio over TCP, up to PLAYING. */
static void to_playing(struct rig *rig)
{
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\nContent-Base: " URL "/\nContent-Type: application/sdp\n", sdp_av);
    answer(rig, "200 OK\nSession: abc;timeout=60\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\n",
           NULL);
    answer(rig, "200 OK\nSession: abc\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3\n", NULL);
    answer(rig, "200 OK\nSession: abc\nRTP-Info: url=trash;seq=1;rtptime=-1\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
}

static void send_frame(struct rig *rig, uint8_t channel, uint8_t pt)
{
    uint8_t bytes[4 + 40] = {'$', channel, 0, 40, 0x80, pt};
    feed(rig, bytes, sizeof bytes);
}

/* --- tests --- */

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

static void plays_over_udp(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "", "", true);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    assert_request(rig, "SETUP " URL "/track1 RTSP/1.0\r\n");
    assert_header(rig, "Transport: RTP/AVP;unicast;client_port=40000-40001\r\n");
    answer(rig,
           "200 OK\nSession: 7\n"
           "Transport: RTP/AVP;unicast;client_port=40000-40001;server_port=6970-6971\n",
           NULL);
    assert_header(rig, "client_port=40002-40003\r\n");
    answer(rig, "200 OK\nSession: 7\nTransport: RTP/AVP;unicast;client_port=40002-40003\n", NULL);
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
    assert_false(rig->session->tracks[0].is_tcp);
    assert_int_equal(rig->session->tracks[0].server_port[1], 6971);
    assert_int_equal(rig->session->tracks[1].server_port[0], 0);
    assert_int_equal(rig->n_ports, 2);
}

static void P6_takes_tcp_when_udp_is_answered_so(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "", "", true);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 7\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\n", NULL);
    answer(rig, "200 OK\n", NULL);
    assert_true(rig->session->tracks[0].is_tcp);
    send_frame(rig, 0, 96);
    assert_int_equal(rig->n_frames[0], 1);
}

static void P1_P2_uses_the_channels_of_the_answer(void **state)
{
    static const struct {
        const char *transport;
        uint8_t rtp, rtcp;
    } rows[] = {
        {"RTP/AVP/TCP;unicast;interleaved=8-9", 8, 9},
        {"RTP/AVP/TCP;interleaved=20", 20, 21},
        {"RTP/AVP;unicast;interleaved=4-5", 4, 5},
        {"RTP/AVP/TCP;unicast;ssrc=     D93FF", 0, 1},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[256];
        rig->n_frames[0] = 0;
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp_v);
        snprintf(head, sizeof head, "200 OK\nSession: 7\nTransport: %s\n", rows[i].transport);
        answer(rig, head, NULL);
        answer(rig, "200 OK\n", NULL);
        assert_int_equal(rtsp_client_state(rig->client), RTSP_CLIENT_PLAYING);
        send_frame(rig, rows[i].rtp, 96);
        send_frame(rig, rows[i].rtcp, 200);
        assert_int_equal(rig->n_frames[0], 2);
        assert_true(rig->session->tracks[0].is_tcp);
    }
}

static void P5_counts_what_nobody_set_up(void **state)
{
    struct rig *rig = *state;
    to_playing(rig);
    send_frame(rig, 4, 96);
    send_frame(rig, 0, 96);
    send_frame(rig, 15, 200);
    send_frame(rig, 3, 200);
    assert_int_equal(rig->session->n_unrequested, 2);
    assert_int_equal(rig->session->n_early, 0);
    assert_int_equal(rig->n_frames[0], 1);
    assert_int_equal(rig->n_frames[1], 1);
    session_stop(rig->session, rig->now_us);
    send_frame(rig, 4, 96); /* nothing is taken any more */
    assert_int_equal(rig->session->n_unrequested, 2);
}

/* To SETUP of the first media. */
static void to_set_up(struct rig *rig, const char *sdp, bool is_udp)
{
    begin_as(rig, URL, "", "", is_udp);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp);
}

static void P5_sets_up_all_it_describes(void **state)
{
    static const char sdp[] =
        RIG_SDP_HEAD "m=application 0 RTP/AVP 107\r\na=control:meta\r\n" RIG_VIDEO RIG_FMTP
                     "a=control:v\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\n"
                     "a=control:opus\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:back\r\n"
                     "m=application 0 RTP/AVP 107\r\nm=application 0 RTP/AVP 108\r\na=control:v\r\n"
                     "m=application 0 RTP/AVP 109\r\na=control:meta\r\n";
    static const struct {
        bool is_tried, is_needed, gets_all;
    } rows[] = {
        {false, false, false}, {true, false, true}, {false, false, false}, {false, true, true}};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool all = rows[i].gets_all;
        rig->memory.tries_all = rows[i].is_tried;
        rig->memory.needs_all = rows[i].is_needed;
        rig->n_frames[0] = 0;
        to_set_up(rig, sdp, false);
        assert_request(rig, "SETUP " URL "/v ");
        assert_int_equal(rig->memory.tries_all, rows[i].is_tried);
        answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=0-1\n", NULL);
        assert_false(rig->memory.tries_all); /* used up */
        if (all) {
            assert_request(rig, "SETUP " URL "/meta ");
            assert_header(rig, "interleaved=2-3\r\n");
            answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=2-3\n", NULL);
            assert_request(rig, "SETUP " URL "/opus ");
            answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=4-5\n", NULL);
        }
        assert_request(rig, "PLAY ");
        answer(rig, "200 OK\n", NULL);
        assert_int_equal(rig->session->n_tracks, 1);
        assert_int_equal(rig->session->n_extras, all ? 2 : 0);
        assert_int_equal(rig->session->n_left_out, all ? 0 : 2);
        for (uint8_t channel = 0; channel < 6; channel++)
            send_frame(rig, channel, 107);
        assert_int_equal(rig->n_frames[0], 2);
        assert_int_equal(rig->session->n_unrequested, all ? 0 : 4);
    }
}

static void P5_goes_on_without_what_is_refused(void **state)
{
    static const char sdp[] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP
        "a=control:v\r\n" RIG_AUDIO "a=control:a\r\nm=application 0 RTP/AVP 107\r\n"
        "a=control:m1\r\nm=application 0 RTP/AVP 107\r\n"
        "a=control:m2\r\n";
    struct rig *rig = *state;
    rig->memory.needs_all = true;
    to_set_up(rig, sdp, false);
    answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=0-1\n", NULL);
    assert_request(rig, "SETUP " URL "/a ");
    answer(rig, "500 Internal Server Error\n", NULL);
    assert_request(rig, "SETUP " URL "/m1 ");
    answer(rig, "461 Unsupported Transport\n", NULL);
    assert_request(rig, "SETUP " URL "/m2 ");
    /* not the channels of the video */
    answer(rig, "200 OK\nSession: 1\nTransport: RTP/AVP/TCP;interleaved=1-2\n", NULL);
    assert_request(rig, "PLAY ");
    answer(rig, "200 OK\n", NULL);
    assert_int_equal(rig->session->n_tracks, 1);
    assert_int_equal(rig->session->n_extras, 1);
    send_frame(rig, 0, 96);
    send_frame(rig, 1, 200);
    send_frame(rig, 2, 107);
    assert_int_equal(rig->n_frames[0], 2);
    assert_int_equal(rig->session->n_unrequested, 0);
}

static void P5_sets_up_eight_medias_at_most(void **state)
{
    char sdp[2048] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:v\r\n";
    struct rig *rig = *state;
    for (int i = 0; i < 12; i++) {
        size_t n = strlen(sdp);
        snprintf(sdp + n, sizeof sdp - n, "m=application 0 RTP/AVP 107\r\na=control:m%d\r\n", i);
    }
    rig->memory.tries_all = true;
    to_set_up(rig, sdp, true);
    for (int i = 0; i < SESSION_MAX_MEDIAS; i++) {
        assert_request(rig, "SETUP ");
        answer(rig, "200 OK\nSession: 1\n", NULL);
    }
    assert_request(rig, "PLAY ");
    assert_int_equal(rig->n_ports, SESSION_MAX_MEDIAS);
    assert_int_equal(rig->session->n_extras, 7);
    assert_int_equal(rig->session->n_left_out, 5);
}

static void U1_U3_joins_the_control_as_cameras_mean_it(void **state)
{
    static const struct {
        const char *url, *base, *control, *setup, *play;
    } rows[] = {
        {"rtsp://h/tcp/av0_0", "rtsp://h:554/tcp/av0_0", "track0", "rtsp://h/tcp/av0_0/track0",
         "rtsp://h/tcp/av0_0"},
        {"rtsp://h/cam", "rtsp://h/cam/", "*", "rtsp://h/cam/", "rtsp://h/cam/"},
        {"rtsp://h/cam", NULL, NULL, "rtsp://h/cam", "rtsp://h/cam"},
        {"rtsp://nat:8554/media/video1", NULL, "rtsp://192.168.1.98/media/video1/video",
         "rtsp://nat:8554/media/video1/video", "rtsp://nat:8554/media/video1"},
        {"rtsp://h/cam/realmonitor?channel=1&subtype=1",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/", "trackID=0",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/trackID=0",
         "rtsp://h/cam/realmonitor?channel=1&subtype=1&proto=Onvif/"},
        {"rtsp://user:p%40ss@h/cam", "h:554/cam/", "t", "rtsp://h/cam/t", "rtsp://h/cam/"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[512], body[1024], expected[512];
        begin_as(rig, rows[i].url, "", "", false);
        to_describe(rig);
        snprintf(head, sizeof head, "200 OK\n%s%s%s", rows[i].base ? "Content-Base: " : "",
                 rows[i].base ? rows[i].base : "", rows[i].base ? "\n" : "");
        snprintf(body, sizeof body, RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "%s%s%s",
                 rows[i].control ? "a=control:" : "", rows[i].control ? rows[i].control : "",
                 rows[i].control ? "\r\n" : "");
        answer(rig, head, body);
        snprintf(expected, sizeof expected, "SETUP %s RTSP/1.0\r\n", rows[i].setup);
        assert_request(rig, expected);
        answer(rig, "200 OK\nSession: 1\n", NULL);
        snprintf(expected, sizeof expected, "PLAY %s RTSP/1.0\r\n", rows[i].play);
        assert_request(rig, expected);
    }
}

static void U2_U4_tries_other_readings_of_the_control(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, "rtsp://h/live?ch=1", "", "", false);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_v);
    assert_request(rig, "SETUP rtsp://h/live?ch=1/track1 ");
    answer(rig, "404 Not Found\n", NULL);
    assert_request(rig, "SETUP rtsp://h/live/track1?ch=1 ");
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_request(rig, "PLAY ");

    begin_as(rig, "rtsp://nat:8554/v", "", "", false);
    to_describe(rig);
    answer(rig, "200 OK\n", RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:rtsp://10.1.1.1/v/t\r\n");
    assert_request(rig, "SETUP rtsp://nat:8554/v/t ");
    answer(rig, "454 Session Not Found\n", NULL);
    assert_request(rig, "SETUP rtsp://10.1.1.1/v/t ");
    answer(rig, "404 Not Found\n", NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_NOT_FOUND);
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

static void judges_the_description(void **state)
{
    static const struct {
        const char *body;
        enum stream_cause cause;
    } rows[] = {
        {RIG_SDP_HEAD RIG_AUDIO, CAUSE_NO_VIDEO},
        {RIG_SDP_HEAD, CAUSE_NO_VIDEO},
        {RIG_SDP_HEAD "m=video 0 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n", CAUSE_UNSUPPORTED},
        {"<html>hello</html>", CAUSE_PROTOCOL},
        {"", CAUSE_PROTOCOL},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", rows[i].body);
        assert_end(rig, SESSION_VERDICT_FAILED, rows[i].cause);
    }
}

static void picks_what_is_meant_for_us(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n",
           RIG_SDP_HEAD "m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\n" RIG_VIDEO
                        "a=control:v\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:back\r\n"
                        "m=audio 0 RTP/AVP 101\r\na=rtpmap:101 G729/8000\r\n" RIG_AUDIO
                        "a=control:a\r\n");
    assert_request(rig, "SETUP " URL "/v ");
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_request(rig, "SETUP " URL "/a ");

    begin(rig); /* some mark their only real streams so */
    to_describe(rig);
    answer(rig, "200 OK\n", RIG_SDP_HEAD RIG_VIDEO "a=sendonly\r\na=control:v\r\n");
    assert_request(rig, "SETUP " URL "/v ");
}

static void goes_on_without_audio(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "500 Internal Server Error\n", NULL);
    assert_request(rig, "PLAY ");
    assert_int_equal(rig->session->n_tracks, 1);
}

/* Video goes on, and what the sound is called is known (quirks M2, D8, D9). */
static void M2_names_sound_that_cannot_be_carried(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *media, *name;
    } cases[] = {
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\n", "G726-32"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 AAL2-G726-16/8000\r\n", "AAL2-G726-16"},
        {"m=audio 0 RTP/AVP 9\r\n", "G722"},
        {"m=audio 0 RTP/AVP 14\r\n", "MPA"},
        {"m=audio 0 RTP/AVP 11\r\na=rtpmap:11 PCM/96000\r\n", "PCM/96000/1"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L24/16000/2\r\n", "L24"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/48000/2\r\n", "MP4A-LATM"},
        {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\n", "opus"},
        {"m=audio 0 RTP/AVP 97\r\n", "unknown"},
        {"m=audio 0 RTP/AVP 9\r\na=sendonly\r\n", ""}, /* a backchannel is no sound of it */
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sdp[1024];
        snprintf(sdp, sizeof sdp, "%sa=control:v\r\n%s", RIG_SDP_HEAD RIG_VIDEO, cases[i].media);
        begin(rig);
        to_describe(rig);
        answer(rig, "200 OK\n", sdp);
        assert_request(rig, "SETUP " URL "/v ");
        answer(rig, "200 OK\nSession: 1\n", NULL);
        assert_request(rig, "PLAY ");
        assert_string_equal(rig->session->other_audio, cases[i].name);
    }
}

static void asks_for_the_other_transport(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    to_describe(rig);
    answer(rig, "200 OK\n", sdp_av);
    answer(rig, "461 Unsupported transport\n", NULL);
    assert_end(rig, SESSION_VERDICT_TRANSPORT, CAUSE_UNSUPPORTED);
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

/* --- login --- */

#define MD5(nonce) "WWW-Authenticate: Digest realm=\"IP Camera(1)\", nonce=\"" nonce "\"\n"

static void logs_in_by_basic(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "admin", "a:b", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\nWWW-Authenticate: Basic realm=testrealm\n", NULL);
    assert_request(rig, "DESCRIBE ");
    assert_header(rig, "Authorization: Basic YWRtaW46YTpi\r\n");
    answer(rig, "200 OK\n", sdp_v);
    assert_header(rig, "Authorization: Basic "); /* quirk A7 */
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_header(rig, "Authorization: Basic ");
}

static void logs_in_by_digest(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, "rtsp://10.0.0.5:554/a b?x=1", "admin", "12345", false);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    assert_request(rig, "OPTIONS rtsp://10.0.0.5:554/a b?x=1 ");
    assert_header(rig, "username=\"admin\"");
    assert_header(rig, "realm=\"IP Camera(1)\"");
    assert_header(rig, "uri=\"rtsp://10.0.0.5:554/a b?x=1\"");
    assert_no_header(rig, "cnonce");
    assert_no_header(rig, "12345");
}

static void A5_signs_again_when_the_nonce_expires(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "401 Unauthorized\n" MD5("n2"), NULL); /* in any state */
    assert_request(rig, "PLAY ");
    assert_header(rig, "nonce=\"n2\"");
    answer(rig, "200 OK\n", NULL);
    wait_s(rig, 25);
    assert_request(rig, "GET_PARAMETER ");
    answer(rig, "401 Unauthorized\n" MD5("n3"), NULL);
    assert_request(rig, "GET_PARAMETER ");
    assert_header(rig, "nonce=\"n3\"");
    answer(rig, "200 OK\n", NULL);
    session_stop(rig->session, rig->now_us);
    drain(rig);
    answer(rig, "401 Unauthorized\n" MD5("n4"), NULL);
    assert_request(rig, "TEARDOWN ");
    assert_header(rig, "nonce=\"n4\"");
}

static void knows_a_wrong_password(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "wrong", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL); /* the same again */
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
    assert_string_equal(rig->trace, "OPTIONS DESCRIBE DESCRIBE");

    begin_as(rig, URL, "u", "wrong", false); /* a new nonce every time: two tries, no more */
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n2"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n3"), NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
    assert_string_equal(rig->trace, "OPTIONS DESCRIBE DESCRIBE DESCRIBE");

    begin(rig); /* no password at all */
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
}

static void A2_A3_prefers_the_strongest_and_falls_back_once(void **state)
{
    static const char offers[] =
        "401 Unauthorized\nWWW-Authenticate: Basic realm=\"x\"\n"
        "WWW-Authenticate: Digest realm=\"x\",nonce=\"a\", stale=\"FALSE\"\n"
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"a\", algorithm=\"SHA-256\"\n";
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, offers, NULL);
    assert_header(rig, "algorithm=SHA-256");
    answer(rig, offers, NULL);
    assert_no_header(rig, "SHA-256");
    assert_header(rig, "Digest ");
    answer(rig, offers, NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
}

static void U11_carries_the_challenge_to_the_next_connection(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_UNREACHABLE);
    begin_as(rig, URL, "u", "p", false);
    assert_header(rig, "nonce=\"n1\"");
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_REFUSED); /* not for ever */
    begin_as(rig, URL, "u", "p", false);
    assert_no_header(rig, "Authorization");
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

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig->now_us = 1000 * US_PER_S;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    session_destroy(&rig->session);
    buf_fini(&rig->pending);
    free(rig);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(U12_U14_plays_over_tcp),
        T(plays_byte_by_byte),
        T(plays_over_udp),
        T(P6_takes_tcp_when_udp_is_answered_so),
        T(P1_P2_uses_the_channels_of_the_answer),
        T(P5_counts_what_nobody_set_up),
        T(P5_sets_up_all_it_describes),
        T(P5_goes_on_without_what_is_refused),
        T(P5_sets_up_eight_medias_at_most),
        T(U1_U3_joins_the_control_as_cameras_mean_it),
        T(U2_U4_tries_other_readings_of_the_control),
        T(names_the_cause_of_a_refusal),
        T(U8_goes_on_when_options_is_refused),
        T(judges_the_description),
        T(picks_what_is_meant_for_us),
        T(goes_on_without_audio),
        T(M2_names_sound_that_cannot_be_carried),
        T(asks_for_the_other_transport),
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
        T(logs_in_by_basic),
        T(logs_in_by_digest),
        T(A5_signs_again_when_the_nonce_expires),
        T(knows_a_wrong_password),
        T(A2_A3_prefers_the_strongest_and_falls_back_once),
        T(U11_carries_the_challenge_to_the_next_connection),
        T(ends_when_the_connection_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
