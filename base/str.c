#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_of(const char *cstr)
{
    return (struct span){cstr ? cstr : "", cstr ? strlen(cstr) : 0};
}

struct span span_trim(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool span_eq(struct span s, const char *cstr)
{
    return strlen(cstr) == s.n && memcmp(s.p, cstr, s.n) == 0;
}

bool span_ieq(struct span s, const char *cstr)
{
    return strlen(cstr) == s.n && strncasecmp(s.p, cstr, s.n) == 0;
}

bool span_istarts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && strncasecmp(s.p, prefix, n) == 0;
}

bool span_cut(struct span *s, char sep, struct span *head)
{
    if (s->n == 0)
        return false;
    const char *at = memchr(s->p, sep, s->n);
    size_t n = at ? (size_t)(at - s->p) : s->n;
    *head = (struct span){s->p, n};
    size_t skip = at ? n + 1 : n;
    s->p += skip;
    s->n -= skip;
    return true;
}

bool span_line(struct span *s, struct span *line)
{
    if (!span_cut(s, '\n', line))
        return false;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

bool span_u64(struct span s, uint64_t *out)
{
    s = span_trim(s);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (s.n == 0)
        return false;
    *out = v;
    return true;
}

bool span_i64(struct span s, int64_t *out)
{
    s = span_trim(s);
    bool is_negative = s.n > 0 && s.p[0] == '-';
    if (is_negative || (s.n > 0 && s.p[0] == '+')) {
        s.p++;
        s.n--;
    }
    uint64_t v = 0;
    if (s.n == 0 || is_blank(s.p[0]) || !span_u64(s, &v) ||
        v > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *out = is_negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool span_hex_u64(struct span s, uint64_t *out)
{
    s = span_trim(s);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_value(s.p[i]);
        if (digit < 0 || v >> 60)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    if (s.n == 0)
        return false;
    *out = v;
    return true;
}

bool span_double(struct span s, double *out)
{
    char text[64];
    s = span_trim(s);
    if (s.n == 0 || !span_copy(s, text, sizeof text))
        return false;
    /* No "inf", "nan" or hexadecimal. */
    if (strspn(text, "+-.0123456789eE") != s.n)
        return false;
    char *end = NULL;
    double v = strtod(text, &end);
    if (*end || end == text || !isfinite(v))
        return false;
    *out = v;
    return true;
}

bool span_copy(struct span s, char *dst, size_t cap)
{
    if (cap == 0)
        return false;
    size_t n = MIN(s.n, cap - 1);
    if (n > 0)
        memcpy(dst, s.p, n);
    dst[n] = 0;
    return n == s.n;
}

bool str_copy(char *dst, size_t cap, const char *src)
{
    return span_copy(span_of(src), dst, cap);
}

char *span_dup(struct span s)
{
    char *copy = xmalloc(s.n + 1);
    span_copy(s, copy, s.n + 1);
    return copy;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s);
    size_t n_suffix = strlen(suffix);
    return n >= n_suffix && memcmp(s + n - n_suffix, suffix, n_suffix) == 0;
}

bool str_is_id(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= 64 && s[n] == 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool str_is_utf8(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    for (size_t i = 0; i < n;) {
        uint8_t c = p[i++];
        if (c < 0x80)
            continue;
        size_t n_more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || n - i < n_more)
            return false;
        uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (p[i] < lo || p[i] > hi)
            return false;
        for (size_t k = 1; k < n_more; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
        }
        i += n_more;
    }
    return true;
}

void hex_encode(const void *src, size_t n, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        *dst++ = digits[p[i] >> 4];
        *dst++ = digits[p[i] & 15];
    }
    *dst = 0;
}

size_t base64_encode(const void *src, size_t n, char *dst, size_t cap)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = src;
    size_t n_out = (n + 2) / 3 * 4;
    if (cap == 0)
        return 0;
    if (n_out >= cap) {
        dst[0] = 0;
        return 0;
    }
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        v |= i + 2 < n ? p[i + 2] : 0;
        *dst++ = digits[v >> 18];
        *dst++ = digits[v >> 12 & 63];
        *dst++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *dst++ = i + 2 < n ? digits[v & 63] : '=';
    }
    *dst = 0;
    return n_out;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t base64_decode(struct span s, uint8_t *dst, size_t cap)
{
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n_out = 0;
    size_t n_digits = 0;
    size_t i = 0;
    for (; i < s.n && s.p[i] != '='; i++) {
        if (is_blank(s.p[i]))
            continue;
        int digit = base64_digit(s.p[i]);
        if (digit < 0)
            return -1;
        n_digits++;
        bits = bits << 6 | (unsigned)digit;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        if (n_out == cap)
            return -1;
        n_bits -= 8;
        dst[n_out++] = (uint8_t)(bits >> n_bits);
    }
    for (; i < s.n; i++) {
        if (s.p[i] != '=' && !is_blank(s.p[i]))
            return -1;
    }
    return n_digits % 4 == 1 ? -1 : (int64_t)n_out;
}

bool secret_eq(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= (uint8_t)(x[i] ^ y[i]);
    return differ == 0;
}
