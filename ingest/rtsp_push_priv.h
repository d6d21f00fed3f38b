/* Shared by rtsp_push.c (time, bytes, states) and rtsp_push_setup.c (what is announced and set up).
 */
#ifndef INGEST_RTSP_PUSH_PRIV_H
#define INGEST_RTSP_PUSH_PRIV_H

#include "ingest/rtsp_push.h"

enum rtsp_push_state {
    RTSP_PUSH_ANNOUNCE,
    RTSP_PUSH_SETUP,
    RTSP_PUSH_RECORDING,
    RTSP_PUSH_ENDED,
};
enum { RTSP_PUSH_STATES = RTSP_PUSH_ENDED + 1 };

/* What was agreed for one media of the description. */
struct push_setup {
    bool is_done;
    bool is_tcp;
    uint8_t channel[2];
    uint16_t client_port[2];
};

struct rtsp_push {
    struct session base;
    /* set at create, then const */
    const char *peer;
    bool is_own;
    int64_t opening_due_us;
    char id[33];

    enum rtsp_push_state state;
    int64_t life_us; /* the newest sign of life */

    struct sdp *sdp;                          /* NULL before ANNOUNCE */
    int media_of_track[SESSION_MAX_TRACKS];   /* -1 = none; [0] is the video */
    struct push_setup setups[SDP_MAX_MEDIAS]; /* of the medias of sdp */
    int udp_port[SESSION_MAX_TRACKS];         /* 0 = not asked for yet */
    int8_t track_of_channel[256];             /* or CHANNEL_… */
};

/* rtsp_push.c */
void rtsp_push__finish(struct rtsp_push *p, enum session_verdict verdict, enum stream_cause cause,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void rtsp_push__enter(struct rtsp_push *p, enum rtsp_push_state next);
/* Answers with nothing but a status; NULL = the usual reason. */
void rtsp_push__reply(struct rtsp_push *p, const struct rtsp_message *m, int status,
                      const char *reason);

/* rtsp_push_setup.c */
void rtsp_push__announced(struct rtsp_push *p, const struct rtsp_message *m);
void rtsp_push__set_up(struct rtsp_push *p, const struct rtsp_message *m);
/* Settles the tracks; false when there is no video to record. */
bool rtsp_push__settle(struct rtsp_push *p);

#endif
