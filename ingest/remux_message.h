/* What the server and rookery-remux say to each other over a stream socket pair (descriptor 3).
 *
 *   server    one request: SET_PARAMETER * RTSP/1.0 with the job in its headers
 *                 Address: http://user:secret@10.0.0.7/live.flv
 *                 Open-Ms: 10000
 *                 Silence-Ms: 10000
 *   process   what any encoder says to push (ANNOUNCE, SETUP, RECORD, frames), and as its last word
 *                 TEARDOWN * RTSP/1.0
 *                 Cause: not_found
 *                 Reason: the server answered 404 (no such stream)
 *
 * The answers of the server are not waited for and not looked at. Descriptor 3 closed means the
 * end. Thread: pure functions; results are plain values. */
#ifndef INGEST_REMUX_MESSAGE_H
#define INGEST_REMUX_MESSAGE_H

#include "ingest/cause.h"
#include "net/rtsp.h"
#include "net/url.h"

#define REMUX_ADDRESS_BYTES (URL_TEXT_BYTES + 6 * URL_USER_BYTES)

struct remux_job {
    char address[REMUX_ADDRESS_BYTES]; /* with percent-encoded credentials: a secret */
    int open_ms;                       /* until there is media */
    int silence_ms;                    /* between two packets */
};

void remux_job_print(const struct remux_job *job, struct buf *out);
/* 0 or ERR_PARSE. */
int remux_job_parse(const struct rtsp_message *m, struct remux_job *out);

/* Why the process ends. */
struct remux_end {
    enum stream_cause cause;
    char text[160]; /* half a sentence without full stop, fit for operators: no credentials */
};

void remux_end_set(struct remux_end *end, enum stream_cause cause, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void remux_end_print(const struct remux_end *end, uint32_t cseq, struct buf *out);
/* 0, or ERR_PARSE: a TEARDOWN that tells no cause. One that is no failure reads as internal. */
int remux_end_parse(const struct rtsp_message *m, struct remux_end *out);

#endif
