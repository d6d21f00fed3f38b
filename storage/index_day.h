/* One day of one stream: its files on every volume beside its rows. What `rookery index` does, it
 * does in these pieces, several at once.
 *
 * Thread: a pool's, blocks; the piece belongs to its worker, then to who takes the result. */
#ifndef STORAGE_INDEX_DAY_H
#define STORAGE_INDEX_DAY_H

#include "storage/db_segments.h"
#include "storage/storage.h"

struct index_problem {
    char *path, *what;
};

struct index_day {
    /* asked */
    struct storage *storage;
    char camera_id[65];
    enum stream_kind stream;
    int64_t from_us; /* 00:00 UTC */
    bool is_deep, is_rebuild;

    /* found */
    struct index_report report;
    struct index_problem *problems;
    size_t n_problems;
    struct segment_row *rows; /* rebuild: what the files say */
    size_t n_rows;
    int rc;
    struct err err;
};

struct index_day *index_day_create(struct storage *s, const char *camera_id,
                                   enum stream_kind stream, int64_t from_us);
void index_day_destroy(struct index_day **day);

/* "<camera>/<stream>/YYYY/MM/DD" */
void index_day_path(const struct index_day *day, char dst[SEGMENT_PATH_BYTES]);

/* Compares files and rows. Beside a server that records: what seems wrong is looked at again, since
 * it may have been settled or deleted in between. */
void index_day_check(struct index_day *day);

/* Learns the rows from the files alone; files that are torn are mended, those without a whole
 * fragment removed. Writes nothing into the catalogue. */
void index_day_read(struct index_day *day);

#endif
