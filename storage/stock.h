/* What is kept of every camera, and how long the volumes last: the answer to "are ninety days
 * kept?".
 *
 * Thread: immutable once made; references from any thread. Lifetime: refcounted. */
#ifndef STORAGE_STOCK_H
#define STORAGE_STOCK_H

#include "base/err.h"
#include "base/mem.h"

struct db;
struct writing;

struct stock_row {
    char camera_id[65];
    int64_t oldest_us; /* of what no hold keeps, of either stream; 0 = nothing is recorded */
    int64_t cut_us;    /* up to where something older was deleted, thinning aside; 0 = nothing */
    int64_t bytes_per_day; /* of both streams, at the pace of the last 24 hours it recorded in */
    int n_holds;           /* in force */
};

struct stock {
    struct refcount refs;
    int64_t as_of_us, as_of_mono_us;
    int64_t serves_us;      /* for so long; filled by storage */
    struct stock_row *rows; /* by camera_id: cameras that ever recorded */
    size_t n;
    int64_t bytes_per_day; /* of all of them */
    /* Of the newest day that is thinned throughout: what is left of it, and what went. Of streams
     * that recorded before that day. thinned_bytes 0 = what thinning saves is not known. */
    int64_t left_bytes, thinned_bytes;
    int64_t held_bytes; /* of what is being written, too */
    int64_t
        capacity_bytes; /* recordings, and what is free beside the reserves; filled by storage */
};

struct stock_query {
    const struct writing *writing; /* without what has its row */
    int64_t now_us;
    int thin_after_days; /* 0 = never */
};

/* Inside a catalogue job. A handful of look-ups per stream and the rows of one day, of two when
 * there is thinning. */
int db_stock_load(struct db *db, const struct stock_query *q, struct stock **out, struct err *err);

/* What n days of bytes_per_day weigh when they are this old, with what thinning saves as far as
 * that is known. */
double stock_weight(const struct stock *s, int64_t bytes_per_day, double days, int thin_after_days);
/* How many days of all cameras weigh so much; < 0 when nothing is recorded. */
double stock_days(const struct stock *s, double bytes, int thin_after_days);
/* What is left of a day that is thinned, of 1; < 0 = not known. */
double stock_thinned_share(const struct stock *s);

/* Bytes of all segments on it. */
int db_stock_of_volume(struct db *db, int64_t volume, int64_t *out_bytes, struct err *err);

/* NULL when the camera never recorded. */
const struct stock_row *stock_find(const struct stock *s, const char *camera_id);

struct stock *stock_ref(struct stock *s);
void stock_unref(struct stock **s);

#endif
