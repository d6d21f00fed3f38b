/* Answers an HTTP request with a clip: planned and read on the pool, sent piece by piece with
 * back-pressure; Content-Length, byte ranges, HEAD and header Rookery-Gaps.
 * Thread: the loop of the request.
 * Bound: CLIP_ANSWER_STEP_BYTES being read and twice that waiting to be sent, per answer. */
#ifndef DELIVERY_CLIP_ANSWER_H
#define DELIVERY_CLIP_ANSWER_H

#include "base/pool.h"
#include "delivery/clip.h"

#define CLIP_ANSWER_STEP_BYTES (256u << 10)

struct http_request; /* net/http.h */

struct clip_answer_params {
    struct http_request *req; /* taken over: answered and ended */
    struct loop *loop;
    struct pool *pool;
    struct clip_params clip; /* strings are copied; source must outlive the answer */
    const char *file_name;   /* for Content-Disposition: attachment; NULL = inline */
    /* Once, last: bytes sent, and err NULL when everything asked for was sent. May be NULL; may
     * come from within clip_answer_start when the pool is full. */
    void (*closed)(void *ctx, uint64_t n_bytes, const struct err *err);
    void *ctx;
};

/* 404 when nothing was recorded, 422 for a bad range of time or one too long, 416 for a bad byte
 * range, 503 when the pool is full. */
void clip_answer_start(const struct clip_answer_params *params);

#endif
