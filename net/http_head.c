#include "net/http_head.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const char *const method_names[] = {
    [HTTP_OTHER] = "OTHER",   [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",
    [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH",
    [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method m)
{
    return method_names[m];
}

int http_head_find_end(const uint8_t *data, size_t len, size_t *scanned)
{
    size_t limit = MIN(len, (size_t)HTTP_HEADER_MAX_BYTES);
    size_t begin = 0;
    while (begin < limit && (data[begin] == '\r' || data[begin] == '\n'))
        begin++;
    for (size_t i = MAX(*scanned, begin + 1); i < limit; i++) {
        if (data[i] != '\n')
            continue;
        if (data[i - 1] == '\n' || (i > begin + 1 && data[i - 1] == '\r' && data[i - 2] == '\n'))
            return (int)i + 1;
    }
    *scanned = limit;
    return len >= HTTP_HEADER_MAX_BYTES ? -431 : 0;
}

/* RFC 9110 5.6.2 */
static bool is_token(const char *s)
{
    static const char more[] = "!#$%&'*+-.^_`|~";
    if (!*s)
        return false;
    for (; *s; s++) {
        bool is_alnum =
            (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z');
        if (!is_alnum && !strchr(more, *s))
            return false;
    }
    return true;
}

/* The next line, ended by a NUL in place of its line end; NULL at the end. */
static char *next_line(char **at, const char *end)
{
    char *line = *at;
    if (line >= end)
        return NULL;
    char *eol = memchr(line, '\n', (size_t)(end - line));
    if (!eol)
        return NULL;
    *at = eol + 1;
    if (eol > line && eol[-1] == '\r')
        eol--;
    *eol = 0;
    return line;
}

static int parse_request_line(char *line, struct http_head *out)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version)
        return -400;
    *target++ = 0;
    *version++ = 0;
    if (!is_token(line))
        return -400;
    for (size_t i = 1; i < ARRAY_LEN(method_names); i++) {
        if (strcmp(line, method_names[i]) == 0)
            out->method = (enum http_method)i;
    }
    if (strncmp(version, "HTTP/", 5) != 0)
        return -400;
    if (strncmp(version, "HTTP/1.", 7) != 0 || version[7] < '0' || version[7] > '9' || version[8])
        return -505;
    out->minor_version = version[7] - '0';

    /* Absolute form: only its path matters here. */
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        char *path = strchr(target + 8, '/');
        target = path ? path : target;
    }
    for (const char *p = target; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return -400;
    }
    if (target[0] != '/' && strcmp(target, "*") != 0)
        return -400;
    out->target = target;
    return 0;
}

static int parse_field(char *line, struct http_head *out)
{
    char *value = strchr(line, ':');
    if (!value)
        return -400;
    *value++ = 0;
    if (!is_token(line)) /* also: a blank before the colon, a folded line */
        return -400;
    while (*value == ' ' || *value == '\t')
        value++;
    size_t n = strlen(value);
    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        value[--n] = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return -400;
    }
    if (out->n_fields == HTTP_MAX_HEADERS)
        return -431;
    out->fields[out->n_fields++] = (struct http_head_field){line, value};
    return 0;
}

const char *http_head_get(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        if (strcasecmp(h->fields[i].name, name) == 0)
            return h->fields[i].value;
    }
    return NULL;
}

bool http_list_has(const char *list, const char *token)
{
    struct span rest = span_of(list);
    struct span item;
    while (span_cut(&rest, ',', &item)) {
        if (span_ieq(span_trim(item), token))
            return true;
    }
    return false;
}

static size_t count(const struct http_head *h, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_fields; i++)
        n += strcasecmp(h->fields[i].name, name) == 0;
    return n;
}

/* How the body is framed must be beyond doubt: else two parties could see different requests. */
static int parse_framing(struct http_head *out)
{
    out->content_length = -1;
    const char *length = http_head_get(out, "Content-Length");
    const char *coding = http_head_get(out, "Transfer-Encoding");
    if (length && (coding || count(out, "Content-Length") > 1))
        return -400;
    if (length) {
        uint64_t n = 0;
        if (length[strspn(length, "0123456789")] || !span_u64(span_of(length), &n) || n > INT64_MAX)
            return -400;
        out->content_length = (int64_t)n;
    }
    if (coding) {
        if (out->minor_version == 0 || count(out, "Transfer-Encoding") > 1)
            return -400;
        if (strcasecmp(coding, "chunked") != 0)
            return -501;
        out->is_chunked = true;
    }
    const char *host = http_head_get(out, "Host");
    if (count(out, "Host") > 1 || (out->minor_version > 0 && !host))
        return -400;
    const char *connection = http_head_get(out, "Connection");
    out->keeps_alive = out->minor_version > 0
                           ? !(connection && http_list_has(connection, "close"))
                           : connection && http_list_has(connection, "keep-alive");
    const char *expect = http_head_get(out, "Expect");
    out->expects_continue =
        out->minor_version > 0 && expect && strcasecmp(expect, "100-continue") == 0;
    return 0;
}

int http_head_parse(char *text, size_t n, struct http_head *out)
{
    *out = (struct http_head){.content_length = -1};
    text[n] = 0;
    if (memchr(text, 0, n))
        return -400;
    const char *end = text + n;
    char *line = next_line(&text, end);
    while (line && !*line)
        line = next_line(&text, end);
    if (!line)
        return -400;
    int rc = parse_request_line(line, out);
    if (rc < 0)
        return rc;
    while ((line = next_line(&text, end)) && *line) {
        rc = parse_field(line, out);
        if (rc < 0)
            return rc;
    }
    return parse_framing(out);
}

bool http_percent_decode(char *text, bool is_query)
{
    char *dst = text;
    for (const char *p = text; *p; p++) {
        char c = *p;
        if (c == '+' && is_query)
            c = ' ';
        if (c == '%') {
            int high = hex_value(p[1]);
            int low = high < 0 ? -1 : hex_value(p[2]);
            if (low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            p += 2;
        }
        *dst++ = c;
    }
    *dst = 0;
    return true;
}

/* One byte of a chunk's size line; the state moves on at its end. */
static int feed_size(struct http_chunks *c, uint8_t byte)
{
    int digit = hex_value((char)byte);
    if (c->state == CHUNK_SIZE && digit >= 0) {
        if (++c->n_digits > 15)
            return -400;
        c->left = c->left << 4 | (unsigned)digit;
        return 0;
    }
    if (byte == '\n') {
        if (c->n_digits == 0)
            return -400;
        c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        c->is_line_empty = true;
        c->n_digits = 0;
        return 0;
    }
    if (c->state == CHUNK_SIZE && byte != ';' && byte != '\r' && byte != ' ' && byte != '\t')
        return -400;
    c->state = CHUNK_EXTENSION;
    return 0;
}

static int feed_overhead(struct http_chunks *c, uint8_t byte)
{
    if (++c->n_overhead > 256u << 10)
        return -400;
    switch (c->state) {
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
        return feed_size(c, byte);
    case CHUNK_DATA_END:
        if (byte == '\n')
            c->state = CHUNK_SIZE;
        return byte == '\n' || byte == '\r' ? 0 : -400;
    case CHUNK_TRAILER:
        if (byte == '\n' && c->is_line_empty)
            c->state = CHUNK_DONE;
        else if (byte != '\r')
            c->is_line_empty = byte == '\n';
        return 0;
    case CHUNK_DATA:
    case CHUNK_DONE:
        break;
    }
    return 0;
}

int http_chunks_feed(struct http_chunks *c, const uint8_t *data, size_t len, size_t *out_used,
                     struct buf *body)
{
    size_t i = 0;
    int rc = 0;
    while (i < len && c->state != CHUNK_DONE && rc == 0) {
        if (c->state != CHUNK_DATA) {
            rc = feed_overhead(c, data[i++]);
            continue;
        }
        size_t n = (size_t)MIN((uint64_t)(len - i), c->left);
        buf_append(body, data + i, n);
        if (body->is_failed)
            rc = -413;
        i += n;
        c->left -= n;
        if (c->left == 0)
            c->state = CHUNK_DATA_END;
    }
    *out_used = i;
    return rc < 0 ? rc : c->state == CHUNK_DONE;
}
