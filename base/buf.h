/* A growable run of bytes with an upper bound. Thread: belongs to one owner.
 * A buffer that hits its bound or runs out of memory keeps what it has and sets `is_failed`;
 * further appends do nothing, so a sequence of appends is checked once at its end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* not NUL-terminated; see buf_cstr */
    size_t len;
    size_t cap;
    size_t max; /* bytes; 0 = BUF_MAX_DEFAULT */
    bool is_failed;
};

#define BUF_MAX_DEFAULT (64u << 20)

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* also leaves it usable again with the same bound */
void buf_clear(struct buf *b);

/* Room for n more bytes at data + len; false when the bound forbids it. */
bool buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_be16(struct buf *b, uint16_t v);
void buf_put_be24(struct buf *b, uint32_t v);
void buf_put_be32(struct buf *b, uint32_t v);
void buf_put_be64(struct buf *b, uint64_t v);

/* Overwrites 4 bytes at offset `at`, which must exist. */
void buf_set_be32(struct buf *b, size_t at, uint32_t v);

/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* The content with a NUL behind it (not counted in len); "" when empty or failed. */
const char *buf_cstr(struct buf *b);

/* Hands the allocation over (NULL when empty); the caller frees it. */
uint8_t *buf_steal(struct buf *b, size_t *out_len);

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t get_be24(const uint8_t *p)
{
    return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}
static inline uint32_t get_be32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline uint64_t get_be64(const uint8_t *p)
{
    return ((uint64_t)get_be32(p) << 32) | get_be32(p + 4);
}

#endif
