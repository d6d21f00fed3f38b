/* What an encoder announces, and how its tracks are set up. */
#include <string.h>

#include "base/mem.h"
#include "ingest/rtsp_push_priv.h"

/* --- ANNOUNCE --- */

/* The direction is not looked at: encoders write sendonly, recvonly or nothing. -1 = none. */
static int choose_media(const struct sdp *sdp, bool is_video)
{
    for (size_t i = 0; i < sdp->n_medias; i++) {
        const struct sdp_media *m = &sdp->medias[i];
        if (is_video ? m->is_video && codec_is_video(m->codec)
                     : m->is_audio && m->codec != CODEC_NONE && m->format)
            return (int)i;
    }
    return -1;
}

static void refuse_video(struct rtsp_push *p, const struct rtsp_message *m)
{
    const struct sdp_media *other = NULL;
    for (size_t i = 0; i < p->sdp->n_medias && !other; i++)
        other = p->sdp->medias[i].is_video ? &p->sdp->medias[i] : NULL;
    if (!other) {
        rtsp_push__reply(p, m, 415, "No video is announced");
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_NO_VIDEO, "%s announces no video",
                          p->peer);
        return;
    }
    rtsp_push__reply(p, m, 415, "This video is not supported: send H.264, H.265 or MJPEG");
    rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_UNSUPPORTED,
                      "%s sends %s video; H.264, H.265 and MJPEG are supported", p->peer,
                      other->name[0] ? other->name : "unknown");
}

void rtsp_push__announced(struct rtsp_push *p, const struct rtsp_message *m)
{
    p->sdp = xcalloc(1, sizeof *p->sdp);
    if (sdp_parse(m->body, p->sdp, NULL) < 0) {
        rtsp_push__reply(p, m, 400, "The body is no session description");
        rtsp_push__finish(p, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                          "%s announced no session description", p->peer);
        return;
    }
    p->media_of_track[0] = choose_media(p->sdp, true);
    p->media_of_track[1] = choose_media(p->sdp, false);
    if (p->media_of_track[1] < 0)
        session_note_audio(&p->base, p->sdp);
    if (p->media_of_track[0] < 0) {
        refuse_video(p, m);
        return;
    }
    rtsp_push__enter(p, RTSP_PUSH_SETUP);
    rtsp_push__reply(p, m, 200, NULL);
}

/* --- SETUP --- */

/* Whether the address ends with that control attribute: whole, as the last part of the path or of
 * the query. */
static bool ends_with(struct span uri, struct span control)
{
    if (control.n == 0 || uri.n < control.n ||
        memcmp(uri.p + uri.n - control.n, control.p, control.n) != 0)
        return false;
    return uri.n == control.n || control.p[0] == '/' ||
           strchr("/?&", uri.p[uri.n - control.n - 1]) != NULL;
}

/* Which media is meant: by its control attribute, in front of or behind a query; else the next one
 * that is not set up. -1 = there is none left. */
static int media_of_uri(const struct rtsp_push *p, struct span uri)
{
    struct span rest = uri;
    struct span path;
    span_cut(&rest, '?', &path);
    int spare = -1;
    for (size_t i = 0; i < p->sdp->n_medias; i++) {
        struct span control = span_of(p->sdp->medias[i].control);
        if (ends_with(uri, control) || ends_with(path, control))
            return (int)i;
        if (spare < 0 && !p->setups[i].is_done)
            spare = (int)i;
    }
    return spare;
}

static int track_of_media(const struct rtsp_push *p, int media)
{
    for (int t = 0; t < SESSION_MAX_TRACKS; t++) {
        if (p->media_of_track[t] == media)
            return t;
    }
    return -1;
}

static bool is_channel_taken(const struct rtsp_push *p, int media, uint8_t channel)
{
    for (int i = 0; i < SDP_MAX_MEDIAS; i++) {
        const struct push_setup *s = &p->setups[i];
        if (i != media && s->is_done && s->is_tcp &&
            (s->channel[0] == channel || s->channel[1] == channel))
            return true;
    }
    return false;
}

/* The channels asked for, else a pair that is free: 16 medias leave plenty. */
static bool take_tcp(struct rtsp_push *p, int media, struct rtsp_transport *t)
{
    bool is_fit = t->has_interleaved && t->interleaved[0] != t->interleaved[1] &&
                  !is_channel_taken(p, media, t->interleaved[0]) &&
                  !is_channel_taken(p, media, t->interleaved[1]);
    for (unsigned c = 0; !is_fit && c < 256; c += 2) {
        t->interleaved[0] = (uint8_t)c;
        t->interleaved[1] = (uint8_t)(c + 1);
        is_fit = !is_channel_taken(p, media, t->interleaved[0]) &&
                 !is_channel_taken(p, media, t->interleaved[1]);
    }
    struct push_setup *s = &p->setups[media];
    s->is_tcp = true;
    t->has_interleaved = true;
    for (int i = 0; i < 2; i++) {
        s->channel[i] = t->interleaved[i];
        rtsp_parser_add_channel(&p->base.parser, t->interleaved[i]);
    }
    return is_fit;
}

static bool take_udp(struct rtsp_push *p, int media, struct rtsp_transport *t)
{
    int track = track_of_media(p, media);
    if (track < 0 || !p->base.host->open_udp || !t->has_client_port || t->is_multicast)
        return false;
    if (p->udp_port[track] == 0)
        p->udp_port[track] = p->base.host->open_udp(p->base.ctx, track);
    if (p->udp_port[track] <= 0)
        return false;
    struct push_setup *s = &p->setups[media];
    s->is_tcp = false;
    memcpy(s->client_port, t->client_port, sizeof s->client_port);
    t->has_server_port = true;
    t->server_port[0] = (uint16_t)p->udp_port[track];
    t->server_port[1] = (uint16_t)(p->udp_port[track] + 1);
    return true;
}

/* All tracks go the same way, because one receiver takes them. */
static bool is_other_way(const struct rtsp_push *p, int media, bool is_tcp)
{
    for (int i = 0; i < SDP_MAX_MEDIAS; i++) {
        if (i != media && p->setups[i].is_done && p->setups[i].is_tcp != is_tcp)
            return true;
    }
    return false;
}

static void reply_transport(struct rtsp_push *p, const struct rtsp_message *m,
                            const struct rtsp_transport *taken)
{
    struct buf value;
    struct rtsp_transport t = *taken;
    /* Only what was agreed is said again. */
    t.destination[0] = t.source[0] = '\0';
    t.has_port = t.is_multicast = t.has_ssrc = false;
    t.ttl = 0;
    if (t.is_tcp)
        t.has_client_port = false;
    buf_init(&value, RTSP_HEADER_MAX_BYTES);
    rtsp_transport_print(&t, &value);
    rtsp_response_begin(&p->base.out, 200, NULL, m->cseq, NULL);
    rtsp_put(&p->base.out, "Transport", "%s", buf_cstr(&value));
    rtsp_put(&p->base.out, "Session", "%s;timeout=%d", p->id, RTSP_PUSH_TIMEOUT_S);
    rtsp_end(&p->base.out, NULL, NULL, 0);
    buf_fini(&value);
}

void rtsp_push__set_up(struct rtsp_push *p, const struct rtsp_message *m)
{
    struct rtsp_transport t;
    struct span list;
    if (p->state != RTSP_PUSH_SETUP) {
        rtsp_push__reply(p, m, 455, NULL);
        return;
    }
    int media = media_of_uri(p, m->uri);
    if (media < 0) {
        rtsp_push__reply(p, m, 404, "Every announced track is set up");
        return;
    }
    rtsp_get(m, "Transport", &list);
    while (rtsp_transport_next(&list, &t)) {
        if (is_other_way(p, media, t.is_tcp) ||
            !(t.is_tcp ? take_tcp(p, media, &t) : take_udp(p, media, &t)))
            continue;
        p->setups[media].is_done = true;
        reply_transport(p, m, &t);
        return;
    }
    rtsp_push__reply(p, m, 461, NULL);
}

/* --- RECORD --- */

/* Whatever was set up was asked for, also what no track is made of. */
static void note_channels(struct rtsp_push *p)
{
    for (int i = 0; i < SDP_MAX_MEDIAS; i++) {
        const struct push_setup *s = &p->setups[i];
        for (int k = 0; k < 2 && s->is_done && s->is_tcp; k++)
            p->track_of_channel[s->channel[k]] = CHANNEL_UNHEARD;
    }
}

/* Sound that was announced: the state shall not say that there is none. */
static void note_left_out(struct rtsp_push *p)
{
    int media = p->media_of_track[1];
    if (media < 0 || p->base.n_tracks != 1)
        return;
    p->base.left_out_codec = p->sdp->medias[media].codec;
    str_copy(p->base.left_out_why, sizeof p->base.left_out_why, "it was announced and not set up");
}

bool rtsp_push__settle(struct rtsp_push *p)
{
    note_channels(p);
    for (int t = 0; t < SESSION_MAX_TRACKS; t++) {
        int media = p->media_of_track[t];
        if (media < 0 || !p->setups[media].is_done)
            break; /* without video nothing, without audio the video alone */
        const struct push_setup *setup = &p->setups[media];
        struct session_track *track = &p->base.tracks[t];
        *track = (struct session_track){.media = &p->sdp->medias[media], .is_tcp = setup->is_tcp};
        memcpy(track->channel, setup->channel, sizeof track->channel);
        memcpy(track->server_port, setup->client_port, sizeof track->server_port);
        for (int i = 0; i < 2 && setup->is_tcp; i++)
            p->track_of_channel[setup->channel[i]] = (int8_t)t;
        p->base.n_tracks = t + 1;
    }
    note_left_out(p);
    return p->base.n_tracks > 0;
}
