/* Packets, hubs and recordings made up for tests; a loop on a virtual clock. */
#ifndef TESTS_DELIVERY_RIG_H
#define TESTS_DELIVERY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "media/packet.h"
#include "media/source.h"

#define RIG_START_US (INT64_C(1795500000) * US_PER_S) /* 2026-11-24 */
#define RIG_FPS      10
#define RIG_GOP      20 /* pictures: 2 s */

struct rig_clock {
    struct clock_virtual clock;
    struct loop *loop;
};
void rig_clock_init(struct rig_clock *c);
void rig_clock_fini(struct rig_clock *c);
/* Runs what is posted and due now. */
void rig_settle(struct rig_clock *c);
void rig_advance_ms(struct rig_clock *c, int64_t ms);

/* One format per mark (1-255), all 160x120; audio is AAC, 48 kHz. The caller owns the reference. */
struct format *rig_video(int mark);
/* The same with a level above: nothing that the sample entry of one with another mark can serve. */
struct format *rig_higher_video(int mark);
int rig_mark(const struct format *f);
struct format *rig_audio(void);

/* Picture number i of a 10 fps stream that began at RIG_START_US, every 20th a key frame; size
 * bytes of payload that begin with its number. */
struct packet *rig_picture(struct format *format, int64_t i, size_t size);
struct packet *rig_sound(struct format *format, int64_t i);

/* A recording in memory files: runs of pictures with gaps between them. */
struct rig_run {
    int64_t from, to; /* picture numbers, [from, to); from is a key frame */
    int mark;         /* of its format */
    bool has_audio;
    int64_t hole_from, hole_to; /* the camera stood still: no pictures, but no gap either */
    int64_t early_sound;        /* behind the first group stands sound of this picture; 0 = not */
    bool sound_first;           /* a sample of sound stands in front of the first picture */
    int fd;                     /* set by the rig; written once */
    int64_t written_to;
};
struct rig_source {
    struct source source;
    struct rig_run *runs;
    size_t n_runs;
    size_t picture_bytes;
    bool all_keys;             /* every picture is a key frame */
    size_t cut_after;          /* samples of a map; as if max_samples were so small; 0 = not */
    int64_t n_groups;          /* in a window */
    const struct clock *clock; /* what ends less than 15 s ago is growing; NULL = nothing is */
    int n_calls;
    int fails_with; /* < 0: map fails so */
};
/* runs stay the caller's, who may lengthen them. */
void rig_source_init(struct rig_source *s, struct rig_run *runs, size_t n_runs);
void rig_source_fini(struct rig_source *s);

static inline int64_t rig_time(int64_t picture)
{
    return RIG_START_US + picture * US_PER_S / RIG_FPS;
}

#endif
