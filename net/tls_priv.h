/* For conn.c: the OpenSSL side of a server. */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

#include "net/tls.h"

struct ssl_st;

/* A server-side session on fd, which stays the caller's; NULL when there is no memory. */
struct ssl_st *tls__session(struct tls *tls, int fd);

#endif
