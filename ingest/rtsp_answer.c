/* What the camera's answers mean, and what is asked next. */
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/rtsp_client_priv.h"

static enum stream_cause cause_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return CAUSE_AUTH;
    case 404:
    case 410:
        return CAUSE_NOT_FOUND;
    case 429:
    case 453:
    case 503:
        return CAUSE_BUSY;
    case 405:
    case 406:
    case 415:
    case 461:
    case 501:
    case 505:
    case 551:
        return CAUSE_UNSUPPORTED;
    default:
        return CAUSE_PROTOCOL;
    }
}

/* Quirk L1: some say "forbidden" and mean that all their places are taken. */
static bool says_limit(const struct rtsp_message *m)
{
    static const char *const words[] = {"threshold", "limit", "maximum", "too many", "exceed"};
    const struct span texts[] = {m->reason, m->body};
    for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
        for (size_t i = 0; i < texts[t].n; i++) {
            const struct span rest = {texts[t].p + i, texts[t].n - i};
            for (size_t w = 0; w < ARRAY_LEN(words); w++) {
                if (span_istarts(rest, words[w]))
                    return true;
            }
        }
    }
    return false;
}

void rtsp_client__fail_by_status(struct rtsp_client *c, int64_t mono_us,
                                 const struct rtsp_message *m)
{
    c->base.end.status = m->status;
    struct span reason = m->reason.n > 0 ? m->reason : span_of(rtsp_reason(m->status));
    enum stream_cause cause = cause_of_status(m->status);
    char more[64] = "";
    if (m->status == 403 && says_limit(m)) {
        cause = CAUSE_BUSY;
        str_copy(more, sizeof more, "; its limit of viewers is reached");
    } else if (cause == CAUSE_NOT_FOUND && url_channel(&c->url) > 0) {
        snprintf(more, sizeof more, "; channel %d may not exist or have no camera",
                 url_channel(&c->url));
    }
    rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, cause,
                        "the camera answered %d %.*s to %s%s", m->status, (int)MIN(reason.n, 60),
                        reason.p, rtsp_method_name(c->request.method), more);
}

/* Inside a tunnel the camera knows itself as rtsp://: that says nothing about how to reach it. */
static void keep_tunnel(const struct url *was, struct url *url)
{
    url->is_tunnel = true;
    url->is_tls = was->is_tls;
    if (url->port == RTSP_PORT) {
        url->port = was->port;
        url->has_port = was->has_port;
    }
}

static void redirect(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    struct span location;
    struct url url;
    char text[URL_TEXT_BYTES];
    c->base.end.status = m->status;
    rtsp_get(m, "Location", &location);
    bool is_path = location.n > 0 && location.p[0] == '/';
    bool fits = is_path ? url_base(&c->url, location, span_of(NULL), text, sizeof text)
                        : span_copy(location, text, sizeof text);
    if (location.n == 0 || !fits || url_parse(text, &url, NULL) < 0) {
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                            "the camera redirects without a usable address");
        return;
    }
    if (c->url.is_tunnel && !url.is_tunnel && !url.is_tls)
        keep_tunnel(&c->url, &url);
    if (c->url.is_tls && !url.is_tls) {
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                            "the camera redirects from rtsps to plain rtsp");
        return;
    }
    c->base.end.url = url;
    rtsp_client__finish(c, mono_us, SESSION_VERDICT_REDIRECTED, CAUSE_PROTOCOL,
                        "the camera redirects to %s", url.host);
}

/* --- PLAY and after --- */

void rtsp_client__playing(struct rtsp_client *c, int64_t mono_us)
{
    c->request.method = RTSP_UNKNOWN_METHOD;
    c->keepalive_due_us = mono_us + rtsp_client_keepalive_s(c) * US_PER_S;
    rtsp_client__enter(c, RTSP_CLIENT_PLAYING);
}

/* What says that something cannot be played may mean the sound. */
static void fail_to_play(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    bool is_suspect = c->base.n_tracks > 1 && cause_of_status(m->status) == CAUSE_PROTOCOL;
    rtsp_client__fail_by_status(c, mono_us, m);
    if (is_suspect)
        sound_doubt_failed(&c->memory->sound, SOUND_SUSPECT, c->base.end.text);
}

static void on_play(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    bool is_again = true;
    rtsp_client__learn_session(c, m);
    if (m->status == 200 && c->is_play_per_track && c->i_track + 1 < c->base.n_tracks)
        c->i_track++;
    else if ((m->status == 459 || m->status == 460) && !c->is_play_per_track)
        c->is_play_per_track = true; /* quirk K8 */
    else if ((m->status == 457 || m->status == 551) && !c->is_play_without_range)
        c->is_play_without_range = true;
    else
        is_again = false;

    if (is_again) {
        c->request.method = RTSP_UNKNOWN_METHOD;
        rtsp_client__ask(c, mono_us, RTSP_PLAY);
    } else if (m->status == 200) {
        rtsp_client__playing(c, mono_us);
    } else if (rtsp_client__asks_for_sound(c)) {
        rtsp_client__leave_sound_out(c, "the camera answered %d to PLAY of its sound", m->status);
        rtsp_client__playing(c, mono_us);
    } else {
        fail_to_play(c, mono_us, m);
    }
}

/* Keepalive answers: never a reason to end (quirks F3, K4). */
static void while_playing(struct rtsp_client *c, const struct rtsp_message *m)
{
    if (c->request.method == RTSP_GET_PARAMETER && m->status != 200)
        c->memory->no_get_parameter = true;
    if (c->request.method == RTSP_OPTIONS)
        rtsp_client__learn_methods(c, m);
    c->request.method = RTSP_UNKNOWN_METHOD;
}

/* A late answer to an older request. Cameras without sense for CSeq are believed (quirk F3). */
static bool is_late(const struct rtsp_client *c, const struct rtsp_message *m)
{
    return c->state == RTSP_CLIENT_TEARDOWN && m->cseq > 0 && m->cseq < c->request.cseq;
}

void rtsp_client__answer(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    if (m->status < 200 || c->request.method == RTSP_UNKNOWN_METHOD || is_late(c, m))
        return;
    if (m->status == 401) {
        rtsp_client__challenged(c, mono_us, m);
        return;
    }
    c->was_challenged = false;
    /* not OPTIONS: some answer that to anybody, whatever it carries */
    if (m->status < 300 && c->request.n_signed > 0 && c->state != RTSP_CLIENT_OPTIONS)
        c->base.has_logged_in = true;
    bool is_redirect = m->status >= 301 && m->status <= 305;
    switch (c->state) {
    case RTSP_CLIENT_OPTIONS: /* quirk U8: whatever it says */
        if (is_redirect) {
            redirect(c, mono_us, m);
            return;
        }
        rtsp_client__learn_methods(c, m);
        c->request.method = RTSP_UNKNOWN_METHOD;
        rtsp_client__enter(c, RTSP_CLIENT_DESCRIBE);
        rtsp_client__ask(c, mono_us, RTSP_DESCRIBE);
        break;
    case RTSP_CLIENT_DESCRIBE:
        if (is_redirect) {
            redirect(c, mono_us, m);
        } else if (m->status != 200) {
            rtsp_client__fail_by_status(c, mono_us, m);
        } else {
            c->request.method = RTSP_UNKNOWN_METHOD;
            rtsp_client__described(c, mono_us, m);
        }
        break;
    case RTSP_CLIENT_SETUP:
        if (is_redirect && c->i_track == 0)
            redirect(c, mono_us, m);
        else
            rtsp_client__set_up(c, mono_us, m);
        break;
    case RTSP_CLIENT_PLAY:
        if (is_redirect && !rtsp_client__asks_for_sound(c))
            redirect(c, mono_us, m);
        else
            on_play(c, mono_us, m);
        break;
    case RTSP_CLIENT_PLAYING:
        while_playing(c, m);
        break;
    case RTSP_CLIENT_TEARDOWN:
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        break;
    case RTSP_CLIENT_ENDED:
        break;
    }
}

void rtsp_client__peer_asks(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    switch (m->method) {
    case RTSP_OPTIONS:
    case RTSP_GET_PARAMETER:
    case RTSP_SET_PARAMETER:
        rtsp_client__reply(c, m, 200);
        break;
    case RTSP_ANNOUNCE:
        rtsp_client__reply(c, m, 200);
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_AGAIN, CAUSE_PROTOCOL,
                            "the camera announced another session description");
        break;
    case RTSP_REDIRECT:
        rtsp_client__reply(c, m, 200);
        redirect(c, mono_us, m);
        break;
    case RTSP_TEARDOWN:
        rtsp_client__reply(c, m, 200);
        c->has_session = false;
        if (c->state != RTSP_CLIENT_TEARDOWN)
            rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_UNREACHABLE,
                                "the camera ended the session");
        break;
    case RTSP_UNKNOWN_METHOD:
    case RTSP_DESCRIBE:
    case RTSP_SETUP:
    case RTSP_PLAY:
    case RTSP_PAUSE:
    case RTSP_RECORD:
        rtsp_client__reply(c, m, 501);
        break;
    }
}
