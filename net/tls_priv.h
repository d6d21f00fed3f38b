/* The OpenSSL side of a server, for conn.c, and what server and client have in common. */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

#include "net/tls.h"

struct ssl_st;

/* A server-side session on fd, which stays the caller's; NULL when there is no memory. */
struct ssl_st *tls__session(struct tls *tls, int fd);

/* OpenSSL keeps errors in a queue of the thread: the first one is the cause. Static text; empties
 * the queue. */
const char *tls__reason(void);

#endif
