/* Shared by client.c, client_media.c and client_rtsp.c only. */
#ifndef RIG_CLIENT_PRIV_H
#define RIG_CLIENT_PRIV_H

#include "client.h"
#include "mutate.h"
#include "net/rtsp.h"

enum client_state { CLIENT_INIT, CLIENT_READY, CLIENT_PLAYING };

struct client_track {
    bool is_setup, is_udp;
    bool needs_key;
    bool needs_punch;        /* UDP: nothing is sent before something came from there */
    bool is_from_other_port; /* UDP: RTP comes from the port of RTCP */
    uint8_t channel;         /* of RTP; the next one is RTCP */
    struct address rtp, rtcp;
    uint32_t n_packets, n_bytes;
};

struct client {
    struct camsim *sim;
    struct camera *camera; /* NULL until known */
    struct stream *stream; /* of DESCRIBE or SETUP */
    enum client_state state;
    bool has_described;
    int connection; /* of this camera, from 1 */
    int fd;
    struct address peer;
    struct watch read_watch, write_watch;
    bool is_shaking; /* has not played yet */
    bool is_writing; /* write_watch runs */
    bool is_closing; /* after what is pending went out */
    bool is_closed;  /* memory waits for the end of the dispatch */
    struct buf in, out;
    struct rtsp_parser parser;
    struct timer report_timer, delay_timer;
    int64_t heard_mono_us;
    char session[17]; /* "" = none yet */
    char nonce[33];
    struct client_track tracks[TRACKS];
    struct script_run *runs; /* owned */
    struct mutator *mutator; /* owned; NULL = what it gets is as it should be */
    json_t *request_trace;   /* of the request in hand; borrowed, NULL */
    struct client *next, *prev;
    struct client *next_playing, *prev_playing;
};

/* [client_rtsp.c] */
void client__request(struct client *c, const struct rtsp_message *m);

/* Puts into `out` what a well-behaved camera says, and does it. `as` (NULL = look the URI up) is
 * what the request is about: main, sub, video or audio. */
void client__respond(struct client *c, const struct rtsp_message *m, const char *as);

/* An answer that says no. */
void client__refuse(struct client *c, const struct rtsp_message *m, int status);

/* The track a request is about; -1 = none in particular. */
int client__track_of(const struct client *c, struct span uri, const char *as);

/* [client.c] Sends what is in `out`; may close. */
void client__flush(struct client *c);

/* The same, later when the camera is slow. */
void client__flush_answers(struct client *c);

/* Closes when everything pending is out. */
void client__finish(struct client *c);

/* With a reset instead of an orderly end. */
void client__reset(struct client *c);
void client__stop_playing(struct client *c);

/* It plays or ends: no longer counted as shaking hands. */
void client__shaken(struct client *c);

/* [client_media.c] */
void client__send_reports(struct client *c);

#endif
