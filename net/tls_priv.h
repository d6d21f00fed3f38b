/* The OpenSSL side of a connection, for conn.c and tls_client.c.
 * Thread: the loop of the connection. */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tls.h"

struct ssl_st;

/* A server-side session on fd, which stays the caller's; NULL when there is no memory. */
struct ssl_st *tls__session(struct tls *tls, int fd);
/* Says that nothing follows; without it the peer cannot tell the end from a cut. */
void tls__say_end(struct ssl_st *ssl);
void tls__free(struct ssl_st **ssl);

/* Bytes, or < 0: -EAGAIN (would block: *out_wants_write tells for what), ERR_EOF, ERR_PROTOCOL,
 * -Exxx. *out_wants_write is left alone otherwise. */
int64_t tls__read(struct ssl_st *ssl, void *dst, size_t cap, bool *out_wants_write);
int64_t tls__write(struct ssl_st *ssl, const void *p, size_t n, bool *out_wants_write);
/* The same for 0 or less of any SSL_ function, before which tls__prepare was called. */
void tls__prepare(void);
int tls__meaning(struct ssl_st *ssl, int rc, bool *out_wants_write);

/* Whether it holds decrypted bytes, which no poll will report. */
bool tls__has_pending(struct ssl_st *ssl);

/* OpenSSL keeps errors in a queue of the thread: the first one is the cause. Static text; empties
 * the queue. */
const char *tls__reason(void);

#endif
