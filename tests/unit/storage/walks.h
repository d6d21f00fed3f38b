/* What the reader gives of the rig's camera "cam", as the numbers of its pictures. */
#ifndef TESTS_STORAGE_WALKS_H
#define TESTS_STORAGE_WALKS_H

#include "rig.h"

#include "media/reader.h"

#define NUMBERS_MAX 20000

/* The pictures that can be read, in order. */
struct numbers {
    int64_t list[NUMBERS_MAX];
    size_t n;
};

struct numbers numbers_from_to(int64_t from, int64_t to);
void numbers_append(struct numbers *all, int64_t from, int64_t to);

struct reader *open_reader(struct rig *rig);
int64_t number_of(const struct packet *pkt);
int64_t number_at(struct reader *r); /* of the picture it stands on */

/* From the picture it stands on, which is at `at`, to the end of the list, by = 1, or its
 * beginning, by = -1. */
typedef int step_fn(struct reader *r, struct err *err);
void walk(struct reader *r, const struct numbers *all, size_t at, step_fn *step, int by);

/* With reader_read from the beginning: these and no others. */
void read_all(struct reader *r, const struct numbers *all);

/* [reader I1] From everywhere, forward and back, these pictures and no others. */
void check_walks(struct rig *rig, const struct numbers *all);

/* Behind RIG_START_US. */
void expect_gap(struct reader *r, int64_t from_us, int64_t to_us, const char *cause);

#endif
