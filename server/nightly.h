/* Makes the uptime reports by itself: each night the day before, on Mondays the week, on the first
 * the month; and what a stopped server missed. Thread: the server's loop; the work runs on the
 * pool. */
#ifndef SERVER_NIGHTLY_H
#define SERVER_NIGHTLY_H

#include "server/server.h"

struct nightly;

struct nightly *nightly_start(struct server *s);
void nightly_stop(struct nightly **n);

#endif
