#include "server/web.h"

#include <limits.h>
#include <string.h>

#include "base/str.h"
#include "server/api.h"

/* nosniff is net/http's own. */
static void add_security_headers(struct http_request *req)
{
    http_add_header(req, "Content-Security-Policy",
                    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
                    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
                    "object-src 'none'; base-uri 'none'; form-action 'self'; "
                    "frame-ancestors 'none'");
    http_add_header(req, "X-Frame-Options", "DENY");
    http_add_header(req, "Referrer-Policy", "no-referrer");
    http_add_header(req, "Cross-Origin-Resource-Policy", "same-origin");
    http_add_header(req, "Cross-Origin-Opener-Policy", "same-origin");
}

/* A path whose last part has a suffix is a file; any other is a page of the app, which finds its
 * way by itself. */
static void send_static(struct server *s, struct http_request *req)
{
    char path[PATH_MAX];
    bool is_page = req->n_segments == 0 ||
                   strchr(req->segments[req->n_segments - 1], '.') == NULL ||
                   strcmp(req->segments[req->n_segments - 1], "index.html") == 0;
    bool is_asset = !is_page && strcmp(req->segments[0], "assets") == 0;
    if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
        http_add_header(req, "Allow", "GET, HEAD");
        http_reply_problem(req, 405, "only GET is possible here");
        return;
    }
    if (is_page) {
        if (snprintf(path, sizeof path, "%s/index.html", s->config->web_dir) >= (int)sizeof path)
            path[0] = '\0';
    } else if (!http_safe_join(req, 0, s->config->web_dir, path, sizeof path)) {
        http_reply_problem(req, 404, "there is no such file");
        return;
    }
    http_send_file(
        req, &(struct http_file){
                 .path = path,
                 .cache_control = is_asset ? "public, max-age=31536000, immutable" : "no-cache",
                 .allows_gzip = true,
             });
}

static void ready_get(struct server *s, struct http_request *req)
{
    http_add_header(req, "Cache-Control", "no-store");
    if (s->is_ready && !s->is_stopping)
        http_reply_text(req, 200, "text/plain; charset=utf-8", "ready\n");
    else
        http_reply_problem(req, 503, "the server is starting or stopping");
}

void web_handle(void *ctx, struct http_request *req)
{
    struct server *s = ctx;
    const char *first = req->n_segments > 0 ? req->segments[0] : "";
    add_security_headers(req);
    if (strcmp(first, "api") == 0 && req->n_segments > 1 && strcmp(req->segments[1], "v1") == 0) {
        api_handle(s, req);
    } else if (strcmp(first, "api") == 0) {
        http_reply_problem(req, 404, "the API is at /api/v1");
    } else if (strcmp(first, "healthz") == 0 && req->n_segments == 1) {
        http_add_header(req, "Cache-Control", "no-store");
        http_reply_text(req, 200, "text/plain; charset=utf-8", "ok\n");
    } else if (strcmp(first, "readyz") == 0 && req->n_segments == 1) {
        ready_get(s, req);
    } else if (strcmp(first, "metrics") == 0 && req->n_segments == 1) {
        metrics_get(s, req);
    } else {
        send_static(s, req);
    }
}
