/* Everything over HTTP that is not the API: the web app's files, health, metrics.
 * Thread: the server's loop. */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

#include "server/server.h"

/* Handler of the HTTP server: adds the security headers, then sends the request where it belongs.
 * ctx is the struct server. */
void web_handle(void *ctx, struct http_request *req);

/* GET /metrics: Prometheus text, for loopback or with a token. */
void metrics_get(struct server *s, struct http_request *req);

#endif
