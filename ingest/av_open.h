/* Opens a foreign address with libavformat: which protocols and formats may be spoken, how long it
 * may take, and what its errors mean.
 * Thread: one thread of rookery-remux; libav's log is one per process. */
#ifndef INGEST_AV_OPEN_H
#define INGEST_AV_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/remux_message.h"

struct AVFormatContext;

/* Tells libav when to give up waiting. Must stay where it is while the input is open. */
struct av_patience {
    bool (*is_over)(void *ctx); /* the one we work for is gone */
    void *ctx;
    int64_t due_mono_us;
    /* private */
    int64_t asked_mono_us;
    bool is_gone, is_late;
};

/* Starts anew. */
void av_patience_set(struct av_patience *p, int64_t due_mono_us);

/* Silences libav, keeps its newest complaint for av_failure. Once per process. */
void av_open_init(void);

/* Resolves the host, connects and finds out the format; patience is set already. On success *out is
 * the caller's (avformat_close_input). On failure -1 and why. */
int av_open(const char *address, struct av_patience *patience, struct AVFormatContext **out,
            struct remux_end *end);

/* What an error of libav means while `doing` ("opening", "reading"). Text without addresses. */
void av_failure(int code, const struct av_patience *patience, const char *doing,
                struct remux_end *end);

/* The video cannot be made into RTP: says what libav complained of last. */
void av_cannot_send(struct remux_end *end);

#endif
