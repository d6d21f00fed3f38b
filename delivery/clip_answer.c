#include "delivery/clip_answer.h"

#include <errno.h>

#include "base/err.h"
#include "net/http.h"

struct clip_answer {
    struct clip_answer_params params;
    char *camera_id, *stream, *file_name;
    bool is_gone;    /* the client went away */
    bool is_started; /* the head of the answer was sent */
    bool is_busy;    /* a job is under way */
    struct clip *clip;
    uint64_t at, end; /* what is left of the answer, in the clip */
    uint64_t n_sent;
    struct timer retry; /* the pool was full */

    /* a job's result */
    uint8_t *step;
    ssize_t n_step;
    int rc;
    struct err err;
};

static void finish(struct clip_answer *a, const struct err *err)
{
    if (a->is_started)
        http_stream_end(a->params.req);
    if (a->params.closed)
        a->params.closed(a->params.ctx, a->n_sent, err && err->code ? err : NULL);
    timer_disarm(&a->retry);
    clip_free(&a->clip);
    free(a->camera_id);
    free(a->stream);
    free(a->file_name);
    free(a->step);
    free(a);
}

static void refuse(struct clip_answer *a, const struct err *why)
{
    int rc = why->code;
    int status = rc == ERR_NOT_FOUND                      ? 404
                 : rc == ERR_INVALID || rc == ERR_TOO_BIG ? 422
                 : rc == ERR_BUSY                         ? 503
                                                          : 500;
    if (rc == ERR_BUSY)
        http_add_header(a->params.req, "Retry-After", "2");
    http_reply_error(a->params.req, status, why);
    finish(a, why);
}

static void pump(void *ctx);

/* --- sending --- */

static void work_read(void *ctx)
{
    struct clip_answer *a = ctx;
    size_t n = (size_t)MIN(a->end - a->at, (uint64_t)CLIP_ANSWER_STEP_BYTES);
    a->step = try_malloc(n);
    if (!a->step)
        a->n_step = err_set(&a->err, -ENOMEM, "read clip");
    else
        a->n_step = clip_read(a->clip, a->at, a->step, n, &a->err);
}

static void done_read(void *ctx)
{
    struct clip_answer *a = ctx;
    a->is_busy = false;
    if (a->is_gone || a->n_step <= 0) {
        if (a->err.code == 0)
            err_text(&a->err, ERR_EOF, "the client went away");
        finish(a, &a->err); /* promised more than was sent: the connection is cut */
        return;
    }
    a->at += (uint64_t)a->n_step;
    a->n_sent += (uint64_t)a->n_step;
    struct conn_part part = {a->step, (size_t)a->n_step, free, a->step};
    a->step = NULL;
    http_stream_write_parts(a->params.req, &part, 1);
    pump(a);
}

/* Reads on while little waits to be sent; else on_drained comes back. */
static void pump(void *ctx)
{
    struct clip_answer *a = ctx;
    if (a->is_busy || a->is_gone)
        return;
    if (a->at == a->end) {
        finish(a, NULL);
        return;
    }
    if (http_pending(a->params.req) > CLIP_ANSWER_STEP_BYTES)
        return;
    a->is_busy = pool_submit(a->params.pool, work_read, a->params.loop, done_read, a);
    if (!a->is_busy)
        timer_arm_ms(&a->retry, 100);
}

static void on_client_gone(void *ctx)
{
    struct clip_answer *a = ctx;
    a->is_gone = true;
    if (a->is_busy)
        return;
    err_text(&a->err, ERR_EOF, "the client went away");
    finish(a, &a->err);
}

static void add_headers(struct clip_answer *a)
{
    struct http_request *req = a->params.req;
    struct buf gaps;
    buf_init(&gaps, 0);
    clip_print_gaps(a->clip, &gaps);
    http_add_header(req, "Rookery-Gaps", "%s", buf_cstr(&gaps));
    buf_fini(&gaps);
    http_add_header(req, "Accept-Ranges", "bytes");
    http_add_header(req, "Cache-Control", "private, no-cache");
    if (a->file_name)
        http_add_header(req, "Content-Disposition", "attachment; filename=\"%s\"", a->file_name);
}

/* --- planning --- */

static void work_plan(void *ctx)
{
    struct clip_answer *a = ctx;
    a->rc = clip_plan(&a->params.clip, &a->clip, &a->err);
}

static void done_plan(void *ctx)
{
    struct clip_answer *a = ctx;
    struct http_request *req = a->params.req;
    a->is_busy = false;
    if (a->rc < 0 || a->is_gone) {
        if (a->rc >= 0)
            err_text(&a->err, ERR_EOF, "the client went away");
        else if (a->err.code == 0)
            err_set(&a->err, a->rc, "plan the clip");
        refuse(a, &a->err);
        return;
    }
    uint64_t size = clip_size(a->clip), first = 0, last = size - 1;
    bool is_bad = false;
    bool is_range = http_range(req, size, &first, &last, &is_bad);
    if (is_bad) {
        http_add_header(req, "Content-Range", "bytes */%llu", (unsigned long long)size);
        http_reply_problem(req, 416, "the clip has %llu bytes", (unsigned long long)size);
        finish(a, NULL);
        return;
    }
    add_headers(a);
    if (is_range)
        http_add_header(req, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first,
                        (unsigned long long)last, (unsigned long long)size);
    else
        first = 0, last = size - 1;
    a->at = first;
    a->end = last + 1;
    a->is_started = true;
    http_stream_start(req, is_range ? 206 : 200, "video/mp4", (int64_t)(a->end - a->at));
    if (req->method == HTTP_HEAD) {
        finish(a, NULL);
        return;
    }
    http_on_drained(req, pump, a);
    pump(a);
}

static char *copy_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

void clip_answer_start(const struct clip_answer_params *params)
{
    struct clip_answer *a = xcalloc(1, sizeof *a);
    a->params = *params;
    a->params.clip.camera_id = a->camera_id = xstrdup(params->clip.camera_id);
    a->params.clip.stream = a->stream = copy_or_null(params->clip.stream);
    a->file_name = copy_or_null(params->file_name);
    timer_init(&a->retry, params->loop, pump, a);
    http_on_closed(params->req, on_client_gone, a);
    a->is_busy = pool_submit(params->pool, work_plan, params->loop, done_plan, a);
    if (!a->is_busy) {
        err_say(&a->err, ERR_BUSY, "clips_busy", "the server reads too many recordings now");
        refuse(a, &a->err);
    }
}
