/* HTTP/1.x request head and chunked body (RFC 9112), sans-IO. Inside net/ only.
 * Thread: plain values. */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "base/buf.h"
#include "net/http.h"

struct http_head_field {
    const char *name;
    const char *value; /* trimmed */
};

struct http_head {
    enum http_method method;
    int minor_version; /* HTTP/1.x */
    bool is_chunked;
    bool keeps_alive;
    bool expects_continue;
    int64_t content_length; /* -1 = none given */
    const char *target;     /* starts with '/', or is "*" */
    size_t n_fields;
    struct http_head_field fields[HTTP_MAX_HEADERS];
};

/* Length of the head including its empty line; 0 = not complete; -431 = longer than allowed.
 * Leading empty lines count. *scanned starts at 0 and saves searching the same bytes twice. */
int http_head_find_end(const uint8_t *data, size_t len, size_t *scanned);

/* Cuts a complete head of n bytes into strings, in place: text[n] must be writable. 0, or the
 * negated status to refuse it with. */
int http_head_parse(char *text, size_t n, struct http_head *out);

const char *http_head_get(const struct http_head *h, const char *name); /* NULL = absent */

/* Whether a comma list holds the token, case ignored. */
bool http_list_has(const char *list, const char *token);

/* Decodes %XX (and '+' when is_query) in place; false for a bad escape or a NUL. */
bool http_percent_decode(char *text, bool is_query);

/* A chunked body coming in pieces. Zero to begin. */
struct http_chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_DATA,
        CHUNK_DATA_END,
        CHUNK_TRAILER,
        CHUNK_DONE
    } state;
    uint64_t left;
    unsigned n_digits;
    size_t n_overhead; /* bytes that were not data: bounded too */
    bool is_line_empty;
};

/* Appends data to body. 1 = complete, 0 = more is needed, < 0 = negated status (400, 413).
 * *out_used tells how many bytes were taken. */
int http_chunks_feed(struct http_chunks *c, const uint8_t *data, size_t len, size_t *out_used,
                     struct buf *body);

#endif
