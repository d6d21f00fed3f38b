/* A server on a loop with a virtual clock, and raw clients on loopback, all in one thread. */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include "base/buf.h"
#include "net/http.h"

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct pool *pool;
    struct http_server *server;
    struct http_request *held; /* by a handler that answers later */
    struct ws *ws;
    int n_requests;
    int n_closed;
    int n_drained;
    int n_released;
    int ws_code; /* 0 = not closed */
    struct buf ws_got;
};

struct client {
    struct rig *rig;
    int fd;
    bool is_closed; /* the server ended */
    struct buf got;
};

/* params: loop, listen and ctx are filled in. */
void rig_init(struct rig *rig, const struct http_server_params *params);
void rig_fini(struct rig *rig);

void client_open(struct rig *rig, struct client *c);
void client_close(struct client *c);
void client_send(struct client *c, const void *data, size_t n);
void client_say(struct client *c, const char *text);

/* Runs the loop and reads until text has arrived; fails the test when it does not. */
void client_expect(struct client *c, const char *text);
void client_expect_close(struct client *c);
size_t client_take(struct client *c, size_t n); /* reads until n bytes are there */

/* Runs the loop until *n reaches want. */
void rig_until(struct rig *rig, const int *n, int want);
void rig_turns(struct rig *rig);

#endif
