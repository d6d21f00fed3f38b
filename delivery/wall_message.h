/* Text messages of the wall protocol, read and written (docs/wall-protocol.md).
 * Thread: pure functions on caller's memory. */
#ifndef DELIVERY_WALL_MESSAGE_H
#define DELIVERY_WALL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "delivery/wall.h"
#include "media/reader.h"

enum wall_type {
    WALL_SUBSCRIBE,
    WALL_SEEK,
    WALL_SPEED,
    WALL_STEP,
    WALL_UNSUBSCRIBE,
    WALL_LAYOUT,
    WALL_PING,
};

struct wall_command {
    enum wall_type type;
    uint16_t tile;
    uint32_t gen;          /* subscribe, seek */
    char camera[65];       /* subscribe */
    char stream[8];        /* subscribe: "auto", "main", "sub" */
    bool wants_audio;      /* subscribe */
    bool is_live;          /* subscribe, seek: no time was given, or "live" */
    int64_t at_us;         /* subscribe, seek, when !is_live */
    enum reader_pick pick; /* seek */
    bool has_speed, has_paused;
    double speed;
    bool is_paused;
    uint16_t visible[WALL_MAX_TILES]; /* layout */
    size_t n_visible;
    double t; /* ping */
};

/* 0, or ERR_PARSE with a sentence about what is wrong. out->tile and gen are set as far as they
 * could be read (*out_has_tile), so that the answer can name them. */
int wall_command_parse(const char *text, size_t n, struct wall_command *out, bool *out_has_tile,
                       struct err *err);

/* Writers append one JSON object to out. Times are wall clock. */
void wall_print_hello(struct buf *out, int64_t now_us);
void wall_print_pong(struct buf *out, double t);

struct wall_subject {
    uint16_t tile;
    uint32_t gen;
};
void wall_print_subscribed(struct buf *out, struct wall_subject s, const char *camera,
                           const char *stream, bool is_live);
void wall_print_format(struct buf *out, struct wall_subject s, const struct format *video,
                       const struct format *audio);
void wall_print_state(struct buf *out, struct wall_subject s, const struct wall_state *state);
void wall_print_gap(struct buf *out, struct wall_subject s, int64_t from_us, int64_t to_us,
                    const char *cause);
void wall_print_picked(struct buf *out, struct wall_subject s, int64_t at_us);
void wall_print_end(struct buf *out, struct wall_subject s, int64_t at_us);
void wall_print_dropped(struct buf *out, struct wall_subject s, uint64_t n_packets);

/* subject NULL: about no tile. */
void wall_print_error(struct buf *out, const struct wall_subject *s, const char *code,
                      const char *detail);

/* The header in front of each piece of media. */
#define WALL_HEADER_BYTES 32
enum wall_kind { WALL_KIND_INIT = 1, WALL_KIND_MEDIA = 2 };
enum wall_flag {
    WALL_FLAG_KEY = 1,
    WALL_FLAG_AUDIO = 2,
    WALL_FLAG_DISCONTINUITY = 4,
    WALL_FLAG_RECORDED = 8,
};
void wall_print_header(uint8_t dst[WALL_HEADER_BYTES], struct wall_subject s,
                       const struct fragment *f, unsigned flags, uint32_t duration);

#endif
