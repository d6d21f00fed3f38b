#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    size_t max = b->max;
    free(b->data);
    buf_init(b, max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_failed = false;
}

/* One byte more than asked is kept for buf_cstr. */
bool buf_reserve(struct buf *b, size_t n)
{
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    if (b->is_failed || n > max - b->len) {
        b->is_failed = true;
        return false;
    }
    if (b->cap && n < b->cap - b->len)
        return true;
    size_t cap = MAX(MAX(b->cap + b->cap / 2, b->len + n), 64) + 1;
    uint8_t *data = try_realloc(b->data, cap);
    if (!data) {
        b->is_failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->is_failed = true;
        return;
    }
    if ((size_t)n < sizeof small) {
        buf_append(b, small, (size_t)n);
        return;
    }
    if (!buf_reserve(b, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_append(b, &v, 1);
}

void buf_put_be16(struct buf *b, uint16_t v)
{
    uint8_t be[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    buf_append(b, be, sizeof be);
}

void buf_put_be24(struct buf *b, uint32_t v)
{
    uint8_t be[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_append(b, be, sizeof be);
}

void buf_put_be32(struct buf *b, uint32_t v)
{
    uint8_t be[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_append(b, be, sizeof be);
}

void buf_put_be64(struct buf *b, uint64_t v)
{
    buf_put_be32(b, (uint32_t)(v >> 32));
    buf_put_be32(b, (uint32_t)v);
}

void buf_set_be32(struct buf *b, size_t at, uint32_t v)
{
    if (b->is_failed)
        return;
    assert(at + 4 <= b->len);
    b->data[at] = (uint8_t)(v >> 24);
    b->data[at + 1] = (uint8_t)(v >> 16);
    b->data[at + 2] = (uint8_t)(v >> 8);
    b->data[at + 3] = (uint8_t)v;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *buf_cstr(struct buf *b)
{
    if (b->is_failed || !b->data)
        return "";
    b->data[b->len] = 0;
    return (const char *)b->data;
}

uint8_t *buf_steal(struct buf *b, size_t *out_len)
{
    uint8_t *data = b->len ? b->data : NULL;
    if (out_len)
        *out_len = b->len;
    if (!data)
        free(b->data);
    buf_init(b, b->max);
    return data;
}
