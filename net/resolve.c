#include "net/resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Two parties hold it: the caller until done or cancel, and the way through the pool. Both meet on
 * the loop, so plain fields do. */
struct resolve {
    struct loop *loop;
    resolve_done_fn *done; /* NULL = cancelled */
    void *ctx;
    uint16_t port;
    struct address list[RESOLVE_MAX_ADDRESSES];
    size_t n;
    struct err err;
    char host[]; /* read by the pool thread */
};

static void finish(void *ctx)
{
    struct resolve *r = ctx;
    if (r->done)
        r->done(r->ctx, r->err.code ? &r->err : NULL, r->list, r->n);
    free(r);
}

static void look_up(void *ctx)
{
    struct resolve *r = ctx;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(r->host, NULL, &hints, &found);
    for (struct addrinfo *ai = found; rc == 0 && ai; ai = ai->ai_next) {
        if (r->n == RESOLVE_MAX_ADDRESSES || ai->ai_addrlen > sizeof r->list[0].sa)
            break;
        struct address *a = &r->list[r->n++];
        memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
        a->len = ai->ai_addrlen;
        address_set_port(a, r->port);
    }
    if (rc == 0)
        freeaddrinfo(found);
    if (r->n == 0)
        err_text(&r->err, ERR_DNS, "host name %s does not resolve: %s", r->host,
                 rc ? gai_strerror(rc) : "no address");
}

struct resolve *resolve_start(struct loop *loop, struct pool *pool, const char *host, uint16_t port,
                              resolve_done_fn *done, void *ctx)
{
    size_t n = strlen(host);
    struct resolve *r = xcalloc(1, sizeof *r + n + 1);
    r->loop = loop;
    r->done = done;
    r->ctx = ctx;
    r->port = port;
    memcpy(r->host, host, n + 1);
    if (address_parse(host, port, &r->list[0]) == 0) {
        r->n = 1;
        loop_post(loop, finish, r);
    } else if (!pool || !pool_submit(pool, look_up, loop, finish, r)) {
        err_text(&r->err, ERR_BUSY, "too many host names wait to be resolved");
        loop_post(loop, finish, r);
    }
    return r;
}

void resolve_cancel(struct resolve **r)
{
    if (!*r)
        return;
    loop_assert((*r)->loop);
    (*r)->done = NULL;
    *r = NULL;
}
