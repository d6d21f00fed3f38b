/* The simulator's table of pictures, found by identity. Thread: const after reading. */
#ifndef BENCH_IDENTITY_H
#define BENCH_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

struct identity_entry {
    uint64_t identity;
    size_t place;
};

struct identity_table {
    uint64_t *at;                  /* by place in the loop */
    struct identity_entry *sorted; /* by identity */
    size_t n;
};

#define IDENTITY_MAX_UNITS 200000
#define IDENTITY_NONE      SIZE_MAX

/* 0, or < 0 when the file cannot be read or is empty. */
int identity_read(const char *path, struct identity_table *out);
void identity_free(struct identity_table *t);

/* The place of a picture in the loop. `expected` is tried first, so that pictures which look alike
 * count as the one that is due. IDENTITY_NONE: not of this loop. */
size_t identity_find(const struct identity_table *t, uint64_t identity, size_t expected);

#endif
