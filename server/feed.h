/* Server-sent events (GET /events/stream): what happens, to every page that listens, in its scope.
 *
 * Thread: the server's loop. Bounds: FEED_MAX_CLIENTS listeners; one with more than
 * FEED_PENDING_MAX_BYTES waiting is disconnected and comes back by itself. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "net/http.h"
#include "server/access.h"

#define FEED_MAX_CLIENTS       1000
#define FEED_PENDING_MAX_BYTES (1u << 20)
#define FEED_HEARTBEAT_MS      15000

struct feed;

struct feed *feed_create(struct loop *loop);
/* Ends every stream. */
void feed_destroy(struct feed *f);

/* Takes the request over. */
void feed_accept(struct feed *f, struct http_request *req, const struct user *user);

/* To everybody who sees the node (NULL = to all). `json` is one line. */
void feed_publish(struct feed *f, const struct district *d, const struct node *node,
                  const char *event, const char *json);
/* To those who may manage the system. */
void feed_publish_system(struct feed *f, const char *event, const char *json);
/* Ends the streams of those who may not listen any more. */
struct accounts;
void feed_recheck(struct feed *f, struct accounts *a);
int feed_count(const struct feed *f);

#endif
