/* Shared by wall_playback.c (what is sent, and when) and wall_reader.c (what comes next) only. */
#ifndef DELIVERY_WALL_PLAYBACK_PRIV_H
#define DELIVERY_WALL_PLAYBACK_PRIV_H

#include "base/clock.h"
#include "delivery/track_clock.h"
#include "delivery/wall_priv.h"
#include "media/reader.h"

#define READY_MAX       128 /* packets read ahead, */
#define READY_MIN       32  /* and with fewer more are read */
#define READY_MIN_BYTES (1u << 20)
#define BATCH_MAX       64         /* packets of one read, */
#define BATCH_BYTES     (1u << 20) /* and none more after so many bytes */

/* A packet read, with its place on the tile's time axis. */
struct playback_item {
    struct reader_item read;
    int64_t dts;
    bool is_after_hole;
    /* as they were before it, to read it again */
    struct axis axis;
    struct track_clock clock;
};

struct playback_job;

struct playback {
    struct wall *wall;
    struct wall_tile *tile; /* NULL: stopped; freed when the job under way is done */
    char camera[65];
    bool wants_audio;
    double speed;
    int64_t at_us; /* where it begins: the first picture shown is not earlier */
    enum reader_pick pick;
    struct timer timer;
    bool is_over;       /* end or error was told; until a seek */
    int64_t over_at_us; /* the end is told when what was read is sent; 0 = no */
    bool is_advancing;

    /* reading: wall_reader.c */
    struct reader *reader;    /* the job's while one is under way */
    struct playback_job *job; /* under way */
    bool is_started;          /* the picture to begin with was found */
    int64_t retry_mono_us;    /* no new job before */
    int64_t end_us;           /* wall clock at the end of the newest picture passed */
    bool is_rewind_due;       /* what was read ahead is to be read again, after the job under way */
    bool is_return_due;       /* the next job reads on from return_to */
    struct sample_place return_to;
    struct sample_gap open_gap; /* belongs to the next picture read */
    bool is_after_hole;         /* what is read next does not follow what was sent */

    /* read, not sent yet: a ring */
    struct playback_item ready[READY_MAX];
    size_t first_ready, n_ready, ready_bytes;
    struct axis axis;
    struct track_clock clocks[2]; /* audio, video */

    /* sending: wall_playback.c */
    struct format *video, *audio; /* of the init segment sent */
    struct format *next_audio;    /* of what is read */
    uint32_t n_sent;
    bool is_waiting_key;               /* a format without its key frame */
    bool is_shown;                     /* the picture of `at` was sent: from here on it is paced */
    bool is_running;                   /* the cursor moves */
    bool is_blocked;                   /* the connection has no room */
    int64_t cursor_us, anchor_mono_us; /* axis time at anchor */
    int64_t sent_us;                   /* axis time of the newest picture sent */
    int n_steps;
};

static inline bool playback_is_keys_only(const struct playback *p)
{
    return p->speed > 4;
}

/* Reads ahead when there is need; calls wall__playback_advance when something came. */
void wall__reader_fetch(struct playback *p);
void wall__reader_fini(struct playback *p);
/* Reads again what was read ahead: with another speed other samples are wanted. */
void wall__reader_rewind(struct playback *p);

/* Axis time of the picture the page should show now. */
int64_t wall__playback_cursor_us(struct playback *p);

/* Sends what is due. */
void wall__playback_advance(struct playback *p);
void wall__playback_free(struct playback *p);
/* Tells the page which picture was picked: it begins with it. */
void wall__playback_picked(struct playback *p, int64_t at_us);
/* Tells the page why nothing more comes. */
void wall__playback_end(struct playback *p, int64_t at_us);
void wall__playback_fail(struct playback *p, int rc, const char *detail);

#endif
