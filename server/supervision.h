/* What happens to the cameras, told to everybody who must know: open pages, walls, the catalogue.
 * Thread: the server's loop. */
#ifndef SERVER_SUPERVISION_H
#define SERVER_SUPERVISION_H

#include "server/fleet.h"
#include "server/server.h"

/* The host to create the fleet with. */
struct fleet_host supervision_host(struct server *s);

/* Our own start as a row, with a heartbeat until the end. Blocks. */
int supervision_begin(struct server *s, struct err *err);
/* [loop] The heartbeat; every 10 s. */
void supervision_beat(struct server *s);
/* The clean end. Blocks; no loop runs any more. */
void supervision_end(struct server *s);

#endif
