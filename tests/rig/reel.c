#include "reel.h"

#include <errno.h>
#include <inttypes.h>

struct reel *reel_create(struct format *format)
{
    struct reel *r = xcalloc(1, sizeof *r);
    r->format = format_ref(format);
    return r;
}

void reel_destroy(struct reel **rp)
{
    struct reel *r = *rp;
    if (!r)
        return;
    for (size_t i = 0; i < r->n_units; i++)
        unit_destroy(&r->units[i]);
    free(r->units);
    format_unref(&r->format);
    FREE(rp);
}

int reel_append(struct reel *r, const struct packet *pkt)
{
    if (r->n_units >= REEL_MAX_UNITS)
        return ERR_TOO_BIG;
    if (r->n_units == r->cap_units) {
        r->cap_units = r->cap_units ? r->cap_units * 2 : 512;
        r->units = xrealloc(r->units, r->cap_units * sizeof(struct unit *));
    }
    struct unit *unit;
    int rc = unit_create(pkt, &unit);
    if (rc < 0)
        return rc;
    r->units[r->n_units++] = unit;
    return 0;
}

int reel_finish(struct reel *r, struct err *err)
{
    if (r->n_units < 2)
        return err_text(err, ERR_INVALID, "fewer than two pictures");
    int64_t first = r->units[0]->dts;
    for (size_t i = 0; i < r->n_units; i++) {
        r->units[i]->dts -= first;
        r->units[i]->pts -= first;
    }
    int64_t span = r->units[r->n_units - 1]->dts;
    if (span <= 0)
        return err_text(err, ERR_INVALID, "its times do not advance");
    int64_t gaps = (int64_t)r->n_units - 1;
    r->duration = span + (span + gaps / 2) / gaps;
    return 0;
}

size_t reel_find(const struct reel *r, int64_t ticks)
{
    size_t lo = 0;
    size_t hi = r->n_units;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->units[mid]->dts < ticks)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void reel_print_identity(const struct reel *r, struct buf *out)
{
    for (size_t i = 0; i < r->n_units; i++) {
        const struct unit *u = r->units[i];
        buf_printf(out, "%zu %016" PRIx64 " %zu %d\n", i, u->identity, u->size, u->is_key);
    }
}

int reel_write_identity(const struct reel *r, const char *path, struct err *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return err_set(err, -errno, "create %s", path);
    struct buf text;
    buf_init(&text, 0);
    reel_print_identity(r, &text);
    fwrite(text.data, 1, text.len, f);
    buf_fini(&text);
    if (fclose(f) != 0)
        return err_set(err, -errno, "write %s", path);
    return 0;
}
