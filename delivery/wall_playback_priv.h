/* Shared by wall_playback.c (what is sent, and when) and wall_reader.c (what comes next) only. */
#ifndef DELIVERY_WALL_PLAYBACK_PRIV_H
#define DELIVERY_WALL_PLAYBACK_PRIV_H

#include "base/clock.h"
#include "delivery/track_clock.h"
#include "delivery/wall_priv.h"

#define READY_MAX       128 /* packets read ahead, */
#define READY_MIN       32  /* and with fewer more are read */
#define READY_MIN_BYTES (1u << 20)
#define BATCH_MAX       64              /* packets of one read, */
#define BATCH_MAX_BYTES (1u << 20)      /* and bytes, unless one alone is larger */
#define EDGE_US         (15 * US_PER_S) /* the end of a recording so near to now may still grow */

struct playback_gap {
    int64_t from_us, to_us; /* to_us 0 = none */
    char cause[24];
};

/* A packet read, with its place on the tile's time axis. */
struct playback_item {
    struct packet *pkt;
    int64_t dts;
    uint32_t duration;
    bool is_after_hole;
    struct playback_gap gap; /* before it */
    /* as they were before it, to read it again */
    struct axis axis;
    struct track_clock clock;
};

/* A sample chosen to be read. */
struct playback_pick {
    size_t index;
    struct playback_gap gap;
    struct packet *pkt; /* NULL: could not be read */
};

struct playback_job;

struct playback {
    struct wall *wall;
    struct wall_tile *tile; /* NULL: stopped; freed when the job under way is done */
    struct source *source;
    char camera[65], stream[8];
    bool wants_audio;
    double speed;
    int64_t at_us; /* where it begins */
    struct timer timer;
    bool is_over;       /* end or error was told; until a seek */
    int64_t over_at_us; /* the end is told when what was read is sent; 0 = no */
    bool is_advancing;

    /* reading: wall_reader.c */
    struct playback_job *job; /* under way */
    struct sample_map *map;
    size_t next;           /* in map */
    bool is_started;       /* the first picture was found, */
    bool is_gap_due;       /* before the next picture */
    bool is_passing;       /* and passed */
    int64_t retry_mono_us; /* no new job before */
    int64_t key_us;        /* of the newest group read from: the next map begins there */
    bool has_last[2];      /* audio, video */
    int64_t last_dts[2];
    int64_t last_us;   /* wall clock of the newest picture passed, */
    int64_t picked_us; /* of the newest picture picked */
    int64_t end_us;    /* wall clock at the end of the newest picture passed */
    int64_t to_us;     /* what the newest map was asked for */
    int64_t window_us; /* how much more the next one is */
    size_t max_samples;
    bool needs_key;     /* something could not be read */
    bool is_rewind_due; /* what was read ahead is to be read again, after the job under way */
    bool is_after_hole; /* so what is read next does not follow what was sent */
    struct playback_gap open_gap; /* belongs to the next picture picked */

    /* read, not sent yet: a ring */
    struct playback_item ready[READY_MAX];
    size_t first_ready, n_ready, ready_bytes;
    struct axis axis;
    struct track_clock clocks[2]; /* audio, video */

    /* sending: wall_playback.c */
    struct format *video, *audio; /* of the init segment sent */
    struct format *next_audio;    /* of the map */
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
/* Tells the page why nothing more comes. */
void wall__playback_end(struct playback *p, int64_t at_us);
void wall__playback_fail(struct playback *p, int rc, const char *detail);

#endif
