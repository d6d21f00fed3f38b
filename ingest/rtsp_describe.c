/* What the camera offers, and what of it is taken. */
#include "base/mem.h"
#include "ingest/rtsp_client_priv.h"

void rtsp_client__learn_methods(struct rtsp_client *c, const struct rtsp_message *m)
{
    struct span list;
    if (m->status == 200 && (rtsp_get(m, "Public", &list) || rtsp_get(m, "Allow", &list)))
        c->has_get_parameter = rtsp_list_has(list, RTSP_GET_PARAMETER);
}

static bool looks_like_sdp(struct span body)
{
    return (body.n > 2 && memcmp(body.p, "v=", 2) == 0) ||
           (body.n > 0 && memmem(body.p, body.n, "m=", 2));
}

/* Quirk D9: what is sendonly is a backchannel, unless all are. */
static bool comes_to_us(const struct sdp *sdp, const struct sdp_media *m)
{
    bool all_sendonly = true;
    for (size_t i = 0; i < sdp->n_medias; i++)
        all_sendonly = all_sendonly && sdp->medias[i].is_sendonly;
    return all_sendonly || !m->is_sendonly;
}

static const struct sdp_media *choose_media(const struct sdp *sdp, bool is_video)
{
    for (size_t i = 0; i < sdp->n_medias; i++) {
        const struct sdp_media *m = &sdp->medias[i];
        bool is_wanted = is_video ? m->is_video && codec_is_video(m->codec)
                                  : m->is_audio && m->codec != CODEC_NONE && m->format;
        if (is_wanted && comes_to_us(sdp, m))
            return m;
    }
    return NULL;
}

static bool is_track(const struct rtsp_client *c, const struct sdp_media *m)
{
    for (int i = 0; i < c->base.n_tracks; i++) {
        if (c->base.tracks[i].media == m)
            return true;
    }
    return false;
}

/* To set up an address twice would break what was agreed about it first. */
static bool has_own_address(const struct rtsp_client *c, size_t i_media)
{
    const struct sdp_media *medias = c->sdp->medias;
    const char *control = medias[i_media].control;
    if (!control[0] || strcmp(control, "*") == 0)
        return false;
    for (size_t i = 0; i < c->sdp->n_medias; i++) {
        bool goes_first = i < i_media || is_track(c, &medias[i]);
        if (i != i_media && goes_first && strcmp(medias[i].control, control) == 0)
            return false;
    }
    return true;
}

/* Quirk P5: some cameras send nothing before all they describe is set up. */
static void choose_extras(struct rtsp_client *c, const struct sdp_media *spared)
{
    bool takes_all = c->memory->tries_all || c->memory->needs_all;
    for (size_t i = 0; i < c->sdp->n_medias; i++) {
        const struct sdp_media *m = &c->sdp->medias[i];
        if (m == spared || is_track(c, m) || !comes_to_us(c->sdp, m) || !has_own_address(c, i))
            continue;
        if (takes_all && c->base.n_tracks + c->base.n_extras < SESSION_MAX_MEDIAS)
            c->extras[c->base.n_extras++] = m;
        else
            c->base.n_left_out++;
    }
}

/* Quirk M1: what its sound did to earlier tries. */
static void spare_sound(struct rtsp_client *c, const struct sdp_media *audio)
{
    c->base.spares_sound = true;
    c->base.left_out_codec = audio->codec;
    str_copy(c->base.left_out_why, sizeof c->base.left_out_why, c->memory->sound.text);
}

static void no_video(struct rtsp_client *c, int64_t mono_us)
{
    for (size_t i = 0; i < c->sdp->n_medias; i++) {
        const struct sdp_media *m = &c->sdp->medias[i];
        if (!m->is_video)
            continue;
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_UNSUPPORTED,
                            "the camera sends %s video; H.264, H.265 and MJPEG are supported",
                            m->name[0] ? m->name : "unknown");
        return;
    }
    rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_NO_VIDEO,
                        "the camera offers no video");
}

void rtsp_client__described(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    struct span content_base = {"", 0};
    struct span content_location = {"", 0};
    if (!looks_like_sdp(m->body)) {
        rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, CAUSE_PROTOCOL,
                            "the camera's answer to DESCRIBE is no session description");
        return;
    }
    rtsp_get(m, "Content-Base", &content_base);
    rtsp_get(m, "Content-Location", &content_location);
    url_base(&c->url, content_base, content_location, c->base_url, sizeof c->base_url);
    c->sdp = xcalloc(1, sizeof *c->sdp);
    sdp_parse(m->body, c->sdp, NULL); /* without a media line it has no video either */
    const struct sdp_media *video = choose_media(c->sdp, true);
    const struct sdp_media *audio = choose_media(c->sdp, false);
    if (!video) {
        no_video(c, mono_us);
        return;
    }
    c->base.tracks[c->base.n_tracks++] = (struct session_track){.media = video};
    bool is_spared = audio && sound_doubt_spares(&c->memory->sound);
    if (is_spared)
        spare_sound(c, audio);
    else if (audio)
        c->base.tracks[c->base.n_tracks++] = (struct session_track){.media = audio};
    else
        session_note_audio(&c->base, c->sdp);
    choose_extras(c, is_spared ? audio : NULL);
    rtsp_client__enter(c, RTSP_CLIENT_SETUP);
    rtsp_client__set_up_next(c, mono_us);
}
