/* Where encoders knock: listens, finds out who they are (ingest/push_login.h) and hands the
 * connections of those who may come in to their streams.
 *
 * Thread: the loop it was created on; `lookup` and `admit` are called there and must not block.
 * Bounds: PUSH_PORT_WAITING connections that have not logged in, PUSH_PORT_PER_ADDRESS of one
 * address; the oldest goes for a new one. Each has PUSH_PORT_LOGIN_S and one descriptor of the
 * allowance; where that is used up, whoever comes is hung up on. */
#ifndef INGEST_PUSH_PORT_H
#define INGEST_PUSH_PORT_H

#include "base/err.h"
#include "base/loop.h"
#include "ingest/allowance.h"
#include "ingest/push_login.h"
#include "net/socket.h"

#define PUSH_PORT_WAITING     256
#define PUSH_PORT_PER_ADDRESS 32
#define PUSH_PORT_LOGIN_S     20

/* The connection of an encoder that has logged in, and what came on it so far: an ANNOUNCE that is
 * not answered, perhaps more. Owns all of it. */
struct push_peer {
    int fd;
    struct address address;
    struct buf bytes;
};
void push_peer_free(struct push_peer **p); /* hangs up */

/* Takes the peer at the front of `p`'s bytes out with a status and a reason; then hangs up. */
void push_peer_refuse(struct push_peer **p, int status, const char *reason);

struct push_port_params {
    struct loop *loop;
    const char *listen;          /* "127.0.0.1:8554" */
    struct allowance *allowance; /* of descriptors; NULL = no limit */
    /* Fills in what is known of the camera's stream; zero at first. */
    void (*lookup)(void *ctx, const char *camera_id, const char *stream, struct push_camera *out);
    /* Takes the peer over. */
    void (*admit)(void *ctx, const char *camera_id, const char *stream, struct push_peer *peer);
    void *ctx;
};

struct push_port;

/* -EADDRINUSE and others of a socket, or ERR_PARSE. */
int push_port_create(const struct push_port_params *params, struct push_port **out,
                     struct err *err);
void push_port_destroy(struct push_port **p);

uint16_t push_port_number(const struct push_port *p);
int push_port_n_waiting(const struct push_port *p);

#endif
