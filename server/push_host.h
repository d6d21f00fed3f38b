/* What the port where encoders knock asks the server: which camera is this, what is its key.
 * Thread: the server's loop. */
#ifndef SERVER_PUSH_HOST_H
#define SERVER_PUSH_HOST_H

#include "server/server.h"

/* Opens rtsp.listen, when it is on. A port that is taken is logged and leaves the rest at work. */
void push_host_open(struct server *s);

#endif
