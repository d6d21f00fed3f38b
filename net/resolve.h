/* Host names to addresses without blocking a loop.
 *
 * A look-up blocks its thread for as long as the system likes, half a minute where no name server
 * answers. So the threads are a resolver's own, nobody else's work waits behind them, and names
 * that did not resolve the last time have others than the rest.
 * Thread: the loop given to resolve_start; the resolver itself: any. Bounds: RESOLVE_THREADS and
 * RESOLVE_DOUBTFUL_THREADS, and 4096 names that wait for each. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/err.h"
#include "base/loop.h"
#include "base/pool.h"
#include "net/socket.h"

#define RESOLVE_MAX_ADDRESSES    8
#define RESOLVE_THREADS          16
#define RESOLVE_DOUBTFUL_THREADS 4

struct resolver;
struct resolve;

/* Blocks. Number of addresses, or < 0. */
typedef int resolver_look_up_fn(const char *host, struct address list[RESOLVE_MAX_ADDRESSES],
                                struct err *err);

/* look_up: NULL = the system's. */
struct resolver *resolver_create(resolver_look_up_fn *look_up);

/* Waits for no look-up. What was not answered is not answered any more. */
void resolver_destroy(struct resolver **r);

/* err NULL = success; then n >= 1 addresses in the order to try them. */
typedef void resolve_done_fn(void *ctx, const struct err *err, const struct address *list,
                             size_t n);

/* Always answers later, on the loop, exactly once, unless cancelled first. A numeric host asks
 * nobody. is_doubtful: the name did not resolve the last time. Fails by answering with ERR_DNS, or
 * ERR_BUSY when too many wait or the resolver is NULL. The handle ends when done is called. */
struct resolve *resolve_start(struct loop *loop, struct resolver *resolver, const char *host,
                              uint16_t port, bool is_doubtful, resolve_done_fn *done, void *ctx);

/* False: it waits for a thread; nobody was asked yet. */
bool resolve_has_begun(const struct resolve *r);

/* done will not be called any more, and nobody asked for the name unless that has begun. Accepts
 * NULL inside, writes NULL back. */
void resolve_cancel(struct resolve **r);

#endif
