/* The truth about a camera, or about one of its streams, in the contract's words. A plain value.
 * Thread: plain functions; those that take a pull belong to its home loop. */
#ifndef SERVER_CAMERA_STATE_H
#define SERVER_CAMERA_STATE_H

#include "server/pull.h"

struct camera_state {
    char camera_id[65];
    char stream[8]; /* whose figures these are */
    enum stream_cause cause;
    char detail[256];
    int64_t since_us;
    bool is_reachable, is_advancing, is_recording;
    bool is_recording_asked;
    int64_t reachable_us, advancing_us, recorded_us; /* 0 = never */
    int64_t retry_us;                                /* wall clock; 0 = none planned */
    double fps, bitrate_bps, gop_s;
    enum codec codec;
    int width, height;
    int n_viewers;
    uint64_t n_reconnects, n_lost_packets, n_resyncs, n_damaged, n_unrequested;
    double clock_offset_s;
    bool has_clock_offset, has_audio, has_sub;
    struct sound_status sound;
};

/* Of what runs no more, or never did. */
void camera_state_off(struct camera_state *st, const char *camera_id, const char *stream);

/* What the stream tells of itself. */
void camera_state_take_stream(struct camera_state *st, const struct stream_status *s);

/* What its recorder adds; p NULL = there is no stream. False when it does not do what it is asked,
 * of which the cause tells when nothing worse does. is_first: how far it got is the camera's. */
bool camera_state_take_recorder(struct camera_state *st, const struct pull *p, bool is_first);

/* Whether cause or a boolean is another one. */
bool camera_state_differs(const struct camera_state *a, const struct camera_state *b);

#endif
