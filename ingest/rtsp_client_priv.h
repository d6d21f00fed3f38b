/* Shared by rtsp_client.c (time, bytes, states), rtsp_request.c (what is asked), rtsp_answer.c
 * (what the answers mean), rtsp_describe.c, rtsp_setup.c, rtsp_sound.c
 * and rtsp_login.c. */
#ifndef INGEST_RTSP_CLIENT_PRIV_H
#define INGEST_RTSP_CLIENT_PRIV_H

#include "ingest/rtsp_client.h"

/* Which text the control attribute becomes; the next one is tried when the camera does not know the
 * address (quirks U2, U4). */
enum control_form { CONTROL_APPENDED, CONTROL_BEFORE_QUERY, CONTROL_VERBATIM, CONTROL_NONE_LEFT };

struct rtsp_request {
    enum rtsp_method method; /* RTSP_UNKNOWN_METHOD = none in flight */
    uint32_t cseq;
    int n_signed;        /* times sent with credentials */
    unsigned tried_mask; /* login schemes that were refused */
    int64_t due_us;
};

struct rtsp_client {
    struct session base;

    /* set at create, then const */
    struct url url;
    char user[URL_USER_BYTES];
    char password[256];
    bool is_udp;
    struct rtsp_memory *memory;

    enum rtsp_client_state state;
    struct auth auth;
    bool has_auth;
    bool was_challenged; /* a 401 has come, and nothing since (quirk U11) */
    bool has_taken_partial;
    uint32_t cseq;
    struct rtsp_request request;

    struct sdp *sdp;               /* NULL before DESCRIBE is answered */
    char base_url[URL_TEXT_BYTES]; /* aggregate URL */
    int i_track; /* in SETUP, where extras follow the tracks, and in PLAY per track */
    const struct sdp_media *extras[SESSION_MAX_MEDIAS - 1];
    enum control_form form; /* in SETUP */
    int udp_port[SESSION_MAX_MEDIAS];
    int8_t track_of_channel[256]; /* or CHANNEL_… */
    bool is_play_per_track;       /* quirk K8 */
    bool is_play_without_range;
    struct rtsp_session session;
    bool has_session; /* something was set up: TEARDOWN is due */
    int timeout_s;
    bool has_get_parameter; /* Public lists it */
    bool accepts_frames;    /* PLAY was sent */
    uint64_t n_frames;
    int64_t keepalive_due_us;
};

/* rtsp_client.c */
void rtsp_client__enter(struct rtsp_client *c, enum rtsp_client_state next);
void rtsp_client__finish(struct rtsp_client *c, int64_t mono_us, enum session_verdict verdict,
                         enum stream_cause cause, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* How long the camera may take to answer in this state. */
int rtsp_client__answer_s(const struct rtsp_client *c);

/* rtsp_request.c */

/* Starts a new request of that method. */
void rtsp_client__ask(struct rtsp_client *c, int64_t mono_us, enum rtsp_method method);
/* Sends the request in flight once more, signed anew. */
void rtsp_client__ask_again(struct rtsp_client *c, int64_t mono_us);
/* The URL to SETUP the current track in the current form; false when that form is none of its own.
 */
bool rtsp_client__control_url(const struct rtsp_client *c, char *dst, size_t cap);
/* Answers a request of the camera (quirk K9). */
void rtsp_client__reply(struct rtsp_client *c, const struct rtsp_message *m, int status);

/* rtsp_login.c */
void rtsp_client__challenged(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m);

/* rtsp_describe.c */
void rtsp_client__learn_methods(struct rtsp_client *c, const struct rtsp_message *m);
/* Chooses the tracks and begins to set them up. */
void rtsp_client__described(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m);

/* rtsp_setup.c */

/* Goes on to SETUP of the media in hand, or to PLAY after the last one. */
void rtsp_client__set_up_next(struct rtsp_client *c, int64_t mono_us);
/* SETUP of the media in hand is answered. */
void rtsp_client__set_up(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m);
/* The answer says no to a media that pictures do without: goes on. */
void rtsp_client__refuse_media(struct rtsp_client *c, int64_t mono_us,
                               const struct rtsp_message *m);
void rtsp_client__learn_session(struct rtsp_client *c, const struct rtsp_message *m);

/* rtsp_sound.c */

/* What is asked now concerns the sound alone. */
bool rtsp_client__asks_for_sound(const struct rtsp_client *c);
/* Pictures go on without sound; why, as half a sentence. */
void rtsp_client__leave_sound_out(struct rtsp_client *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends a try over what the camera did to the request in flight, as rtsp_client__finish does. Where
 * sound may be the reason the next try knows, and where it surely is the verdict is AGAIN. */
void rtsp_client__fail_over_request(struct rtsp_client *c, int64_t mono_us, enum sound_blame blame,
                                    enum stream_cause cause, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* "SETUP of its sound": the request in flight, for texts. */
const char *rtsp_client__print_request(const struct rtsp_client *c, char *dst, size_t cap);

/* rtsp_answer.c */
void rtsp_client__answer(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m);
void rtsp_client__peer_asks(struct rtsp_client *c, int64_t mono_us, const struct rtsp_message *m);
/* The answer says no, in words for a person. */
void rtsp_client__fail_by_status(struct rtsp_client *c, int64_t mono_us,
                                 const struct rtsp_message *m);
/* PLAY is answered, or frames prove it. */
void rtsp_client__playing(struct rtsp_client *c, int64_t mono_us);

#endif
