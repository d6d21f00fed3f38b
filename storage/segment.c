#include "storage/segment.h"

#include <errno.h>

#include "base/clock.h"
#include "base/str.h"

static const char *const stream_names[] = {[STREAM_MAIN] = "main", [STREAM_SUB] = "sub"};

const char *stream_kind_name(enum stream_kind kind)
{
    return stream_names[kind];
}

int stream_kind_parse(const char *name, enum stream_kind *out)
{
    for (size_t i = 0; i < ARRAY_LEN(stream_names); i++) {
        if (strcmp(name, stream_names[i]) == 0) {
            *out = (enum stream_kind)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

char *segment_path(const struct segment_id *id, char *dst)
{
    struct civil c = civil_of(id->from_us);
    snprintf(dst, SEGMENT_PATH_BYTES, "%s/%s/%04d/%02d/%02d/%02d%02d%02d.%03d-%lld.mp4",
             id->camera_id, stream_kind_name(id->stream), c.year, c.month, c.day, c.hour, c.minute,
             c.second, c.us / 1000, (long long)id->n);
    return dst;
}

int segment_path_parse(const char *path, struct segment_id *out)
{
    char stream[8], again[SEGMENT_PATH_BYTES];
    struct civil c = {0};
    int ms = 0;
    long long n = 0;
    *out = (struct segment_id){0};
    if (sscanf(path, "%64[A-Za-z0-9_-]/%7[a-z]/%4d/%2d/%2d/%2d%2d%2d.%3d-%lld.mp4", out->camera_id,
               stream, &c.year, &c.month, &c.day, &c.hour, &c.minute, &c.second, &ms, &n) != 10 ||
        stream_kind_parse(stream, &out->stream) < 0)
        return ERR_PARSE;
    c.us = ms * 1000;
    out->from_us = civil_to_us(&c);
    out->n = n;
    /* only what we would have written ourselves */
    return strcmp(segment_path(out, again), path) == 0 ? 0 : ERR_PARSE;
}

/* --- our own boxes: uuid (ISO/IEC 14496-12 4.2), skipped by every other reader --- */

static const uint8_t loss_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                      'l', 'o', 's', 's', '.', 'v', '1', 0};
static const uint8_t end_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                     'e', 'n', 'd', '.', 'v', '1', 0,   0};
static const uint8_t holes_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                       'h', 'o', 'l', 'e', 's', '.', 'v', '1'};
static const uint8_t chain_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                       'c', 'h', 'a', 'i', 'n', '.', 'v', '1'};
static const uint8_t hash_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                      'h', 'a', 's', 'h', '.', 'v', '1', 0};
static const uint8_t link_uuid[16] = {'r', 'o', 'o', 'k', 'e', 'r', 'y', '.',
                                      'l', 'i', 'n', 'k', '.', 'v', '1', 0};
enum { UUID_HEADER_BYTES = 24, LOSS_BYTES = UUID_HEADER_BYTES + 4 };
enum { END_BYTES = UUID_HEADER_BYTES + 4 + 4 * 8 };
enum { CHAIN_BOX_BYTES = UUID_HEADER_BYTES + CHAIN_KEY_ID_BYTES + CHAIN_BYTES };
enum { LINK_BYTES = UUID_HEADER_BYTES + CHAIN_BYTES };
enum { END_IS_THINNED = 1 }; /* flags */
enum { HOLE_BYTES = 2 * 8 };
enum { HOLES_MAX_BYTES = UUID_HEADER_BYTES + SEGMENT_HOLES_MAX * HOLE_BYTES };

static void put_uuid(struct buf *b, uint32_t size, const uint8_t uuid[16])
{
    buf_put_be32(b, size);
    buf_put_be32(b, FMP4_TYPE('u', 'u', 'i', 'd'));
    buf_append(b, uuid, 16);
}

static bool is_uuid(const uint8_t *p, size_t n, uint32_t size, const uint8_t uuid[16])
{
    return n >= size && get_be32(p) == size && get_be32(p + 4) == FMP4_TYPE('u', 'u', 'i', 'd') &&
           memcmp(p + 8, uuid, 16) == 0;
}

void segment_write_loss(uint32_t lost_packets, struct buf *out)
{
    put_uuid(out, LOSS_BYTES, loss_uuid);
    buf_put_be32(out, lost_packets);
}

void segment_write_chain(const struct chain_key *key, const struct chain_value *before,
                         struct buf *out)
{
    put_uuid(out, CHAIN_BOX_BYTES, chain_uuid);
    buf_append(out, key->id, sizeof key->id);
    buf_append(out, before->bytes, CHAIN_BYTES);
}

void segment_write_hash(struct buf *out)
{
    static const uint8_t none[CHAIN_BYTES];
    put_uuid(out, SEGMENT_HASH_BYTES, hash_uuid);
    buf_append(out, none, sizeof none);
}

void segment_set_hash(struct buf *out, size_t at, const struct chain_value *value)
{
    memcpy(out->data + at + UUID_HEADER_BYTES, value->bytes, CHAIN_BYTES);
}

void segment_chain_begin(const struct chain_key *key, const struct segment_id *id,
                         const struct chain_value *before, const void *init, size_t n,
                         struct chain_value *out)
{
    char name[SEGMENT_PATH_BYTES];
    segment_path(id, name);
    const struct iovec pieces[] = {{name, strlen(name)}, {(void *)init, n}};
    chain_extend(key, before, pieces, ARRAY_LEN(pieces), out);
}

static int write_end(const struct segment_end *end, const struct fmp4_seek_entry *seeks,
                     size_t n_seeks, struct buf *out)
{
    uint16_t n_holes = (uint16_t)end->holes.n;
    if (n_holes > 0)
        put_uuid(out, UUID_HEADER_BYTES + n_holes * HOLE_BYTES, holes_uuid);
    for (size_t i = 0; i < n_holes; i++) {
        buf_put_be64(out, (uint64_t)end->holes.list[i].from_us);
        buf_put_be64(out, (uint64_t)end->holes.list[i].to_us);
    }
    put_uuid(out, END_BYTES, end_uuid);
    buf_put_u8(out, (uint8_t)end->began);
    buf_put_u8(out, (uint8_t)end->ended);
    buf_put_u8(out, end->is_thinned ? END_IS_THINNED : 0);
    buf_put_u8(out, (uint8_t)n_holes);
    buf_put_be64(out, (uint64_t)end->from_us);
    buf_put_be64(out, (uint64_t)end->to_us);
    buf_put_be64(out, end->frames);
    buf_put_be64(out, end->lost_packets);
    return fmp4_write_mfra(seeks, n_seeks, out);
}

int segment_write_end(const struct segment_end *end, const struct fmp4_seek_entry *seeks,
                      size_t n_seeks, const struct chain_key *key, const struct chain_value *value,
                      struct chain_value *out_link, struct buf *out)
{
    if (value == NULL)
        return write_end(end, seeks, n_seeks, out);
    static const uint8_t none[CHAIN_BYTES];
    size_t link_at = out->len + UUID_HEADER_BYTES, rest_at = out->len + LINK_BYTES;
    put_uuid(out, LINK_BYTES, link_uuid);
    buf_append(out, none, sizeof none);
    int rc = write_end(end, seeks, n_seeks, out);
    if (rc < 0)
        return rc;
    const struct iovec rest = {out->data + rest_at, out->len - rest_at};
    chain_extend(key, value, &rest, 1, out_link);
    memcpy(out->data + link_at, out_link->bytes, CHAIN_BYTES);
    return 0;
}

/* n bytes stand in front of the end box; returns how many of them are the holes'. */
static size_t read_holes(const uint8_t *p, size_t n, size_t n_holes, struct segment_holes *out)
{
    size_t size = UUID_HEADER_BYTES + n_holes * HOLE_BYTES;
    if (n_holes == 0 || n_holes > SEGMENT_HOLES_MAX || n < size ||
        !is_uuid(p + n - size, size, (uint32_t)size, holes_uuid))
        return 0;
    p += n - size + UUID_HEADER_BYTES;
    for (size_t i = 0; i < n_holes; i++, p += HOLE_BYTES)
        out->list[i] = (struct segment_hole){(int64_t)get_be64(p), (int64_t)get_be64(p + 8)};
    out->n = n_holes;
    return size;
}

static void read_end_box(const uint8_t *tail, size_t at, struct segment_end *out)
{
    const uint8_t *p = tail + at + UUID_HEADER_BYTES;
    *out = (struct segment_end){.began = (enum segment_edge)p[0],
                                .ended = (enum segment_edge)p[1],
                                .is_thinned = (p[2] & END_IS_THINNED) != 0,
                                .from_us = (int64_t)get_be64(p + 4),
                                .to_us = (int64_t)get_be64(p + 12),
                                .frames = get_be64(p + 20),
                                .lost_packets = get_be64(p + 28)};
    at -= read_holes(tail, at, p[3], &out->holes);
    if (at >= LINK_BYTES && is_uuid(tail + at - LINK_BYTES, LINK_BYTES, LINK_BYTES, link_uuid)) {
        out->has_link = true;
        memcpy(out->link.bytes, tail + at - CHAIN_BYTES, CHAIN_BYTES);
    }
}

int segment_read_end(int fd, uint64_t file_bytes, struct segment_end *out,
                     struct fmp4_seek_entry **seeks, size_t *n_seeks, struct err *err)
{
    struct fmp4_seek_entry *list = NULL;
    size_t n_list = 0, mfra_bytes = 0, n = (size_t)MIN(file_bytes, 16384);
    uint8_t *tail = NULL;
    int rc;
    for (;;) {
        tail = xrealloc(tail, MAX(n, 1));
        if (pread(fd, tail, n, (off_t)(file_bytes - n)) != (ssize_t)n) {
            rc = err_set(err, -EIO, "read the end of a segment");
            break;
        }
        size_t need = 0;
        rc = fmp4_read_mfra(tail, n, &list, &n_list, &mfra_bytes, &need);
        need += END_BYTES;
        if (rc != 0 || need <= n || need > file_bytes)
            break;
        n = (size_t)MIN(need + HOLES_MAX_BYTES + LINK_BYTES, file_bytes);
    }
    bool has_end = rc == 1 && n >= mfra_bytes + END_BYTES &&
                   is_uuid(tail + n - mfra_bytes - END_BYTES, END_BYTES, END_BYTES, end_uuid);
    if (has_end && out != NULL)
        read_end_box(tail, n - mfra_bytes - END_BYTES, out);
    if (has_end && seeks != NULL) {
        *seeks = list;
        *n_seeks = n_list;
        list = NULL;
    }
    free(list);
    free(tail);
    return rc < 0 && rc != ERR_NOT_FOUND ? rc : has_end;
}

/* --- the reader --- */

enum { WINDOW_BYTES = 4096 };

/* At least `want` bytes at `at` into the window, fewer at the limit; bytes there, or < 0. */
static ssize_t fill(struct segment_reader *r, uint64_t at, size_t want)
{
    uint64_t left = at < r->limit ? r->limit - at : 0;
    size_t n = (size_t)MIN(MAX(want, WINDOW_BYTES), left);
    if (n > r->window_bytes) {
        uint8_t *window = try_realloc(r->window, n);
        if (window == NULL)
            return -ENOMEM;
        r->window = window;
        r->window_bytes = n;
    }
    ssize_t got = n > 0 ? pread(r->fd, r->window, n, (off_t)at) : 0;
    return got < 0 ? -errno : got;
}

int segment_reader_init(struct segment_reader *r, int fd, uint64_t limit, struct err *err)
{
    *r = (struct segment_reader){.fd = fd, .limit = limit};
    size_t size = 0;
    ssize_t n = fill(r, 0, 65536); /* parameter sets may take 16 KiB each */
    if (n < 0)
        return err_set(err, (int)n, "read segment");
    int rc = fmp4_read_init(r->window, (size_t)n, &r->init, &size, err);
    if (rc == 0 && r->init.video == NULL) {
        rc = err_set(err, ERR_PARSE, "segment without video");
    }
    r->init_size = r->next_at = size;
    if (rc < 0)
        return rc;
    const uint8_t *p = r->window + size;
    if (is_uuid(p, (size_t)n - size, CHAIN_BOX_BYTES, chain_uuid)) {
        r->has_chain = true;
        memcpy(r->key_id, p + UUID_HEADER_BYTES, sizeof r->key_id);
        memcpy(r->before.bytes, p + CHAIN_BOX_BYTES - CHAIN_BYTES, CHAIN_BYTES);
        r->next_at += CHAIN_BOX_BYTES;
    }
    return 0;
}

void segment_reader_fini(struct segment_reader *r)
{
    fmp4_init_fini(&r->init);
    fmp4_read_fragment_fini(&r->fragment);
    FREE(&r->window);
}

void segment_reader_seek(struct segment_reader *r, uint64_t moof_offset)
{
    /* our own files have the 32 bytes of a prft in front, foreign ones may not */
    const uint32_t prft_bytes = 32;
    uint64_t at = moof_offset > prft_bytes ? moof_offset - prft_bytes : 0;
    uint8_t head[8];
    r->next_at = moof_offset;
    if (pread(r->fd, head, sizeof head, (off_t)at) == (ssize_t)sizeof head &&
        get_be32(head) == prft_bytes && get_be32(head + 4) == FMP4_TYPE('p', 'r', 'f', 't'))
        r->next_at = at;
}

/* What stands in front of prft. */
static void read_front(struct segment_reader *r, size_t n)
{
    const uint8_t *p = r->window;
    r->has_hash = is_uuid(p, n, SEGMENT_HASH_BYTES, hash_uuid);
    r->hash_bytes = r->has_hash ? SEGMENT_HASH_BYTES : 0;
    if (r->has_hash)
        memcpy(r->hash.bytes, p + UUID_HEADER_BYTES, CHAIN_BYTES);
    p += r->hash_bytes;
    bool has_loss = is_uuid(p, n - r->hash_bytes, LOSS_BYTES, loss_uuid);
    r->lost_packets = has_loss ? get_be32(p + UUID_HEADER_BYTES) : 0;
}

int segment_reader_next(struct segment_reader *r, struct err *err)
{
    size_t need = WINDOW_BYTES;
    for (;;) {
        ssize_t n = fill(r, r->next_at, need);
        if (n < 0)
            return err_set(err, (int)n, "read segment at %llu", (unsigned long long)r->next_at);
        int rc = fmp4_read_fragment(r->window, (size_t)n, &r->fragment, &need, NULL);
        if (rc == 0 && r->next_at + (uint64_t)n < r->limit && need > (size_t)n)
            continue;
        if (rc != 1 || r->fragment.size > r->limit - r->next_at)
            return 0; /* end, or a tail that was never finished */
        read_front(r, (size_t)n);
        r->fragment_at = r->next_at;
        r->next_at += r->fragment.size;
        return 1;
    }
}
