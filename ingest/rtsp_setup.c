/* Setting up what was chosen, media by media, and what the camera makes of it. */
#include "base/clock.h"
#include "ingest/rtsp_client_priv.h"

static void play(struct rtsp_client *c, int64_t mono_us)
{
    rtsp_client__enter(c, RTSP_CLIENT_PLAY);
    c->accepts_frames = true; /* quirk K7: media may come before the answer */
    c->i_track = 0;
    c->form = CONTROL_APPENDED;
    rtsp_client__ask(c, mono_us, RTSP_PLAY);
}

static bool open_ports(struct rtsp_client *c)
{
    if (!c->is_udp || c->udp_port[c->i_track] > 0)
        return true;
    c->udp_port[c->i_track] = c->base.host->open_udp(c->base.ctx, c->i_track);
    return c->udp_port[c->i_track] > 0;
}

/* False: its address is of no use, or there are no ports for it. */
static bool set_up(struct rtsp_client *c, int64_t mono_us)
{
    char url[URL_TEXT_BYTES];
    c->form = CONTROL_APPENDED;
    while (c->form < CONTROL_NONE_LEFT && !rtsp_client__control_url(c, url, sizeof url))
        c->form++;
    if (c->form == CONTROL_NONE_LEFT || !open_ports(c))
        return false;
    rtsp_client__ask(c, mono_us, RTSP_SETUP);
    return true;
}

static void no_set_up(struct rtsp_client *c, int64_t mono_us)
{
    if (c->form < CONTROL_NONE_LEFT)
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_INTERNAL,
                            "no pair of UDP ports is free");
    else
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                            "the camera's address of the video track is unusable");
}

/* The media in hand, which is not the video: that goes on without it. */
static void leave_out(struct rtsp_client *c, const char *why)
{
    int i = c->i_track - c->base.n_tracks;
    if (i < 0) {
        rtsp_client__leave_sound_out(c, "%s", why);
        c->base.n_tracks = c->i_track;
        return;
    }
    c->base.n_extras--;
    memmove(&c->extras[i], &c->extras[i + 1], (size_t)(c->base.n_extras - i) * sizeof c->extras[0]);
}

void rtsp_client__set_up_next(struct rtsp_client *c, int64_t mono_us)
{
    c->request.method = RTSP_UNKNOWN_METHOD;
    if (c->i_track >= c->base.n_tracks) { /* no challenge or redirect is in the way any more */
        c->memory->tries_all = false;
        if (c->base.spares_sound)
            sound_doubt_use_up(&c->memory->sound);
    }
    while (c->i_track < c->base.n_tracks + c->base.n_extras) {
        if (set_up(c, mono_us))
            return;
        if (c->i_track == 0) {
            no_set_up(c, mono_us);
            return;
        }
        leave_out(c, c->form < CONTROL_NONE_LEFT ? "no pair of UDP ports is free"
                                                 : "the camera's address of it is unusable");
    }
    play(c, mono_us);
}

void rtsp_client__learn_session(struct rtsp_client *c, const struct rtsp_message *m)
{
    struct span value;
    struct rtsp_session session;
    if (!rtsp_get(m, "Session", &value))
        return;
    rtsp_session_parse(value, &session);
    if (!c->session.id[0]) /* quirk P4: the first one wins */
        str_copy(c->session.id, sizeof c->session.id, session.id);
    if (session.timeout_s > 0 && (c->timeout_s == 0 || session.timeout_s < c->timeout_s))
        c->timeout_s = session.timeout_s;
}

/* What is answered with the channels of a media before it does not get them: sound would take those
 * of the video. Its packets are known by their type (quirk I4). */
static void take_channels(struct rtsp_client *c, const uint8_t channel[2])
{
    for (int i = 0; i < 2; i++) {
        int8_t *track = &c->track_of_channel[channel[i]];
        if (*track == CHANNEL_NONE)
            *track = c->i_track < c->base.n_tracks ? (int8_t)c->i_track : CHANNEL_UNHEARD;
        rtsp_parser_add_channel(&c->base.parser, channel[i]);
    }
}

/* Quirks P1, P2, P6, P7: what the camera made of the transport asked for. False: multicast, which
 * nobody asked for (quirk P8). */
static bool settle_track(struct rtsp_client *c, const struct rtsp_message *m)
{
    bool is_extra = c->i_track >= c->base.n_tracks;
    struct session_track extra = {0};
    struct session_track *t = is_extra ? &extra : &c->base.tracks[c->i_track];
    struct rtsp_transport transport = {.is_tcp = !c->is_udp};
    struct span value;
    t->is_tcp = !c->is_udp;
    t->channel[0] = (uint8_t)(2 * c->i_track);
    t->channel[1] = (uint8_t)(2 * c->i_track + 1);
    if (rtsp_get(m, "Transport", &value) && rtsp_transport_next(&value, &transport)) {
        if (transport.is_multicast && !transport.has_interleaved)
            return is_extra;
        if (transport.has_interleaved) {
            t->is_tcp = true;
            t->channel[0] = transport.interleaved[0];
            t->channel[1] = transport.interleaved[1];
        }
        if (transport.has_server_port) {
            t->server_port[0] = transport.server_port[0];
            t->server_port[1] = transport.server_port[1];
        }
    }
    if (t->is_tcp)
        take_channels(c, t->channel);
    return true;
}

/* Quirks U2, U4: asks for it by another reading of its control attribute. False: there is none. */
static bool ask_otherwise(struct rtsp_client *c, int64_t mono_us)
{
    enum control_form before = c->form;
    char url[URL_TEXT_BYTES];
    do {
        c->form++;
    } while (c->form < CONTROL_NONE_LEFT && !rtsp_client__control_url(c, url, sizeof url));
    if (c->form == CONTROL_NONE_LEFT) {
        c->form = before;
        return false;
    }
    c->request.method = RTSP_UNKNOWN_METHOD;
    rtsp_client__ask(c, mono_us, RTSP_SETUP);
    return true;
}

/* Sound and extras are left out whatever is said; pictures come without them. */
static void refused(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    if (c->i_track > 0) {
        rtsp_client__refuse_media(c, mono_us, m);
    } else if (m->status == 461) {
        c->base.end.status = 461;
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_TRANSPORT, CAUSE_UNSUPPORTED,
                            "the camera refuses to send over %s", c->is_udp ? "UDP" : "TCP");
    } else {
        rtsp_client__fail_by_status(c, mono_us, m);
    }
}

void rtsp_client__refuse_media(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    char what[64];
    char why[128];
    struct span reason = m->reason.n > 0 ? m->reason : span_of(rtsp_reason(m->status));
    snprintf(why, sizeof why, "the camera answered %d %.*s to %s", m->status,
             (int)MIN(reason.n, 60), reason.p, rtsp_client__print_request(c, what, sizeof what));
    leave_out(c, why);
    rtsp_client__set_up_next(c, mono_us);
}

void rtsp_client__set_up(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    switch (m->status) {
    case 200:
        c->has_session = true;
        rtsp_client__learn_session(c, m);
        if (settle_track(c, m)) {
            c->i_track++;
        } else if (c->i_track > 0) {
            leave_out(c, "the camera sends it by multicast only");
        } else {
            rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_UNSUPPORTED,
                                "the camera sends by multicast only, which is not supported");
            return;
        }
        rtsp_client__set_up_next(c, mono_us);
        return;
    case 400:
    case 404:
    case 451:
    case 454:
        if (!ask_otherwise(c, mono_us))
            refused(c, mono_us, m);
        return;
    default:
        refused(c, mono_us, m);
        return;
    }
}
