/* A wall with one page connected through a fake socket, on a virtual clock. */
#ifndef TESTS_WALL_RIG_H
#define TESTS_WALL_RIG_H

#include <jansson.h>

#include "base/pool.h"
#include "delivery/wall_priv.h"
#include "delivery_rig.h"
#include "media/hub.h"

#define RIG_MAX_MESSAGES 4096

struct rig_message {
    char *text; /* a control message; NULL = media */
    json_t *json;
    uint8_t kind, flags;
    uint16_t tile;
    uint32_t gen;
    int64_t wall_us, pts;
    uint32_t payload_at, duration;
    int64_t picture; /* number, of media */
    size_t size;
    loop_fn *release; /* not called yet */
    void *release_ctx;
};

struct rig_camera {
    const char *id;
    struct hub *hub, *sub; /* borrowed by the test; NULL = none */
    struct source *source;
    int refuse; /* 0 or the code of resolve */
};

struct wall_rig {
    struct rig_clock clock;
    struct pool *pool;
    struct packager_table *packagers;
    struct wall *wall;
    struct wall_conn *conn;
    struct rig_camera cameras[4];
    struct wall_state state; /* of every camera */
    struct format *video;

    struct rig_message *messages;
    size_t n_messages, n_read;
    bool is_stuck; /* the socket takes nothing */
    size_t pending;
    int close_code;
    int n_opened, n_closed, n_conns_closed, n_resolved;
    struct wall_view last_view;
    bool is_stopped;
};

int wall_rig_setup(void **state);
int wall_rig_teardown(void **state);

void wall_rig_send(struct wall_rig *rig, const char *text);
/* Lets jobs, posts and due timers run until nothing more happens. */
void wall_rig_settle(struct wall_rig *rig);
void wall_rig_advance_ms(struct wall_rig *rig, int64_t ms);
void wall_rig_publish(struct wall_rig *rig, struct hub *hub, int64_t from, int64_t to, size_t size);
/* The socket takes everything again. */
void wall_rig_unstick(struct wall_rig *rig);

/* The next message not looked at, or NULL; a control message of this type, passing over others. */
struct rig_message *wall_rig_next(struct wall_rig *rig);
struct rig_message *wall_rig_find(struct wall_rig *rig, const char *type);
int wall_rig_count_media(struct wall_rig *rig, uint16_t tile); /* of those not looked at */
const char *rig_text(const struct rig_message *m, const char *member);
int64_t rig_int(const struct rig_message *m, const char *member);

/* Drops the page; a test that wants to see what is left. */
void wall_rig_hang_up(struct wall_rig *rig);

#endif
