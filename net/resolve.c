#include "net/resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct resolver {
    resolver_look_up_fn *look_up;
    struct pool *pools[2]; /* of doubtful names the second */
};

/* Two parties hold it: the caller until done or cancel, and the way through the pool. Both meet on
 * the loop, so plain fields do. */
struct resolve {
    struct loop *loop;
    resolver_look_up_fn *look_up;
    resolve_done_fn *done; /* NULL = cancelled */
    void *ctx;
    atomic_bool is_cancelled; /* for the pool thread */
    atomic_bool has_begun;    /* from it */
    uint16_t port;
    struct address list[RESOLVE_MAX_ADDRESSES];
    size_t n;
    struct err err;
    char host[]; /* read by the pool thread */
};

static int ask_system(const char *host, struct address list[RESOLVE_MAX_ADDRESSES], struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int n = 0;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    for (struct addrinfo *ai = found; rc == 0 && ai; ai = ai->ai_next) {
        if (n == RESOLVE_MAX_ADDRESSES || ai->ai_addrlen > sizeof list[0].sa)
            break;
        memcpy(&list[n].sa, ai->ai_addr, ai->ai_addrlen);
        list[n++].len = ai->ai_addrlen;
    }
    if (rc == 0)
        freeaddrinfo(found);
    if (n > 0)
        return n;
    return err_text(err, ERR_DNS, "host name %s does not resolve: %s", host,
                    rc ? gai_strerror(rc) : "no address");
}

/* --- the resolver --- */

struct resolver *resolver_create(resolver_look_up_fn *look_up)
{
    struct resolver *r = xcalloc(1, sizeof *r);
    r->look_up = look_up ? look_up : ask_system;
    r->pools[0] = pool_create(&(struct pool_params){.name = "names", .n_threads = RESOLVE_THREADS});
    r->pools[1] = pool_create(
        &(struct pool_params){.name = "doubtful", .n_threads = RESOLVE_DOUBTFUL_THREADS});
    return r;
}

void resolver_destroy(struct resolver **rp)
{
    struct resolver *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    for (int i = 0; i < 2; i++)
        pool_abandon(&r->pools[i], free);
    free(r);
}

/* --- one name --- */

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
    if (atomic_load(&r->is_cancelled))
        return;
    atomic_store(&r->has_begun, true);
    int n = r->look_up(r->host, r->list, &r->err);
    r->n = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < r->n; i++)
        address_set_port(&r->list[i], r->port);
}

struct resolve *resolve_start(struct loop *loop, struct resolver *resolver, const char *host,
                              uint16_t port, bool is_doubtful, resolve_done_fn *done, void *ctx)
{
    size_t n = strlen(host);
    struct resolve *r = xcalloc(1, sizeof *r + n + 1);
    r->loop = loop;
    r->look_up = resolver ? resolver->look_up : NULL;
    r->done = done;
    r->ctx = ctx;
    r->port = port;
    memcpy(r->host, host, n + 1);
    if (address_parse(host, port, &r->list[0]) == 0) {
        r->n = 1;
        loop_post(loop, finish, r);
    } else if (!resolver || !pool_submit(resolver->pools[is_doubtful], look_up, loop, finish, r)) {
        err_text(&r->err, ERR_BUSY, "too many host names wait to be resolved");
        loop_post(loop, finish, r);
    }
    return r;
}

bool resolve_has_begun(const struct resolve *r)
{
    return atomic_load(&r->has_begun);
}

void resolve_cancel(struct resolve **r)
{
    if (!*r)
        return;
    loop_assert((*r)->loop);
    (*r)->done = NULL;
    atomic_store(&(*r)->is_cancelled, true);
    *r = NULL;
}
