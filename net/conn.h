/* A connected stream socket, plain or TLS: reading into a bounded buffer, writing by copy or by
 * reference with one system call per loop turn, however many pieces were written.
 * Thread: the loop given at create.
 * Lifetime: until conn_close; memory goes after the current dispatch, so conn_close is legal in
 * every callback. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

struct conn;
struct tls;

/* A piece to write. With release it is taken by reference: release(ctx) is called exactly once, on
 * the loop, when the bytes are no longer needed (also when the connection is gone). Without, it is
 * copied. release must not touch the connection. */
struct conn_part {
    const void *data;
    size_t n;
    loop_fn *release;
    void *ctx;
};

struct conn_params {
    struct loop *loop;
    int fd;              /* taken over */
    struct tls *tls;     /* NULL = plain; accepts as server. Must outlive the connection */
    size_t max_in_bytes; /* what may wait unconsumed; 0 = 64 KiB. Then reading pauses */

    /* Bytes arrived. Returns how many it consumed from the front; the rest is shown again with the
     * next ones. Not called after conn_close. */
    size_t (*data)(void *ctx, const uint8_t *data, size_t len);
    /* Everything written went out; optional. */
    void (*drained)(void *ctx);
    /* The peer ended (ERR_EOF) or the connection broke (-Exxx). Once, last; conn_close is still the
     * owner's to call. */
    void (*closed)(void *ctx, int code);
    void *ctx;
};

struct conn *conn_create(const struct conn_params *params);

/* Closes now, drops what was not sent, releases every part. NULL inside is accepted. */
void conn_close(struct conn **c);

/* Drops what was not sent; closed follows from the loop with -ECONNABORTED. */
void conn_abort(struct conn *c);

/* Sends what is pending, waits for the peer to end too, then reports closed with ERR_EOF. No data
 * are shown any more. Ends after linger_ms in any case. */
void conn_finish(struct conn *c, int linger_ms);

void conn_write(struct conn *c, const void *data, size_t n);
void conn_write_parts(struct conn *c, const struct conn_part *parts, size_t n_parts);

/* Bytes written but not yet taken by the kernel. */
size_t conn_pending(const struct conn *c);
uint64_t conn_sent_bytes(const struct conn *c);

/* Stops and resumes calling data; while stopped the end of the peer is noticed only when it resets
 * the connection. conn_resume shows again what waits, from the loop, not from within the call. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

#endif
