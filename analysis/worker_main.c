/* rookery-worker: decodes what cameras sent, away from everything that must not break.
 * Started by analysis/worker.c with a socket on descriptor 3; ends when that is closed. It may
 * block and it may die: nothing is kept between two requests. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "analysis/av_decode.h"
#include "analysis/worker_message.h"
#include "base/cage.h"
#include "base/err.h"
#include "base/mem.h"

#define MEMORY_BYTES (UINT64_C(1536) << 20) /* an 8K H.265 picture with its buffers fits */

/* 1 = all read, 0 = the server is gone. */
static int read_all(void *dst, size_t n)
{
    uint8_t *p = dst;
    while (n > 0) {
        ssize_t got = recv(WORKER_FD, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        p += got;
        n -= (size_t)got;
    }
    return 1;
}

static int write_all(const void *src, size_t n)
{
    const uint8_t *p = src;
    while (n > 0) {
        ssize_t put = send(WORKER_FD, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return 0;
        p += put;
        n -= (size_t)put;
    }
    return 1;
}

static int serve(const struct worker_request *req, const uint8_t *bytes, struct buf *out)
{
    struct av_input in = {
        .codec = req->codec,
        .config = bytes,
        .config_size = req->config_size,
        .data = bytes + req->config_size,
        .size = req->payload_size,
        .is_fast = req->kind == WORKER_GRID,
    };
    struct AVFrame *picture = NULL;
    int rc = av_decode(&in, &picture);
    if (rc < 0)
        return rc;
    if (req->kind == WORKER_PICTURE) {
        rc = av_jpeg(picture, (int)req->width, out);
    } else {
        struct luma_grid grid;
        rc = av_grid(picture, &grid);
        if (rc == 0)
            worker_grid_print(&grid, out);
    }
    av_picture_free(&picture);
    return out->is_failed ? ERR_TOO_BIG : rc;
}

static int answer_one(struct buf *out)
{
    uint8_t head[MAX(WORKER_REQUEST_BYTES, WORKER_REPLY_BYTES)];
    struct worker_request req;
    if (!read_all(head, WORKER_REQUEST_BYTES) || worker_request_parse(head, &req) < 0)
        return 0;
    size_t n = (size_t)req.config_size + req.payload_size;
    uint8_t *bytes = try_malloc(n + 1);
    if (!bytes || !read_all(bytes, n)) {
        free(bytes);
        return 0;
    }
    buf_clear(out);
    int rc = serve(&req, bytes, out);
    free(bytes);

    struct worker_reply reply = {.kind = req.kind, .id = req.id, .is_ok = rc == 0};
    reply.size = reply.is_ok ? (uint32_t)out->len : 0;
    worker_reply_print(&reply, head);
    return write_all(head, WORKER_REPLY_BYTES) && write_all(out->data, reply.size);
}

int main(void)
{
    if (fcntl(WORKER_FD, F_GETFD) < 0) {
        fprintf(stderr, "rookery-worker: started by rookery only, it needs descriptor 3\n");
        return 2;
    }
    /* nothing beyond what is open */
    int rc = cage_enter(&(struct cage){.memory_bytes = MEMORY_BYTES, .n_files = WORKER_FD + 1});
    if (rc < 0) {
        fprintf(stderr, "rookery-worker: restrict the process: %s\n", strerror(-rc));
        return 1;
    }
    av_be_quiet();
    struct buf out;
    buf_init(&out, WORKER_REPLY_MAX_BYTES);
    while (answer_one(&out))
        ;
    buf_fini(&out);
    return 0;
}
