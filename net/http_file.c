#include "net/http_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define PIECE_BYTES (256u << 10)

/* A file on its way to a client. Alternates between the pool (blocking calls; `job` fields) and the
 * loop; only one of them holds it at a time. */
struct sender {
    struct http_request *req;
    struct loop *loop;
    struct pool *pool;
    char *path;
    const char *content_type; /* static, or behind path */
    char *cache_control;
    bool tries_gzip;

    /* written by the job, read by the loop after it */
    int fd;
    int code;
    bool is_gzip;
    uint64_t size;
    int64_t mtime_ns;
    uint8_t *piece;
    uint64_t piece_at;
    size_t piece_len;

    /* loop */
    bool is_job_running;
    uint64_t at, end; /* what is left to send */
};

static const struct {
    const char *suffix;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".yaml", "application/yaml"},
    {".md", "text/markdown; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".wasm", "application/wasm"},
    {".mp4", "video/mp4"},
    {".m4s", "video/iso.segment"},
    {".m3u8", "application/vnd.apple.mpegurl"},
    {".zip", "application/zip"},
    {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {".pdf", "application/pdf"},
};

const char *http_content_type(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_ends(path, types[i].suffix))
            return types[i].type;
    }
    return "application/octet-stream";
}

static void destroy(struct sender *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->piece);
    free(s->path);
    free(s->cache_control);
    free(s);
}

/* O_NONBLOCK: a FIFO must not hold a pool thread. */
static int open_regular(const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        close(fd);
        return ERR_NOT_FOUND;
    }
    return fd;
}

static void read_piece(struct sender *s, uint64_t at, uint64_t end)
{
    size_t want = (size_t)MIN((uint64_t)PIECE_BYTES, end - at);
    s->piece = xmalloc(want);
    s->piece_at = at;
    s->piece_len = 0;
    while (s->piece_len < want) {
        ssize_t n =
            pread(s->fd, s->piece + s->piece_len, want - s->piece_len, (off_t)(at + s->piece_len));
        if (n <= 0) {
            s->code = n < 0 ? -errno : ERR_EOF;
            return;
        }
        s->piece_len += (size_t)n;
    }
}

static void open_job(void *ctx)
{
    struct sender *s = ctx;
    struct stat st = {0};
    s->fd = -1;
    if (s->tries_gzip) {
        char *gz = xasprintf("%s.gz", s->path);
        s->fd = open_regular(gz, &st);
        s->is_gzip = s->fd >= 0;
        free(gz);
    }
    if (s->fd < 0)
        s->fd = open_regular(s->path, &st);
    if (s->fd < 0) {
        s->code = s->fd;
        return;
    }
    s->size = (uint64_t)st.st_size;
    s->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    if (s->size <= PIECE_BYTES) /* small files need one trip only */
        read_piece(s, 0, s->size);
}

static void read_job(void *ctx)
{
    struct sender *s = ctx;
    read_piece(s, s->at, s->end);
}

/* False: too much waits for the pool. Without a pool the loop reads itself (tests, small tools). */
static bool run_job(struct sender *s, loop_fn *work, loop_fn *done)
{
    s->is_job_running = true;
    if (s->pool)
        return pool_submit(s->pool, work, s->loop, done, s);
    work(s);
    loop_defer(s->loop, done, s);
    return true;
}

static void on_read(void *ctx);

static void end(struct sender *s)
{
    http_on_drained(s->req, NULL, NULL);
    http_on_closed(s->req, NULL, NULL);
    http_stream_end(s->req);
    destroy(s);
}

static void go_on(void *ctx)
{
    struct sender *s = ctx;
    if (s->is_job_running)
        return;
    if (s->at >= s->end || http_is_gone(s->req) || !run_job(s, read_job, on_read))
        end(s);
}

/* Sends what the job has read, as far as it is asked for. */
static void send_piece(struct sender *s)
{
    if (!s->piece || s->at >= s->end)
        return;
    uint64_t skip = s->at - s->piece_at;
    size_t n = (size_t)MIN(s->piece_len - skip, s->end - s->at);
    struct conn_part part = {s->piece + skip, n, free, s->piece};
    s->piece = NULL;
    s->at += n;
    http_stream_write_parts(s->req, &part, 1);
}

static void on_read(void *ctx)
{
    struct sender *s = ctx;
    s->is_job_running = false;
    if (http_is_gone(s->req) || s->code < 0) {
        end(s); /* shorter than promised: cuts the connection */
        return;
    }
    send_piece(s);
    if (s->at >= s->end)
        end(s);
    /* else the next piece is read when this one has gone out */
}

static bool is_same_tag(const char *list, const char *tag)
{
    struct span rest = span_of(list);
    struct span item;
    while (span_cut(&rest, ',', &item)) {
        item = span_trim(item);
        if (span_istarts(item, "W/"))
            item = (struct span){item.p + 2, item.n - 2};
        if (span_eq(item, tag) || span_eq(item, "*"))
            return true;
    }
    return false;
}

static void reply_and_destroy(struct sender *s, int status)
{
    struct http_request *req = s->req;
    destroy(s);
    if (status == 304)
        http_reply(req, 304, NULL, NULL, 0);
    else if (status == 416)
        http_reply_problem(req, 416, "the range lies outside the file");
    else
        http_reply_problem(req, status,
                           status == 503 ? "too many files are being read" : "no such file");
}

static void start_sending(struct sender *s, const char *tag)
{
    struct http_request *req = s->req;
    uint64_t first = 0;
    uint64_t last = 0;
    bool is_bad = false;
    const char *if_range = http_header(req, "If-Range");
    bool may_range = !s->is_gzip && (!if_range || strcmp(if_range, tag) == 0);
    bool is_range = may_range && http_range(req, s->size, &first, &last, &is_bad);
    if (is_bad) {
        http_add_header(req, "Content-Range", "bytes */%llu", (unsigned long long)s->size);
        reply_and_destroy(s, 416);
        return;
    }
    s->at = is_range ? first : 0;
    s->end = is_range ? last + 1 : s->size;
    if (is_range)
        http_add_header(req, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first,
                        (unsigned long long)last, (unsigned long long)s->size);
    http_add_header(req, "Accept-Ranges", s->is_gzip ? "none" : "bytes");
    if (s->is_gzip)
        http_add_header(req, "Content-Encoding", "gzip");
    http_stream_start(req, is_range ? 206 : 200, s->content_type, (int64_t)(s->end - s->at));
    if (req->method == HTTP_HEAD) {
        end(s);
        return;
    }
    send_piece(s);
    if (s->at >= s->end) {
        end(s);
        return;
    }
    http_on_drained(req, go_on, s);
    http_on_closed(req, go_on, s);
    go_on(s);
}

static void on_opened(void *ctx)
{
    struct sender *s = ctx;
    s->is_job_running = false;
    if (s->fd < 0 || s->code < 0) {
        reply_and_destroy(s, 404);
        return;
    }
    char tag[64];
    snprintf(tag, sizeof tag, "\"%llx-%llx%s\"", (unsigned long long)s->size,
             (unsigned long long)s->mtime_ns, s->is_gzip ? "-gz" : "");
    http_add_header(s->req, "ETag", "%s", tag);
    http_add_header(s->req, "Cache-Control", "%s", s->cache_control);
    if (s->tries_gzip || s->is_gzip)
        http_add_header(s->req, "Vary", "Accept-Encoding");
    const char *known = http_header(s->req, "If-None-Match");
    if (known && is_same_tag(known, tag))
        reply_and_destroy(s, 304);
    else
        start_sending(s, tag);
}

void http_send_file(struct http_request *req, const struct http_file *file)
{
    struct request *r = request_of(req);
    if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
        http_add_header(req, "Allow", "GET, HEAD");
        http_reply_problem(req, 405, "files can only be read");
        return;
    }
    const char *accepts = http_header(req, "Accept-Encoding");
    size_t n_path = strlen(file->path) + 1;
    size_t n_type = file->content_type ? strlen(file->content_type) + 1 : 0;
    struct sender *s = xcalloc(1, sizeof *s);
    s->req = req;
    s->loop = r->loop;
    s->pool = r->pool;
    s->fd = -1;
    s->path = xmalloc(n_path + n_type);
    memcpy(s->path, file->path, n_path);
    s->content_type = http_content_type(file->path);
    if (file->content_type) {
        memcpy(s->path + n_path, file->content_type, n_type);
        s->content_type = s->path + n_path;
    }
    s->cache_control = xstrdup(file->cache_control ? file->cache_control : "no-cache");
    s->tries_gzip = file->allows_gzip && accepts && http_list_has(accepts, "gzip");
    if (!run_job(s, open_job, on_opened))
        reply_and_destroy(s, 503);
}
