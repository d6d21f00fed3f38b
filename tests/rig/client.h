/* One RTSP connection to the simulator: requests in, answers and media out.
 * Thread: the simulator's loop.
 * Lifetime: from client_accept until it closes itself or client_close; memory goes after the
 * current dispatch. Bounds: RTSP_INPUT_BYTES in, CLIENT_OUT_MAX_BYTES out; when the peer takes
 * nothing, whole access units are dropped up to the next key frame, and counted. */
#ifndef RIG_CLIENT_H
#define RIG_CLIENT_H

#include "camsim.h"

#define CLIENT_OUT_MAX_BYTES   (1u << 20) /* before units are left out */
#define CLIENT_OUT_BOUND_BYTES (16u << 20)
#define CLIENT_SNDBUF_BYTES    (256u << 10)
#define CLIENT_REPORT_MS       5000

/* Takes the descriptor over. camera NULL: the first request tells which. */
void client_accept(struct camsim *sim, struct camera *camera, int fd, const struct address *peer);
void client_close(struct client *c);

/* Sends a unit of one of its stream's tracks if the client has set it up. May close the client. */
void client_send_unit(struct client *c, int track, struct unit *unit);

/* The camera's mode changed: acts on who is connected to it. */
void client_end_all(struct camsim *sim, const struct camera *camera);

/* A datagram came from there: whoever it belongs to is alive. */
void client_heard_udp(struct camsim *sim, const struct address *from);

/* For stream.c. */
struct client *client_next_playing(const struct client *c);
void client_link_playing(struct client *c, struct client **list);
void client_unlink_playing(struct client *c, struct client **list);

#endif
