#include "server/csv.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int convert(const char *from, const char *text, size_t n, struct buf *out)
{
    iconv_t cd = iconv_open("UTF-8", from);
    if (cd == (iconv_t)-1)
        return ERR_UNSUPPORTED;
    char *in = (char *)text;
    size_t in_left = n, rc = 0;
    do {
        if (!buf_reserve(out, 4096)) {
            iconv_close(cd);
            return ERR_TOO_BIG;
        }
        char *dst = (char *)out->data + out->len;
        size_t room = 4096;
        rc = iconv(cd, &in, &in_left, &dst, &room);
        out->len = (size_t)(dst - (char *)out->data);
    } while (rc == (size_t)-1 && errno == E2BIG);
    iconv_close(cd);
    return rc == (size_t)-1 ? ERR_PARSE : 0;
}

int csv_decode(const void *text, size_t n, struct buf *out, struct err *err)
{
    const char *p = text;
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        p += 3;
        n -= 3;
    }
    if (memchr(p, '\0', n) != NULL)
        return err_say(err, ERR_PARSE, "csv_binary",
                       "this is no text: save the sheet as CSV (UTF-8)");
    if (str_is_utf8(p, n)) {
        buf_append(out, p, n);
        return 0;
    }
    buf_clear(out);
    if (convert("GB18030", p, n, out) < 0)
        return err_say(err, ERR_PARSE, "csv_encoding",
                       "the text is neither UTF-8 nor GBK: save the sheet as CSV (UTF-8)");
    return 0;
}

void csv_init(struct csv *c, const char *text, size_t n)
{
    if (n == 0) /* an empty buffer has no bytes to point at */
        text = "";
    *c = (struct csv){.p = text, .end = text + n, .line = 1, .scratch = xmalloc(n + 2)};
}

void csv_fini(struct csv *c)
{
    FREE(&c->scratch);
}

/* The field at c->p into dst; leaves c->p at the separator. Returns bytes, or ERR_PARSE. */
static int64_t read_quoted(struct csv *c, char *dst)
{
    char *start = dst;
    c->p++;
    for (;;) {
        if (c->p == c->end)
            return ERR_PARSE;
        if (*c->p == '"') {
            c->p++;
            if (c->p == c->end || *c->p != '"')
                break;
        }
        if (*c->p == '\n')
            c->line++;
        *dst++ = *c->p++;
    }
    while (c->p < c->end && *c->p != ',' && *c->p != '\n') /* what follows the closing quote */
        *dst++ = *c->p++;
    return dst - start;
}

static int64_t read_plain(struct csv *c, char *dst)
{
    char *start = dst;
    while (c->p < c->end && *c->p != ',' && *c->p != '\n')
        *dst++ = *c->p++;
    return dst - start;
}

static void skip_empty_lines(struct csv *c)
{
    while (c->p < c->end && (*c->p == '\n' || *c->p == '\r')) {
        if (*c->p == '\n')
            c->line++;
        c->p++;
    }
}

int csv_next(struct csv *c, struct csv_record *out, struct err *err)
{
    *out = (struct csv_record){0};
    skip_empty_lines(c);
    if (c->p == c->end)
        return 0;
    out->line = c->line;
    char *dst = c->scratch;
    for (;;) {
        if (out->n_fields == CSV_MAX_FIELDS) {
            c->p = c->end;
            return err_say(err, ERR_TOO_BIG, "csv_fields", "a line has more than %d fields",
                           CSV_MAX_FIELDS);
        }
        while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
            c->p++;
        int64_t n = c->p < c->end && *c->p == '"' ? read_quoted(c, dst) : read_plain(c, dst);
        if (n < 0) {
            c->p = c->end;
            return err_say(err, ERR_PARSE, "csv_quote", "a quote opened here is never closed");
        }
        struct span field = span_trim((struct span){dst, (size_t)n});
        memmove(dst, field.p, field.n);
        dst[field.n] = '\0';
        out->fields[out->n_fields++] = dst;
        dst += field.n + 1;
        if (c->p == c->end)
            return 1;
        if (*c->p++ == '\n') {
            c->line++;
            return 1;
        }
    }
}
