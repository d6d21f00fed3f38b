/* Watches live.mp4 of N cameras at once and measures what the server adds: from the moment the
 * simulator begins to hand a picture to its socket, to the moment the first byte of that
 * picture's fragment arrived here. Same machine, same monotonic clock.
 * usage: live_viewer PORT TOKEN IDENTITY STAMPS CAMERAS WARMUP_S SECONDS */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "identity.h"
#include "media/fmp4.h"
#include "rig/stamps.h"
#include "rig/vcl.h"

#define MAX_SAMPLES 2000000

struct viewer {
    int fd;
    size_t camera;
    bool has_head; /* of the HTTP answer */
    bool is_chunked;
    size_t chunk_left; /* bytes of the current chunk still to come */
    struct buf raw;    /* as received, not yet dechunked */
    struct buf media;  /* from the start of the fragment that is under way */
    int64_t first_us;  /* when its first byte came */
    struct fmp4_init init;
    size_t expected; /* next place in the loop */
    bool has_started;
};

struct bench {
    struct identity_table table;
    struct stamps *stamps;
    int64_t measure_from_us;
    double *latency_ms;
    size_t n_latencies, n_breaks, n_unknown;
};

static void die(const char *what)
{
    fprintf(stderr, "live_viewer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void count(struct bench *b, struct viewer *v, uint64_t identity)
{
    size_t place = identity_find(&b->table, identity, v->has_started ? v->expected : b->table.n);
    if (place == IDENTITY_NONE) {
        b->n_unknown++;
        return;
    }
    b->n_breaks += v->has_started && place != v->expected;
    v->expected = (place + 1) % b->table.n;
    v->has_started = true;
    int64_t sent_us = stamps_get(b->stamps, v->camera, place);
    if (v->first_us < b->measure_from_us || sent_us == 0 || b->n_latencies == MAX_SAMPLES)
        return;
    b->latency_ms[b->n_latencies++] = (double)(v->first_us - sent_us) / 1000;
}

/* Takes whole fragments off the front of v->media. */
static void take_fragments(struct bench *b, struct viewer *v, int64_t now_us)
{
    struct fmp4_read_fragment f = {0};
    size_t need;
    size_t size;
    if (!v->init.video && v->media.len > 0) {
        if (fmp4_read_init(v->media.data, v->media.len, &v->init, &size, NULL) < 0 ||
            !v->init.video)
            return;
        buf_consume(&v->media, size);
        v->first_us = now_us;
    }
    while (v->media.len > 0 &&
           fmp4_read_fragment(v->media.data, v->media.len, &f, &need, NULL) == 1 &&
           f.size <= v->media.len) {
        for (size_t i = 0; i < f.n_samples; i++)
            if (f.samples[i].is_video)
                count(b, v,
                      vcl_hash(v->init.video->codec, v->media.data + f.samples[i].offset,
                               f.samples[i].size));
        buf_consume(&v->media, f.size);
        v->first_us = now_us;
    }
    fmp4_read_fragment_fini(&f);
}

static void put_media(struct viewer *v, const uint8_t *p, size_t n, int64_t now_us)
{
    if (v->media.len == 0)
        v->first_us = now_us;
    buf_append(&v->media, p, n);
}

static void dechunk(struct viewer *v, int64_t now_us)
{
    size_t at = 0;
    while (at < v->raw.len) {
        if (v->chunk_left > 0) {
            /* the chunk's last two bytes are its line end */
            size_t n = MIN(v->chunk_left, v->raw.len - at);
            size_t text = v->chunk_left > 2 ? MIN(n, v->chunk_left - 2) : 0;
            put_media(v, v->raw.data + at, text, now_us);
            v->chunk_left -= n;
            at += n;
            continue;
        }
        const uint8_t *end = memchr(v->raw.data + at, '\n', v->raw.len - at);
        uint64_t size;
        if (!end)
            break;
        struct span line = {(const char *)v->raw.data + at, (size_t)(end - v->raw.data) - at};
        if (!span_hex_u64(span_trim(line), &size))
            die("chunk");
        at += line.n + 1;
        v->chunk_left = (size_t)size + 2;
    }
    buf_consume(&v->raw, at);
}

static bool take_head(struct viewer *v)
{
    const char *text = buf_cstr(&v->raw);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "live_viewer: camera %zu: %.60s\n", v->camera + 1, text);
        exit(1);
    }
    const char *encoding = strcasestr(text, "transfer-encoding: chunked");
    v->is_chunked = encoding && encoding < end;
    v->has_head = true;
    buf_consume(&v->raw, (size_t)(end + 4 - text));
    return true;
}

static void on_readable(struct bench *b, struct viewer *v)
{
    static uint8_t bytes[1 << 18];
    ssize_t n = recv(v->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    int64_t now_us = clock_mono_us(clock_system());
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die("the server ended the stream");
    if (v->has_head && !v->is_chunked) {
        put_media(v, bytes, (size_t)n, now_us);
    } else {
        buf_append(&v->raw, bytes, (size_t)n);
        if (!v->has_head && !take_head(v))
            return;
        if (v->is_chunked) {
            dechunk(v, now_us);
        } else {
            put_media(v, v->raw.data, v->raw.len, now_us);
            buf_clear(&v->raw);
        }
    }
    take_fragments(b, v, now_us);
}

static void open_viewer(struct viewer *v, size_t camera, uint16_t port, const char *token,
                        int epoll_fd)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *v = (struct viewer){.camera = camera};
    buf_init(&v->raw, 0);
    buf_init(&v->media, 0);
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(v->fd, (const struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    char *request = xasprintf("GET /api/v1/cameras/cam-%03zu/live.mp4?stream=main HTTP/1.1\r\n"
                              "Host: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n",
                              camera + 1, token);
    if (send(v->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        die("send");
    free(request);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = v};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v->fd, &ev);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_result(struct bench *b, size_t n_viewers)
{
    size_t n = b->n_latencies;
    if (n == 0) {
        fprintf(stderr, "live_viewer: no picture arrived\n");
        exit(1);
    }
    qsort(b->latency_ms, n, sizeof(double), by_value);
    printf("{\"viewers\": %zu, \"pictures\": %zu, \"p50_ms\": %.3f, \"p90_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"breaks\": %zu, \"unknown\": %zu}\n",
           n_viewers, n, b->latency_ms[n / 2], b->latency_ms[n * 9 / 10],
           b->latency_ms[n * 99 / 100], b->latency_ms[n - 1], b->n_breaks, b->n_unknown);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: live_viewer PORT TOKEN IDENTITY STAMPS CAMERAS WARMUP_S SECONDS\n");
        return 2;
    }
    struct bench b = {0};
    struct err err = {0};
    if (identity_read(argv[3], &b.table) < 0)
        die(argv[3]);
    if (stamps_open(argv[4], &b.stamps, &err) < 0) {
        fprintf(stderr, "live_viewer: %s\n", err.msg);
        return 1;
    }
    struct rlimit files = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &files);
    size_t n_viewers = strtoul(argv[5], NULL, 10);
    struct viewer *viewers = xcalloc(n_viewers, sizeof *viewers);
    b.latency_ms = xmalloc(MAX_SAMPLES * sizeof(double));
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int64_t start_us = clock_mono_us(clock_system());
    b.measure_from_us = start_us + (int64_t)(strtod(argv[6], NULL) * US_PER_S);
    int64_t end_us = b.measure_from_us + (int64_t)(strtod(argv[7], NULL) * US_PER_S);
    for (size_t i = 0; i < n_viewers; i++)
        open_viewer(&viewers[i], i, (uint16_t)strtoul(argv[1], NULL, 10), argv[2], epoll_fd);

    struct epoll_event events[64];
    while (clock_mono_us(clock_system()) < end_us) {
        int n = epoll_wait(epoll_fd, events, 64, 100);
        for (int i = 0; i < n; i++)
            on_readable(&b, events[i].data.ptr);
    }
    print_result(&b, n_viewers);
    return 0;
}
