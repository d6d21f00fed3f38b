/* The requests of a client, answered as a well-behaved camera would, or as its mode wants. */
#include <string.h>
#include <sys/random.h>

#include "client_priv.h"
#include "media/sdp.h"

#define PUBLIC "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"

/* What a URI names: /cam-001, /cam-001/sub, each with /trackID=N behind it for SETUP. */
struct target {
    struct camera *camera;
    struct stream *stream;
    int track; /* -1 = the whole stream */
};

static struct span path_of(struct span uri)
{
    struct span rest = uri;
    struct span part;
    if (span_istarts(rest, "rtsp://") || span_istarts(rest, "rtsps://")) { /* behind TLS */
        size_t n = rest.p[4] == ':' ? 7 : 8;
        rest.p += n;
        rest.n -= n;
        span_cut(&rest, '/', &part);
    }
    span_cut(&rest, '?', &part);
    return part;
}

/* main, sub, video or audio of a camera. */
static bool name_target(struct camera *camera, const char *name, struct target *out)
{
    bool is_sub = strcmp(name, "sub") == 0;
    out->camera = camera;
    out->stream = &camera->streams[is_sub ? STREAM_SUB : STREAM_MAIN];
    if (strcmp(name, "video") == 0)
        out->track = TRACK_VIDEO;
    if (strcmp(name, "audio") == 0)
        out->track = TRACK_AUDIO;
    return out->stream->is_on;
}

static bool find_target(const struct client *c, struct span uri, const char *as, struct target *out)
{
    struct span path = path_of(uri);
    struct span part;
    char id[CONFIG_TEXT_BYTES];
    *out = (struct target){.track = -1};
    if (c->camera && (as || c->camera->config->uris)) {
        const char *name = as ? as : script_resource(c->camera->config->uris, uri);
        return name && name_target(c->camera, name, out);
    }
    while (path.n > 0 && path.p[0] == '/')
        path = (struct span){path.p + 1, path.n - 1};
    if (!span_cut(&path, '/', &part) || !span_copy(part, id, sizeof id))
        return false;
    out->camera = map_get(c->sim->by_id, id);
    if (!out->camera || (c->camera && c->camera != out->camera))
        return false;
    out->stream = &out->camera->streams[STREAM_MAIN];
    while (span_cut(&path, '/', &part)) {
        if (span_eq(part, "sub"))
            out->stream = &out->camera->streams[STREAM_SUB];
        else if (span_eq(part, "trackID=0"))
            out->track = TRACK_VIDEO;
        else if (span_eq(part, "trackID=1"))
            out->track = TRACK_AUDIO;
        else if (part.n > 0 && !span_eq(part, "main"))
            return false;
    }
    return out->stream->is_on;
}

static int session_timeout_s(const struct client *c)
{
    int own = c->camera ? c->camera->config->session_timeout_s : 0;
    return own ? own : c->sim->config->session_timeout_s;
}

static void begin(struct client *c, const struct rtsp_message *m, int status)
{
    rtsp_response_begin(&c->out, status, NULL, m->cseq, CAMSIM_NAME);
    if (c->session[0])
        rtsp_put(&c->out, "Session", "%s;timeout=%d", c->session, session_timeout_s(c));
}

static void answer(struct client *c, const struct rtsp_message *m, int status)
{
    begin(c, m, status);
    rtsp_end(&c->out, NULL, NULL, 0);
}

static struct auth_challenge challenge_of(const struct client *c)
{
    struct auth_challenge ch = {.scheme = c->camera->config->auth,
                                .qop = c->camera->config->has_qop ? AUTH_QOP_AUTH : AUTH_QOP_NONE,
                                .has_algorithm = c->camera->config->auth != AUTH_MD5};
    str_copy(ch.realm, sizeof ch.realm, c->camera->config->realm);
    str_copy(ch.nonce, sizeof ch.nonce, c->nonce);
    return ch;
}

static bool is_authorized(const struct client *c, const struct rtsp_message *m)
{
    const struct camera_config *config = c->camera->config;
    struct span value;
    struct auth_answer a;
    if (c->camera->mode == FAIL_UNAUTHORIZED)
        return false;
    if (config->auth == AUTH_NONE)
        return true;
    if (!rtsp_get(m, "Authorization", &value) || auth_answer_parse(value, &a) < 0)
        return false;
    if (config->auth == AUTH_BASIC)
        return a.scheme == AUTH_BASIC && strcmp(a.user, config->user) == 0 &&
               strcmp(a.password, config->password) == 0;
    struct auth_challenge ch = challenge_of(c);
    char ha1[AUTH_HASH_BYTES];
    auth_ha1(config->auth, config->user, config->realm, config->password, ha1);
    return strcmp(a.user, config->user) == 0 && span_eq(m->uri, a.uri) &&
           auth_answer_verify(&a, &ch, rtsp_method_name(m->method), ha1, m->body);
}

static void challenge(struct client *c, const struct rtsp_message *m)
{
    char text[AUTH_HEADER_BYTES];
    if (!c->nonce[0])
        auth_make_nonce(c->nonce, sizeof c->nonce);
    struct auth_challenge ch = challenge_of(c);
    if (ch.scheme == AUTH_NONE)
        ch.scheme = AUTH_MD5;
    begin(c, m, 401);
    if (auth_challenge_print(&ch, text, sizeof text))
        rtsp_put(&c->out, "WWW-Authenticate", "%s", text);
    rtsp_end(&c->out, NULL, NULL, 0);
}

static void on_describe(struct client *c, const struct rtsp_message *m, const struct target *t)
{
    const struct track *tracks = t->stream->tracks;
    int status = fail_table[c->camera->mode].answer;
    if (status) {
        answer(c, m, status);
        return;
    }
    struct buf sdp;
    buf_init(&sdp, RTSP_BODY_MAX_BYTES);
    if (c->camera->mode == FAIL_NO_VIDEO)
        buf_puts(&sdp, "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
                       "m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n");
    else
        sdp_print(tracks[TRACK_VIDEO].format, tracks[TRACK_AUDIO].format, c->camera->config->name,
                  &sdp);
    c->has_described = true;
    begin(c, m, 200);
    rtsp_put(&c->out, "Content-Base", SPAN_FMT "/", SPAN_ARG(m->uri));
    rtsp_end(&c->out, "application/sdp", sdp.data, sdp.len);
    buf_fini(&sdp);
}

/* The first alternative we can do. False: none. */
static bool choose_transport(const struct client *c, const struct rtsp_message *m,
                             struct rtsp_transport *out)
{
    struct span list;
    if (!rtsp_get(m, "Transport", &list))
        return false;
    while (rtsp_transport_next(&list, out)) {
        if (out->is_multicast)
            continue;
        if (out->is_tcp ? c->sim->config->allows_tcp
                        : c->sim->config->allows_udp && out->has_client_port)
            return true;
    }
    return false;
}

static void on_setup(struct client *c, const struct rtsp_message *m, const struct target *t)
{
    int i = MAX(t->track, 0);
    struct client_track *ct = &c->tracks[i];
    struct rtsp_transport tr;
    if (!t->stream->tracks[i].format) {
        answer(c, m, 404);
        return;
    }
    if (c->state == CLIENT_PLAYING || (c->stream && c->stream != t->stream)) {
        answer(c, m, 455);
        return;
    }
    if (!choose_transport(c, m, &tr)) {
        answer(c, m, 461);
        return;
    }
    if (!c->session[0])
        auth_make_nonce(c->session, sizeof c->session);
    c->stream = t->stream;
    c->state = CLIENT_READY;
    *ct = (struct client_track){.is_setup = true,
                                .is_udp = !tr.is_tcp,
                                .rtp = c->peer,
                                .rtcp = c->peer,
                                .needs_key = i == TRACK_VIDEO};
    if (tr.is_tcp) {
        ct->channel = tr.has_interleaved ? tr.interleaved[0] : (uint8_t)(2 * i);
        tr.has_interleaved = true;
        tr.interleaved[0] = ct->channel;
        tr.interleaved[1] = (uint8_t)(ct->channel + 1);
        rtsp_parser_add_channel(&c->parser, tr.interleaved[1]);
    } else {
        address_set_port(&ct->rtp, tr.client_port[0]);
        address_set_port(&ct->rtcp, tr.client_port[1]);
        tr.has_server_port = true;
        tr.server_port[0] = c->sim->udp_port;
        tr.server_port[1] = (uint16_t)(c->sim->udp_port + 1);
    }
    struct buf text;
    buf_init(&text, 1024);
    rtsp_transport_print(&tr, &text);
    begin(c, m, 200);
    rtsp_put(&c->out, "Transport", "%s;ssrc=%08X", buf_cstr(&text), t->stream->tracks[i].ssrc);
    rtsp_end(&c->out, NULL, NULL, 0);
    buf_fini(&text);
}

static void on_play(struct client *c, const struct rtsp_message *m)
{
    if (c->state == CLIENT_INIT) {
        answer(c, m, 455);
        return;
    }
    begin(c, m, 200);
    rtsp_put(&c->out, "Range", "npt=now-");
    rtsp_end(&c->out, NULL, NULL, 0);
    if (c->state == CLIENT_PLAYING)
        return;
    c->state = CLIENT_PLAYING;
    c->sim->load.n_played++;
    client__shaken(c);
    stream_join(c->stream, c);
}

static void on_teardown(struct client *c, const struct rtsp_message *m)
{
    client__stop_playing(c);
    answer(c, m, 200);
    c->stream = NULL;
    c->state = CLIENT_INIT;
    c->session[0] = 0;
    memset(c->tracks, 0, sizeof c->tracks);
}

static bool session_fits(const struct client *c, const struct rtsp_message *m)
{
    struct span value;
    struct rtsp_session session;
    if (!rtsp_get(m, "Session", &value))
        return true;
    rtsp_session_parse(value, &session);
    return strcmp(session.id, c->session) == 0;
}

/* Who speaks to which camera is known from the first request on. False: no such camera. */
static bool bind_camera(struct client *c, const struct target *t)
{
    if (!c->camera && t->camera) {
        c->camera = t->camera;
        c->camera->n_clients++;
        c->connection = (int)++c->camera->n_accepted;
        trace_event(c->camera, c->connection, "connected");
    }
    return c->camera != NULL;
}

static void dispatch(struct client *c, const struct rtsp_message *m, const struct target *t,
                     bool is_found)
{
    switch (m->method) {
    case RTSP_OPTIONS:
        begin(c, m, 200);
        rtsp_put(&c->out, "Public", "%s", PUBLIC);
        rtsp_end(&c->out, NULL, NULL, 0);
        break;
    case RTSP_DESCRIBE:
        if (is_found)
            on_describe(c, m, t);
        break;
    case RTSP_SETUP:
        if (is_found)
            on_setup(c, m, t);
        break;
    case RTSP_PLAY:
        on_play(c, m);
        break;
    case RTSP_PAUSE:
        client__stop_playing(c);
        answer(c, m, 200);
        break;
    case RTSP_GET_PARAMETER:
    case RTSP_SET_PARAMETER:
        answer(c, m, 200);
        break;
    case RTSP_TEARDOWN:
        on_teardown(c, m);
        break;
    case RTSP_ANNOUNCE:
    case RTSP_RECORD:
    case RTSP_REDIRECT:
    case RTSP_UNKNOWN_METHOD:
        answer(c, m, 501);
        break;
    }
}

/* The modes that answer nothing, or something that is no RTSP. True: done with. */
static bool misbehaves(struct client *c)
{
    static const char page[] = "HTTP/1.1 400 Bad Request\r\nServer: web\r\nContent-Type: "
                               "text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
                               "<h1>Bad Request</h1>";
    if (c->camera->mode == FAIL_REFUSE) {
        client__reset(c);
        return true;
    }
    if (fail_table[c->camera->mode].is_deaf)
        return true;
    if (c->camera->mode == FAIL_HTTP) {
        buf_puts(&c->out, page);
        client__finish(c);
        return true;
    }
    return false;
}

int client__track_of(const struct client *c, struct span uri, const char *as)
{
    struct target target;
    find_target(c, uri, as, &target);
    return target.track;
}

void client__refuse(struct client *c, const struct rtsp_message *m, int status)
{
    if (status == 401)
        challenge(c, m);
    else
        answer(c, m, status);
}

void client__respond(struct client *c, const struct rtsp_message *m, const char *as)
{
    struct target target;
    bool is_found = find_target(c, m->uri, as, &target);
    bool needs_target =
        c->camera->config->uris || m->method == RTSP_DESCRIBE || m->method == RTSP_SETUP;
    if (m->method != RTSP_OPTIONS && !is_authorized(c, m))
        challenge(c, m);
    else if (!session_fits(c, m))
        answer(c, m, 454);
    else if (!is_found && needs_target && m->method != RTSP_OPTIONS)
        answer(c, m, 404);
    else
        dispatch(c, m, &target, is_found);
}

void client__request(struct client *c, const struct rtsp_message *m)
{
    struct target target;
    find_target(c, m->uri, NULL, &target);
    if (!bind_camera(c, &target)) {
        answer(c, m, m->method == RTSP_OPTIONS ? 200 : 404);
        client__flush(c);
        return;
    }
    trace_request(c, m);
    if (misbehaves(c) || (c->camera->config->rules && script_request(c, m)))
        return;
    size_t before = c->out.len;
    client__respond(c, m, NULL);
    if (c->out.len >= before + 12)
        trace_status(c, (int)strtol((const char *)c->out.data + before + 9, NULL, 10));
    if (!c->is_closed)
        client__flush_answers(c);
}
