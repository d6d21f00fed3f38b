/* The simulator: cameras, their streams and the ports they are found on, all on one loop.
 * Thread: the loop; only the studio has another. */
#ifndef RIG_CAMSIM_H
#define RIG_CAMSIM_H

#include "base/loop.h"
#include "base/map.h"
#include "config.h"
#include "net/socket.h"
#include "reel.h"
#include "script.h"
#include "stamps.h"
#include "studio.h"

#define CAMSIM_NAME "rookery-camsim"

struct client;
struct http_server;

/* One media of a stream, sent at its own pace. */
struct track {
    struct stream *stream;
    struct format *format; /* borrowed from reel or shot */
    struct reel *reel;     /* either a loop, owned by the simulator, */
    struct shot *shot;     /* or live */
    uint8_t payload_type;
    uint32_t ssrc, timestamp_base;
    uint16_t seq;      /* of the next packet: the same for every client, so a drop shows */
    int64_t origin_us; /* monotonic time of tick 0 */
    size_t next;       /* reel: unit to send next, in lap number `lap` */
    int64_t lap;
    struct timer timer;
};

enum { TRACK_VIDEO, TRACK_AUDIO, TRACKS };

struct stream {
    struct camera *camera;
    int index; /* STREAM_MAIN, STREAM_SUB */
    bool is_on;
    struct track tracks[TRACKS]; /* format NULL = absent */
    struct client *playing;      /* list by client.next_playing */
    int n_playing;
};

struct camera {
    struct camsim *sim;
    const struct camera_config *config;
    size_t number;
    struct stream streams[STREAMS];
    enum fail_mode mode;
    bool is_manual; /* the script rests until somebody plugs in again */
    struct timer script;
    struct listener *listener; /* of its own; NULL */
    int n_clients;
    unsigned n_rule_fits[SCRIPT_MAX_RULES]; /* for "nth" */
    json_t *trace;                          /* what it saw; NULL without rules */
    uint64_t n_accepted, n_units, n_bytes, n_dropped_units, n_lost_packets;
    uint64_t n_skipped_units; /* the simulator itself was too late */
};

struct listener {
    struct camsim *sim;
    struct camera *camera; /* NULL = common to all */
    char address[64];      /* empty = that of the configuration */
    uint16_t port;
    int fd; /* -1 = nobody listens */
    struct watch watch;
};

/* Sources shared by cameras. */
struct shared_reel {
    char *key;
    struct reel_pair pair;
    struct shared_reel *next;
};

/* Of all connections. */
struct load {
    uint64_t n_accepted, n_played; /* in all */
    int n_shaking, most_shaking;   /* that have not played yet */
    int64_t second;
    int n_in_second, most_in_second; /* accepted */
};

struct camsim {
    const struct config *config;
    struct loop *loop;
    struct studio *studio;  /* NULL while no scene is live */
    struct camera *cameras; /* config->n_cameras */
    struct map *by_id;
    struct shared_reel *reels;
    struct listener common;
    struct listener *spread; /* config->n_addresses, on the port of `common` */
    struct load load;
    uint16_t udp_port; /* even: RTP; the next one: RTCP */
    int udp_fd[2];
    struct watch udp_watch[2];
    struct client *clients; /* list by client.next */
    int n_clients;
    struct http_server *control;
    struct stamps *stamps; /* NULL = not asked for */
};

int camsim_create(const struct config *config, struct loop *loop, struct camsim **out,
                  struct err *err);
void camsim_destroy(struct camsim **sim);

/* [source.c] Finds or makes what a camera shows. Blocks. */
int source_open(struct camera *camera, struct err *err);
void source_free_shared(struct camsim *sim);

/* [camera.c] */
void camera_init(struct camera *camera, struct camsim *sim, const struct camera_config *config,
                 size_t number);
void camera_fini(struct camera *camera);
void camera_start(struct camera *camera); /* its script */
void camera_set_mode(struct camera *camera, enum fail_mode mode, bool is_manual);
void camera_plug(struct camera *camera); /* normal again; the script goes on */

/* [stream.c] */
void stream_fini(struct stream *stream);
void stream_join(struct stream *stream, struct client *client);
void stream_leave(struct stream *stream, struct client *client);
shot_fn stream_on_shot; /* ctx is the track */
/* RTP time of a track now. */
uint32_t track_timestamp(const struct track *track);

/* [listener.c] port 0 = any. */
int listener_open(struct listener *l, struct err *err);
void listener_close(struct listener *l);

/* [control.c] HTTP on config->control_port. */
int control_open(struct camsim *sim, struct err *err);

#endif
