/* Shared by the tests of the client: a client without sockets, answered by hand under a clock of
 * its own. */
#ifndef TESTS_INGEST_RTSP_CLIENT_RIG_H
#define TESTS_INGEST_RTSP_CLIENT_RIG_H

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

static inline void on_frame(void *ctx, int track, const uint8_t *p, size_t n)
{
    struct rig *rig = ctx;
    (void)p;
    rig->n_frames[track]++;
    rig->n_frame_bytes += n;
}

static inline int on_open_udp(void *ctx, int track)
{
    struct rig *rig = ctx;
    rig->n_ports++;
    return 40000 + 2 * track;
}

static const struct session_host ops = {.frame = on_frame, .open_udp = on_open_udp};

static inline void drain(struct rig *rig)
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

static inline void begin_as(struct rig *rig, const char *url, const char *user,
                            const char *password, bool is_udp)
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

static inline void begin(struct rig *rig)
{
    begin_as(rig, URL, "", "", false);
}

static inline void feed(struct rig *rig, const void *data, size_t n)
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
static inline void answer(struct rig *rig, const char *head, const char *body)
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

static inline void wait_s(struct rig *rig, int s)
{
    rig->now_us += s * US_PER_S;
    session_timeout(rig->session, rig->now_us);
    feed(rig, "", 0);
    if (rig->pending.len > 0)
        buf_consume(&rig->pending,
                    session_input(rig->session, rig->now_us, rig->pending.data, rig->pending.len));
    drain(rig);
}

static inline void assert_request(struct rig *rig, const char *start)
{
    if (!str_starts(rig->request, start))
        fail_msg("expected \"%s…\", got \"%s\"", start, rig->request);
}

static inline void assert_header(struct rig *rig, const char *line)
{
    if (!strstr(rig->request, line))
        fail_msg("no \"%s\" in \"%s\"", line, rig->request);
}

static inline void assert_no_header(struct rig *rig, const char *name)
{
    if (strstr(rig->request, name))
        fail_msg("\"%s\" in \"%s\"", name, rig->request);
}

static inline void assert_end(struct rig *rig, enum session_verdict verdict,
                              enum stream_cause cause)
{
    const struct session_end *end = &rig->session->end;
    if (end->verdict != verdict || end->cause != cause)
        fail_msg("verdict %d, cause %s: %s", end->verdict, cause_name(end->cause), end->text);
}

static const char sdp_av[] =
    RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:track1\r\n" RIG_AUDIO "a=control:track2\r\n";
static const char sdp_v[] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:track1\r\n";

static inline void to_describe(struct rig *rig)
{
    answer(rig, "200 OK\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\n", NULL);
}

/* Video and audio over TCP, up to PLAYING. */
static inline void to_playing(struct rig *rig)
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

static inline void send_frame(struct rig *rig, uint8_t channel, uint8_t pt)
{
    uint8_t bytes[4 + 40] = {'$', channel, 0, 40, 0x80, pt};
    feed(rig, bytes, sizeof bytes);
}

static inline int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig->now_us = 1000 * US_PER_S;
    *state = rig;
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;
    session_destroy(&rig->session);
    buf_fini(&rig->pending);
    free(rig);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
