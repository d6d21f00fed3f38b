#include "storage/chain_read.h"

#include <errno.h>

#include "base/clock.h"

enum { FRAGMENT_MAX_BYTES = 64 << 20, NAME_MAX_INIT_BYTES = 1 << 20 };

static int read_all(int fd, uint8_t *dst, size_t n, uint64_t at, struct err *err)
{
    while (n > 0) {
        ssize_t got = pread(fd, dst, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_set(err, got < 0 ? -errno : ERR_PARSE, "read at %llu",
                           (unsigned long long)at);
        dst += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return 0;
}

/* The boxes in one piece, then every picture and piece of sound in the order of the file. */
static int cut_pieces(const struct fmp4_read_fragment *f, uint8_t *bytes, uint64_t skipped,
                      struct iovec *pieces)
{
    uint64_t at = f->n_samples > 0 ? f->samples[0].offset : f->size;
    if (at < skipped)
        return ERR_PARSE;
    pieces[0] = (struct iovec){bytes, (size_t)(at - skipped)};
    for (size_t i = 0; i < f->n_samples; i++) {
        const struct fmp4_read_sample *s = &f->samples[i];
        if (s->offset != at)
            return ERR_PARSE;
        pieces[1 + i] = (struct iovec){bytes + (at - skipped), s->size};
        at += s->size;
    }
    return at == f->size ? 0 : ERR_PARSE;
}

int chain_read_fragment(struct segment_reader *r, const struct chain_key *key,
                        const struct chain_value *before, struct chain_value *out, struct err *err)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    if (f->size > FRAGMENT_MAX_BYTES || f->size < r->hash_bytes)
        return err_text(err, ERR_PARSE, "a fragment of %llu bytes", (unsigned long long)f->size);
    size_t n = (size_t)f->size - r->hash_bytes;
    uint8_t *bytes = try_malloc(MAX(n, 1));
    struct iovec *pieces = try_malloc((1 + f->n_samples) * sizeof *pieces);
    int rc = -ENOMEM;
    if (bytes != NULL && pieces != NULL)
        rc = read_all(r->fd, bytes, n, r->fragment_at + r->hash_bytes, err);
    else
        err_set(err, rc, "read a fragment");
    if (rc == 0 && cut_pieces(f, bytes, r->hash_bytes, pieces) < 0)
        rc = err_text(err, ERR_PARSE, "pictures do not stand where the boxes say");
    if (rc == 0)
        chain_extend(key, before, pieces, 1 + f->n_samples, out);
    free(pieces);
    free(bytes);
    return rc;
}

int chain_read_begin(struct segment_reader *r, const struct chain_key *key,
                     const struct segment_id *id, struct chain_value *out, struct err *err)
{
    if (r->init_size > NAME_MAX_INIT_BYTES)
        return err_text(err, ERR_PARSE, "an init of %llu bytes", (unsigned long long)r->init_size);
    uint8_t *init = xmalloc((size_t)r->init_size);
    int rc = read_all(r->fd, init, (size_t)r->init_size, 0, err);
    if (rc == 0)
        segment_chain_begin(key, id, &r->before, init, (size_t)r->init_size, out);
    free(init);
    return rc;
}

/* --- a whole file --- */

static int broken(struct chain_file *out, struct err *err, const char *what, int64_t wall_us)
{
    char when[CLOCK_RFC3339_BYTES];
    out->verdict = CHAIN_BROKEN;
    err_text(err, ERR_PARSE, "%s at %s was changed after it was written", what,
             rfc3339_print(wall_us, when));
    return 0;
}

/* What stands behind the last fragment, against the link that stands there too. */
static int check_end(const struct segment_reader *r, const struct chain_key *key,
                     const struct chain_value *value, int64_t wall_us, struct chain_file *out,
                     struct err *err)
{
    struct chain_value link;
    uint64_t link_bytes = SEGMENT_HASH_BYTES;       /* boxes of the same size */
    if (!out->has_link && r->next_at == r->limit) { /* there was no room for an end */
        out->has_link = true;
        out->link = *value;
        return 0;
    }
    if (!out->has_link || r->limit - r->next_at < link_bytes ||
        r->limit - r->next_at > FRAGMENT_MAX_BYTES)
        return broken(out, err, "the end of the segment", wall_us);
    size_t n = (size_t)(r->limit - r->next_at - link_bytes);
    uint8_t *rest = xmalloc(MAX(n, 1));
    int rc = read_all(r->fd, rest, n, r->next_at + link_bytes, err);
    if (rc == 0)
        chain_extend(key, value, &(struct iovec){rest, n}, 1, &link);
    free(rest);
    if (rc == 0 && !chain_is_equal(&link, &out->link))
        return broken(out, err, "the end of the segment", wall_us);
    return rc;
}

static int check_fragments(struct segment_reader *r, const struct chain_key *key,
                           const struct segment_id *id, struct chain_file *out, struct err *err)
{
    struct chain_value value;
    int64_t wall_us = id->from_us;
    int rc = chain_read_begin(r, key, id, &value, err);
    while (rc >= 0 && (rc = segment_reader_next(r, err)) == 1) {
        wall_us = r->fragment.wall_us;
        rc = chain_read_fragment(r, key, &value, &value, err);
        if (rc == ERR_PARSE || (rc == 0 && (!r->has_hash || !chain_is_equal(&value, &r->hash))))
            return broken(out, err, "the recording", wall_us);
    }
    return rc < 0 ? rc : check_end(r, key, &value, wall_us, out, err);
}

int chain_check_file(int fd, uint64_t bytes, const struct chain_key *key,
                     const struct segment_id *id, struct chain_file *out, struct err *err)
{
    struct segment_reader r;
    struct segment_end end = {0};
    *out = (struct chain_file){.verdict = CHAIN_NONE};
    int rc = segment_read_end(fd, bytes, &end, NULL, NULL, err);
    out->has_link = end.has_link;
    out->link = end.link;
    int init_rc = segment_reader_init(&r, fd, bytes, err);
    if (rc >= 0)
        rc = init_rc;
    out->before = r.before;
    if (rc >= 0 && !r.has_chain && !end.has_link)
        out->verdict = CHAIN_NONE;
    else if (rc >= 0 && r.has_chain && memcmp(r.key_id, key->id, sizeof key->id) != 0)
        out->verdict = CHAIN_FOREIGN;
    else if (rc >= 0 && !r.has_chain)
        rc = broken(out, err, "the beginning of the segment", id->from_us);
    else if (rc >= 0) {
        out->verdict = CHAIN_WHOLE;
        rc = check_fragments(&r, key, id, out, err);
    }
    segment_reader_fini(&r);
    return rc < 0 ? rc : 0;
}
