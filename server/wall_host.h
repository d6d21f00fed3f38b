/* What the wall asks the server: may this user see this, and where does it come from.
 * Thread: the server's loop. */
#ifndef SERVER_WALL_HOST_H
#define SERVER_WALL_HOST_H

#include "server/fleet.h"
#include "server/server.h"

/* The host to create the wall with. */
struct wall_host wall_host_of(struct server *s);

/* The one way to a picture, live or recorded, for the wall and every other stream. As `resolve` of
 * struct wall_host. */
int wall_host_grant(struct server *s, const struct user *user, const char *camera_id,
                    const char *stream, enum wall_action action, struct wall_grant *out);

/* Hands the request to the wall, for this user. */
void wall_host_accept(struct server *s, struct http_request *req, const struct user *user);

/* A stream's state in the wall's words. */
void wall_host_state(const struct camera_state *st, int64_t now_us, struct wall_state *out);

#endif
