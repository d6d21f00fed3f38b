/* Text: spans into somebody else's bytes, and small helpers for C strings. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that live elsewhere; not NUL-terminated. */
struct span {
    const char *p;
    size_t n;
};

#define SPAN(lit)   ((struct span){(lit), sizeof(lit) - 1})
#define SPAN_FMT    "%.*s"
#define SPAN_ARG(s) (int)(s).n, (s).p

struct span span_of(const char *cstr);          /* NULL gives an empty span */
struct span span_trim(struct span s);           /* SP, TAB, CR, LF on both sides */
bool span_eq(struct span s, const char *cstr);  /* exact */
bool span_ieq(struct span s, const char *cstr); /* ASCII case ignored */
bool span_istarts(struct span s, const char *prefix);

/* Cuts at the first `sep`: *head gets what is before it and *s what follows; false when *s was
 * empty. Without a separator the whole of *s becomes *head and *s becomes empty. */
bool span_cut(struct span *s, char sep, struct span *head);

/* The next line without its CRLF or LF; false at the end. */
bool span_line(struct span *s, struct span *line);

/* Whole span as a decimal number, leading and trailing blanks allowed. */
bool span_u64(struct span s, uint64_t *out);
bool span_i64(struct span s, int64_t *out);
bool span_hex_u64(struct span s, uint64_t *out);
bool span_double(struct span s, double *out);

/* Copies at most cap - 1 bytes and ends with NUL; true when everything fitted. */
bool span_copy(struct span s, char *dst, size_t cap);
bool str_copy(char *dst, size_t cap, const char *src);
char *span_dup(struct span s);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_is_id(const char *s); /* [A-Za-z0-9_-]{1,64} */
bool str_is_utf8(const char *s, size_t n);

/* Of a hexadecimal digit; -1 = it is none. */
int hex_value(char c);
/* Lower-case hexadecimal; dst holds 2 * n + 1 bytes. */
void hex_encode(const void *src, size_t n, char *dst);

/* Base64 (RFC 4648). Decoding tolerates missing padding and white space; returns bytes or < 0. */
size_t base64_encode(const void *src, size_t n, char *dst, size_t cap);
int64_t base64_decode(struct span s, uint8_t *dst, size_t cap);

/* Constant-time comparison of secrets. */
bool secret_eq(const void *a, const void *b, size_t n);

#endif
