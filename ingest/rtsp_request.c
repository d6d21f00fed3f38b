/* What the client asks, and how it answers when the camera asks. */
#include <assert.h>

#include "base/clock.h"
#include "ingest/rtsp_client_priv.h"

static bool is_absolute(const char *control)
{
    return strstr(control, "://") != NULL;
}

static bool verbatim_url(const char *control, char *dst, size_t cap)
{
    struct url url;
    return url_parse(control, &url, NULL) == 0 && url_print_request(&url, dst, cap);
}

bool rtsp_client__control_url(const struct rtsp_client *c, char *dst, size_t cap)
{
    int i_extra = c->i_track - c->base.n_tracks;
    const char *control =
        i_extra < 0 ? c->base.tracks[c->i_track].media->control : c->extras[i_extra]->control;
    struct span span = span_of(control);
    char first[URL_TEXT_BYTES];
    switch (c->form) {
    case CONTROL_APPENDED:
        return url_join_control(&c->url, c->base_url, span, dst, cap);
    case CONTROL_BEFORE_QUERY:
        return strchr(c->base_url, '?') && control[0] && !is_absolute(control) &&
               url_join_control_before_query(&c->url, c->base_url, span, dst, cap);
    case CONTROL_VERBATIM:
        return is_absolute(control) && verbatim_url(control, dst, cap) &&
               url_join_control(&c->url, c->base_url, span, first, sizeof first) &&
               strcmp(first, dst) != 0;
    case CONTROL_NONE_LEFT:
        break;
    }
    return false;
}

static void put_transport(struct rtsp_client *c)
{
    int i = c->i_track;
    if (c->is_udp)
        rtsp_put(&c->base.out, "Transport", "RTP/AVP;unicast;client_port=%d-%d", c->udp_port[i],
                 c->udp_port[i] + 1);
    else
        rtsp_put(&c->base.out, "Transport", "RTP/AVP/TCP;unicast;interleaved=%d-%d", 2 * i,
                 2 * i + 1);
}

static void put_authorization(struct rtsp_client *c, const char *uri)
{
    char value[AUTH_HEADER_BYTES];
    struct span no_body = {"", 0};
    if (!c->has_auth)
        return;
    if (auth_sign(&c->auth, rtsp_method_name(c->request.method), uri, c->user, c->password, no_body,
                  value, sizeof value) < 0)
        return;
    rtsp_put(&c->base.out, "Authorization", "%s", value);
    c->request.n_signed++;
}

/* Quirk U12: exact header case, nothing optional. */
static void send_request(struct rtsp_client *c, int64_t mono_us)
{
    char uri[URL_TEXT_BYTES];
    enum rtsp_method method = c->request.method;
    bool is_of_track = method == RTSP_SETUP || (method == RTSP_PLAY && c->is_play_per_track);
    if (!is_of_track || !rtsp_client__control_url(c, uri, sizeof uri))
        str_copy(uri, sizeof uri, c->base_url);

    c->request.cseq = ++c->cseq;
    c->request.due_us = mono_us + rtsp_client__answer_s(c) * US_PER_S;
    rtsp_request_begin(&c->base.out, method, uri, c->request.cseq, NULL);
    if (method == RTSP_SETUP)
        put_transport(c);
    if (c->session.id[0])
        rtsp_put(&c->base.out, "Session", "%s", c->session.id);
    if (method == RTSP_DESCRIBE)
        rtsp_put(&c->base.out, "Accept", "application/sdp");
    if (method == RTSP_PLAY && !c->is_play_without_range)
        rtsp_put(&c->base.out, "Range", "npt=0.000-");
    put_authorization(c, uri);
    rtsp_end(&c->base.out, NULL, NULL, 0);
}

void rtsp_client__ask(struct rtsp_client *c, int64_t mono_us, enum rtsp_method method)
{
    assert(c->request.method == RTSP_UNKNOWN_METHOD);
    c->request = (struct rtsp_request){.method = method};
    send_request(c, mono_us);
}

void rtsp_client__ask_again(struct rtsp_client *c, int64_t mono_us)
{
    assert(c->request.method != RTSP_UNKNOWN_METHOD);
    send_request(c, mono_us);
}

void rtsp_client__reply(struct rtsp_client *c, const struct rtsp_message *m, int status)
{
    /* Who asks faster than he reads is not answered every time. */
    if (c->base.out.len > SESSION_OUT_BYTES / 2)
        return;
    rtsp_response_begin(&c->base.out, status, NULL, m->cseq, NULL);
    if (c->session.id[0])
        rtsp_put(&c->base.out, "Session", "%s", c->session.id);
    if (m->method == RTSP_OPTIONS)
        rtsp_put(&c->base.out, "Public",
                 "OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE, TEARDOWN");
    rtsp_end(&c->base.out, NULL, NULL, 0);
}
