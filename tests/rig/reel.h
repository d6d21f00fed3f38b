/* A track of a file or of a scene encoded in advance, played in a circle: any number of streams
 * share it, each at its own place. Thread: the loop that sends it, because units are patched in
 * place. */
#ifndef RIG_REEL_H
#define RIG_REEL_H

#include "base/buf.h"
#include "base/err.h"
#include "unit.h"

#define REEL_MAX_UNITS 200000

struct reel {
    struct format *format; /* owned */
    struct unit **units;   /* dts ascending from 0 */
    size_t n_units, cap_units;
    int64_t duration; /* ticks of one lap: the last dts and one frame more */
};

struct reel *reel_create(struct format *format); /* takes its own reference */
void reel_destroy(struct reel **r);

/* Adds a packet in decode order; its first dts becomes 0. */
int reel_append(struct reel *r, const struct packet *pkt);

/* Sets the duration from the average distance of units. ERR_INVALID when there are fewer than two.
 */
int reel_finish(struct reel *r, struct err *err);

/* Index of the first unit with dts >= ticks (0 <= ticks < duration); n_units when none is left. */
size_t reel_find(const struct reel *r, int64_t ticks);

/* Writes "index identity bytes is_key" per unit, for checking recordings against. */
int reel_write_identity(const struct reel *r, const char *path, struct err *err);
void reel_print_identity(const struct reel *r, struct buf *out);

/* The tracks of a source; either may be NULL. */
struct reel_pair {
    struct reel *video, *audio;
};

/* [av_file.c] Reads the first H.264 or H.265 and the first AAC, G.711 or 16-bit PCM track of a
 * file. */
int reel_load_file(const char *path, struct reel_pair *out, struct err *err);

/* [tone.c] Two seconds of a soft tone, 8 kHz mono: CODEC_PCMA, CODEC_S16BE or CODEC_S16LE. */
struct reel *reel_tone_plain(enum codec codec);

/* [av_tone.c] The same as AAC, 16 kHz mono. */
int reel_tone_aac(struct reel **out, struct err *err);

#endif
