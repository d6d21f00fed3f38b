#include "identity.h"

#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"

static int compare(const void *a, const void *b)
{
    const struct identity_entry *x = a;
    const struct identity_entry *y = b;
    return x->identity < y->identity ? -1 : x->identity > y->identity;
}

int identity_read(const char *path, struct identity_table *out)
{
    FILE *f = fopen(path, "r");
    size_t place;
    if (!f)
        return -errno;
    out->at = xmalloc(IDENTITY_MAX_UNITS * sizeof *out->at);
    out->n = 0;
    while (out->n < IDENTITY_MAX_UNITS &&
           fscanf(f, "%zu %" SCNx64 " %*u %*d", &place, &out->at[out->n]) == 2)
        out->n++;
    fclose(f);
    out->sorted = xcalloc(out->n + 1, sizeof *out->sorted);
    for (size_t i = 0; i < out->n; i++)
        out->sorted[i] = (struct identity_entry){out->at[i], i};
    qsort(out->sorted, out->n, sizeof *out->sorted, compare);
    return out->n > 0 ? 0 : ERR_PARSE;
}

void identity_free(struct identity_table *t)
{
    FREE(&t->at);
    FREE(&t->sorted);
}

size_t identity_find(const struct identity_table *t, uint64_t identity, size_t expected)
{
    if (expected < t->n && t->at[expected] == identity)
        return expected;
    struct identity_entry key = {.identity = identity};
    const struct identity_entry *e = bsearch(&key, t->sorted, t->n, sizeof *t->sorted, compare);
    return e ? e->place : IDENTITY_NONE;
}
