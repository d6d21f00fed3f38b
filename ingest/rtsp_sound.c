/* A camera that stumbles over its own sound: pictures come first (quirk M1). */
#include <stdarg.h>

#include "base/mem.h"
#include "ingest/rtsp_client_priv.h"

bool rtsp_client__asks_for_sound(const struct rtsp_client *c)
{
    bool is_of_media =
        c->state == RTSP_CLIENT_SETUP || (c->state == RTSP_CLIENT_PLAY && c->is_play_per_track);
    return is_of_media && c->i_track > 0 && c->i_track < c->base.n_tracks;
}

const char *rtsp_client__print_request(const struct rtsp_client *c, char *dst, size_t cap)
{
    snprintf(dst, cap, "%s%s", rtsp_method_name(c->request.method),
             rtsp_client__asks_for_sound(c) ? " of its sound" : "");
    return dst;
}

void rtsp_client__leave_sound_out(struct rtsp_client *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->base.left_out_why, sizeof c->base.left_out_why, fmt, args);
    va_end(args);
    c->base.left_out_codec = c->base.tracks[c->i_track].media->codec;
}

/* PLAY is about all that was set up; an older session of ours explains anything (quirk K6). */
static bool may_be_sound(const struct rtsp_client *c)
{
    return c->base.n_early == 0 && c->base.n_tracks > 1 &&
           (rtsp_client__asks_for_sound(c) || c->state == RTSP_CLIENT_PLAY);
}

void rtsp_client__fail_over_request(struct rtsp_client *c, int64_t mono_us, enum sound_blame blame,
                                    enum stream_cause cause, const char *fmt, ...)
{
    char text[sizeof c->base.end.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    bool is_sound = may_be_sound(c) && rtsp_client__asks_for_sound(c);
    if (may_be_sound(c))
        sound_doubt_failed(&c->memory->sound, is_sound ? blame : MIN(blame, SOUND_SUSPECT), text);
    if (c->state == RTSP_CLIENT_SETUP && c->i_track >= c->base.n_tracks)
        c->memory->needs_all = false; /* quirk P5: an extra does not deserve that */
    rtsp_client__finish(c, mono_us, is_sound ? SESSION_VERDICT_AGAIN : SESSION_VERDICT_FAILED,
                        cause, "%s", text);
}
