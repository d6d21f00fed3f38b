#include <errno.h>

#include "base/clock.h"
#include "delivery/clip_priv.h"

#define WRITE_STEP (1u << 20)

void clip_free(struct clip **c)
{
    struct clip *clip = *c;
    *c = NULL;
    if (!clip)
        return;
    for (size_t i = 0; i < clip->n_maps; i++)
        sample_map_free(&clip->maps[i]);
    free(clip->maps);
    free(clip->extents);
    free(clip->gaps);
    buf_fini(&clip->header);
    free(clip);
}

uint64_t clip_size(const struct clip *c)
{
    return c->size;
}

const struct clip_gap *clip_gaps(const struct clip *c, size_t *out_n)
{
    *out_n = c->n_gaps;
    return c->gaps;
}

void clip_bounds(const struct clip *c, int64_t *out_from_us, int64_t *out_to_us)
{
    *out_from_us = c->from_us;
    *out_to_us = c->to_us;
}

uint64_t clip_n_pictures(const struct clip *c)
{
    return c->n_pictures;
}

void clip_print_gaps(const struct clip *c, struct buf *out)
{
    for (size_t i = 0; i < c->n_gaps; i++) {
        char from[CLOCK_RFC3339_BYTES], to[CLOCK_RFC3339_BYTES];
        buf_printf(out, "%s%s/%s;%s", i > 0 ? ", " : "", rfc3339_print(c->gaps[i].from_us, from),
                   rfc3339_print(c->gaps[i].to_us, to), c->gaps[i].cause);
    }
}

/* The extent that holds the byte; it exists. */
static const struct clip_extent *find_extent(const struct clip *c, uint64_t at)
{
    size_t low = 0, high = c->n_extents;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (c->extents[mid].clip_at <= at)
            low = mid;
        else
            high = mid;
    }
    return &c->extents[low];
}

/* Reads at most to the end of one extent; > 0 bytes, or < 0. */
static ssize_t read_piece(const struct clip *c, uint64_t offset, uint8_t *dst, size_t n,
                          struct err *err)
{
    if (offset < c->header.len) {
        n = MIN(n, c->header.len - (size_t)offset);
        memcpy(dst, c->header.data + offset, n);
        return (ssize_t)n;
    }
    const struct clip_extent *e = find_extent(c, offset);
    uint64_t skip = offset - e->clip_at;
    n = (size_t)MIN(n, e->size - skip);
    ssize_t got;
    do {
        got = pread(e->fd, dst, n, (off_t)(e->offset + skip));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set(err, -errno, "read recording");
    if (got == 0)
        return err_set(err, ERR_EOF, "a recording ended before its index says");
    return got;
}

ssize_t clip_read(const struct clip *c, uint64_t offset, uint8_t *dst, size_t n, struct err *err)
{
    size_t done = 0;
    if (offset < c->size)
        n = (size_t)MIN(n, c->size - offset);
    else
        n = 0;
    while (done < n) {
        ssize_t got = read_piece(c, offset + done, dst + done, n - done, err);
        if (got < 0)
            return got;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static int write_all(int fd, const uint8_t *p, size_t n, struct err *err)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set(err, -errno, "write clip");
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

int clip_write(const struct clip *c, int fd, bool (*progress)(void *ctx, uint64_t done), void *ctx,
               struct err *err)
{
    uint8_t *step = xmalloc(WRITE_STEP);
    uint64_t done = 0;
    int rc = 0;
    while (done < c->size) {
        ssize_t n = clip_read(c, done, step, WRITE_STEP, err);
        rc = n < 0 ? (int)n : write_all(fd, step, (size_t)n, err);
        if (rc < 0)
            break;
        done += (uint64_t)n;
        if (progress && !progress(ctx, done)) {
            rc = err_text(err, -ECANCELED, "the export was cancelled");
            break;
        }
    }
    free(step);
    return rc;
}
