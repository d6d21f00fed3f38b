/* Shared by the http*.c and ws.c files only.
 *
 * A connection reads one request at a time: HEAD → BODY → BUSY (the handler has it) → HEAD …; or
 * ends as WS. A request that was handed out belongs to its handler; when the connection breaks
 * first, its `hc` becomes NULL. */
#ifndef NET_HTTP_PRIV_H
#define NET_HTTP_PRIV_H

#include "net/http_head.h"

struct http_conn;

enum request_state {
    REQUEST_WAITING,   /* nothing was answered */
    REQUEST_STREAMING, /* the head is out */
};

struct request {
    struct http_request pub; /* first: both point to the same */
    struct http_conn *hc;    /* NULL = the client is gone */
    struct loop *loop;
    struct pool *pool;
    enum request_state state;
    struct http_head head;
    char *head_text; /* the strings of head */
    struct http_chunks chunks;
    struct buf body;
    char *path_text;  /* the strings of pub.segments and pub.path */
    char *query_text; /* the strings of query */
    size_t n_query;
    struct {
        const char *name, *value;
    } query[HTTP_MAX_QUERY];
    struct buf extra; /* header lines of the answer */

    /* streaming */
    bool sends_no_body; /* HEAD, 204, 304 */
    bool is_chunked;
    int64_t left_bytes; /* promised and not yet written; -1 = unknown */
    loop_fn *drained;
    void *drained_ctx;
    loop_fn *closed;
    void *closed_ctx;
    bool is_close_queued; /* closed is to be called from the loop */
    bool is_released;     /* free it as soon as that is over */
};

enum http_conn_state { HC_HEAD, HC_BODY, HC_BUSY, HC_WS, HC_FINISH };

struct http_conn {
    struct http_server *server; /* NULL once cut off */
    struct loop *loop;
    struct http_conn *prev, *next;
    struct conn *io;
    enum http_conn_state state;
    struct request *req; /* BODY and BUSY */
    struct ws *ws;       /* WS */
    struct address peer;
    size_t n_scanned;
    struct timer timer;
    uint64_t sent_seen; /* progress of writing, for the stall timeout */
    int64_t progress_us;
    bool has_partial_head;
};

struct http_server {
    struct http_server_params params;
    int fd;
    struct watch watch;
    struct timer accept_pause;
    struct http_conn *conns;
    int n_conns;
};

static inline struct request *request_of(const struct http_request *req)
{
    return (struct request *)(void *)(uintptr_t)req;
}

/* http_request.c */
struct request *request__create(char *head_text, const struct http_head *head);
int request__parse_target(struct request *r); /* 0 or negated status */
void request__release(struct request *r);     /* ends the handler's ownership */

/* http_reply.c */
const char *http__reason(int status);
void http__write_simple(struct http_conn *hc, int status); /* for refusals: closes afterwards */
void request__finish(struct request *r); /* the answer is complete: next request or end */

/* http.c */
void http_conn__next(struct http_conn *hc, bool keeps_alive);

/* ws.c */
size_t ws__input(struct ws *ws, const uint8_t *data, size_t len);
void ws__drained(struct ws *ws);
void ws__gone(struct ws *ws); /* calls closed, releases it */
void ws__on_timer(struct ws *ws);

#endif
