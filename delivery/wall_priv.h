/* Shared by the wall_*.c files and their tests only. Everything runs on the wall's loop. */
#ifndef DELIVERY_WALL_PRIV_H
#define DELIVERY_WALL_PRIV_H

#include "base/buf.h"
#include "delivery/wall.h"
#include "delivery/wall_message.h"
#include "net/conn.h"

#define WALL_CLOSE_BYTES  (16u << 20)    /* waiting for a connection: it is closed */
#define WALL_JOIN_BYTES   (4u << 20)     /* waiting: no further tile begins with its group */
#define WALL_TILE_BYTES   (2u << 20)     /* waiting for a live tile: it drops */
#define WALL_TILE_WAIT_US (3 * US_PER_S) /* the oldest of a tile waited so long: it drops */
#define WALL_AHEAD_US     (3 * US_PER_S) /* of playing time, recorded tiles */
#define WALL_RETRY_MS     2000           /* for tiles whose stream is not there */
#define WALL_MAX_BAD      16             /* messages that are not understood */

/* The seam to the socket: wall_ws.c, or a test. */
struct wall_io_ops {
    void (*send_text)(void *io, const char *text, size_t n);
    void (*send_binary)(void *io, const struct conn_part *parts, size_t n_parts);
    size_t (*pending)(void *io);
    /* Nothing is sent or delivered after it; wall__conn_gone follows. */
    void (*close)(void *io, int code, const char *reason);
};

struct wall_conn;
struct wall_tile;
struct playback;

struct wall {
    /* set at create, then const */
    struct wall_params params;
    struct wall_host host;
    struct loop *loop;

    struct wall_conn *conns;
    struct timer retry;
    int n_playbacks; /* including those whose last read is still under way */
    bool is_stopping, is_done;
    loop_fn *done;
    void *done_ctx;
    struct wall_stats stats;
};

struct wall_conn {
    struct wall *wall;
    struct wall_conn *next, *prev;
    const struct wall_io_ops *ops;
    void *io, *user;
    bool is_closing;
    int n_bad;
    struct wall_tile *tiles;
    int n_tiles;
    bool has_layout;
    uint16_t visible[WALL_MAX_TILES];
    size_t n_visible;
};

/* One media message on its way to the socket. */
struct wall_sent {
    struct wall_sent *next;
    struct wall_sending *sending;
    struct fragment *fragment;
    size_t bytes; /* counted in waiting_bytes; 0 for the group a tile begins with */
    int64_t queued_us;
};

/* What is on its way for one tile; outlives it. */
struct wall_sending {
    struct wall_tile *tile; /* NULL: gone */
    struct wall_sent *first, **last;
    size_t waiting_bytes;
};

struct wall_tile {
    struct wall_conn *conn;
    struct wall_tile *next, *prev;
    struct wall_subject subject; /* number and generation */
    char camera[65], asked[8], stream[8];
    bool wants_audio, is_live, is_visible;
    struct wall_state state;
    struct wall_sending *sending;
    struct wall_view view;

    /* live */
    struct hub *hub; /* NULL: not there now */
    struct viewer viewer;
    bool is_join_due; /* waits for room to begin with its group */
    bool is_joining;  /* inside packager_attach */
    bool is_dropping; /* until a key frame that fits */
    bool is_after_hole;
    uint64_t n_run; /* left out since it began to drop */

    /* recorded */
    struct source *source;
    struct playback *playback;
    double speed;
    bool is_paused;
};

/* --- wall.c --- */
void wall__finish_if_done(struct wall *wall);
void wall__arm_retry(struct wall *wall);

/* --- wall_conn.c --- */
struct wall_conn *wall__conn_create(struct wall *wall, const struct wall_io_ops *ops, void *io,
                                    void *user);
void wall__conn_text(struct wall_conn *conn, const char *text, size_t n);
void wall__conn_bad(struct wall_conn *conn, const struct wall_subject *s, const char *detail);
void wall__conn_drained(struct wall_conn *conn);
void wall__conn_gone(struct wall_conn *conn); /* releases it */
void wall__conn_close(struct wall_conn *conn, int code, const char *reason);
/* Sends what is in `text`, then releases its memory. */
void wall__conn_say(struct wall_conn *conn, struct buf *text);

/* --- wall_tile.c --- */
void wall__tile_subscribe(struct wall_conn *conn, const struct wall_command *cmd);
void wall__tile_seek(struct wall_tile *tile, const struct wall_command *cmd);
void wall__tile_speed(struct wall_tile *tile, const struct wall_command *cmd);
void wall__tile_show(struct wall_tile *tile, bool is_visible);
void wall__tile_close(struct wall_tile *tile);
/* Resolves again; may close the tile. */
void wall__tile_recheck(struct wall_tile *tile);
void wall__tile_state(struct wall_tile *tile, const struct wall_state *state);
/* Begins to watch when it is due and there is room. */
void wall__tile_join(struct wall_tile *tile);
void wall__tile_error(struct wall_tile *tile, int rc, const char *detail);

/* --- wall_send.c --- */
struct wall_sending *wall__sending_create(struct wall_tile *tile);
void wall__sending_forget(struct wall_sending **s); /* the tile goes */
bool wall__sending_has_room(const struct wall_sending *s, size_t bytes, int64_t mono_us);
void wall__send_init(struct wall_tile *tile, struct fragment *init);
void wall__send_media(struct wall_tile *tile, struct fragment *f, unsigned flags,
                      uint32_t duration);

/* --- wall_playback.c --- */
void wall__playback_start(struct wall_tile *tile, int64_t at_us, enum reader_pick pick);
void wall__playback_stop(struct wall_tile *tile);
void wall__playback_changed(struct playback *p); /* speed, pause or visibility of the tile */
void wall__playback_step(struct playback *p);
void wall__playback_room(struct playback *p); /* something went out */

#endif
