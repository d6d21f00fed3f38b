/* What the server and rookery-worker say to each other over a stream socket pair (descriptor 3).
 *
 *   request: 28-byte head, format configuration (avcC, hvcC; JPEG has none), access unit
 *   reply:   16-byte head, JPEG file or grid
 * All numbers big-endian. Both sides treat the other as hostile.
 * Thread: pure functions. */
#ifndef ANALYSIS_WORKER_MESSAGE_H
#define ANALYSIS_WORKER_MESSAGE_H

#include "analysis/motion.h"
#include "base/buf.h"
#include "base/child.h"
#include "media/packet.h"

#define WORKER_FD              CHILD_FD
#define WORKER_REQUEST_BYTES   28
#define WORKER_REPLY_BYTES     16
#define WORKER_REPLY_MAX_BYTES (16u << 20)

enum worker_kind { WORKER_PICTURE = 1, WORKER_GRID = 2 };

struct worker_request {
    enum worker_kind kind;
    enum codec codec; /* H.264, H.265 or JPEG */
    uint32_t id;
    uint32_t width; /* WORKER_PICTURE: at most so wide; 0 = as it is */
    uint32_t config_size, payload_size;
};

struct worker_reply {
    enum worker_kind kind;
    uint32_t id;
    bool is_ok;    /* false: could not be decoded, no payload */
    uint32_t size; /* of the payload */
};

void worker_request_print(const struct worker_request *r, uint8_t dst[WORKER_REQUEST_BYTES]);
/* 0 or ERR_PARSE: not a request, or beyond a bound. */
int worker_request_parse(const uint8_t src[WORKER_REQUEST_BYTES], struct worker_request *out);

void worker_reply_print(const struct worker_reply *r, uint8_t dst[WORKER_REPLY_BYTES]);
int worker_reply_parse(const uint8_t src[WORKER_REPLY_BYTES], struct worker_reply *out);

void worker_grid_print(const struct luma_grid *grid, struct buf *out);
/* 0 or ERR_PARSE. */
int worker_grid_parse(const uint8_t *p, size_t n, struct luma_grid *out);

#endif
