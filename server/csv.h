/* Comma-separated values (RFC 4180) as spreadsheets write them: quotes, CRLF or LF, a byte order
 * mark, UTF-8 or GBK.
 * Thread: belongs to its owner. Bounds: CSV_MAX_FIELDS fields per record. */
#ifndef SERVER_CSV_H
#define SERVER_CSV_H

#include "base/buf.h"
#include "base/err.h"

#define CSV_MAX_FIELDS 64

struct csv {
    const char *p, *end;
    unsigned line; /* of the next record */
    char *scratch; /* the current record's fields; each takes no more than it took in the text */
};

struct csv_record {
    unsigned line; /* where it begins, from 1 */
    size_t n_fields;
    const char *fields[CSV_MAX_FIELDS]; /* blanks around are cut off; valid until the next record */
};

/* The text in UTF-8 without byte order mark. ERR_PARSE: neither UTF-8 nor GB 18030. */
int csv_decode(const void *text, size_t n, struct buf *out, struct err *err);

/* The text must outlive c. */
void csv_init(struct csv *c, const char *text, size_t n);
void csv_fini(struct csv *c);
/* 1 = a record, 0 = end, ERR_PARSE (open quote), ERR_TOO_BIG (fields). Empty lines are passed over.
 * After an error there is no next record; out->line tells where it was. */
int csv_next(struct csv *c, struct csv_record *out, struct err *err);

#endif
