#include "server/feed.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/accounts.h"

struct client {
    struct client *next, *prev;
    struct feed *feed;
    struct http_request *req;
    struct user user;
    int64_t since_us;
};

struct feed {
    struct loop *loop;
    struct timer heartbeat;
    struct client *first;
    int n_clients;
};

static void client_end(struct client *c)
{
    struct feed *f = c->feed;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        f->first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    f->n_clients--;
    http_on_closed(c->req, NULL, NULL);
    http_stream_end(c->req);
    free(c);
}

static void client_gone(void *ctx)
{
    client_end(ctx);
}

static void client_send(struct client *c, const char *text, size_t n)
{
    if (http_pending(c->req) > FEED_PENDING_MAX_BYTES)
        client_end(c);
    else
        http_stream_write(c->req, text, n);
}

static void beat(void *ctx)
{
    struct feed *f = ctx;
    for (struct client *c = f->first, *next; c != NULL; c = next) {
        next = c->next;
        client_send(c, ": still here\n\n", 14);
    }
    timer_arm_ms(&f->heartbeat, FEED_HEARTBEAT_MS);
}

struct feed *feed_create(struct loop *loop)
{
    struct feed *f = xcalloc(1, sizeof *f);
    f->loop = loop;
    timer_init(&f->heartbeat, loop, beat, f);
    timer_arm_ms(&f->heartbeat, FEED_HEARTBEAT_MS);
    return f;
}

void feed_destroy(struct feed *f)
{
    if (f == NULL)
        return;
    for (struct client *c = f->first, *next; c != NULL; c = next) {
        next = c->next;
        client_end(c);
    }
    timer_disarm(&f->heartbeat);
    free(f);
}

void feed_accept(struct feed *f, struct http_request *req, const struct user *user)
{
    char hello[100], now[CLOCK_RFC3339_BYTES];
    if (f->n_clients >= FEED_MAX_CLIENTS) {
        http_add_header(req, "Retry-After", "10");
        struct err err;
        err_say(&err, ERR_BUSY, "pages_many", "%d pages listen already: try again in ten seconds",
                FEED_MAX_CLIENTS);
        http_reply_error(req, 503, &err);
        return;
    }
    struct client *c = xcalloc(1, sizeof *c);
    c->feed = f;
    c->req = req;
    c->user = *user;
    c->since_us = loop_wall_us(f->loop);
    c->next = f->first;
    if (f->first != NULL)
        f->first->prev = c;
    f->first = c;
    f->n_clients++;
    http_add_header(req, "Cache-Control", "no-store");
    http_add_header(req, "X-Accel-Buffering", "no");
    http_stream_start(req, 200, "text/event-stream", -1);
    int n = snprintf(hello, sizeof hello, "event: hello\ndata: {\"server_time\":\"%s\"}\n\n",
                     rfc3339_print(loop_wall_us(f->loop), now));
    http_stream_write(req, hello, (size_t)n);
    http_on_closed(req, client_gone, c);
}

static void print_event(struct buf *text, const char *event, const char *json)
{
    buf_init(text, 0);
    buf_printf(text, "event: %s\ndata: ", event);
    buf_puts(text, json);
    buf_puts(text, "\n\n");
}

void feed_publish(struct feed *f, const struct district *d, const struct node *node,
                  const char *event, const char *json)
{
    struct buf text;
    if (f->first == NULL)
        return;
    print_event(&text, event, json);
    for (struct client *c = f->first, *next; c != NULL; c = next) {
        next = c->next;
        if (node == NULL || access_sees(&c->user, d, node))
            client_send(c, (const char *)text.data, text.len);
    }
    buf_fini(&text);
}

void feed_publish_system(struct feed *f, const char *event, const char *json)
{
    struct buf text;
    print_event(&text, event, json);
    for (struct client *c = f->first, *next; c != NULL; c = next) {
        next = c->next;
        if (user_may(&c->user, PERM_MANAGE_SYSTEM))
            client_send(c, (const char *)text.data, text.len);
    }
    buf_fini(&text);
}

void feed_recheck(struct feed *f, struct accounts *a)
{
    for (struct client *c = f->first, *next; c != NULL; c = next) {
        next = c->next;
        if (!accounts_is_current(a, c->user.name, c->since_us))
            client_end(c);
    }
}

int feed_count(const struct feed *f)
{
    return f->n_clients;
}
