/* Shared by reader.c (seeks and steps), reader_read.c and reader_window.c only. */
#ifndef MEDIA_READER_PRIV_H
#define MEDIA_READER_PRIV_H

#include "media/reader.h"

#define READER_NONE SIZE_MAX

struct reader {
    /* set at create, then const */
    struct source *source;
    char camera[65], stream[8];
    bool wants_audio;

    struct sample_window w;
    size_t at;  /* in the window: a picture; READER_NONE = it stands nowhere */
    size_t key; /* of its group */
    struct reader_at position;

    /* reading */
    size_t next;           /* in the window */
    uint64_t passed;       /* offset of the sample before `next`; 0 = begins anew */
    struct sample_gap due; /* in front of the next picture */
    bool needs_key;        /* a picture was passed over */
    int64_t given_us;      /* wall clock of the newest key frame given; 0 = none */
};

/* What is asked for behind the window came: */
enum reader__more {
    READER__NOTHING,   /* nothing (is_growing of *out tells the rest) */
    READER__SAME_FILE, /* the window was replaced by one that reaches further */
    READER__NEXT_FILE, /* *out is the caller's */
};
int reader__more(struct reader *r, struct sample_window *out, struct err *err);

void reader__take(struct reader *r, struct sample_window *w);
/* Sets the position from at and key. */
void reader__tell(struct reader *r, struct sample_gap gap);
/* Stands on picture i; reading begins with its group. */
void reader__stand(struct reader *r, size_t i, struct sample_gap gap);

/* --- reader_window.c: groups of pictures in decoding order; places in them are indices --- */

size_t reader__first_key(const struct sample_window *w);
size_t reader__group_start(const struct sample_window *w, size_t i);
size_t reader__group_end(const struct sample_window *w, size_t i);
size_t reader__last_picture(const struct sample_window *w);
int64_t reader__to_us(const struct sample_window *w, const struct sample *s, int64_t ticks);
/* Wall clock of the picture as it is shown; key: of its group. */
int64_t reader__shown_us(const struct sample_window *w, size_t i, size_t key);
int64_t reader__end_us(const struct sample_window *w, size_t i);
struct sample_place reader__place(const struct sample_window *w, size_t i);
/* The hole that lies between two samples. */
struct sample_gap reader__hole(const struct sample_window *w, size_t a, size_t b);

bool reader__is_shown_before(const struct sample_window *w, size_t a, size_t b);
/* The picture of the group from `start` that is shown next to `at` (READER_NONE: from the outside),
 * forward or back. */
size_t reader__beside(const struct sample_window *w, size_t start, size_t at, bool is_forward);
/* Whether what is not loaded yet of its group cannot be shown before it. */
bool reader__is_settled(const struct sample_window *w, size_t i);
/* The newest picture (or key frame) earlier than the time; READER_NONE. */
size_t reader__newest_before(const struct sample_window *w, int64_t wall_us, bool keys_only);
/* The picture of a window that was loaded anew. */
size_t reader__find(const struct sample_window *w, int64_t dts);

#endif
