/* Shared by reader.c (seeks and steps) and reader_read.c only. */
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
struct sample_gap reader__hole(const struct sample_window *w, size_t a, size_t b);
size_t reader__first_key(const struct sample_window *w);
/* Wall clock of the picture as it is shown; key: of its group. */
int64_t reader__shown_us(const struct sample_window *w, size_t i, size_t key);
int64_t reader__end_us(const struct sample_window *w, size_t i);
struct sample_place reader__place(const struct sample_window *w, size_t i);

#endif
