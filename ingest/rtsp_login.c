/* 401 and what to answer it with (quirks A1-A8). */
#include "ingest/rtsp_client_priv.h"

/* The offer to answer next, or NULL: the password is wrong. Quirks A2, A3, A5. */
static const struct auth_challenge *next_challenge(struct rtsp_client *c,
                                                   const struct auth_offers *offers)
{
    if (c->request.n_signed == 0)
        return auth_choose(offers, c->request.tried_mask);
    if (c->request.n_signed >= 2)
        return NULL;
    const struct auth_challenge *same = NULL;
    for (size_t i = 0; i < offers->n && !same; i++)
        if (offers->list[i].scheme == c->auth.challenge.scheme)
            same = &offers->list[i];
    bool is_repeated = !same || auth_is_repeated(&c->auth, same);
    /* A first answer refused: some offer SHA-256 and fail it. Basic only when nothing else can be
     * meant, because it shows the password. */
    const struct auth_challenge *other =
        auth_choose(offers, c->request.tried_mask | 1u << c->auth.challenge.scheme);
    if (other && (is_repeated ||
                  (c->auth.nonce_count <= 1 && !same->is_stale && other->scheme != AUTH_BASIC)))
        return other;
    return is_repeated ? NULL : same;
}

/* Some users may see and not hear. Asking again would be one more wrong login each time (quirk A8).
 */
static void give_up_media(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    if (rtsp_client__asks_for_sound(c))
        sound_doubt_settle(&c->memory->sound, "this user may not have the camera's sound (401)");
    if (c->state == RTSP_CLIENT_SETUP) {
        rtsp_client__refuse_media(c, mono_us, m);
        return;
    }
    rtsp_client__leave_sound_out(c, "%s", c->memory->sound.text);
    rtsp_client__playing(c, mono_us);
}

static void give_up_login(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m,
                          enum stream_cause cause, const char *text)
{
    if (rtsp_client__asks_for_sound(c) || (c->state == RTSP_CLIENT_SETUP && c->i_track > 0)) {
        give_up_media(c, mono_us, m);
        return;
    }
    if (c->state == RTSP_CLIENT_TEARDOWN) {
        rtsp_client__enter(c, RTSP_CLIENT_ENDED);
        return;
    }
    if (c->state == RTSP_CLIENT_PLAYING) { /* quirk K4: while media flows nothing is lost */
        c->request.method = RTSP_UNKNOWN_METHOD;
        return;
    }
    c->base.end.status = 401;
    rtsp_client__finish(c, mono_us, SESSION_VERDICT_FAILED, cause, "%s", text);
}

void rtsp_client__challenged(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m)
{
    struct auth_offers offers = {.n = 0};
    struct span value;
    size_t pos = 0;
    while (rtsp_get_next(m, "WWW-Authenticate", &pos, &value))
        auth_offers_add(&offers, value);
    if (!c->user[0] && !c->password[0]) {
        give_up_login(c, mono_us, m, CAUSE_AUTH,
                      "the camera asks for a user and a password, and none is configured");
        return;
    }
    const struct auth_challenge *next = next_challenge(c, &offers);
    if (next) {
        if (c->request.n_signed > 0)
            c->request.tried_mask |= 1u << c->auth.challenge.scheme;
        auth_start(&c->auth, next);
        c->has_auth = true;
        c->was_challenged = true;
        rtsp_client__ask_again(c, mono_us);
    } else if (c->request.n_signed == 0) {
        give_up_login(c, mono_us, m, CAUSE_UNSUPPORTED,
                      "the camera asks for a way of login that is not supported");
    } else {
        give_up_login(c, mono_us, m, CAUSE_AUTH,
                      "401 with the same challenge: wrong user or password");
    }
}
