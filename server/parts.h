/* Builds everything the server is made of, and takes it down again.
 * Thread: main, before and after the server's loop runs. */
#ifndef SERVER_PARTS_H
#define SERVER_PARTS_H

#include "server/server.h"

/* loop, config and started_us of `s` are set. On failure what was built stays, for
 * parts_tear_down. */
int parts_build(struct server *s, struct err *err);

/* Takes a half-built one, too. Cameras, walls and workers have been stopped. Everything that may
 * still post to the server's loop ends first, while what it posts to is there. */
void parts_tear_down(struct server *s);

#endif
