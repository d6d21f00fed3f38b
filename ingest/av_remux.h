/* A foreign stream (RTMP, HTTP, UDP, SRT) as an encoder would push it over RTSP: a description,
 * then interleaved RTP. One video and one audio track; what cannot be carried is described but not
 * sent.
 * Thread: one thread of rookery-remux; every function may wait for the network as long as the
 * parameters allow. Bounds: MAX_WAITING_BYTES of packets while the tracks are found out. */
#ifndef INGEST_AV_REMUX_H
#define INGEST_AV_REMUX_H

#include "base/buf.h"
#include "ingest/remux_message.h"

struct av_remux;

struct av_remux_params {
    const struct remux_job *job; /* during av_remux_open */
    bool (*is_over)(void *ctx);  /* asked now and then while waiting: true = give up */
    void *ctx;
};

/* Once per process. */
void av_remux_init(void);

/* Connects, waits for media and settles the tracks. On failure -1 and why. */
int av_remux_open(const struct av_remux_params *params, struct av_remux **out,
                  struct remux_end *end);
void av_remux_close(struct av_remux **remux);

/* The session description; controls are streamid=0 and so on. */
const char *av_remux_sdp(const struct av_remux *r);
/* Tracks to set up: streamid=i goes over channels 2i and 2i + 1. */
int av_remux_n_tracks(const struct av_remux *r);

/* Appends the frames of the next packet. *out_due_us is when to send it (monotonic; 0 = now): what
 * comes in pieces of seconds is sent as it was filmed. -1 at the end, and why. */
int av_remux_next(struct av_remux *r, struct buf *out, int64_t *out_due_us, struct remux_end *end);

#endif
