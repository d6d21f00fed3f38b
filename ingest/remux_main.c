/* rookery-remux: reads one foreign stream with libavformat and pushes it to the server as RTSP.
 * Started with a socket on descriptor 3, over which its job comes and everything goes
 * (ingest/remux_message.h); ends when that is closed. One thread of ours; libavformat's protocols
 * may start their own. It may block and it may die: the server starts another one. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cage.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/av_remux.h"

#define MEMORY_BYTES (UINT64_C(768) << 20) /* addresses; libraries alone are a quarter of it */
#define N_FILES      64                    /* sockets of a playlist's segments, resolver */
#define JOB_BYTES    8192
#define OUT_BYTES    (32u << 20) /* the RTP of one packet */

/* Answers are read away so that the server is never held up. True: the other end is closed. */
static bool is_over(void *ctx)
{
    char answers[4096];
    (void)ctx;
    for (;;) {
        ssize_t n = recv(CHILD_FD, answers, sizeof answers, MSG_DONTWAIT);
        if (n > 0 || (n < 0 && errno == EINTR))
            continue;
        return n == 0 || errno != EAGAIN;
    }
}

static bool send_all(const struct buf *out)
{
    size_t at = 0;
    while (at < out->len) {
        ssize_t n = send(CHILD_FD, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static int take_job(struct remux_job *job)
{
    uint8_t bytes[JOB_BYTES];
    size_t n = 0;
    struct rtsp_parser parser;
    struct rtsp_item item;
    rtsp_parser_init(&parser);
    for (;;) {
        ssize_t got = recv(CHILD_FD, bytes + n, sizeof bytes - n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_EOF;
        n += (size_t)got;
        if (rtsp_parse(&parser, bytes, n, &item) == 0)
            continue;
        int rc = item.kind == RTSP_REQUEST ? remux_job_parse(&item.message, job) : ERR_PARSE;
        explicit_bzero(bytes, sizeof bytes);
        return rc;
    }
}

/* ANNOUNCE, SETUP of each track, RECORD. */
static void put_opening(const struct av_remux *r, struct buf *out, uint32_t *cseq)
{
    const char *sdp = av_remux_sdp(r);
    rtsp_request_begin(out, RTSP_ANNOUNCE, "rtsp://remux/", ++*cseq, NULL);
    rtsp_end(out, "application/sdp", sdp, strlen(sdp));
    for (int i = 0; i < av_remux_n_tracks(r); i++) {
        char uri[64];
        snprintf(uri, sizeof uri, "rtsp://remux/streamid=%d", i);
        rtsp_request_begin(out, RTSP_SETUP, uri, ++*cseq, NULL);
        rtsp_put(out, "Transport", "RTP/AVP/TCP;unicast;interleaved=%d-%d;mode=record", 2 * i,
                 2 * i + 1);
        rtsp_end(out, NULL, NULL, 0);
    }
    rtsp_request_begin(out, RTSP_RECORD, "rtsp://remux/", ++*cseq, NULL);
    rtsp_end(out, NULL, NULL, 0);
}

/* False: the other end is closed. */
static bool wait_until(int64_t due_us)
{
    int64_t left_us;
    while ((left_us = due_us - clock_mono_us(clock_system())) > 0) {
        struct pollfd pfd = {.fd = CHILD_FD, .events = POLLIN};
        poll(&pfd, 1, (int)MIN(left_us / US_PER_MS + 1, 1000));
        if (is_over(NULL))
            return false;
    }
    return true;
}

static void run(const struct remux_job *job, uint32_t *cseq, struct remux_end *end)
{
    struct av_remux_params params = {.job = job, .is_over = is_over};
    struct av_remux *r = NULL;
    struct buf out;
    int64_t due_us = 0;
    if (av_remux_open(&params, &r, end) < 0)
        return;
    buf_init(&out, OUT_BYTES);
    put_opening(r, &out, cseq);
    while (wait_until(due_us) && send_all(&out)) {
        buf_clear(&out);
        if (av_remux_next(r, &out, &due_us, end) < 0)
            break;
    }
    buf_fini(&out);
    av_remux_close(&r);
}

int main(void)
{
    struct remux_job job;
    struct remux_end end = {.cause = CAUSE_IDLE, .text = "ended"};
    uint32_t cseq = 1;
    struct buf out;
    if (fcntl(CHILD_FD, F_GETFD) < 0) {
        fprintf(stderr, "rookery-remux: started by rookery only, it needs descriptor 3\n");
        return 2;
    }
    mallopt(M_ARENA_MAX, 1);
    int rc = cage_enter(
        &(struct cage){.memory_bytes = MEMORY_BYTES, .n_files = N_FILES, .is_on_network = true});
    if (rc < 0) {
        fprintf(stderr, "rookery-remux: restrict the process: %s\n", strerror(-rc));
        return 1;
    }
    if (take_job(&job) < 0)
        return 1;
    av_remux_init();
    run(&job, &cseq, &end);
    explicit_bzero(&job, sizeof job);
    buf_init(&out, 0);
    remux_end_print(&end, ++cseq, &out);
    bool is_said = send_all(&out);
    buf_fini(&out);
    return is_said ? 0 : 1;
}
