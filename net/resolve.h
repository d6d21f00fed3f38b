/* Host names to addresses without blocking a loop.
 * Thread: the loop given to resolve_start. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/err.h"
#include "base/loop.h"
#include "base/pool.h"
#include "net/socket.h"

#define RESOLVE_MAX_ADDRESSES 8

struct resolve;

/* err NULL = success; then n >= 1 addresses in the order to try them. */
typedef void resolve_done_fn(void *ctx, const struct err *err, const struct address *list,
                             size_t n);

/* Always answers later, on the loop, exactly once, unless cancelled first. A numeric host does not
 * touch the pool. Fails by answering with ERR_DNS, or ERR_BUSY when the pool is full. The handle
 * ends when done is called. */
struct resolve *resolve_start(struct loop *loop, struct pool *pool, const char *host, uint16_t port,
                              resolve_done_fn *done, void *ctx);

/* done will not be called any more. Accepts NULL inside, writes NULL back. */
void resolve_cancel(struct resolve **r);

#endif
